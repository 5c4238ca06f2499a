/*
 * tls_internal.h - what tls.c and tls_context.c share.
 */
#ifndef LOOP_TLS_INTERNAL_H
#define LOOP_TLS_INTERNAL_H

#include "base/list.h"
#include "loop/tls.h"
#include "loop/tls_sessions.h"

#include <openssl/ssl.h>

struct tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *method;
    unsigned users; /* who made it, and its connections */
    bool server;
    bool verifies;     /* a client: no certificate as it should be, no connection */
    bool looks;        /* a client: is it as it should be? */
    bool trust_wanted; /* the authorities of this machine are not loaded yet */
    bool remembers;    /* a client: sessions, to be resumed */
    bool asks;         /* a server: clients may show whose they are */
    struct list pairs; /* other chains, for who asks for their names */
    const struct tls_ticket_keys *ticket_keys;
    EVP_CIPHER *ticket_cipher;
    struct tls_sessions sessions;
    struct arena arena;
};

/* Before its first connection. */
void tls_context_load_trust(struct tls_context *context);

/* Of a connection. */
struct tls_context *tls_context_of(const SSL *ssl);

/* The server gave something for the next time. 1: taken over, OpenSSL's way to say so. */
int tls_keep_session(SSL *ssl, SSL_SESSION *session);

/* The BIO on the door to the network; NULL when there is no memory for it. */
BIO_METHOD *tls_bio_method(void);

#endif
