/*
 * heard.h - what a server answered, kept whole: for who examines the server and not the mail.
 *
 * A client engine that is given one (client_settings.heard) writes every reply into it. Texts are
 * as smtp_reply.h reads them: lines joined by '\n', controls already "?"; escape them all the same
 * on the way to a terminal. Bounded: HEARD_MAX replies, each with at most what the engine reads of
 * one.
 */
#ifndef SMTP_HEARD_H
#define SMTP_HEARD_H

#include "base/arena.h"
#include "smtp/client.h"
#include "wire/smtp_reply.h"

enum { HEARD_MAX = 16, HEARD_LINE_MAX = 200 };

struct heard_reply {
    enum step step; /* what it answers */
    bool secured;   /* said behind STARTTLS */
    bool cut;       /* it was longer */
    unsigned code;
    struct slice text; /* enhanced code included */
};

struct heard {
    struct arena arena;
    struct heard_reply replies[HEARD_MAX];
    unsigned count;
    char line[HEARD_LINE_MAX]; /* the last line, reply or nonsense, raw; cut */
    size_t line_len;
};

void heard_init(struct heard *h);
void heard_done(struct heard *h);

/* For the engine. */
void heard_line(struct heard *h, struct slice line);
void heard_reply(struct heard *h, enum step step, bool secured, const struct reply_reader *reply);

/* The first answer to such a step; NULL: there was none. */
const struct heard_reply *heard_find(const struct heard *h, enum step step, bool secured);

struct slice heard_last_line(const struct heard *h);

#endif
