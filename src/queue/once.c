/*
 * once.c - the journal of submitted messages.
 *
 * Records are only added: RECORD_BEGUN, and later RECORD_SETTLED of the same id. A segment goes
 * when all that it says is forgotten, which happens by age, so nothing is ever copied but at a
 * start: what is found in a segment without a seal may be in the page cache only (queue/outcomes
 * tells why), and is written once more. So a courier that starts again and again does not leave a
 * file each time either.
 *
 * The day is counted by a clock of its own, which goes on with the monotonic one while a courier
 * lives; how long none did, the clock on the wall says, up to an hour, as it does for the age of
 * messages (docs/decisions/0017). It is noted with each record, so a time without submissions may
 * be lost at a restart: then they are remembered for longer.
 */
#include "queue/once.h"

#include "base/fail.h"
#include "base/map.h"
#include "base/memory.h"
#include "store/segment.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct once_segment {
    struct list link;
    uint64_t number;
    size_t says;   /* what is still of interest */
    bool unsealed; /* found, and perhaps not durable */
};

struct once_write {
    struct ticket ticket;
    struct buf bytes;
    unsigned char fingerprint[ENVELOPE_FINGERPRINT];
    struct queue_entry *entry; /* that waits for it, or NULL */
};

struct once {
    struct commit_options o;
    struct commit *commit;
    size_t max;
    struct list mails; /* in the order of their coming */
    size_t count;
    struct map by_fingerprint;
    struct map unsettled;  /* by id */
    struct list segments;  /* ascending */
    struct list finished;  /* tickets */
    uint64_t clock_s;      /* the journal's clock when ... */
    uint64_t clock_set_ms; /* ... the monotonic one showed this */
    uint64_t newest_wall_us;
    bool hurry;    /* something was begun: it is synced as soon as it is written */
    bool unsynced; /* something was flushed since the last once_sync() */
};

static struct slice id_key(const uint64_t *id)
{
    return (struct slice){(const char *)id, sizeof(*id)};
}

static struct slice fingerprint_key(const unsigned char *fingerprint)
{
    return (struct slice){(const char *)fingerprint, ENVELOPE_FINGERPRINT};
}

static struct once_mail *mail_of(struct list *node)
{
    return LIST_ENTRY(node, struct once_mail, link);
}

static struct once_segment *segment_of(struct list *node)
{
    return LIST_ENTRY(node, struct once_segment, link);
}

static uint64_t now_s(const struct once *o)
{
    return o->clock_s + (clock_monotonic_ms(o->o.clock) - o->clock_set_ms) / 1000;
}

/* --- who is known --- */

static void move(struct once_segment **from, struct once_segment *to)
{
    if (*from != NULL)
        (*from)->says--;
    if (to != NULL)
        to->says++;
    *from = to;
}

static void forget(struct once *o, struct once_mail *m)
{
    (void)map_remove(&o->by_fingerprint, fingerprint_key(m->fingerprint));
    if (!m->settled)
        (void)map_remove(&o->unsettled, id_key(&m->id));
    move(&m->begun_in, NULL);
    move(&m->settled_in, NULL);
    list_remove(&m->link);
    memory_free(m);
    o->count--;
}

static void forget_old(struct once *o)
{
    while (!list_empty(&o->mails)) {
        struct once_mail *oldest = mail_of(o->mails.next);

        if (o->count <= o->max && (uint64_t)oldest->at_s + ONCE_KEPT_S > now_s(o))
            return;
        forget(o, oldest);
    }
}

static struct once_mail *known(const struct once *o, const unsigned char *fingerprint)
{
    return map_get(&o->by_fingerprint, fingerprint_key(fingerprint));
}

static struct once_mail *add(struct once *o, const struct once_mail *mail)
{
    struct once_mail *old = known(o, mail->fingerprint), *m;

    if (old != NULL)
        forget(o, old);
    m = MEMORY_NEW(struct once_mail);
    *m = *mail;
    m->begun_in = m->settled_in = NULL;
    m->settled = false;
    list_init(&m->link);
    list_append(&o->mails, &m->link);
    (void)map_put(&o->by_fingerprint, fingerprint_key(m->fingerprint), m);
    (void)map_put(&o->unsettled, id_key(&m->id), m);
    o->count++;
    return m;
}

/* --- writing --- */

static struct once_write *write_new(const struct once_mail *m)
{
    struct once_write *w = MEMORY_NEW(struct once_write);

    memcpy(w->fingerprint, m->fingerprint, sizeof(w->fingerprint));
    buf_init(&w->bytes, BEGUN_RECORD_LEN);
    return w;
}

static void append(struct once *o, struct once_write *w, enum record_kind kind, uint64_t id)
{
    struct slice body = buf_slice(&w->bytes);

    commit_append(o->commit, &w->ticket, kind, id, &body, 1);
}

