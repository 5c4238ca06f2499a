/*
 * clock.h - the door to time.
 *
 * Timers and ages run on the monotonic clock. Wall time is for people: dates in headers, log
 * lines, file names; nothing expires by it. tests/fakes/clock.c is the other side of the door.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
    uint64_t (*monotonic_us)(struct clock *c); /* since some start, never steps back */
    uint64_t (*wall_us)(struct clock *c);      /* since 1970-01-01 UTC, may step */
    int (*utc_offset_min)(struct clock *c, uint64_t wall_us); /* local zone, east positive */
};

/* The machine's clock; one shared constant object without state. */
struct clock *clock_real(void);

static inline uint64_t clock_monotonic_us(struct clock *c)
{
    return c->monotonic_us(c);
}

static inline uint64_t clock_monotonic_ms(struct clock *c)
{
    return c->monotonic_us(c) / 1000;
}

static inline uint64_t clock_wall_us(struct clock *c)
{
    return c->wall_us(c);
}

#endif
