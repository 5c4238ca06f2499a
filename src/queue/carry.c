/*
 * carry.c - messages that are left over in old segments.
 *
 * One mail that waits for days would keep the 64 MiB that it arrived with. When few live bytes are
 * left in a segment, its messages are written once more, and the file goes as soon as that is
 * durable. So what lies on the disk is at most CARRY_SHARE times what lives, and a few segments.
 * Own segments are emptied in the same way.
 *
 * While it is under way a message is locked: nobody claims it, so no outcome can speak of the old
 * place any more. Reading and writing go in small steps between other work.
 *
 * Carrying costs space before it gives any back. A disk that is nearly full is left alone: what
 * is left there is for outcomes, which free segments, too.
 */
#include "queue/carry.h"

#include "base/fail.h"
#include "base/memory.h"
#include "queue/clearing.h"
#include "queue/walk.h"

#include <errno.h>

enum { PAUSE_MS = 60 * 1000, ROOM_SEGMENTS = 2 };

struct carrying {
    struct list link;
    struct ticket ticket;
    struct queue_entry *entry;
    struct buf front;
    struct buf message;
    uint64_t size; /* of the record */
};

void carrier_init(struct carrier *c, struct arrivals *arrivals)
{
    *c = (struct carrier){.arrivals = arrivals};
    list_init(&c->under_way);
}

static void carrying_free(struct carrier *c, struct carrying *k)
{
    list_remove(&k->link);
    c->in_flight -= k->size;
    buf_done(&k->front);
    buf_done(&k->message);
    memory_free(k);
}

void carrier_done(struct carrier *c)
{
    LIST_EACH (node, &c->under_way)
        carrying_free(c, LIST_ENTRY(node, struct carrying, link));
}

void carrier_stop(struct carrier *c)
{
    c->stopped = true;
}

/* --- which segment --- */

static struct mail_segment *segment_of(struct list *node)
{
    return LIST_ENTRY(node, struct mail_segment, link);
}

/* Its writer is done with it, and it could go if nothing lay in it: what else is written there is
 * needed by nobody. */
static bool is_finished(const struct carrier *c, const struct mail_segment *s)
{
    const struct arrivals *a = c->arrivals;

    if (s->from == &a->own)
        return outcomes_only_hold_mail(a->outcomes, s->number);
    return s->complete && s->link.next != &s->from->segments;
}

/* Whoever is left either rests or is on its way already. */
static bool all_rest(const struct mail_segment *s)
{
    unsigned busy = 0;

    LIST_EACH (node, &s->entries)
        busy += !entry_rests(LIST_ENTRY(node, struct queue_entry, link));
    return busy == s->moving;
}

static bool is_worth_it(const struct carrier *c, struct mail_segment *s)
{
    return !s->damaged && !s->stays && s->has_head && !list_empty(&s->entries) &&
           s->live <= c->arrivals->segment_size / CARRY_SHARE && is_finished(c, s) && all_rest(s);
}

static struct mail_segment *emptiest(const struct carrier *c, struct list *segments,
                                     struct mail_segment *so_far)
{
    LIST_EACH (node, segments) {
        struct mail_segment *s = segment_of(node);

        if ((so_far == NULL || s->live < so_far->live) && is_worth_it(c, s))
            so_far = s;
    }
    return so_far;
}

static struct mail_segment *choose(const struct carrier *c)
{
    struct mail_segment *best = emptiest(c, &c->arrivals->own.segments, NULL);

    LIST_EACH (node, &c->arrivals->receivers)
        best = emptiest(c, &LIST_ENTRY(node, struct receiver_dir, link)->segments, best);
    return best;
}

static bool has_room(const struct carrier *c)
{
    uint64_t free_bytes;

    return disk_free_bytes(c->arrivals->own.dir, &free_bytes) == 0 &&
           free_bytes >= ROOM_SEGMENTS * c->arrivals->segment_size;
}

/* --- one message --- */

static void write_front(struct arrivals *a, struct carrying *k)
{
    struct queue_entry *e = k->entry;

    buf_init(&k->front, CARRIED_FRONT_MAX);
    (void)carried_front_write(&k->front, e->segment->from->number, e->segment->number,
                              e->rcpt_count);
    for (uint32_t i = 0; i < e->rcpt_count; i++) {
        struct rcpt_rest rest = rcpt_rest_of(e, i, a->clock);

        (void)rcpt_rest_write(&k->front, &rest);
    }
}

