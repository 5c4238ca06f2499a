/*
 * outcomes.c - the courier's own journal.
 *
 * Which segment of it may go? Each one keeps a reference to every arrival segment that one of
 * its outcomes speaks of. A reference is dropped when the arrival segment was unlinked and its
 * directory synced; without references and without unfinished writes a segment says nothing any
 * more.
 *
 * An outcome that is found at start may be in the page cache only: if the last life ended because
 * a sync failed, the kernel now takes those pages for clean, and no sync writes them any more. So
 * what is found is written again, and acted upon when the copy is durable; until then the
 * original is held too. For the same reason it is read although this sync fails.
 *
 * A journal that is not read is dear: what it tells of comes again, to other servers too, and
 * bodies are missing that nobody needs any more. So a start that is short of memory or descriptors
 * fails; only damage is passed over.
 *
 * A carried message needs no copy: its old segment is removed only when the record that carries it
 * is durable. So where the old place is gone the record is good; where it is not, the message is
 * still there, and the record is not believed (queue/arrivals).
 *
 * A full disk must not lose an outcome that has happened: a failed write is tried again at every
 * outcomes_sync(). Until it succeeds the message stays, at worst to be delivered again.
 */
#include "queue/outcomes.h"

#include "base/fail.h"
#include "base/map.h"
#include "base/memory.h"

#include <errno.h>
#include <string.h>

struct out_segment {
    struct list link;
    uint64_t number;
    struct list refs;
    size_t held; /* outcomes of earlier lives that were not applied yet, messages that live here */
    bool mail;   /* messages live or lived in it: arrivals removes it */
};

struct outcome_ref {
    struct list in_link;  /* of the arrival segment */
    struct list out_link; /* of the outcome segment */
    const struct out_segment *out;
};

/* An outcome or a deferral of an earlier life. */
struct found {
    struct found *next; /* of the same message, older */
    struct out_segment *out;
    uint64_t segment;
    uint32_t receiver;
    uint32_t rcpt;
    uint8_t outcome; /* NOT_FINAL: a deferral, and the two below */
    struct rcpt_rest rest;
    struct reason *reason; /* or NULL */
};

enum { NOT_FINAL = 0 };

struct outcome_write {
    struct list open; /* in outcomes.open */
    uint64_t number;  /* in the order in which they were asked for */
    struct ticket ticket;
    struct buf bytes;
    struct queue_entry *entry;
    struct list *refs;
    uint64_t own_segment;    /* where the message lies, if in this journal */
    struct found *originals; /* of which this is a copy; held until it is durable */
};

struct outcomes {
    struct commit_options o;
    struct commit *commit;
    struct list segments; /* ascending */
    struct map found;     /* message id -> struct found */
    struct reasons reasons;
    struct list carried;  /* struct carried, found and not yet taken */
    struct list finished; /* tickets */
    struct list moved;    /* tickets of RECORD_CARRIED, finished */
    struct list retry;    /* tickets whose write failed */
    struct list open;     /* struct outcome_write, by number: all that is not durable */
    uint64_t numbers;     /* given away */
    bool unsynced;        /* flushed since the last outcomes_sync() */
};

static struct slice id_key(const uint64_t *id)
{
    return (struct slice){(const char *)id, sizeof(*id)};
}

static struct outcome_write *write_of(struct list *node)
{
    return LIST_ENTRY(node, struct outcome_write, ticket.link);
}

static struct out_segment *segment_at(struct outcomes *o, uint64_t number)
{
    struct list *at = o->segments.prev;

    while (at != &o->segments && LIST_ENTRY(at, struct out_segment, link)->number > number)
        at = at->prev;
    if (at != &o->segments && LIST_ENTRY(at, struct out_segment, link)->number == number)
        return LIST_ENTRY(at, struct out_segment, link);
    struct out_segment *s = MEMORY_NEW(struct out_segment);
    s->number = number;
    list_init(&s->refs);
    list_insert_before(at->next, &s->link);
    return s;
}

