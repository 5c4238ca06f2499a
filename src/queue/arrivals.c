/*
 * arrivals.c - the receivers' directories as the courier sees them.
 *
 * When is a segment complete? Its writer appends to one segment at a time and its marks only
 * move forward, so a mark in a later segment says that this one is finished and durable. A
 * segment of an earlier `run` (header) than the newest one belongs to a receiver that died,
 * since there is one writer at a time; so does the run of the last mark after arrivals_ended().
 * Only then is it read to its end, and only up to a published mark before: what a living writer
 * wrote beyond may still fail and give its place to other records.
 *
 * Removing is unlink first, then, on the worker, the sync of the directory; only then are the
 * outcomes told that the segment is gone. A whole file is not unlinked but renamed to "free-*",
 * for its receiver to use again (store/supply), unless there are enough of these. Such a use
 * shows as a header that names another segment than the file's name does: then the name is what
 * a crash left of an earlier life of the file, and holds nothing.
 */
#include "queue/arrivals.h"

#include "base/cursor.h"
#include "base/fail.h"
#include "base/memory.h"
#include "queue/format.h"
#include "store/draft.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For each receiver: one while it writes another, and one to spare. */
enum { FREE_KEPT = 2 };

static struct in_segment *segment_of(struct list *node)
{
    return LIST_ENTRY(node, struct in_segment, link);
}

static struct receiver_dir *receiver_of(struct list *node)
{
    return LIST_ENTRY(node, struct receiver_dir, link);
}

static void tell(const struct in_segment *s, int code, const char *operation)
{
    char name[48], segment[SEGMENT_NAME_SIZE];

    segment_name(s->number, segment);
    int n = snprintf(name, sizeof(name), "in/%u/%s", s->from->number, segment);
    (void)fail_code(code, operation, (struct slice){name, n < 0 ? 0 : (size_t)n});
}

static void damaged(struct in_segment *s, int code, const char *operation)
{
    s->damaged = true;
    tell(s, code, operation);
}

int arrivals_use(struct in_segment *s, struct disk_file **file)
{
    if (s->file == NULL) {
        char name[SEGMENT_NAME_SIZE];

        segment_name(s->number, name);
        int rc = disk_open(s->from->dir, name, DISK_READ, 0, &s->file);
        if (rc < 0) {
            tell(s, rc, "open");
            return rc;
        }
    }
    s->users++;
    *file = s->file;
    return 0;
}

void arrivals_unuse(struct in_segment *s)
{
    if (--s->users > 0 || !s->complete)
        return;
    disk_close(s->file);
    s->file = NULL;
}

static void remove_body_file(struct receiver_dir *r, uint64_t id)
{
    char name[DRAFT_NAME_SIZE];

    if (r->draft == NULL)
        return;
    draft_file_name(id, name);
    int rc = disk_unlink(r->draft, name);
    if (rc < 0 && rc != -ENOENT)
        (void)fail_code(rc, "unlink", slice_of(name)); /* swept later */
}

void arrivals_entry_done(struct arrivals *a, struct queue_entry *e)
{
    if (e->body_file)
        remove_body_file(e->segment->from, e->id);
    entry_free(e);
    a->changed = true;
}

void arrivals_entry_lost(struct arrivals *a, struct queue_entry *e)
{
    damaged(e->segment, -EBADMSG, "read all of");
    entry_abandon(e);
    e->body_file = false; /* it is kept too */
    if (entry_is_over(e))
        arrivals_entry_done(a, e);
}

static void index_entry(struct arrivals *a, struct in_segment *s, uint64_t id, uint64_t offset,
                        uint32_t rcpt_count, enum body_place place)
{
    struct queue_entry *e = entry_new(id, rcpt_count, clock_monotonic_ms(a->clock));

    e->segment = s;
    e->offset = offset;
    e->body_file = place == BODY_FILE;
    e->repeat = offset < s->old_below;
    list_append(&s->entries, &e->link);
    outcomes_apply(a->outcomes, e, &s->refs);
    if (e->open == 0)
        return; /* it goes when its outcomes are durable (once more) */
    a->count++;
    index_set(a->index, e);
}

