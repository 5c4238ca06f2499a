/*
 * form_test.c - forms: what is written, what is read, and that the two agree.
 */
#include "wire/form.h"

#include "check.h"

enum { TEXT_MAX = 2000 };

static void test_written(void **state)
{
    static const struct {
        struct slice value, text;
    } rows[] = {
        {SLICE_INIT(""),                         SLICE_INIT("a=")                             },
        {SLICE_INIT("plain-._*09"),              SLICE_INIT("a=plain-._*09")                  },
        {SLICE_INIT("two words"),                SLICE_INIT("a=two+words")                    },
        {SLICE_INIT("1+1=2&b"),                  SLICE_INIT("a=1%2B1%3D2%26b")                },
 /* The example of RFC 6749 appendix B. */
        {SLICE_INIT(" %&+\xc2\xa3\xe2\x82\xac"), SLICE_INIT("a=+%25%26%2B%C2%A3%E2%82%AC")    },
        {SLICE_INIT("http://127.0.0.1:8/"),      SLICE_INIT("a=http%3A%2F%2F127.0.0.1%3A8%2F")},
        {SLICE_INIT("\x00\r\n~"),                SLICE_INIT("a=%00%0D%0A%7E")                 },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct buf out;
        struct form f = {.out = &out};

        buf_init(&out, TEXT_MAX);
        form_add(&f, "a", rows[i].value);
        check(!f.full);
        check_slice(buf_slice(&out), rows[i].text);
        buf_done(&out);
    }
}

static void test_several(void **state)
{
    struct buf out;
    struct form f = {.out = &out};

    (void)state;
    buf_init(&out, TEXT_MAX);
    form_add(&f, "grant_type", SLICE("refresh_token"));
    form_add(&f, "refresh_token", SLICE("a/b"));
    check(!f.full);
    check_slice(buf_slice(&out), SLICE("grant_type=refresh_token&refresh_token=a%2Fb"));
    buf_done(&out);
}

static void test_full(void **state)
{
    struct buf out;
    struct form f = {.out = &out};

    (void)state;
    buf_init(&out, 4);
    form_add(&f, "a", SLICE("b/"));
    check(f.full);
    buf_done(&out);
}

static void test_read(void **state)
{
    static const struct {
        struct slice text, name, value;
        bool found;
    } rows[] = {
        {SLICE_INIT("code=4%2Fabc&state=s"), SLICE_INIT("code"),  SLICE_INIT("4/abc"),    true },
        {SLICE_INIT("code=4%2Fabc&state=s"), SLICE_INIT("state"), SLICE_INIT("s"),        true },
        {SLICE_INIT("a=1&a=2"),              SLICE_INIT("a"),     SLICE_INIT("1"),        true },
        {SLICE_INIT("a+b=c+d"),              SLICE_INIT("a b"),   SLICE_INIT("c d"),      true },
        {SLICE_INIT("a=b=c"),                SLICE_INIT("a"),     SLICE_INIT("b=c"),      true },
        {SLICE_INIT("a&b=1"),                SLICE_INIT("a"),     SLICE_INIT(""),         true },
        {SLICE_INIT("&&a=1&"),               SLICE_INIT("a"),     SLICE_INIT("1"),        true },
        {SLICE_INIT("a=%c2%A3"),             SLICE_INIT("a"),     SLICE_INIT("\xc2\xa3"), true },
        {SLICE_INIT(""),                     SLICE_INIT("a"),     SLICE_INIT(""),         false},
        {SLICE_INIT("ab=1"),                 SLICE_INIT("a"),     SLICE_INIT(""),         false},
        {SLICE_INIT("a=%"),                  SLICE_INIT("a"),     SLICE_INIT(""),         false},
        {SLICE_INIT("a=%4"),                 SLICE_INIT("a"),     SLICE_INIT(""),         false},
        {SLICE_INIT("a=%4g"),                SLICE_INIT("a"),     SLICE_INIT(""),         false},
        {SLICE_INIT("%=1&a=2"),              SLICE_INIT("a"),     SLICE_INIT(""),         false},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct arena arena = {0};
        struct slice text = guarded(rows[i].text), got = SLICE("");

        check_int(form_find(text, rows[i].name, &arena, &got), rows[i].found);
        check_slice(got, rows[i].value);
        guarded_free(text);
        arena_done(&arena);
    }
}

/* Every byte comes back as it went. */
static void test_round_trip(void **state)
{
    char bytes[256];
    struct slice all = {bytes, sizeof(bytes)}, got;
    struct arena arena = {0};
    struct buf out;
    struct form f = {.out = &out};

    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    buf_init(&out, TEXT_MAX);
    form_add(&f, "x", all);
    form_add(&f, "y", SLICE("end"));
    check(form_find(buf_slice(&out), SLICE("x"), &arena, &got));
    check_slice(got, all);
    check(form_find(buf_slice(&out), SLICE("y"), &arena, &got));
    check_slice(got, SLICE("end"));
    buf_done(&out);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),    cmocka_unit_test(test_several),
        cmocka_unit_test(test_full),       cmocka_unit_test(test_read),
        cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