static void add_ref(struct out_segment *out, struct list *refs)
{
    LIST_EACH (node, refs) {
        if (LIST_ENTRY(node, struct outcome_ref, in_link)->out == out)
            return;
    }
    struct outcome_ref *ref = MEMORY_NEW(struct outcome_ref);
    ref->out = out;
    list_append(refs, &ref->in_link);
    list_append(&out->refs, &ref->out_link);
}

void outcomes_unref(struct list *refs)
{
    LIST_EACH (node, refs) {
        struct outcome_ref *ref = LIST_ENTRY(node, struct outcome_ref, in_link);

        list_remove(&ref->in_link);
        list_remove(&ref->out_link);
        memory_free(ref);
    }
}

/* Keeps the file for a person to look at. Worse than deliveries that happen twice would be a
 * courier that does not start. */
static void give_up_on(struct out_segment *s, int code, const char *operation)
{
    char name[SEGMENT_NAME_SIZE];

    segment_name(s->number, name);
    (void)fail_code(code, operation, slice_of(name));
    s->held++;
}

static void note_carried(struct outcomes *o, struct out_segment *out, uint64_t generation,
                         const struct record *r)
{
    struct carried_record got;
    struct message_record message;

    if (!carried_record_parse(r->body, &got) || !message_record_parse(got.message, &message)) {
        give_up_on(out, -EBADMSG, "understand record of");
        return;
    }
    struct carried *c = MEMORY_NEW(struct carried);
    c->id = r->head.id;
    c->receiver = got.receiver;
    c->segment = got.segment;
    c->at_segment = out->number;
    c->at_generation = generation;
    c->at_offset = r->offset;
    c->size = record_size(r->head.body_len);
    c->place = message.place;
    c->rcpt_count = got.rcpt_count;
    c->rcpts = memory_new(got.rcpt_count * sizeof(*c->rcpts));
    for (uint32_t i = 0; i < got.rcpt_count; i++)
        (void)rcpt_rest_read(&got.rcpts, &c->rcpts[i]);
    list_append(&o->carried, &c->link);
}

struct carried *outcomes_take_carried(struct outcomes *o)
{
    if (list_empty(&o->carried))
        return NULL;
    struct carried *c = LIST_ENTRY(o->carried.next, struct carried, link);
    list_remove(&c->link);
    return c;
}

void outcomes_carried_free(struct carried *c)
{
    memory_free(c->rcpts);
    memory_free(c);
}

/* False: nobody can read it. */
static bool read_found(struct outcomes *o, const struct record *r, struct found *f)
{
    struct outcome_record outcome;
    struct deferred_record deferred;

    if (r->head.kind == RECORD_OUTCOME) {
        if (!outcome_record_parse(r->body, &outcome) || outcome.outcome == NOT_FINAL)
            return false;
        f->receiver = outcome.receiver;
        f->segment = outcome.segment;
        f->rcpt = outcome.rcpt;
        f->outcome = outcome.outcome;
        return true;
    }
    if (!deferred_record_parse(r->body, &deferred))
        return false;
    f->receiver = deferred.receiver;
    f->segment = deferred.segment;
    f->rcpt = deferred.rcpt;
    f->rest = deferred.rest;
    f->reason = reasons_take(&o->reasons, deferred.reason);
    return true;
}

static void note_found(struct outcomes *o, struct out_segment *out, const struct record *r)
{
    struct found *f = MEMORY_NEW(struct found);
    uint64_t id = r->head.id;

    if (!read_found(o, r, f)) {
        (void)fail_code(-EBADMSG, "understand record of", SLICE("outcome journal"));
        memory_free(f);
        return;
    }
    f->out = out;
    f->next = map_put(&o->found, id_key(&id), f);
    out->held++;
}