static void write_begun(struct once *o, const struct once_mail *m)
{
    struct once_write *w = write_new(m);
    uint64_t age_us = (now_s(o) - m->at_s) * 1000000, wall_us = clock_wall_us(o->o.clock);
    struct begun_record record = {.receiver = m->receiver,
                                  .segment = m->segment,
                                  .offset = m->offset,
                                  .at_s = m->at_s,
                                  .wall_us = wall_us > age_us ? wall_us - age_us : 0};

    memcpy(record.fingerprint, m->fingerprint, sizeof(record.fingerprint));
    (void)begun_record_write(&w->bytes, &record);
    append(o, w, RECORD_BEGUN, m->id);
    o->hurry = true;
}

static void write_settled(struct once *o, const struct once_mail *m, struct queue_entry *e)
{
    struct once_write *w = write_new(m);

    w->entry = e;
    if (e != NULL)
        e->unsynced++;
    append(o, w, RECORD_SETTLED, m->id);
}

struct once_mail *once_find(struct once *o, struct slice fingerprint)
{
    assert(fingerprint.len == ENVELOPE_FINGERPRINT);
    forget_old(o);
    return map_get(&o->by_fingerprint, fingerprint);
}

struct once_mail *once_begin(struct once *o, const struct once_mail *mail)
{
    struct once_mail *m = add(o, mail);

    m->at_s = (uint32_t)now_s(o);
    m->durable = false;
    write_begun(o, m);
    return m;
}

void once_settle(struct once *o, struct queue_entry *e)
{
    struct once_mail *m = map_remove(&o->unsettled, id_key(&e->id));

    if (m == NULL)
        return;
    m->settled = true;
    write_settled(o, m, e);
}

/* --- what was written --- */

static struct once_segment *segment_at(struct once *o, uint64_t number)
{
    struct list *at = o->segments.prev;

    while (at != &o->segments && segment_of(at)->number > number)
        at = at->prev;
    if (at != &o->segments && segment_of(at)->number == number)
        return segment_of(at);
    struct once_segment *s = MEMORY_NEW(struct once_segment);
    s->number = number;
    list_insert_before(at->next, &s->link);
    return s;
}

/* What could not be written is not tried again: the mail goes, and a copy of it may come later. */
static void written(struct once *o, const struct once_write *w)
{
    const struct ticket *t = &w->ticket;
    struct once_mail *m = known(o, w->fingerprint);

    if (m == NULL || m->id != t->id)
        return; /* forgotten meanwhile */
    if (t->kind == RECORD_BEGUN)
        m->durable = true;
    if (t->result == 0)
        move(t->kind == RECORD_BEGUN ? &m->begun_in : &m->settled_in, segment_at(o, t->segment));
}

static void write_free(struct once_write *w)
{
    buf_done(&w->bytes);
    memory_free(w);
}

struct queue_entry *once_next_settled(struct once *o)
{
    commit_collect(o->commit, &o->finished);
    while (!list_empty(&o->finished)) {
        struct once_write *w = LIST_ENTRY(o->finished.next, struct once_write, ticket.link);
        struct queue_entry *e = w->entry;

        list_remove(&w->ticket.link);
        written(o, w);
        write_free(w);
        if (e != NULL) {
            e->unsynced--;
            return e;
        }
    }
    return NULL;
}

void once_flush(struct once *o)
{
    forget_old(o);
    o->hurry = o->hurry && commit_busy(o->commit); /* some of it may wait for the next segment */
    o->unsynced = commit_busy(o->commit);
    commit_flush(o->commit);
    if (o->hurry)
        commit_sync(o->commit);
}

bool once_wants_sync(const struct once *o)
{
    return o->unsynced;
}

void once_sync(struct once *o)
{
    commit_flush(o->commit);
    commit_sync(o->commit);
    o->unsynced = false;
}

static void unlink_segment(const struct once *o, uint64_t number)
{
    char name[SEGMENT_NAME_SIZE];

    segment_name(number, name);
    int rc = disk_unlink(o->o.dir, name);
    if (rc < 0 && rc != -ENOENT)
        (void)fail_code(rc, "unlink", slice_of(name)); /* the next start tries again */
}

/* A name that comes back after a crash tells of what was forgotten, or of what was written again.
 */
void once_free_segments(struct once *o)
{
    uint64_t current = commit_segment(o->commit);

    LIST_EACH (node, &o->segments) {
        struct once_segment *s = segment_of(node);

        if (s->says > 0 || s->number >= current)
            continue;
        unlink_segment(o, s->number);
        list_remove(node);
        memory_free(s);
    }
}

int once_broken(const struct once *o)
{
    return commit_broken(o->commit);
}

bool once_busy(const struct once *o)
{
    return commit_busy(o->commit) || !list_empty(&o->finished);
}

size_t once_count(const struct once *o)
{
    return o->count;
}

/* --- opening --- */

