/*
 * commit.c - tickets and the group sync.
 *
 * A record passes four places, always forward and in order:
 *
 *   staged    in c->staged, memory only                          (commit_append)
 *   written   in a batch on c->waiting, in the page cache        (commit_flush)
 *   synced    in a batch on c->synced, with the sync's result    (sync_waiting, on the worker)
 *   finished  in c->finished, told to the owner                  (told, commit_collect)
 *
 * Why a ticket's 0 means durable: a batch is put on `waiting` only after its write returned, and
 * sync_waiting() takes it from there before it calls the sync; so that sync began after that
 * write. The header and name of the segment were synced before its first record was written.
 * Batches are synced in the order in which they were written, and after the first failed sync no
 * batch succeeds any more; so everything below the durable mark is durable, without gaps.
 *
 * Only `waiting` and `synced` are shared with the worker. Each is a stack that one side pushes to
 * and the other empties with one exchange, so neither ever waits for the other; a batch belongs
 * to whoever took it. All batches of one segment that are taken together share one sync.
 *
 * The next segment is begun when the present one is half full (store/supply). If it, or the zeros
 * that records are written over, is needed earlier than it is ready, records stay staged.
 */
#include "store/commit.h"

#include "base/codec.h"
#include "base/fail.h"
#include "base/memory.h"
#include "store/segment.h"
#include "store/supply.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>

struct batch {
    struct batch *next;
    struct list tickets;
    struct segment *segment;
    uint64_t end; /* the segment's, after the last write of this batch */
    int result;
};

struct commit {
    struct commit_options o;
    struct supply supply;
    struct segment *current;
    bool awaits_zeros; /* something staged does */
    struct list staged;
    struct list finished;
    size_t unfinished; /* tickets staged or in batches */
    uint64_t durable_segment;
    uint64_t durable_offset;
    int broken;
    struct worker_job sync_job;
    struct batch *_Atomic waiting; /* newest first */
    struct batch *_Atomic synced;  /* newest first */
    int sync_error;                /* of the first sync that failed; sync_waiting()'s alone */
};

static void push(struct batch *_Atomic *stack, struct batch *b)
{
    b->next = atomic_load(stack);
    while (!atomic_compare_exchange_weak(stack, &b->next, b))
        ;
}

/* Everything on the stack, oldest first. */
static struct batch *take_all(struct batch *_Atomic *stack)
{
    struct batch *newest = atomic_exchange(stack, NULL), *oldest = NULL;

    while (newest != NULL) {
        struct batch *b = newest;

        newest = b->next;
        b->next = oldest;
        oldest = b;
    }
    return oldest;
}

static enum worker_next sync_waiting(struct worker_job *job)
{
    struct commit *c = LIST_ENTRY(job, struct commit, sync_job);
    struct batch *mine = take_all(&c->waiting);
    const struct segment *last = NULL;

    for (struct batch *b = mine; b != NULL; b = b->next) {
        if (b->segment != last && c->sync_error == 0) {
            c->sync_error = disk_datasync(b->segment->file);
            if (c->sync_error < 0)
                (void)fail_code(c->sync_error, "sync", slice_of(b->segment->name));
        }
        last = b->segment;
        b->result = c->sync_error;
    }
    while (mine != NULL) {
        struct batch *b = mine;

        mine = b->next;
        push(&c->synced, b);
    }
    return atomic_load(&c->waiting) != NULL ? WORKER_AGAIN : WORKER_IDLE;
}

static void finish(struct commit *c, struct ticket *t, int result)
{
    t->result = result;
    list_remove(&t->link);
    list_append(&c->finished, &t->link);
    c->unfinished--;
}

static void finish_all(struct commit *c, struct list *tickets, int result)
{
    LIST_EACH (node, tickets)
        finish(c, LIST_ENTRY(node, struct ticket, link), result);
}

/* A segment stays open while it is written to or a batch leans on it. */
static void batch_free(struct commit *c, struct batch *b)
{
    struct segment *s = b->segment;

    memory_free(b);
    if (--s->unsynced == 0 && s != c->current)
        segment_free(s);
}

/* What was just written to the segment now waits for a sync. */
static void hand_over(struct commit *c, struct segment *s, struct list *tickets)
{
    struct batch *b = MEMORY_NEW(struct batch);

    list_init(&b->tickets);
    list_splice(&b->tickets, tickets);
    b->segment = s;
    b->segment->unsynced++;
    b->end = s->end;
    push(&c->waiting, b);
}

/* Written before the owner can tell anybody that the segment is finished: afterwards somebody may
 * have freed the file, and it may be in use again. */
static void seal(struct commit *c, struct segment *s)
{
    struct list none;

    list_init(&none);
    if (!s->sealed && c->broken == 0 && segment_seal(s) == 0)
        hand_over(c, s, &none);
}

