/*
 * server_scram.c - SCRAM-SHA-256 and -PLUS, the server's side. RFC 5802 3, 5 to 7, RFC 7677.
 *
 *     C: n,,n=user,r=CNONCE              client-first
 *     S: r=CNONCE SNONCE,s=SALT,i=4096   server-first
 *     C: c=biws,r=CNONCE SNONCE,p=PROOF  client-final
 *     S: v=SIGNATURE                     server-final, as a challenge: SMTP has no other place
 *     C: (empty)
 *
 * Nobody learns here whether a user exists: keys of unknown users are made up, their salt is the
 * same each time, every hash is computed, and only behind the comparison of proofs it counts that
 * they were fakes. What is checked before (nonce, channel binding) does not depend on the user.
 * None of it is slow: the KDF runs at the client.
 */
#include "sasl/server_internal.h"

#include "base/codec.h"
#include "sasl/gs2.h"
#include "sasl/scram_internal.h"
#include "wire/utf8.h"

#include <openssl/crypto.h>

enum { CLIENT_NONCE_MAX = 512, BINDING_MAX = 1024 };

/* Which header goes with which mechanism, RFC 5802 6. */
static enum sasl_failure judge_binding(const struct sasl_server *s, enum gs2_binding binding)
{
    bool plus = s->mechanism == SASL_SCRAM_SHA_256_PLUS;

    switch (binding) {
    case GS2_NONE: return plus ? SASL_BAD_BINDING : SASL_NO_FAILURE;
    case GS2_NOT_OFFERED:
        return plus ? SASL_BAD_BINDING : s->plus_offered ? SASL_DOWNGRADED : SASL_NO_FAILURE;
    case GS2_TLS_EXPORTER:
        return plus && s->binding.len == SASL_BINDING_BYTES ? SASL_NO_FAILURE : SASL_BAD_BINDING;
    case GS2_OTHER: break;
    }
    return SASL_BAD_BINDING;
}

static bool take_name(struct sasl_server *s, struct slice written)
{
    struct buf name;

    buf_init(&name, SASL_NAME_MAX);
    bool good = gs2_name_decode(&name, written) && server_take_user(s, buf_slice(&name));
    buf_done(&name);
    return good;
}

static enum sasl_need finished(struct sasl_server *s, struct slice response, struct buf *challenge)
{
    (void)challenge;
    return response.len == 0 ? SASL_DONE : server_fail(s, SASL_MALFORMED);
}

struct final {
    struct slice bare;    /* all before ",p=": the last part of AuthMessage */
    struct slice binding; /* base64 */
    struct slice nonce, proof;
};

/* c= "," r= ["," extensions] "," p= */
static bool take_final(struct slice message, struct final *out)
{
    struct cursor c = {message};
    struct final got;
    size_t comma = slice_rfind(message, ',');

    got.bare = slice_head(message, comma);
    got.proof = slice_skip(message, comma + 1);
    c.rest = got.bare;
    if (!slice_starts(got.proof, SLICE("p=")) || !slice_starts(c.rest, SLICE("c=")))
        return false;
    got.proof = slice_skip(got.proof, 2);
    c.rest = slice_skip(c.rest, 2);
    if (!take_until(&c, ',', &got.binding) || !take_char(&c, ',') ||
        !slice_starts(c.rest, SLICE("r=")))
        return false;
    c.rest = slice_skip(c.rest, 2);
    got.nonce = scram_take_nonce(&c);
    if (!scram_take_extensions(&c))
        return false;
    *out = got;
    return true;
}

/* c= repeats the header, and behind it, where one was agreed on, the channel binding. */
static bool binding_is_right(const struct sasl_server *s, struct slice encoded)
{
    struct buf want, got;

    buf_init(&want, SASL_MESSAGE_MAX + SASL_BINDING_BYTES);
    buf_init(&got, SASL_MESSAGE_MAX);
    buf_append(&want, secret_slice(&s->scram.gs2));
    if (s->mechanism == SASL_SCRAM_SHA_256_PLUS)
        buf_append(&want, secret_slice(&s->binding));
    bool right = base64_decode(&got, encoded) && secret_equal(buf_slice(&want), buf_slice(&got));
    buf_done(&want);
    buf_done(&got);
    return right;
}

/* H(proof XOR HMAC(StoredKey, AuthMessage)) = StoredKey */
static bool proof_is_right(const struct sasl_server *s, struct slice auth, struct slice encoded)
{
    unsigned char signature[SCRAM_HASH], hash[SCRAM_HASH];
    const unsigned char *stored = s->scram.keys.stored_key;
    struct buf proof;

    buf_init(&proof, SCRAM_HASH);
    scram_hmac(scram_bytes(stored, SCRAM_HASH), auth, signature);
    bool right = base64_decode(&proof, encoded) && buf_len(&proof) == SCRAM_HASH;
    for (size_t i = 0; i < SCRAM_HASH; i++)
        signature[i] ^= right ? (unsigned char)buf_slice(&proof).data[i] : 0;
    scram_sha256(scram_bytes(signature, SCRAM_HASH), hash);
    right = CRYPTO_memcmp(hash, stored, SCRAM_HASH) == 0 && right;
    OPENSSL_cleanse(signature, sizeof(signature)); /* the client's key */
    buf_done(&proof);
    return right;
}

