/*
 * attempts.h - what the log says of attempts, held against the ledger.
 *
 * From here come two promises that mailboxes cannot show. Nobody starves: an acknowledged mail is
 * tried within a minute, whatever other destinations do, while nothing is broken that it needs. And
 * a sender who is to hear of a delay does: an attempt that fails late is followed by a report.
 */
#ifndef SIM_ATTEMPTS_H
#define SIM_ATTEMPTS_H

#include "base/slice.h"
#include "sim/history.h"
#include "sim/ledger.h"

/* What a disturbance keeps from being tried in time. */
enum disturbance {
    DISTURBS_ALL,
    DISTURBS_MAILBOXES,
    DISTURBS_LOG, /* attempts are noticed late: not that they are late */
    DISTURBANCES,
};

enum { UNKNOWN_MAX = 64 };

struct attempts {
    struct ledger *ledger;
    const struct history *history;
    uint64_t disturbed_us[DISTURBANCES];   /* until when */
    uint64_t healthy_us[SENT_SERVERS + 1]; /* a server's, since when; UINT64_MAX: it is not */

    struct {
        char id[16];
        char rcpt[64];
        uint64_t at_us;
    } unknown[UNKNOWN_MAX]; /* of messages whose acknowledgement has not come: the last ones */

    unsigned next_unknown;
    unsigned starved;
    unsigned early;                   /* before the sender's time */
    unsigned warnings;                /* of delays, that were owed */
    uint32_t warning_s[SENT_DOMAINS]; /* the age at which the sender is told */
};

/* The tag and text of a log line. */
void attempts_log(struct attempts *a, struct slice tag, struct slice text, uint64_t now_us);

/* This recipient was tried; harmless when it was before. */
void attempts_tried(struct attempts *a, const struct sent *s, struct sent_rcpt *r, uint64_t now_us);

/* The client has read the 250. */
void attempts_acked(struct attempts *a, struct sent *s);

void attempts_disturbed(struct attempts *a, enum disturbance what, uint64_t until_us);

#endif
