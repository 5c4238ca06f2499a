/*
 * queue.c - the courier's side of the queue.
 *
 * Glue of three parts: arrivals (receivers' segments, read only), index (what waits, by time)
 * and outcomes (the own journal). The rule that holds them together: an entry leaves the index
 * when its last recipient gets an outcome, but its record and body stay on disk until every one
 * of these outcomes is durable. A crash in between brings the message back, marked `repeat`.
 *
 * A claim reads the record again instead of keeping envelopes in memory: a million deferred
 * messages have to fit, and the record's checksum is checked once more on the way.
 */
#include "queue/queue_internal.h"

#include "base/fail.h"
#include "base/memory.h"
#include "queue/clearing.h"
#include "queue/format.h"
#include "store/draft.h"

#include <assert.h>
#include <errno.h>

enum { UNREADABLE_RETRY_MS = 5 * 60 * 1000, SCARCE_RETRY_MS = 1000, CLAIM_AHEAD = 8 * 1024 };

int queue_make_dirs(struct disk_dir *spool, unsigned mode)
{
    int rc = segment_make_dir(spool, "in", mode);

    if (rc == 0)
        rc = segment_make_dir(spool, "out", mode);
    return rc < 0 ? rc : segment_make_dir(spool, "once", mode);
}

static int open_dir(struct disk_dir *at, const char *name, struct disk_dir **out)
{
    int rc = disk_dir_open_at(at, name, out);

    return rc < 0 ? fail_code(rc, "open directory", slice_of(name)) : 0;
}

/* Enough for 100,000 outcomes, and an empty queue stays small. */
static uint64_t reserve_size(uint64_t segment_size)
{
    enum { SHARE = 8, LEAST = 4096 };

    uint64_t size = (segment_size == 0 ? SEGMENT_SIZE : segment_size) / SHARE;

    return size < LEAST ? LEAST : size;
}

/* Small segments, for what is in them lives for a day; the reserve is for 6000 submissions. */
static uint64_t once_size(uint64_t segment_size)
{
    enum { SHARE = 16, LEAST = 4096 };

    uint64_t size = (segment_size == 0 ? SEGMENT_SIZE : segment_size) / SHARE;

    return size < LEAST ? LEAST : size / RECORD_ALIGN * RECORD_ALIGN;
}

static int open_journals(struct queue *q, const uint64_t seed[2])
{
    struct commit_options own = {.dir = q->out,
                                 .mode = q->o.mode,
                                 .size = q->o.segment_size,
                                 .worker = q->o.worker,
                                 .clock = q->o.clock,
                                 .random = q->o.random};
    own.reserve = reserve_size(q->o.segment_size);

    int rc = outcomes_open(&own, seed, &q->outcomes);
    if (rc < 0)
        return rc;
    own.dir = q->once_dir;
    own.size = once_size(q->o.segment_size);
    own.reserve = reserve_size(own.size);
    return once_open(&own, seed, 0, &q->once);
}

static int open_parts(struct queue *q)
{
    int rc = open_dir(q->o.spool, "in", &q->in);

    if (rc == 0)
        rc = open_dir(q->o.spool, "out", &q->out);
    if (rc == 0)
        rc = open_dir(q->o.spool, "once", &q->once_dir);
    if (rc < 0)
        return rc;

    uint64_t seed[2] = {random_u64(q->o.random), random_u64(q->o.random)};
    rc = open_journals(q, seed);
    if (rc < 0)
        return rc;
    q->arrivals.in = q->in;
    q->arrivals.segment_size = q->o.segment_size == 0 ? SEGMENT_SIZE : q->o.segment_size;
    q->arrivals.worker = q->o.worker;
    q->arrivals.clock = q->o.clock;
    q->arrivals.index = &q->index;
    q->arrivals.outcomes = q->outcomes;
    q->arrivals.once = q->once;
    q->arrivals.own.dir = q->out;
    q->arrivals.seed[0] = seed[0];
    q->arrivals.seed[1] = seed[1];
    return arrivals_open(&q->arrivals);
}

int queue_open(const struct queue_options *options, struct queue **out)
{
    struct queue *q = MEMORY_NEW(struct queue);

    q->o = *options;
    list_init(&q->begun);
    list_init(&q->ready);
    arrivals_init(&q->arrivals);
    carrier_init(&q->carrier, &q->arrivals);
    int rc = open_parts(q);
    if (rc < 0) {
        queue_close(q);
        return rc;
    }
    queue_collect(q);
    memory_trim(); /* what earlier lives left was large while it was read */
    *out = q;
    return 0;
}

