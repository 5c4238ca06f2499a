/*
 * schema.h - the one table of the configuration's words.
 *
 * The parser, the defaults, the page of the manual and what shells complete come from it.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "config/values.h"

enum context {
    IN_FILE = 1 << 0,
    IN_LISTEN = 1 << 1,
    IN_QUEUE = 1 << 2,
    IN_RELAY = 1 << 3,
    IN_SOURCE = 1 << 4,
    IN_LIMIT = 1 << 5,
    IN_RULE = 1 << 6, /* behind accept, hold, reject, discard in the same line */
    BEHIND_LIMIT = 1 << 7,
    IN_OAUTH = 1 << 8,
    IN_INTROSPECT = 1 << 9,
    BEHIND_REWRITE = 1 << 10,
    IN_LAST = BEHIND_REWRITE,
};

struct parser;

/* Takes the checked values of a word; false: it was told what is wrong. */
typedef bool apply_fn(struct parser *p, struct place word, const struct value *values);

struct schema_row {
    struct slice word;
    unsigned where;  /* a sum of enum context */
    apply_fn *apply; /* NULL: a word of a later version, of which nothing else is known */
    enum shape shapes[2];
    unsigned clauses; /* context of the words that follow in the line */
    unsigned opens;   /* context of its block */
    bool repeats;
    const char *form; /* how it is written */
    const char *help; /* what it means, in a line */
    /* What holds when it is not written, as its values are written; where that depends on other
     * words (settings_show.c), in people's words. NULL: nothing. */
    const char *initial;
};

extern const struct schema_row schema[];
extern const size_t schema_count;

/* The row in whose block this one stands, or behind which: *in_line. NULL: outside of blocks. */
const struct schema_row *schema_home(const struct schema_row *row, bool *in_line);

#endif
