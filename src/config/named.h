/*
 * named.h - what has a line of its own and a name by which other lines mean it: tables, sources,
 * relays.
 *
 * They are read before the lines that name them, which may stand above.
 */
#ifndef CONFIG_NAMED_H
#define CONFIG_NAMED_H

#include "config/values.h"

struct named {
    struct named *next;
    struct slice name;
    struct place word;
    bool broken; /* only its name is known: the fault was told, and is not to be told of each use */
    void *thing; /* what it is; set by who added it */
};

struct named_list {
    struct desk *desk;
    const char *kind; /* "table" */
    const char *form; /* how one is written */
    struct named *first, **last;
};

void named_init(struct named_list *list, struct desk *desk, const char *kind, const char *form);

/* NULL: the name is taken, which was told. */
struct named *named_add(struct named_list *list, struct place word, const struct value *name);

/* Of a line that is wrong. */
void named_add_broken(struct named_list *list, struct place word, struct slice name);

/* The one of that name. NULL: there is none, which was told, or it is broken. */
const struct named *named_take(const struct named_list *list, const struct value *name);

#endif