void queue_close(struct queue *q)
{
    queue_once_forget(q);
    if (q->once != NULL) {
        arrivals_close(&q->arrivals);
        once_close(q->once);
    }
    if (q->outcomes != NULL) {
        outcomes_close(q->outcomes);
        carrier_done(&q->carrier);
    }
    segment_reader_done(&q->reader);
    index_done(&q->index);
    disk_dir_close(q->in);
    disk_dir_close(q->out);
    disk_dir_close(q->once_dir);
    memory_free(q);
}

void queue_durable(struct queue *q, unsigned receiver, uint64_t segment, uint64_t offset)
{
    arrivals_mark(&q->arrivals, receiver, segment, offset);
}

void queue_last_good(struct queue *q, unsigned receiver, uint64_t segment, uint64_t offset)
{
    arrivals_last_good(&q->arrivals, receiver, segment, offset);
}

void queue_receiver_ended(struct queue *q, unsigned receiver)
{
    arrivals_ended(&q->arrivals, receiver);
}

void queue_receivers_are(struct queue *q, unsigned count)
{
    arrivals_ended_from(&q->arrivals, count);
}

/* --- claiming --- */

static int open_body_file(struct queue *q, struct queue_message *m)
{
    struct disk_dir *dir = arrivals_draft_dir(&q->arrivals, m->entry->id);
    char name[DRAFT_NAME_SIZE];
    uint64_t size;

    draft_file_name(m->entry->id, name);
    if (dir == NULL)
        return fail_code(-ENOENT, "open", slice_of(name));
    int rc = disk_open(dir, name, DISK_READ, 0, &m->body_file);
    if (rc < 0)
        return fail_code(rc, "open", slice_of(name));
    rc = disk_size(m->body_file, &size);
    if (rc == 0 && size < m->length)
        rc = -EBADMSG;
    if (rc < 0)
        return fail_code(rc, "read all of", slice_of(name));
    m->file = m->body_file;
    return 0;
}

enum load {
    LOADED,
    SCARCE,  /* too much is open: as soon as something was closed */
    NOT_NOW, /* perhaps later, when somebody has looked at the disk */
    LOST,
};

static enum load load_of_error(int code)
{
    return code == -EMFILE || code == -ENFILE || code == -ENOMEM ? SCARCE : NOT_NOW;
}

/* The record's body, or the part of it that is a message's. */
static bool message_part(const struct record *record, struct slice *body, uint64_t *offset)
{
    struct carried_record carried;

    *body = record->body;
    *offset = record->offset + RECORD_HEAD_SIZE;
    if (record->head.kind != RECORD_CARRIED)
        return record->head.kind == RECORD_MESSAGE;
    if (!carried_record_parse(record->body, &carried))
        return false;
    *body = carried.message;
    *offset += carried.offset;
    return true;
}

static bool understand(struct queue_message *m, const struct record *record,
                       struct message_record *message)
{
    const struct queue_entry *e = m->entry;
    struct slice body;

    return record->head.id == e->id && message_part(record, &body, &m->offset) &&
           message_record_parse(body, message) &&
           envelope_decode(message->envelope, &m->arena, &m->envelope) &&
           m->envelope.rcpt_count == e->rcpt_count;
}

/* Fills m from its record. */
static enum load load(struct queue *q, struct queue_message *m)
{
    const struct queue_entry *e = m->entry;
    struct message_record message;
    struct record record;

    q->reader.ahead = CLAIM_AHEAD;
    switch (segment_reader_one(&q->reader, m->file, e->segment->generation, e->offset, &record)) {
    case SEGMENT_RECORD: break;
    case SEGMENT_ERROR: return load_of_error(q->reader.error);
    case SEGMENT_DAMAGE:
    case SEGMENT_END: return LOST;
    }
    if (!understand(m, &record, &message))
        return LOST;
    m->header_block = arena_copy(&m->arena, message.header_block);
    m->offset += message.offset;
    m->length = message.length;
    if (message.place == BODY_INLINE)
        return LOADED;
    m->offset = 0;
    int rc = open_body_file(q, m);
    if (rc == -ENOENT || rc == -EBADMSG) /* no time brings it back */
        return LOST;
    return rc < 0 ? load_of_error(rc) : LOADED;
}

void queue_message_free(struct queue_message *m)
{
    disk_close(m->body_file);
    arena_done(&m->arena);
    memory_free(m);
}