/* A kind of a later version promises that skipping it is safe. */
static void note_record(struct outcomes *o, struct out_segment *s, uint64_t generation,
                        const struct record *r)
{
    if (r->head.kind == RECORD_OUTCOME || r->head.kind == RECORD_DEFERRED)
        note_found(o, s, r);
    else if (r->head.kind == RECORD_CARRIED)
        note_carried(o, s, generation, r);
}

/* 0: gone on without it. */
static int pass_over(struct out_segment *s, int code, const char *operation)
{
    switch (-code) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EINTR:
    case EAGAIN: break;
    default: give_up_on(s, code, operation); return 0;
    }
    char name[SEGMENT_NAME_SIZE];

    segment_name(s->number, name);
    return fail_code(code, operation, slice_of(name));
}

static int read_records(struct outcomes *o, struct out_segment *s, struct segment_reader *reader)
{
    struct record record;

    for (;;) {
        switch (segment_reader_next(reader, &record)) {
        case SEGMENT_RECORD: note_record(o, s, reader->generation, &record); break;
        case SEGMENT_DAMAGE: give_up_on(s, -EBADMSG, "read all of"); break;
        case SEGMENT_ERROR: return pass_over(s, reader->error, "read");
        case SEGMENT_END: return 0;
        }
    }
}

static int read_file(struct outcomes *o, struct out_segment *s, struct disk_file *file)
{
    struct segment_reader reader = {0};
    struct segment_head head;
    enum head_verdict verdict = HEAD_BAD;
    uint64_t size = 0;
    char name[SEGMENT_NAME_SIZE];
    int rc = segment_sync(file); /* mostly all of it is durable then */

    segment_name(s->number, name);
    if (rc < 0)
        (void)fail_code(rc, "sync", slice_of(name));
    rc = disk_size(file, &size);
    if (rc == 0)
        rc = segment_read_head(file, &verdict, &head);
    if (rc < 0)
        return pass_over(s, rc, "read");
    switch (verdict) {
    case HEAD_NEWER:
        give_up_on(s, -EPROTONOSUPPORT, "read newer version of");
        return -EPROTONOSUPPORT;
    case HEAD_BAD:
        if (size > SEGMENT_HEAD_SIZE) /* else it is what a crash left of its making */
            give_up_on(s, -EBADMSG, "read header of");
        return 0;
    case HEAD_GOOD: break;
    }
    if (head.number != s->number)
        return 0; /* the reserve, when a crash came before its new header */
    segment_reader_aim(&reader, file, head.generation, SEGMENT_HEAD_SIZE, size, SEGMENT_ENDED);
    rc = read_records(o, s, &reader);
    segment_reader_done(&reader);
    return rc;
}

static int read_segment(struct outcomes *o, uint64_t number)
{
    struct out_segment *s = segment_at(o, number);
    struct disk_file *file;
    char name[SEGMENT_NAME_SIZE];

    segment_name(number, name);
    int rc = disk_open(o->o.dir, name, DISK_READ, 0, &file);
    if (rc < 0)
        return pass_over(s, rc, "open");
    rc = read_file(o, s, file);
    disk_close(file);
    return rc;
}

static int read_all(struct outcomes *o)
{
    uint64_t *numbers;
    size_t count;
    int rc = segment_sync_dir(o->o.dir); /* what is missing now must not come back */

    if (rc < 0)
        return fail_code(rc, "sync directory", SLICE("out"));
    rc = segment_list(o->o.dir, &numbers, &count);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = read_segment(o, numbers[i]);
    memory_free(numbers);
    return rc;
}

int outcomes_open(const struct commit_options *options, const uint64_t seed[2],
                  struct outcomes **out)
{
    struct outcomes *o = MEMORY_NEW(struct outcomes);

    o->o = *options;
    list_init(&o->segments);
    list_init(&o->carried);
    list_init(&o->finished);
    list_init(&o->moved);
    list_init(&o->retry);
    list_init(&o->open);
    map_init(&o->found, seed);
    reasons_init(&o->reasons, seed);
    int rc = read_all(o);
    if (rc == 0)
        rc = commit_open(options, &o->commit);
    if (rc < 0) {
        outcomes_close(o);
        return rc;
    }
    *out = o;
    return 0;
}

