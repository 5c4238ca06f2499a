/*
 * arena.h - memory freed all at once.
 *
 * One arena per protocol lifetime: session, transaction, settings. Nothing in it is freed
 * alone. Unused and reset memory is poisoned under ASan. Requests are capped by the caller
 * (every input has a limit), so an arena itself has none.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
};

/* An all-zero arena is valid and holds no memory until first used. */
void arena_init(struct arena *a);
void arena_done(struct arena *a); /* frees everything; usable again */

/* Forget everything; keeps the newest block when it is of ordinary size, for reuse. */
void arena_reset(struct arena *a);

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *a, size_t size);

/* The same for n of them; a product that overflows ends the role like a lack of memory. */
void *arena_alloc_array(struct arena *a, size_t size, size_t n);

#define ARENA_NEW(arena, type)      ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, n) ((type *)arena_alloc_array((arena), sizeof(type), (n)))

/* A copy that lives as long as the arena. */
struct slice arena_copy(struct arena *a, struct slice s);

/* The same in ASCII lower case. */
struct slice arena_lower(struct arena *a, struct slice s);

/* The same, NUL-terminated, for the system-call edge. The slice must hold no NUL. */
const char *arena_string(struct arena *a, struct slice s);

struct slice arena_printf(struct arena *a, const char *format, ...)
    __attribute__((format(printf, 2, 3), nonnull(2)));

#endif
