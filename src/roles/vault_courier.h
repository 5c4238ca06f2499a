/*
 * vault_courier.h - the vault's end towards the courier: tokens for relays that the courier wishes
 * for, and providers that it asks for the vault; among them whose the tokens are that people log in
 * with.
 */
#ifndef ROLES_VAULT_COURIER_H
#define ROLES_VAULT_COURIER_H

#include "roles/introspector.h"
#include "roles/role.h"
#include "roles/tokens.h"

struct vault_courier {
    struct role *role;
    struct channel channel;
    struct tokens *tokens;
    struct introspector *introspector;
};

void vault_courier_init(struct vault_courier *c, struct role *role);
void vault_courier_start(struct vault_courier *c); /* the settings are there */
void vault_courier_reload(struct vault_courier *c);
void vault_courier_meet(struct vault_courier *c, int handle);
void vault_courier_done(struct vault_courier *c);

/* False: the courier is away, or hears too much at once. */
bool vault_courier_fetch(struct vault_courier *c, const struct fetching *f);

#endif
