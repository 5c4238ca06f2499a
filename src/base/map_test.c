/*
 * map_test.c - a map against a plain array that cannot be wrong.
 */
#include "check.h"

#include "base/map.h"

static const uint64_t seed_of_tests[2] = {1, 2};

static void puts_gets_removes(void **state)
{
    struct map m;
    int one, two;

    (void)state;
    map_init(&m, seed_of_tests);
    check(map_get(&m, SLICE("a")) == NULL && map_remove(&m, SLICE("a")) == NULL);
    check(map_put(&m, SLICE("a"), &one) == NULL);
    check(map_get(&m, SLICE("a")) == &one && map_get(&m, SLICE("A")) == NULL);
    check(map_put(&m, SLICE("a"), &two) == &one);
    check_int(m.used, 1);
    check(map_remove(&m, SLICE("a")) == &two && map_get(&m, SLICE("a")) == NULL);
    check_int(m.used, 0);

    /* keys are bytes: empty, with NUL, one the beginning of the other */
    check(map_put(&m, (struct slice){0}, &one) == NULL);
    check(map_put(&m, SLICE("\0"), &two) == NULL);
    check(map_get(&m, SLICE("")) == &one && map_get(&m, SLICE("\0")) == &two);
    check(map_get(&m, SLICE("\0\0")) == NULL);
    map_done(&m);
    check(map_get(&m, SLICE("")) == NULL);
    map_done(&m);
}

static void copies_its_keys(void **state)
{
    struct map m;
    char key[] = "key";
    int value;

    (void)state;
    map_init(&m, seed_of_tests);
    map_put(&m, (struct slice){key, 3}, &value);
    key[0] = 'x';
    check(map_get(&m, SLICE("key")) == &value);
    map_done(&m);
}

enum { KEYS = 700 };

static struct slice key_of(size_t i, char text[8])
{
    int len = snprintf(text, 8, "%zu", i * i);

    return (struct slice){text, (size_t)len};
}

static void check_same(const struct map *m, int *const *want)
{
    struct slice key;
    void *value;
    size_t at = 0, seen = 0, live = 0;
    char text[8];

    for (size_t i = 0; i < KEYS; i++) {
        check(map_get(m, key_of(i, text)) == want[i]);
        live += want[i] != NULL;
    }
    while (map_next(m, &at, &key, &value)) {
        check(map_get(m, key) == value);
        seen++;
    }
    check_int(seen, live);
    check_int(m->used, live);
}

static void agrees_with_an_array(void **state)
{
    static int values[KEYS * 2];
    int *want[KEYS] = {0};
    uint32_t seed = 17;
    struct map m;
    char text[8];

    (void)state;
    map_init(&m, seed_of_tests);
    for (int run = 0; run < 40000; run++) {
        size_t i = ((seed = seed * 1664525 + 1013904223) >> 16) % KEYS;
        int *value = &values[((seed = seed * 1664525 + 1013904223) >> 16) % (KEYS * 2)];
        /* long phases of growth and of shrinking */
        if (((seed = seed * 1664525 + 1013904223) >> 16) % 8 < (run / 5000 % 2 == 0 ? 6 : 2)) {
            check(map_put(&m, key_of(i, text), value) == want[i]);
            want[i] = value;
        } else {
            check(map_remove(&m, key_of(i, text)) == want[i]);
            want[i] = NULL;
        }
        if (run % 1000 == 0)
            check_same(&m, want);
    }
    check_same(&m, want);
    map_done(&m);
}

static void removes_while_walking(void **state)
{
    int value;
    struct map m;
    struct slice key;
    void *got;
    size_t at = 0, n = 0;
    char text[8];

    (void)state;
    map_init(&m, seed_of_tests);
    for (size_t i = 0; i < KEYS; i++)
        map_put(&m, key_of(i, text), &value);
    while (map_next(&m, &at, &key, &got)) {
        check(map_remove(&m, key) == &value);
        n++;
    }
    check_int(n, KEYS);
    check_int(m.used, 0);
    map_done(&m);
}

/* Adding and removing for ever does not make it grow: tombstones are swept. */
static void churn_keeps_its_size(void **state)
{
    int value;
    struct map m;
    char text[8];

    (void)state;
    map_init(&m, seed_of_tests);
    for (size_t i = 0; i < 3000; i++) {
        map_put(&m, key_of(i, text), &value);
        check(map_remove(&m, key_of(i, text)) == &value);
    }
    check(m.cap <= 16);
    map_done(&m);
}

/* A large one that was emptied works on. */
static void test_emptied_and_filled_again(void **state)
{
    static const uint64_t seed[2] = {1, 2};
    struct map m;

    (void)state;
    map_init(&m, seed);
    for (unsigned round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 3000; i++)
            check(map_put(&m, (struct slice){(char *)&i, sizeof(i)}, &m) == NULL);
        for (uint64_t i = 0; i < 3000; i++)
            check(map_remove(&m, (struct slice){(char *)&i, sizeof(i)}) == &m);
        check_int(m.used, 0);
        check(map_get(&m, SLICE("x")) == NULL && map_remove(&m, SLICE("x")) == NULL);
    }
    map_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_emptied_and_filled_again),
        cmocka_unit_test(puts_gets_removes),
        cmocka_unit_test(copies_its_keys),
        cmocka_unit_test(agrees_with_an_array),
        cmocka_unit_test(removes_while_walking),
        cmocka_unit_test(churn_keeps_its_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
