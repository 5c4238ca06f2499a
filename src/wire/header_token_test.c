/*
 * header_token_test.c - the tokens of RFC 5322 3.2 where one field's parser does not show them all.
 */
#include "check.h"

#include "wire/header_token.h"

/* got: what was taken from between the delimiters; left: what is behind. */
static const struct {
    struct slice text;
    char open, close;
    bool taken;
    struct slice got, left;
} enclosed[] = {
    {SLICE_INIT("(a)b"),           '(', ')', true,  SLICE_INIT("a"),          SLICE_INIT("b")    },
    {SLICE_INIT("()"),             '(', ')', true,  SLICE_INIT(""),           SLICE_INIT("")     },
    {SLICE_INIT("(a(b)(c(d)))e)"), '(', ')', true,  SLICE_INIT("a(b)(c(d))"), SLICE_INIT("e)")   },
    {SLICE_INIT("(a\\)b)c"),       '(', ')', true,  SLICE_INIT("a\\)b"),      SLICE_INIT("c")    },
    {SLICE_INIT("\"a(b\\\"\"c"),   '"', '"', true,  SLICE_INIT("a(b\\\""),    SLICE_INIT("c")    },
    {SLICE_INIT("[a[b]]c"),        '[', ']', true,  SLICE_INIT("a[b]"),       SLICE_INIT("c")    },
    {SLICE_INIT("(a(b)"),          '(', ')', false, SLICE_INIT(""),           SLICE_INIT("(a(b)")},
    {SLICE_INIT("(a\\"),           '(', ')', false, SLICE_INIT(""),           SLICE_INIT("(a\\") },
    {SLICE_INIT("\"a"),            '"', '"', false, SLICE_INIT(""),           SLICE_INIT("\"a")  },
};

static void encloses(void **state)
{
    (void)state;
    CHECK_ROWS (i, enclosed) {
        struct cursor c = {guarded(enclosed[i].text)};
        struct slice whole = c.rest, inside = SLICE("");

        check_int(take_enclosed(&c, enclosed[i].open, enclosed[i].close, &inside),
                  enclosed[i].taken);
        check_slice(inside, enclosed[i].got);
        check_slice(c.rest, enclosed[i].left);
        guarded_free(whole);
    }
}

static const struct {
    struct slice text;
    bool taken;
    struct slice got, left;
} angles[] = {
    {SLICE_INIT("<a@b>c"),          true,  SLICE_INIT("a@b"),         SLICE_INIT("c")    },
    {SLICE_INIT("<>"),              true,  SLICE_INIT(""),            SLICE_INIT("")     },
    {SLICE_INIT("<\"a>\"@b(>)> c"), true,  SLICE_INIT("\"a>\"@b(>)"), SLICE_INIT(" c")   },
    {SLICE_INIT("<a<b>"),           false, SLICE_INIT(""),            SLICE_INIT("<a<b>")},
    {SLICE_INIT("<\"a>"),           false, SLICE_INIT(""),            SLICE_INIT("<\"a>")},
    {SLICE_INIT("<(a>"),            false, SLICE_INIT(""),            SLICE_INIT("<(a>") },
    {SLICE_INIT("<a"),              false, SLICE_INIT(""),            SLICE_INIT("<a")   },
    {SLICE_INIT("a>"),              false, SLICE_INIT(""),            SLICE_INIT("a>")   },
};

static void angle(void **state)
{
    (void)state;
    CHECK_ROWS (i, angles) {
        struct cursor c = {guarded(angles[i].text)};
        struct slice whole = c.rest, inside = SLICE("");

        check_int(take_angle(&c, &inside), angles[i].taken);
        check_slice(inside, angles[i].got);
        check_slice(c.rest, angles[i].left);
        guarded_free(whole);
    }
}

static void unescapes(void **state)
{
    struct arena arena = {0};

    (void)state;
    check_slice(enclosed_unescape(&arena, SLICE("a\\\"b\\\\c\\")), SLICE("a\"b\\c\\"));
    check_slice(enclosed_unescape(&arena, SLICE("")), SLICE(""));
    arena_done(&arena);
}

/* Comments are kept in their order, also those of a phrase. */
static void phrases(void **state)
{
    struct arena arena = {0};
    struct slice text;
    struct buf comments;

    (void)state;
    buf_init(&comments, 100);
    check(phrase_decode(SLICE("a (b) \"c \\\"d\" =?utf-8?Q?e?= (f)"), &arena, &text, &comments));
    check_slice(text, SLICE("a c \"d e"));
    check_slice(buf_slice(&comments), SLICE("b f "));
    check(!phrase_decode(SLICE("a, b"), &arena, &text, NULL));
    check_slice(text, SLICE("a, b"));
    check(!phrase_decode(SLICE("a \"b"), &arena, &text, NULL));
    check_slice(text, SLICE("a "));
    check(!phrase_decode(SLICE("a (b"), &arena, &text, NULL));
    check_slice(text, SLICE("a"));
    buf_done(&comments);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(encloses), cmocka_unit_test(angle),
                                       cmocka_unit_test(unescapes), cmocka_unit_test(phrases)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
