/*
 * scram.h - the keys of SCRAM-SHA-256. RFC 5802 3, RFC 7677.
 *
 * As text they are what Dovecot keeps behind {SCRAM-SHA-256}:
 *
 *     4096,base64(salt),base64(StoredKey),base64(ServerKey)
 */
#ifndef SASL_SCRAM_H
#define SASL_SCRAM_H

#include "base/buf.h"

enum {
    SCRAM_HASH = 32, /* SHA-256 */
    SCRAM_SALT_BYTES = 16,
    SCRAM_SALT_MAX = 64,
    SCRAM_ITERATIONS_MIN = 4096, /* RFC 7677 4 */
    SCRAM_ITERATIONS_MAX = 1000000,
    SCRAM_KEYS_TEXT_MAX = 256,
};

/* Who knows them can play the server, and no more; wipe them all the same. */
struct scram_keys {
    unsigned iterations;
    unsigned char salt[SCRAM_SALT_MAX];
    size_t salt_len;
    unsigned char stored_key[SCRAM_HASH], server_key[SCRAM_HASH];
};

/* Slow on purpose (about a millisecond for 4096 iterations): for a worker. The password is
 * prepared (PREP_STORED); false when it cannot be. 1 <= salt.len <= SCRAM_SALT_MAX. */
bool scram_keys_make(struct slice password, struct slice salt, unsigned iterations,
                     struct scram_keys *out);

/* False: not in this form, or limits passed. *out is set only on success. */
bool scram_keys_parse(struct slice text, struct scram_keys *out);
bool scram_keys_write(struct buf *out, const struct scram_keys *keys);

/* Keys for a user that there is not: salt and iterations that look like the others' and are the
 * same whenever somebody asks, keys that nobody has a password for. RFC 5802 5.1 (salt), SECURITY
 * threat 20. ASCII case of the name does not matter. */
void scram_keys_fake(struct slice secret, struct slice user, unsigned iterations,
                     struct scram_keys *out);

#endif