static void index_message(struct arrivals *a, struct in_segment *s, const struct record *record)
{
    struct message_record message;
    struct envelope envelope;
    struct arena arena;

    arena_init(&arena);
    if (!message_record_parse(record->body, &message) ||
        !envelope_decode(message.envelope, &arena, &envelope) || envelope.id != record->head.id ||
        id_receiver(envelope.id) != s->from->number || envelope.rcpt_count == 0) {
        damaged(s, -EBADMSG, "understand record of");
        arena_done(&arena);
        return;
    }
    arena_done(&arena);
    index_entry(a, s, envelope.id, record->offset, envelope.rcpt_count, message.place);
}

static bool entry_is_good(const struct in_segment *s, const struct seal_entry *e)
{
    uint32_t rcpts = note_rcpt_count(e->note);

    return id_receiver(e->id) == s->from->number && rcpts > 0 && rcpts <= ENVELOPE_RCPTS_MAX;
}

/* A seal stands behind durable records only, so its table says what was acknowledged; whether
 * each of them is still whole shows when it is claimed. False: read all of it. */
static bool read_table(struct arrivals *a, struct in_segment *s, uint64_t size)
{
    struct cursor table, check;
    struct seal_entry e;

    segment_reader_aim(&a->reader, s->file, s->generation, s->next, size, SEGMENT_ENDED);
    if (!segment_reader_table(&a->reader, size, &table))
        return false;
    for (check = table; seal_entry_read(&check, &e);) {
        if (!entry_is_good(s, &e))
            return false;
    }
    while (seal_entry_read(&table, &e))
        index_entry(a, s, e.id, e.offset, note_rcpt_count(e.note), note_place(e.note));
    s->next = a->reader.offset;
    return true;
}

/* 0, or the error of a read: to be tried again. */
static int read_records(struct arrivals *a, struct in_segment *s, uint64_t limit,
                        enum segment_trust trust)
{
    struct segment_reader *r = &a->reader;
    struct record record;

    segment_reader_aim(r, s->file, s->generation, s->next, limit, trust);
    for (;;) {
        switch (segment_reader_next(r, &record)) {
        case SEGMENT_RECORD:
            if (record.head.kind == RECORD_MESSAGE)
                index_message(a, s, &record);
            else
                damaged(s, -EBADMSG, "understand record of"); /* maybe of a later version */
            break;
        case SEGMENT_DAMAGE: damaged(s, -EBADMSG, "read all of"); break;
        case SEGMENT_ERROR: s->next = r->offset; return r->error;
        case SEGMENT_END: s->next = r->offset; return 0;
        }
    }
}

/* What its header says, once it can be read. */
static int load_head(struct in_segment *s)
{
    struct segment_head head;
    enum head_verdict verdict = HEAD_BAD;
    struct disk_file *file;

    if (s->has_head)
        return 0;
    int rc = arrivals_use(s, &file);
    if (rc < 0)
        return rc;
    rc = segment_read_head(file, &verdict, &head);
    arrivals_unuse(s);
    if (rc < 0)
        return rc;
    switch (verdict) {
    case HEAD_BAD: return -EBADMSG; /* judged by who knows whether it should be good by now */
    case HEAD_NEWER: damaged(s, -EPROTONOSUPPORT, "read newer version of"); return -EPROTONOSUPPORT;
    case HEAD_GOOD: break;
    }
    if (head.number != s->number)
        return -ESTALE;
    s->generation = head.generation;
    s->run = head.run;
    s->has_head = true;
    return 0;
}

