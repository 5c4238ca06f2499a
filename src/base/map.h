/*
 * map.h - hash table keyed by slice, seeded.
 *
 * Keys are hashed with SipHash and a seed from base/random, so that a peer who chooses keys
 * cannot choose collisions. Keys are copied; values are the caller's pointers (never NULL).
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/slice.h"

#include <stdint.h>

struct map_slot;

struct map {
    struct map_slot *slots;
    size_t cap;  /* power of two, or 0 */
    size_t used; /* live entries */
    size_t dead; /* tombstones */
    uint64_t seed[2];
};

void map_init(struct map *m, const uint64_t seed[2]);
void map_done(struct map *m); /* the values are the caller's */

void *map_get(const struct map *m, struct slice key); /* NULL: absent */

/* Returns the value that was replaced, or NULL. */
void *map_put(struct map *m, struct slice key, void *value);

/* Returns the removed value, or NULL. */
void *map_remove(struct map *m, struct slice key);

/* SipHash-1-3, for tables of other kinds. */
uint64_t map_hash(const uint64_t seed[2], struct slice s);

/* Walk all entries: start with *at = 0; false at the end. The map must not change meanwhile,
 * except that the entry just returned may be removed. */
bool map_next(const struct map *m, size_t *at, struct slice *key, void **value);

#endif
