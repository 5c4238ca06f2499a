/*
 * outbound.h - mail for other servers, by SMTP and LMTP.
 *
 * Each destination (a domain by a relay, or an LMTP server) has a lane in which recipients wait,
 * and a route that is asked of DNS when it is needed (roles/destination). Those that lead to the
 * same servers share a window of connections (roles/mx_group, mail/schedule) that grows while all
 * goes well. So a server that is slow or dead costs its own mail time, and no other's.
 */
#ifndef ROLES_OUTBOUND_H
#define ROLES_OUTBOUND_H

#include "mail/rules.h"
#include "roles/bearers.h"
#include "roles/parcel.h"
#include "roles/pauses.h"

struct outbound;

/* `spool` is borrowed: conversions lie there. */
struct outbound *outbound_new(struct role *role, struct queue *queue, struct parcels *parcels,
                              struct pauses *pauses, struct bearers *bearers,
                              struct disk_dir *spool);

/* Connections end as they are. Before parcels_done(). NULL is fine. */
void outbound_free(struct outbound *all);

/* The role has other settings: all mail is routed anew, connections end when they are free. */
void outbound_reload(struct outbound *all);

/* A due recipient of a claimed message, decided as DECIDE_RELAY or DECIDE_LMTP: from now on it
 * waits in the lane of its destination. */
void outbound_take(struct outbound *all, struct queue_message *m, unsigned rcpt,
                   const struct decision *d);

/* Once per round of the loop, before it sleeps. */
void outbound_pump(struct outbound *all);

/* At since_ms another try was asked for mail of such a decision: its destination does not count as
 * down any more, unless it failed since. */
enum outlook {
    OUTLOOK_WELL,    /* its server took mail since then */
    OUTLOOK_UNKNOWN, /* it was not tried, or nothing is remembered of that */
    OUTLOOK_DOWN,
};

enum outlook outbound_hope_for(struct outbound *all, const struct decision *d, uint64_t id,
                               uint64_t since_ms);

/* How it stands with the destination of such a decision, for the message of that id. */
struct outbound_state {
    uint64_t down_for_ms; /* 0: it does not count as down */
    struct slice why;     /* it does; borrowed */
    unsigned connections;
    struct slice hosts; /* where it leads, in order; "": that is not known now; in the arena */
    struct slice alternatives; /* every host, and what became of it; borrowed */
};

struct outbound_state outbound_tell(const struct outbound *all, const struct decision *d,
                                    uint64_t id, struct arena *arena);

unsigned outbound_connections(const struct outbound *all);

/* No new mail is taken on; what is under way ends. */
void outbound_drain(struct outbound *all);
bool outbound_is_idle(const struct outbound *all);

#endif