/* It cannot be read now. Who was deferred for longer stays so. */
static void put_off(struct queue *q, struct queue_entry *e, uint64_t until_ms)
{
    struct rcpt_entry *rcpts = entry_rcpts(e);

    for (uint32_t i = 0; i < e->rcpt_count; i++) {
        if (rcpts[i].state == RCPT_OPEN && rcpts[i].due_ms < until_ms)
            rcpts[i].due_ms = until_ms;
    }
    index_set(&q->index, e);
}

static enum load open_message(struct queue *q, struct queue_message *m)
{
    int rc = arrivals_use(m->entry->segment, &m->file);

    if (rc < 0)
        return load_of_error(rc);
    enum load result = load(q, m);
    if (result != LOADED)
        arrivals_unuse(m->entry->segment);
    return result;
}

static bool is_chosen(const struct rcpt_entry *r, const struct choice *choice)
{
    switch (choice->who) {
    case CHOOSE_DUE: return r->state == RCPT_OPEN && r->due_ms <= choice->now_ms;
    case CHOOSE_LANE: return r->state == RCPT_PARKED && r->lane == choice->lane->number;
    case CHOOSE_WAITING: return r->state == RCPT_OPEN || r->state == RCPT_PARKED;
    case CHOOSE_NOBODY: break;
    }
    return false;
}

static enum queue_rcpt_state waiting_state(const struct rcpt_entry *r)
{
    return r->held ? QUEUE_HELD : r->later ? QUEUE_LATER : QUEUE_WAITING;
}

/* To be carried is nothing that people need to know of. */
static enum queue_rcpt_state state_of(const struct queue_entry *e, const struct rcpt_entry *r)
{
    switch ((enum rcpt_state)r->state) {
    case RCPT_OPEN: return waiting_state(r);
    case RCPT_PARKED: return QUEUE_ACTIVE;
    case RCPT_TAKEN: return e->carried ? waiting_state(r) : QUEUE_ACTIVE;
    case RCPT_WRITTEN: break;
    }
    return QUEUE_DONE;
}

static void take_rcpts(struct queue_message *m, const struct choice *choice)
{
    struct rcpt_entry *rcpts = entry_rcpts(m->entry);
    uint32_t count = m->entry->rcpt_count;

    m->rcpts = ARENA_ARRAY(&m->arena, struct queue_rcpt, count);
    for (uint32_t i = 0; i < count; i++) {
        m->rcpts[i].attempts = rcpts[i].attempts;
        m->rcpts[i].warned = rcpts[i].warned;
        m->rcpts[i].passed = rcpts[i].passed;
        m->rcpts[i].state = state_of(m->entry, &rcpts[i]);
        m->rcpts[i].due_ms = rcpts[i].due_ms;
        m->rcpts[i].reason = arena_copy(&m->arena, reason_text(rcpts[i].reason));
        m->rcpts[i].due = is_chosen(&rcpts[i], choice);
        if (m->rcpts[i].due)
            rcpts[i].state = RCPT_TAKEN;
    }
    m->entry->claims++;
}

uint64_t queue_age_ms(const struct queue_message *m, uint64_t now_ms)
{
    return entry_age_ms(m->entry, now_ms);
}

static void drop_if_over(struct queue *q, struct queue_entry *e)
{
    if (entry_is_over(e))
        clearing_entry_done(&q->arrivals, e);
}

/* What was parked waits for its time again. */
static void unpark(struct queue_entry *e, const struct queue_lane *lane)
{
    struct rcpt_entry *rcpts = entry_rcpts(e);

    for (uint32_t i = 0; i < e->rcpt_count; i++) {
        if (rcpts[i].state == RCPT_PARKED && rcpts[i].lane == lane->number)
            rcpts[i].state = RCPT_OPEN;
    }
}

/* Its record is not whole any more. Who has claimed it still does what he can. */
static void lose(struct queue *q, struct queue_entry *e)
{
    entry_abandon(e);
    index_set(&q->index, e);
    if (e->claims == 0)
        q->removed++;
    clearing_entry_lost(&q->arrivals, e);
}

/* Reads the message; NULL when that cannot be: then it was put off, or is lost. */
struct queue_message *queue_claim_entry(struct queue *q, struct queue_entry *e,
                                        const struct choice *choice)
{
    struct queue_message *m = MEMORY_NEW(struct queue_message);

    m->entry = e;
    m->repeat = e->repeat;
    enum load result = open_message(q, m);
    if (result == LOADED) {
        queue_learn_age(q, m);
        take_rcpts(m, choice);
        return m;
    }
    queue_message_free(m);
    if (choice->who == CHOOSE_LANE)
        unpark(e, choice->lane);
    switch (result) {
    case LOADED: break;
    case SCARCE: put_off(q, e, choice->now_ms + SCARCE_RETRY_MS); break;
    case NOT_NOW: put_off(q, e, choice->now_ms + UNREADABLE_RETRY_MS); break;
    case LOST: lose(q, e); break;
    }
    return NULL;
}

