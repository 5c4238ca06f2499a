/*
 * tally.c - rows of counts, some ways to a place.
 *
 * A cell is one word, so that whoever reads it sees a count and the window that it belongs to. It
 * is written by its column's receiver only. A row changes hands by its key alone; counts of the
 * name before may be read as the new one's for a window at most, which is why the row with the
 * least is the one that goes.
 */
#include "mail/tally.h"

#include "base/map.h"

#include <assert.h>
#include <stdatomic.h>

enum {
    ROWS = 16384,
    WAYS = 8,
    COUNT_BITS = 20, /* RATE_COUNT_MAX and one more */
    COUNT_MASK = (1 << COUNT_BITS) - 1,
    WINDOW_BITS = 24,
    PER_S_MAX = 24 * 3600, /* what is longer was not written by us */
};

/* A row: */
enum {
    WORD_KEY,   /* 0: free */
    WORD_PER_S, /* the length of its windows, by which alone its cells can be read */
    WORD_TOLD,  /* one more than the window in which somebody was told */
    WORD_CELLS, /* one for each column */
};

struct tally_memory {
    uint64_t seed[2];
    _Atomic uint64_t words[]; /* ROWS rows */
};

static_assert((int)RATE_COUNT_MAX <= (int)COUNT_MASK, "a count fits its bits");

static size_t row_words(unsigned columns)
{
    return WORD_CELLS + columns;
}

size_t tally_size(unsigned columns)
{
    return sizeof(struct tally_memory) + ROWS * row_words(columns) * sizeof(uint64_t);
}

void tally_init(void *memory, const uint64_t seed[2])
{
    struct tally_memory *m = memory;

    m->seed[0] = seed[0];
    m->seed[1] = seed[1];
}

struct tally tally_view(void *memory, unsigned columns, unsigned column)
{
    assert(column < columns && columns <= TALLY_COLUMNS_MAX);
    return (struct tally){memory, columns, column};
}

/* ---- cells ---- */

struct cell {
    uint32_t window; /* its number, cut to WINDOW_BITS */
    uint32_t now, before;
};

static uint64_t cell_pack(struct cell c)
{
    return (uint64_t)c.window << (2 * COUNT_BITS) | (uint64_t)c.now << COUNT_BITS | c.before;
}

/* As of this window. */
static struct cell cell_unpack(uint64_t word, uint32_t window)
{
    struct cell c = {(uint32_t)(word >> (2 * COUNT_BITS)),
                     (uint32_t)(word >> COUNT_BITS) & COUNT_MASK, (uint32_t)word & COUNT_MASK};
    uint32_t mask = (1u << WINDOW_BITS) - 1, passed = (window - c.window) & mask;

    if (passed == 1)
        return (struct cell){window, 0, c.now};
    return passed == 0 ? c : (struct cell){.window = window};
}

/* ---- rows ---- */

static _Atomic uint64_t *row_at(const struct tally *t, size_t i)
{
    return &t->memory->words[i * row_words(t->columns)];
}

struct moment {
    uint32_t window;
    uint64_t passed_ms, length_ms; /* of the window */
};

static struct moment moment_of(uint64_t per_s, uint64_t now_ms)
{
    uint64_t length_ms = per_s * 1000;

    return (struct moment){(uint32_t)(now_ms / length_ms) & ((1u << WINDOW_BITS) - 1),
                           now_ms % length_ms, length_ms};
}

static uint64_t sum(const struct tally *t, _Atomic uint64_t *row, const struct moment *m)
{
    uint64_t now = 0, before = 0;

    for (unsigned i = 0; i < t->columns; i++) {
        struct cell c = cell_unpack(
            atomic_load_explicit(&row[WORD_CELLS + i], memory_order_relaxed), m->window);

        now += c.now;
        before += c.before;
    }
    return now + before * (m->length_ms - m->passed_ms) / m->length_ms;
}

/* How much it has by its own measure. */
static uint64_t weight_of(const struct tally *t, _Atomic uint64_t *row, uint64_t now_ms)
{
    uint64_t per_s = atomic_load(&row[WORD_PER_S]);
    struct moment m = moment_of(per_s > 0 && per_s <= PER_S_MAX ? per_s : 1, now_ms);

    return atomic_load(&row[WORD_KEY]) == 0 ? 0 : sum(t, row, &m);
}

/* Who is counted by the minute must not push out who is counted by the hour, as if he had nothing.
 */
static _Atomic uint64_t *find(const struct tally *t, uint64_t key, uint32_t per_s, uint64_t now_ms)
{
    size_t first = key % (ROWS / WAYS) * WAYS;
    _Atomic uint64_t *least = row_at(t, first);
    uint64_t least_sum = UINT64_MAX;

    for (size_t i = first; i < first + WAYS; i++) {
        _Atomic uint64_t *row = row_at(t, i);
        uint64_t counted;

        if (atomic_load(&row[WORD_KEY]) == key) {
            atomic_store(&row[WORD_PER_S], per_s); /* the limit may be another since */
            return row;
        }
        counted = weight_of(t, row, now_ms);
        if (counted < least_sum) {
            least = row;
            least_sum = counted;
        }
    }
    atomic_store(&least[WORD_KEY], key);
    atomic_store(&least[WORD_PER_S], per_s);
    atomic_store(&least[WORD_TOLD], 0);
    return least;
}

static uint64_t key_of(const struct tally *t, struct slice name)
{
    uint64_t key = map_hash(t->memory->seed, name);

    return key == 0 ? 1 : key;
}

/* True for one receiver in a window. */
static bool is_first(_Atomic uint64_t *row, const struct moment *m)
{
    uint64_t told = atomic_load(&row[WORD_TOLD]), now = (uint64_t)m->window + 1;

    return told != now && atomic_compare_exchange_strong(&row[WORD_TOLD], &told, now);
}

enum tally_verdict tally_count(struct tally *t, struct slice name, struct rate rate,
                               uint64_t now_ms)
{
    struct moment m = moment_of(rate.per_s, now_ms);
    _Atomic uint64_t *row = find(t, key_of(t, name), rate.per_s, now_ms),
                     *own = &row[WORD_CELLS + t->column];
    struct cell c;

    if (sum(t, row, &m) >= rate.count)
        return is_first(row, &m) ? TALLY_TOO_MANY_FIRST : TALLY_TOO_MANY;
    c = cell_unpack(atomic_load_explicit(own, memory_order_relaxed), m.window);
    if (c.now < COUNT_MASK)
        c.now++;
    atomic_store_explicit(own, cell_pack(c), memory_order_relaxed);
    return TALLY_COUNTED;
}
