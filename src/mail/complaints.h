/*
 * complaints.h - errors and warnings about a text, each with line, column and caret.
 *
 *     FILE:7:48: error: no table named 'account'
 *        7 | listen submission  *:465  { tls implicit; auth account; max-size 50M }
 *          |                                                ^~~~~~~   did you mean 'accounts'?
 *
 * Gathered in any order, written in the order of the text. Columns count characters, from 1.
 */
#ifndef MAIL_COMPLAINTS_H
#define MAIL_COMPLAINTS_H

#include "base/arena.h"
#include "base/buf.h"

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

struct source; /* mail/sources.h */

struct place {
    unsigned line; /* from 1; 0: the text as a whole */
    unsigned column;
    unsigned width;        /* characters under the caret line */
    struct source *source; /* whose text; NULL: of one that goes without saying */
};

enum { COMPLAINTS_SHOWN_MAX = 100 };

struct complaint;

struct complaints {
    struct arena *arena;
    struct complaint *first; /* sorted by place */
    unsigned errors, warnings, kept;
};

/* The hint says what to do; empty: none. Both are copied into the arena. What was told already, of
 * the same place, is not told again. */
void complain(struct complaints *c, enum severity severity, struct place where,
              struct slice message, struct slice hint);

/* The same with a formatted message, which costs nothing when it would not be shown. */
void complain_printf(struct complaints *c, enum severity severity, struct place where,
                     struct slice hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

void complaints_write(const struct complaints *c, struct slice file, struct slice text,
                      struct buf *out);

#endif
