/*
 * relay_params.h - what the next server is told of a message's parameters, and what happens where
 * it lacks an extension: passed on, converted, told to the sender, or refused.
 *
 * RFC 6152, 3030, 6531, 3461 5.2, 2852, 6710 and 6758, 3865, 8689. Pure: asked at every attempt,
 * when the server has greeted. A refusal is this server's alone: another host of the destination
 * may offer what this one lacks, so that it is final only when none is left (RFC 8689 4.2.1).
 *
 * Not here: SIZE is the client's; a message that is held (RFC 4865) was held by our own queue.
 */
#ifndef MAIL_RELAY_PARAMS_H
#define MAIL_RELAY_PARAMS_H

#include "mail/envelope.h"
#include "wire/ehlo.h"
#include "wire/mime_survey.h"

/* As a reply of ours would say it. */
struct relay_refusal {
    unsigned code; /* 0: none */
    struct slice enhanced;
    struct slice text;
};

struct relay_question {
    const struct envelope *envelope;
    const unsigned *rcpts; /* of this transaction: indexes in the envelope */
    unsigned rcpt_count;
    const struct mime_facts *facts; /* of the content */
    const struct ehlo_offers *offers;
    bool verified;  /* TLS, the server has proved its name, and the name is the right one: RFC 8689
                       4.2.1 */
    uint64_t age_s; /* since it came, or was released */
};

/* ORCPT of at most 500 bytes, RFC 3461 4.2; all others have less. */
enum { RELAY_PARAMS_MAX = 1536 };

struct relay_rcpt {
    struct relay_refusal refusal; /* it cannot go this way; those that are not refused may */
    bool relayed;                 /* once the server has taken it, a "relayed" report is due */
    struct slice params;
};

struct relay_answer {
    bool convert; /* first, to this goal: */
    enum mime_goal goal;
    enum body_type body; /* then it is sent as */
    bool smtputf8;
    struct slice params;      /* of MAIL, as they are sent: " RET=HDRS ENVID=x" */
    struct slice header;      /* fields to stand in front of the message's own, or "" */
    struct relay_rcpt *rcpts; /* one for each of the question's */
};

/* Slices and rcpts live in the arena. */
void relay_params_answer(const struct relay_question *q, struct arena *arena,
                         struct relay_answer *out);

#endif
