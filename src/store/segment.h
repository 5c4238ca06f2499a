/*
 * segment.h - one append-only file of a journal: create, find, read.
 *
 * Written only by store/commit. Read by the courier while its writer may still be alive.
 */
#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

#include "base/disk.h"
#include "base/worker.h"
#include "store/record.h"

/* Numbers are seconds since 1970 or a little more; 34 bits reach the year 2514. */
#define SEGMENT_NUMBER_MAX ((UINT64_C(1) << 34) - 1)

enum { SEGMENT_NAME_SIZE = 19, SEGMENT_FILL_PIECE = 256 * 1024 };

/* "s-<16 hex digits>", NUL-terminated; and back. */
void segment_name(uint64_t number, char out[SEGMENT_NAME_SIZE]);
bool segment_number(struct slice name, uint64_t *number);

/* "free-<16 hex digits>": a file that was segment `number` and waits to be used again. */
enum { SEGMENT_FREE_NAME_SIZE = 22 };

void segment_free_name(uint64_t number, char out[SEGMENT_FREE_NAME_SIZE]);
bool segment_is_free_name(struct slice name);

/* The numbers of all segments in a directory, ascending; to be given to memory_free(). */
int segment_list(struct disk_dir *dir, uint64_t **numbers, size_t *count);

/* Makes a directory and its name durable; an existing one is fine. Blocks, told. */
int segment_make_dir(struct disk_dir *at, const char *name, unsigned mode);

/* Blocks: what a directory holds now is durable; what one segment holds now is. Not told. */
int segment_sync_dir(struct disk_dir *dir);
int segment_sync(struct disk_file *file);

/* The writer's view. */
struct segment {
    struct disk_file *file;
    struct segment_head head;
    uint64_t size;     /* of the file, at most */
    uint64_t end;      /* behind the last whole record: the next one goes here */
    uint64_t limit;    /* records and seal end below it */
    uint64_t filled;   /* nor behind this; UINT64_MAX: the file grows with its records */
    unsigned unsynced; /* batches that lean on it: store/commit */
    bool next_asked;   /* its successor was begun ahead of need: store/commit */
    bool used;         /* records lie in it: store/commit */
    bool sealed;       /* or it was tried */
    struct buf table;  /* struct seal_entry of each message so far */
    char name[SEGMENT_NAME_SIZE];
    /* filling */
    struct worker *worker;
    uint64_t piece; /* bytes */
    uint64_t fill_to;
    uint64_t piece_end; /* of the job's piece */
    int fill_result;    /* of the last piece, while !filling */
    bool filling;       /* the job is busy; it reads file, filled, piece_end, used */
    struct worker_job fill_job;
};

/* A new file with its header; not yet durable. Errors are told. */
int segment_create(struct disk_dir *dir, unsigned mode, const struct segment_head *head,
                   uint64_t size, struct segment **out);

/* The same under the name SEGMENT_RESERVE: no segment, but made to become one by segment_reuse().
 * A header that names another segment than the file does holds nothing. */
#define SEGMENT_RESERVE "reserve"
int segment_create_reserve(struct disk_dir *dir, unsigned mode, uint64_t generation, uint64_t size,
                           struct segment **out);

/* The same from a file of a former use, `name` in the same directory, which it takes over: bytes
 * of that use stay behind the header, but none is a record of this one. -ENOENT when there is no
 * such file. */
int segment_reuse(struct disk_dir *dir, const char *name, const struct segment_head *head,
                  uint64_t size, struct segment **out);

/* Blocks: makes the header and the name durable. On any thread. Errors are told. */
int segment_sync_new(struct segment *s, struct disk_dir *dir);

/* From now on records go only below `filled`, which segment_fill() moves. */
void segment_fill_from(struct segment *s, uint64_t filled, struct worker *worker);

/* Asks for zeros up to `to` or a little more, on the worker, piece by piece. When one fails
 * (fill_result, told) filling rests until it is asked for again. */
void segment_fill(struct segment *s, uint64_t to);

/* Can `entries` more messages end at `end` and leave room for the seal? */
bool segment_has_room(const struct segment *s, uint64_t end, size_t entries);

/* The longest body that a new segment can hold. */
uint64_t segment_body_max(uint64_t size);

/* Says that the segment ends here on purpose, and what is in it. Only when everything in it is
 * durable: a seal promises that. Written, not synced; errors are told, and cost only time at
 * recovery. */
int segment_seal(struct segment *s);

/* Takes back what a failed write may have left in [end, to). Errors are told. */
int segment_erase(struct segment *s, uint64_t to);

void segment_free(struct segment *s); /* closes; NULL is fine; waits for a piece under way */

/* What bytes below `limit` that are no record mean. A file whose writer is alive is read up to its
 * durable mark only. */
enum segment_trust {
    SEGMENT_ENDED,   /* no writer: a torn tail, unless a later record was written when this place
                        was durable already: then damage */
    SEGMENT_DURABLE, /* everything was acknowledged: damage */
};

enum segment_read {
    SEGMENT_RECORD, /* *out is set, its body valid until the next call */
    SEGMENT_END,    /* nothing more to be believed below limit */
    SEGMENT_DAMAGE, /* something acknowledged was lost; go on */
    SEGMENT_ERROR,  /* reading failed; reader->error, told */
};

struct record {
    struct record_head head;
    uint64_t offset; /* of the head */
    struct slice body;
};

/* Reads forward through a window of its own; aimed at one file after the other. All zero is a
 * valid, unaimed one. */
struct segment_reader {
    struct disk_file *file; /* borrowed */
    uint64_t generation;
    uint64_t offset; /* of the next record */
    uint64_t limit;
    enum segment_trust trust;
    bool sealed;   /* the seal was read: the segment is complete */
    uint64_t hole; /* the first place that was skipped without being called damage, or 0 */
    int error;
    size_t ahead; /* bytes to read at once; segment_reader_aim() sets what suits a scan */
    char *window;
    size_t window_cap;
    uint64_t window_start;
    size_t window_len;
};

/* Reads the header. Errors of reading are told; a short file is HEAD_BAD. */
int segment_read_head(struct disk_file *file, enum head_verdict *verdict, struct segment_head *out);

void segment_reader_aim(struct segment_reader *r, struct disk_file *file, uint64_t generation,
                        uint64_t offset, uint64_t limit, enum segment_trust trust);
enum segment_read segment_reader_next(struct segment_reader *r, struct record *out);

/* The record at `offset` and nothing behind it: RECORD, DAMAGE (it is not whole) or ERROR. */
enum segment_read segment_reader_one(struct segment_reader *r, struct disk_file *file,
                                     uint64_t generation, uint64_t offset, struct record *out);

/* The table of a sealed file of this size, valid until the next call, if it can be found without
 * reading everything. The reader must be aimed at the beginning, and stands at the end then. */
bool segment_reader_table(struct segment_reader *r, uint64_t size, struct cursor *out);

void segment_reader_done(struct segment_reader *r);

#endif
