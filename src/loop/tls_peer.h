/*
 * tls_peer.h - the certificate of the other side, as people want to read it.
 *
 * Texts are the certificate's own and may hold anything: escape them. Nothing here decides whether
 * mail is sent.
 */
#ifndef LOOP_TLS_PEER_H
#define LOOP_TLS_PEER_H

#include "base/arena.h"

#include <stdint.h>

enum tls_peer_limits { TLS_PEER_NAMES_MAX = 100, TLS_PEER_TEXT_MAX = 500 };

struct tls_peer {
    struct slice subject; /* "CN=mx.example.org,O=Example"; RFC 4514, UTF-8 as it is */
    struct slice issuer;
    struct slice key;          /* "RSA 2048" */
    const struct slice *names; /* of subjectAltName: DNS names, and addresses as text */
    size_t name_count;
    size_t names_left_out; /* beyond TLS_PEER_NAMES_MAX */
    int64_t from_s;        /* seconds since 1970-01-01 UTC */
    int64_t until_s;
    struct slice mistrust; /* why its chain is not trusted; "": it is */
    bool name_asked;       /* there was a name or an address to look for */
    bool name_matches;
};

/* What OpenSSL knows of a connection whose handshake is done; `host` is the name or the IP address
 * that was meant, "" for none. False: the other side showed no certificate. */
struct ssl_st;
bool tls_peer_read(const struct ssl_st *ssl, struct slice host, struct arena *arena,
                   struct tls_peer *out);

/* Whose certificate it is, in one name: the first mail address of subjectAltName, else its first
 * DNS name, else the common name. False: there is none, or one that no log could show. Nothing is
 * said about whether that is true. */
bool tls_peer_name(const struct ssl_st *ssl, struct arena *arena, struct slice *out);

#endif
