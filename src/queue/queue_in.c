/*
 * queue_in.c - the receiver's side of the queue.
 *
 * A put becomes one record of the journal (store/commit). A message that went to a file of its
 * own takes one step more: its record is written only after the file's bytes and name are
 * durable. It is not enough to sync file and journal in this order: once written, a record can
 * reach the disk at any moment by itself, or with the sync of an earlier batch, and after a
 * power cut would stand there, whole and right, naming half a message.
 *
 * These files are synced by a job of their own, so that a hundred small messages do not wait for
 * one large one.
 */
#include "queue/queue_in.h"

#include "base/fail.h"
#include "base/memory.h"
#include "queue/format.h"
#include "store/segment.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum { FREE_CACHE_MS = 100, FRONT_MAX = ENVELOPE_BYTES_MAX + 64 };

struct queue_in {
    struct queue_in_options o;
    struct disk_dir *draft_dir;
    struct commit *commit;
    uint64_t id_segment; /* ids are drawn from this segment's number ... */
    uint64_t id_counter; /* ... and this was the last */
    struct worker_job draft_job;
    struct list drafts_waiting; /* tickets whose file is not yet being synced */
    struct list drafts_syncing; /* the job's while it is busy */
    bool draft_job_busy;
    struct list finished; /* tickets that failed before they reached the journal */
    uint64_t room_asked_ms;
    bool room_known;
    bool room;
};

static struct queue_ticket *ticket_of(struct list *node)
{
    return LIST_ENTRY(node, struct queue_ticket, ticket.link);
}

static void fail_put(struct queue_in *q, struct queue_ticket *put, int code)
{
    put->ticket.result = code;
    list_remove(&put->ticket.link);
    list_append(&q->finished, &put->ticket.link);
}

static void stage(struct queue_in *q, struct queue_ticket *put)
{
    struct slice encoded = buf_slice(&put->encoded);
    struct slice parts[] = {slice_head(encoded, put->front_len),
                            put->header_block,
                            slice_skip(encoded, put->front_len),
                            {0}};

    if (draft_is_file(put->draft))
        draft_name(put->draft);
    else
        parts[3] = buf_slice(&put->draft->memory);
    put->ticket.note =
        message_note(put->rcpt_count, draft_is_file(put->draft) ? BODY_FILE : BODY_INLINE);
    list_remove(&put->ticket.link);
    commit_append(q->commit, &put->ticket, RECORD_MESSAGE, put->id, parts, 4);
}

static enum worker_next sync_drafts(struct worker_job *job)
{
    struct queue_in *q = LIST_ENTRY(job, struct queue_in, draft_job);

    LIST_EACH (node, &q->drafts_syncing)
        ticket_of(node)->ticket.result = draft_sync(ticket_of(node)->draft);
    int rc = draft_sync_names(q->draft_dir);
    LIST_EACH (node, &q->drafts_syncing) {
        if (ticket_of(node)->ticket.result == 0)
            ticket_of(node)->ticket.result = rc;
    }
    return WORKER_IDLE;
}

static void start_draft_sync(struct queue_in *q)
{
    if (q->draft_job_busy || list_empty(&q->drafts_waiting))
        return;
    list_splice(&q->drafts_syncing, &q->drafts_waiting);
    q->draft_job_busy = true;
    worker_submit(q->o.worker, &q->draft_job);
}

static void drafts_synced(struct worker_job *job)
{
    struct queue_in *q = LIST_ENTRY(job, struct queue_in, draft_job);

    q->draft_job_busy = false;
    LIST_EACH (node, &q->drafts_syncing) {
        struct queue_ticket *put = ticket_of(node);

        if (put->ticket.result < 0)
            fail_put(q, put, put->ticket.result);
        else
            stage(q, put);
    }
    start_draft_sync(q);
}

void queue_put(struct queue_in *q, const struct envelope *e, struct slice header_block,
               struct draft *draft, struct queue_ticket *put)
{
    put->id = e->id;
    put->rcpt_count = (uint32_t)e->rcpt_count;
    put->draft = draft;
    put->header_block = header_block;
    put->ticket.result = 0;
    put->ticket.written = false;
    list_init(&put->ticket.link);
    buf_init(&put->encoded, FRONT_MAX);
    assert(e->id != 0 && (!draft_is_file(draft) || draft->id == e->id));

    int rc = draft_finish(draft);
    if (rc < 0) {
        fail_put(q, put, rc);
        return;
    }
    bool good = message_record_front(&put->encoded, e, header_block.len);
    put->front_len = buf_len(&put->encoded);
    if (!good || !message_record_middle(
                     &put->encoded, draft_is_file(draft) ? BODY_FILE : BODY_INLINE, draft->size)) {
        fail_put(q, put, -EMSGSIZE);
        return;
    }
    if (draft_is_file(draft))
        list_append(&q->drafts_waiting, &put->ticket.link);
    else
        stage(q, put);
}

void queue_in_flush(struct queue_in *q)
{
    start_draft_sync(q);
    commit_flush(q->commit);
    commit_sync(q->commit);
}

