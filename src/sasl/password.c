/*
 * password.c - one table of schemes, and the same work for everybody.
 *
 * password_verify() is where a known user costs time, password_burn() where an unknown one does:
 * the second is the first with another account's hash and the answer thrown away. So both enter
 * the same KDF with the same cost and the same password, whatever schemes the file holds, and a
 * name always meets the same hash. What differs is only how the caller found the account.
 *
 * The two forms of a password (as it came, and prepared) are both hashed where they differ, also
 * when the first already fits: time depends on what the client typed, not on what is stored.
 *
 * An account whose stored password is none ("{CRYPT}*", a scheme that is not known) costs what a
 * default hash does, and is refused: that it is there must not show either.
 *
 * yescrypt is what Debian's login uses; its cost comes from libxcrypt's default ("5": 16 MiB and
 * some tens of milliseconds). argon2id hashes come from elsewhere and are only verified.
 */
#include "sasl/password.h"

#include "base/cursor.h"
#include "base/memory.h"
#include "sasl/mechanism.h"
#include "sasl/prep.h"
#include "sasl/scram.h"
#include "sasl/scram_internal.h"

#include <assert.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <sodium.h>
#include <string.h>

/* What password_make() makes; hashed where there is nothing else to hash. */
#define STAND_IN "$y$j9T$......................$oCkJQ4VqrRtlYonaZlrZ7efw93GPiYbUn.9WWdruzcC"

static const struct {
    struct slice name;
    enum password_scheme scheme;
} schemes[] = {
    {SLICE_INIT("PLAIN"),         PASSWORD_PLAIN        },
    {SLICE_INIT("CLEARTEXT"),     PASSWORD_PLAIN        },
    {SLICE_INIT("CRYPT"),         PASSWORD_CRYPT        },
    {SLICE_INIT("BLF-CRYPT"),     PASSWORD_CRYPT        },
    {SLICE_INIT("SHA256-CRYPT"),  PASSWORD_CRYPT        },
    {SLICE_INIT("SHA512-CRYPT"),  PASSWORD_CRYPT        },
    {SLICE_INIT("ARGON2ID"),      PASSWORD_ARGON2ID     },
    {SLICE_INIT("SCRAM-SHA-256"), PASSWORD_SCRAM_SHA_256},
};

/* Of crypt(5), those that Dovecot's names mean and that take time: no DES, no MD5. */
static const struct slice crypt_prefixes[] = {
    SLICE_INIT("$y$"),  SLICE_INIT("$gy$"), SLICE_INIT("$7$"), SLICE_INIT("$2a$"),
    SLICE_INIT("$2b$"), SLICE_INIT("$2y$"), SLICE_INIT("$6$"), SLICE_INIT("$5$"),
};

static bool is_crypt(struct slice hash)
{
    for (size_t i = 0; i < sizeof(crypt_prefixes) / sizeof(*crypt_prefixes); i++)
        if (slice_starts(hash, crypt_prefixes[i]))
            return true;
    return false;
}

static bool is_argon2id(struct slice hash)
{
    return slice_starts(hash, SLICE("$argon2id$"));
}

/* "{SCHEME}hash" */
static bool split(struct slice stored, struct slice *name, struct slice *hash)
{
    struct cursor c = {stored};

    *name = SLICE("");
    if (take_char(&c, '{') && (!take_until(&c, '}', name) || !take_char(&c, '}')))
        return false;
    *hash = c.rest;
    return true;
}

static bool is_clean(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] <= ' ' || s.data[i] > '~')
            return false;
    return s.len > 0;
}

static enum password_scheme judge(enum password_scheme scheme, struct slice hash)
{
    struct scram_keys keys;
    bool good = false;

    switch (scheme) {
    case PASSWORD_UNKNOWN: break;
    case PASSWORD_PLAIN: good = hash.len > 0; break;
    case PASSWORD_CRYPT: good = is_clean(hash) && is_crypt(hash); break;
    case PASSWORD_ARGON2ID: good = is_clean(hash) && is_argon2id(hash); break;
    case PASSWORD_SCRAM_SHA_256:
        good = scram_keys_parse(hash, &keys);
        OPENSSL_cleanse(&keys, sizeof(keys));
        break;
    }
    return good ? scheme : PASSWORD_UNKNOWN;
}

/* The hash itself goes to *hash. */
static enum password_scheme scheme_of(struct slice stored, struct slice *hash)
{
    struct slice name;

    if (stored.len > PASSWORD_STORED_MAX || slice_find(stored, 0) != stored.len ||
        !split(stored, &name, hash))
        return PASSWORD_UNKNOWN;
    if (name.len == 0)
        return judge(is_argon2id(*hash) ? PASSWORD_ARGON2ID : PASSWORD_CRYPT, *hash);
    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
        if (slice_equal_nocase(name, schemes[i].name))
            /* {CRYPT}$argon2id$ is nothing that libxcrypt knows, and yet it is plain what is meant.
             */
            return judge(schemes[i].scheme == PASSWORD_CRYPT && is_argon2id(*hash)
                             ? PASSWORD_ARGON2ID
                             : schemes[i].scheme,
                         *hash);
    return PASSWORD_UNKNOWN;
}

enum password_scheme password_scheme_of(struct slice stored)
{
    struct slice hash;

    return scheme_of(stored, &hash);
}

/* NUL-terminated, for C libraries; wiped by scratch_free(). */
struct scratch {
    char hash[PASSWORD_STORED_MAX + 1];
    char password[SASL_PASSWORD_MAX + 1];
    struct crypt_data crypt; /* 32 KiB: too much for the stack of a worker */
};

