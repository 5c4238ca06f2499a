/*
 * token_cache.c - good tokens by their SHA-256, in the order they came.
 */
#include "sasl/token_cache.h"

#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"
#include "sasl/secret.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

enum { HASH_LEN = 32 };

struct entry {
    struct list link;
    char hash[HASH_LEN];
    struct secret user;
    uint64_t until_ms;
};

struct token_cache {
    struct map by_hash;
    struct list entries; /* the oldest first */
    size_t count;
};

static struct slice key_of(const struct entry *e)
{
    return (struct slice){e->hash, HASH_LEN};
}

static void forget(struct token_cache *c, struct entry *e)
{
    (void)map_remove(&c->by_hash, key_of(e));
    list_remove(&e->link);
    c->count--;
    secret_wipe(&e->user);
    OPENSSL_cleanse(e, sizeof(*e));
    memory_free(e);
}

/* Of the hashes of both: where one ends and the other begins does not matter. */
static void hash_of(struct slice issuer, struct slice token, char out[HASH_LEN])
{
    unsigned char both[2 * HASH_LEN];
    bool done = EVP_Digest(issuer.data, issuer.len, both, NULL, EVP_sha256(), NULL) == 1 &&
                EVP_Digest(token.data, token.len, both + HASH_LEN, NULL, EVP_sha256(), NULL) == 1 &&
                EVP_Digest(both, sizeof(both), (unsigned char *)out, NULL, EVP_sha256(), NULL) == 1;

    assert(done);
    OPENSSL_cleanse(both, sizeof(both));
}

static struct entry *find(const struct token_cache *c, struct slice issuer, struct slice token)
{
    char hash[HASH_LEN];

    hash_of(issuer, token, hash);
    return map_get(&c->by_hash, (struct slice){hash, HASH_LEN});
}

void token_cache_put(struct token_cache *c, struct slice issuer, struct slice token,
                     struct slice user, uint64_t until_ms)
{
    struct entry *e = find(c, issuer, token);

    if (e != NULL)
        forget(c, e);
    if (c->count == TOKEN_CACHE_MAX)
        forget(c, LIST_ENTRY(c->entries.next, struct entry, link));
    e = MEMORY_NEW(struct entry);
    hash_of(issuer, token, e->hash);
    secret_set(&e->user, user);
    e->until_ms = until_ms;
    list_append(&c->entries, &e->link);
    (void)map_put(&c->by_hash, key_of(e), e);
    c->count++;
}

bool token_cache_get(struct token_cache *c, struct slice issuer, struct slice token,
                     uint64_t now_ms, struct slice *user)
{
    struct entry *e = find(c, issuer, token);

    if (e == NULL)
        return false;
    if (e->until_ms <= now_ms) {
        forget(c, e);
        return false;
    }
    *user = secret_slice(&e->user);
    return true;
}

struct token_cache *token_cache_new(const uint64_t seed[2])
{
    struct token_cache *c = MEMORY_NEW(struct token_cache);

    map_init(&c->by_hash, seed);
    list_init(&c->entries);
    return c;
}

void token_cache_free(struct token_cache *c)
{
    if (c == NULL)
        return;
    LIST_EACH (node, &c->entries)
        forget(c, LIST_ENTRY(node, struct entry, link));
    map_done(&c->by_hash);
    memory_free(c);
}
