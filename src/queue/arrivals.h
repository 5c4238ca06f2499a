/*
 * arrivals.h - the receivers' directories as the courier sees them.
 *
 * Finds segments, reads their records into the index, removes what nothing needs any more:
 * segments, body files, and the drafts that dead receivers left behind.
 *
 * A segment is `complete` when its writer will never touch it again and it was read to its end.
 * It goes when it is complete, undamaged, without messages, and not the newest of its directory:
 * the newest name is what keeps ids from coming twice.
 */
#ifndef QUEUE_ARRIVALS_H
#define QUEUE_ARRIVALS_H

#include "base/clock.h"
#include "base/worker.h"
#include "queue/index.h"
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

struct in_segment {
    struct list link;
    struct receiver_dir *from;
    struct list entries; /* struct queue_entry */
    struct list refs;    /* outcomes.h */
    uint64_t number;
    uint64_t generation;
    uint64_t run;
    uint64_t next;      /* where reading goes on */
    uint64_t last_good; /* nothing above is ever read */
    uint64_t old_below; /* what lies below may have been delivered by an earlier courier */
    struct disk_file *file;
    unsigned users; /* claimed messages that lie in it */
    bool has_head;
    bool complete;
    bool damaged; /* told; the file is kept */
};

struct arrivals {
    struct disk_dir *in;
    uint64_t segment_size;
    struct worker *worker;
    struct clock *clock;
    struct queue_index *index;
    struct outcomes *outcomes;
    struct list receivers;
    struct segment_reader reader;
    size_t count;        /* messages put into the index, ever */
    bool changed;        /* something may have become removable */
    struct list gone;    /* unlinked; their directory is not yet synced */
    struct list syncing; /* the job's while it is busy */
    struct worker_job sync_job;
    bool sync_job_busy;
    int sync_result;
};

/* Then the caller sets in, segment_size, worker, clock, index, outcomes. */
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

bool arrivals_exists(void *arrivals, unsigned receiver, uint64_t segment);

/* The segment's file for a claimed message, until arrivals_unuse(). */
int arrivals_use(struct in_segment *s, struct disk_file **file);
void arrivals_unuse(struct in_segment *s);

/* Every outcome of the message is durable: removes its body file, frees the entry. */
void arrivals_entry_done(struct arrivals *a, struct queue_entry *e);

/* Its record is not whole any more: told; its files stay, it does not. */
void arrivals_entry_lost(struct arrivals *a, struct queue_entry *e);

/* Removes segments that nothing needs. */
void arrivals_remove(struct arrivals *a);

#endif
