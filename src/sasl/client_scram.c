/*
 * client_scram.c - SCRAM-SHA-256 and -PLUS, the client's side. RFC 5802 3 and 5 to 7.
 *
 * The server proves itself, too: its last message is signed with a key that only somebody has who
 * once knew the password. Until that signature was seen a "235" is worth nothing
 * (sasl_client_finish). A server may choose the cost of the hash, so there is a floor, below which
 * the proof could be turned back into the password, and a ceiling, beyond which we would be busy
 * for whoever asks.
 */
#include "sasl/client_internal.h"

#include "base/codec.h"
#include "sasl/gs2.h"
#include "sasl/prep.h"
#include "sasl/scram_internal.h"
#include "wire/utf8.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>

enum { SALT_MAX = 1024 };

static struct slice header(const struct sasl_client *c)
{
    if (c->mechanism == SASL_SCRAM_SHA_256_PLUS)
        return SLICE("p=tls-exporter,,");
    /* "y": we could, you did not offer it. A server that did offer it learns that somebody cut its
     * list (RFC 5802 6). */
    return c->binding.len > 0 && !c->plus_offered ? SLICE("y,,") : SLICE("n,,");
}

/* "e=reason", in the place of either of the server's messages. */
static bool is_error(struct sasl_client *c, struct slice challenge)
{
    if (!slice_starts(challenge, SLICE("e=")))
        return false;
    client_keep_error(c, slice_skip(challenge, 2));
    return true;
}

static enum sasl_client_need server_final(struct sasl_client *c, struct slice challenge,
                                          struct buf *response);

struct first {
    struct slice nonce, salt; /* salt in base64 */
    unsigned iterations;
};

/* r= "," s= "," i= ["," extensions] */
static bool take_first(struct slice message, struct first *out)
{
    struct cursor c = {message};
    struct first got;

    if (!take_char(&c, 'r') || !take_char(&c, '='))
        return false;
    got.nonce = scram_take_nonce(&c);
    if (!take_char(&c, ',') || !take_char(&c, 's') || !take_char(&c, '=') ||
        !take_until(&c, ',', &got.salt) || !take_char(&c, ',') || !take_char(&c, 'i') ||
        !take_char(&c, '=') || !scram_take_iterations(&c, &got.iterations) ||
        !scram_take_extensions(&c))
        return false;
    *out = got;
    return true;
}

static void append_binding(struct sasl_client *c, struct buf *out)
{
    struct buf bound;

    buf_init(&bound, SASL_NAME_MAX);
    buf_append(&bound, header(c));
    if (c->mechanism == SASL_SCRAM_SHA_256_PLUS)
        buf_append(&bound, secret_slice(&c->binding));
    buf_append(out, SLICE("c="));
    base64_encode(out, buf_slice(&bound));
    buf_done(&bound);
}

/* Behind sasl_client_hash(): the proof, and the signature that the server must answer with. */
static enum sasl_client_need client_final(struct sasl_client *c, struct slice challenge,
                                          struct buf *response)
{
    unsigned char client_key[SCRAM_HASH], stored[SCRAM_HASH], server[SCRAM_HASH],
        signature[SCRAM_HASH];
    struct buf bare, auth;

    (void)challenge;
    assert(c->hashed);
    buf_init(&bare, 2 * SASL_MESSAGE_MAX);
    buf_init(&auth, 4 * SASL_MESSAGE_MAX);
    append_binding(c, &bare);
    buf_append(&bare, SLICE(",r="));
    buf_append(&bare, secret_slice(&c->both_nonces));
    buf_append(&auth, secret_slice(&c->first_bare));
    buf_append_char(&auth, ',');
    buf_append(&auth, secret_slice(&c->server_first));
    buf_append_char(&auth, ',');
    buf_append(&auth, buf_slice(&bare));

    scram_derive(c->salted, client_key, stored, server);
    scram_hmac(scram_bytes(stored, SCRAM_HASH), buf_slice(&auth), signature);
    scram_hmac(scram_bytes(server, SCRAM_HASH), buf_slice(&auth), c->server_signature);
    for (size_t i = 0; i < SCRAM_HASH; i++)
        signature[i] ^= client_key[i];
    bool fits = buf_append(response, buf_slice(&bare)) && buf_append(response, SLICE(",p=")) &&
                base64_encode(response, scram_bytes(signature, SCRAM_HASH));
    OPENSSL_cleanse(client_key, sizeof(client_key));
    OPENSSL_cleanse(stored, sizeof(stored));
    OPENSSL_cleanse(server, sizeof(server));
    OPENSSL_cleanse(c->salted, sizeof(c->salted));
    buf_done(&bare);
    buf_done(&auth);
    c->next = server_final;
    return fits ? SASL_CLIENT_SEND : client_stop(c, SASL_BAD_CHALLENGE);
}

