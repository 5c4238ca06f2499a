/*
 * draft.h - a message while it arrives.
 *
 * In memory up to DRAFT_MEMORY_MAX; a larger one goes to a file of its own, "d-<16 hex digits of
 * its id>", in chunks through the same memory, so a draft never holds more than that. The file
 * belongs to the draft until a record names it (draft_name()); from then on to the courier.
 *
 * One draft per session, used again for every message; it holds no memory between messages.
 */
#ifndef STORE_DRAFT_H
#define STORE_DRAFT_H

#include "base/buf.h"
#include "base/disk.h"

#include <stdint.h>

enum { DRAFT_MEMORY_MAX = 128 * 1024, DRAFT_NAME_SIZE = 19 };

struct draft {
    struct disk_dir *dir; /* borrowed */
    unsigned mode;
    uint64_t id;
    struct buf memory;      /* everything, or what the file still lacks */
    struct disk_file *file; /* NULL: all in memory */
    uint64_t size;          /* bytes of the message so far */
    bool named;             /* a record may name the file: it is not ours to unlink */
};

void draft_init(struct draft *d, struct disk_dir *dir, unsigned mode);

/* The next message; id is its queue id and unique in the directory for ever. */
void draft_begin(struct draft *d, uint64_t id);

/* 0, or negative errno (told): then only draft_end() may follow. */
int draft_append(struct draft *d, struct slice bytes);

/* No more bytes follow; a spilled draft writes out its rest. Same errors. */
int draft_finish(struct draft *d);

bool draft_is_file(const struct draft *d);

/* Blocks, on a worker thread: makes a finished file's bytes durable, not its name. The draft must
 * not change meanwhile. */
int draft_sync(struct draft *d);

/* The same for the names of all files in the directory. */
int draft_sync_names(struct disk_dir *dir);

/* A record that names the file is about to be written. */
void draft_name(struct draft *d);

/* None of that record was ever written: the file is the draft's again. */
void draft_unname(struct draft *d);

/* Done with it, kept or not: gives back memory and handle, and unlinks the file unless a record
 * may name it. Harmless when nothing was begun. */
void draft_end(struct draft *d);

/* The file's name for an id, NUL-terminated; and back, false when it is not such a name. */
void draft_file_name(uint64_t id, char out[DRAFT_NAME_SIZE]);
bool draft_file_id(struct slice name, uint64_t *id);

#endif
