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
    struct queue_index index;
    struct arrivals arrivals;
    struct carrier carrier;
    struct outcomes *outcomes;
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

#endif
