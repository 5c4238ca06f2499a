/*
 * cargo.h - a message as the server that shall get it can take it: surveyed once, converted for
 * this server where it lacks an extension, and read piece by piece.
 */
#ifndef ROLES_CARGO_H
#define ROLES_CARGO_H

#include "mail/relay_params.h"
#include "queue/queue.h"
#include "roles/conversion.h"
#include "roles/remote.h"
#include "smtp/client.h"

struct role;

/* Embedded in its owner; all zero but for what the owner sets. */
struct cargo {
    struct role *role;
    struct disk_dir *spool;              /* where conversions lie; borrowed */
    const struct queue_message *message; /* outlives it */
    bool any_length; /* the server delivers to mailboxes: lines of any length, no way on for BY= */
    bool stays_here; /* the server is on this machine: nothing of it crosses a network */
    bool is_safe;    /* TLS with a server that proved to be the right one: RFC 8689 4.2.1 */
    void (*done)(struct cargo *c); /* when cargo_prepare() said "later" */
    /* Until the next cargo_prepare(). */
    struct relay_answer answer;
    int code; /* 0; -EILSEQ: it can be made fit for nobody; another errno: not now */
    /* its own */
    struct relay_question question;
    struct envelope envelope; /* as the question needs it */
    struct ehlo_offers offers;
    struct arena *arena;
    struct mime_facts facts;
    bool surveyed;
    struct conversion *work;
    struct disk_file *file;
    uint64_t offset, length;
    uint64_t at;     /* of all that was read */
    bool unreadable; /* cargo_next() failed: that is nobody else's fault */
};

/* For these recipients (indexes in the envelope) and a server with these offers. False: later, with
 * done(). All of it lives in the arena. */
bool cargo_prepare(struct cargo *c, const unsigned *rcpts, unsigned rcpt_count,
                   const struct ehlo_offers *offers, struct arena *arena);

/* Bytes of the whole, as they are sent. */
uint64_t cargo_size(const struct cargo *c);

/* At most CLIENT_PIECE_MAX bytes; `piece` is room for them. */
enum remote_piece cargo_next(struct cargo *c, char piece[CLIENT_PIECE_MAX], struct slice *out);

/* What is under way ends; it may be prepared again. */
void cargo_stop(struct cargo *c);

#endif
