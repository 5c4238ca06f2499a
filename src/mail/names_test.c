/*
 * names_test.c - what was added is found, with its number, and nothing else.
 */
#include "mail/names.h"

#include "check.h"

static struct slice name_of(char out[32], unsigned i)
{
    return (struct slice){out, (size_t)snprintf(out, 32, "user%u@example.org", i)};
}

static void test_empty(void **state)
{
    struct names n;
    uint32_t number = 7;

    (void)state;
    names_init(&n, SLICE(""));
    check(!names_find(&n, SLICE(""), &number));
    check(names_add(&n, SLICE(""), &number)); /* a name of no bytes is one */
    number = 0;
    check(names_find(&n, SLICE(""), &number));
    check_int(number, 7);
    names_done(&n);
}

static void test_many(void **state)
{
    enum { COUNT = 20000 };

    struct names n;
    char text[32];
    uint32_t number;

    (void)state;
    names_init(&n, SLICE("seed"));
    for (uint32_t i = 0; i < COUNT; i++) {
        number = i;
        check(names_add(&n, name_of(text, i), &number));
    }
    check_int(n.used, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        check(names_find(&n, name_of(text, i), &number));
        check_int(number, i);
        check(!names_find(&n, slice_head(name_of(text, i), 7), &number));
    }
    check(!names_find(&n, name_of(text, COUNT), &number));
    check(buf_len(&n.text) + n.cap * 8 < (size_t)COUNT * 50);
    names_done(&n);
}

static void test_twice(void **state)
{
    struct names n;
    uint32_t number = 1;

    (void)state;
    names_init(&n, SLICE("seed"));
    check(names_add(&n, SLICE("a"), &number));
    number = 2;
    check(!names_add(&n, SLICE("a"), &number));
    check_int(number, 1);
    check_int(n.used, 1);
    names_done(&n);
}

/* The same names lie elsewhere when anything in their source differs. */
static void test_seed(void **state)
{
    struct names a, b;

    (void)state;
    names_init(&a, SLICE("one source"));
    names_init(&b, SLICE("one Source"));
    check(a.seed[0] != b.seed[0] && a.seed[1] != b.seed[1] && a.seed[0] != a.seed[1]);
    names_done(&a);
    names_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