static enum sasl_need judge(struct sasl_server *s, const struct final *final, struct buf *challenge)
{
    unsigned char signature[SCRAM_HASH];
    struct buf auth, text;

    buf_init(&auth, 3 * SASL_MESSAGE_MAX);
    buf_init(&text, SASL_MESSAGE_MAX);
    buf_append(&auth, secret_slice(&s->scram.said));
    buf_append_char(&auth, ',');
    buf_append(&auth, final->bare);
    bool right = proof_is_right(s, buf_slice(&auth), final->proof);
    scram_hmac(scram_bytes(s->scram.keys.server_key, SCRAM_HASH), buf_slice(&auth), signature);
    buf_append(&text, SLICE("v="));
    base64_encode(&text, scram_bytes(signature, SCRAM_HASH));
    enum sasl_need need = !s->scram.known ? server_fail(s, SASL_UNKNOWN_USER)
                          : !right        ? server_fail(s, SASL_BAD_PROOF)
                                          : server_send(s, challenge, buf_slice(&text), finished);
    buf_done(&auth);
    buf_done(&text);
    return need;
}

static enum sasl_need client_final(struct sasl_server *s, struct slice response,
                                   struct buf *challenge)
{
    struct final final;

    if (!take_final(response, &final) || !utf8_valid(response))
        return server_fail(s, SASL_MALFORMED);
    if (!slice_equal(final.nonce, secret_slice(&s->scram.nonce)))
        return server_fail(s, SASL_BAD_NONCE);
    if (!binding_is_right(s, final.binding))
        return server_fail(s, SASL_BAD_BINDING);
    return judge(s, &final, challenge);
}

static enum sasl_need server_first(struct sasl_server *s, struct slice response,
                                   struct buf *challenge)
{
    const struct scram_keys *keys = &s->scram.keys;
    struct buf text, said;

    (void)response;
    buf_init(&text, SASL_MESSAGE_MAX);
    buf_init(&said, 2 * SASL_MESSAGE_MAX);
    buf_append(&text, SLICE("r="));
    buf_append(&text, secret_slice(&s->scram.nonce));
    buf_append(&text, SLICE(",s="));
    base64_encode(&text, scram_bytes(keys->salt, keys->salt_len));
    buf_printf(&text, ",i=%u", keys->iterations);
    buf_append(&said, secret_slice(&s->scram.said));
    buf_append_char(&said, ',');
    buf_append(&said, buf_slice(&text));
    secret_set(&s->scram.said, buf_slice(&said));
    enum sasl_need need = server_send(s, challenge, buf_slice(&text), client_final);
    buf_done(&text);
    buf_done(&said);
    return need;
}

static void remember(struct sasl_server *s, const struct gs2 *gs2, struct slice bare,
                     struct slice nonce)
{
    struct buf both;

    secret_set(&s->scram.gs2, gs2->header);
    secret_set(&s->scram.said, bare);
    buf_init(&both, CLIENT_NONCE_MAX + SASL_NONCE_MAX);
    buf_append(&both, nonce);
    buf_append(&both, secret_slice(&s->our_nonce));
    secret_set(&s->scram.nonce, buf_slice(&both));
    buf_done(&both);
}

enum sasl_need server_scram_first(struct sasl_server *s, struct slice response,
                                  struct buf *challenge)
{
    struct cursor c = {response};
    struct slice bare, name, nonce;
    struct gs2 gs2;

    (void)challenge;
    if (!utf8_valid(response) || !gs2_take(&c, &gs2))
        return server_fail(s, SASL_MALFORMED);
    bare = c.rest;
    /* m= would stand before the name: an extension that we would have to understand. */
    if (!take_char(&c, 'n') || !take_char(&c, '=') || !take_until(&c, ',', &name) ||
        !take_char(&c, ',') || !take_char(&c, 'r') || !take_char(&c, '='))
        return server_fail(s, SASL_MALFORMED);
    nonce = scram_take_nonce(&c);
    if (nonce.len == 0 || nonce.len > CLIENT_NONCE_MAX || !scram_take_extensions(&c))
        return server_fail(s, SASL_MALFORMED);
    enum sasl_failure binding = judge_binding(s, gs2.binding);
    if (binding != SASL_NO_FAILURE)
        return server_fail(s, binding);
    if (!take_name(s, name))
        return server_fail(s, SASL_BAD_NAME);
    if (!server_gs2_authzid_is(gs2.authzid, secret_slice(&s->user)))
        return server_fail(s, SASL_OTHER_AUTHZID);
    remember(s, &gs2, bare, nonce);
    s->next = server_first;
    return SASL_WANTS_KEYS;
}
