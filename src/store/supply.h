/*
 * supply.h - where the segments of a journal come from, ahead of need.
 *
 * Part of store/commit, which owns one. One segment at a time is in the making: made by the loop,
 * its header and name synced on the worker.
 */
#ifndef STORE_SUPPLY_H
#define STORE_SUPPLY_H

#include "store/segment.h"

struct commit_options;

enum supply_state { SUPPLY_NONE, SUPPLY_SYNCING, SUPPLY_READY, SUPPLY_FAILED };

struct supply {
    const struct commit_options *o; /* borrowed */
    uint64_t run;                   /* number of the first segment of this life */
    uint64_t last_number;           /* the highest that this directory has ever seen */
    struct segment *next;
    enum supply_state state;
    int result; /* the job's, while it is busy */
    struct worker_job job;
    /* the reserve */
    bool has_reserve;        /* the file is there, whole or not */
    struct segment *reserve; /* while it is being made */
    uint64_t reserve_asked_ms;
    int reserve_result;
    struct worker_job reserve_job;
};

void supply_init(struct supply *s, const struct commit_options *o);
void supply_done(struct supply *s); /* waits for its job */

/* The first segment, its header and name durable. Blocks; told. */
int supply_first(struct supply *s, struct segment **out);

/* Begins to make the next one, unless it is begun. Errors are told. */
int supply_begin(struct supply *s);

/* Is this the error of a full disk? */
bool supply_is_full(int code);

/* The disk is full: the next one will be made of the reserve. False when there is none. */
bool supply_use_reserve(struct supply *s);

/* Makes the reserve when it is missing and the disk has room for it; looks now and then only. */
void supply_keep_reserve(struct supply *s);

/* The next one may be filled up to `to` by now, if it is there. */
void supply_fill(struct supply *s, uint64_t to);

/* The next one, its header and name durable. -EAGAIN: not ready, ask again; supply_begin() was
 * called. Another error (told): it could not be made; the next call begins anew. */
int supply_take(struct supply *s, struct segment **out);

#endif
