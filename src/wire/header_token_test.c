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
    {SLICE_INIT("<a@[(>]> c"),      true,  SLICE_INIT("a@[(>]"),      SLICE_INIT(" c")   },
    {SLICE_INIT("<a@[>"),           false, SLICE_INIT(""),            SLICE_INIT("<a@[>")},
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

/* Comments are kept in their order. */
static const struct {
    struct slice phrase, text, comments;
    bool regular;
} phrases[] = {
    {SLICE_INIT("a (b) \"c \\\"d\" =?utf-8?Q?e?= (f)"), SLICE_INIT("a c \"d e"), SLICE_INIT("b f "),
     true                                                                                                 },
    {SLICE_INIT(""),                                    SLICE_INIT(""),          SLICE_INIT(""),     true },
    {SLICE_INIT("a, b"),                                SLICE_INIT("a, b"),      SLICE_INIT(""),     false},
    {SLICE_INIT("a \"b"),                               SLICE_INIT("a "),        SLICE_INIT(""),     false},
    {SLICE_INIT("a (c) (b"),                            SLICE_INIT("a"),         SLICE_INIT("c "),   false},
};

static void decodes(void **state)
{
    (void)state;
    CHECK_ROWS (i, phrases) {
        struct arena arena = {0};
        struct slice phrase = guarded(phrases[i].phrase), text;
        struct buf comments;

        buf_init(&comments, 100);
        check_int(phrase_decode(phrase, &arena, &text, &comments), phrases[i].regular);
        check_slice(text, phrases[i].text);
        check_slice(buf_slice(&comments), phrases[i].comments);
        buf_done(&comments);
        arena_done(&arena);
        guarded_free(phrase);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(encloses), cmocka_unit_test(angle),
                                       cmocka_unit_test(unescapes), cmocka_unit_test(decodes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
