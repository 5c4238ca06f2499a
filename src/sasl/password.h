/*
 * password.h - stored passwords: {SCHEME}hash, as in Dovecot's passwd-file.
 *
 *     {CRYPT}$y$...  {BLF-CRYPT}$2y$...  {SHA512-CRYPT}$6$...   libxcrypt: yescrypt, bcrypt, ...
 *     {ARGON2ID}$argon2id$...                                   libsodium
 *     {SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey        sasl/scram.h
 *     {PLAIN}text                                               for tests and first steps
 *
 * Without {SCHEME}, what begins with "$" is {CRYPT} or {ARGON2ID}. Scheme names fold case; those
 * of PBKDF2, MD5, SHA1 and their like are not taken: an account with one cannot log in.
 *
 * The functions that hash are slow on purpose (20-100 ms) and touch nothing shared: run them on a
 * worker.
 */
#ifndef SASL_PASSWORD_H
#define SASL_PASSWORD_H

#include "base/buf.h"

enum password_scheme {
    PASSWORD_UNKNOWN, /* not a scheme that is known, or its text is malformed */
    PASSWORD_PLAIN,
    PASSWORD_CRYPT, /* every hash that libxcrypt still thinks strong enough */
    PASSWORD_ARGON2ID,
    PASSWORD_SCRAM_SHA_256,
};

enum { PASSWORD_STORED_MAX = 512, PASSWORD_SALT_BYTES = 16 };

/* Quick: which scheme a stored password has, for `config check`. */
enum password_scheme password_scheme_of(struct slice stored);

/* Slow. Is it this password? What somebody types is compared as SASLprep prepares it and, where
 * that differs, as it came, because hashes made elsewhere know nothing of SASLprep. An empty
 * password is always wrong. */
bool password_verify(struct slice stored, struct slice password);

/* Slow: an unknown user costs what a known one does. `like`: the stored password of any account,
 * chosen with password_stand_in(); "" (there is no account): the hash that password_make() makes.
 */
void password_burn(struct slice like, struct slice password);

/* Which of `count` accounts lends its hash to an unknown user: always the same for the same name,
 * so that asking twice tells nothing even where accounts have different schemes. count > 0. ASCII
 * case of the name does not matter. */
size_t password_stand_in(struct slice secret, struct slice user, size_t count);

/* Slow: appends "{CRYPT}$y$..." for a new password. `salt`: PASSWORD_SALT_BYTES of chance. False
 * when SASLprep refuses the password, it is too long, or out is full. */
bool password_make(struct buf *out, struct slice password, struct slice salt);

/* Slow: the same as "{SCRAM-SHA-256}...". */
bool password_make_scram(struct buf *out, struct slice password, struct slice salt,
                         unsigned iterations);

#endif
