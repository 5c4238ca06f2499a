/*
 * history.h - what happened in a seed, for a person to read: time, who, what.
 */
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include "fakes/clock.h"

#include <stdio.h>

struct history {
    FILE *out; /* NULL: nobody reads it */
    const struct fake_clock *clock;
};

void history_note(const struct history *h, const char *who, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