static void told(struct worker_job *job)
{
    struct commit *c = LIST_ENTRY(job, struct commit, sync_job);
    struct batch *synced = take_all(&c->synced);

    while (synced != NULL) {
        struct batch *b = synced;

        synced = b->next;
        if (b->result == 0 && list_empty(&b->tickets)) {
            /* a seal, maybe of a segment before the mark */
        } else if (b->result == 0) {
            c->durable_segment = b->segment->head.number;
            c->durable_offset = b->end;
        } else if (c->broken == 0) {
            c->broken = b->result;
        }
        finish_all(c, &b->tickets, b->result);
        if (b->segment != c->current && b->segment->unsynced == 1)
            seal(c, b->segment); /* everything in it is durable */
        batch_free(c, b);
    }
}

/* For the reader: a hole before the durable part's end is damage, one behind it a torn tail. */
static uint32_t unsynced_before(const struct commit *c, uint64_t offset)
{
    bool here = c->durable_segment == c->current->head.number;

    return (uint32_t)(offset - (here ? c->durable_offset : SEGMENT_HEAD_SIZE));
}

/* True when a new segment was begun; false when that has to wait or has failed. */
static bool begin_next(struct commit *c)
{
    struct segment *old = c->current, *next;
    int rc = supply_take(&c->supply, &next);

    if (rc < 0 && rc != -EAGAIN)
        finish_all(c, &c->staged, rc);
    if (rc < 0)
        return false;
    c->current = next;
    if (old->unsynced == 0)
        seal(c, old);
    if (old->unsynced == 0)
        segment_free(old);
    return true;
}

static uint64_t body_len(const struct ticket *t)
{
    uint64_t len = 0;

    for (unsigned i = 0; i < t->part_count; i++)
        len += t->parts[i].len;
    return len;
}

static void frame(const struct commit *c, struct ticket *t, uint64_t offset)
{
    const struct segment *s = c->current;
    struct record_head head = {.kind = (uint16_t)t->kind,
                               .id = t->id,
                               .body_len = (uint32_t)body_len(t),
                               .unsynced = unsynced_before(c, offset)};

    head.body_crc = record_seed(s->head.generation, offset);
    for (unsigned i = 0; i < t->part_count; i++)
        head.body_crc = crc32c(head.body_crc, t->parts[i]);
    record_head_write(&head, s->head.generation, offset, t->head);
    t->segment = s->head.number;
    t->generation = s->head.generation;
    t->offset = offset;
    t->written = true;
}

static struct iovec part(const void *data, size_t len)
{
    /* writev() does not write through it, but its type says so. */
    return (struct iovec){(void *)(uintptr_t)data, len};
}

static int add_parts(struct iovec *iov, const struct ticket *t)
{
    static const char zeros[RECORD_ALIGN];
    uint64_t len = RECORD_HEAD_SIZE + body_len(t), size = record_size(body_len(t));
    int n = 0;

    iov[n++] = part(t->head, RECORD_HEAD_SIZE);
    for (unsigned i = 0; i < t->part_count; i++) {
        if (t->parts[i].len > 0)
            iov[n++] = part(t->parts[i].data, t->parts[i].len);
    }
    if (size > len)
        iov[n++] = part(zeros, (size_t)(size - len));
    return n;
}

/* The front record does not fit below what is filled, or not into the segment. True when it does
 * now; false when it has to wait or has failed. */
static bool make_room(struct commit *c)
{
    const struct ticket *front = LIST_ENTRY(c->staged.next, struct ticket, link);
    struct segment *s = c->current;
    uint64_t end = s->end + record_size(body_len(front));

    if (!segment_has_room(s, end, 1))
        return begin_next(c);
    if (c->awaits_zeros && !s->filling && s->fill_result < 0) {
        finish_all(c, &c->staged, s->fill_result);
        c->awaits_zeros = false;
        return false;
    }
    segment_fill(s, end);
    c->awaits_zeros = true; /* a failure from now on is the front record's */
    return false;
}

static void note_messages(struct segment *s, struct list *tickets)
{
    LIST_EACH (node, tickets) {
        const struct ticket *t = LIST_ENTRY(node, struct ticket, link);
        struct seal_entry entry = {(uint32_t)t->offset, (uint32_t)body_len(t), t->id, t->note};

        if (t->kind == RECORD_MESSAGE)
            (void)seal_entry_write(&s->table, &entry); /* segment_has_room() was asked */
    }
}

/* Writes as many staged records as fit into the present segment and one call; false when not
 * even the first fits. */
