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
 * A message may have been carried into the courier's own journal (queue/carry); its segments there
 * are kept like a receiver's. What the journal says of it is believed only when the place that it
 * came from is gone.
 */
#include "queue/arrivals.h"

#include "base/cursor.h"
#include "base/fail.h"
#include "base/memory.h"
#include "queue/clearing.h"
#include "queue/format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct mail_segment *segment_of(struct list *node)
{
    return LIST_ENTRY(node, struct mail_segment, link);
}

static struct receiver_dir *receiver_of(struct list *node)
{
    return LIST_ENTRY(node, struct receiver_dir, link);
}

static void tell(const struct mail_segment *s, int code, const char *operation)
{
    char name[48], segment[SEGMENT_NAME_SIZE];

    segment_name(s->number, segment);
    int n = s->from->number == PLACE_OUT
                ? snprintf(name, sizeof(name), "out/%s", segment)
                : snprintf(name, sizeof(name), "in/%u/%s", s->from->number, segment);
    (void)fail_code(code, operation, (struct slice){name, n < 0 ? 0 : (size_t)n});
}

void arrivals_damaged(struct mail_segment *s, int code, const char *operation)
{
    s->damaged = true;
    tell(s, code, operation);
}

int arrivals_use(struct mail_segment *s, struct disk_file **file)
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

void arrivals_unuse(struct mail_segment *s)
{
    if (--s->users > 0 || (!s->complete && s->from->number != PLACE_OUT))
        return;
    disk_close(s->file);
    s->file = NULL;
}

static void place_entry(struct mail_segment *s, struct queue_entry *e, uint64_t offset,
                        uint64_t size)
{
    e->segment = s;
    e->offset = offset;
    e->size = (uint32_t)size;
    s->live += size;
    if (s->lowest_id == 0 || e->id < s->lowest_id)
        s->lowest_id = e->id;
    if (e->id > s->highest_id)
        s->highest_id = e->id;
    list_append(&s->entries, &e->link);
}

/* Outcomes of earlier lives count; what is left is queued. */
static void queue_entry(struct arrivals *a, struct queue_entry *e)
{
    struct mail_segment *s = e->segment;

    outcomes_apply(a->outcomes, e, s->from->number, s->number, &s->refs);
    if (e->open == 0) {
        once_settle(a->once, e);
        return; /* it goes when its outcomes are durable (once more) */
    }
    a->count++;
    index_set(a->index, e);
}

static void index_entry(struct arrivals *a, struct mail_segment *s, const struct seal_entry *seal)
{
    struct queue_entry *e =
        entry_new(seal->id, note_rcpt_count(seal->note), clock_monotonic_ms(a->clock));

    e->body_file = note_place(seal->note) == BODY_FILE;
    e->repeat = seal->offset < s->old_below;
    place_entry(s, e, seal->offset, record_size(seal->body_len));
    queue_entry(a, e);
}

static void index_message(struct arrivals *a, struct mail_segment *s, const struct record *record)
{
    struct message_record message;
    struct envelope envelope;
    struct arena arena;

    arena_init(&arena);
    if (!message_record_parse(record->body, &message) ||
        !envelope_decode(message.envelope, &arena, &envelope) || envelope.id != record->head.id ||
        id_receiver(envelope.id) != s->from->number || envelope.rcpt_count == 0) {
        arrivals_damaged(s, -EBADMSG, "understand record of");
        arena_done(&arena);
        return;
    }
    arena_done(&arena);
    index_entry(a, s,
                &(struct seal_entry){.offset = (uint32_t)record->offset,
                                     .body_len = record->head.body_len,
                                     .id = envelope.id,
                                     .note = message_note(envelope.rcpt_count, message.place)});
}

static bool entry_is_good(const struct mail_segment *s, const struct seal_entry *e)
{
    uint32_t rcpts = note_rcpt_count(e->note);

    return id_receiver(e->id) == s->from->number && rcpts > 0 && rcpts <= ENVELOPE_RCPTS_MAX;
}

/* A seal stands behind durable records only, so its table says what was acknowledged; whether
 * each of them is still whole shows when it is claimed. False: read all of it. */
