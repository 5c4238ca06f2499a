/*
 * lookup.h - fetches what facts want: the other half of ask and rerun.
 */
#ifndef DNS_LOOKUP_H
#define DNS_LOOKUP_H

#include "dns/resolver.h"
#include "wire/facts.h"

/* Embedded in its owner, all zero but for `done`; the facts and the resolver are borrowed. */
struct lookup {
    /* Everything that was wanted is known: run again. May start the next round, or free the
     * owner. */
    void (*done)(struct lookup *l);
    struct resolver *resolver;
    struct facts *facts;
    struct list requests; /* those that run */
    size_t running;
};

/* Asks for all that the facts want, at least one question. done() follows, never from in here. */
void lookup_start(struct lookup *l, struct resolver *resolver, struct facts *facts);

/* No done() follows. Harmless when nothing runs. */
void lookup_cancel(struct lookup *l);

#endif
