/*
 * wakes.h - deferred mail whose own server asks for it, by ETRN (RFC 1985).
 *
 * What was tried and waits for a later time goes now; what a person holds or pauses stays. Anybody
 * may ask, so asking is cheap for the courier: a domain is served once a minute, all that are asked
 * for share one walk through the queue, which goes on in small steps, and a destination that takes
 * nothing gets a few messages only.
 */
#ifndef ROLES_WAKES_H
#define ROLES_WAKES_H

#include "roles/outbound.h"

struct wakes;

struct wakes *wakes_new(struct role *role, struct queue *queue, struct outbound *outbound);
void wakes_free(struct wakes *all); /* NULL is fine */

/* The body of MESSAGE_ETRN. A receiver may say anything: only what the settings allow is done. */
void wakes_ask(struct wakes *all, struct slice body);

/* Once per round of the loop, before it sleeps. */
void wakes_pump(struct wakes *all);

#endif
