/*
 * tables.h - the tables of a configuration: read where they are declared, found by name.
 */
#ifndef CONFIG_TABLES_H
#define CONFIG_TABLES_H

#include "config/named.h"

struct tables {
    struct settings *settings; /* owns the tables */
    struct desk *desk;
    struct sources *sources;
    struct named_list names;
    struct settings_table **last;
};

void tables_init(struct tables *t, struct settings *settings, struct desk *desk,
                 struct sources *sources);

/* "table NAME TYPE PATH"; what is wrong, in its file too, is told. A file that is wanted yet leaves
 * a table without content, so that its name is known. */
bool tables_add(struct tables *t, struct place word, const struct value *name,
                const struct value *type, const struct value *path);

/* The one of that name and type; NULL: it was told why not. */
struct settings_table *tables_take(struct tables *t, const struct value *value,
                                   enum table_type type);

#endif
