/*
 * clock.c - virtual time, starting at 2026-01-01 00:00 UTC.
 */
#include "fakes/clock.h"

static uint64_t monotonic(struct clock *c)
{
    return ((struct fake_clock *)(void *)c)->now_us;
}

static uint64_t wall(struct clock *c)
{
    return ((struct fake_clock *)(void *)c)->wall_now_us;
}

static int offset(struct clock *c, uint64_t wall_us)
{
    (void)c;
    (void)wall_us;
    return 0;
}

void fake_clock_init(struct fake_clock *f)
{
    *f = (struct fake_clock){
        {monotonic, wall, offset},
        1000000, 1767225600000000
    };
}

void fake_clock_advance(struct fake_clock *f, uint64_t us)
{
    f->now_us += us;
    f->wall_now_us += us;
}
