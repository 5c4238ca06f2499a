/*
 * envelope.h - sender, recipients and parameters of one message.
 *
 * Made by the receiver, stored in the queue record, read by the courier. On disk it is a list
 * of {u16 tag, u32 length, bytes}: unknown tags are kept out of the struct but never an error,
 * so an older reader survives a newer writer. Every length is bounded.
 */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include "wire/address.h"

#include <stdint.h>

enum body_type { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };

/* When a report is wanted of a recipient, RFC 3461 4.1; a sum, 0: not said. */
enum notify { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };

/* How much of the message a report of failure brings back, RFC 3461 4.3. */
enum dsn_return { RETURN_UNSAID, RETURN_FULL, RETURN_HEADERS };

/* What happens when the time of BY= is over, RFC 2852 4. */
enum by_mode { BY_UNSAID, BY_RETURN, BY_NOTIFY };

struct envelope_rcpt {
    struct address original; /* as the client gave it */
    struct address final;    /* after aliases and postmaster; equal to original otherwise */
    unsigned notify;         /* a sum of enum notify */
    struct slice orcpt;      /* ORCPT decoded, "rfc822;bob@b.example"; "" when not given */
};

enum {
    ENVELOPE_RCPTS_MAX = 1000,
    ENVELOPE_BYTES_MAX = 1024 * 1024,
    ENVID_MAX = 100,            /* RFC 3461 4.4 */
    ORCPT_MAX = 500,            /* RFC 3461 4.2 */
    SOLICIT_MAX = 1000,         /* RFC 3865 */
    ENVELOPE_FINGERPRINT = 16,  /* bytes */
    PRIORITY_MAX = 9,           /* RFC 6710: -9 to 9 */
    BY_SECONDS_MAX = 999999999, /* RFC 2852 4 */
};

/* What the sender asked for beside delivery. All zero: nothing. Texts are decoded and hold no
 * control character. */
struct envelope_wishes {
    enum dsn_return ret;
    struct slice envid;
    int priority; /* MT-PRIORITY */
    enum by_mode by;
    bool by_trace;
    int64_t by_s;           /* since arrival; negative: it was over when it came */
    struct slice solicit;   /* SOLICIT's keywords */
    uint32_t hold_for_s;    /* FUTURERELEASE: at most one of the two is not 0 */
    uint64_t hold_until_us; /* wall clock */
    bool require_tls;
};

/* What protected the message on its way here, for its Received field; version "": nothing. */
struct envelope_tls {
    struct slice version, cipher; /* "TLSv1.3", "TLS_AES_256_GCM_SHA384" */
    unsigned bits, cipher_bits;   /* of the key that are secret, of all */
    struct slice client;          /* whose certificate it showed, verified; "": nobody's */
};

/* Slices live in the arena that the builder or envelope_decode() was given. */
struct envelope {
    uint64_t id;         /* queue id, never 0 */
    uint64_t arrival_us; /* wall clock, for people */
    struct address sender;
    enum body_type body;
    bool smtputf8;
    struct envelope_wishes wishes;
    struct slice helo;           /* as the client said it, validated */
    struct slice client_address; /* "192.0.2.1", "2001:db8::1", "local" */
    struct slice user;           /* the client's account; "": it has none, or did not say */
    struct slice fingerprint;    /* by which it is known again; "": by nothing */
    struct slice local_user; /* not stored: who a program of this machine runs for, "1000"; "" */
    struct slice proto;      /* "SMTP", "ESMTPS", "UTF8SMTP", ... RFC 3848, RFC 6531 */
    struct envelope_tls tls; /* not stored */
    struct address sender_given; /* not stored: before it was rewritten */
    bool hides_client;           /* not stored: its Received field says nothing of the client */
    struct envelope_rcpt *rcpts;
    unsigned rcpt_count;
};

/* False, and out unchanged, when out is full or the envelope is not one that envelope_decode()
 * would take: no id, no recipient, too many, an address or name that no parser of ours makes.
 * helo, client_address and proto may be empty (our own reports). */
bool envelope_encode(struct buf *out, const struct envelope *e);

/* False when the bytes are not one whole, sound envelope; the writer is not trusted. */
bool envelope_decode(struct slice bytes, struct arena *arena, struct envelope *out);

/* One address alone, as it stands in an envelope. Texts in the arena. */
bool envelope_put_address(struct buf *out, const struct address *a);
bool envelope_get_address(struct cursor *c, struct arena *arena, struct address *out);

/* Queue id <-> 12 characters of base 52 (digits and consonants of both cases). */
enum { QUEUE_ID_LEN = 12 };

void queue_id_write(uint64_t id, char out[QUEUE_ID_LEN]);
bool queue_id_parse(struct slice text, uint64_t *out);

#endif