struct queue_message *queue_claim(struct queue *q, uint64_t now_ms)
{
    struct choice choice = {.who = CHOOSE_DUE, .now_ms = now_ms};
    struct queue_message *m = queue_once_ready(q);
    struct queue_entry *e;

    while (m == NULL && (e = index_take(&q->index, now_ms)) != NULL) {
        m = queue_claim_entry(q, e, &choice);
        if (m != NULL)
            m = queue_once(q, m, now_ms);
    }
    return m;
}

/* --- lanes --- */

/* One message that waits in a lane, whatever number of its recipients. */
struct parked {
    struct list link;
    struct queue_entry *entry;
};

enum { LANE_LISTS = 2 * PRIORITY_MAX + 1 };

void queue_lane_init(struct queue_lane *lane, uint32_t number)
{
    for (size_t i = 0; i < LANE_LISTS; i++)
        list_init(&lane->parked[i]);
    lane->number = number;
}

/* Who was taken out of it by a person, or stands in it twice for that, is not counted. */
static bool counts_in(const struct queue_lane *lane, struct queue_entry *e)
{
    const struct rcpt_entry *rcpts = entry_rcpts(e);

    for (uint32_t i = 0; i < e->rcpt_count; i++)
        if (rcpts[i].state == RCPT_PARKED && rcpts[i].lane == lane->number)
            return true;
    return false;
}

size_t queue_lane_count(const struct queue_lane *lane)
{
    size_t count = 0;

    for (size_t i = 0; i < LANE_LISTS; i++)
        LIST_EACH (node, &lane->parked[i])
            count += counts_in(lane, LIST_ENTRY(node, struct parked, link)->entry) ? 1 : 0;
    return count;
}

bool queue_lane_is_empty(const struct queue_lane *lane)
{
    for (size_t i = 0; i < LANE_LISTS; i++)
        if (!list_empty(&lane->parked[i]))
            return false;
    return true;
}

void queue_park(struct queue *q, struct queue_message *m, unsigned rcpt, struct queue_lane *lane)
{
    struct rcpt_entry *r = &entry_rcpts(m->entry)[rcpt];
    struct list *parked = &lane->parked[PRIORITY_MAX - m->envelope.wishes.priority];
    struct parked *last = LIST_ENTRY(parked->prev, struct parked, link);

    (void)q;
    assert(rcpt < m->entry->rcpt_count && m->rcpts[rcpt].due);
    m->rcpts[rcpt].due = false;
    r->state = RCPT_PARKED;
    r->lane = lane->number;
    if (!list_empty(parked) && last->entry == m->entry)
        return; /* it stands there with another recipient */
    struct parked *node = MEMORY_NEW(struct parked);
    node->entry = m->entry;
    m->entry->parks++;
    list_append(parked, &node->link);
}

/* Of a lane that is not empty. */
static struct queue_entry *take_first(struct queue_lane *lane)
{
    size_t i = 0;

    while (list_empty(&lane->parked[i]))
        i++;
    struct parked *first = LIST_ENTRY(lane->parked[i].next, struct parked, link);
    struct queue_entry *e = first->entry;

    list_remove(&first->link);
    memory_free(first);
    e->parks--;
    return e;
}

static bool waits_in(struct queue_entry *e, const struct choice *choice)
{
    for (uint32_t i = 0; i < e->rcpt_count; i++) {
        if (is_chosen(&entry_rcpts(e)[i], choice))
            return true;
    }
    return false;
}

struct queue_message *queue_claim_lane(struct queue *q, struct queue_lane *lane, uint64_t now_ms)
{
    struct choice choice = {CHOOSE_LANE, lane, now_ms};
    struct queue_message *m = NULL;

    while (m == NULL && !queue_lane_is_empty(lane)) {
        struct queue_entry *e = take_first(lane);

        if (waits_in(e, &choice))
            m = queue_claim_entry(q, e, &choice);
        else
            drop_if_over(q, e);
    }
    return m;
}

void queue_lane_done(struct queue *q, struct queue_lane *lane)
{
    while (!queue_lane_is_empty(lane)) {
        struct queue_entry *e = take_first(lane);

        unpark(e, lane);
        index_set(&q->index, e);
        drop_if_over(q, e);
    }
}

/* --- what became of it --- */

