/*
 * arena_test.c - zeroed, aligned, apart from each other, and zeroed again after a reset.
 */
#include "check.h"

#include "base/arena.h"

#include <stdalign.h>

static bool all_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0)
            return false;
    return true;
}

static void zeroed_aligned_and_apart(void **state)
{
    enum { PIECES = 200 };
    struct arena a;
    char *pieces[PIECES];

    (void)state;
    arena_init(&a);
    for (int run = 0; run < 20; run++) {
        for (size_t i = 0; i < PIECES; i++) {
            size_t size = 1 + i * i % 1500;
            check_row = i;
            pieces[i] = arena_alloc(&a, size);
            check_int((uintptr_t)pieces[i] % alignof(max_align_t), 0);
            check(all_zero(pieces[i], size));
            memset(pieces[i], (int)i + 1, size);
        }
        for (size_t i = 0; i < PIECES; i++)
            for (size_t k = 0; k < 1 + i * i % 1500; k++)
                check_int((unsigned char)pieces[i][k], (unsigned char)(i + 1));
        arena_reset(&a);
    }
    arena_done(&a);
}

static void empty_arena(void **state)
{
    struct arena a = {0};

    (void)state;
    arena_reset(&a);
    arena_done(&a);
    check(arena_alloc(&a, 0) != NULL);
    arena_done(&a);
    check(a.blocks == NULL);
    check(arena_alloc(&a, 100000) != NULL); /* larger than any block */
    check(arena_alloc(&a, 1) != NULL);
    arena_reset(&a);
    check(all_zero(arena_alloc(&a, 4000), 4000));
    arena_done(&a);
}

static void copies(void **state)
{
    struct arena a;
    char bytes[] = "a\0b";

    (void)state;
    arena_init(&a);
    struct slice copy = arena_copy(&a, (struct slice){bytes, 3});
    const char *text = arena_string(&a, (struct slice){bytes, 1});
    struct slice printed = arena_printf(&a, "%s-%0*d", bytes, 600, 7);
    bytes[0] = 'x';
    check_slice(copy, SLICE("a\0b"));
    assert_string_equal(text, "a");
    check_int(printed.len, 602);
    check(slice_starts(printed, SLICE("a-000")) && slice_ends(printed, SLICE("07")));
    check_slice(arena_copy(&a, (struct slice){0}), SLICE(""));
    check_slice(arena_lower(&a, SLICE("aBZ[@\xc3\x9c")), SLICE("abz[@\xc3\x9c"));
    check_slice(arena_lower(&a, (struct slice){0}), SLICE(""));
    assert_string_equal(arena_string(&a, (struct slice){0}), "");
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_aligned_and_apart),
        cmocka_unit_test(empty_arena),
        cmocka_unit_test(copies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