static void read_to_mark(struct arrivals *a, struct in_segment *s, uint64_t offset)
{
    struct disk_file *file;

    if (offset > s->last_good)
        offset = s->last_good;
    if (s->complete || offset <= s->next || (s->damaged && !s->has_head) ||
        arrivals_use(s, &file) < 0)
        return;
    int rc = load_head(s);
    if (rc == -EBADMSG || rc == -ESTALE) /* its writer made it durable before the first mark */
        damaged(s, -EBADMSG, "read header of");
    else if (rc == 0)
        (void)read_records(a, s, offset, SEGMENT_DURABLE);
    /* after an error of a read the next mark tries again */
    arrivals_unuse(s);
}

/* What can be read of a segment that nobody writes any more. */
static int read_rest(struct arrivals *a, struct in_segment *s)
{
    uint64_t size;
    int rc = segment_sync(s->file); /* what is delivered should not vanish and come again */

    if (rc < 0)
        tell(s, rc, "sync");
    rc = disk_size(s->file, &size);
    if (rc < 0) {
        tell(s, rc, "measure");
        return rc;
    }
    rc = load_head(s);
    if (rc == -EBADMSG && size > SEGMENT_HEAD_SIZE)
        damaged(s, rc, "read header of");
    if (rc == -EBADMSG || rc == -ESTALE || rc == -EPROTONOSUPPORT)
        return 0; /* damaged; or else all that a crash left of its making, without a record */
    if (rc == 0 && s->next == SEGMENT_HEAD_SIZE && s->last_good == UINT64_MAX &&
        read_table(a, s, size))
        return 0;
    return rc < 0 ? rc
                  : read_records(a, s, size < s->last_good ? size : s->last_good, SEGMENT_ENDED);
}

/* The writer is done with it. After an error it stays incomplete, for the next occasion. */
static void read_to_end(struct arrivals *a, struct in_segment *s)
{
    struct disk_file *file;

    if (s->complete || arrivals_use(s, &file) < 0)
        return;
    s->complete = read_rest(a, s) == 0;
    a->changed = true;
    arrivals_unuse(s);
}

/* --- directories --- */

static struct in_segment *find_segment(struct receiver_dir *r, uint64_t number)
{
    for (struct list *at = r->segments.prev; at != &r->segments; at = at->prev) {
        if (segment_of(at)->number == number)
            return segment_of(at);
    }
    return NULL;
}

static void add_segment(struct receiver_dir *r, uint64_t number)
{
    struct in_segment *s = MEMORY_NEW(struct in_segment);
    struct list *at = r->segments.prev;

    s->from = r;
    s->number = number;
    s->next = SEGMENT_HEAD_SIZE;
    s->last_good = UINT64_MAX;
    s->old_below = r->recovered ? 0 : UINT64_MAX;
    list_init(&s->entries);
    list_init(&s->refs);
    while (at != &r->segments && segment_of(at)->number > number)
        at = at->prev;
    list_insert_before(at->next, &s->link);
}

static int discover(struct receiver_dir *r)
{
    uint64_t *numbers;
    size_t count;
    int rc = segment_list(r->dir, &numbers, &count);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count; i++) {
        if (find_segment(r, numbers[i]) == NULL)
            add_segment(r, numbers[i]);
    }
    memory_free(numbers);
    return 0;
}

static struct receiver_dir *find_receiver(struct arrivals *a, unsigned number)
{
    LIST_EACH (node, &a->receivers) {
        if (receiver_of(node)->number == number)
            return receiver_of(node);
    }
    return NULL;
}

static struct receiver_dir *add_receiver(struct arrivals *a, unsigned number)
{
    struct receiver_dir *r = find_receiver(a, number);
    char name[16];

    if (r != NULL)
        return r;
    r = MEMORY_NEW(struct receiver_dir);
    r->number = number;
    list_init(&r->segments);
    (void)snprintf(name, sizeof(name), "%u", number);
    int rc = disk_dir_open_at(a->in, name, &r->dir);
    if (rc < 0) {
        (void)fail_code(rc, "open directory", slice_of(name));
        memory_free(r);
        return NULL;
    }
    rc = disk_dir_open_at(r->dir, "draft", &r->draft);
    if (rc < 0)
        (void)fail_code(rc, "open directory", SLICE("draft"));
    list_append(&a->receivers, &r->link);
    return r;
}

