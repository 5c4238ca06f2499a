/*
 * syntax.h - configuration text -> a tree of statements.
 *
 *     statement = WORD {value} [ "{" {statement} "}" ]    ends at newline, ";" or "}"
 *     value     = item { "," item }                       a list is one value
 *     item      = word | "text with \" and \\"
 *
 * "#" at the start of a word begins a comment. A brace opens or closes a block where a word could
 * begin; inside a word it belongs to it: /var/vmail/{domain}/{user}. Which words exist and what
 * they mean is said by schema.c.
 */
#ifndef CONFIG_SYNTAX_H
#define CONFIG_SYNTAX_H

#include "mail/sources.h"

enum {
    SYNTAX_DEPTH_MAX = 8,
    SYNTAX_STATEMENTS_MAX = 20000,
    SYNTAX_WORD_MAX = 1024, /* bytes */
};

struct syntax_word {
    struct syntax_word *next; /* item or value */
    struct slice text;        /* without quotes and escapes */
    struct place place;
    bool quoted;
    bool more; /* a comma follows: next is of the same value */
};

struct syntax_statement {
    struct syntax_statement *next;
    struct syntax_word word;
    struct syntax_word *values;
    struct place brace; /* of "{"; line 0: no block */
    struct syntax_statement *block;
    bool broken;   /* part of it is missing, which was told */
    bool unclosed; /* its block may have swallowed what follows it, which was told */
};

struct syntax_tree {
    struct syntax_statement *first; /* or NULL */
    size_t count;                   /* of all statements, those in blocks too; or a little more */
};

/* Of the source's text; what is wrong is told to its complaints. Everything lives in the arena,
 * words may point into the text. */
struct syntax_tree syntax_parse(struct source *source, struct arena *arena);

#endif
