/*
 * tls.h - TLS between a stream and its connection. TLS 1.2 and 1.3 (RFC 8996, RFC 3207).
 *
 * OpenSSL, over a BIO on the door to the network, so that the fake network carries TLS like the
 * real one. Only loop/stream calls what reads and writes; roles make contexts and start TLS on a
 * stream (stream_start_tls). There is no renegotiation, and ALPN knows "smtp" only.
 */
#ifndef LOOP_TLS_H
#define LOOP_TLS_H

#include "loop/net.h"
#include "loop/tls_peer.h"

struct tls_context; /* what many connections share: a listener's, or a relay's */
struct tls;         /* one connection */

enum {
    TLS_TICKET_KEYS_MAX = 2,
    TLS_TICKET_NAME_LEN = 16,
    TLS_TICKET_SECRET_LEN = 32,
    TLS_EXPORTER_LEN = 32,
};

/* Of session tickets. The first one makes tickets; what the others made is taken. */
struct tls_ticket_key {
    unsigned char name[TLS_TICKET_NAME_LEN];
    unsigned char cipher[TLS_TICKET_SECRET_LEN];
    unsigned char mac[TLS_TICKET_SECRET_LEN];
};

struct tls_ticket_keys {
    struct tls_ticket_key keys[TLS_TICKET_KEYS_MAX];
    unsigned count;
};

/* One or two keys, one behind the other. False: that is something else, and *keys stays. */
bool tls_ticket_keys_read(struct tls_ticket_keys *keys, struct slice bytes);

/* A server's chain (its own certificate first) and key, PEM. NULL: *why says what is wrong with
 * them, static text. */
struct tls_context *tls_context_server(struct slice chain, struct slice key, const char **why);

/* Who asks for `name`, or with "*.example.org" for a name one label longer than example.org, is
 * shown this chain instead; an exact name goes before. "": everybody else. For a name that has a
 * chain already this one must be of another kind (RSA, ECDSA), which tls_is_same_kind() tells: each
 * client is shown what it can verify. False: *why. */
bool tls_context_add(struct tls_context *context, struct slice name, struct slice chain,
                     struct slice key, const char **why);

/* Of which of the files is something wrong, and what? Static text, NULL: nothing. A key is
 * looked at beside a chain that is right. */
const char *tls_chain_fault(struct slice chain);
const char *tls_key_fault(struct slice chain, struct slice key);
const char *tls_authorities_fault(struct slice authorities);

/* Of the keys of two chains. */
bool tls_is_same_kind(struct slice chain, struct slice other);

/* What OpenSSL has decrypted it wipes once it was read: passwords come here. */
void tls_context_wipe(struct tls_context *context);

/* The next two come behind the last tls_context_add(). */

/* Sessions are resumed by tickets; those of another service are not taken. The keys are borrowed
 * for the life of the last connection, and may change. None so far: no tickets. */
void tls_context_give_tickets(struct tls_context *context, struct slice service,
                              const struct tls_ticket_keys *keys);

/* Clients are asked for a certificate of one of these authorities (PEM), for tls_client_name();
 * whatever they show or do not show, they are welcome. */
void tls_context_ask_clients(struct tls_context *context, struct slice authorities);

/* NULL only when OpenSSL cannot work at all (told by fail). Encrypts and verifies nothing. */
struct tls_context *tls_context_client(void);

/* Chains are looked up among the certificate authorities of this machine, for tls_certificate() to
 * tell, or for tls_context_verify(). */
void tls_context_trust_system(struct tls_context *context);

/* The same among these, in PEM, and no others. */
void tls_context_trust(struct tls_context *context, struct slice authorities);

/* Without a certificate that is trusted and has the name that tls_new() is given, no connection. */
void tls_context_verify(struct tls_context *context);

/* The same is looked at, for tls_is_verified() to tell; the connection goes on all the same. */
void tls_context_look(struct tls_context *context);

/* What servers give for the next time is kept, some of it, for tls_remember(). A session serves its
 * own context only, so that none comes under another policy than it was made under. */
void tls_context_remember(struct tls_context *context);

/* Its connections may go on; it is freed behind the last. NULL is fine. */
void tls_context_free(struct tls_context *context);

/* The handle is borrowed. `name`: the host a client asks for (SNI), "" for none. NULL when there is
 * no memory for it. */
struct tls *tls_new(struct tls_context *context, struct net *net, int handle, struct slice name);
void tls_free(struct tls *t); /* NULL is fine */

/* A client of a context that remembers, before its handshake: a session of the same name, address
 * and port, from the same address of ours, is taken up, and the next one kept. Without early data.
 * Else nothing. */
void tls_remember(struct tls *t, struct slice name, const struct net_address *peer,
                  const struct net_address *own, uint64_t now_ms);

/* A session was taken up. When the handshake fails it may be to blame; the next one goes without.
 */
bool tls_tried_to_resume(const struct tls *t);

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

/* A client: the other side's certificate is what tls_context_verify() wants, and TLS at least 1.2.
 * False where nobody looked. */
bool tls_is_verified(const struct tls *t);

/* A server: whose certificate the client showed, if one of the authorities that were given to
 * tls_context_ask_clients() vouches for it: tls_peer_name(). For SASL EXTERNAL. */
bool tls_client_name(const struct tls *t, struct arena *arena, struct slice *out);

bool tls_was_resumed(const struct tls *t);

/* What binds a dialog to this connection: the same bytes on both sides, RFC 9266. False below TLS
 * 1.3, whose usual binding is another one. */
bool tls_exporter(const struct tls *t, unsigned char out[TLS_EXPORTER_LEN]);

#endif
