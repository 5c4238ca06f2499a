/*
 * introspection.h - whose is this token? What a provider is asked, and what it answers. RFC 7662.
 *
 * Pure: texts to be sent, and what answers mean. config fills struct introspection and owns it as
 * long as the settings live.
 */
#ifndef MAIL_INTROSPECTION_H
#define MAIL_INTROSPECTION_H

#include "base/arena.h"
#include "base/buf.h"

enum { INTROSPECTION_USER_MAX = 512, INTROSPECTION_FORM_MAX = 40 * 1024 };

/* Which member of the answer names the account. */
enum introspection_claim { CLAIM_USERNAME, CLAIM_EMAIL };

/* What its answer must say. */
struct introspection_terms {
    enum introspection_claim claim;
    struct slice audience; /* whom the token is for; "": whomever */
};

struct introspection {
    struct slice url;    /* https */
    struct slice client; /* by which name the provider knows us */
    struct slice secret_path;
    struct buf secret; /* "" where it is withheld: only the vault has it */
    struct slice ca;   /* who vouches for the provider's server, in PEM; "": the system's */
    struct introspection_terms terms;
    struct introspection *next; /* of another listener */
};

/* False when out is full: then it is worthless. The header is one line without its end. */
bool introspection_write_form(struct buf *out, struct slice token);
bool introspection_write_header(struct buf *out, const struct introspection *i);

enum introspection_verdict {
    INTROSPECTION_ACTIVE,    /* it is `user`'s */
    INTROSPECTION_INACTIVE,  /* expired, revoked, never given, or nobody's who could have mail */
    INTROSPECTION_ELSEWHERE, /* it is good, and was not given for us */
    INTROSPECTION_GARBAGE,   /* that is no answer */
};

struct introspection_answer {
    enum introspection_verdict verdict;
    struct slice user;  /* as the provider writes it */
    uint64_t expires_s; /* since 1970; 0: it does not say */
};

/* The body that came with status 200. Slices lie in the arena. */
void introspection_read(struct slice body, const struct introspection_terms *terms,
                        struct arena *arena, struct introspection_answer *out);

#endif