/* --- drafts of dead receivers --- */

struct sweep {
    struct receiver_dir *receiver;
    uint64_t *wanted; /* ids of queued messages with a body file, ascending */
    size_t count;
};

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static bool sweep_file(void *ctx, struct slice name)
{
    struct sweep *w = ctx;
    uint64_t id;

    if (!draft_file_id(name, &id) || id_segment(id) >= w->receiver->run)
        return true;
    if (w->count == 0 || bsearch(&id, w->wanted, w->count, sizeof(*w->wanted), compare_ids) == NULL)
        remove_body_file(w->receiver, id);
    return true;
}

/* Can everything that may name a draft be read? What lies above a last good mark is not read by
 * this courier, but would be by the next. */
static bool knows_all_names(const struct receiver_dir *r, const struct in_segment *s)
{
    return !s->damaged && s->last_good == UINT64_MAX && (s->number >= r->run || s->complete);
}

/* A draft older than the newest run that no queued message names was never acknowledged. */
static void sweep_drafts(struct receiver_dir *r)
{
    struct sweep w = {.receiver = r};
    size_t cap = 0;

    if (r->draft == NULL)
        return;
    LIST_EACH (node, &r->segments) {
        struct in_segment *s = segment_of(node);

        if (!knows_all_names(r, s)) {
            memory_free(w.wanted);
            return;
        }
        LIST_EACH (entry, &s->entries) {
            struct queue_entry *e = LIST_ENTRY(entry, struct queue_entry, link);

            if (!e->body_file)
                continue;
            if (w.count == cap) {
                cap = cap == 0 ? 64 : cap * 2;
                w.wanted = memory_resize(w.wanted, cap * sizeof(*w.wanted));
            }
            w.wanted[w.count++] = e->id;
        }
    }
    if (w.count > 0)
        qsort(w.wanted, w.count, sizeof(*w.wanted), compare_ids);
    int rc = disk_dir_list(r->draft, sweep_file, &w);
    if (rc < 0)
        (void)fail_code(rc, "list", SLICE("draft"));
    memory_free(w.wanted);
}

/* --- what is known about the writers --- */

/* The segments below `run` belong to receivers that are gone. */
static void complete_runs_before(struct arrivals *a, struct receiver_dir *r, uint64_t run)
{
    if (run <= r->run)
        return;
    r->run = run;
    LIST_EACH (node, &r->segments) {
        if (segment_of(node)->number < run)
            read_to_end(a, segment_of(node));
    }
    sweep_drafts(r);
}

void arrivals_mark(struct arrivals *a, unsigned receiver, uint64_t segment, uint64_t offset)
{
    struct receiver_dir *r = add_receiver(a, receiver);

    if (r == NULL)
        return;
    r->abandoned = false;
    struct in_segment *s = find_segment(r, segment);
    if (s == NULL) {
        if (discover(r) < 0)
            return;
        s = find_segment(r, segment);
    }
    if (s == NULL)
        return; /* read, done and removed long ago */
    if (load_head(s) == 0) {
        r->marked = s->run;
        complete_runs_before(a, r, s->run);
    }
    LIST_EACH (node, &r->segments) {
        if (segment_of(node)->number < segment)
            read_to_end(a, segment_of(node));
    }
    read_to_mark(a, s, offset);
}

void arrivals_last_good(struct arrivals *a, unsigned receiver, uint64_t segment, uint64_t offset)
{
    arrivals_mark(a, receiver, segment, offset);

    struct receiver_dir *r = find_receiver(a, receiver);
    struct in_segment *s = r == NULL ? NULL : find_segment(r, segment);
    if (s != NULL && offset < s->last_good)
        s->last_good = offset;
}

/* The newest name must be durable before an older one is removed. */
static int sync_and_discover(struct receiver_dir *r)
{
    int rc = segment_sync_dir(r->dir);

    if (rc < 0)
        return fail_code(rc, "sync directory", SLICE("in"));
    return discover(r);
}

