/*
 * index_test.c - the heap against a model: whatever changes, what is due longest comes first.
 */
#include "check.h"

#include "queue/index.h"

#include "fakes/clock.h"

#include <stdlib.h>

enum { ENTRIES = 200, STEPS = 20000, RCPTS = 3 };

static uint64_t draw(uint64_t *chance, uint64_t bound)
{
    *chance = *chance * 6364136223846793005u + 1442695040888963407u;
    return (*chance >> 33) % bound;
}

static uint64_t earliest(struct queue_entry *e)
{
    uint64_t at = UINT64_MAX;

    for (uint32_t i = 0; i < e->rcpt_count; i++) {
        const struct rcpt_entry *r = &entry_rcpts(e)[i];

        if (r->state == RCPT_OPEN && r->due_ms < at)
            at = r->due_ms;
    }
    return at;
}

static uint64_t first_of_all(struct queue_entry **entries)
{
    uint64_t first = UINT64_MAX;

    for (size_t i = 0; i < ENTRIES; i++) {
        if (entries[i]->place != 0 && earliest(entries[i]) < first)
            first = earliest(entries[i]);
    }
    return first;
}

static void what_is_due_longest_comes_first(void **state)
{
    static const enum rcpt_state states[] = {RCPT_OPEN, RCPT_OPEN, RCPT_PARKED, RCPT_TAKEN};
    struct queue_entry *entries[ENTRIES];
    struct queue_index index = {0};
    uint64_t chance = 1;

    (void)state;
    for (size_t i = 0; i < ENTRIES; i++)
        entries[i] = entry_new(i + 1, 1 + (uint32_t)draw(&chance, RCPTS), 0);
    for (size_t step = check_row = 0; step < STEPS; check_row = ++step) {
        struct queue_entry *e = entries[draw(&chance, ENTRIES)];
        struct rcpt_entry *r = &entry_rcpts(e)[draw(&chance, e->rcpt_count)];
        uint64_t at;

        r->due_ms = draw(&chance, 1000);
        r->state = (uint8_t)states[draw(&chance, 4)];
        index_set(&index, e);
        check((e->place != 0) == (earliest(e) != UINT64_MAX));
        uint64_t first = first_of_all(entries);
        check(index_next_due(&index, &at) == (first != UINT64_MAX));
        if (first == UINT64_MAX || draw(&chance, 3) > 0)
            continue;
        check_int(at, first);
        check(first == 0 || index_take(&index, first - 1) == NULL);
        e = index_take(&index, first);
        check(e != NULL && e->due_ms == first && e->place == 0);
    }
    for (size_t i = 0; i < ENTRIES; i++)
        entry_free(entries[i]);
    index_done(&index);
}

static void an_entry_is_over_when_nobody_needs_it(void **state)
{
    struct queue_entry *e = entry_new(1, 2, 0);

    (void)state;
    entry_close_rcpt(e, 0);
    entry_close_rcpt(e, 0);
    entry_close_rcpt(e, 7);
    check_int(e->open, 1);
    entry_rcpts(e)[1].state = RCPT_TAKEN;
    entry_abandon(e); /* who has it keeps it */
    check_int(e->open, 1);
    entry_close_rcpt(e, 1);
    check(entry_is_over(e));
    e->parks = 1;
    check(!entry_is_over(e));
    e->parks = 0;
    e->unsynced = 1;
    check(!entry_is_over(e));
    e->unsynced = 0;
    e->claims = 1;
    check(!entry_is_over(e));
    entry_free(e);
}

enum { S = 1000, TEN_YEARS_S = 10 * 365 * 24 * 3600 };

/* What is left of a recipient after an hour, taken up by the next life on another clock. */
static struct queue_entry *next_life(int64_t wall_s, struct fake_clock *clock)
{
    struct queue_entry *e = entry_new(1, 1, 0), *again = entry_new(1, 1, 0);

    fake_clock_init(clock);
    entry_is_aged(e, 3600 * S, &clock->clock);
    entry_is_aged(e, 7, &clock->clock); /* it is known already */
    entry_rcpts(e)[0].attempts = 1;
    entry_rcpts(e)[0].due_ms = clock_monotonic_ms(&clock->clock) + 600 * S;
    struct rcpt_rest rest = rcpt_rest_of(e, 0, &clock->clock);
    entry_free(e);
    clock->now_us = 5000; /* the machine has started anew */
    clock->wall_now_us += (uint64_t)(wall_s * 1000000);
    rcpt_resume(again, 0, &rest, &clock->clock);
    return again;
}

static void an_age_goes_on_in_the_next_life(void **state)
{
    /* Away so long by the clock on the wall; aged so much; due in so long. */
    static const struct {
        int64_t away_s;
        uint64_t aged_s, due_s;
    } rows[] = {
        {0,                     3600,        600},
        {60,                    3660,        540},
        {86400,                 3600 + 3600, 0  },
        {-3600,                 3600,        600},
        {-(int64_t)TEN_YEARS_S, 3600,        600},
        {TEN_YEARS_S,           3600 + 3600, 0  },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct fake_clock clock;
        struct queue_entry *e = next_life(rows[i].away_s, &clock);
        uint64_t now_ms = clock_monotonic_ms(&clock.clock);

        check_int(entry_age_ms(e, now_ms) / S, rows[i].aged_s);
        check_int((entry_rcpts(e)[0].due_ms - now_ms) / S, rows[i].due_s);
        clock.wall_now_us += UINT64_C(1000000) * TEN_YEARS_S; /* says nothing any more */
        check_int(entry_age_ms(e, now_ms + 30 * S) / S, rows[i].aged_s + 30);
        entry_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_due_longest_comes_first),
        cmocka_unit_test(an_entry_is_over_when_nobody_needs_it),
        cmocka_unit_test(an_age_goes_on_in_the_next_life),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
