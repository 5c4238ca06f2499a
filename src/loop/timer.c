/*
 * timer.c - a hierarchical timer wheel.
 *
 * A deadline is a number of four low bytes and a rest. A timer lies on the level of the highest
 * byte in which its deadline differs from now, in the slot named by that byte of the deadline;
 * where the rest differs, on the far list. So level 0 holds the next 256 ms at most, exactly; and
 * everything on a level is due before anything on the next. As now passes, a timer keeps its place
 * until now enters its slot; then it moves to a lower level. From this follow:
 *  - the place is a function of (now, deadline), so cancelling finds and clears the slot's bit;
 *  - the first used slot of the lowest used level bounds the next deadline from below, and
 *    advancing jumps from one such slot to the next: hours without a timer cost nothing.
 */
#include "loop/timer.h"

#include <assert.h>

enum { SLOT_BITS = 8, WHEEL_BITS = SLOT_BITS * TIMER_LEVELS };

static unsigned slot_of(uint64_t at_ms, unsigned level)
{
    return (unsigned)(at_ms >> (level * SLOT_BITS)) % TIMER_SLOTS;
}

/* The level where a deadline later than now lies; TIMER_LEVELS: on the far list. */
static unsigned level_of(uint64_t now_ms, uint64_t at_ms)
{
    unsigned highest_bit = 63 - (unsigned)__builtin_clzll(now_ms ^ at_ms);

    return highest_bit < WHEEL_BITS ? highest_bit / SLOT_BITS : TIMER_LEVELS;
}

static void slot_mark(struct timer_wheel *w, unsigned level, unsigned slot)
{
    uint64_t bit = UINT64_C(1) << slot % 64;

    if (list_empty(&w->slots[level][slot]))
        w->used[level][slot / 64] &= ~bit;
    else
        w->used[level][slot / 64] |= bit;
}

static void wheel_put(struct timer_wheel *w, struct timer *t)
{
    if (t->at_ms <= w->now_ms) {
        list_append(&w->due, &t->link);
        return;
    }
    unsigned level = level_of(w->now_ms, t->at_ms);
    if (level == TIMER_LEVELS) {
        list_append(&w->far, &t->link);
        return;
    }
    unsigned slot = slot_of(t->at_ms, level);
    list_append(&w->slots[level][slot], &t->link);
    slot_mark(w, level, slot);
}

void timer_init(struct timer *t, void (*due)(struct timer *t))
{
    *t = (struct timer){.due = due};
    list_init(&t->link);
}

bool timer_is_set(const struct timer *t)
{
    return t->link.next != NULL && !list_empty(&t->link);
}

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ms)
{
    *w = (struct timer_wheel){.now_ms = now_ms};
    list_init(&w->due);
    list_init(&w->far);
    for (unsigned level = 0; level < TIMER_LEVELS; level++)
        for (unsigned slot = 0; slot < TIMER_SLOTS; slot++)
            list_init(&w->slots[level][slot]);
}

void timer_wheel_cancel(struct timer_wheel *w, struct timer *t)
{
    if (!timer_is_set(t))
        return;
    list_remove(&t->link);
    w->count--;
    if (t->at_ms <= w->now_ms)
        return;
    unsigned level = level_of(w->now_ms, t->at_ms);
    if (level < TIMER_LEVELS)
        slot_mark(w, level, slot_of(t->at_ms, level));
}

void timer_wheel_set(struct timer_wheel *w, struct timer *t, uint64_t at_ms)
{
    assert(t->due != NULL);
    timer_wheel_cancel(w, t);
    t->at_ms = at_ms;
    w->count++;
    wheel_put(w, t);
}

/* The first used slot of a level. */
static bool level_first(const struct timer_wheel *w, unsigned level, unsigned *slot)
{
    for (unsigned i = 0; i < TIMER_SLOTS / 64; i++) {
        if (w->used[level][i] != 0) {
            *slot = i * 64 + (unsigned)__builtin_ctzll(w->used[level][i]);
            return true;
        }
    }
    return false;
}

/* When now must enter the next slot, or look at the far list. */
static bool slots_next(const struct timer_wheel *w, uint64_t *at_ms)
{
    unsigned slot;

    for (unsigned level = 0; level < TIMER_LEVELS; level++) {
        if (level_first(w, level, &slot)) {
            unsigned shift = level * SLOT_BITS;
            uint64_t above = w->now_ms >> (shift + SLOT_BITS) << SLOT_BITS;
            *at_ms = (above | slot) << shift;
            return true;
        }
    }
    if (list_empty(&w->far))
        return false;
    *at_ms = ((w->now_ms >> WHEEL_BITS) + 1) << WHEEL_BITS;
    return true;
}

bool timer_wheel_next(const struct timer_wheel *w, uint64_t *at_ms)
{
    if (list_empty(&w->due))
        return slots_next(w, at_ms);
    *at_ms = w->now_ms;
    return true;
}

/* Places everything of a list anew, as seen from the present now. */
static void wheel_replace(struct timer_wheel *w, struct list *from)
{
    struct list moving;

    list_init(&moving);
    list_splice(&moving, from);
    while (!list_empty(&moving)) {
        struct timer *t = LIST_ENTRY(moving.next, struct timer, link);
        list_remove(&t->link);
        wheel_put(w, t);
    }
}

/* now has reached the lower bound of a slot (or of the far list): its timers move down. */
static void wheel_enter(struct timer_wheel *w, uint64_t at_ms)
{
    unsigned level = level_of(w->now_ms, at_ms);
    unsigned slot = slot_of(at_ms, level);

    w->now_ms = at_ms;
    if (level == TIMER_LEVELS) {
        wheel_replace(w, &w->far);
        return;
    }
    wheel_replace(w, &w->slots[level][slot]);
    slot_mark(w, level, slot);
}

static void wheel_call_due(struct timer_wheel *w)
{
    struct list calling;

    list_init(&calling);
    list_splice(&calling, &w->due);
    while (!list_empty(&calling)) {
        struct timer *t = LIST_ENTRY(calling.next, struct timer, link);
        list_remove(&t->link);
        w->count--;
        t->due(t);
    }
}

void timer_wheel_advance(struct timer_wheel *w, uint64_t now_ms)
{
    uint64_t at_ms;

    wheel_call_due(w);
    while (slots_next(w, &at_ms) && at_ms <= now_ms) {
        wheel_enter(w, at_ms);
        wheel_call_due(w);
    }
    if (now_ms > w->now_ms)
        w->now_ms = now_ms;
}
