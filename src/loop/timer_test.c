/*
 * timer_test.c - the wheel against a plain list of deadlines.
 */
#include "loop/timer.h"

#include "check.h"

enum { COUNT = 400 };

struct probe {
    struct timer timer;
    struct timer_wheel *wheel;
    struct log *log;
    unsigned fired;
    uint64_t again_at_ms; /* set itself once more */
    struct timer *cancels;
    bool forever; /* set itself for now, always */
};

struct log {
    uint64_t last_at_ms;
    unsigned count;
    bool early, disordered;
};

static void probe_due(struct timer *t)
{
    struct probe *p = LIST_ENTRY(t, struct probe, timer);

    p->fired++;
    p->log->count++;
    p->log->early |= t->at_ms > p->wheel->now_ms;
    p->log->disordered |= t->at_ms < p->log->last_at_ms;
    p->log->last_at_ms = t->at_ms;
    if (p->cancels != NULL)
        timer_wheel_cancel(p->wheel, p->cancels);
    if (p->forever)
        timer_wheel_set(p->wheel, t, p->wheel->now_ms);
    if (p->again_at_ms != 0) {
        uint64_t at_ms = p->again_at_ms;
        p->again_at_ms = 0;
        timer_wheel_set(p->wheel, t, at_ms);
    }
}

static void probe_init(struct probe *p, struct timer_wheel *w, struct log *log)
{
    *p = (struct probe){.wheel = w, .log = log};
    timer_init(&p->timer, probe_due);
}

/* Fires at its time, not a millisecond before, wherever now stands. */
static void test_one_timer(void **state)
{
    static const struct {
        uint64_t now_ms, in_ms;
    } rows[] = {
        {0,                 1                },
        {0,                 255              },
        {0,                 256              },
        {1,                 255              },
        {255,               1                },
        {0,                 65535            },
        {0,                 65536            },
        {65535,             1                },
        {0xffffff,          0x1000000        },
        {0xfffffffe,        1                },
        {0xffffffff,        1                },
        {5,                 0x100000000      },
        {77,                0x300000000      },
        {UINT64_C(1) << 40, UINT64_C(1) << 41},
        {123456789,         86400000         },
        {123456789,         5 * 86400000ull  },
    };
    static struct timer_wheel w;

    (void)state;
    CHECK_ROWS (i, rows) {
        struct log log = {0};
        struct probe p;
        uint64_t at_ms, due_ms = rows[i].now_ms + rows[i].in_ms;
        timer_wheel_init(&w, rows[i].now_ms);
        probe_init(&p, &w, &log);
        timer_wheel_set(&w, &p.timer, due_ms);
        check(timer_is_set(&p.timer));
        check(timer_wheel_next(&w, &at_ms));
        check(at_ms <= due_ms && at_ms > rows[i].now_ms);
        timer_wheel_advance(&w, due_ms - 1);
        check_int(p.fired, 0);
        timer_wheel_advance(&w, due_ms);
        check_int(p.fired, 1);
        check(!timer_is_set(&p.timer));
        check(!timer_wheel_next(&w, &at_ms));
        check_int(w.count, 0);
    }
}

static uint64_t chance(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Any deadlines, any steps: everything once, in order, never early, never late. */
static void test_against_list(void **state)
{
    static struct timer_wheel w;
    static struct probe probes[COUNT];

    (void)state;
    for (uint64_t round = 1; round <= 60; round++) {
        uint64_t seed = round * 0x9e3779b97f4a7c15, now_ms = chance(&seed) >> (round % 50);
        struct log log = {0};
        now_ms /= 2;
        timer_wheel_init(&w, now_ms);
        for (size_t i = 0; i < COUNT; i++) {
            probe_init(&probes[i], &w, &log);
            timer_wheel_set(&w, &probes[i].timer, now_ms + 1 + (chance(&seed) >> (24 + i % 39)));
        }
        for (size_t i = 0; i < COUNT; i += 7)
            timer_wheel_cancel(&w, &probes[i].timer);
        while (w.count > 0) {
            uint64_t before = log.count, bound, nearest = UINT64_MAX;
            for (size_t i = 0; i < COUNT; i++)
                if (timer_is_set(&probes[i].timer) && probes[i].timer.at_ms < nearest)
                    nearest = probes[i].timer.at_ms;
            check(timer_wheel_next(&w, &bound));
            check(bound <= nearest);
            now_ms = nearest - 1 + (chance(&seed) >> (30 + chance(&seed) % 34));
            timer_wheel_advance(&w, now_ms);
            check((log.count > before) == (nearest <= now_ms));
            for (size_t i = 0; i < COUNT; i++)
                check(timer_is_set(&probes[i].timer) ==
                      (probes[i].timer.at_ms > now_ms && i % 7 != 0));
        }
        check(!log.early && !log.disordered);
        for (size_t i = 0; i < COUNT; i++)
            check_int(probes[i].fired, i % 7 != 0);
        for (size_t level = 0; level < TIMER_LEVELS; level++)
            for (size_t i = 0; i < TIMER_SLOTS / 64; i++)
                check(w.used[level][i] == 0);
    }
}

static void test_move_and_cancel(void **state)
{
    static struct timer_wheel w;
    struct log log = {0};
    struct probe a, b;
    struct timer unset = {0};
    uint64_t at_ms;

    (void)state;
    timer_wheel_init(&w, 1000);
    probe_init(&a, &w, &log);
    probe_init(&b, &w, &log);
    assert_false(timer_is_set(&unset));
    timer_wheel_cancel(&w, &unset);
    timer_wheel_set(&w, &a.timer, 2000);
    timer_wheel_set(&w, &a.timer, 90000); /* moves */
    assert_int_equal(w.count, 1);
    timer_wheel_advance(&w, 80000);
    assert_int_equal(a.fired, 0);
    timer_wheel_advance(&w, 90000);
    assert_int_equal(a.fired, 1);

    /* The past is due at the next advance, even if no time passes. */
    timer_wheel_set(&w, &a.timer, 5);
    assert_true(timer_wheel_next(&w, &at_ms));
    assert_int_equal(at_ms, 90000);
    timer_wheel_advance(&w, 90000);
    assert_int_equal(a.fired, 2);

    /* A handler cancels one that is due in the same advance, and one in the same slot. */
    a.cancels = &b.timer;
    timer_wheel_set(&w, &a.timer, 90100);
    timer_wheel_set(&w, &b.timer, 90100);
    timer_wheel_advance(&w, 99999);
    assert_int_equal(a.fired, 3);
    assert_int_equal(b.fired, 0);
    assert_int_equal(w.count, 0);
}

static void test_set_again(void **state)
{
    static struct timer_wheel w;
    struct log log = {0};
    struct probe a, b;

    (void)state;
    timer_wheel_init(&w, 0);
    probe_init(&a, &w, &log);
    probe_init(&b, &w, &log);
    a.again_at_ms = 700; /* within the advance that called it */
    timer_wheel_set(&w, &a.timer, 300);
    timer_wheel_advance(&w, 1000);
    assert_int_equal(a.fired, 2);

    b.forever = true;
    timer_wheel_set(&w, &b.timer, 1500);
    timer_wheel_advance(&w, 2000);
    assert_in_range(b.fired, 1, 2);
    assert_true(timer_is_set(&b.timer));
    timer_wheel_cancel(&w, &b.timer);
    assert_int_equal(w.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_timer),
        cmocka_unit_test(test_against_list),
        cmocka_unit_test(test_move_and_cancel),
        cmocka_unit_test(test_set_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
