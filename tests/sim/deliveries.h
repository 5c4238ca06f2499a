/*
 * deliveries.h - what the log says was delivered, and whether any of it twice.
 *
 * A mailbox cannot show everything: a second delivery of the same mail replaces the first one
 * unless a reader took that away. So each "sent" of the log counts, and a second one needs a
 * reason: a crash or an error while the first was in flight.
 */
#ifndef SIM_DELIVERIES_H
#define SIM_DELIVERIES_H

#include "base/slice.h"

#include <stdint.h>

enum { DELIVERIES_MAX = 2048, DELIVERY_ID_LEN = 12 };

struct delivered {
    char id[DELIVERY_ID_LEN];
    unsigned user;
    uint64_t at_us;
    bool in_flight; /* at a crash: it may come again, perhaps hours later */
};

struct deliveries {
    struct delivered all[DELIVERIES_MAX];
    unsigned count;
    uint64_t crash_us;    /* the last one; 0: none yet */
    uint64_t log_late_us; /* until then lines may be old */
    bool disk_errors;     /* what a courier had to note could not always be written */
    unsigned explained;
    unsigned twice;
    char first_twice[DELIVERY_ID_LEN + 1];
};

/* The text of a log line of "local". */
void deliveries_log(struct deliveries *d, struct slice text, uint64_t now_us);

/* The courier died, or the whole machine, and what happened since was in flight: nobody else's
 * death makes a delivery happen twice. */
void deliveries_crash(struct deliveries *d, uint64_t since_us, uint64_t now_us);

#endif
