/*
 * queue.h - the courier's side of the queue: what is queued, and what became of it.
 *
 * Reads every spool/in/N, keeps an index of undelivered messages in memory (at most 256 bytes
 * for one with one recipient), and writes outcomes to its own journal, spool/out. A message
 * exists until each recipient has a durable outcome; its segment and body file are removed only
 * afterwards. Whatever has no durable outcome at a crash is queued again, with `repeat` set.
 * docs/formats/queue.md is the truth table.
 *
 * Times are monotonic milliseconds. Deferrals are as durable as outcomes: a restart changes
 * nobody's time.
 *
 * Once per loop round, before sleep:      queue_flush(q); arm a timer of 100 ms when
 *                                         queue_wants_sync(q) and none is armed.
 * When that timer fires:                  queue_sync(q);
 * After worker_collect(), on wake:        queue_collect(q);
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "base/clock.h"
#include "base/disk.h"
#include "base/list.h"
#include "base/random.h"
#include "base/worker.h"
#include "mail/envelope.h"

struct queue;
struct queue_entry;

struct queue_options {
    struct disk_dir *spool; /* holds "in" and "out"; borrowed */
    unsigned mode;          /* of new files */
    uint64_t segment_size;  /* 0: the usual; tests use small ones */
    struct worker *worker;
    struct clock *clock;
    struct random *random;
};

enum queue_outcome { QUEUE_DELIVERED = 1, QUEUE_DISCARDED, QUEUE_FAILED };

enum queue_rcpt_state {
    QUEUE_WAITING, /* for its time */
    QUEUE_ACTIVE,  /* claimed, or for room at its destination */
    QUEUE_HELD,    /* by a person or a rule */
    QUEUE_LATER,   /* for its release, as its sender wished: RFC 4865 */
    QUEUE_DONE,    /* it has an outcome */
};

struct queue_rcpt {
    bool due;          /* try this one now; in the order of envelope.rcpts */
    bool warned;       /* the sender was told that it takes long */
    bool passed;       /* a person let it go: no rule holds it */
    unsigned attempts; /* that failed so far */
    /* For people; as it was before this claim. */
    enum queue_rcpt_state state;
    uint64_t due_ms;
    struct slice reason; /* of the last deferral, cut; "": none, or not known any more */
};

/* One claimed message. Valid until queue_release(). */
struct queue_message {
    struct envelope envelope;
    struct slice header_block; /* goes in front of the body */
    struct disk_file *file;    /* where the body lies; borrowed */
    uint64_t offset;
    uint64_t length;
    struct queue_rcpt *rcpts;
    uint64_t duplicate_of; /* 0, or the id of the same mail, which came before: nobody is sent this
                              one, its recipients are discarded */
    bool repeat; /* a delivery may have happened already: look before delivering. The caller sets
                    it too when an attempt ended without telling how; it is kept. */
    /* the queue's */
    struct list link;
    struct queue_entry *entry;
    struct disk_file *body_file; /* NULL: the body lies in the segment */
    struct arena arena;
};

/* Makes spool/in, spool/out and spool/once, durably; for the warden and tests. */
int queue_make_dirs(struct disk_dir *spool, unsigned mode);

/* Recovers: outcomes first, then every segment whose writer is certainly gone. Blocks. Damage is
 * told and skipped; only a journal that cannot be written or is of a newer version makes it fail.
 *
 * The newest segments of a receiver may still be written to: they are read when its first mark
 * comes (queue_durable), or when it is known to be gone. So every receiver publishes its mark to
 * a new courier, and the courier calls queue_receivers_are() once at start. */
int queue_open(const struct queue_options *options, struct queue **out);

/* Waits for a sync that is under way; unwritten outcomes are forgotten. Claimed messages must have
 * been released. */
void queue_close(struct queue *q);

/* A living receiver published its mark: everything below it may be read. */
void queue_durable(struct queue *q, unsigned receiver, uint64_t segment, uint64_t offset);

/* Its last word after a failed sync: nothing above the mark is ever read. */
void queue_last_good(struct queue *q, unsigned receiver, uint64_t segment, uint64_t offset);

/* The life of the receiver that gave the last mark is over: its files are synced and read to the
 * end, without waiting for the first mark of the next life. It must be told before any such mark,
 * or the wrong life would be taken for dead. Blocks. */
void queue_receiver_ended(struct queue *q, unsigned receiver);

/* Receivers 0 to count - 1 live or will; what another one left behind is read now. Blocks. */
void queue_receivers_are(struct queue *q, unsigned count);

/* The message that is due longest, or NULL. The recipients that it holds as due are not claimed
 * again until it is released; others of the message may be, at the same time. */
struct queue_message *queue_claim(struct queue *q, uint64_t now_ms);

/* How long the message has waited, until now (monotonic), since it came or was released. Steps of
 * the clock on the wall do not count while the courier lives; how long none lived, that clock says,
 * up to an hour. */
uint64_t queue_age_ms(const struct queue_message *m, uint64_t now_ms);

/* Recipients who are due, but whose sender wants the message held for longer, are due no more: they
 * come again when it is released. For whoever claimed it to try it. A restart asks again. */
void queue_hold_back(struct queue *q, struct queue_message *m, uint64_t now_ms);

/* How long it is held from now on, whether or not anybody was held back; 0: it is released. */
uint64_t queue_later_ms(const struct queue *q, const struct queue_message *m, uint64_t now_ms);

