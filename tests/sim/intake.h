/*
 * intake.h - what came to the servers of others, held against what was sent.
 */
#ifndef SIM_INTAKE_H
#define SIM_INTAKE_H

#include "sim/attempts.h"
#include "sim/history.h"
#include "sim/ledger.h"

struct intake {
    struct ledger *ledger;
    struct attempts *attempts;
    const struct fake_clock *clock;
    const struct history *history;
    unsigned explained, twice, torn, strangers;
    unsigned unwilled; /* a person had said no */
};

/* One mail as a server got it. */
struct transaction {
    char sender[64];
    char rcpts[SENT_RCPTS_MAX][64];
    unsigned rcpt_count;
    char refused[2 * SENT_RCPTS_MAX][64];
    unsigned refused_count;
    struct buf content;
    uint64_t taken_us; /* 0: it was not */
};

/* A RCPT was heard: somebody tried. */
void intake_tried(struct intake *in, const struct transaction *t, const char *rcpt);

/* This server has it now. answered: and says so. */
void intake_take(struct intake *in, struct transaction *t, bool answered);

/* It said so, and the connection broke. */
void intake_unheard(struct intake *in, const struct transaction *t);

/* A 5yz to one recipient; and that its answer was perhaps acted upon only now, when the whole mail
 * came to an end. */
void intake_refused(struct intake *in, struct transaction *t, const char *rcpt);
void intake_refusals_end(struct intake *in, const struct transaction *t);

#endif
