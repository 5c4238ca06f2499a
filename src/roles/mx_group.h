/*
 * mx_group.h - the servers that some domains share, and the connections to them.
 *
 * Domains whose mail leaves from the same address for the same list of hosts are one group: they
 * have one window of connections, one limit, one opinion about whether it is down, and a connection
 * that has carried the mail of one domain carries that of the next. Inside the group each domain
 * gets its turn.
 */
#ifndef ROLES_MX_GROUP_H
#define ROLES_MX_GROUP_H

#include "mail/limit.h"
#include "roles/trip.h"

struct outbound;
struct destination;

enum { MX_GROUP_TOLD_MAX = 300 };

struct mx_group {
    struct list link;  /* in outbound.groups */
    struct list ready; /* in outbound.ready_groups, or alone */
    struct outbound *all;
    const struct settings *settings; /* held: what `manner` and `limit` are of */
    struct slice key;                /* owned */
    struct trip_manner manner;
    bool retired; /* of settings that count no more: what is under way ends */
    char *path;   /* of an LMTP server in the file system, as the system wants it; or NULL */
    const struct limit *limit;
    struct window window;
    struct pace pace;
    uint64_t hoped_ms;   /* when it was last not to count as down any more */
    uint64_t well_ms;    /* when it last took or refused a message in a sane dialog */
    struct list members; /* destinations that lead here */
    struct list waiting; /* those of them with mail, the next one first */
    struct list trips;
    struct timer wake;            /* the pace allows the next one */
    char told[MX_GROUP_TOLD_MAX]; /* the hosts, and what became of each */
    char why[256];                /* it is down: what the last failure said */
    size_t why_len;
};

/* The group of a destination whose route is found, which becomes a member of it and leaves the one
 * it was in. */
void mx_group_join(struct destination *d);
void mx_group_leave(struct destination *d);

/* A member has mail. */
void mx_group_wait(struct destination *d);

/* Sends what it may. True: it could do more, but for the limit of all connections. */
bool mx_group_go_on(struct mx_group *g);

/* Freed, if it has neither members nor connections. */
void mx_group_rest(struct mx_group *g);

/* Is it down, and how long still? */
bool mx_group_is_down(const struct mx_group *g, uint64_t *until_ms);
struct slice mx_group_why(const struct mx_group *g);

/* Who forgets it earlier calls a dead server anew for each message, or sends the next one too
 * soon. 0: nothing is to be remembered. */
uint64_t mx_group_kept_until_ms(const struct mx_group *g);

/* Connections without work end. */
void mx_group_drain(struct mx_group *g);

/* The same, and nobody joins it any more. It has no members. */
void mx_group_retire(struct mx_group *g);

/* Without members; what is under way is postponed. */
void mx_group_free(struct mx_group *g);

#endif
