/*
 * names.h - a great many names, each with a number: compact, found by hash.
 *
 * What the tables of a configuration are made of. Filled once, then only read. A name costs its
 * bytes, 6 more, and about 12 for the hash table: a million of 20 bytes take 40 MB or less.
 */
#ifndef MAIL_NAMES_H
#define MAIL_NAMES_H

#include "base/buf.h"

enum { NAME_LEN_MAX = UINT16_MAX };

struct names_slot;

struct names {
    struct buf text; /* {u32 number, u16 length, bytes} of each name */
    struct names_slot *slots;
    size_t cap;  /* power of two, or 0 */
    size_t used; /* names */
    uint64_t seed[2];
};

/* `source` is the text that the names are taken from: the hash is seeded from all of it, so that
 * who can choose some names cannot choose collisions. */
void names_init(struct names *n, struct slice source);
void names_done(struct names *n);

/* False when it is there already; then *number becomes that one's. */
bool names_add(struct names *n, struct slice name, uint32_t *number);

bool names_find(const struct names *n, struct slice name, uint32_t *number);

#endif
