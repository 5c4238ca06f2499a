/*
 * queue_internal.h - what queue.c, queue_people.c and later.c share.
 */
#ifndef QUEUE_QUEUE_INTERNAL_H
#define QUEUE_QUEUE_INTERNAL_H

#include "queue/arrivals.h"
#include "queue/carry.h"
#include "queue/index.h"
#include "queue/outcomes.h"
#include "queue/queue.h"

struct queue {
    struct queue_options o;
    struct disk_dir *in;
    struct disk_dir *out;
    struct disk_dir *once_dir;
    struct queue_index index;
    struct arrivals arrivals;
    struct carrier carrier;
    struct outcomes *outcomes;
    struct once *once;
    struct list begun; /* claimed messages that go when it is durable that they do */
    struct list ready; /* and those for which it is */
    struct segment_reader reader;
    size_t removed; /* messages that lost their last recipient */
};

/* The recipients that a claim is about. */
enum chosen {
    CHOOSE_DUE,     /* whose time has come */
    CHOOSE_LANE,    /* who is parked in it */
    CHOOSE_WAITING, /* all whom nobody has claimed */
    CHOOSE_NOBODY,
};

struct choice {
    enum chosen who;
    const struct queue_lane *lane;
    uint64_t now_ms;
};

/* Reads the message; NULL when that cannot be: then it was put off, or is lost. */
struct queue_message *queue_claim_entry(struct queue *q, struct queue_entry *e,
                                        const struct choice *choice);

/* later.c: the first who reads it learns its age, or when it is born; from then on the monotonic
 * clock counts. */
void queue_learn_age(struct queue *q, const struct queue_message *m);

/* Frees what queue_claim_entry() made. */
void queue_message_free(struct queue_message *m);

/* ---- queue_once.c: a message that a client sent twice is sent once ---- */

/* May it go now? NULL: not yet; it was taken over. m->duplicate_of tells of one that came before.
 */
struct queue_message *queue_once(struct queue *q, struct queue_message *m, uint64_t now_ms);

/* One that waited for its turn, as queue_once() would have returned it. */
struct queue_message *queue_once_ready(struct queue *q);

void queue_once_collect(struct queue *q);
void queue_once_forget(struct queue *q); /* at the end */

#endif
