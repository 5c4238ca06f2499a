/*
 * commit.h - tickets and the group sync: the one place that decides what is durable.
 *
 * One commit owns the journal of one directory: segments "s-<16 hex digits>", of which it
 * appends to the newest. The owner stages records, each with a ticket; once per loop round
 * commit_flush() writes all of them in order and commit_sync() has them synced on the worker.
 * A ticket finishes with result 0 only after a sync that began after its write returned
 * success. Whatever is flushed while one sync runs is covered by the next, which starts without
 * asking the loop: no timer, and a lone record waits for one sync only.
 *
 * Everything is called from the loop's thread; only syncs run on the worker, and the loop never
 * waits for one (save in commit_open()).
 *
 * Failures: a failed write (disk full) fails the tickets of that write; nothing of it stays
 * visible and later records may succeed. After a failed sync nothing more can be trusted: the
 * commit is broken, every unfinished and later ticket fails, commit_durable() is the last good
 * place, and the owner should end. A sync is never retried on the same file.
 */
#ifndef STORE_COMMIT_H
#define STORE_COMMIT_H

#include "base/clock.h"
#include "base/disk.h"
#include "base/list.h"
#include "base/random.h"
#include "base/worker.h"
#include "store/record.h"

struct commit;

enum { TICKET_PARTS_MAX = 4 };

/* Embedded in whoever waits. The parts' memory stays untouched until the ticket finishes. */
struct ticket {
    struct list link; /* the commit's until it is on the list of commit_collect() */
    int result;       /* out: 0 durable, or negative errno */
    uint64_t segment; /* out: where the record lies, known when it finished with 0 */
    uint64_t offset;
    uint64_t generation; /* of that segment */
    bool written;        /* out: the file may hold some of it, whatever the result */
    uint32_t note;       /* in: for the seal's table; of messages only */
    /* the record; set by commit_append() */
    struct slice parts[TICKET_PARTS_MAX];
    unsigned part_count;
    enum record_kind kind;
    uint64_t id;
    unsigned char head[RECORD_HEAD_SIZE];
};

struct commit_options {
    struct disk_dir *dir; /* borrowed; made by somebody else */
    unsigned mode;        /* of new segments */
    uint64_t size;        /* of a segment; 0: SEGMENT_SIZE */
    struct worker *worker;
    struct clock *clock;
    struct random *random;
    bool zero_filled; /* segments are filled ahead of their records, so that a sync of a record is
                         no commit of the file system's journal; for who syncs often */
    uint64_t reserve; /* bytes that are kept for a full disk, in a file "reserve"; 0: none */
};

/* Always starts a new segment, numbered above every existing one, and makes its header and name
 * durable before it returns. Blocks. Failures are told. */
int commit_open(const struct commit_options *options, struct commit **out);

/* Waits for a sync that is under way. Tickets that are not finished are moved to the list with
 * -ECANCELED, which says nothing about the disk. */
void commit_close(struct commit *c, struct list *unfinished);

/* Stages one record: head, then parts. Cannot fail: the ticket does. */
void commit_append(struct commit *c, struct ticket *t, enum record_kind kind, uint64_t id,
                   const struct slice *parts, unsigned part_count);

/* Writes what is staged, in order. What has to wait for the next segment stays staged until a
 * later call. */
void commit_flush(struct commit *c);

/* Starts the sync of what was written. */
void commit_sync(struct commit *c);

/* Moves the finished tickets to the end of the list. Call after worker_collect() and after
 * commit_flush(). */
void commit_collect(struct commit *c, struct list *finished);

/* Everything below (segment, offset) is durable. Monotone. */
void commit_durable(const struct commit *c, uint64_t *segment, uint64_t *offset);

/* 0, or the negative errno of the sync that failed. */
int commit_broken(const struct commit *c);

/* Written but not yet known durable, or still staged. */
bool commit_busy(const struct commit *c);

/* The number of the segment that is appended to: its name is durable and never comes back. */
uint64_t commit_segment(const struct commit *c);

/* Takes no more records into the present segment: the next one begins as soon as its header is
 * durable, at some later commit_flush(). */
void commit_retire(struct commit *c);

#endif
