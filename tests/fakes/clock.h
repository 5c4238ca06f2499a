/*
 * clock.h - a clock that moves only when told.
 */
#ifndef FAKES_CLOCK_H
#define FAKES_CLOCK_H

#include "base/clock.h"

struct fake_clock {
    struct clock clock;
    uint64_t now_us;      /* monotonic */
    uint64_t wall_now_us; /* may be set to anything */
};

void fake_clock_init(struct fake_clock *f);
void fake_clock_advance(struct fake_clock *f, uint64_t us); /* both clocks */

#endif
