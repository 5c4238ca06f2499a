/*
 * etrn.h - what ETRN asks for, and for whom that is allowed. RFC 1985.
 *
 * A mail server that was away asks for what waits for it here. Pure; config fills the lists, which
 * live as long as the settings.
 */
#ifndef MAIL_ETRN_H
#define MAIL_ETRN_H

#include "base/arena.h"

/* "example.net", or with all names below it: "@example.net". */
struct etrn_node {
    struct slice domain; /* as A-labels, lower case */
    bool below;
};

enum etrn_argument {
    ETRN_NODE,
    ETRN_QUEUE,     /* "#name": a queue that has a name; here none has */
    ETRN_MALFORMED, /* RFC 1985 5: a node has a full name */
};

/* What stands behind the verb. *out, in the arena, is set only for ETRN_NODE. */
enum etrn_argument etrn_parse(struct slice text, struct arena *arena, struct etrn_node *out);

/* "example.net" or "*.example.net", which holds what is below it; as A-labels, lower case. */
struct etrn_list {
    const struct etrn_list *next;
    struct slice domains;
};

/* May it be asked for? With what is below it only if the list has both. */
bool etrn_allows(const struct etrn_list *list, const struct etrn_node *node);

/* Does it ask for this domain's mail? As A-labels. */
bool etrn_wants(const struct etrn_node *node, struct slice domain);

/* As it was asked for: "@example.net". */
struct slice etrn_text(const struct etrn_node *node, struct arena *arena);

#endif
