/*
 * server_internal.h - what the files of the server's side share.
 */
#ifndef SASL_SERVER_INTERNAL_H
#define SASL_SERVER_INTERNAL_H

#include "sasl/secret.h"
#include "sasl/server.h"

/* Of SCRAM, between its messages. */
struct scram_dialog {
    struct scram_keys keys;
    bool known;          /* the keys are a user's, not fakes */
    struct secret gs2;   /* the client's header: c= must repeat it */
    struct secret nonce; /* the client's and ours */
    struct secret said;  /* client-first-bare "," server-first: the first part of AuthMessage */
};

struct sasl_server {
    enum sasl_mechanism mechanism;
    enum sasl_need need; /* of the last step; a need that was answered is SASL_SEND */
    enum sasl_failure failure;
    /* What eats the next response. */
    enum sasl_need (*next)(struct sasl_server *s, struct slice response, struct buf *challenge);
    struct secret user, secret;
    bool good;           /* the password was right */
    bool has_token_user; /* the token is somebody's: token_user */
    struct secret token_user;
    struct scram_dialog scram;

    /* The settings. */
    struct secret binding, certificate_user, our_nonce, fake_secret;
    unsigned fake_iterations;
    bool plus_offered;
};

enum sasl_need server_fail(struct sasl_server *s, enum sasl_failure why);

/* The challenge is at most SASL_MESSAGE_MAX, so it fits. */
enum sasl_need server_send(struct sasl_server *s, struct buf *challenge, struct slice text,
                           enum sasl_need (*next)(struct sasl_server *s, struct slice response,
                                                  struct buf *challenge));

/* The name a client gives itself -> user, prepared. */
bool server_take_user(struct sasl_server *s, struct slice name);

/* Nobody acts for others: authzid, prepared, is "" or user. */
bool server_authzid_is(struct slice authzid, struct slice user);

/* The same of a header's a=, as it is written there. */
bool server_gs2_authzid_is(struct slice written, struct slice user);

/* server_scram.c, server_token.c */
enum sasl_need server_scram_first(struct sasl_server *s, struct slice response,
                                  struct buf *challenge);
enum sasl_need server_oauthbearer(struct sasl_server *s, struct slice response,
                                  struct buf *challenge);
enum sasl_need server_xoauth2(struct sasl_server *s, struct slice response, struct buf *challenge);

#endif
