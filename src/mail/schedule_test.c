/*
 * schedule_test.c - retries and windows, as sentences with numbers.
 */
#include "check.h"

#include "mail/schedule.h"

enum { MIN = 60 * 1000, HOUR = 60 * MIN };

static void retries_follow_the_plan(void **state)
{
    static const struct {
        unsigned attempts;
        uint32_t chance;
        uint64_t delay_ms;
    } rows[] = {
        {1,     0,               5 * MIN              },
        {2,     0,               15 * MIN             },
        {3,     0,               HOUR                 },
        {4,     0,               4 * HOUR             },
        {5,     0,               4 * HOUR             }, /* the last step repeats */
        {65535, 0,               4 * HOUR             },
        {1,     1000,            5 * MIN + 1000       },
        {1,     5 * MIN / 8,     5 * MIN + 5 * MIN / 8}, /* an eighth at most */
        {1,     5 * MIN / 8 + 1, 5 * MIN              },
    };

    (void)state;
    CHECK_ROWS (i, rows)
        check_int(retry_delay_ms(&retry_plan_default, rows[i].attempts, rows[i].chance),
                  rows[i].delay_ms);
}

/* RFC 5321 4.5.4.1: the first within 30 minutes, give up after four to five days. */
static void the_usual_plan_is_the_rfcs(void **state)
{
    (void)state;
    check(retry_delay_ms(&retry_plan_default, 1, UINT32_MAX) <= 30 * MIN);
    check(!retry_is_over(&retry_plan_default, 4 * 24 * (uint64_t)HOUR));
    check(!retry_is_over(&retry_plan_default, 5 * 24 * (uint64_t)HOUR - 1));
    check(retry_is_over(&retry_plan_default, 5 * 24 * (uint64_t)HOUR));
}

static unsigned room(struct window *w, uint64_t now_ms)
{
    unsigned opened = 0;

    while (window_has_room(w, now_ms) && opened < 1000) {
        window_opened(w);
        opened++;
    }
    for (unsigned i = 0; i < opened; i++)
        window_closed(w);
    return opened;
}

static void windows_grow_with_success(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, WINDOW_MAX);
    check_int(room(&w, 0), WINDOW_FIRST);
    for (unsigned i = 0; i < WINDOW_FIRST + 1; i++)
        window_succeeded(&w);
    check_int(room(&w, 0), WINDOW_FIRST + 1);
    for (unsigned i = 0; i < 1000; i++)
        window_succeeded(&w);
    check_int(room(&w, 0), WINDOW_MAX);
    window_failed(&w, 0);
    check_int(room(&w, 0), WINDOW_MAX - 1);
}

static void a_small_limit_is_kept(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, 1);
    for (unsigned i = 0; i < 100; i++)
        window_succeeded(&w);
    check_int(room(&w, 0), 1);
}

static void who_fails_again_and_again_is_down(void **state)
{
    struct window w;
    uint64_t now = 1000, until, pause = 0;

    (void)state;
    window_init(&w, WINDOW_MAX);
    for (unsigned i = 0; i < WINDOW_DOWN_AFTER; i++) {
        check(!window_is_down(&w, now, &until));
        window_failed(&w, now);
    }
    check(window_is_down(&w, now, &until));
    check_int(until, now + WINDOW_PAUSE_S * 1000);
    check_int(room(&w, now), 0);
    window_failed(&w, now); /* begun before */
    check(window_is_down(&w, now, &until));
    check_int(until, now + WINDOW_PAUSE_S * 1000);

    /* One connection asks; each failure doubles the pause, up to its bound. */
    for (unsigned i = 0; i < 20; i++) {
        now = until;
        check_int(room(&w, now), 1);
        window_failed(&w, now);
        check(window_is_down(&w, now, &until));
        check(until - now > pause || pause == WINDOW_PAUSE_MAX_S * 1000);
        pause = until - now;
    }
    check_int(pause, WINDOW_PAUSE_MAX_S * 1000);

    now = until;
    window_succeeded(&w);
    check(!window_is_down(&w, now, &until));
    check_int(room(&w, now), 2);
}

static void failures_are_kept_for_a_while(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, WINDOW_MAX);
    check_int(window_kept_until_ms(&w), 0);
    window_failed(&w, 1000);
    check_int(window_kept_until_ms(&w), 1000 + WINDOW_MEMORY_S * 1000);
    window_failed(&w, 5000);
    check_int(window_kept_until_ms(&w), 5000 + WINDOW_MEMORY_S * 1000);
    window_succeeded(&w);
    check_int(window_kept_until_ms(&w), 0);
    /* No pause is longer, or it would end when its destination is forgotten. */
    check(WINDOW_MEMORY_S > WINDOW_PAUSE_MAX_S);
}

static void a_limit_may_come_and_go(void **state)
{
    struct window w;

    (void)state;
    window_init(&w, WINDOW_MAX);
    window_limit(&w, 2);
    check_int(room(&w, 0), 2);
    window_limit(&w, 50);
    for (unsigned i = 0; i < 10000; i++)
        window_succeeded(&w);
    check_int(room(&w, 0), 50);
}

/* Goes as often as it may from now to the end, as a loop with timers does. */
static unsigned goes(struct pace *p, uint64_t now_ms, uint64_t end_ms)
{
    unsigned count = 0;

    while (now_ms < end_ms) {
        uint64_t wait = pace_wait_ms(p, now_ms);
        if (wait == 0) {
            pace_went(p, now_ms);
            count++;
        }
        now_ms += wait;
        if (count == 1000000)
            break;
    }
    return count;
}

static void rates_are_kept(void **state)
{
    static const struct {
        struct rate rate;
        uint64_t for_ms;
        unsigned least, most;
    } rows[] = {
        {{600, 60}, MIN,      599,     601    },
        {{1, 3600}, HOUR,     1,       1      },
        {{1, 3600}, HOUR + 1, 2,       2      },
        {{2, 1},    MIN,      119,     121    },
        {{5000, 1}, 1000,     5000,    5100   },
        {{7, 60},   MIN,      7,       8      },
        {{0, 0},    1,        1000000, 1000000},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct pace p = {.rate = rows[i].rate};
        unsigned count = goes(&p, 1000, 1000 + rows[i].for_ms);

        check(count >= rows[i].least && count <= rows[i].most);
    }
}

static void idle_time_is_not_made_up_for(void **state)
{
    struct pace p = {
        .rate = {60, 60}
    };

    (void)state;
    check_int(goes(&p, 0, 10 * 1000), 10);
    check_int(goes(&p, HOUR, HOUR + 1), 1);
    check(pace_wait_ms(&p, HOUR) >= 990);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retries_follow_the_plan),
        cmocka_unit_test(the_usual_plan_is_the_rfcs),
        cmocka_unit_test(windows_grow_with_success),
        cmocka_unit_test(a_small_limit_is_kept),
        cmocka_unit_test(who_fails_again_and_again_is_down),
        cmocka_unit_test(failures_are_kept_for_a_while),
        cmocka_unit_test(a_limit_may_come_and_go),
        cmocka_unit_test(rates_are_kept),
        cmocka_unit_test(idle_time_is_not_made_up_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
