/*
 * secret.c - bytes that are wiped.
 *
 * OPENSSL_cleanse and CRYPTO_memcmp are made so that no compiler takes them away or short cuts.
 */
#include "sasl/secret.h"

#include "base/memory.h"

#include <openssl/crypto.h>
#include <string.h>

void secret_set(struct secret *s, struct slice bytes)
{
    struct secret old = *s;

    *s = (struct secret){0};
    if (bytes.len > 0) {
        s->data = memory_new(bytes.len);
        memcpy(s->data, bytes.data, bytes.len);
        s->len = bytes.len;
    }
    secret_wipe(&old); /* last: `bytes` may lie in it */
}

void secret_wipe(struct secret *s)
{
    if (s->data != NULL)
        OPENSSL_cleanse(s->data, s->len);
    memory_free(s->data);
    *s = (struct secret){0};
}

struct slice secret_slice(const struct secret *s)
{
    return (struct slice){s->data, s->len};
}

bool secret_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}
