/*
 * tally_test.c - windows that slide, columns that are summed, names that are forgotten.
 */
#include "mail/tally.h"

#include "base/arena.h"
#include "base/memory.h"
#include "check.h"

#include <pthread.h>

enum { MINUTE_MS = 60 * 1000, MANY = 100000 };

static const uint64_t seed[2] = {1, 2};

static void *table_new(unsigned columns)
{
    void *memory = memory_new(tally_size(columns));

    tally_init(memory, seed);
    return memory;
}

/* What one row counts by some name, at some time, in some column. */
static void test_windows(void **state)
{
    static const struct {
        const char *name;
        unsigned column;
        uint64_t at_ms;
        enum tally_verdict verdict;
    } rows[] = {
        {"ann", 0, 10 * MINUTE_MS,           TALLY_COUNTED       },
        {"ann", 1, 10 * MINUTE_MS,           TALLY_COUNTED       },
        {"ann", 0, 10 * MINUTE_MS + 1000,    TALLY_COUNTED       },
        {"ann", 1, 10 * MINUTE_MS + 2000,    TALLY_COUNTED       }, /* four in this minute */
        {"ann", 0, 10 * MINUTE_MS + 3000,    TALLY_TOO_MANY_FIRST},
        {"ann", 1, 10 * MINUTE_MS + 3000,    TALLY_TOO_MANY      },
        {"ann", 0, 10 * MINUTE_MS + 59999,   TALLY_TOO_MANY      },
        {"bob", 0, 10 * MINUTE_MS + 59999,   TALLY_COUNTED       },
 /* nearly all of the minute before is less than a minute ago */
        {"ann", 0, 11 * MINUTE_MS,           TALLY_TOO_MANY_FIRST},
        {"ann", 1, 11 * MINUTE_MS + 14000,   TALLY_COUNTED       }, /* 3 of 4 count */
        {"ann", 1, 11 * MINUTE_MS + 14000,   TALLY_TOO_MANY      },
        {"ann", 0, 11 * MINUTE_MS + 30000,   TALLY_COUNTED       }, /* 2 of 4, and one */
        {"ann", 0, 11 * MINUTE_MS + 30000,   TALLY_TOO_MANY      },
        {"ann", 0, 11 * MINUTE_MS + 59000,   TALLY_COUNTED       },
        {"ann", 0, 11 * MINUTE_MS + 59000,   TALLY_COUNTED       },
        {"ann", 0, 11 * MINUTE_MS + 59000,   TALLY_TOO_MANY      },
 /* two minutes later nothing is left */
        {"ann", 0, 13 * MINUTE_MS,           TALLY_COUNTED       },
        {"ann", 0, 13 * MINUTE_MS,           TALLY_COUNTED       },
        {"ann", 0, 13 * MINUTE_MS,           TALLY_COUNTED       },
        {"ann", 0, 13 * MINUTE_MS,           TALLY_COUNTED       },
        {"ann", 0, 13 * MINUTE_MS,           TALLY_TOO_MANY_FIRST},
 /* the number of the window begins anew some day */
        {"ann", 0, (1ull << 24) * MINUTE_MS, TALLY_COUNTED       },
    };

    void *memory = table_new(2);
    struct tally views[2] = {tally_view(memory, 2, 0), tally_view(memory, 2, 1)};

    (void)state;
    CHECK_ROWS (i, rows)
        check_int(tally_count(&views[rows[i].column], slice_of(rows[i].name), (struct rate){4, 60},
                              rows[i].at_ms),
                  rows[i].verdict);
    memory_free(memory);
}

/* However many names there are, one that is counted often is not forgotten for those that are not,
 * by whatever windows either is counted. */
static void check_crowd(uint32_t per_s, uint32_t crowd_per_s)
{
    enum { NOW = 10 * 3600 * 1000 };

    void *memory = table_new(1);
    struct tally t = tally_view(memory, 1, 0);
    struct arena arena = {0};
    struct rate rate = {50, per_s}, crowd = {50, crowd_per_s};
    unsigned counted = 0;

    for (unsigned i = 0; i < 50; i++)
        check_int(tally_count(&t, SLICE("ann"), rate, NOW), TALLY_COUNTED);
    for (unsigned i = 0; i < MANY; i++) {
        counted += tally_count(&t, arena_printf(&arena, "user%u", i), crowd, NOW) == TALLY_COUNTED;
        arena_reset(&arena);
    }
    check_int(counted, MANY);
    check_int(tally_count(&t, SLICE("ann"), rate, NOW), TALLY_TOO_MANY_FIRST);
    arena_done(&arena);
    memory_free(memory);
}

static void test_more_names_than_fit(void **state)
{
    (void)state;
    check_crowd(3600, 3600);
    check_crowd(3600, 60);
    check_crowd(60, 3600);
}

/* ---- several receivers at once ---- */

enum { RECEIVERS = 4, EACH = 20000, LIMIT = 50000 };

struct receiver {
    pthread_t thread;
    struct tally view;
    unsigned counted, first;
};

static void *count(void *ctx)
{
    struct receiver *r = ctx;

    for (unsigned i = 0; i < EACH; i++)
        switch (tally_count(&r->view, SLICE("ann"), (struct rate){LIMIT, 3600}, 1000)) {
        case TALLY_COUNTED: r->counted++; break;
        case TALLY_TOO_MANY_FIRST: r->first++; break;
        case TALLY_TOO_MANY: break;
        }
    return NULL;
}

static void test_at_once(void **state)
{
    struct receiver receivers[RECEIVERS] = {0};
    void *memory = table_new(RECEIVERS);
    unsigned counted = 0, first = 0;

    (void)state;
    for (unsigned i = 0; i < RECEIVERS; i++) {
        receivers[i].view = tally_view(memory, RECEIVERS, i);
        check_int(pthread_create(&receivers[i].thread, NULL, count, &receivers[i]), 0);
    }
    for (unsigned i = 0; i < RECEIVERS; i++) {
        pthread_join(receivers[i].thread, NULL);
        counted += receivers[i].counted;
        first += receivers[i].first;
    }
    check(counted >= LIMIT && counted < LIMIT + RECEIVERS);
    check_int(first, 1);
    memory_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_more_names_than_fit),
        cmocka_unit_test(test_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
