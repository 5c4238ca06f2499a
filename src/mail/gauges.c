/*
 * gauges.c - rows of counts, some ways to a place.
 *
 * A cell is one word: a count, and a part of the key that it belongs to. So a row may change hands
 * by its key alone: what others still have in it under the key before counts for nobody, and goes
 * down as they leave. A count can be lost that way, but none can stay behind.
 */
#include "mail/gauges.h"

#include "base/map.h"
#include "mail/tally.h"

#include <assert.h>
#include <stdatomic.h>

enum { ROWS = 32768, WAYS = 8, COUNT_BITS = 20, COUNT_MASK = (1 << COUNT_BITS) - 1 };

/* A row: */
enum {
    WORD_KEY,   /* 0: free */
    WORD_CELLS, /* one for each column */
};

struct gauges_memory {
    uint64_t seed[2];
    _Atomic uint64_t words[]; /* ROWS rows */
};

static size_t row_words(unsigned columns)
{
    return WORD_CELLS + columns;
}

size_t gauges_size(unsigned columns)
{
    return sizeof(struct gauges_memory) + ROWS * row_words(columns) * sizeof(uint64_t);
}

void gauges_init(void *memory, const uint64_t seed[2])
{
    struct gauges_memory *m = memory;

    m->seed[0] = seed[0];
    m->seed[1] = seed[1];
}

struct gauges gauges_view(void *memory, unsigned columns, unsigned column)
{
    assert(column < columns && columns <= TALLY_COLUMNS_MAX);
    return (struct gauges){memory, columns, column};
}

static _Atomic uint64_t *row_at(const struct gauges *g, size_t i)
{
    return &g->memory->words[i * row_words(g->columns)];
}

/* What the cell counts for this key. */
static unsigned count_of(uint64_t cell, uint64_t key)
{
    return ((cell ^ key) & ~(uint64_t)COUNT_MASK) == 0 ? (unsigned)(cell & COUNT_MASK) : 0;
}

static uint64_t cell_of(uint64_t key, unsigned count)
{
    return (key & ~(uint64_t)COUNT_MASK) | count;
}

static unsigned sum(const struct gauges *g, _Atomic uint64_t *row, uint64_t key)
{
    unsigned all = 0;

    for (unsigned i = 0; i < g->columns; i++)
        all += count_of(atomic_load_explicit(&row[WORD_CELLS + i], memory_order_relaxed), key);
    return all;
}

/* Its row, or the one with the least of another, which becomes its own. */
static uint32_t find(const struct gauges *g, uint64_t key)
{
    size_t first = key % (ROWS / WAYS) * WAYS, least = first;
    unsigned least_sum = UINT32_MAX;

    for (size_t i = first; i < first + WAYS; i++) {
        uint64_t held = atomic_load(&row_at(g, i)[WORD_KEY]);

        if (held == key)
            return (uint32_t)i;
        unsigned counted = held == 0 ? 0 : sum(g, row_at(g, i), held);
        if (counted < least_sum) {
            least = i;
            least_sum = counted;
        }
    }
    atomic_store(&row_at(g, least)[WORD_KEY], key);
    return (uint32_t)least;
}

/* Of the name, never 0 in the part that cells hold. */
static uint64_t key_of(const struct gauges *g, struct slice name)
{
    return map_hash(g->memory->seed, name) | (uint64_t)1 << 63;
}

bool gauges_enter(struct gauges *g, struct slice name, unsigned max, struct gauge_place *out)
{
    uint64_t key = key_of(g, name);
    uint32_t i = find(g, key);
    _Atomic uint64_t *row = row_at(g, i), *own = &row[WORD_CELLS + g->column];
    unsigned mine = count_of(atomic_load_explicit(own, memory_order_relaxed), key);

    if ((max > 0 && sum(g, row, key) >= max) || mine == COUNT_MASK)
        return false;
    atomic_store_explicit(own, cell_of(key, mine + 1), memory_order_relaxed);
    *out = (struct gauge_place){key, i};
    return true;
}

void gauges_leave(struct gauges *g, struct gauge_place *place)
{
    if (place->tag != 0) {
        _Atomic uint64_t *own = &row_at(g, place->row)[WORD_CELLS + g->column];
        unsigned mine = count_of(atomic_load_explicit(own, memory_order_relaxed), place->tag);

        if (mine > 0)
            atomic_store_explicit(own, cell_of(place->tag, mine - 1), memory_order_relaxed);
    }
    *place = (struct gauge_place){0};
}

unsigned gauges_read(const struct gauges *g, const struct gauge_place *place)
{
    return place->tag == 0 ? 0 : sum(g, row_at(g, place->row), place->tag);
}

uint64_t gauges_held(const struct gauges *g)
{
    uint64_t held = 0;

    for (size_t i = 0; i < ROWS; i++)
        held += atomic_load_explicit(&row_at(g, i)[WORD_CELLS + g->column], memory_order_relaxed) &
                COUNT_MASK;
    return held;
}

void gauges_clear(struct gauges *g)
{
    for (size_t i = 0; i < ROWS; i++) {
        _Atomic uint64_t *own = &row_at(g, i)[WORD_CELLS + g->column];

        if (atomic_load_explicit(own, memory_order_relaxed) != 0) /* leave untouched pages alone */
            atomic_store_explicit(own, 0, memory_order_relaxed);
    }
}
