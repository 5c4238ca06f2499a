/*
 * names.c - open addressing over one growing text.
 *
 * base/map allocates each key by itself, which is dear for a million of them. Here a slot is an
 * offset into the text and half of the hash; it is never removed, so there are no tombstones.
 */
#include "mail/names.h"

#include "base/cursor.h"
#include "base/map.h"
#include "base/memory.h"

#include <assert.h>

struct names_slot {
    uint32_t hash;
    uint32_t at; /* offset in the text, plus 1; 0: free */
};

void names_init(struct names *n, struct slice source)
{
    static const uint64_t first[2] = {0, 0}, second[2] = {1, 0};

    *n = (struct names){
        .seed = {map_hash(first, source), map_hash(second, source)}
    };
    buf_init(&n->text, UINT32_MAX - 1);
}

void names_done(struct names *n)
{
    buf_done(&n->text);
    memory_free(n->slots);
    *n = (struct names){0};
}

static void read_at(const struct names *n, uint32_t at, uint32_t *number, struct slice *name)
{
    struct cursor c = {slice_skip(buf_slice(&n->text), at)};
    uint16_t len;
    bool whole = get_u32(&c, number) && get_u16(&c, &len) && take_bytes(&c, len, name);

    assert(whole);
}

/* The slot of this name, or the free one where it belongs. */
static struct names_slot *find(const struct names *n, struct slice name, uint32_t hash,
                               uint32_t *number)
{
    for (size_t i = hash & (n->cap - 1);; i = (i + 1) & (n->cap - 1)) {
        struct names_slot *slot = &n->slots[i];
        struct slice there;

        if (slot->at == 0)
            return slot;
        if (slot->hash != hash)
            continue;
        read_at(n, slot->at - 1, number, &there);
        if (slice_equal(there, name))
            return slot;
    }
}

static void grow(struct names *n)
{
    size_t cap = n->cap == 0 ? 16 : n->cap * 2;
    struct names_slot *slots = memory_new(cap * sizeof(*slots));

    for (size_t i = 0; i < n->cap; i++) {
        size_t to = n->slots[i].hash & (cap - 1);

        if (n->slots[i].at == 0)
            continue;
        while (slots[to].at != 0)
            to = (to + 1) & (cap - 1);
        slots[to] = n->slots[i];
    }
    memory_free(n->slots);
    n->slots = slots;
    n->cap = cap;
}

bool names_add(struct names *n, struct slice name, uint32_t *number)
{
    uint32_t hash = (uint32_t)map_hash(n->seed, name), at = (uint32_t)buf_len(&n->text);

    assert(name.len <= NAME_LEN_MAX);
    if ((n->used + 1) * 4 > n->cap * 3)
        grow(n);
    struct names_slot *slot = find(n, name, hash, number);
    if (slot->at != 0)
        return false;
    bool fits = put_u32(&n->text, *number) && put_u16(&n->text, (uint16_t)name.len) &&
                buf_append(&n->text, name);
    assert(fits); /* sources are far smaller */
    *slot = (struct names_slot){hash, at + 1};
    n->used++;
    return true;
}

bool names_find(const struct names *n, struct slice name, uint32_t *number)
{
    return n->cap > 0 && find(n, name, (uint32_t)map_hash(n->seed, name), number)->at != 0;
}