static bool write_staged(struct commit *c)
{
    enum { PARTS_PER_RECORD = TICKET_PARTS_MAX + 2 };
    struct iovec iov[DISK_IOV_MAX];
    struct segment *s = c->current;
    struct list tickets;
    uint64_t at = s->end;
    size_t entries = 0;
    int n = 0;

    list_init(&tickets);
    LIST_EACH (node, &c->staged) {
        struct ticket *t = LIST_ENTRY(node, struct ticket, link);
        uint64_t size = record_size(body_len(t));

        if (!segment_has_room(s, at + size, ++entries) || at + size > s->filled ||
            n + PARTS_PER_RECORD > DISK_IOV_MAX)
            break;
        frame(c, t, at);
        n += add_parts(iov + n, t);
        at += size;
        list_remove(node);
        list_append(&tickets, node);
    }
    if (n == 0)
        return false;
    int rc = disk_writev(s->file, iov, n, s->end);
    if (rc < 0) {
        (void)fail_code(rc, "write", slice_of(s->name));
        if (segment_erase(s, at) < 0)
            s->limit = s->end; /* nothing follows but the seal, which ends what is read */
        if (supply_is_full(rc) && supply_use_reserve(&c->supply))
            s->limit = s->end; /* who comes next goes there */
        finish_all(c, &tickets, rc);
        return true;
    }
    s->end = at;
    note_messages(s, &tickets);
    hand_over(c, s, &tickets);
    return true;
}

void commit_append(struct commit *c, struct ticket *t, enum record_kind kind, uint64_t id,
                   const struct slice *parts, unsigned part_count)
{
    assert(part_count <= TICKET_PARTS_MAX);
    t->written = false;
    t->kind = kind;
    t->id = id;
    t->part_count = part_count;
    for (unsigned i = 0; i < part_count; i++)
        t->parts[i] = parts[i];
    list_init(&t->link);
    list_append(&c->staged, &t->link);
    c->unfinished++;
    if (body_len(t) > RECORD_BODY_MAX || body_len(t) > segment_body_max(c->o.size))
        finish(c, t, -EMSGSIZE);
}

/* Zeros are asked for by the bytes that were written, so their pace is that of the load, and a
 * journal that is hardly used stays small: this segment twice as far as it is used, and, behind
 * its middle, the next one four times as fast, so that it is ready at three quarters. */
static void prepare(struct commit *c)
{
    struct segment *s = c->current;
    uint64_t middle = s->size / 2;

    if (s->filling || s->fill_result == 0)
        segment_fill(s, 2 * s->end);
    if (s->end <= middle)
        return;
    if (!s->next_asked) {
        s->next_asked = true; /* told once; asked again when it is needed */
        (void)supply_begin(&c->supply);
    }
    supply_fill(&c->supply, 4 * (s->end - middle));
}

void commit_flush(struct commit *c)
{
    if (c->broken < 0) {
        finish_all(c, &c->staged, c->broken);
        return;
    }
    while (!list_empty(&c->staged) && (write_staged(c) || make_room(c)))
        ;
    if (list_empty(&c->staged))
        c->awaits_zeros = false;
    prepare(c);
    supply_keep_reserve(&c->supply);
}

void commit_sync(struct commit *c)
{
    if (atomic_load(&c->waiting) != NULL)
        worker_submit(c->o.worker, &c->sync_job);
}

void commit_collect(struct commit *c, struct list *finished)
{
    list_splice(finished, &c->finished);
}

void commit_durable(const struct commit *c, uint64_t *segment, uint64_t *offset)
{
    *segment = c->durable_segment;
    *offset = c->durable_offset;
}

int commit_broken(const struct commit *c)
{
    return c->broken;
}

bool commit_busy(const struct commit *c)
{
    return c->unfinished > 0;
}

uint64_t commit_segment(const struct commit *c)
{
    return c->current->head.number;
}

void commit_retire(struct commit *c)
{
    c->current->limit = c->current->end;
    (void)begin_next(c);
}

int commit_open(const struct commit_options *options, struct commit **out)
{
    struct commit *c = MEMORY_NEW(struct commit);

    c->o = *options;
    if (c->o.size == 0)
        c->o.size = SEGMENT_SIZE;
    assert(c->o.size % RECORD_ALIGN == 0 && c->o.size <= UINT32_MAX &&
           c->o.size >= SEGMENT_HEAD_SIZE + 4 * RECORD_HEAD_SIZE + RECORD_LOCATOR_SIZE);
    list_init(&c->staged);
    list_init(&c->finished);
    worker_job_init(&c->sync_job, sync_waiting, told);
    supply_init(&c->supply, &c->o);

    int rc = supply_first(&c->supply, &c->current);
    if (rc < 0) {
        struct list none;

        list_init(&none);
        commit_close(c, &none);
        return rc;
    }
    c->durable_segment = c->current->head.number;
    c->durable_offset = c->current->end;
    segment_fill(c->current, 1);
    *out = c;
    return 0;
}

static void cancel_batches(struct commit *c, struct batch *batches)
{
    while (batches != NULL) {
        struct batch *b = batches;

        batches = b->next;
        finish_all(c, &b->tickets, -ECANCELED);
        batch_free(c, b);
    }
}

void commit_close(struct commit *c, struct list *unfinished)
{
    worker_forget(c->o.worker, &c->sync_job);
    cancel_batches(c, take_all(&c->synced));
    cancel_batches(c, take_all(&c->waiting));
    finish_all(c, &c->staged, -ECANCELED);
    list_splice(unfinished, &c->finished);
    segment_free(c->current);
    supply_done(&c->supply);
    memory_free(c);
}
