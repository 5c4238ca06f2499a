/*
 * tls.h - TLS between a stream and its connection. TLS 1.2 and 1.3 (RFC 8996, RFC 3207).
 *
 * OpenSSL, over a BIO on the door to the network, so that the fake network carries TLS like the
 * real one. Only loop/stream calls what reads and writes; roles make contexts and start TLS on a
 * stream (stream_start_tls).
 *
 * First form: the client encrypts and verifies nothing.
 */
#ifndef LOOP_TLS_H
#define LOOP_TLS_H

#include "loop/net.h"
#include "loop/tls_peer.h"

struct tls_context; /* what many connections share: a listener's, or a relay's */
struct tls;         /* one connection */

/* A server's chain (its own certificate first) and key, PEM. NULL: *why says what is wrong with
 * them, static text. */
struct tls_context *tls_context_server(struct slice chain, struct slice key, const char **why);

/* Who asks for `name`, or with "*.example.org" for any name below example.org, is shown this chain
 * instead; the first of two that suit. False: *why. */
bool tls_context_add(struct tls_context *context, struct slice name, struct slice chain,
                     struct slice key, const char **why);

/* Of which of the two files is something wrong, and what? Static text, NULL: nothing. A key is
 * looked at beside a chain that is right. */
const char *tls_chain_fault(struct slice chain);
const char *tls_key_fault(struct slice chain, struct slice key);

/* NULL only when OpenSSL cannot work at all (told by fail). */
struct tls_context *tls_context_client(void);

/* Chains are looked up among the certificate authorities of this machine, for tls_certificate() to
 * tell; connections are made all the same. */
void tls_context_trust_system(struct tls_context *context);

/* After the last of its connections. NULL is fine. */
void tls_context_free(struct tls_context *context);

/* The handle and the context are borrowed. `name`: the host a client asks for (SNI), "" for none.
 * NULL when there is no memory for it. */
struct tls *tls_new(struct tls_context *context, struct net *net, int handle, struct slice name);
void tls_free(struct tls *t); /* NULL is fine */

/* 0: done. -EAGAIN: again when tls_wants() happened. Else a negative errno; -EPROTO: the other
 * side did not agree, tls_problem() says how. */
int tls_handshake(struct tls *t);

/* A count; 0: the peer said its last. -EAGAIN and errors as above. */
int64_t tls_read(struct tls *t, void *out, size_t len);
int64_t tls_write(struct tls *t, const void *bytes, size_t len);

/* After -EAGAIN: the one of enum net_events that must happen first. */
unsigned tls_wants(const struct tls *t);

/* Decrypted bytes wait, whatever the network says. */
bool tls_has_more(const struct tls *t);

/* Says that nothing more follows. Best effort. */
void tls_finish(struct tls *t);

/* Text for people, "" when there is none; lives as long as t. */
struct slice tls_problem(const struct tls *t);

/* "TLSv1.3" and "TLS_AES_256_GCM_SHA384", once the handshake is done; static text. */
struct slice tls_version(const struct tls *t);
struct slice tls_cipher(const struct tls *t);

/* Of its key: how many are secret; *all: how many it has. */
unsigned tls_bits(const struct tls *t, unsigned *all);

/* The other side's certificate: tls_peer_read(). */
bool tls_certificate(const struct tls *t, struct slice host, struct arena *arena,
                     struct tls_peer *out);

#endif
