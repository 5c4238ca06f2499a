/*
 * tokens.h - the vault's access tokens for relays: kept in memory while they are good, then got
 * anew for the refresh token of a login (roles/grants).
 *
 * The courier posts the forms, since the vault has no network. Several wishes for one relay wait
 * for one answer of its provider.
 */
#ifndef ROLES_TOKENS_H
#define ROLES_TOKENS_H

#include "base/clock.h"
#include "base/disk.h"
#include "base/random.h"
#include "mail/relay.h"
#include "roles/token.h"

struct tokens;

struct tokens_calls {
    /* NULL: there is none of that name that wants tokens. */
    const struct relay *(*relay)(void *ctx, struct slice name);
    void (*answer)(void *ctx, const struct token_answer *a);
    /* Posts the form to the relay's provider; tokens_fetched() with the number follows, not from
     * inside this call. False: it cannot. */
    bool (*fetch)(void *ctx, uint64_t number, const struct relay *relay, struct slice form);
    void (*alarm)(void *ctx, struct slice text); /* a person has to do something */
};

struct tokens_options {
    const struct tokens_calls *calls;
    void *ctx;
    struct clock *clock;
    struct random *random;
    struct disk *disk;
    struct disk_dir *dir; /* where logins lie, taken over; NULL: in the queue, opened when needed */
    struct slice queue_path; /* copied, and so is */
    struct slice config;     /* the configuration's file, for what a person has to type */
};

struct tokens *tokens_new(const struct tokens_options *options);
void tokens_free(struct tokens *t); /* NULL is fine */

/* An answer follows, perhaps from inside this call. */
void tokens_wish(struct tokens *t, const struct token_wish *w);

void tokens_fetched(struct tokens *t, uint64_t number, const struct oauth_answer *answer);

/* The relays may be other ones now: nothing that was said before counts, logins stay. */
void tokens_reload(struct tokens *t);

/* Whoever waited is gone, and what was being fetched is lost. */
void tokens_courier_gone(struct tokens *t);

#endif
