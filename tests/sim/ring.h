/*
 * ring.h - the other node of a loop: what it takes it brings back to where it came from.
 *
 * Each of the two counts the hops, and one of them puts an end to it: exactly one report must come
 * of that. When it is this node that is refused, the report is its own.
 */
#ifndef SIM_RING_H
#define SIM_RING_H

#include "loop/net.h"
#include "sim/intake.h"

struct ring;
struct loop;

struct ring_options {
    struct loop *loop;
    struct random *chance;
    const struct history *history;
    struct intake *intake;
    struct net_address back_to;
};

struct ring *ring_new(const struct ring_options *options);
void ring_free(struct ring *r);

/* Has this mail travelled too far for us? */
bool ring_refuses(struct ring *r, struct slice content);

void ring_take(struct ring *r, const struct transaction *mail);

/* In the end; NULL: all is well. */
const char *ring_complaint(const struct ring *r);

#endif
