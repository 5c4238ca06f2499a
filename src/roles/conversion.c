/*
 * conversion.c - binary content as base64, beside the loop.
 */
#include "roles/conversion.h"

#include "base/memory.h"
#include "wire/mime_convert.h"

#include <errno.h>

enum { PIECE = 256 * 1024 };

struct conversion {
    struct conversion_input in;
    struct worker_job job;
    struct mime_convert convert;
    struct buf out;
    struct disk_file *to;
    uint64_t done_bytes; /* of the input */
    uint64_t written;
    int code;
    bool over;
    void (*done)(void *ctx);
    void *ctx;
    char piece[PIECE];
};

static int write_out(struct conversion *c)
{
    int code = disk_write(c->to, buf_slice(&c->out), c->written);

    c->written += buf_len(&c->out);
    buf_clear(&c->out);
    return code;
}

static int convert_piece(struct conversion *c, struct slice bytes)
{
    struct cursor in = {bytes};
    int code = 0;

    while (code == 0 && !cursor_at_end(&in))
        code = mime_convert_step(&c->convert, &in, &c->out) ? write_out(c) : -EILSEQ;
    return code;
}

static int convert_next(struct conversion *c)
{
    uint64_t left = c->in.length - c->done_bytes;

    if (left == 0) {
        if (!mime_convert_end(&c->convert, &c->out, &c->over))
            return -EILSEQ;
        return write_out(c);
    }
    int64_t got = disk_read(c->in.file, c->piece, left < PIECE ? (size_t)left : PIECE,
                            c->in.offset + c->done_bytes);
    if (got <= 0)
        return got < 0 ? (int)got : -EIO; /* the queue's file is shorter than its record says */
    c->done_bytes += (uint64_t)got;
    return convert_piece(c, (struct slice){c->piece, (size_t)got});
}

static enum worker_next run(struct worker_job *job)
{
    struct conversion *c = LIST_ENTRY(job, struct conversion, job);

    c->code = convert_next(c);
    c->over = c->over || c->code < 0;
    return WORKER_IDLE;
}

static void piece_done(struct worker_job *job)
{
    struct conversion *c = LIST_ENTRY(job, struct conversion, job);

    if (c->over)
        c->done(c->ctx);
    else
        worker_submit(c->in.worker, &c->job);
}

/* A name that a crash left behind is taken over: there is one courier, and it is never read. */
static int open_nameless(struct disk_dir *spool, struct disk_file **out)
{
    int code = disk_unlink(spool, "converted");

    if (code < 0 && code != -ENOENT)
        return code;
    code = disk_open(spool, "converted", DISK_CREATE_READ, 0600, out);
    if (code < 0)
        return code;
    code = disk_unlink(spool, "converted");
    if (code < 0)
        disk_close(*out);
    return code;
}

int conversion_start(const struct conversion_input *input, void (*done)(void *ctx), void *ctx,
                     struct conversion **out)
{
    struct disk_file *to;
    int code = open_nameless(input->spool, &to);

    if (code < 0)
        return code;
    struct conversion *c = MEMORY_NEW(struct conversion);
    c->in = *input;
    c->to = to;
    c->done = done;
    c->ctx = ctx;
    buf_init(&c->out, MIME_CONVERT_OUT_MAX);
    mime_convert_init(&c->convert, MIME_NO_BINARY);
    worker_job_init(&c->job, run, piece_done);
    worker_submit(c->in.worker, &c->job);
    *out = c;
    return 0;
}

int conversion_result(const struct conversion *c, struct disk_file **file, uint64_t *length)
{
    *file = c->to;
    *length = c->written;
    return c->code;
}

void conversion_free(struct conversion *c)
{
    if (c == NULL)
        return;
    worker_forget(c->in.worker, &c->job);
    mime_convert_done(&c->convert);
    buf_done(&c->out);
    disk_close(c->to);
    memory_free(c);
}
