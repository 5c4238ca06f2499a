/*
 * grant.h - what came of a login at a provider of tokens, as it lies on the disk: one line, a form
 * (wire/form.h).
 */
#ifndef MAIL_GRANT_H
#define MAIL_GRANT_H

#include "mail/oauth.h"

enum { GRANT_TEXT_MAX = OAUTH_FORM_MAX };

struct grant {
    struct slice login;         /* which one, by chance; stays when the token is renewed */
    struct slice token, client; /* of struct oauth: nobody else is shown the token */
    struct slice user;          /* who logged in, or should have */
    struct slice refresh_token;
    struct slice made; /* by the clock on the wall, for people: "2026-11-28T07:00:00Z" */
};

/* Appends. False when out is full. */
bool grant_write(struct buf *out, const struct grant *g);

/* Slices lie in the arena. False: something is missing, or cannot be. */
bool grant_read(struct slice text, struct arena *arena, struct grant *out);

/* Was it given to this client, by this provider, for this user? */
bool grant_is_for(const struct grant *g, const struct oauth *o, struct slice user);

#endif