static void note_begun(struct once *o, struct once_segment *s, const struct record *r)
{
    struct begun_record got;

    if (!begun_record_parse(r->body, &got)) {
        (void)fail_code(-EBADMSG, "understand record of", SLICE("journal of submissions"));
        return;
    }
    struct once_mail mail = {.id = r->head.id,
                             .segment = got.segment,
                             .offset = got.offset,
                             .receiver = (uint16_t)got.receiver,
                             .at_s = (uint32_t)got.at_s,
                             .durable = true};
    memcpy(mail.fingerprint, got.fingerprint, sizeof(mail.fingerprint));
    struct once_mail *m = known(o, mail.fingerprint);
    if (m == NULL || m->id != mail.id)
        m = add(o, &mail);
    move(&m->begun_in, s);
    if (got.at_s >= o->clock_s) {
        o->clock_s = got.at_s;
        o->newest_wall_us = got.wall_us;
    }
    while (o->count > o->max)
        forget(o, mail_of(o->mails.next));
}

static void note_record(struct once *o, struct once_segment *s, const struct record *r)
{
    if (r->head.kind == RECORD_BEGUN)
        note_begun(o, s, r);
    if (r->head.kind != RECORD_SETTLED)
        return;
    struct once_mail *m = map_remove(&o->unsettled, id_key(&r->head.id));
    if (m == NULL)
        return;
    m->settled = true;
    move(&m->settled_in, s);
}

/* Whose loss costs a duplicate is passed over when it is damaged; not when there was no room to
 * open it. */
static int pass_over(const struct once_segment *s, int code, const char *operation)
{
    char name[SEGMENT_NAME_SIZE];

    segment_name(s->number, name);
    (void)fail_code(code, operation, slice_of(name));
    switch (-code) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EINTR:
    case EAGAIN:
    case EPROTONOSUPPORT: return code;
    default: return 0;
    }
}

static int read_records(struct once *o, struct once_segment *s, struct segment_reader *reader)
{
    struct record record;

    for (;;) {
        switch (segment_reader_next(reader, &record)) {
        case SEGMENT_RECORD: note_record(o, s, &record); break;
        case SEGMENT_DAMAGE: (void)pass_over(s, -EBADMSG, "read all of"); break;
        case SEGMENT_ERROR: return pass_over(s, reader->error, "read");
        case SEGMENT_END: return 0;
        }
    }
}

static int read_file(struct once *o, struct once_segment *s, struct disk_file *file)
{
    struct segment_reader reader = {0};
    struct segment_head head;
    enum head_verdict verdict = HEAD_BAD;
    uint64_t size = 0;
    int rc = disk_size(file, &size);

    if (rc == 0)
        rc = segment_read_head(file, &verdict, &head);
    if (rc < 0)
        return pass_over(s, rc, "read");
    if (verdict == HEAD_NEWER)
        return pass_over(s, -EPROTONOSUPPORT, "read newer version of");
    if (verdict == HEAD_BAD) /* else it is what a crash left of its making */
        return size > SEGMENT_HEAD_SIZE ? pass_over(s, -EBADMSG, "read header of") : 0;
    if (head.number != s->number)
        return 0; /* the reserve, when a crash came before its new header */
    segment_reader_aim(&reader, file, head.generation, SEGMENT_HEAD_SIZE, size, SEGMENT_ENDED);
    rc = read_records(o, s, &reader);
    s->unsealed = !reader.sealed;
    segment_reader_done(&reader);
    return rc;
}

static int read_segment(struct once *o, uint64_t number)
{
    struct once_segment *s = segment_at(o, number);
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

static int read_all(struct once *o)
{
    uint64_t *numbers;
    size_t count;
    int rc = segment_list(o->o.dir, &numbers, &count);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = read_segment(o, numbers[i]);
    memory_free(numbers);
    return rc;
}

static void write_again(struct once *o)
{
    LIST_EACH (node, &o->mails) {
        struct once_mail *m = mail_of(node);

        if (m->begun_in->unsealed) {
            m->durable = false;
            write_begun(o, m);
        }
        if (m->settled_in != NULL && m->settled_in->unsealed)
            write_settled(o, m, NULL);
    }
}

int once_open(const struct commit_options *options, const uint64_t seed[2], size_t max,
              struct once **out)
{
    struct once *o = MEMORY_NEW(struct once);

    o->o = *options;
    o->max = max == 0 ? ONCE_MAX : max;
    list_init(&o->mails);
    list_init(&o->segments);
    list_init(&o->finished);
    map_init(&o->by_fingerprint, seed);
    map_init(&o->unsettled, seed);
    int rc = read_all(o);
    if (rc == 0)
        rc = commit_open(options, &o->commit);
    if (rc < 0) {
        once_close(o);
        return rc;
    }
    o->clock_s += o->newest_wall_us == 0 ? 0 : age_by_wall_ms(o->newest_wall_us, o->o.clock) / 1000;
    o->clock_set_ms = clock_monotonic_ms(o->o.clock);
    forget_old(o);
    write_again(o);
    *out = o;
    return 0;
}

void once_close(struct once *o)
{
    if (o->commit != NULL)
        commit_close(o->commit, &o->finished);
    LIST_EACH (node, &o->finished)
        write_free(LIST_ENTRY(node, struct once_write, ticket.link));
    while (!list_empty(&o->mails))
        forget(o, mail_of(o->mails.next));
    LIST_EACH (node, &o->segments)
        memory_free(segment_of(node));
    map_done(&o->by_fingerprint);
    map_done(&o->unsettled);
    memory_free(o);
}
