/*
 * queue_in.h - the receiver's side of the queue: put a message, durably.
 *
 * Lives in spool/in/N, where this receiver is the only one who creates and writes; it never
 * reads there. "250" may be said when queue_in_collect() returns the ticket with result 0, and
 * never before. docs/formats/queue.md tells what lies on disk.
 *
 * Once per loop round, before sleep:   queue_in_flush(q);
 * After worker_collect(), on wake:     queue_in_collect(q, &finished); publish the durable mark.
 */
#ifndef QUEUE_QUEUE_IN_H
#define QUEUE_QUEUE_IN_H

#include "mail/envelope.h"
#include "store/commit.h"
#include "store/draft.h"

struct queue_in;

struct queue_in_options {
    struct disk_dir *dir;  /* spool/in/N, which holds the directory "draft"; borrowed */
    unsigned receiver;     /* N, at most 255 */
    unsigned mode;         /* of new files: 0240 between two users, 0600 for one */
    uint64_t min_free;     /* bytes that must stay free */
    uint64_t segment_size; /* 0: the usual; tests use small ones */
    struct worker *worker; /* of three threads: large messages and zeros beside small ones */
    struct clock *clock;
    struct random *random;
};

/* One put under way, embedded in the session. A finished one is found by
 * LIST_ENTRY(node, struct session, put.ticket.link). */
struct queue_ticket {
    struct ticket ticket; /* ticket.result is the answer */
    struct buf encoded;   /* the queue's, like all below */
    size_t front_len;
    struct slice header_block;
    struct draft *draft;
    uint64_t id;
    uint32_t rcpt_count;
};

/* Makes spool/in/N and spool/in/N/draft below the spool, durably; for the warden and tests.
 * Existing ones are fine. */
int queue_in_make_dirs(struct disk_dir *spool, unsigned receiver, unsigned mode);

/* Starts a new segment; blocks. Failures are told. */
int queue_in_open(const struct queue_in_options *options, struct queue_in **out);

/* Waits for a sync that is under way. Unfinished tickets, which must still exist, are forgotten;
 * then drafts may be ended, and only queue_in_close() may follow. */
void queue_in_stop(struct queue_in *q);

/* Stops it first. Drafts must have been ended. */
void queue_in_close(struct queue_in *q);

/* Never 0 and never the same twice, whatever clocks and crashes do. Returns 0 when no id can be
 * had now (a new segment was needed and could not be made): answer 451. */
uint64_t queue_in_next_id(struct queue_in *q);

/* draft_init() with this queue's directory. */
void queue_in_draft_init(struct queue_in *q, struct draft *d);

/* Is there room for more? Asked of the disk ten times a second at most. When false: 452 4.3.1. */
bool queue_in_has_room(struct queue_in *q);

/* Stores envelope + header block + draft. `e->id` must come from queue_in_next_id() and be the
 * draft's. The envelope may go at once; header_block and draft stay untouched until the ticket
 * finishes, then call draft_end(), whatever the result. Cannot fail: the ticket does. */
void queue_put(struct queue_in *q, const struct envelope *e, struct slice header_block,
               struct draft *draft, struct queue_ticket *put);

/* Writes what was put and starts its sync. */
void queue_in_flush(struct queue_in *q);

/* Moves finished tickets to the list. */
void queue_in_collect(struct queue_in *q, struct list *finished);

/* What the courier may read: to be published (MESSAGE_DURABLE) when it moved, and once at start
 * and whenever the courier is a new one. */
void queue_in_durable(const struct queue_in *q, uint64_t *segment, uint64_t *offset);

/* 0, or negative errno: a sync failed, queue_in_durable() is the last good place
 * (MESSAGE_LAST_GOOD); end the role. */
int queue_in_broken(const struct queue_in *q);

/* Puts that have not finished. */
bool queue_in_busy(const struct queue_in *q);

#endif
