/*
 * fetches.h - the courier's errands for the vault: a provider of tokens is asked, its answer read.
 */
#ifndef ROLES_FETCHES_H
#define ROLES_FETCHES_H

#include "ipc/channel.h"
#include "roles/fetching.h"
#include "roles/outbound.h"

struct fetches;

/* `vault` is borrowed, and may be closed. */
struct fetches *fetches_new(struct outbound *outbound, struct channel *vault);
void fetches_free(struct fetches *all); /* before the outbound; NULL is fine */

/* The body of a MESSAGE_FETCH. An answer follows, not from inside this call; one that makes no
 * sense has none. */
void fetches_take(struct fetches *all, struct slice body);

/* Around a change of the settings: the resolver may be another one then. */
void fetches_halt(struct fetches *all);
void fetches_go_on(struct fetches *all);

/* The vault is gone: nobody waits. */
void fetches_forget(struct fetches *all);

#endif
