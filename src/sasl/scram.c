/*
 * scram.c - SCRAM's keys.
 *
 *     SaltedPassword = PBKDF2-HMAC-SHA-256(SASLprep(password), salt, iterations)
 *     ClientKey      = HMAC(SaltedPassword, "Client Key")
 *     StoredKey      = SHA-256(ClientKey)
 *     ServerKey      = HMAC(SaltedPassword, "Server Key")
 */
#include "sasl/scram_internal.h"

#include "base/codec.h"
#include "sasl/prep.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

/* These fail only when memory runs out or the library is not itself: the role ends. */
void scram_hmac(struct slice key, struct slice text, unsigned char out[SCRAM_HASH])
{
    unsigned len = 0;
    const unsigned char *got =
        HMAC(EVP_sha256(), key.data == NULL ? "" : key.data, (int)key.len,
             (const unsigned char *)(text.data == NULL ? "" : text.data), text.len, out, &len);

    assert(got != NULL && len == SCRAM_HASH);
}

void scram_sha256(struct slice bytes, unsigned char out[SCRAM_HASH])
{
    unsigned len = 0;
    int done = EVP_Digest(bytes.data, bytes.len, out, &len, EVP_sha256(), NULL);

    assert(done == 1 && len == SCRAM_HASH);
}

struct slice scram_bytes(const unsigned char *bytes, size_t len)
{
    return (struct slice){(const char *)bytes, len};
}

void scram_salted(struct slice prepared, struct slice salt, unsigned iterations,
                  unsigned char out[SCRAM_HASH])
{
    int done = PKCS5_PBKDF2_HMAC(prepared.data, (int)prepared.len, (const unsigned char *)salt.data,
                                 (int)salt.len, (int)iterations, EVP_sha256(), SCRAM_HASH, out);

    assert(done == 1);
}

void scram_derive(const unsigned char salted[SCRAM_HASH], unsigned char client_key[SCRAM_HASH],
                  unsigned char stored_key[SCRAM_HASH], unsigned char server_key[SCRAM_HASH])
{
    struct slice key = scram_bytes(salted, SCRAM_HASH);

    scram_hmac(key, SLICE("Client Key"), client_key);
    scram_sha256(scram_bytes(client_key, SCRAM_HASH), stored_key);
    scram_hmac(key, SLICE("Server Key"), server_key);
}

bool scram_keys_make(struct slice password, struct slice salt, unsigned iterations,
                     struct scram_keys *out)
{
    unsigned char salted[SCRAM_HASH], client_key[SCRAM_HASH];
    struct secret prepared = {0};

    assert(salt.len > 0 && salt.len <= SCRAM_SALT_MAX && iterations > 0);
    if (!sasl_prep(password, PREP_STORED, &prepared))
        return false;
    *out = (struct scram_keys){.iterations = iterations, .salt_len = salt.len};
    memcpy(out->salt, salt.data, salt.len);
    scram_salted(secret_slice(&prepared), salt, iterations, salted);
    scram_derive(salted, client_key, out->stored_key, out->server_key);
    OPENSSL_cleanse(salted, sizeof(salted));
    OPENSSL_cleanse(client_key, sizeof(client_key));
    secret_wipe(&prepared);
    return true;
}

/* base64, up to a comma or the end, of at least 1 and at most `max` bytes. */
static bool take_base64(struct cursor *c, unsigned char *out, size_t max, size_t *len)
{
    struct slice text;
    struct buf bytes;

    if (!take_until(c, ',', &text)) {
        text = c->rest;
        c->rest = slice_skip(c->rest, c->rest.len);
    }
    buf_init(&bytes, max);
    bool good = base64_decode(&bytes, text) && buf_len(&bytes) > 0;
    *len = buf_len(&bytes);
    if (good)
        memcpy(out, buf_slice(&bytes).data, *len);
    if (bytes.data != NULL)
        OPENSSL_cleanse(bytes.data, bytes.cap);
    buf_done(&bytes);
    return good;
}

bool scram_take_iterations(struct cursor *c, unsigned *out)
{
    uint64_t n;
    int first = cursor_peek(c);

    if (first == '0' || !take_number(c, &n) || n > UINT32_MAX)
        return false;
    *out = (unsigned)n;
    return true;
}

static bool is_nonce_char(char c)
{
    return c > ' ' && c <= '~' && c != ',';
}

struct slice scram_take_nonce(struct cursor *c)
{
    return take_while(c, is_nonce_char);
}

static bool is_value_char(char c)
{
    return c != ',' && c != 0;
}

bool scram_take_extensions(struct cursor *c)
{
    char name;

    while (take_char(c, ','))
        if (!take_any(c, &name) || byte_lower(name) < 'a' || byte_lower(name) > 'z' ||
            name == 'm' || !take_char(c, '=') || take_while(c, is_value_char).len == 0)
            return false;
    return cursor_at_end(c);
}

bool scram_keys_parse(struct slice text, struct scram_keys *out)
{
    struct cursor c = {text};
    struct scram_keys got = {0};
    size_t stored = 0, server = 0;

    if (!scram_take_iterations(&c, &got.iterations) || got.iterations > SCRAM_ITERATIONS_MAX ||
        !take_char(&c, ',') || !take_base64(&c, got.salt, sizeof(got.salt), &got.salt_len) ||
        !take_char(&c, ',') || !take_base64(&c, got.stored_key, SCRAM_HASH, &stored) ||
        stored != SCRAM_HASH || !take_char(&c, ',') ||
        !take_base64(&c, got.server_key, SCRAM_HASH, &server) || server != SCRAM_HASH ||
        !cursor_at_end(&c))
        return false;
    *out = got;
    OPENSSL_cleanse(&got, sizeof(got));
    return true;
}

bool scram_keys_write(struct buf *out, const struct scram_keys *keys)
{
    size_t start = buf_len(out);

    if (buf_printf(out, "%u,", keys->iterations) &&
        base64_encode(out, scram_bytes(keys->salt, keys->salt_len)) && buf_append_char(out, ',') &&
        base64_encode(out, scram_bytes(keys->stored_key, SCRAM_HASH)) &&
        buf_append_char(out, ',') && base64_encode(out, scram_bytes(keys->server_key, SCRAM_HASH)))
        return true;
    buf_truncate(out, start);
    return false;
}

void scram_about(struct slice secret, struct slice purpose, struct slice user,
                 unsigned char out[SCRAM_HASH])
{
    char name[SASL_NAME_MAX];
    size_t len = user.len > SASL_NAME_MAX ? SASL_NAME_MAX : user.len;
    struct buf text;

    for (size_t i = 0; i < len; i++)
        name[i] = byte_lower(user.data[i]);
    buf_init(&text, 2 * SASL_NAME_MAX);
    buf_append(&text, purpose);
    buf_append_char(&text, 0);
    buf_append(&text, (struct slice){name, len});
    scram_hmac(secret, buf_slice(&text), out);
    buf_done(&text);
}

void scram_keys_fake(struct slice secret, struct slice user, unsigned iterations,
                     struct scram_keys *out)
{
    unsigned char salt[SCRAM_HASH];

    *out = (struct scram_keys){.iterations = iterations, .salt_len = SCRAM_SALT_BYTES};
    scram_about(secret, SLICE("salt"), user, salt);
    memcpy(out->salt, salt, SCRAM_SALT_BYTES);
    scram_about(secret, SLICE("stored key"), user, out->stored_key);
    scram_about(secret, SLICE("server key"), user, out->server_key);
}
