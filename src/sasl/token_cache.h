/*
 * token_cache.h - tokens that a provider called good a moment ago, and whose they are.
 *
 * Mail programs open several connections at a time and come back every few minutes; without this
 * each would be a question to the provider. Kept is a hash of the token, never itself.
 *
 * Pure: time comes in. Under more tokens than fit, the oldest are forgotten.
 */
#ifndef SASL_TOKEN_CACHE_H
#define SASL_TOKEN_CACHE_H

#include "base/slice.h"

#include <stdint.h>

enum { TOKEN_CACHE_MAX = 4096 };

struct token_cache;

struct token_cache *token_cache_new(const uint64_t seed[2]);
void token_cache_free(struct token_cache *c); /* wiped; NULL is fine */

/* `issuer`: who said so; another one's word counts for nothing. Replaces what is there. */
void token_cache_put(struct token_cache *c, struct slice issuer, struct slice token,
                     struct slice user, uint64_t until_ms);

/* False: it is not known, or not any more. The user's name lives until the next put. */
bool token_cache_get(struct token_cache *c, struct slice issuer, struct slice token,
                     uint64_t now_ms, struct slice *user);

#endif
