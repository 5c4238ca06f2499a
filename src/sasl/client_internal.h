/*
 * client_internal.h - what the files of the client's side share.
 */
#ifndef SASL_CLIENT_INTERNAL_H
#define SASL_CLIENT_INTERNAL_H

#include "sasl/client.h"
#include "sasl/scram.h"
#include "sasl/secret.h"

struct sasl_client {
    enum sasl_mechanism mechanism;
    enum sasl_trouble trouble;
    bool finished; /* the mechanism has nothing more to say or to hear */
    /* What eats the next challenge. */
    enum sasl_client_need (*next)(struct sasl_client *c, struct slice challenge,
                                  struct buf *response);
    struct secret server_error;

    /* Of SCRAM: client-first-bare and server-first; the whole nonce; what the hash is made of. */
    struct secret first_bare, server_first, both_nonces, salt, prepared;
    unsigned iterations;
    bool hashed; /* salted is the SaltedPassword */
    unsigned char salted[SCRAM_HASH], server_signature[SCRAM_HASH];

    /* The settings. */
    struct secret user, secret, host, binding, our_nonce;
    unsigned port;
    bool plus_offered;
};

enum sasl_client_need client_stop(struct sasl_client *c, enum sasl_trouble why);

/* Keeps what the server says about its refusal; a part of it when it is long. */
void client_keep_error(struct sasl_client *c, struct slice text);

/* client_scram.c: the first message; the rest goes by `next`. */
enum sasl_client_need client_scram_first(struct sasl_client *c, struct slice challenge,
                                         struct buf *response);

#endif
