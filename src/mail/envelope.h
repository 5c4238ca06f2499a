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

struct envelope_rcpt {
    struct address original; /* as the client gave it */
    struct address final;    /* after aliases and postmaster; equal to original otherwise */
};

enum { ENVELOPE_RCPTS_MAX = 1000, ENVELOPE_BYTES_MAX = 1024 * 1024 };

/* Slices live in the arena that the builder or envelope_decode() was given. */
struct envelope {
    uint64_t id;         /* queue id, never 0 */
    uint64_t arrival_us; /* wall clock, for people */
    struct address sender;
    enum body_type body;
    bool smtputf8;
    struct slice helo;           /* as the client said it, validated */
    struct slice client_address; /* "192.0.2.1", "2001:db8::1", "local" */
    struct slice proto;          /* "SMTP", "ESMTP", "UTF8SMTP", ... RFC 3848, RFC 6531 */
    struct envelope_rcpt *rcpts;
    unsigned rcpt_count;
};

/* False, and out unchanged, when out is full or the envelope is not one that envelope_decode()
 * would take: no id, no recipient, too many, an address or name that no parser of ours makes.
 * helo, client_address and proto may be empty (our own reports). */
bool envelope_encode(struct buf *out, const struct envelope *e);

/* False when the bytes are not one whole, sound envelope; the writer is not trusted. */
bool envelope_decode(struct slice bytes, struct arena *arena, struct envelope *out);

/* Queue id <-> 12 characters of base 52 (digits and consonants of both cases). */
enum { QUEUE_ID_LEN = 12 };

void queue_id_write(uint64_t id, char out[QUEUE_ID_LEN]);
bool queue_id_parse(struct slice text, uint64_t *out);

#endif
