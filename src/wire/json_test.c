/*
 * json_test.c - JSON text: structure, and strings of any bytes.
 */
#include "wire/json.h"

#include "check.h"

enum { TEXT_MAX = 1000 };

static void test_structure(void **state)
{
    struct buf out;
    struct json j = {.out = &out};

    (void)state;
    buf_init(&out, TEXT_MAX);
    json_open(&j, NULL, '{');
    json_text(&j, "a", SLICE("b"));
    json_open(&j, "list", '[');
    json_number(&j, NULL, -1);
    json_open(&j, NULL, '{');
    json_close(&j, '}');
    json_text(&j, NULL, SLICE(""));
    json_close(&j, ']');
    json_open(&j, "none", '[');
    json_close(&j, ']');
    json_bool(&j, "yes", true);
    json_bool(&j, "no", false);
    json_null(&j, "nothing");
    json_close(&j, '}');
    check(!j.full);
    check_slice(buf_slice(&out),
                SLICE("{\"a\": \"b\", \"list\": [-1, {}, \"\"], \"none\": [], \"yes\": true, "
                      "\"no\": false, \"nothing\": null}"));
    buf_done(&out);
}

static void test_strings(void **state)
{
    static const struct {
        struct slice text, json;
    } rows[] = {
        {SLICE_INIT("plain / text"),           SLICE_INIT("\"plain / text\"")                   },
        {SLICE_INIT("\"\\"),                   SLICE_INIT("\"\\u0022\\u005c\"")                 },
        {SLICE_INIT("\x00\x1b[0m\n\x7f"),      SLICE_INIT("\"\\u0000\\u001b[0m\\u000a\\u007f\"")},
        {SLICE_INIT("gr\xc3\xbc\xc3\x9f"),     SLICE_INIT("\"gr\\u00fc\\u00df\"")               },
        {SLICE_INIT("\xf0\x9f\x93\xa8"),       SLICE_INIT("\"\\ud83d\\udce8\"")                 },
        {SLICE_INIT("\xe2\x80\xae"),           SLICE_INIT("\"\\u202e\"")                        },
        {SLICE_INIT("\xc3"),                   SLICE_INIT("\"\\ufffd\"")                        },
        {SLICE_INIT("\xff"
                    "a\xed\xa0\x80"),
         SLICE_INIT("\"\\ufffda\\ufffd\\ufffd\\ufffd\"")                                        },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct buf out;
        struct json j = {.out = &out};

        buf_init(&out, TEXT_MAX);
        json_text(&j, NULL, rows[i].text);
        check(!j.full);
        check_slice(buf_slice(&out), rows[i].json);
        buf_done(&out);
    }
}

static void test_too_much(void **state)
{
    (void)state;
    for (size_t max = 0; max < sizeof("{\"key\": \"v\\u0000\"}") - 1; max++) {
        struct buf out;
        struct json j = {.out = &out};

        buf_init(&out, max);
        json_open(&j, NULL, '{');
        json_text(&j, "key", SLICE("v\x00"));
        json_close(&j, '}');
        check(j.full);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_too_much),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