static void free_found(struct found *f)
{
    while (f != NULL) {
        struct found *next = f->next;

        f->out->held--;
        reason_drop(f->reason);
        memory_free(f);
        f = next;
    }
}

/* The caller writes the record's body. */
static struct outcome_write *write_new(struct outcomes *o, struct queue_entry *e, struct list *refs,
                                       uint64_t own_segment, struct found *originals)
{
    struct outcome_write *w = MEMORY_NEW(struct outcome_write);

    list_append(&o->open, &w->open);
    w->number = ++o->numbers;
    w->entry = e;
    w->refs = refs;
    w->own_segment = own_segment;
    w->originals = originals;
    buf_init(&w->bytes, OUTCOME_RECORD_MAX);
    e->unsynced++;
    return w;
}

static void append(struct outcomes *o, struct outcome_write *w, enum record_kind kind)
{
    struct slice body = buf_slice(&w->bytes);

    commit_append(o->commit, &w->ticket, (uint16_t)kind, w->entry->id, &body, 1);
}

static void write_outcome(struct outcomes *o, struct queue_entry *e, struct list *refs,
                          const struct outcome_record *record, struct found *originals)
{
    struct outcome_write *w =
        write_new(o, e, refs, record->receiver == PLACE_OUT ? record->segment : 0, originals);

    (void)outcome_record_write(&w->bytes, record);
    append(o, w, RECORD_OUTCOME);
}

void outcome_add(struct outcomes *o, struct queue_entry *e, struct list *refs,
                 const struct outcome_record *record)
{
    write_outcome(o, e, refs, record, NULL);
}

struct reason *outcomes_reason(struct outcomes *o, struct slice text)
{
    return reasons_take(&o->reasons, slice_head(text, REASON_MAX));
}

/* Takes everything about one recipient off the list; the newest comes last. */
static struct found *take_rcpt(struct found **all, uint32_t rcpt)
{
    struct found *taken = NULL;

    for (struct found **at = all; *at != NULL;) {
        struct found *f = *at;

        if (f->rcpt != rcpt) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        f->next = taken;
        taken = f;
    }
    return taken;
}

/* The final outcome, or else the newest deferral. */
static const struct found *what_counts(const struct found *same)
{
    while (same->outcome == NOT_FINAL && same->next != NULL)
        same = same->next;
    return same;
}

/* The record that carried the message says more than a deferral before it. */
static bool was_carried_since(const struct found *f, uint32_t receiver, uint64_t segment)
{
    return f->outcome == NOT_FINAL && receiver == PLACE_OUT && f->out->number < segment;
}

/* `same` is all that was found of this recipient. A deferral is not written anew: should the old
 * record be in the page cache only, and vanish, the mail is tried early. */
static void apply_rcpt(struct outcomes *o, struct queue_entry *e, uint32_t receiver,
                       uint64_t segment, struct list *refs, struct found *same)
{
    const struct found *f = what_counts(same);
    struct rcpt_entry *r = f->rcpt < e->rcpt_count ? &entry_rcpts(e)[f->rcpt] : NULL;

    if (r == NULL || r->state == RCPT_WRITTEN || was_carried_since(f, receiver, segment)) {
        free_found(same);
    } else if (f->outcome != NOT_FINAL) {
        struct outcome_record copy = {
            .receiver = receiver, .segment = segment, .rcpt = f->rcpt, .outcome = f->outcome};

        entry_close_rcpt(e, f->rcpt);
        write_outcome(o, e, refs, &copy, same);
    } else {
        rcpt_resume(e, f->rcpt, &f->rest, o->o.clock);
        r->reason = reasons_take(&o->reasons, reason_text(f->reason));
        if (receiver != PLACE_OUT || f->out->number != segment)
            add_ref(f->out, refs);
        free_found(same);
    }
}

