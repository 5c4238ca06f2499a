/*
 * gauges_test.c - who enters leaves; who dies is cleared; a name that is forgotten leaks nothing.
 */
#include "mail/gauges.h"

#include "base/memory.h"
#include "check.h"

#include <pthread.h>

enum { MANY = 200000 };

static const uint64_t seed[2] = {1, 2};

static void *table_new(unsigned columns)
{
    void *memory = memory_new(gauges_size(columns));

    gauges_init(memory, seed);
    return memory;
}

/* Three are let in, whichever receiver they come to. */
static void test_rows(void **state)
{
    enum { ENTERS, LEAVES, DIES };

    static const struct {
        int what;
        unsigned column;
        const char *name;
        bool let_in;
        unsigned then; /* how many there are */
    } rows[] = {
        {ENTERS, 0, "ann", true,  1},
        {ENTERS, 1, "ann", true,  2},
        {ENTERS, 0, "ann", true,  3},
        {ENTERS, 0, "ann", false, 3},
        {ENTERS, 1, "ann", false, 3},
        {ENTERS, 1, "bob", true,  1},
        {LEAVES, 0, "ann", true,  2},
        {ENTERS, 1, "ann", true,  3},
        {ENTERS, 0, "ann", false, 3},
        {DIES,   1, "ann", true,  1}, /* two of ann's are gone with it, */
        {ENTERS, 0, "ann", true,  2},
        {ENTERS, 1, "ann", true,  3},
        {ENTERS, 1, "ann", false, 3},
        {ENTERS, 0, "bob", true,  1}, /* and bob's */
    };

    void *memory = table_new(2);
    struct gauges views[2] = {gauges_view(memory, 2, 0), gauges_view(memory, 2, 1)};
    struct gauge_place last[2] = {0}, seen;

    (void)state;
    CHECK_ROWS (i, rows) {
        struct gauges *g = &views[rows[i].column];

        if (rows[i].what == LEAVES)
            gauges_leave(g, &last[rows[i].column]);
        else if (rows[i].what == DIES)
            gauges_clear(g);
        else
            check_int(gauges_enter(g, slice_of(rows[i].name), 3, &last[rows[i].column]),
                      rows[i].let_in);
        check(gauges_enter(&views[0], slice_of(rows[i].name), 0, &seen));
        check_int(gauges_read(&views[1], &seen), rows[i].then + 1);
        gauges_leave(&views[0], &seen);
        check_int(gauges_read(&views[1], &seen), 0);
    }
    memory_free(memory);
}

/* However many names: nobody is counted higher than he is, and at the end nobody is there. */
static void test_more_names_than_fit(void **state)
{
    void *memory = table_new(1);
    struct gauges g = gauges_view(memory, 1, 0);
    struct gauge_place *places = memory_new(MANY * sizeof(*places)), crowd[100] = {0};
    unsigned let_in = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        let_in += gauges_enter(&g, SLICE("crowd"), 50, &crowd[i]);
    assert_int_equal(let_in, 50);
    for (int i = 0; i < MANY; i++) {
        struct slice name = {(const char *)&i, sizeof(i)};

        assert_true(gauges_enter(&g, name, 1, &places[i]));
        assert_int_equal(gauges_read(&g, &places[i]), 1);
    }
    struct gauge_place more = {0};
    assert_false(gauges_enter(&g, SLICE("crowd"), 50, &more)); /* it was not forgotten */
    for (int i = 0; i < MANY; i++)
        gauges_leave(&g, &places[i]);
    for (int i = 0; i < 100; i++)
        gauges_leave(&g, &crowd[i]);
    for (int i = 0; i < MANY; i++) {
        struct slice name = {(const char *)&i, sizeof(i)};

        assert_true(gauges_enter(&g, name, 1, &places[i]));
        gauges_leave(&g, &places[i]);
    }
    assert_true(gauges_enter(&g, SLICE("crowd"), 1, &more));
    memory_free(places);
    memory_free(memory);
}

struct runner {
    pthread_t thread;
    struct gauges g;
    unsigned most;
};

static void *run(void *arg)
{
    struct runner *r = arg;
    struct gauge_place place = {0};

    for (int i = 0; i < MANY; i++)
        if (gauges_enter(&r->g, SLICE("all"), 2, &place)) {
            unsigned seen = gauges_read(&r->g, &place);

            r->most = seen > r->most ? seen : r->most;
            gauges_leave(&r->g, &place);
        }
    return NULL;
}

/* Receivers at the same moment: one too many for each of them at most, and none stays. */
static void test_at_the_same_moment(void **state)
{
    enum { RUNNERS = 4 };

    void *memory = table_new(RUNNERS);
    struct runner runners[RUNNERS] = {0};
    struct gauge_place place = {0};

    (void)state;
    for (unsigned i = 0; i < RUNNERS; i++) {
        runners[i].g = gauges_view(memory, RUNNERS, i);
        assert_int_equal(pthread_create(&runners[i].thread, NULL, run, &runners[i]), 0);
    }
    for (unsigned i = 0; i < RUNNERS; i++) {
        pthread_join(runners[i].thread, NULL);
        assert_in_range(runners[i].most, 1, 2 + RUNNERS - 1);
    }
    assert_true(gauges_enter(&runners[0].g, SLICE("all"), 1, &place));
    memory_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_more_names_than_fit),
        cmocka_unit_test(test_at_the_same_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
