/*
 * introspector.h - the vault's questions whose a token is: who waits for an answer, and what is
 * remembered of the last ones.
 *
 * A provider that cannot be asked is no reason to call a token bad: the client is to come again.
 */
#ifndef ROLES_INTROSPECTOR_H
#define ROLES_INTROSPECTOR_H

#include "loop/loop.h"
#include "roles/fetching.h"

enum {
    INTROSPECTOR_PATIENCE_MS = 30 * 1000, /* less than a receiver has */
    INTROSPECTOR_WAITING_MAX = 100,
    INTROSPECTOR_KEEP_MS = 60 * 1000, /* a token that was revoked works so long at most */
};

enum token_verdict {
    TOKEN_IS_GOOD,  /* it is `text`'s */
    TOKEN_IS_BAD,   /* for the provider it is none, or `text` says why it is none for us */
    TOKEN_UNJUDGED, /* `text` says why, for the log */
};

struct token_judgement {
    enum token_verdict verdict;
    struct slice text;
};

struct introspector;

/* Embedded in who asks. */
struct token_question {
    struct list link;
    struct introspector *all; /* NULL: it waits for nothing */
    uint64_t number;
    const struct introspection *provider;
    struct buf token;
    struct timer patience;
    /* From inside introspector_ask() or later. May ask again, or free what embeds it. */
    void (*done)(struct token_question *q, const struct token_judgement *j);
};

struct introspector_options {
    struct loop *loop;
    struct clock *clock;
    uint64_t seed[2];
    /* False: the courier cannot be told now. */
    bool (*send)(void *ctx, const struct fetching *f);
    void *ctx;
};

struct introspector *introspector_new(const struct introspector_options *options);
void introspector_free(struct introspector *all); /* nobody waits; NULL is fine */

/* Is its answer at hand? Then it costs the provider nothing, and is no guess. */
bool introspector_knows(struct introspector *all, const struct introspection *provider,
                        struct slice token, struct slice *user);

/* `q` does not wait. `provider` is that of the listener of this address, and lives as long. */
void introspector_ask(struct introspector *all, struct token_question *q, struct slice listener,
                      const struct introspection *provider, struct slice token,
                      void (*done)(struct token_question *q, const struct token_judgement *j));
void token_question_cancel(struct token_question *q); /* harmless when it does not wait */

/* A FETCHING_INTROSPECTION that the courier answered. */
void introspector_answered(struct introspector *all, const struct fetched *f);

/* What was being fetched is lost. */
void introspector_courier_gone(struct introspector *all);

#endif
