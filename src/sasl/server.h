/*
 * server.h - the server's side of one SASL exchange, as an engine.
 *
 * ARCHITECTURE section 4. It eats the client's responses (already out of base64), emits challenges
 * and stops with one need. It never waits, hashes nothing slow and knows no socket, disk or clock;
 * so it runs in the vault, on the loop, while hashes run on workers.
 *
 *     s = sasl_server_new(mechanism, &settings);
 *     need = initial ? sasl_server_step(s, *initial, &challenge) : sasl_server_begin(s,
 * &challenge); while (need is neither SASL_DONE nor SASL_FAILED) fulfil it, and sasl_server_step()
 * again
 *
 * Base64, "=" for an empty initial response and "*" are SMTP's affair (RFC 4954 4): a cancelled
 * exchange is freed.
 *
 * RFC 4422, 4616 PLAIN, 5802, 7677 SCRAM-SHA-256, 9266 tls-exporter, 7628 OAUTHBEARER, 4013
 * SASLprep; drafts of LOGIN and XOAUTH2.
 *
 * Names are prepared by SASLprep and at most SASL_NAME_MAX bytes, so neither a control character
 * nor NUL comes out of here in a name. Secrets are wiped as soon as they were judged.
 */
#ifndef SASL_SERVER_H
#define SASL_SERVER_H

#include "sasl/mechanism.h"
#include "sasl/scram.h"

enum sasl_need {
    SASL_SEND,           /* `challenge` to the client; step with its response */
    SASL_WANTS_PASSWORD, /* does user() have the password secret()? sasl_server_password() */
    SASL_WANTS_KEYS,     /* the SCRAM keys of user(): sasl_server_keys() */
    SASL_WANTS_TOKEN,    /* whose is the bearer token secret()? sasl_server_token() */
    SASL_DONE,           /* user() has proved who it is */
    SASL_FAILED,         /* failure() says why, for the log only: people get one text for all */
};

enum sasl_failure {
    SASL_NO_FAILURE,
    SASL_MALFORMED,      /* not what the mechanism's grammar says, or not UTF-8 */
    SASL_BAD_NAME,       /* forbidden characters, empty or too long */
    SASL_BAD_PASSWORD,   /* PLAIN, LOGIN: wrong, or there is no such user */
    SASL_UNKNOWN_USER,   /* SCRAM: there were no keys */
    SASL_BAD_PROOF,      /* SCRAM: the password is wrong */
    SASL_BAD_NONCE,      /* SCRAM: an answer to another challenge */
    SASL_BAD_BINDING,    /* SCRAM: somebody stands between client and server, or none here */
    SASL_DOWNGRADED,     /* SCRAM: the client did not see -PLUS in a list that had it */
    SASL_OTHER_AUTHZID,  /* wants to act for somebody else */
    SASL_BAD_TOKEN,      /* expired, revoked, or of another user */
    SASL_NO_CERTIFICATE, /* EXTERNAL: the connection brought none that is known */
};

/* Copied by sasl_server_new(). What a mechanism does not use may be empty. */
struct sasl_server_settings {
    struct slice channel_binding;  /* tls-exporter, SASL_BINDING_BYTES; "": there is none */
    bool plus_offered;             /* the list of mechanisms had SCRAM-SHA-256-PLUS */
    struct slice certificate_user; /* EXTERNAL: whom the certificate of this connection names */
    struct slice nonce;            /* SCRAM: chance, SASL_NONCE_MIN to _MAX printable characters but
                                      no comma: base64 of 18 random bytes is fine */
    struct slice fake_secret;      /* SCRAM: for scram_keys_fake(); the same as long as possible */
    unsigned fake_iterations;      /* 0: SCRAM_ITERATIONS_MIN; what most accounts have */
};

struct sasl_server;

struct sasl_server *sasl_server_new(enum sasl_mechanism mechanism,
                                    const struct sasl_server_settings *settings);
void sasl_server_free(struct sasl_server *s); /* NULL is fine */

/* The client sent no initial response. Appends the first challenge, which may be empty. */
enum sasl_need sasl_server_begin(struct sasl_server *s, struct buf *challenge);

/* A response (longer than SASL_MESSAGE_MAX: malformed), or SLICE("") after an answer to a need.
 * Appends to `challenge`, which needs room for SASL_MESSAGE_MAX, only with SASL_SEND. After
 * SASL_DONE or SASL_FAILED it says the same again. */
enum sasl_need sasl_server_step(struct sasl_server *s, struct slice response,
                                struct buf *challenge);

/* At SASL_WANTS_PASSWORD. For an unknown user run the same hash (sasl/password.h), then false. */
void sasl_server_password(struct sasl_server *s, bool good);

/* At SASL_WANTS_KEYS. NULL: there is no such user, or it has no keys; the exchange goes on with
 * fakes and fails at its end, by the same way. Copied. */
void sasl_server_keys(struct sasl_server *s, const struct scram_keys *keys);

/* At SASL_WANTS_TOKEN: the account that the token stands for, NULL when it is good for none. */
void sasl_server_token(struct sasl_server *s, const struct slice *user);

/* The user's name: at SASL_DONE the proven one; before, and at SASL_FAILED, what the client says
 * or "". Lives until the next step. */
struct slice sasl_server_user(const struct sasl_server *s);

/* At SASL_WANTS_PASSWORD the password as it was sent, UTF-8 without controls, at most
 * SASL_PASSWORD_MAX; at SASL_WANTS_TOKEN the token. Until that need is answered; else "". */
struct slice sasl_server_secret(const struct sasl_server *s);

enum sasl_failure sasl_server_failure(const struct sasl_server *s);

/* "wrong password", ... */
struct slice sasl_failure_text(enum sasl_failure failure);

#endif
