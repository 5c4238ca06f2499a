/*
 * slice_test.c - comparing and cutting, empty slices included.
 */
#include "check.h"

#define S SLICE_INIT

static void compares(void **state)
{
    static const struct {
        struct slice a, b;
        bool equal, equal_nocase;
        int order;
    } rows[] = {
        {S(""),     S(""),     true,  true,  0 },
        {{NULL, 0}, S(""),     true,  true,  0 },
        {{NULL, 0}, S("a"),    false, false, -1},
        {S("a"),    S(""),     false, false, 1 },
        {S("abc"),  S("abc"),  true,  true,  0 },
        {S("abc"),  S("ABC"),  false, true,  1 },
        {S("ab"),   S("abc"),  false, false, -1},
        {S("abd"),  S("abc"),  false, false, 1 },
        {S("a\0b"), S("a\0c"), false, false, -1},
 /* only ASCII letters are folded, and bytes above 0x7f come last */
        {S("\xe4"), S("\xc4"), false, false, 1 },
        {S("\x80"), S("a"),    false, false, 1 },
        {S("@[`{"), S("`{@["), false, false, -1},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        int order = slice_compare(rows[i].a, rows[i].b);
        check_int(slice_equal(rows[i].a, rows[i].b), rows[i].equal);
        check_int(slice_equal_nocase(rows[i].a, rows[i].b), rows[i].equal_nocase);
        check_int((order > 0) - (order < 0), rows[i].order);
    }
}

static void starts_and_ends(void **state)
{
    static const struct {
        struct slice s, part;
        bool starts, starts_nocase, ends, ends_nocase;
    } rows[] = {
        {S(""),      S(""),     true,  true,  true,  true },
        {S("a"),     {NULL, 0}, true,  true,  true,  true },
        {S(""),      S("a"),    false, false, false, false},
        {S("ab"),    S("ab"),   true,  true,  true,  true },
        {S("ab"),    S("abc"),  false, false, false, false},
        {S("abXab"), S("ab"),   true,  true,  true,  true },
        {S("abc"),   S("AB"),   false, true,  false, false},
        {S("abc"),   S("BC"),   false, false, false, true },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        check_int(slice_starts(rows[i].s, rows[i].part), rows[i].starts);
        check_int(slice_starts_nocase(rows[i].s, rows[i].part), rows[i].starts_nocase);
        check_int(slice_ends(rows[i].s, rows[i].part), rows[i].ends);
        check_int(slice_ends_nocase(rows[i].s, rows[i].part), rows[i].ends_nocase);
    }
}

static void head_and_skip(void **state)
{
    struct slice s = SLICE("abc"), nothing = {0};

    (void)state;
    check_slice(slice_head(s, 0), SLICE(""));
    check_slice(slice_head(s, 2), SLICE("ab"));
    check_slice(slice_head(s, 3), SLICE("abc"));
    check_slice(slice_head(s, SIZE_MAX), SLICE("abc"));
    check_slice(slice_skip(s, 0), SLICE("abc"));
    check_slice(slice_skip(s, 2), SLICE("c"));
    check_slice(slice_skip(s, SIZE_MAX), SLICE(""));
    check(slice_skip(s, 4).data == s.data + 3);
    check_int(slice_head(nothing, 1).len, 0);
    check_int(slice_skip(nothing, 1).len, 0);
}

static void finds_and_cuts(void **state)
{
    static const struct {
        struct slice s;
        size_t first, last;
        struct slice head, tail;
    } rows[] = {
        {S("a=b=c"), 1, 3, S("a"),  S("b=c")},
        {S("="),     0, 0, S(""),   S("")   },
        {S("a="),    1, 1, S("a"),  S("")   },
        {S("\0=x"),  1, 1, S("\0"), S("x")  },
        {S("abc"),   3, 3, S("-"),  S("-")  },
        {S(""),      0, 0, S("-"),  S("-")  },
        {{NULL, 0},  0, 0, S("-"),  S("-")  },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice s = rows[i].s, head = SLICE("-"), tail = SLICE("-");
        check_int(slice_find(s, '='), rows[i].first);
        check_int(slice_rfind(s, '='), rows[i].last);
        check_int(slice_cut(s, '=', &head, &tail), rows[i].first < s.len);
        check_slice(head, rows[i].head);
        check_slice(tail, rows[i].tail);
    }
}

static void trims(void **state)
{
    (void)state;
    check_slice(slice_trim(SLICE(" \ta b\t ")), SLICE("a b"));
    check_slice(slice_trim(SLICE("a\r\n")), SLICE("a\r\n"));
    check_slice(slice_trim(SLICE(" \t")), SLICE(""));
    check_int(slice_trim((struct slice){0}).len, 0);
    check_slice(slice_of("abc"), SLICE("abc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),      cmocka_unit_test(starts_and_ends),
        cmocka_unit_test(head_and_skip), cmocka_unit_test(finds_and_cuts),
        cmocka_unit_test(trims),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
