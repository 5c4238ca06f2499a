/*
 * index.h - what is queued: one small entry per message, in memory, ordered by time.
 *
 * An entry is in the heap while one of its recipients waits for its time. Everything else about a
 * message is read from its record when it is needed.
 */
#ifndef QUEUE_INDEX_H
#define QUEUE_INDEX_H

#include "base/clock.h"
#include "base/list.h"
#include "queue/format.h"
#include "queue/reasons.h"

#include <stdint.h>

struct mail_segment;

enum rcpt_state {
    RCPT_OPEN,    /* to be tried at due_ms */
    RCPT_PARKED,  /* waits in a lane until that one is claimed */
    RCPT_TAKEN,   /* claimed */
    RCPT_WRITTEN, /* has an outcome, perhaps not yet durable */
};

struct rcpt_entry {
    uint64_t due_ms;
    struct reason *reason; /* of the last deferral; NULL: none, or not known any more */
    uint32_t lane;         /* RCPT_PARKED: its number */
    uint16_t attempts;
    uint8_t state; /* enum rcpt_state */
    bool warned;   /* the sender was told of the delay */
    bool held;     /* by a person or a rule: due_ms is UINT64_MAX */
    bool passed;   /* a person let it go: no rule holds it again */
    bool later;    /* for its sender, who wants it later */
    bool released; /* by a person, although its sender wants it later */
};

/* Nobody has asked for its age yet. */
#define ENTRY_AGELESS INT64_MIN

struct queue_entry {
    struct list link; /* in its segment */
    struct mail_segment *segment;
    uint64_t id;
    uint64_t offset;         /* of its record */
    int64_t born_ms;         /* monotonic, perhaps before this clock began, or still to come
                                (queue/later); or ENTRY_AGELESS */
    uint64_t due_ms;         /* the earliest open recipient's, while it is in the heap */
    struct rcpt_entry *many; /* NULL: one recipient, held in `one` */
    struct rcpt_entry one;
    uint32_t rcpt_count;
    uint32_t open;     /* recipients without an outcome */
    uint32_t unsynced; /* outcomes that are not yet durable */
    uint32_t place;    /* in the heap; 0: not in it */
    uint32_t claims;   /* that are not released */
    uint32_t parks;    /* nodes of lanes that point here */
    uint32_t size;     /* of its record, on disk */
    bool body_file;
    bool repeat;
    bool carried; /* by queue/carry, just now: what is open is locked */
};

_Static_assert(sizeof(struct queue_entry) <= 128, "a million deferred messages is a normal day");

/* All recipients open and due at due_ms. Not yet in an index. */
struct queue_entry *entry_new(uint64_t id, uint32_t rcpt_count, uint64_t due_ms);
void entry_free(struct queue_entry *e);

struct rcpt_entry *entry_rcpts(struct queue_entry *e);

/* How much older a message is than then, by the clock on the wall, which nobody watched meanwhile:
 * it may have been set, by ten years where a battery was empty. So this is never below 0, and at
 * most an hour, which a restart does not take. Mail that waits longer than was meant is a smaller
 * evil than mail that is given up. */
enum { ABSENCE_MAX_MS = 3600 * 1000 };

uint64_t age_by_wall_ms(uint64_t then_us, struct clock *clock);

/* What is left of a recipient, for the disk; and back. A clock on the wall that stepped back makes
 * nobody wait longer than was meant. The age goes with it, and has grown by the absence. Where
 * recipients do not agree, the message is as young as they say. */
struct rcpt_rest rcpt_rest_of(struct queue_entry *e, uint32_t rcpt, struct clock *clock);
void rcpt_resume(struct queue_entry *e, uint32_t rcpt, const struct rcpt_rest *rest,
                 struct clock *clock);

/* Unless its age is known: it is this now. */
void entry_is_aged(struct queue_entry *e, uint64_t age_ms, struct clock *clock);

/* Of one whose age is known. */
uint64_t entry_age_ms(const struct queue_entry *e, uint64_t now_ms);

/* The recipient has an outcome. Harmless when it had one, or there is no such recipient. */
void entry_close_rcpt(struct queue_entry *e, uint32_t rcpt);

/* Every recipient that is left was tried or is held and waits for its time, nothing is on its way
 * to the disk: it may be carried to another place. */
bool entry_rests(const struct queue_entry *e);

/* Nobody claims it until it is unlocked. Of one that rests. */
void entry_lock(struct queue_entry *e);
void entry_unlock(struct queue_entry *e);

/* Takes away every recipient that is not claimed. */
void entry_abandon(struct queue_entry *e);

/* Nobody needs it or points to it any more. */
bool entry_is_over(const struct queue_entry *e);

struct queue_index {
    struct queue_entry **heap; /* from 1: children of n are 2n and 2n + 1 */
    size_t count;
    size_t cap;
};

void index_done(struct queue_index *index); /* the entries are the caller's */

/* Recomputes when it is due: puts it in, moves it, or takes it out when no recipient waits for
 * its time. */
void index_set(struct queue_index *index, struct queue_entry *e);

/* Takes out the one that is due longest; NULL when none is. */
struct queue_entry *index_take(struct queue_index *index, uint64_t now_ms);

bool index_next_due(const struct queue_index *index, uint64_t *at_ms);

#endif