void outcomes_apply(struct outcomes *o, struct queue_entry *e, uint32_t receiver, uint64_t segment,
                    struct list *refs)
{
    struct found *all = map_remove(&o->found, id_key(&e->id));

    while (all != NULL)
        apply_rcpt(o, e, receiver, segment, refs, take_rcpt(&all, all->rcpt));
}

void outcome_defer(struct outcomes *o, struct queue_entry *e, uint32_t receiver, uint64_t segment,
                   struct list *refs, uint32_t rcpt)
{
    struct rcpt_entry *r = &entry_rcpts(e)[rcpt];
    struct deferred_record record = {.receiver = receiver,
                                     .segment = segment,
                                     .rcpt = rcpt,
                                     .rest = rcpt_rest_of(e, rcpt, o->o.clock),
                                     .reason = reason_text(r->reason)};
    struct outcome_write *w = write_new(o, e, refs, receiver == PLACE_OUT ? segment : 0, NULL);

    (void)deferred_record_write(&w->bytes, &record);
    append(o, w, RECORD_DEFERRED);
}

void outcomes_settle(struct outcomes *o,
                     bool (*may_come)(void *ctx, uint64_t id, uint32_t receiver, uint64_t segment),
                     void *ctx)
{
    struct slice key;
    void *value;
    size_t at = 0;

    while (map_next(&o->found, &at, &key, &value)) {
        struct found *f = value;
        uint64_t id;

        memcpy(&id, key.data, sizeof(id));
        if (!may_come(ctx, id, f->receiver, f->segment)) {
            (void)map_remove(&o->found, key);
            free_found(f);
        }
    }
}

void outcomes_flush(struct outcomes *o)
{
    if (commit_busy(o->commit))
        o->unsynced = true;
    commit_flush(o->commit);
}

bool outcomes_wants_sync(const struct outcomes *o)
{
    return o->unsynced || !list_empty(&o->retry);
}

static void retry_failed(struct outcomes *o)
{
    LIST_EACH (node, &o->retry) {
        struct outcome_write *w = write_of(node);

        list_remove(node);
        append(o, w, w->ticket.kind);
    }
}

void outcomes_sync(struct outcomes *o)
{
    retry_failed(o);
    commit_flush(o->commit);
    commit_sync(o->commit);
    o->unsynced = false;
}

static void write_free(struct outcome_write *w)
{
    list_remove(&w->open);
    free_found(w->originals);
    buf_done(&w->bytes);
    memory_free(w);
}

uint64_t outcomes_mark(const struct outcomes *o)
{
    return o->numbers;
}

bool outcomes_reached(const struct outcomes *o, uint64_t mark)
{
    return list_empty(&o->open) ||
           LIST_ENTRY(o->open.next, struct outcome_write, open)->number > mark;
}

/* --- messages in this journal --- */

void outcomes_hold(struct outcomes *o, uint64_t segment)
{
    struct out_segment *s = segment_at(o, segment);

    s->held++;
    s->mail = true;
}

void outcomes_release(struct outcomes *o, uint64_t segment)
{
    segment_at(o, segment)->held--;
}

static bool says_nothing(const struct outcomes *o, const struct out_segment *s)
{
    return s->number < outcomes_segment(o) && s->held == 0 && list_empty(&s->refs);
}

bool outcomes_only_hold_mail(const struct outcomes *o, uint64_t segment)
{
    LIST_EACH (node, &o->segments) {
        const struct out_segment *s = LIST_ENTRY(node, struct out_segment, link);

        if (s->number == segment)
            return s->number < outcomes_segment(o) && list_empty(&s->refs);
    }
    return false;
}

bool outcomes_are_over(const struct outcomes *o, uint64_t segment)
{
    LIST_EACH (node, &o->segments) {
        const struct out_segment *s = LIST_ENTRY(node, struct out_segment, link);

        if (s->number == segment)
            return says_nothing(o, s);
    }
    return true;
}