static bool read_table(struct arrivals *a, struct mail_segment *s, uint64_t size)
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
        index_entry(a, s, &e);
    s->next = a->reader.offset;
    return true;
}

/* 0, or the error of a read: to be tried again. */
static int read_records(struct arrivals *a, struct mail_segment *s, uint64_t limit,
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
                arrivals_damaged(s, -EBADMSG,
                                 "understand record of"); /* maybe of a later version */
            break;
        case SEGMENT_DAMAGE: arrivals_damaged(s, -EBADMSG, "read all of"); break;
        case SEGMENT_ERROR: s->next = r->offset; return r->error;
        case SEGMENT_END: s->next = r->offset; return 0;
        }
    }
}

/* What its header says, once it can be read. */
static int load_head(struct mail_segment *s)
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
    case HEAD_NEWER:
        arrivals_damaged(s, -EPROTONOSUPPORT, "read newer version of");
        return -EPROTONOSUPPORT;
    case HEAD_GOOD: break;
    }
    if (head.number != s->number)
        return -ESTALE;
    s->generation = head.generation;
    s->run = head.run;
    s->has_head = true;
    return 0;
}

static void read_to_mark(struct arrivals *a, struct mail_segment *s, uint64_t offset)
{
    struct disk_file *file;

    if (offset > s->last_good)
        offset = s->last_good;
    if (s->complete || offset <= s->next || (s->damaged && !s->has_head) ||
        arrivals_use(s, &file) < 0)
        return;
    int rc = load_head(s);
    if (rc == -EBADMSG || rc == -ESTALE) /* its writer made it durable before the first mark */
        arrivals_damaged(s, -EBADMSG, "read header of");
    else if (rc == 0)
        (void)read_records(a, s, offset, SEGMENT_DURABLE);
    /* after an error of a read the next mark tries again */
    arrivals_unuse(s);
}

/* Of a segment without a seal nobody knows how much was durable, not even after a sync: one that
 * failed earlier may have left it in the page cache only. */
static int read_tail(struct arrivals *a, struct mail_segment *s, uint64_t limit)
{
    uint64_t from = s->next;
    int rc = read_records(a, s, limit, SEGMENT_ENDED);

    if (!a->reader.sealed && s->unsure_from == UINT64_MAX)
        s->unsure_from = from;
    return rc;
}

/* What can be read of a segment that nobody writes any more. */
static int read_rest(struct arrivals *a, struct mail_segment *s)
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
        arrivals_damaged(s, rc, "read header of");
    if (rc == -EBADMSG || rc == -ESTALE || rc == -EPROTONOSUPPORT)
        return 0; /* damaged; or else all that a crash left of its making, without a record */
    if (rc == 0 && s->next == SEGMENT_HEAD_SIZE && s->last_good == UINT64_MAX &&
        read_table(a, s, size))
        return 0;
    return rc < 0 ? rc : read_tail(a, s, size < s->last_good ? size : s->last_good);
}

/* The writer is done with it. After an error it stays incomplete, for the next occasion. */
static void read_to_end(struct arrivals *a, struct mail_segment *s)
{
    struct disk_file *file;

    if (s->complete || arrivals_use(s, &file) < 0)
        return;
    s->complete = read_rest(a, s) == 0;
    a->changed = true;
    arrivals_unuse(s);
}

/* --- directories --- */

static struct mail_segment *find_segment(struct receiver_dir *r, uint64_t number)
{
    for (struct list *at = r->segments.prev; at != &r->segments; at = at->prev) {
        if (segment_of(at)->number == number)
            return segment_of(at);
    }
    return NULL;
}

static struct mail_segment *add_segment(struct receiver_dir *r, uint64_t number)
{
    struct mail_segment *s = MEMORY_NEW(struct mail_segment);
    struct list *at = r->segments.prev;

    s->from = r;
    s->number = number;
    s->next = SEGMENT_HEAD_SIZE;
    s->last_good = s->unsure_from = UINT64_MAX;
    s->old_below = r->recovered ? 0 : UINT64_MAX;
    list_init(&s->entries);
    list_init(&s->refs);
    while (at != &r->segments && segment_of(at)->number > number)
        at = at->prev;
    list_insert_before(at->next, &s->link);
    return s;
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
            (void)add_segment(r, numbers[i]);
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

/* NULL: told why. */
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
    if (rc < 0 && rc != -ENOENT) { /* without it large messages would wait for the next start */
        (void)fail_code(rc, "open directory", SLICE("draft"));
        disk_dir_close(r->dir);
        memory_free(r);
        return NULL;
    }
    list_append(&a->receivers, &r->link);
    return r;
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
    clearing_drafts(a, r);
}

