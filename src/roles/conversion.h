/*
 * conversion.h - a BINARYMIME message in lines, for a mailbox that keeps lines. RFC 3030 3.
 *
 * The result lies in a file without a name, made from the queue's bytes a piece at a time on the
 * worker, so that syncs get their turn. Nothing here is durable, or needs to be: after a crash the
 * message in the queue is converted anew.
 */
#ifndef ROLES_CONVERSION_H
#define ROLES_CONVERSION_H

#include "base/disk.h"
#include "base/worker.h"

struct conversion_input {
    struct disk_dir *spool; /* where the result lies */
    struct worker *worker;
    struct disk_file *file; /* the message: borrowed until the end */
    uint64_t offset;
    uint64_t length;
};

struct conversion;

/* Calls `done` once, on the loop. Negative errno: no file could be made. */
int conversion_start(const struct conversion_input *input, void (*done)(void *ctx), void *ctx,
                     struct conversion **out);

/* Inside `done` and later. 0 and the result, borrowed; -EILSEQ: the message must stay as it is; or
 * another negative errno. */
int conversion_result(const struct conversion *c, struct disk_file **file, uint64_t *length);

/* At any time; waits for the piece at hand. NULL is fine. */
void conversion_free(struct conversion *c);

#endif
