/*
 * conversion.c - the message read twice, beside the loop: first to know it, then to convert it.
 *
 * The piece that is read lies in memory only while it is worked on, since many messages may wait.
 */
#include "roles/conversion.h"

#include "base/memory.h"
#include "wire/mime_convert.h"

#include <errno.h>

enum { PIECE = 256 * 1024 };

struct conversion {
    struct conversion_input in;
    struct worker_job job;
    struct mime_survey survey;
    struct mime_convert convert;
    struct buf out;
    struct disk_file *to; /* NULL: it only looks */
    bool known;           /* the survey is over */
    uint64_t done_bytes;  /* of the input */
    uint64_t written;
    int code;
    bool over;
    void (*done)(void *ctx);
    void *ctx;
};

static int write_out(struct conversion *c)
{
    int code = disk_write(c->to, buf_slice(&c->out), c->written);

    c->written += buf_len(&c->out);
    buf_clear(&c->out);
    return code;
}

/* --- the two readings --- */

static int take_piece(struct conversion *c, struct slice bytes)
{
    struct cursor in = {bytes};
    int code = 0;

    if (!c->known) {
        mime_survey_feed(&c->survey, bytes);
        return 0;
    }
    while (code == 0 && !cursor_at_end(&in)) {
        mime_convert_step(&c->convert, &in, &c->out);
        code = write_out(c);
    }
    return code;
}

static int take_end(struct conversion *c)
{
    if (c->known) {
        c->over = mime_convert_end(&c->convert, &c->out);
        return write_out(c);
    }
    mime_survey_end(&c->survey);
    c->known = true;
    c->done_bytes = 0;
    c->over = c->to == NULL;
    if (c->over)
        return 0;
    if (!mime_facts_can_fit(&c->survey.facts, c->in.goal))
        return -EILSEQ;
    mime_convert_init(&c->convert, c->in.goal, &c->survey);
    return 0;
}

static int take_next(struct conversion *c, char *piece)
{
    uint64_t left = c->in.length - c->done_bytes;

    if (left == 0)
        return take_end(c);
    int64_t got = disk_read(c->in.file, piece, left < PIECE ? (size_t)left : PIECE,
                            c->in.offset + c->done_bytes);
    if (got <= 0)
        return got < 0 ? (int)got : -EIO; /* the queue's file is shorter than its record says */
    c->done_bytes += (uint64_t)got;
    return take_piece(c, (struct slice){piece, (size_t)got});
}

static enum worker_next run(struct worker_job *job)
{
    struct conversion *c = LIST_ENTRY(job, struct conversion, job);
    char *piece = memory_resize(NULL, PIECE);

    c->code = take_next(c, piece);
    c->over = c->over || c->code < 0;
    memory_free(piece);
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

/* --- from outside --- */

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

static struct conversion *start(const struct conversion_input *input, struct disk_file *to,
                                void (*done)(void *ctx), void *ctx)
{
    struct conversion *c = MEMORY_NEW(struct conversion);

    c->in = *input;
    c->to = to;
    c->done = done;
    c->ctx = ctx;
    buf_init(&c->out, MIME_CONVERT_OUT_MAX);
    mime_survey_init(&c->survey);
    worker_job_init(&c->job, run, piece_done);
    worker_submit(c->in.worker, &c->job);
    return c;
}

int conversion_start(const struct conversion_input *input, void (*done)(void *ctx), void *ctx,
                     struct conversion **out)
{
    struct disk_file *to;
    int code = open_nameless(input->spool, &to);

    if (code < 0)
        return code;
    *out = start(input, to, done, ctx);
    return 0;
}

void conversion_look(const struct conversion_input *input, void (*done)(void *ctx), void *ctx,
                     struct conversion **out)
{
    *out = start(input, NULL, done, ctx);
}

int conversion_result(const struct conversion *c, struct disk_file **file, uint64_t *length)
{
    *file = c->to;
    *length = c->written;
    return c->code;
}

int conversion_facts(const struct conversion *c, const struct mime_facts **facts)
{
    *facts = &c->survey.facts;
    return c->code;
}

void conversion_free(struct conversion *c)
{
    if (c == NULL)
        return;
    worker_forget(c->in.worker, &c->job);
    mime_survey_done(&c->survey);
    mime_convert_done(&c->convert);
    buf_done(&c->out);
    disk_close(c->to);
    memory_free(c);
}