static enum sasl_client_need server_first(struct sasl_client *c, struct slice challenge,
                                          struct buf *response)
{
    struct slice ours = secret_slice(&c->our_nonce);
    struct first first;
    struct buf salt;

    (void)response;
    if (is_error(c, challenge))
        return client_stop(c, SASL_SERVER_ERROR);
    if (!utf8_valid(challenge) || !take_first(challenge, &first))
        return client_stop(c, SASL_BAD_CHALLENGE);
    if (!slice_starts(first.nonce, ours) || first.nonce.len == ours.len)
        return client_stop(c, SASL_FOREIGN_NONCE);
    if (first.iterations < SCRAM_ITERATIONS_MIN)
        return client_stop(c, SASL_WEAK_HASH);
    if (first.iterations > SCRAM_ITERATIONS_MAX)
        return client_stop(c, SASL_COSTLY_HASH);
    buf_init(&salt, SALT_MAX);
    bool good = base64_decode(&salt, first.salt) && buf_len(&salt) > 0;
    if (good)
        secret_set(&c->salt, buf_slice(&salt));
    buf_done(&salt);
    if (!good)
        return client_stop(c, SASL_BAD_CHALLENGE);
    secret_set(&c->server_first, challenge);
    secret_set(&c->both_nonces, first.nonce);
    c->iterations = first.iterations;
    c->next = client_final;
    return SASL_CLIENT_WANTS_HASH;
}

void sasl_client_hash(struct sasl_client *c)
{
    assert(c->next == client_final && !c->hashed);
    scram_salted(secret_slice(&c->prepared), secret_slice(&c->salt), c->iterations, c->salted);
    secret_wipe(&c->prepared);
    c->hashed = true;
}

static enum sasl_client_need nothing_more(struct sasl_client *c, struct slice challenge,
                                          struct buf *response)
{
    (void)challenge;
    (void)response;
    return client_stop(c, SASL_TOO_MANY);
}

/* "v=" signature ["," extensions] */
static enum sasl_client_need server_final(struct sasl_client *c, struct slice challenge,
                                          struct buf *response)
{
    struct slice encoded = slice_head(challenge, slice_find(challenge, ','));
    struct cursor rest = {slice_skip(challenge, encoded.len)};
    struct buf signature;

    (void)response;
    if (is_error(c, challenge))
        return client_stop(c, SASL_SERVER_ERROR);
    buf_init(&signature, SCRAM_HASH);
    bool shaped = slice_starts(encoded, SLICE("v=")) &&
                  base64_decode(&signature, slice_skip(encoded, 2)) && scram_take_extensions(&rest);
    bool right =
        shaped && secret_equal(buf_slice(&signature), scram_bytes(c->server_signature, SCRAM_HASH));
    buf_done(&signature);
    if (!right)
        return client_stop(c, shaped ? SASL_FALSE_SERVER : SASL_BAD_CHALLENGE);
    c->finished = true;
    c->next = nothing_more;
    return SASL_CLIENT_SEND;
}

static bool can_be_used(struct sasl_client *c)
{
    return sasl_prep(secret_slice(&c->user), PREP_QUERY, &c->user) &&
           sasl_prep(secret_slice(&c->secret), PREP_QUERY, &c->prepared) &&
           (c->mechanism == SASL_SCRAM_SHA_256 || c->binding.len == SASL_BINDING_BYTES);
}

enum sasl_client_need client_scram_first(struct sasl_client *c, struct slice challenge,
                                         struct buf *response)
{
    struct buf bare;

    (void)challenge;
    assert(c->our_nonce.len >= SASL_NONCE_MIN && c->our_nonce.len <= SASL_NONCE_MAX);
    if (!can_be_used(c))
        return client_stop(c, SASL_BAD_SECRET);
    buf_init(&bare, SASL_MESSAGE_MAX);
    buf_append(&bare, SLICE("n="));
    gs2_name_encode(&bare, secret_slice(&c->user));
    buf_append(&bare, SLICE(",r="));
    buf_append(&bare, secret_slice(&c->our_nonce));
    secret_set(&c->first_bare, buf_slice(&bare));
    bool fits = buf_append(response, header(c)) && buf_append(response, buf_slice(&bare));
    buf_done(&bare);
    c->next = server_first;
    return fits ? SASL_CLIENT_SEND : client_stop(c, SASL_BAD_SECRET);
}
