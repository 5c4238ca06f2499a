/*
 * people.h - people at the queue: callers of courier.sock, with good and bad manners.
 *
 * What the courier says is done must stay done, through crashes: a held message is not sent, a
 * deleted one never is.
 */
#ifndef SIM_PEOPLE_H
#define SIM_PEOPLE_H

#include "fakes/net.h"
#include "sim/history.h"
#include "sim/ledger.h"

struct people;

struct people_options {
    struct fake_clock *clock;
    struct fake_network *network;
    struct random *chance;
    const struct history *history;
    struct ledger *ledger;
};

struct people *people_new(const struct people_options *options);
void people_free(struct people *p);

/* Somebody calls, with something in mind that is drawn by chance. */
void people_call(struct people *p);

/* From now on somebody sees to it that nothing is held any more. */
void people_calm(struct people *p);

/* Messages of which somebody was told that they are held or gone. */
unsigned people_told(const struct people *p);

unsigned people_waiting(const struct people *p);

/* As machine.h's. */
bool people_step(struct people *p);
bool people_next_us(const struct people *p, uint64_t *at_us);

/* What was said or done that should not be; NULL: nothing. */
const char *people_complaint(const struct people *p);

#endif