/* The message's part of its record; false when that is not whole. */
static bool copy_message(const struct queue_entry *e, const struct record *record, struct buf *out)
{
    struct carried_record carried;
    struct slice body = record->body;

    if (record->head.id != e->id)
        return false;
    if (record->head.kind == RECORD_CARRIED) {
        if (!carried_record_parse(body, &carried))
            return false;
        body = carried.message;
    }
    buf_init(out, RECORD_BODY_MAX);
    return buf_append(out, body);
}

static void start(struct carrier *c, struct queue_entry *e, const struct record *record)
{
    struct carrying *k = MEMORY_NEW(struct carrying);

    k->entry = e;
    list_append(&c->under_way, &k->link);
    if (!copy_message(e, record, &k->message)) {
        arrivals_damaged(e->segment, -EBADMSG, "carry a message of");
        carrying_free(c, k);
        return;
    }
    write_front(c->arrivals, k);
    k->size = record_size(buf_len(&k->front) + buf_len(&k->message));
    c->in_flight += k->size;
    entry_lock(e);
    index_set(c->arrivals->index, e);
    e->segment->moving++;

    struct slice parts[] = {buf_slice(&k->front), buf_slice(&k->message)};
    outcomes_carry(c->arrivals->outcomes, &k->ticket, e->id, parts, 2);
}

/* False when no more of this segment can be read now. */
static bool carry_entry(struct carrier *c, struct queue_entry *e, struct disk_file *file)
{
    struct mail_segment *s = e->segment;
    struct segment_reader *reader = &c->arrivals->reader;
    struct record record;

    switch (segment_reader_one(reader, file, s->generation, e->offset, &record)) {
    case SEGMENT_RECORD: start(c, e, &record); return !s->damaged;
    case SEGMENT_ERROR: s->stays = true; return false; /* told */
    case SEGMENT_DAMAGE:
    case SEGMENT_END: arrivals_damaged(s, -EBADMSG, "carry a message of"); return false;
    }
    return false;
}

static void carry_some(struct carrier *c, struct mail_segment *s)
{
    uint64_t before = c->in_flight;
    struct disk_file *file;

    if (arrivals_use(s, &file) < 0)
        return;
    LIST_EACH (node, &s->entries) {
        struct queue_entry *e = LIST_ENTRY(node, struct queue_entry, link);

        if (c->in_flight - before >= CARRY_STEP_MAX || c->in_flight >= CARRY_IN_FLIGHT_MAX)
            break;
        if (entry_rests(e) && !carry_entry(c, e, file))
            break;
    }
    arrivals_unuse(s);
}

void carry_step(struct carrier *c, uint64_t now_ms)
{
    struct mail_segment *s;

    if (c->stopped || c->still > 0 || now_ms < c->look_at_ms || c->in_flight >= CARRY_IN_FLIGHT_MAX)
        return;
    s = choose(c);
    if (s != NULL && has_room(c))
        carry_some(c, s);
    /* The rest of it comes when some of this is durable; with nothing to do, later. */
    if (list_empty(&c->under_way))
        c->look_at_ms = now_ms + CARRY_LOOK_MS;
}

static struct carrying *carrying_of(struct ticket *t)
{
    return LIST_ENTRY(t, struct carrying, ticket);
}

/* The record that carries a message does not say why it waits. People ask that most of all about
 * what has waited so long. */
static void defer_again(struct carrier *c, struct queue_entry *e)
{
    struct mail_segment *s = e->segment;

    for (uint32_t i = 0; i < e->rcpt_count; i++)
        if (entry_rcpts(e)[i].state == RCPT_OPEN && entry_rcpts(e)[i].reason != NULL)
            outcome_defer(c->arrivals->outcomes, e, s->from->number, s->number, &s->refs, i);
}

void carry_collect(struct carrier *c, uint64_t now_ms)
{
    struct ticket *t;

    while ((t = outcomes_next_carried(c->arrivals->outcomes)) != NULL) {
        struct carrying *k = carrying_of(t);
        struct queue_entry *e = k->entry;

        e->segment->moving--;
        entry_unlock(e);
        if (t->result == 0) {
            walks_carried(c->arrivals, e);
            arrivals_move(c->arrivals, e, t, k->size);
            defer_again(c, e);
            c->carried++;
        } else if (t->result != -ENOSPC && t->result != -EDQUOT) {
            e->segment->stays = true; /* told; a person may look at it */
        } else {
            c->look_at_ms = now_ms + PAUSE_MS;
        }
        index_set(c->arrivals->index, e);
        carrying_free(c, k);
    }
}