void outcomes_forget(struct outcomes *o, uint64_t segment)
{
    struct out_segment *s = segment_at(o, segment);

    list_remove(&s->link);
    memory_free(s);
}

uint64_t outcomes_segment(const struct outcomes *o)
{
    uint64_t segment, offset;

    commit_durable(o->commit, &segment, &offset);
    return segment;
}

void outcomes_carry(struct outcomes *o, struct ticket *t, uint64_t id, const struct slice *parts,
                    unsigned part_count)
{
    commit_append(o->commit, t, RECORD_CARRIED, id, parts, part_count);
}

void outcomes_follow(struct outcomes *o, uint64_t segment, struct list *refs)
{
    add_ref(segment_at(o, segment), refs);
}

/* Finished tickets, each kind on its own list. */
static void collect(struct outcomes *o)
{
    struct list all;

    list_init(&all);
    commit_collect(o->commit, &all);
    LIST_EACH (node, &all) {
        bool carried = LIST_ENTRY(node, struct ticket, link)->kind == RECORD_CARRIED;

        list_remove(node);
        list_append(carried ? &o->moved : &o->finished, node);
    }
}

struct ticket *outcomes_next_carried(struct outcomes *o)
{
    collect(o);
    if (list_empty(&o->moved))
        return NULL;
    struct ticket *t = LIST_ENTRY(o->moved.next, struct ticket, link);
    list_remove(&t->link);
    return t;
}

struct queue_entry *outcomes_next_durable(struct outcomes *o)
{
    collect(o);
    while (!list_empty(&o->finished)) {
        struct outcome_write *w = write_of(o->finished.next);
        struct queue_entry *e = w->entry;

        list_remove(&w->ticket.link);
        if (w->ticket.result < 0) {
            list_append(&o->retry, &w->ticket.link);
            continue;
        }
        if (w->own_segment != w->ticket.segment) /* else they go together */
            add_ref(segment_at(o, w->ticket.segment), w->refs);
        e->unsynced--;
        write_free(w);
        return e;
    }
    return NULL;
}

int outcomes_broken(const struct outcomes *o)
{
    return commit_broken(o->commit);
}

bool outcomes_busy(const struct outcomes *o)
{
    return commit_busy(o->commit) || !list_empty(&o->finished) || !list_empty(&o->moved) ||
           !list_empty(&o->retry);
}

void outcomes_free_segments(struct outcomes *o)
{
    LIST_EACH (node, &o->segments) {
        struct out_segment *s = LIST_ENTRY(node, struct out_segment, link);
        char name[SEGMENT_NAME_SIZE];

        if (s->mail || !says_nothing(o, s))
            continue;
        segment_name(s->number, name);
        int rc = disk_unlink(o->o.dir, name);
        if (rc < 0 && rc != -ENOENT) {
            (void)fail_code(rc, "unlink", slice_of(name));
            s->held++; /* said once is enough; the next start tries again */
            continue;
        }
        list_remove(node);
        memory_free(s);
    }
}

static void free_all_found(struct outcomes *o)
{
    struct slice key;
    void *value;
    size_t at = 0;

    while (map_next(&o->found, &at, &key, &value))
        free_found(value);
    map_done(&o->found);
}

void outcomes_close(struct outcomes *o)
{
    if (o->commit != NULL)
        commit_close(o->commit, &o->finished);
    list_splice(&o->finished, &o->retry);
    LIST_EACH (node, &o->finished) {
        if (write_of(node)->ticket.kind != RECORD_CARRIED) /* those are queue/carry's */
            write_free(write_of(node));
    }
    LIST_EACH (node, &o->carried)
        outcomes_carried_free(LIST_ENTRY(node, struct carried, link));
    free_all_found(o);
    reasons_done(&o->reasons);
    LIST_EACH (node, &o->segments) {
        struct out_segment *s = LIST_ENTRY(node, struct out_segment, link);

        memory_free(s);
    }
    memory_free(o);
}
