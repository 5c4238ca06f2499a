/*
 * carry.h - the few messages that are left in an old segment are carried forward, so that its
 * file can go: disk use follows the mail that lives, not the mail that once came.
 *
 * A message is carried as one record in the courier's own journal (format.h RECORD_CARRIED); its
 * body file, if it has one, stays where it is. Only who rests is carried: every recipient was
 * tried and waits for its time.
 */
#ifndef QUEUE_CARRY_H
#define QUEUE_CARRY_H

#include "queue/arrivals.h"

enum {
    CARRY_SHARE = 4,                   /* a segment that is filled by less than 1/n is emptied */
    CARRY_IN_FLIGHT_MAX = 1024 * 1024, /* bytes written and not yet durable */
    CARRY_STEP_MAX = 256 * 1024,       /* bytes read and written in one round of the loop */
    CARRY_LOOK_MS = 1000,              /* how often to look for a segment */
};

struct carrier {
    struct arrivals *arrivals;
    struct list under_way; /* struct carrying */
    uint64_t in_flight;    /* bytes */
    uint64_t look_at_ms;
    size_t carried; /* messages, ever */
    unsigned still; /* how many want it to keep still */
    bool stopped;
};

void carrier_init(struct carrier *c, struct arrivals *arrivals);

/* After outcomes_close(): what was under way stays where it was. */
void carrier_done(struct carrier *c);

/* One small step, if there is anything to do; once per round of the loop. */
void carry_step(struct carrier *c, uint64_t now_ms);

/* Takes over what has become durable. After outcomes_next_durable() said NULL. */
void carry_collect(struct carrier *c, uint64_t now_ms);

/* From now on carry_step() does nothing. */
void carrier_stop(struct carrier *c);

#endif
