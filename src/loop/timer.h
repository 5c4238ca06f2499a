/*
 * timer.h - deadlines on the monotonic clock: a hierarchical wheel.
 *
 * Setting, changing and cancelling cost O(1), for a hundred thousand idle sessions. Resolution
 * is one millisecond; a timer never fires early.
 */
#ifndef LOOP_TIMER_H
#define LOOP_TIMER_H

#include "base/list.h"

#include <stdint.h>

struct loop;

struct timer {
    void (*due)(struct timer *t);
    struct list link;
    uint64_t at_ms;
};

/* An all-zero timer is not set and may be cancelled; it needs `due` before it is set. */
void timer_init(struct timer *t, void (*due)(struct timer *t));
void timer_set(struct loop *loop, struct timer *t, uint64_t in_ms); /* sets or moves it */
void timer_cancel(struct loop *loop, struct timer *t);              /* harmless when not set */
bool timer_is_set(const struct timer *t);

enum { TIMER_LEVELS = 4, TIMER_SLOTS = 256 };

struct timer_wheel {
    struct list slots[TIMER_LEVELS][TIMER_SLOTS];
    struct list due; /* set for now or earlier: called by the next advance */
    struct list far; /* beyond the last level, 49 days */
    uint64_t used[TIMER_LEVELS][TIMER_SLOTS / 64]; /* a bit for every slot that is not empty */
    uint64_t now_ms;
    size_t count;
};

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ms);
void timer_wheel_set(struct timer_wheel *w, struct timer *t, uint64_t at_ms);
void timer_wheel_cancel(struct timer_wheel *w, struct timer *t);

/* Advances to now and calls what is due, in order of time. A handler may set and cancel any
 * timer; one that it sets again and again for now does not keep this call from returning. The
 * cost depends on the timers passed, not on the length of the way. */
void timer_wheel_advance(struct timer_wheel *w, uint64_t now_ms);

/* A lower bound of the next deadline; false when no timer is set. */
bool timer_wheel_next(const struct timer_wheel *w, uint64_t *at_ms);

#endif
