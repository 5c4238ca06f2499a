/*
 * pass.h - what a relay's server is shown to know us: its user's password, or a token that the
 * vault gives.
 */
#ifndef ROLES_PASS_H
#define ROLES_PASS_H

#include "mail/relay.h"
#include "roles/bearers.h"
#include "roles/remote.h"

/* Embedded in who owns the remote; zeroed at first. */
struct pass {
    struct bearer bearer;
    const struct relay *relay;
    struct remote *remote;
    uint64_t shown;   /* the serial of the last token; 0: none was */
    uint64_t refused; /* of the one that the server did not take before */
};

/* Answers remote_owner.log_in, now or later. */
void pass_show(struct pass *p, struct bearers *bearers, const struct relay *relay,
               struct remote *r);

/* The call came to this. True: the token may have ended before its time; call again, and another
 * one will be shown. Once. */
bool pass_again(struct pass *p, const struct client_outcome *o);

/* Did the server see a token? Else the vault has told why not. */
bool pass_was_token(const struct pass *p);

void pass_drop(struct pass *p); /* before the remote is closed */

#endif
