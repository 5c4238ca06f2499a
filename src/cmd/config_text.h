/*
 * config_text.h - single words of a configuration, be the rest of it right or wrong.
 *
 * Some commands want to know one thing of it: where the queue is, which file has the accounts. Who
 * asks them may be half through writing it, or not allowed to read the keys and passwords that it
 * names, or about to make the very table without which it is wrong.
 */
#ifndef CMD_CONFIG_TEXT_H
#define CMD_CONFIG_TEXT_H

#include "base/arena.h"
#include "base/buf.h"
#include "config/syntax.h"

struct config_text {
    struct arena arena; /* of the statements */
    struct buf text;
    const struct syntax_statement *first;
    bool includes; /* other files have part of it */
};

/* False: it cannot be read; nothing is told. It is to be closed either way. */
bool config_text_open(struct config_text *t, const char *file);
void config_text_close(struct config_text *t);

/* The first statement of that word, `from` itself or behind it; NULL: there is none. */
const struct syntax_statement *config_text_find(const struct syntax_statement *from,
                                                struct slice word);

/* Its n-th value, from 0; empty when it has fewer. */
struct slice config_text_value(const struct syntax_statement *s, unsigned n);

#endif
