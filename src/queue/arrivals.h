/*
 * arrivals.h - the receivers' directories as the courier sees them.
 *
 * Finds segments and reads their records into the index; queue/clearing removes what nothing needs
 * any more.
 *
 * A segment is `complete` when its writer will never touch it again and it was read to its end.
 * It goes when it is complete, undamaged, without messages, and not the newest of its directory:
 * the newest name is what keeps ids from coming twice.
 */
#ifndef QUEUE_ARRIVALS_H
#define QUEUE_ARRIVALS_H

#include "base/clock.h"
#include "base/map.h"
#include "base/worker.h"
#include "queue/index.h"
#include "queue/once.h"
#include "queue/outcomes.h"
#include "store/segment.h"

struct receiver_dir {
    struct list link;
    unsigned number;
    struct disk_dir *dir;
    struct disk_dir *draft; /* NULL: cannot be opened */
    struct list segments;   /* ascending */
    uint64_t run;           /* newest life of the receiver that we know of */
    uint64_t marked;        /* the life that gave the last mark, 0 when it ended */
    bool abandoned;         /* no receiver of this number lives */
    bool recovered;         /* segments found from now on are newer than this courier */
};

struct mail_segment {
    struct list link;
    struct receiver_dir *from;
    struct list entries; /* struct queue_entry */
    struct list
        *walked;      /* the entry where the last walk stood; NULL: none did, or it is before all */
    struct list refs; /* outcomes.h */
    uint64_t lowest_id,
        highest_id; /* of all entries it ever had: who is not between is not in it */
    uint64_t number;
    uint64_t generation;
    uint64_t run;
    uint64_t next;        /* where reading goes on */
    uint64_t last_good;   /* nothing above is ever read */
    uint64_t old_below;   /* what lies below may have been delivered by an earlier courier */
    uint64_t unsure_from; /* from here on a dead writer may have left what is not durable */
    struct disk_file *file;
    uint64_t live;   /* bytes of the records of its entries */
    unsigned users;  /* claimed messages that lie in it */
    unsigned moving; /* entries that are being carried: queue/carry */
    bool has_head;
    bool hollow; /* a name without its segment: the file has another life, or none yet */
    bool complete;
    bool stays;   /* carrying failed: not again */
    bool damaged; /* told; the file is kept */
};

struct arrivals {
    struct disk_dir *in;
    uint64_t segment_size;
    struct worker *worker;
    struct clock *clock;
    struct queue_index *index;
    struct outcomes *outcomes;
    struct once *once;
    struct list receivers;
    struct receiver_dir own; /* the courier's journal, as far as messages lie in it */
    struct map undone;       /* ids that were carried, but are still where they came from */
    uint64_t seed[2];
    bool knows_carried;
    struct segment_reader reader;
    size_t count;        /* messages put into the index, ever */
    bool changed;        /* something may have become removable */
    struct list walks;   /* struct queue_walk, under way */
    struct list gone;    /* unlinked; their directory is not yet synced */
    struct list syncing; /* the job's while it is busy */
    struct worker_job sync_job;
    bool sync_job_busy;
    int sync_result;
};

/* Then the caller sets in, own.dir (borrowed), segment_size, worker, clock, index, outcomes, once,
 * seed. */
void arrivals_init(struct arrivals *a);

/* Finds the directories and reads what is certainly complete. Blocks. */
int arrivals_open(struct arrivals *a);
void arrivals_close(struct arrivals *a);

void arrivals_mark(struct arrivals *a, unsigned receiver, uint64_t segment, uint64_t offset);
void arrivals_last_good(struct arrivals *a, unsigned receiver, uint64_t segment, uint64_t offset);

/* The life that gave the last mark is over. */
void arrivals_ended(struct arrivals *a, unsigned receiver);

/* No receiver of this number or above lives. */
void arrivals_ended_from(struct arrivals *a, unsigned first);

/* Where the message's body file would be; NULL: nowhere. */
struct disk_dir *arrivals_draft_dir(struct arrivals *a, uint64_t id);

/* The message was carried: it lies now where the ticket says. */
void arrivals_move(struct arrivals *a, struct queue_entry *e, const struct ticket *to,
                   uint64_t size);

/* What is known of a message that lay there once, and may have been carried. */
enum arrival {
    ARRIVAL_QUEUED, /* durably, or its outcomes are on their way to the disk */
    ARRIVAL_UNSURE, /* queued, and a crash may take it: nobody may have been told 250 */
    ARRIVAL_UNREAD, /* its place was not read yet */
    ARRIVAL_ABSENT,
};

enum arrival arrivals_look(struct arrivals *a, uint64_t id, unsigned receiver, uint64_t segment,
                           uint64_t offset);

/* No crash takes it any more. */
bool arrivals_is_durable(const struct queue_entry *e);

/* The segment's file for a claimed message, until arrivals_unuse(). */
int arrivals_use(struct mail_segment *s, struct disk_file **file);
void arrivals_unuse(struct mail_segment *s);

/* Told; the file is kept. */
void arrivals_damaged(struct mail_segment *s, int code, const char *operation);

#endif
