/*
 * queue_people.c - what a person does with the queue: look at it, and take single messages in hand.
 */
#include "queue/queue_internal.h"

#include "queue/format.h"

#include <assert.h>

/* ---- where they are ---- */

void queue_keep_still(struct queue *q)
{
    q->carrier.still++;
}

void queue_may_carry(struct queue *q)
{
    assert(q->carrier.still > 0);
    q->carrier.still--;
}

bool queue_is_still(const struct queue *q)
{
    return list_empty(&q->carrier.under_way);
}

static struct queue_entry *entry_in(struct receiver_dir *r, uint64_t id)
{
    LIST_EACH (node, &r->segments) {
        struct mail_segment *s = LIST_ENTRY(node, struct mail_segment, link);

        if (id < s->lowest_id || id > s->highest_id)
            continue;
        LIST_EACH (at, &s->entries) {
            struct queue_entry *e = LIST_ENTRY(at, struct queue_entry, link);

            if (e->id == id && e->open > 0)
                return e;
        }
    }
    return NULL;
}

struct queue_entry *queue_find(struct queue *q, uint64_t id)
{
    LIST_EACH (node, &q->arrivals.receivers) {
        struct receiver_dir *r = LIST_ENTRY(node, struct receiver_dir, link);

        if (r->number == id_receiver(id)) {
            struct queue_entry *e = entry_in(r, id);
            if (e != NULL)
                return e;
        }
    }
    return entry_in(&q->arrivals.own, id);
}

struct queue_message *queue_look(struct queue *q, struct queue_entry *e)
{
    struct choice nobody = {.who = CHOOSE_NOBODY, .now_ms = clock_monotonic_ms(q->o.clock)};

    return queue_claim_entry(q, e, &nobody);
}

static bool waits_for_time(const struct rcpt_entry *r)
{
    return r->state == RCPT_OPEN && !r->held && !r->later;
}

bool queue_defers(const struct queue *q, struct queue_entry *e)
{
    uint64_t now_ms = clock_monotonic_ms(q->o.clock);
    const struct rcpt_entry *rcpts = entry_rcpts(e);

    for (uint32_t i = 0; i < e->rcpt_count; i++)
        if (waits_for_time(&rcpts[i]) && rcpts[i].attempts > 0 && rcpts[i].due_ms > now_ms)
            return true;
    return false;
}

/* Behind all that is due already. */
bool queue_hasten(struct queue *q, struct queue_message *m, unsigned rcpt)
{
    struct rcpt_entry *r = &entry_rcpts(m->entry)[rcpt];
    uint64_t now_ms = clock_monotonic_ms(q->o.clock);

    assert(rcpt < m->entry->rcpt_count);
    if (!waits_for_time(r))
        return false;
    if (r->due_ms > now_ms) {
        r->due_ms = now_ms;
        index_set(&q->index, m->entry);
    }
    return true;
}

struct queue_message *queue_take(struct queue *q, struct queue_entry *e)
{
    struct choice waiting = {.who = CHOOSE_WAITING, .now_ms = clock_monotonic_ms(q->o.clock)};
    struct queue_message *m = queue_claim_entry(q, e, &waiting);

    if (m != NULL) /* else it may be gone */
        index_set(&q->index, e);
    return m;
}

/* In the journal it is a deferral without an end. */
void queue_hold(struct queue *q, struct queue_message *m, unsigned rcpt, struct slice why)
{
    struct queue_entry *e = m->entry;
    struct rcpt_entry *r = &entry_rcpts(e)[rcpt];
    struct reason *old = r->reason;

    queue_postpone(q, m, rcpt, UINT64_MAX);
    r->held = true;
    if (why.len > 0) {
        r->reason = outcomes_reason(q->outcomes, why);
        reason_drop(old);
    }
    outcome_defer(q->outcomes, e, e->segment->from->number, e->segment->number, &e->segment->refs,
                  rcpt);
}

void queue_unhold(struct queue *q, struct queue_message *m, unsigned rcpt)
{
    struct queue_entry *e = m->entry;

    queue_postpone(q, m, rcpt, clock_monotonic_ms(q->o.clock));
    entry_rcpts(e)[rcpt].passed = true;
    outcome_defer(q->outcomes, e, e->segment->from->number, e->segment->number, &e->segment->refs,
                  rcpt);
}