void arrivals_mark(struct arrivals *a, unsigned receiver, uint64_t segment, uint64_t offset)
{
    struct receiver_dir *r = add_receiver(a, receiver);

    if (r == NULL)
        return;
    r->abandoned = false;
    struct mail_segment *s = find_segment(r, segment);
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
    struct mail_segment *s = r == NULL ? NULL : find_segment(r, segment);
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
        struct mail_segment *s = segment_of(node);

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

struct disk_dir *arrivals_draft_dir(struct arrivals *a, uint64_t id)
{
    struct receiver_dir *r = find_receiver(a, id_receiver(id));

    return r == NULL ? NULL : r->draft;
}

/* --- one message --- */

bool arrivals_is_durable(const struct queue_entry *e)
{
    return e->offset < e->segment->unsure_from;
}

static const struct queue_entry *entry_in(const struct mail_segment *s, uint64_t id)
{
    if (id < s->lowest_id || id > s->highest_id)
        return NULL;
    LIST_EACH (node, &s->entries) {
        const struct queue_entry *e = LIST_ENTRY(node, struct queue_entry, link);

        if (e->id == id)
            return e;
    }
    return NULL;
}

static const struct queue_entry *carried_entry(const struct arrivals *a, uint64_t id)
{
    LIST_EACH (node, &a->own.segments) {
        const struct queue_entry *e = entry_in(segment_of(node), id);

        if (e != NULL)
            return e;
    }
    return NULL;
}

enum arrival arrivals_look(struct arrivals *a, uint64_t id, unsigned receiver, uint64_t segment,
                           uint64_t offset)
{
    struct receiver_dir *r = find_receiver(a, receiver);
    struct mail_segment *s = r == NULL ? NULL : find_segment(r, segment);
    const struct queue_entry *e = s == NULL ? NULL : entry_in(s, id);

    if (e == NULL)
        e = carried_entry(a, id);
    if (e != NULL)
        return arrivals_is_durable(e) ? ARRIVAL_QUEUED : ARRIVAL_UNSURE;
    if (s != NULL && !s->hollow && !s->damaged && !s->complete && offset >= s->next)
        return ARRIVAL_UNREAD;
    return ARRIVAL_ABSENT;
}

/* --- messages that were carried into the courier's own journal --- */

static bool exists(struct arrivals *a, uint32_t receiver, uint64_t segment)
{
    struct receiver_dir *r = find_receiver(a, receiver);
    struct mail_segment *s = r == NULL ? NULL : find_segment(r, segment);

    return s != NULL && !s->hollow;
}

static struct slice id_key(const uint64_t *id)
{
    return (struct slice){(const char *)id, sizeof(*id)};
}

static struct mail_segment *own_segment(struct arrivals *a, uint64_t number, uint64_t generation)
{
    struct mail_segment *s = find_segment(&a->own, number);

    if (s != NULL)
        return s;
    s = add_segment(&a->own, number);
    s->generation = generation;
    s->has_head = true;
    return s;
}

void arrivals_move(struct arrivals *a, struct queue_entry *e, const struct ticket *to,
                   uint64_t size)
{
    struct mail_segment *old = e->segment;

    outcomes_follow(a->outcomes, to->segment, &old->refs);
    outcomes_hold(a->outcomes, to->segment);
    clearing_leave(a, e);
    place_entry(own_segment(a, to->segment, to->generation), e, to->offset, size);
}

static void index_carried(struct arrivals *a, const struct carried *c)
{
    struct mail_segment *s = own_segment(a, c->at_segment, c->at_generation);
    struct queue_entry *e = entry_new(c->id, c->rcpt_count, clock_monotonic_ms(a->clock));

    for (uint32_t i = 0; i < c->rcpt_count; i++) {
        rcpt_resume(e, i, &c->rcpts[i], a->clock);
        if (!c->rcpts[i].open)
            entry_close_rcpt(e, i);
    }
    e->body_file = c->place == BODY_FILE;
    e->repeat = true;
    outcomes_hold(a->outcomes, c->at_segment);
    place_entry(s, e, c->at_offset, c->size);
    queue_entry(a, e);
    if (entry_is_over(e))
        clearing_entry_done(a, e);
}

/* The oldest place that is still there is the one that counts: the next one is good only when its
 * record was durable, and only then was the older place removed. */
static void find_carried(struct arrivals *a)
{
    struct map seen;
    struct carried *c;

    map_init(&seen, a->seed);
    while ((c = outcomes_take_carried(a->outcomes)) != NULL) {
        bool first = map_put(&seen, id_key(&c->id), a) == NULL;

        if (first && exists(a, c->receiver, c->segment))
            (void)map_put(&a->undone, id_key(&c->id), a);
        else if (first)
            index_carried(a, c);
        outcomes_carried_free(c);
    }
    map_done(&seen);
}

static bool may_come(void *arrivals, uint64_t id, uint32_t receiver, uint64_t segment)
{
    struct arrivals *a = arrivals;

    return exists(a, receiver, segment) || map_get(&a->undone, id_key(&id)) != NULL;
}

/* --- opening --- */

static void note_size(struct mail_segment *s)
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
        struct mail_segment *s = segment_of(node);

        note_size(s);
        rc = load_head(s);
        if (rc == -EPROTONOSUPPORT)
            return rc;
        s->hollow = rc == -EBADMSG || rc == -ESTALE;
        if (rc == 0 && s->run > newest)
            newest = s->run;
    }
    r->recovered = true;
    complete_runs_before(a, r, newest);
    return 0;
}

