/*
 * leavers.h - programs of the machine that leave mail in the drop folder while nobody listens.
 *
 * What drop_put() has said 0 to is acknowledged, as a 250 is. A program may be killed, or the power
 * may go, at any of its calls to the disk: then perhaps it is left. Each mail is left once at most.
 */
#ifndef SIM_LEAVERS_H
#define SIM_LEAVERS_H

#include "fakes/clock.h"
#include "fakes/disk.h"
#include "sim/history.h"
#include "sim/ledger.h"

struct leavers;
struct verdict;

struct leavers_options {
    struct fake_clock *clock;
    struct fake_disk *disk;
    struct random *chance;
    const struct history *history;
    struct ledger *ledger;
    const char *folder;
};

struct leavers *leavers_new(const struct leavers_options *options);
void leavers_free(struct leavers *l);

/* A program writes a mail, or something that is none. */
void leavers_write(struct leavers *l);

/* One that nobody took, or of which no 250 was heard. */
void leavers_leave(struct leavers *l, struct sent *s);

/* From now on none is killed. */
void leavers_calm(struct leavers *l);

/* The power went in the midst of it; once. */
bool leavers_lost_power(struct leavers *l);

/* When all is done: nothing but what is set aside on purpose. */
void leavers_check(struct leavers *l, struct verdict *v);

#endif