void queue_outcome(struct queue *q, struct queue_message *m, unsigned rcpt,
                   enum queue_outcome outcome, struct slice text)
{
    struct queue_entry *e = m->entry;
    struct outcome_record record = {.receiver = e->segment->from->number,
                                    .segment = e->segment->number,
                                    .rcpt = rcpt,
                                    .outcome = (uint8_t)outcome,
                                    .text = text};

    assert(rcpt < e->rcpt_count && m->rcpts[rcpt].due);
    entry_close_rcpt(e, rcpt);
    m->rcpts[rcpt].due = false;
    outcome_add(q->outcomes, e, &e->segment->refs, &record);
    if (e->open == 0)
        once_settle(q->once, e);
}

void queue_postpone(struct queue *q, struct queue_message *m, unsigned rcpt, uint64_t at_ms)
{
    struct rcpt_entry *r = &entry_rcpts(m->entry)[rcpt];

    (void)q;
    assert(rcpt < m->entry->rcpt_count && m->rcpts[rcpt].due);
    r->state = RCPT_OPEN;
    r->held = r->later = false;
    r->due_ms = at_ms;
    m->rcpts[rcpt].due = false;
}

void queue_defer(struct queue *q, struct queue_message *m, unsigned rcpt,
                 const struct queue_retry *retry)
{
    struct queue_entry *e = m->entry;
    struct rcpt_entry *r = &entry_rcpts(e)[rcpt];
    struct reason *old = r->reason;

    queue_postpone(q, m, rcpt, retry->at_ms);
    if (r->attempts < UINT16_MAX)
        r->attempts++;
    r->warned = r->warned || retry->warned;
    r->reason = outcomes_reason(q->outcomes, retry->reason);
    reason_drop(old);
    outcome_defer(q->outcomes, e, e->segment->from->number, e->segment->number, &e->segment->refs,
                  rcpt);
}

static void give_back_rcpts(struct queue_message *m)
{
    for (uint32_t i = 0; i < m->entry->rcpt_count; i++) {
        if (m->rcpts[i].due)
            entry_rcpts(m->entry)[i].state = RCPT_OPEN;
    }
}

bool queue_release(struct queue *q, struct queue_message *m)
{
    struct queue_entry *e = m->entry;

    give_back_rcpts(m);
    e->claims--;
    e->repeat = e->repeat || m->repeat;
    arrivals_unuse(e->segment);
    queue_message_free(m);
    index_set(&q->index, e);
    bool finished = e->open == 0 && e->claims == 0;
    if (finished)
        q->removed++;
    drop_if_over(q, e);
    return finished;
}

bool queue_next_due(const struct queue *q, uint64_t *at_ms)
{
    if (list_empty(&q->ready))
        return index_next_due(&q->index, at_ms);
    *at_ms = 0;
    return true;
}

/* --- outcomes --- */

void queue_flush(struct queue *q)
{
    carry_step(&q->carrier, clock_monotonic_ms(q->o.clock));
    outcomes_flush(q->outcomes);
    once_flush(q->once);
}

bool queue_wants_sync(const struct queue *q)
{
    return outcomes_wants_sync(q->outcomes) || once_wants_sync(q->once);
}

void queue_sync(struct queue *q)
{
    outcomes_sync(q->outcomes);
    once_sync(q->once);
}

void queue_collect(struct queue *q)
{
    struct queue_entry *e;

    while ((e = outcomes_next_durable(q->outcomes)) != NULL)
        drop_if_over(q, e);
    while ((e = once_next_settled(q->once)) != NULL)
        drop_if_over(q, e);
    queue_once_collect(q);
    carry_collect(&q->carrier, clock_monotonic_ms(q->o.clock));
    clearing_segments(&q->arrivals);
    outcomes_free_segments(q->outcomes);
    once_free_segments(q->once);
}

int queue_broken(const struct queue *q)
{
    return outcomes_broken(q->outcomes) < 0 ? outcomes_broken(q->outcomes) : once_broken(q->once);
}

bool queue_busy(const struct queue *q)
{
    return outcomes_busy(q->outcomes) || once_busy(q->once);
}

uint64_t queue_mark(const struct queue *q)
{
    return outcomes_mark(q->outcomes);
}

bool queue_reached(const struct queue *q, uint64_t mark)
{
    return outcomes_reached(q->outcomes, mark);
}

void queue_drain(struct queue *q)
{
    carrier_stop(&q->carrier);
}

size_t queue_carried(const struct queue *q)
{
    return q->carrier.carried;
}

size_t queue_count(const struct queue *q)
{
    return q->arrivals.count - q->removed;
}
