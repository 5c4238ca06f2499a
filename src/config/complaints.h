/*
 * complaints.h - errors and warnings about a text, each with line, column and caret.
 *
 *     FILE:7:48: error: no table named 'account'
 *        7 | listen submission  *:465  { tls implicit; auth account; max-size 50M }
 *          |                                                ^~~~~~~   did you mean 'accounts'?
 *
 * Gathered in any order, written in the order of the text. Columns count characters, from 1.
 */
#ifndef CONFIG_COMPLAINTS_H
#define CONFIG_COMPLAINTS_H

#include "base/arena.h"
#include "base/buf.h"

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

struct place {
    unsigned line; /* from 1; 0: the text as a whole */
    unsigned column;
    unsigned width; /* characters under the caret line */
};

enum { COMPLAINTS_SHOWN_MAX = 100 };

struct complaint;

struct complaints {
    struct arena *arena;
    struct complaint *first; /* sorted by place */
    unsigned errors, warnings, kept;
};

/* The hint says what to do; empty: none. Both are copied into the arena. */
void complain(struct complaints *c, enum severity severity, struct place where,
              struct slice message, struct slice hint);

void complaints_write(const struct complaints *c, struct slice file, struct slice text,
                      struct buf *out);

#endif
