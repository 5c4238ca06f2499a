/*
 * later.c - mail that its sender wants to go later.
 *
 * Nothing of it is on the disk but the wish in the envelope. Whoever claims such a message learns
 * how long it waits still, and puts it back: so a restart needs no other care. While the courier
 * lives, HOLDFOR is counted by the monotonic clock, like ages (docs/decisions/0017); the clock on
 * the wall tells only how much of it passed before. HOLDUNTIL means the clock on the wall, which
 * may be set: it is looked at again from time to time.
 *
 * A message is born when it is released: until then its age is 0.
 */
#include "queue/queue_internal.h"

#include "mail/release.h"

enum { CHECK_MS = 10 * 60 * 1000 };

/* And a millisecond, of which the monotonic clock may have cut a part. */
static uint64_t until_wall_ms(uint64_t at_us, struct clock *clock)
{
    uint64_t now_us = clock_wall_us(clock);

    return at_us > now_us ? (at_us - now_us + 999) / 1000 + 1 : 0;
}

static void is_born_in(struct queue_entry *e, uint64_t wait_ms, uint64_t now_ms)
{
    e->born_ms = (int64_t)(now_ms + wait_ms);
}

/* A clock that was set back makes nobody wait longer than HOLDFOR said. */
static uint64_t wait_by_wall_ms(const struct envelope *e, struct clock *clock)
{
    uint64_t wait_ms, longest_ms = e->wishes.hold_for_s * UINT64_C(1000) + 1;

    if (!release_is_later(&e->wishes))
        return 0;
    wait_ms = until_wall_ms(release_us(e), clock);
    return e->wishes.hold_until_us == 0 && wait_ms > longest_ms ? longest_ms : wait_ms;
}

void queue_learn_age(struct queue *q, const struct queue_message *m)
{
    uint64_t wait_ms = wait_by_wall_ms(&m->envelope, q->o.clock);

    if (m->entry->born_ms != ENTRY_AGELESS)
        return;
    if (wait_ms > 0)
        is_born_in(m->entry, wait_ms, clock_monotonic_ms(q->o.clock));
    else
        entry_is_aged(m->entry, age_by_wall_ms(release_us(&m->envelope), q->o.clock), q->o.clock);
}

uint64_t queue_later_ms(const struct queue *q, const struct queue_message *m, uint64_t now_ms)
{
    int64_t born_ms = m->entry->born_ms;

    if (m->envelope.wishes.hold_until_us != 0)
        return until_wall_ms(m->envelope.wishes.hold_until_us, q->o.clock);
    return born_ms > (int64_t)now_ms ? (uint64_t)born_ms - now_ms : 0;
}

/* Who was tried once, or let go by a person, is not held any more, whatever the clock says. */
static void hold_rcpt_back(struct queue *q, struct queue_message *m, unsigned rcpt, uint64_t at_ms)
{
    struct rcpt_entry *r = &entry_rcpts(m->entry)[rcpt];

    if (!m->rcpts[rcpt].due || r->attempts > 0 || r->released)
        return;
    queue_postpone(q, m, rcpt, at_ms);
    r->later = true;
}

void queue_hold_back(struct queue *q, struct queue_message *m, uint64_t now_ms)
{
    bool by_wall = m->envelope.wishes.hold_until_us != 0;
    uint64_t wait_ms = queue_later_ms(q, m, now_ms);

    if (wait_ms == 0)
        return;
    if (by_wall)
        is_born_in(m->entry, wait_ms, now_ms);
    if (by_wall && wait_ms > CHECK_MS)
        wait_ms = CHECK_MS;
    for (unsigned i = 0; i < m->entry->rcpt_count; i++)
        hold_rcpt_back(q, m, i, now_ms + wait_ms);
}

void queue_let_go(struct queue *q, struct queue_message *m, unsigned rcpt)
{
    struct queue_entry *e = m->entry;
    uint64_t now_ms = clock_monotonic_ms(q->o.clock);

    queue_postpone(q, m, rcpt, now_ms);
    entry_rcpts(e)[rcpt].released = true;
    if (e->born_ms > (int64_t)now_ms)
        is_born_in(e, 0, now_ms);
    outcome_defer(q->outcomes, e, e->segment->from->number, e->segment->number, &e->segment->refs,
                  rcpt);
}