/* A lane is a line of recipients that wait for something else than their time: for room at their
 * destination. The caller's; it must be emptied (queue_lane_done) before queue_close(). */
struct queue_lane {
    struct list parked[2 * PRIORITY_MAX + 1]; /* by MT-PRIORITY, the highest first; RFC 6710 */
    uint32_t number;                          /* the caller's, unique among lanes in use */
};

void queue_lane_init(struct queue_lane *lane, uint32_t number);
bool queue_lane_is_empty(const struct queue_lane *lane);
size_t queue_lane_count(const struct queue_lane *lane); /* messages; counted one by one */

/* This due recipient of a claimed message goes to the end of the lane. */
void queue_park(struct queue *q, struct queue_message *m, unsigned rcpt, struct queue_lane *lane);

/* The first message of the lane, holding its recipients of this lane as due; NULL: none left. */
struct queue_message *queue_claim_lane(struct queue *q, struct queue_lane *lane, uint64_t now_ms);

/* Who is still parked is due at once. */
void queue_lane_done(struct queue *q, struct queue_lane *lane);

/* A recipient's final outcome; `text` (copied) says why. Call after the delivery is durable. */
void queue_outcome(struct queue *q, struct queue_message *m, unsigned rcpt,
                   enum queue_outcome outcome, struct slice text);

struct queue_retry {
    uint64_t at_ms;
    bool warned;         /* the sender was told that it takes long */
    struct slice reason; /* copied; for people who ask why it waits */
};

/* An attempt at this recipient failed. A due recipient that was neither given an outcome nor
 * deferred or postponed before the release stays due. */
void queue_defer(struct queue *q, struct queue_message *m, unsigned rcpt,
                 const struct queue_retry *retry);

/* Nothing was tried; not before at_ms. A restart forgets it. */
void queue_postpone(struct queue *q, struct queue_message *m, unsigned rcpt, uint64_t at_ms);

/* Back into the index, or out of it when every recipient has an outcome. Frees m. True when the
 * message has no recipient left (EVENT_REMOVED). */
bool queue_release(struct queue *q, struct queue_message *m);

/* When something unclaimed becomes due; false when nothing is queued. */
bool queue_next_due(const struct queue *q, uint64_t *at_ms);

/* Writes outcomes, and carries a few messages out of segments that are nearly empty. */
void queue_flush(struct queue *q);

/* Nothing more is carried: what is under way ends soon. */
void queue_drain(struct queue *q);

/* Outcomes are written but not synced. */
bool queue_wants_sync(const struct queue *q);

/* Starts their sync. */
void queue_sync(struct queue *q);

/* Frees what is done: segments, body files. */
void queue_collect(struct queue *q);

/* 0, or negative errno: a sync of the own journal failed; end the role. A full disk does not break
 * it: outcomes wait, and are written again at every queue_sync(). */
int queue_broken(const struct queue *q);

/* ---- for people ---- */

/* A walk through the queue. Messages that come and go meanwhile are met or not, the others once. */
struct queue_walk;

struct queue_walk *queue_walk_new(struct queue *q);
void queue_walk_free(struct queue_walk *w); /* before queue_close(); NULL is fine */

/* Visits up to `max` messages with a recipient left, fewer when a visit says that it is enough for
 * now. False: that was the last. */
bool queue_walk_on(struct queue_walk *w, unsigned max,
                   bool (*visit)(void *ctx, struct queue_entry *e), void *ctx);

/* Who changes what messages wait for must find them in their places: one that is being carried is
 * locked. From here on nothing more is carried until queue_may_carry(), and soon all is still. */
void queue_keep_still(struct queue *q);
void queue_may_carry(struct queue *q);
bool queue_is_still(const struct queue *q);

/* NULL: there is none. Good until the queue is touched. */
struct queue_entry *queue_find(struct queue *q, uint64_t id);

/* Reads it without claiming anybody; to be released. NULL: it cannot be read. */
struct queue_message *queue_look(struct queue *q, struct queue_entry *e);

/* Is somebody left who was tried and waits for a later time? Known without reading the message. */
bool queue_defers(const struct queue *q, struct queue_entry *e);

/* Of a message that was looked at: this recipient waits no longer for its time. False: it waits for
 * something else, is being tried, or the queue is not still. A restart forgets it. */
bool queue_hasten(struct queue *q, struct queue_message *m, unsigned rcpt);

/* Claims every recipient that nobody has claimed, whatever it waits for. */
struct queue_message *queue_take(struct queue *q, struct queue_entry *e);

/* This due recipient is not tried until queue_unhold(), restarts or not. `why` as in struct
 * queue_retry; "": what is known of it stays. */
void queue_hold(struct queue *q, struct queue_message *m, unsigned rcpt, struct slice why);

/* Due now, and a rule that holds such mail does not hold this one again (passed). */
void queue_unhold(struct queue *q, struct queue_message *m, unsigned rcpt);

/* This due recipient goes now, whatever its sender wished, restarts or not. */
void queue_let_go(struct queue *q, struct queue_message *m, unsigned rcpt);

/* Outcomes that are not yet durable. */
bool queue_busy(const struct queue *q);

/* A mark stands behind all outcomes, deferrals and holds so far; it is reached when they are
 * durable. For who promises something to a person. */
uint64_t queue_mark(const struct queue *q);
bool queue_reached(const struct queue *q, uint64_t mark);

/* Messages with a recipient left, claimed ones included. */
size_t queue_count(const struct queue *q);

/* Messages that were carried forward since the start. */
size_t queue_carried(const struct queue *q);

#endif
