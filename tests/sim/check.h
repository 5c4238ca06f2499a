/*
 * check.h - compares the ledger with the mailboxes and the spool, when all is quiet.
 */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "base/disk.h"
#include "sim/history.h"
#include "sim/ledger.h"

struct verdict {
    unsigned messages;
    unsigned acked;
    unsigned lost;        /* acknowledged, and not in a mailbox where it belongs */
    unsigned torn;        /* in a mailbox, and not as it was sent */
    unsigned strangers;   /* in a mailbox, and nobody sent it whole to there */
    unsigned twice;       /* without a reason */
    unsigned explained;   /* twice, and a crash or a reader is the reason */
    unsigned left;        /* files that nothing needs any more */
    unsigned early;       /* tried before the time that its sender named */
    unsigned starved;     /* acknowledged, and not tried in time although it could be */
    unsigned misreported; /* a report is missing, or nobody wanted it, or it contradicts */
    const char *other;    /* another broken promise, or NULL */
    unsigned culprit;     /* the first message that one of these is about */
    bool has_culprit;
};

bool verdict_is_good(const struct verdict *v);

/* What the users find, and what the senders were told. */
void check_mailboxes(struct disk *disk, struct ledger *ledger, const struct history *history,
                     struct verdict *v);

/* Of a machine that was drained. */
void check_spool(struct disk *disk, unsigned receivers, const struct history *history,
                 struct verdict *v);

#endif
