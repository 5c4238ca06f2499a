/*
 * conversion.h - a message that a mailbox or the next server cannot take as it is, made so that it
 * can. RFC 3030 3, RFC 6152 3.
 *
 * The result lies in a file without a name, made from the queue's bytes a piece at a time on the
 * worker, so that syncs get their turn. Nothing here is durable, or needs to be: after a crash the
 * message in the queue is converted anew.
 */
#ifndef ROLES_CONVERSION_H
#define ROLES_CONVERSION_H

#include "base/disk.h"
#include "base/worker.h"
#include "wire/mime_survey.h"

struct conversion_input {
    struct disk_dir *spool; /* where the result lies */
    struct worker *worker;
    struct disk_file *file; /* the message: borrowed until the end */
    uint64_t offset;
    uint64_t length;
    enum mime_goal goal;
};

struct conversion;

/* Calls `done` once, on the loop. Negative errno: no file could be made. */
int conversion_start(const struct conversion_input *input, void (*done)(void *ctx), void *ctx,
                     struct conversion **out);

/* Only looks: no file is made, spool and goal say nothing, conversion_facts() is the result. */
void conversion_look(const struct conversion_input *input, void (*done)(void *ctx), void *ctx,
                     struct conversion **out);

/* Inside `done` and later. 0 and the result, borrowed; -EILSEQ: the message must stay as it is; or
 * another negative errno. */
int conversion_result(const struct conversion *c, struct disk_file **file, uint64_t *length);

/* The same; *facts is borrowed. */
int conversion_facts(const struct conversion *c, const struct mime_facts **facts);

/* At any time; waits for the piece at hand. NULL is fine. */
void conversion_free(struct conversion *c);

#endif
