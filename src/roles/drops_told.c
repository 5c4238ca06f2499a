/*
 * drops_told.c - one place for each file, which it shares with others.
 *
 * Names are random, so few share one; who chooses his gets a line more of his own, or has one of
 * somebody else's told twice.
 */
#include "roles/drops_told.h"

#include "base/codec.h"
#include "base/memory.h"

enum { PLACES = 4096, TOLD_MS = 3600 * 1000 };

struct told {
    uint32_t file; /* crc32c of its name */
    uint32_t reason;
    uint64_t at_ms;
};

struct drops_told {
    struct told places[PLACES];
};

struct drops_told *drops_told_new(void)
{
    return MEMORY_NEW(struct drops_told);
}

void drops_told_free(struct drops_told *t)
{
    memory_free(t);
}

uint32_t drops_told_of(const struct drops_told *t, struct slice name, uint64_t now_ms)
{
    uint32_t file = crc32c(0, name);
    const struct told *place = &t->places[file % PLACES];

    return place->file == file && now_ms - place->at_ms < TOLD_MS ? place->reason : 0;
}

void drops_told_note(struct drops_told *t, struct slice name, uint32_t reason, uint64_t now_ms)
{
    uint32_t file = crc32c(0, name);

    t->places[file % PLACES] = (struct told){file, reason, now_ms};
}
