/*
 * vestibule.h - where a proxy says for whom it comes, before there is a session (`proxy-from`).
 *
 * Who connects from one of these networks begins with a PROXY header (wire/proxy_header), within
 * five seconds and before TLS; then the client that it names comes in. Nobody else is let in here:
 * the protocol forbids to guess whether there is a header.
 */
#ifndef ROLES_VESTIBULE_H
#define ROLES_VESTIBULE_H

#include "roles/session.h"

/* Embedded in its owner, zeroed but for the sessions. */
struct vestibule {
    struct sessions *sessions;
    struct list waiting;
    size_t count;
};

void vestibule_init(struct vestibule *v, struct sessions *sessions);

/* Takes over the connection, to an offer with proxies; the offer counts it as a session. */
void vestibule_enter(struct vestibule *v, struct session_offer *offer, int handle,
                     const struct net_address *peer);

/* Who waits is sent away: the proxy tries elsewhere, or again. */
void vestibule_clear(struct vestibule *v);

#endif
