/*
 * buf_test.c - grows to its maximum and not a byte further; what is refused changes nothing.
 */
#include "check.h"

#include "base/buf.h"

static void keeps_its_maximum(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 5);
    check_int(buf_room(&b), 5);
    check(buf_append(&b, SLICE("abc")));
    check(!buf_append(&b, SLICE("def")));
    check(!buf_printf(&b, "%d", 123));
    check(!put_u32(&b, 1) && !put_bytes(&b, SLICE("")));
    check(buf_reserve(&b, 3) == NULL);
    check(buf_reserve(&b, SIZE_MAX) == NULL);
    check_slice(buf_slice(&b), SLICE("abc"));
    check(buf_printf(&b, "%d", 12));
    check_slice(buf_slice(&b), SLICE("abc12"));
    check_int(buf_room(&b), 0);
    check(!buf_append_char(&b, 'x') && buf_append(&b, (struct slice){0}));
    buf_consume(&b, 1);
    check(buf_append_char(&b, 'x') && !buf_append_char(&b, 'y'));
    check_slice(buf_slice(&b), SLICE("bc12x"));
    buf_done(&b);
    check_int(buf_len(&b), 0);
    check(buf_append(&b, SLICE("again"))); /* done is as good as new */
    buf_done(&b);
}

/* A maximum that is also a size memory comes in: printf's NUL has to go elsewhere. */
static void printf_fills_to_the_brim(void **state)
{
    (void)state;
    for (size_t max = 250; max < 260; max++) {
        struct buf b;
        check_row = max;
        buf_init(&b, max);
        check(!buf_printf(&b, "%*d", (int)max + 1, 1));
        check_int(buf_len(&b), 0);
        check(buf_printf(&b, "%*d", (int)max, 1));
        check_int(buf_len(&b), max);
        check_int(buf_slice(&b).data[max - 1], '1');
        buf_done(&b);
    }
}

static void cuts_both_ends(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    check(buf_append(&b, SLICE("abcdef")));
    buf_consume(&b, 2);
    buf_truncate(&b, 3);
    check_slice(buf_slice(&b), SLICE("cde"));
    buf_release(&b); /* not empty: keeps everything */
    check_slice(buf_slice(&b), SLICE("cde"));
    buf_consume(&b, 3);
    check_int(buf_len(&b), 0);
    buf_release(&b);
    check(b.data == NULL);
    check(buf_append(&b, SLICE("x")));
    buf_clear(&b);
    check_int(buf_len(&b), 0);
    check_int(buf_room(&b), 100);
    buf_done(&b);
}

static void reserve_and_commit(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 4096);
    check(buf_append(&b, SLICE("ab")));
    char *at = buf_reserve(&b, 1000);
    check(at != NULL);
    memset(at, 'x', 1000);
    check_int(buf_len(&b), 2);
    buf_commit(&b, 3);
    check_slice(buf_slice(&b), SLICE("abxxx"));
    buf_done(&b);
}

/* A queue of bytes: what goes in at the end comes out at the front, through every move. */
static void flows_through(void **state)
{
    struct buf b;
    unsigned char next_in = 0, next_out = 0;
    uint32_t seed = 3;

    (void)state;
    buf_init(&b, 1000);
    for (int run = 0; run < 20000; run++) {
        size_t n = ((seed = seed * 1664525 + 1013904223) >> 16) % 400;
        char bytes[400];
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(unsigned char)(next_in + i);
        bool fits = n <= buf_room(&b);
        check_int(buf_append(&b, (struct slice){bytes, n}), fits);
        if (fits)
            next_in = (unsigned char)(next_in + n);
        n = ((seed = seed * 1664525 + 1013904223) >> 16) % (buf_len(&b) + 1);
        for (size_t i = 0; i < n; i++)
            check_int((unsigned char)buf_slice(&b).data[i], next_out++);
        buf_consume(&b, n);
        if (run % 100 == 0)
            buf_release(&b);
    }
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_its_maximum), cmocka_unit_test(printf_fills_to_the_brim),
        cmocka_unit_test(cuts_both_ends),    cmocka_unit_test(reserve_and_commit),
        cmocka_unit_test(flows_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
