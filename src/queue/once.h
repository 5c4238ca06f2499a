/*
 * once.h - which submitted messages were begun, and which are settled.
 *
 * A client that hears no 250 sends its mail again; the receiver gives both copies the same
 * fingerprint (trust/fingerprint). Here stands who came first. It is kept for a day, for a million
 * messages at most, the oldest go first: about 200 MB of memory, and 112 MB of disk, where there
 * are so many. A journal of its own, in spool/once, so that what is forgotten in the order of its
 * coming lies in files that go in this order.
 *
 * A message is sent only when it is durable that it was begun, and its segment goes only when it is
 * durable that it was settled: so no crash leaves open which copy was the first, nor whether it was
 * lost. Who asks judges by that (queue/queue_once.c).
 */
#ifndef QUEUE_ONCE_H
#define QUEUE_ONCE_H

#include "queue/format.h"
#include "queue/index.h"
#include "store/commit.h"

enum { ONCE_KEPT_S = 24 * 3600, ONCE_MAX = 1000 * 1000 };

struct once;

/* The first of those with its fingerprint. */
struct once_mail {
    struct list link;
    unsigned char fingerprint[ENVELOPE_FINGERPRINT];
    uint64_t id;
    uint64_t segment; /* where it lay when it was begun */
    uint32_t offset;
    uint16_t receiver;
    bool safe;    /* the caller's: it was seen in the queue, durable. A restart forgets that */
    bool settled; /* each recipient has an outcome */
    bool durable; /* the journal says so */
    /* the journal's */
    uint32_t at_s;
    struct once_segment *begun_in, *settled_in; /* NULL: not yet durable, or it is not so */
};

/* Reads what earlier lives left, then starts a new segment. Blocks. Errors are told. `max` 0: the
 * usual. */
int once_open(const struct commit_options *options, const uint64_t seed[2], size_t max,
              struct once **out);
void once_close(struct once *o);

/* NULL: none is known. Good until the next once_begin() or once_flush(). */
struct once_mail *once_find(struct once *o, struct slice fingerprint);

/* This message is the first one; if there was another, it is forgotten. Told by `durable`, which
 * is also set when the disk is full: then a copy of it will not be known. */
struct once_mail *once_begin(struct once *o, const struct once_mail *mail);

/* Each recipient of the message has an outcome; it need not be known here. e->unsynced counts that
 * until once_next_settled() returns e. */
void once_settle(struct once *o, struct queue_entry *e);
struct queue_entry *once_next_settled(struct once *o); /* NULL: no more for now */

/* Once per round of the loop. What was begun is synced at once, the rest by once_sync(). */
void once_flush(struct once *o);
bool once_wants_sync(const struct once *o);
void once_sync(struct once *o);

/* Takes back what nobody needs any more. After once_next_settled() said NULL. */
void once_free_segments(struct once *o);

int once_broken(const struct once *o);
bool once_busy(const struct once *o);
size_t once_count(const struct once *o);

#endif
