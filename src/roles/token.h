/*
 * token.h - access tokens for relays, between the courier, which needs them, and the vault, which
 * gets them: the bodies of MESSAGE_TOKEN and MESSAGE_TOKEN_ANSWER.
 *
 * Both have the same settings, but for the moment of a reload. So a wish says whose tokens the
 * relay takes: one for another provider must not come to its server.
 */
#ifndef ROLES_TOKEN_H
#define ROLES_TOKEN_H

#include "base/buf.h"
#include "base/cursor.h"
#include "mail/oauth.h"

enum { TOKEN_BODY_MAX = OAUTH_TOKEN_MAX + 4096, TOKEN_TEXT_MAX = 512 };

struct token_wish {
    uint64_t number; /* the courier's, of the wish */
    struct slice relay;
    struct slice provider, client,
        user;         /* of the relay: `token` and `client` of its struct oauth */
    uint64_t refused; /* the serial of one that the server did not take; 0: none */
};

enum token_result {
    TOKEN_GIVEN,        /* `text` is the token */
    TOKEN_LOGIN_NEEDED, /* a person must log in: `text` says why, and what to type */
    TOKEN_WRONG,        /* the configuration is: `text` says what */
    TOKEN_LATER,        /* it cannot be had now: `text` says why */
};

struct token_answer {
    uint64_t number;
    enum token_result result;
    uint64_t serial; /* of the token */
    struct slice text;
};

/* False when it does not fit; then out is unchanged. */
bool token_wish_write(struct buf *out, const struct token_wish *w);
bool token_answer_write(struct buf *out, const struct token_answer *a);

/* Slices point into the message. False when it is none. */
bool token_wish_read(struct cursor *c, struct token_wish *out);
bool token_answer_read(struct cursor *c, struct token_answer *out);

#endif