/* On a full disk records fail before they are written, and clients try again: their files must not
 * pile up until the courier may sweep them. After a write only the next recovery knows what the
 * journal holds. */
static void put_done(struct queue_ticket *put)
{
    buf_done(&put->encoded);
    if (!put->ticket.written)
        draft_unname(put->draft);
}

void queue_in_collect(struct queue_in *q, struct list *finished)
{
    struct list mine;

    list_init(&mine);
    commit_collect(q->commit, &mine);
    list_splice(&mine, &q->finished);
    LIST_EACH (node, &mine)
        put_done(ticket_of(node));
    list_splice(finished, &mine);
}

void queue_in_durable(const struct queue_in *q, uint64_t *segment, uint64_t *offset)
{
    commit_durable(q->commit, segment, offset);
}

int queue_in_broken(const struct queue_in *q)
{
    return commit_broken(q->commit);
}

bool queue_in_busy(const struct queue_in *q)
{
    return commit_busy(q->commit) || !list_empty(&q->drafts_waiting) ||
           !list_empty(&q->drafts_syncing) || !list_empty(&q->finished);
}

uint64_t queue_in_next_id(struct queue_in *q)
{
    if (q->id_segment != commit_segment(q->commit)) {
        q->id_segment = commit_segment(q->commit);
        q->id_counter = random_u64(q->o.random) & ID_START_MAX;
    }
    if (q->id_counter == ID_COUNTER_MAX) {
        commit_retire(q->commit); /* four million sessions without a full segment: an attack */
        return 0;
    }
    return id_make(q->id_segment, q->o.receiver, ++q->id_counter);
}

void queue_in_draft_init(struct queue_in *q, struct draft *d)
{
    draft_init(d, q->draft_dir, q->o.mode);
}

bool queue_in_has_room(struct queue_in *q)
{
    uint64_t now_ms = clock_monotonic_ms(q->o.clock), bytes;

    if (q->room_known && now_ms - q->room_asked_ms < FREE_CACHE_MS)
        return q->room;
    int rc = disk_free_bytes(q->o.dir, &bytes);
    if (rc < 0)
        (void)fail_code(rc, "measure free space of", SLICE("spool"));
    q->room = rc == 0 && bytes >= q->o.min_free;
    q->room_known = true;
    q->room_asked_ms = now_ms;
    return q->room;
}

static int make_dir(struct disk_dir *at, const char *name, unsigned mode, struct disk_dir **out)
{
    int rc = segment_make_dir(at, name, mode);

    if (rc < 0)
        return rc;
    rc = disk_dir_open_at(at, name, out);
    return rc < 0 ? fail_code(rc, "open directory", slice_of(name)) : 0;
}

int queue_in_make_dirs(struct disk_dir *spool, unsigned receiver, unsigned mode)
{
    struct disk_dir *in = NULL, *own = NULL, *draft = NULL;
    char number[16];

    (void)snprintf(number, sizeof(number), "%u", receiver);
    int rc = make_dir(spool, "in", mode, &in);
    if (rc == 0)
        rc = make_dir(in, number, mode, &own);
    if (rc == 0)
        rc = make_dir(own, "draft", mode, &draft);
    disk_dir_close(draft);
    disk_dir_close(own);
    disk_dir_close(in);
    return rc;
}

static int open_parts(struct queue_in *q)
{
    struct commit_options commit = {.dir = q->o.dir,
                                    .mode = q->o.mode,
                                    .size = q->o.segment_size,
                                    .worker = q->o.worker,
                                    .clock = q->o.clock,
                                    .random = q->o.random,
                                    .zero_filled = true};
    int rc = disk_dir_open_at(q->o.dir, "draft", &q->draft_dir);

    if (rc < 0)
        return fail_code(rc, "open", SLICE("draft"));
    return commit_open(&commit, &q->commit);
}

int queue_in_open(const struct queue_in_options *options, struct queue_in **out)
{
    struct queue_in *q = MEMORY_NEW(struct queue_in);

    assert(options->receiver <= RECEIVER_MAX);
    q->o = *options;
    list_init(&q->drafts_waiting);
    list_init(&q->drafts_syncing);
    list_init(&q->finished);
    worker_job_init(&q->draft_job, sync_drafts, drafts_synced);
    int rc = open_parts(q);
    if (rc < 0) {
        queue_in_close(q);
        return rc;
    }
    *out = q;
    return 0;
}

void queue_in_stop(struct queue_in *q)
{
    struct list unfinished;

    list_init(&unfinished);
    worker_forget(q->o.worker, &q->draft_job);
    if (q->commit != NULL)
        commit_close(q->commit, &unfinished);
    q->commit = NULL;
    list_splice(&unfinished, &q->drafts_waiting);
    list_splice(&unfinished, &q->drafts_syncing);
    list_splice(&unfinished, &q->finished);
    LIST_EACH (node, &unfinished) {
        list_remove(node);
        put_done(ticket_of(node));
    }
}

void queue_in_close(struct queue_in *q)
{
    queue_in_stop(q);
    disk_dir_close(q->draft_dir);
    memory_free(q);
}
