/*
 * destination.h - a domain by a relay, or an LMTP server: the mail that waits for it, and the way
 * there.
 */
#ifndef ROLES_DESTINATION_H
#define ROLES_DESTINATION_H

#include "dns/lookup.h"
#include "mail/rules.h"
#include "roles/mx_group.h"

enum route_state { ROUTE_OLD, ROUTE_ASKED, ROUTE_DECIDED };

struct destination {
    struct list link;  /* in outbound.all */
    struct list ready; /* in outbound.ready, or alone */
    struct outbound *all;
    struct slice key; /* owned */
    struct trip_manner manner;
    struct address to;               /* whose domain is looked up; owned */
    const struct route_target *lmtp; /* NULL: a relay's */
    struct queue_lane lane;
    struct timer wake;
    struct mx_group *group; /* where it led when that was last known; NULL: not yet */
    struct list member;     /* of group */
    struct list waiting;    /* in group.waiting, or alone */
    struct list unasked;    /* in outbound.unasked, or alone */
    bool asking;            /* it counts in outbound.asking */
    /* The route, and what is known for it. */
    enum route_state state;
    enum route_outcome outcome;
    struct route route;
    struct facts facts;
    struct lookup lookup;
    struct arena arena;
    uint64_t chance;
    uint64_t good_until_ms;
    uint64_t hoped_ms; /* when another try was asked for */
};

/* How its connections are made. `id` of the message chooses among the sources. */
struct trip_manner destination_manner(struct outbound *all, const struct decision *decision,
                                      uint64_t id);

/* The way there, ask and rerun: mail/route.h. `lmtp` is NULL for a relay's. */
enum route_outcome destination_route(const struct outbound *all, const struct trip_manner *manner,
                                     const struct route_target *lmtp, const struct address *to,
                                     uint64_t chance, struct facts *facts, struct arena *arena,
                                     struct route *out);

/* The one for such a decision, new if need be. */
struct destination *destination_of(struct outbound *all, const struct decision *decision,
                                   uint64_t id);

/* NULL: there is none now. */
struct destination *destination_find(const struct outbound *all, const struct decision *decision,
                                     uint64_t id);

/* Its mail comes back when its time comes. */
void destination_free(struct destination *d);

/* Finds the way, waits for its turn in the group, or puts its mail off. */
void destination_go_on(struct destination *d);

/* Freed, if there is nothing to do and nothing to remember. */
void destination_rest(struct destination *d);

/* Is it certain which servers are its own? They are named by the configuration, or DNSSEC proves
 * it. RFC 8689 4.2.1. */
bool destination_is_proved(const struct destination *d);

/* May its mail go by the route that it has? */
bool destination_is_routed(const struct destination *d);

#endif
