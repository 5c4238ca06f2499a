/*
 * question.h - does the next hop know this recipient? What a receiver asks the courier for a rule
 * with `users ask`, and the answer: the bodies of MESSAGE_ASK and MESSAGE_ASKED.
 */
#ifndef ROLES_QUESTION_H
#define ROLES_QUESTION_H

#include "base/buf.h"
#include "base/cursor.h"
#include "wire/address.h"

enum { ANSWER_TEXT_MAX = 400, QUESTION_MAX = 1024 };

struct question {
    uint64_t number; /* the receiver's, comes back with the answer */
    uint32_t rule;   /* its place among the rules */
    struct address rcpt;
};

enum answer_kind { ANSWER_KNOWN, ANSWER_UNKNOWN, ANSWER_LATER };

struct answer {
    uint64_t number;
    enum answer_kind kind;
    struct slice text; /* why, for people; may hold what a stranger said: escape it */
};

/* False when it does not fit; then out is unchanged. */
bool question_write(struct buf *out, const struct question *q);
bool answer_write(struct buf *out, const struct answer *a);

/* False when it is none. Texts of a question lie in the arena, of an answer in the message. */
bool question_read(struct cursor *c, struct arena *arena, struct question *out);
bool answer_read(struct cursor *c, struct answer *out);

#endif
