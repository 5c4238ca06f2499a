/*
 * outbound_internal.h - what destinations and groups share; for the files of roles/outbound only.
 */
#ifndef ROLES_OUTBOUND_INTERNAL_H
#define ROLES_OUTBOUND_INTERNAL_H

#include "base/map.h"
#include "roles/destination.h"
#include "roles/outbound.h"
#include "roles/role.h"

enum {
    OUTBOUND_TRIPS_MAX = 500,        /* connections at a time */
    OUTBOUND_STEP_MAX = 100,         /* messages of one destination in one round */
    OUTBOUND_ASKING_MAX = 500,       /* destinations whose route DNS is asked for at a time */
    OUTBOUND_REMEMBERED_MAX = 10000, /* destinations, while some of them only have failed lately */
};

struct outbound {
    struct role *role;
    const struct settings *settings; /* held; what was begun under them ends under them */
    struct queue *queue;
    struct parcels *parcels;
    struct pauses *pauses;
    struct bearers *bearers;
    struct disk_dir *spool;
    struct resolver *resolver;              /* NULL: not asked for yet, or cannot be had */
    struct tls_context *tls, *verified_tls; /* the second when a relay wants it */
    struct route_ip *own_ips;               /* where the world finds us */
    size_t own_ip_count;
    struct map by_key;
    struct list all;
    unsigned count;      /* in `all` */
    struct list ready;   /* destinations with something to do */
    unsigned asking;     /* destinations that wait for DNS ... */
    struct list unasked; /* ... and those that wait for their turn to ask it */
    struct map groups_by_key;
    struct list groups;
    struct list ready_groups;
    struct list fed; /* got a connection in this round: behind those who wait for one */
    uint32_t lanes;  /* numbers given away */
    unsigned trips;
    bool pumping, pumping_groups;
    bool again; /* while it pumped, somebody got something to do */
    bool draining;
};

uint64_t outbound_now_ms(const struct outbound *all);

/* In this round of the loop, or, where that has gone by, in the next. */
void outbound_ready(struct outbound *all, struct destination *d);
void outbound_ready_later(struct outbound *all, struct destination *d); /* whenever there is one */
void outbound_ready_group(struct outbound *all, struct mx_group *g);

/* Does somebody else wait for a connection, of which there may be no more? */
bool outbound_is_crowded(const struct outbound *all);

/* Owned; ends with a NUL. */
struct slice outbound_copy(struct slice text);

/* NULL: it cannot be had. */
struct resolver *outbound_resolver(struct outbound *all);

/* How connections of this relay do TLS; lives as long as `all`. */
struct tls_context *outbound_tls(struct outbound *all, const struct relay *relay);

#endif
