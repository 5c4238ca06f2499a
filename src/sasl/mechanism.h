/*
 * mechanism.h - the names of SASL mechanisms, and which one to use. RFC 4422 3.1.
 *
 * A set of mechanisms is a sum of 1u << enum sasl_mechanism.
 */
#ifndef SASL_MECHANISM_H
#define SASL_MECHANISM_H

#include "base/buf.h"

/* The strongest first: in this order a client prefers them. */
enum sasl_mechanism {
    SASL_EXTERNAL,           /* RFC 4422 appendix A: the certificate of the TLS client */
    SASL_SCRAM_SHA_256_PLUS, /* RFC 7677, bound to the TLS connection by RFC 9266 */
    SASL_SCRAM_SHA_256,      /* RFC 7677, RFC 5802 */
    SASL_OAUTHBEARER,        /* RFC 7628 */
    SASL_XOAUTH2,            /* the same as two big providers had it before */
    SASL_PLAIN,              /* RFC 4616 */
    SASL_LOGIN,              /* draft-murchison-sasl-login */
    SASL_MECHANISM_COUNT
};

enum {
    SASL_MESSAGE_MAX = 12288, /* bytes of a response or challenge, decoded; RFC 4954 4 has 12288
                                 octets of base64 */
    SASL_NAME_MAX = 512,      /* bytes of a user's name, before and after SASLprep */
    SASL_PASSWORD_MAX = 511,  /* bytes of a password; what libxcrypt takes */
    SASL_BINDING_BYTES = 32,  /* tls-exporter, RFC 9266 4.2 */
    SASL_NONCE_MIN = 16,      /* characters */
    SASL_NONCE_MAX = 64,
};

/* "SCRAM-SHA-256-PLUS"; ASCII case is folded. */
bool sasl_mechanism_parse(struct slice name, enum sasl_mechanism *out);
struct slice sasl_mechanism_name(enum sasl_mechanism mechanism);

bool sasl_mechanism_takes_token(enum sasl_mechanism mechanism);

/* Words between blanks (the parameters of the EHLO keyword AUTH); unknown ones are passed over. */
unsigned sasl_mechanisms_parse(struct slice words);

/* The same set as words with a blank between them, strongest first. False when out is full. */
bool sasl_mechanisms_write(struct buf *out, unsigned set);

/* What a client has to prove who it is, and over what. */
struct sasl_means {
    bool password, token, certificate; /* the certificate is already given to TLS */
    bool secret;                       /* nobody listens: TLS, or the user said that it is well */
    bool channel_binding;              /* tls-exporter bytes of this connection are there */
};

/* Those of `offered` that can be used: secrets as they are (PLAIN, LOGIN, tokens) go only over a
 * connection that is secret. */
unsigned sasl_usable(unsigned offered, const struct sasl_means *means);

/* The best of them; false when there is none. */
bool sasl_choose(unsigned offered, const struct sasl_means *means, enum sasl_mechanism *out);

#endif
