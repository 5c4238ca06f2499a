/*
 * client.h - the client's side of one SASL exchange, as an engine.
 *
 * The courier and `send` prove with it who they are. It eats challenges (out of base64) and emits
 * responses. Which mechanism to take says sasl_choose() in mechanism.h.
 *
 *     c = sasl_client_new(mechanism, &settings);
 *     if (sasl_client_first(c, &response)) send it with AUTH, "=" when it is empty
 *     for each challenge: sasl_client_step(c, challenge, &response)
 *     when the server says 235: sasl_client_finish(c), else nobody knows who said it
 *
 * RFCs as in server.h.
 */
#ifndef SASL_CLIENT_H
#define SASL_CLIENT_H

#include "sasl/mechanism.h"

enum sasl_client_need {
    SASL_CLIENT_SEND,       /* `response` to the server, which may be empty */
    SASL_CLIENT_WANTS_HASH, /* sasl_client_hash(), which is slow; then step with SLICE("") */
    SASL_CLIENT_STOPS,      /* send "*", or close; trouble() says why */
};

enum sasl_trouble {
    SASL_NO_TROUBLE,
    SASL_BAD_CHALLENGE, /* not what the mechanism's grammar says */
    SASL_BAD_SECRET,    /* our own name or password cannot be used: SASLprep refuses it */
    SASL_FOREIGN_NONCE, /* the server's nonce does not begin with ours */
    SASL_WEAK_HASH,     /* fewer than SCRAM_ITERATIONS_MIN */
    SASL_COSTLY_HASH,   /* more than SCRAM_ITERATIONS_MAX */
    SASL_FALSE_SERVER,  /* it does not know our password: its signature is wrong or missing */
    SASL_SERVER_ERROR,  /* it said so itself: sasl_client_server_error() */
    SASL_TOO_MANY,      /* more challenges than the mechanism has */
};

/* Copied by sasl_client_new(). What a mechanism does not use may be empty. */
struct sasl_client_settings {
    struct slice user;            /* EXTERNAL: "" lets the certificate speak */
    struct slice secret;          /* password or token, as the mechanism takes it */
    struct slice host;            /* OAUTHBEARER: the server's name as the user wrote it, or "" */
    unsigned port;                /* 0: not told */
    struct slice channel_binding; /* tls-exporter, SASL_BINDING_BYTES; "": there is none */
    bool plus_offered;            /* the server's list had SCRAM-SHA-256-PLUS */
    struct slice nonce;           /* SCRAM: as in server.h */
};

struct sasl_client;

struct sasl_client *sasl_client_new(enum sasl_mechanism mechanism,
                                    const struct sasl_client_settings *settings);
void sasl_client_free(struct sasl_client *c); /* NULL is fine */

/* Appends the initial response. False: this mechanism has none (LOGIN), or our name or secret
 * cannot be used, which then the first step says: the server's challenge comes first. */
bool sasl_client_first(struct sasl_client *c, struct buf *response);

/* Appends to `response`, which needs room for SASL_MESSAGE_MAX, only with SASL_CLIENT_SEND. */
enum sasl_client_need sasl_client_step(struct sasl_client *c, struct slice challenge,
                                       struct buf *response);

/* At SASL_CLIENT_WANTS_HASH: SCRAM's PBKDF2, at most SCRAM_ITERATIONS_MAX, under half a second. It
 * touches nothing but this client, so it may run on a worker while nobody else touches it. */
void sasl_client_hash(struct sasl_client *c);

/* The server says that all is well. False when the mechanism does not think so: SCRAM without the
 * server's signature, SASL_FALSE_SERVER. */
bool sasl_client_finish(struct sasl_client *c);

enum sasl_trouble sasl_client_trouble(const struct sasl_client *c);
struct slice sasl_trouble_text(enum sasl_trouble trouble);

/* What the server said about its refusal: SCRAM's e=, or the JSON of a token. Raw; escape it. "":
 * nothing. At most 1024 bytes, lives as long as the client. */
struct slice sasl_client_server_error(const struct sasl_client *c);

#endif
