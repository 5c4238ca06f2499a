/*
 * guesses.c - buckets in a table that never grows.
 *
 * A key is a 64-bit hash, seeded, of a kind and a name; two names with the same hash share a
 * bucket, which nobody can bring about. Its place is one of WAYS neighbours; the one not used for
 * longest makes room. A bucket is kept as the time at which it is full again: taking a token moves
 * that time on, and there is none left when it is too far ahead. The network is asked first, so
 * that who is refused for it cannot fill the table with names.
 */
#include "mail/guesses.h"

#include "base/map.h"
#include "base/memory.h"
#include "wire/address.h"

#include <string.h>

enum {
    BUCKETS = 1 << 16,
    WAYS = 8,
    HOUR_MS = 3600 * 1000,
    KEY_MAX = 520,
};

enum kind { OF_USER, OF_ADDRESS, OF_NETWORK, OF_KNOWN };

struct bucket {
    uint64_t hash;    /* 0: free */
    uint64_t full_ms; /* OF_KNOWN: until when */
    uint64_t used_ms;
};

struct guesses {
    uint64_t seed[2];
    struct bucket buckets[BUCKETS];
};

static const struct {
    uint64_t at_once, per_hour;
} limits[] = {
    [OF_USER] = {GUESSES_USER_AT_ONCE,    GUESSES_USER_PER_HOUR   },
    [OF_ADDRESS] = {GUESSES_ADDRESS_AT_ONCE, GUESSES_ADDRESS_PER_HOUR},
    [OF_NETWORK] = {GUESSES_NETWORK_AT_ONCE, GUESSES_NETWORK_PER_HOUR},
};

struct guesses *guesses_new(const uint64_t seed[2])
{
    struct guesses *g = MEMORY_NEW(struct guesses);

    g->seed[0] = seed[0];
    g->seed[1] = seed[1];
    return g;
}

void guesses_free(struct guesses *g)
{
    memory_free(g);
}

/* ---- keys ---- */

struct key {
    char bytes[KEY_MAX];
    size_t len;
};

static void put_ip(struct key *k, const unsigned char *ip, size_t len)
{
    for (size_t i = 0; i < len && k->len < KEY_MAX; i++)
        k->bytes[k->len++] = (char)ip[i];
}

static void put(struct key *k, struct slice text)
{
    for (size_t i = 0; i < text.len && k->len < KEY_MAX; i++)
        k->bytes[k->len++] = byte_lower(text.data[i]);
}

/* /24 and /48; what is no address is a network of its own. */
static void put_network(struct key *k, struct slice address)
{
    unsigned char ip[16];

    if (ipv4_parse(address, ip))
        put_ip(k, ip, 3);
    else if (ipv6_parse(address, ip))
        put_ip(k, ip, 6);
    else
        put(k, address);
}

static uint64_t hash_of(const struct guesses *g, enum kind kind, const struct guess_by *by)
{
    struct key k = {.bytes = {(char)kind}, .len = 1};
    uint64_t hash;

    switch (kind) {
    case OF_USER: put(&k, by->user); break;
    case OF_ADDRESS: put(&k, by->address); break;
    case OF_NETWORK: put_network(&k, by->address); break;
    case OF_KNOWN:
        put_network(&k, by->address);
        put(&k, SLICE("\n"));
        put(&k, by->user);
        break;
    }
    hash = map_hash(g->seed, (struct slice){k.bytes, k.len});
    return hash == 0 ? 1 : hash;
}

/* ---- buckets ---- */

static struct bucket *ways_of(struct guesses *g, uint64_t hash)
{
    return &g->buckets[hash % (BUCKETS / WAYS) * WAYS];
}

static struct bucket *find(struct guesses *g, uint64_t hash)
{
    struct bucket *ways = ways_of(g, hash);

    for (unsigned i = 0; i < WAYS; i++)
        if (ways[i].hash == hash)
            return &ways[i];
    return NULL;
}

/* Found, or made in the place of the one that was not used for longest. */
static struct bucket *bucket_of(struct guesses *g, enum kind kind, const struct guess_by *by,
                                uint64_t now_ms)
{
    uint64_t hash = hash_of(g, kind, by);
    struct bucket *ways = ways_of(g, hash), *b = find(g, hash);

    if (b == NULL) {
        b = &ways[0];
        for (unsigned i = 1; i < WAYS; i++)
            if (ways[i].used_ms < b->used_ms)
                b = &ways[i];
        *b = (struct bucket){.hash = hash};
    }
    b->used_ms = now_ms;
    return b;
}

static uint64_t token_ms(enum kind kind)
{
    return HOUR_MS / limits[kind].per_hour;
}

static bool has_token(const struct bucket *b, enum kind kind, uint64_t now_ms)
{
    return b->full_ms <= now_ms + (limits[kind].at_once - 1) * token_ms(kind);
}

static void take_token(struct bucket *b, enum kind kind, uint64_t now_ms)
{
    b->full_ms = (b->full_ms > now_ms ? b->full_ms : now_ms) + token_ms(kind);
}

/* ---- guesses ---- */

bool guesses_knows(struct guesses *g, const struct guess_by *by, uint64_t now_ms)
{
    struct bucket *b = find(g, hash_of(g, OF_KNOWN, by));

    if (b == NULL || b->full_ms <= now_ms)
        return false;
    b->used_ms = now_ms;
    return true;
}

bool guesses_take(struct guesses *g, const struct guess_by *by, uint64_t now_ms)
{
    static const enum kind widest_first[] = {OF_NETWORK, OF_ADDRESS, OF_USER};

    bool known = guesses_knows(g, by, now_ms);
    struct bucket *b[OF_KNOWN];

    for (unsigned i = 0; i < sizeof(widest_first) / sizeof(*widest_first); i++) {
        enum kind k = widest_first[i];

        b[k] = bucket_of(g, k, by, now_ms);
        if (!has_token(b[k], k, now_ms) && !(k == OF_USER && known))
            return false;
    }
    for (enum kind k = OF_USER; k < OF_KNOWN; k++)
        take_token(b[k], k, now_ms);
    return true;
}

void guesses_give_back(struct guesses *g, const struct guess_by *by, uint64_t now_ms)
{
    for (enum kind k = OF_USER; k < OF_KNOWN; k++) {
        struct bucket *b = bucket_of(g, k, by, now_ms);

        b->full_ms = b->full_ms > token_ms(k) ? b->full_ms - token_ms(k) : 0;
    }
}

void guesses_was_right(struct guesses *g, const struct guess_by *by, uint64_t now_ms)
{
    guesses_give_back(g, by, now_ms);
    bucket_of(g, OF_KNOWN, by, now_ms)->full_ms = now_ms + GUESSES_KNOWN_MS;
}
