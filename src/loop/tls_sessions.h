/*
 * tls_sessions.h - what servers gave to a client for the next time: TLS 1.3 tickets, TLS 1.2
 * sessions.
 *
 * Each is handed out once: who takes it up and was taken well may put it back (TLS 1.2 only; a
 * ticket of TLS 1.3 that is used twice tells an observer who calls, RFC 8446 C.4). The certificate
 * is not looked at again when a session is resumed, so none outlives TLS_SESSIONS_TRUST_MS since
 * somebody did, however often it was renewed in between.
 */
#ifndef LOOP_TLS_SESSIONS_H
#define LOOP_TLS_SESSIONS_H

#include "base/list.h"
#include "base/slice.h"

#include <openssl/ssl.h>
#include <stdint.h>

enum {
    TLS_SESSIONS_MAX = 1000,    /* the oldest goes; some 5 KiB each, with its certificate */
    TLS_SESSIONS_PLACE_MAX = 4, /* for one place: as many connections at a time may resume */
    TLS_SESSIONS_TRUST_MS = 60 * 60 * 1000,
};

/* Of one policy: a session must not serve another. */
struct tls_sessions {
    struct list all; /* the oldest first */
    unsigned count;
};

void tls_sessions_init(struct tls_sessions *s);
void tls_sessions_done(struct tls_sessions *s);

/* Takes the session over. `seen_ms`: when the certificate was looked at; `now_ms`: not later than
 * now, the session's own lifetime counts from there. `place` is copied. */
void tls_sessions_put(struct tls_sessions *s, struct slice place, SSL_SESSION *session,
                      uint64_t seen_ms, uint64_t now_ms);

/* The newest, the caller's now; *seen_ms as above. NULL: there is none. */
SSL_SESSION *tls_sessions_take(struct tls_sessions *s, struct slice place, uint64_t now_ms,
                               uint64_t *seen_ms);

void tls_sessions_forget(struct tls_sessions *s, struct slice place);

#endif