void arrivals_ended(struct arrivals *a, unsigned receiver)
{
    struct receiver_dir *r = find_receiver(a, receiver);

    if (r == NULL || r->marked == 0)
        return; /* the next life's first mark tells the same */
    uint64_t run = r->marked;
    r->marked = 0;
    if (sync_and_discover(r) < 0)
        return;
    LIST_EACH (node, &r->segments) {
        struct in_segment *s = segment_of(node);

        if (load_head(s) == 0 && s->run <= run)
            read_to_end(a, s);
    }
}

/* A few at most; a second look is not worth it when one cannot be unlinked. */
static bool unlink_free(void *ctx, struct slice name)
{
    struct receiver_dir *r = ctx;
    char text[SEGMENT_FREE_NAME_SIZE] = "";

    if (!segment_is_free_name(name) || name.len >= sizeof(text))
        return true;
    memcpy(text, name.data, name.len);
    int rc = disk_unlink(r->dir, text);
    if (rc < 0)
        (void)fail_code(rc, "unlink", name);
    return true;
}

void arrivals_ended_from(struct arrivals *a, unsigned first)
{
    LIST_EACH (node, &a->receivers) {
        struct receiver_dir *r = receiver_of(node);

        if (r->number < first || sync_and_discover(r) < 0)
            continue;
        r->abandoned = true;
        (void)disk_dir_list(r->dir, unlink_free, r);
        LIST_EACH (at, &r->segments)
            read_to_end(a, segment_of(at));
    }
}

bool arrivals_exists(void *arrivals, unsigned receiver, uint64_t segment)
{
    struct receiver_dir *r = find_receiver(arrivals, receiver);

    return r != NULL && find_segment(r, segment) != NULL;
}

/* --- removing --- */

static enum worker_next sync_dirs(struct worker_job *job)
{
    struct arrivals *a = LIST_ENTRY(job, struct arrivals, sync_job);
    struct receiver_dir *synced = NULL;

    a->sync_result = 0;
    LIST_EACH (node, &a->syncing) {
        struct receiver_dir *r = segment_of(node)->from;

        if (r == synced) /* they come sorted by receiver */
            continue;
        int rc = segment_sync_dir(r->dir);
        if (rc < 0)
            a->sync_result = fail_code(rc, "sync directory", SLICE("in"));
        synced = r;
    }
    return WORKER_IDLE;
}

static void segment_free_in(struct in_segment *s)
{
    outcomes_unref(&s->refs);
    disk_close(s->file);
    memory_free(s);
}

static void start_sync(struct arrivals *a)
{
    if (a->sync_job_busy || list_empty(&a->gone) || a->sync_result < 0)
        return;
    list_splice(&a->syncing, &a->gone);
    a->sync_job_busy = true;
    worker_submit(a->worker, &a->sync_job);
}

static void dirs_synced(struct worker_job *job)
{
    struct arrivals *a = LIST_ENTRY(job, struct arrivals, sync_job);

    a->sync_job_busy = false;
    if (a->sync_result < 0)
        return; /* their outcomes stay until the next start */
    LIST_EACH (node, &a->syncing) {
        list_remove(node);
        segment_free_in(segment_of(node));
    }
    start_sync(a);
}

static bool removable(struct in_segment *s)
{
    return s->complete && !s->damaged && s->users == 0 && list_empty(&s->entries) &&
           s->link.next != &s->from->segments;
}

static bool count_free(void *ctx, struct slice name)
{
    if (segment_is_free_name(name))
        ++*(unsigned *)ctx;
    return true;
}

/* Only a whole one: its receiver wants the blocks. Never a stale name, which may share its file
 * with a name that is in use. */
