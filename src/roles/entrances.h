/*
 * entrances.h - the listeners of a receiver under one set of settings, and what they offer.
 *
 * When the settings change there is a new set of entrances; the old one listens no more, and goes
 * when the last session that came in by it is over.
 */
#ifndef ROLES_ENTRANCES_H
#define ROLES_ENTRANCES_H

#include "roles/session.h"
#include "roles/vestibule.h"

/* What all sets of a receiver share; embedded in it. Zeroed but for the sessions and their
 * vestibule.
 */
struct entrances_common {
    struct sessions *sessions;
    struct vestibule vestibule;
    struct tls_ticket_keys ticket_keys;
    struct bad_addresses *faults; /* NULL: no listener has them yet */
};

struct entrances {
    struct list link; /* the owner's */
    struct entrances_common *common;
    const struct settings *settings; /* held */
    struct resolver *resolver;       /* for `dnsbl` */
    struct entrance *of;             /* one for each listener of the settings */
};

/* For the settings that the role has now. */
struct entrances *entrances_new(struct role *role, struct entrances_common *common);

/* The handle of the listening socket of that number becomes its own. 0 or a negative errno, told.
 */
int entrances_listen(struct entrances *e, uint32_t number, int handle);

/* What a listener that takes mail of this machine's programs offers; NULL: that number is none. */
struct session_offer *entrances_local(struct entrances *e, uint32_t number);

/* No new sessions. */
void entrances_close(struct entrances *e);

/* Other receivers accept; this one accepts again; a look at who is left waiting meanwhile (as
 * listener_look()). */
void entrances_pause(struct entrances *e);
void entrances_resume(struct entrances *e);
void entrances_look(struct entrances *e);

/* Has it sessions? */
bool entrances_are_used(const struct entrances *e);

/* The accounts of the settings have changed: what is offered follows. */
void entrances_follow_accounts(struct entrances *e);

/* Without sessions. NULL is fine. */
void entrances_free(struct entrances *e);

#endif
