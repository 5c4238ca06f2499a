/*
 * map.c - open addressing with linear probing over SipHash-1-3.
 *
 * The library the design first named (ck_ht) pays for lock-free readers that nobody here has;
 * this is a tenth of the code. Removed entries leave tombstones, cleaned up when the table is
 * rebuilt at three quarters full.
 */
#include "base/map.h"

#include "base/memory.h"

#include <string.h>

enum { GIVE_BACK_FROM = 1024 };

struct map_slot {
    uint64_t hash;
    char *key; /* owned; NULL: never used, `tombstone`: removed */
    size_t key_len;
    void *value;
};

/* Only its address matters: a key pointer that no allocation ever has. */
static char tombstone[1];

static uint64_t rotate(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint64_t map_hash(const uint64_t seed[2], struct slice s)
{
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
                     seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573};
    size_t whole = s.len / 8 * 8;
    uint64_t word = 0;

    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, s.data + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    if (s.len > whole)
        memcpy(&word, s.data + whole, s.len - whole);
    word |= (uint64_t)s.len << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void map_init(struct map *m, const uint64_t seed[2])
{
    *m = (struct map){
        .seed = {seed[0], seed[1]}
    };
}

static bool slot_live(const struct map_slot *slot)
{
    return slot->key != NULL && slot->key != tombstone;
}

void map_done(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++)
        if (slot_live(&m->slots[i]))
            memory_free(m->slots[i].key);
    memory_free(m->slots);
    *m = (struct map){
        .seed = {m->seed[0], m->seed[1]}
    };
}

static struct map_slot *find(const struct map *m, struct slice key, uint64_t hash)
{
    if (m->cap == 0)
        return NULL;
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *slot = &m->slots[i];

        if (slot->key == NULL)
            return NULL;
        if (slot->key != tombstone && slot->hash == hash &&
            slice_equal((struct slice){slot->key, slot->key_len}, key))
            return slot;
    }
}

static struct map_slot *vacant(struct map_slot *slots, size_t cap, uint64_t hash)
{
    size_t i = hash & (cap - 1);

    while (slots[i].key != NULL)
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

static void rebuild(struct map *m)
{
    size_t cap = 16;

    while (cap < (m->used + 1) * 2)
        cap *= 2;
    struct map_slot *slots = memory_new(cap * sizeof(*slots));
    for (size_t i = 0; i < m->cap; i++)
        if (slot_live(&m->slots[i]))
            *vacant(slots, cap, m->slots[i].hash) = m->slots[i];
    memory_free(m->slots);
    m->slots = slots;
    m->cap = cap;
    m->dead = 0;
}

void *map_get(const struct map *m, struct slice key)
{
    struct map_slot *slot = find(m, key, map_hash(m->seed, key));

    return slot == NULL ? NULL : slot->value;
}

void *map_put(struct map *m, struct slice key, void *value)
{
    uint64_t hash = map_hash(m->seed, key);
    struct map_slot *slot = find(m, key, hash);

    if (slot != NULL) {
        void *old = slot->value;

        slot->value = value;
        return old;
    }
    if ((m->used + m->dead + 1) * 4 > m->cap * 3)
        rebuild(m);
    slot = vacant(m->slots, m->cap, hash);
    *slot = (struct map_slot){hash, memory_new(key.len + 1), key.len, value};
    if (key.len > 0)
        memcpy(slot->key, key.data, key.len);
    m->used++;
    return NULL;
}

/* One that was large and is empty now. */
static void give_back(struct map *m)
{
    if (m->used > 0 || m->cap < GIVE_BACK_FROM)
        return;
    memory_free(m->slots);
    m->slots = NULL;
    m->cap = m->dead = 0;
}

void *map_remove(struct map *m, struct slice key)
{
    struct map_slot *slot = find(m, key, map_hash(m->seed, key));

    if (slot == NULL)
        return NULL;
    void *value = slot->value;
    memory_free(slot->key);
    *slot = (struct map_slot){.key = tombstone};
    m->used--;
    m->dead++;
    give_back(m);
    return value;
}

bool map_next(const struct map *m, size_t *at, struct slice *key, void **value)
{
    for (; *at < m->cap; (*at)++) {
        const struct map_slot *slot = &m->slots[*at];

        if (!slot_live(slot))
            continue;
        *key = (struct slice){slot->key, slot->key_len};
        *value = slot->value;
        (*at)++;
        return true;
    }
    return false;
}
