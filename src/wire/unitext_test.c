/*
 * unitext_test.c - RFC 6533 3: what is encoded how, and what is no such encoding.
 */
#include "check.h"

#include "wire/unitext.h"
#include "wire/utf8.h"

static const struct {
    struct slice text, coded;
} both_ways[] = {
    {SLICE_INIT(""),                       SLICE_INIT("")                             },
    {SLICE_INIT("bob@b.example"),          SLICE_INIT("bob@b.example")                },
    {SLICE_INIT("b\xc3\xb6"
                "b@b.example"),
     SLICE_INIT("b\\x{F6}b@b.example")                                                },
    {SLICE_INIT("\xc4\x80\xe4\xb8\xad@x"), SLICE_INIT("\\x{100}\\x{4E2D}@x")          },
    {SLICE_INIT("\xf0\x9f\x93\xac@x"),     SLICE_INIT("\\x{1F4EC}@x")                 },
    {SLICE_INIT("\xf4\x8f\xbf\xbf@x"),     SLICE_INIT("\\x{10FFFF}@x")                },
 /* xtext finds nothing to do */
    {SLICE_INIT("a+b=c@x"),                SLICE_INIT("a\\x{2B}b\\x{3D}c@x")          },
    {SLICE_INIT("\"a b\\\\\"@x"),          SLICE_INIT("\"a\\x{20}b\\x{5C}\\x{5C}\"@x")},
};

static void there_and_back(void **state)
{
    struct arena arena = {0};
    struct slice back;

    (void)state;
    CHECK_ROWS (i, both_ways) {
        struct slice text = guarded(both_ways[i].text), coded = guarded(both_ways[i].coded);

        check_slice(unitext_encode(&arena, text), both_ways[i].coded);
        check(unitext_decode(&arena, coded, &back));
        check_slice(back, both_ways[i].text);
        guarded_free(text);
        guarded_free(coded);
    }
    arena_done(&arena);
}

static const struct {
    struct slice coded;
    bool good;
} decoded[] = {
    {SLICE_INIT("b\xc3\xb6\\x{F6}"), true }, /* mixed: utf-8-addr-unitext */
    {SLICE_INIT("\\x{00F6}"),        true }, /* too long, but it can mean one thing only */
    {SLICE_INIT("\\"),               false},
    {SLICE_INIT("\\x"),              false},
    {SLICE_INIT("\\x{"),             false},
    {SLICE_INIT("\\x{F6"),           false},
    {SLICE_INIT("\\x{F}"),           false},
    {SLICE_INIT("\\x{0000F6F}"),     false},
    {SLICE_INIT("\\x{f6}"),          false},
    {SLICE_INIT("\\xF6"),            false},
    {SLICE_INIT("a\\b"),             false},
    {SLICE_INIT("\\x{41}"),          false}, /* an A needs no such thing */
    {SLICE_INIT("\\x{0A}"),          false}, /* nor does a line end get in */
    {SLICE_INIT("\\x{7F}"),          false},
    {SLICE_INIT("\\x{85}"),          false},
    {SLICE_INIT("\\x{D800}"),        false},
    {SLICE_INIT("\\x{110000}"),      false},
    {SLICE_INIT("\xc3"),             false},
    {SLICE_INIT("\n"),               false},
};

static void what_is_none(void **state)
{
    struct arena arena = {0};
    struct slice got;

    (void)state;
    CHECK_ROWS (i, decoded) {
        struct slice coded = guarded(decoded[i].coded);

        check_int(unitext_decode(&arena, coded, &got), decoded[i].good);
        guarded_free(coded);
    }
    arena_done(&arena);
}

static void what_is_no_utf8_is_a_question_mark(void **state)
{
    struct arena arena = {0};

    (void)state;
    check_slice(unitext_encode(&arena, SLICE("a\xff\xc3z")), SLICE("a??z"));
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(what_is_none),
        cmocka_unit_test(what_is_no_utf8_is_a_question_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