static struct scratch *scratch_new(struct slice hash, struct slice password)
{
    struct scratch *s = MEMORY_NEW(struct scratch);

    memcpy(s->hash, hash.data, hash.len);
    memcpy(s->password, password.data, password.len);
    return s;
}

static void scratch_free(struct scratch *s)
{
    OPENSSL_cleanse(s, sizeof(*s));
    memory_free(s);
}

/* A hash that libxcrypt does not take (its result then begins with "*") equals nothing. */
static bool crypt_fits(struct slice hash, struct slice password)
{
    struct scratch *s = scratch_new(hash, password);
    const char *got = crypt_r(s->password, s->hash, &s->crypt);
    bool fits = got != NULL && got[0] != '*' && secret_equal(slice_of(got), hash);

    scratch_free(s);
    return fits;
}

static bool argon2id_fits(struct slice hash, struct slice password)
{
    char text[crypto_pwhash_argon2id_STRBYTES] = {0};

    if (hash.len >= sizeof(text) || sodium_init() < 0)
        return false;
    memcpy(text, hash.data, hash.len);
    return crypto_pwhash_argon2id_str_verify(text, password.data, password.len) == 0;
}

static bool scram_fits(struct slice hash, struct slice password)
{
    unsigned char salted[SCRAM_HASH], client_key[SCRAM_HASH], stored[SCRAM_HASH],
        server[SCRAM_HASH];
    struct scram_keys keys;

    if (!scram_keys_parse(hash, &keys))
        return false;
    scram_salted(password, scram_bytes(keys.salt, keys.salt_len), keys.iterations, salted);
    scram_derive(salted, client_key, stored, server);
    bool fits = CRYPTO_memcmp(stored, keys.stored_key, SCRAM_HASH) == 0;
    OPENSSL_cleanse(salted, sizeof(salted));
    OPENSSL_cleanse(client_key, sizeof(client_key));
    OPENSSL_cleanse(server, sizeof(server));
    OPENSSL_cleanse(&keys, sizeof(keys));
    return fits;
}

static bool fits(enum password_scheme scheme, struct slice hash, struct slice password)
{
    switch (scheme) {
    case PASSWORD_UNKNOWN: break;
    case PASSWORD_PLAIN: return secret_equal(hash, password);
    case PASSWORD_CRYPT: return crypt_fits(hash, password);
    case PASSWORD_ARGON2ID: return argon2id_fits(hash, password);
    case PASSWORD_SCRAM_SHA_256: return scram_fits(hash, password);
    }
    return false;
}

bool password_verify(struct slice stored, struct slice password)
{
    struct secret prepared = {0};
    struct slice hash;
    enum password_scheme scheme = scheme_of(stored, &hash);
    bool known = scheme != PASSWORD_UNKNOWN;

    if (!known) {
        scheme = PASSWORD_CRYPT;
        hash = SLICE(STAND_IN);
    }
    /* NUL would end the password for crypt_r(), and the rest could be anything. */
    if (password.len == 0 || password.len > SASL_PASSWORD_MAX ||
        slice_find(password, 0) != password.len)
        return false;
    bool good = fits(scheme, hash, password);
    if (sasl_prep(password, PREP_QUERY, &prepared) && prepared.len <= SASL_PASSWORD_MAX &&
        !slice_equal(secret_slice(&prepared), password))
        good = fits(scheme, hash, secret_slice(&prepared)) || good;
    secret_wipe(&prepared);
    return known && good;
}

void password_burn(struct slice like, struct slice password)
{
    (void)password_verify(like, password);
}

size_t password_stand_in(struct slice secret, struct slice user, size_t count)
{
    unsigned char hash[SCRAM_HASH];
    uint64_t number;

    assert(count > 0);
    scram_about(secret, SLICE("stand-in"), user, hash);
    memcpy(&number, hash, sizeof(number));
    return (size_t)(number % count);
}

static bool prepare_new(struct slice password, struct secret *prepared)
{
    if (!sasl_prep(password, PREP_STORED, prepared))
        return false;
    if (prepared->len <= SASL_PASSWORD_MAX)
        return true;
    secret_wipe(prepared);
    return false;
}

bool password_make(struct buf *out, struct slice password, struct slice salt)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    struct secret prepared = {0};
    size_t start = buf_len(out);

    assert(salt.len == PASSWORD_SALT_BYTES);
    if (!prepare_new(password, &prepared))
        return false;
    const char *made =
        crypt_gensalt_rn("$y$", 0, salt.data, (int)salt.len, setting, sizeof(setting));
    assert(made != NULL);
    struct scratch *s = scratch_new(slice_of(setting), secret_slice(&prepared));
    const char *hash = crypt_r(s->password, s->hash, &s->crypt);
    assert(hash != NULL && hash[0] != '*');
    bool good = buf_append(out, SLICE("{CRYPT}")) && buf_append(out, slice_of(hash));
    if (!good)
        buf_truncate(out, start);
    scratch_free(s);
    secret_wipe(&prepared);
    return good;
}

bool password_make_scram(struct buf *out, struct slice password, struct slice salt,
                         unsigned iterations)
{
    struct scram_keys keys;
    size_t start = buf_len(out);

    if (password.len > SASL_PASSWORD_MAX || !scram_keys_make(password, salt, iterations, &keys))
        return false;
    bool good = buf_append(out, SLICE("{SCRAM-SHA-256}")) && scram_keys_write(out, &keys);
    if (!good)
        buf_truncate(out, start);
    OPENSSL_cleanse(&keys, sizeof(keys));
    return good;
}