struct finding {
    struct arrivals *arrivals;
    bool failed;
};

static bool note_receiver(void *ctx, struct slice name)
{
    struct finding *f = ctx;
    struct cursor c = {name};
    uint64_t number;

    if (take_number(&c, &number) && cursor_at_end(&c) && number <= RECEIVER_MAX)
        f->failed = add_receiver(f->arrivals, (unsigned)number) == NULL || f->failed;
    return true;
}

/* One that cannot be opened now must not be taken for gone: what is known of its messages would be
 * forgotten. */
static int find_receivers(struct arrivals *a)
{
    struct finding f = {a, false};
    int rc = disk_dir_list(a->in, note_receiver, &f);

    if (rc < 0)
        return fail_code(rc, "list", SLICE("in"));
    return f.failed ? -EIO : 0;
}

void arrivals_init(struct arrivals *a)
{
    list_init(&a->receivers);
    list_init(&a->walks);
    list_init(&a->gone);
    list_init(&a->syncing);
    list_init(&a->own.segments);
    a->own.number = PLACE_OUT;
    a->own.recovered = true;
    clearing_init(a);
}

int arrivals_open(struct arrivals *a)
{
    int rc = find_receivers(a);

    if (rc < 0)
        return rc;
    LIST_EACH (node, &a->receivers) {
        rc = recover_receiver(a, receiver_of(node));
        if (rc < 0)
            return rc;
    }
    map_init(&a->undone, a->seed);
    find_carried(a);
    outcomes_settle(a->outcomes, may_come, a);
    a->knows_carried = true;
    LIST_EACH (node, &a->receivers)
        clearing_drafts(a, receiver_of(node));
    return 0;
}

static void free_segments(struct list *segments)
{
    LIST_EACH (node, segments) {
        struct mail_segment *s = segment_of(node);

        LIST_EACH (entry, &s->entries)
            entry_free(LIST_ENTRY(entry, struct queue_entry, link));
        list_remove(node);
        clearing_free(s);
    }
}

void arrivals_close(struct arrivals *a)
{
    clearing_stop(a);
    free_segments(&a->gone);
    free_segments(&a->syncing);
    free_segments(&a->own.segments);
    LIST_EACH (node, &a->receivers) {
        struct receiver_dir *r = receiver_of(node);

        free_segments(&r->segments);
        disk_dir_close(r->draft);
        disk_dir_close(r->dir);
        memory_free(r);
    }
    map_done(&a->undone);
    segment_reader_done(&a->reader);
}
