/*
 * fetching.h - what the vault wants to be told by a provider of tokens, and what the courier found
 * out: the bodies of MESSAGE_FETCH and MESSAGE_FETCHED.
 *
 * The vault has the secrets and no network. The courier has no secrets but those that it sends, and
 * fetches nothing but what the settings name: the vault says whose URL, and which one it takes it
 * to be. Where that differs, one of them has the settings of before a reload, and what is meant for
 * one provider must not come to another. The courier reads what strangers answer, and hands over
 * fields.
 */
#ifndef ROLES_FETCHING_H
#define ROLES_FETCHING_H

#include "base/cursor.h"
#include "mail/introspection.h"
#include "mail/oauth.h"

enum {
    FETCHING_HEADER_MAX = 4096,
    FETCHING_NAME_MAX = 512,
    FETCHING_BODY_MAX = OAUTH_FORM_MAX + FETCHING_HEADER_MAX + OAUTH_URL_MAX + 2048,
    FETCHED_TEXT_MAX = 512,
    FETCHED_BODY_MAX = 2 * OAUTH_TOKEN_MAX + 4096,
};

enum fetching_kind {
    FETCHING_INTROSPECTION, /* whose is a token? asked by a listener */
    FETCHING_REFRESH,       /* a new token for a relay */
};

struct fetching {
    uint64_t number; /* the vault's, comes back with the answer */
    enum fetching_kind kind;
    struct slice listener;            /* FETCHING_INTROSPECTION: its address in the settings */
    struct slice relay;               /* FETCHING_REFRESH: its name */
    struct slice url;                 /* that it has in the settings */
    struct introspection_terms terms; /* FETCHING_INTROSPECTION */
    struct slice header;              /* one of the request's: "Authorization: ..."; "": none */
    struct slice form;                /* the request's body */
};

struct fetched {
    uint64_t number;
    enum fetching_kind kind;
    unsigned status;                   /* of HTTP; 0: there was no answer */
    struct slice why;                  /* status 0, for people */
    struct introspection_answer whose; /* FETCHING_INTROSPECTION */
    struct oauth_answer token;         /* FETCHING_REFRESH; its status is that above */
};

/* False when it does not fit; then out is unchanged. */
bool fetching_write(struct buf *out, const struct fetching *f);
bool fetched_write(struct buf *out, const struct fetched *f);

/* Slices point into the message. False when it is none. */
bool fetching_read(struct cursor *c, struct fetching *out);
bool fetched_read(struct cursor *c, struct fetched *out);

#endif
