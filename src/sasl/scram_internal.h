/*
 * scram_internal.h - what both sides of SCRAM compute, and how its messages are read. RFC 5802.
 */
#ifndef SASL_SCRAM_INTERNAL_H
#define SASL_SCRAM_INTERNAL_H

#include "base/cursor.h"
#include "sasl/mechanism.h"
#include "sasl/scram.h"

void scram_hmac(struct slice key, struct slice text, unsigned char out[SCRAM_HASH]);
void scram_sha256(struct slice bytes, unsigned char out[SCRAM_HASH]);
struct slice scram_bytes(const unsigned char *bytes, size_t len);

/* SaltedPassword; slow. */
void scram_salted(struct slice prepared, struct slice salt, unsigned iterations,
                  unsigned char out[SCRAM_HASH]);

void scram_derive(const unsigned char salted[SCRAM_HASH], unsigned char client_key[SCRAM_HASH],
                  unsigned char stored_key[SCRAM_HASH], unsigned char server_key[SCRAM_HASH]);

/* Chance that hangs on a name: HMAC(secret, purpose NUL user in lower case). */
void scram_about(struct slice secret, struct slice purpose, struct slice user,
                 unsigned char out[SCRAM_HASH]);

/* posit-number: no leading zero. */
bool scram_take_iterations(struct cursor *c, unsigned *out);

/* Printable ASCII but for the comma; may be empty. */
struct slice scram_take_nonce(struct cursor *c);

/* *("," attr-val), to the end. False for m=, which whoever does not understand it must refuse, and
 * for what is no attribute. */
bool scram_take_extensions(struct cursor *c);

#endif
