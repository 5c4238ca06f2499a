/*
 * login.h - one exchange of SASL between a receiver, which has the client, and the vault, which has
 * the secrets: the bodies of MESSAGE_LOGIN and MESSAGE_LOGIN_ANSWER.
 *
 * The receiver forwards what the client says and learns whom it may believe, nothing else.
 */
#ifndef ROLES_LOGIN_H
#define ROLES_LOGIN_H

#include "base/buf.h"
#include "base/cursor.h"

enum {
    LOGIN_RESPONSE_MAX = 12288,
    LOGIN_CHALLENGE_MAX = 4096,
    LOGIN_NAME_MAX = 512,
    LOGIN_BODY_MAX = LOGIN_RESPONSE_MAX + 1024,
};

enum login_word {
    LOGIN_BEGINS,
    LOGIN_GOES_ON,
    LOGIN_ENDS, /* the client gave up, or is gone */
};

struct login {
    uint64_t number; /* the receiver's, of the exchange */
    enum login_word word;
    struct slice response;
    /* LOGIN_BEGINS: */
    struct slice listener; /* its address in the settings, where it has the same name for ever */
    struct slice mechanism;
    struct slice client;          /* "192.0.2.1": guesses are counted by it */
    struct slice channel_binding; /* tls-exporter; "": in the clear */
    struct slice certificate;     /* whom the client's certificate names; "": none */
};

enum login_result {
    LOGIN_CHALLENGE, /* `text` to the client */
    LOGIN_DONE,      /* `text` is the account */
    LOGIN_FAILED,    /* `text` says why, for the log */
    LOGIN_LATER,     /* too many guesses, or no time: `text` says so */
};

struct login_answer {
    uint64_t number;
    enum login_result result;
    struct slice text;
    struct slice user; /* LOGIN_FAILED: who was tried, for the log; may be "" */
};

/* False when it does not fit; then out is unchanged. */
bool login_write(struct buf *out, const struct login *l);
bool login_answer_write(struct buf *out, const struct login_answer *a);

/* Slices point into the message. False when it is none. */
bool login_read(struct cursor *c, struct login *out);
bool login_answer_read(struct cursor *c, struct login_answer *out);

#endif
