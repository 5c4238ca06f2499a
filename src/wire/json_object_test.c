/*
 * json_object_test.c - what is an object, and what its members are.
 */
#include "wire/json_object.h"

#include "check.h"

static void test_objects(void **state)
{
    static const struct {
        struct slice text;
        bool good;
        size_t count;
    } rows[] = {
        {SLICE_INIT("{}"),                               true,  0},
        {SLICE_INIT(" \r\n\t{ } "),                      true,  0},
        {SLICE_INIT("{\"a\":1,\"b\":[{\"c\":[]}]}"),     true,  2},
        {SLICE_INIT("{\"a\":null}"),                     true,  1},
        {SLICE_INIT("{\"a\":1e400}"),                    false, 0},
        {SLICE_INIT("{\"a\":123456789012345678901234}"), false, 0},
        {SLICE_INIT(""),                                 false, 0},
        {SLICE_INIT("[]"),                               false, 0},
        {SLICE_INIT("\"text\""),                         false, 0},
        {SLICE_INIT("true"),                             false, 0},
        {SLICE_INIT("<html></html>"),                    false, 0},
        {SLICE_INIT("{"),                                false, 0},
        {SLICE_INIT("{\"a\":1,}"),                       false, 0},
        {SLICE_INIT("{'a':1}"),                          false, 0},
        {SLICE_INIT("{\"a\":1} {}"),                     false, 0},
        {SLICE_INIT("{\"a\":1}\0"),                      false, 0},
        {SLICE_INIT("{\"a\":1,\"a\":1}"),                false, 0},
        {SLICE_INIT("{\"a\":1,\"\\u0061\":1}"),          false, 0},
        {SLICE_INIT("{\"a\":\"\xff\"}"),                 false, 0},
        {SLICE_INIT("{\"a\":\"\xc0\x80\"}"),             false, 0},
        {SLICE_INIT("{\"a\":\"\\u0000\"}"),              false, 0},
        {SLICE_INIT("{\"a\":\"\\ud800\"}"),              false, 0},
        {SLICE_INIT("{\"a\":\"b\nc\"}"),                 false, 0},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice text = guarded(rows[i].text);
        struct json_object o = {0};
        struct arena arena = {0};

        check_int(json_object_read(text, &arena, &o), rows[i].good);
        check_int(o.count, rows[i].count);
        arena_done(&arena);
        guarded_free(text);
    }
}

static void test_members(void **state)
{
    static const struct slice text =
        SLICE_INIT("{\"t\":\"a\\u00e9\\n\",\"n\":1419356238,\"half\":1.5,\"minus\":-1,"
                   "\"big\":9007199254740993,\"yes\":true,\"no\":false,\"quoted\":\"true\","
                   "\"none\":null,\"list\":[true],\"object\":{\"yes\":true}}");

    static const struct {
        struct slice name, text;
        uint64_t number; /* 7: there is none */
        bool is_bool, yes;
    } rows[] = {
        {SLICE_INIT("t"),      SLICE_INIT("a\xc3\xa9\n"), 7,          false, false},
        {SLICE_INIT("n"),      SLICE_INIT(""),            1419356238, false, false},
        {SLICE_INIT("half"),   SLICE_INIT(""),            1,          false, false},
        {SLICE_INIT("minus"),  SLICE_INIT(""),            7,          false, false},
        {SLICE_INIT("yes"),    SLICE_INIT(""),            7,          true,  true },
        {SLICE_INIT("no"),     SLICE_INIT(""),            7,          true,  false},
        {SLICE_INIT("quoted"), SLICE_INIT("true"),        7,          false, false},
        {SLICE_INIT("none"),   SLICE_INIT(""),            7,          false, false},
        {SLICE_INIT("list"),   SLICE_INIT(""),            7,          false, false},
        {SLICE_INIT("object"), SLICE_INIT(""),            7,          false, false},
        {SLICE_INIT("T"),      SLICE_INIT(""),            7,          false, false},
        {SLICE_INIT(""),       SLICE_INIT(""),            7,          false, false},
    };
    struct arena arena = {0};
    struct json_object o;

    (void)state;
    if (!json_object_read(text, &arena, &o))
        fail();
    CHECK_ROWS (i, rows) {
        uint64_t number = 7;
        bool yes = false;

        check_slice(json_object_text(&o, rows[i].name), rows[i].text);
        check_int(json_object_number(&o, rows[i].name, &number), rows[i].number != 7);
        check_int(number, rows[i].number);
        check(json_object_bool(&o, rows[i].name, &yes) == rows[i].is_bool && yes == rows[i].yes);
    }
    arena_done(&arena);
}

static void test_names(void **state)
{
    static const struct slice text =
        SLICE_INIT("{\"one\":\"a\",\"many\":[\"b\",\"a\"],\"none\":[],\"mixed\":[\"a\",1],"
                   "\"deep\":[[\"a\"]],\"keys\":{\"a\":\"a\"},\"empty\":[\"\"]}");

    static const struct {
        struct slice name, text;
        bool is;
    } rows[] = {
        {SLICE_INIT("one"),    SLICE_INIT("a"),  true },
        {SLICE_INIT("one"),    SLICE_INIT("A"),  false},
        {SLICE_INIT("one"),    SLICE_INIT("aa"), false},
        {SLICE_INIT("many"),   SLICE_INIT("a"),  true },
        {SLICE_INIT("many"),   SLICE_INIT("b"),  true },
        {SLICE_INIT("many"),   SLICE_INIT("c"),  false},
        {SLICE_INIT("none"),   SLICE_INIT("a"),  false},
        {SLICE_INIT("none"),   SLICE_INIT(""),   false},
        {SLICE_INIT("mixed"),  SLICE_INIT("a"),  false},
        {SLICE_INIT("deep"),   SLICE_INIT("a"),  false},
        {SLICE_INIT("keys"),   SLICE_INIT("a"),  false},
        {SLICE_INIT("empty"),  SLICE_INIT(""),   true },
        {SLICE_INIT("absent"), SLICE_INIT(""),   false},
    };
    struct arena arena = {0};
    struct json_object o;

    (void)state;
    if (!json_object_read(text, &arena, &o))
        fail();
    CHECK_ROWS (i, rows)
        check_int(json_object_names(&o, rows[i].name, rows[i].text), rows[i].is);
    arena_done(&arena);
}

/* Too long, too many, too deep. */
static void test_limits(void **state)
{
    static char text[JSON_OBJECT_TEXT_MAX + 1];
    struct slice at_most = {text, JSON_OBJECT_TEXT_MAX}, more = {text, sizeof(text)};
    struct arena arena = {0};
    struct json_object o;
    size_t len = 0;

    (void)state;
    memset(text, ' ', sizeof(text));
    text[0] = '{';
    text[1] = '}';
    assert_true(json_object_read(at_most, &arena, &o));
    assert_false(json_object_read(more, &arena, &o));
    len = (size_t)snprintf(text, sizeof(text), "{\"a\":");
    memset(text + len, '[', sizeof(text) - len);
    assert_false(json_object_read(at_most, &arena, &o));
    len = 0;
    for (unsigned i = 0; i <= JSON_OBJECT_MEMBERS_MAX; i++)
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%c\"%u\":1", i == 0 ? '{' : ',', i);
    text[len++] = '}';
    assert_false(json_object_read((struct slice){text, len}, &arena, &o));
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