static bool worth_keeping(const struct arrivals *a, const struct in_segment *s)
{
    struct disk_stat stat;
    char name[SEGMENT_NAME_SIZE];
    unsigned count = 0;

    segment_name(s->number, name);
    return s->has_head && !s->from->abandoned && disk_stat(s->from->dir, name, &stat) == 0 &&
           stat.size == a->segment_size && disk_dir_list(s->from->dir, count_free, &count) == 0 &&
           count < FREE_KEPT;
}

static int free_file(const struct arrivals *a, const struct in_segment *s)
{
    char old[SEGMENT_NAME_SIZE], kept_as[SEGMENT_FREE_NAME_SIZE];

    segment_name(s->number, old);
    segment_free_name(s->number, kept_as);
    return worth_keeping(a, s) ? disk_rename(s->from->dir, old, s->from->dir, kept_as)
                               : disk_unlink(s->from->dir, old);
}

static void remove_segment(struct arrivals *a, struct in_segment *s)
{
    int rc = free_file(a, s);

    if (rc < 0 && rc != -ENOENT) {
        damaged(s, rc, "free");
        return;
    }
    list_remove(&s->link);
    list_append(&a->gone, &s->link);
}

void arrivals_remove(struct arrivals *a)
{
    if (!a->changed)
        return;
    a->changed = false;
    LIST_EACH (node, &a->receivers) {
        LIST_EACH (at, &receiver_of(node)->segments) {
            if (removable(segment_of(at)))
                remove_segment(a, segment_of(at));
        }
    }
    start_sync(a);
}

/* --- opening --- */

static void note_size(struct in_segment *s)
{
    struct disk_file *file;
    uint64_t size;

    s->old_below = UINT64_MAX;
    if (arrivals_use(s, &file) < 0)
        return;
    if (disk_size(file, &size) == 0)
        s->old_below = size;
    arrivals_unuse(s);
}

/* Reads what is certainly complete: everything before the newest run. */
static int recover_receiver(struct arrivals *a, struct receiver_dir *r)
{
    uint64_t newest = 0;
    int rc = sync_and_discover(r); /* what is missing now must not come back either */

    if (rc < 0)
        return rc;
    LIST_EACH (node, &r->segments) {
        struct in_segment *s = segment_of(node);

        note_size(s);
        rc = load_head(s);
        if (rc == -EPROTONOSUPPORT)
            return rc;
        if (rc == 0 && s->run > newest)
            newest = s->run;
    }
    r->recovered = true;
    complete_runs_before(a, r, newest);
    return 0;
}

static bool note_receiver(void *ctx, struct slice name)
{
    struct cursor c = {name};
    uint64_t number;

    if (take_number(&c, &number) && cursor_at_end(&c) && number <= RECEIVER_MAX)
        (void)add_receiver(ctx, (unsigned)number);
    return true;
}

void arrivals_init(struct arrivals *a)
{
    list_init(&a->receivers);
    list_init(&a->gone);
    list_init(&a->syncing);
    worker_job_init(&a->sync_job, sync_dirs, dirs_synced);
}

int arrivals_open(struct arrivals *a)
{
    int rc = disk_dir_list(a->in, note_receiver, a);
    if (rc < 0)
        return fail_code(rc, "list", SLICE("in"));
    LIST_EACH (node, &a->receivers) {
        rc = recover_receiver(a, receiver_of(node));
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void free_segments(struct list *segments)
{
    LIST_EACH (node, segments) {
        struct in_segment *s = segment_of(node);

        LIST_EACH (entry, &s->entries)
            entry_free(LIST_ENTRY(entry, struct queue_entry, link));
        list_remove(node);
        segment_free_in(s);
    }
}

void arrivals_close(struct arrivals *a)
{
    worker_forget(a->worker, &a->sync_job);
    free_segments(&a->gone);
    free_segments(&a->syncing);
    LIST_EACH (node, &a->receivers) {
        struct receiver_dir *r = receiver_of(node);

        free_segments(&r->segments);
        disk_dir_close(r->draft);
        disk_dir_close(r->dir);
        memory_free(r);
    }
    segment_reader_done(&a->reader);
}
