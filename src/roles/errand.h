/*
 * errand.h - one request to a URL that our own settings name: its host is looked up, then
 * http/fetch asks.
 */
#ifndef ROLES_ERRAND_H
#define ROLES_ERRAND_H

#include "dns/lookup.h"
#include "http/fetch.h"
#include "mail/route.h"

/* Embedded in who waits; all zero but for what the owner sets, which is borrowed until done(). */
struct errand {
    /* Once for each start, never from inside of errand_start(). May start again, or free the owner.
     */
    void (*done)(struct errand *e);
    struct resolver *resolver; /* NULL: names cannot be looked up */
    struct fetcher *fetcher;
    struct loop *loop;
    struct slice url;         /* https */
    struct slice authorities; /* who vouches for the server, in PEM; "": whom this machine trusts */
    const struct slice *headers;
    size_t header_count;
    const struct slice *body;          /* of a POST; NULL: it is a GET */
    uint64_t chance;                   /* which of the host's addresses comes first */
    const struct fetch_answer *answer; /* inside of done() only */
    /* Its own. */
    struct arena arena;
    struct facts facts;
    struct lookup lookup;
    struct timer at_once;
    bool halted;
    struct slice fault;
    struct net_address addresses[FETCH_ADDRESSES_MAX];
    struct fetch_request request;
};

void errand_start(struct errand *e);

/* The resolver goes away: a look-up that is under way stops, until the next resolver is there. What
 * was sent goes on. */
void errand_halt(struct errand *e);
void errand_go_on(struct errand *e, struct resolver *resolver);

/* No done() follows. At any time after a start, and before the owner goes. */
void errand_cancel(struct errand *e);

#endif
