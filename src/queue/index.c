/*
 * index.c - what is queued, by time.
 *
 * A binary heap: a claim and a release cost O(log n) and a few pointers per message. An entry knows
 * its place, because one whose recipients go different ways changes while others of them wait.
 */
#include "queue/index.h"

#include "base/memory.h"

#include <assert.h>

struct queue_entry *entry_new(uint64_t id, uint32_t rcpt_count, uint64_t due_ms)
{
    struct queue_entry *e = MEMORY_NEW(struct queue_entry);

    assert(rcpt_count > 0);
    list_init(&e->link);
    e->id = id;
    e->born_ms = ENTRY_AGELESS;
    e->rcpt_count = e->open = rcpt_count;
    if (rcpt_count > 1)
        e->many = memory_new(rcpt_count * sizeof(*e->many));
    for (uint32_t i = 0; i < rcpt_count; i++)
        entry_rcpts(e)[i].due_ms = due_ms;
    return e;
}

void entry_free(struct queue_entry *e)
{
    for (uint32_t i = 0; i < e->rcpt_count; i++)
        reason_drop(entry_rcpts(e)[i].reason);
    list_remove(&e->link);
    memory_free(e->many);
    memory_free(e);
}

struct rcpt_entry *entry_rcpts(struct queue_entry *e)
{
    return e->many != NULL ? e->many : &e->one;
}

void entry_close_rcpt(struct queue_entry *e, uint32_t rcpt)
{
    if (rcpt >= e->rcpt_count || entry_rcpts(e)[rcpt].state == RCPT_WRITTEN)
        return;
    entry_rcpts(e)[rcpt].state = RCPT_WRITTEN;
    e->open--;
}

uint64_t age_by_wall_ms(uint64_t then_us, struct clock *clock)
{
    uint64_t now_us = clock_wall_us(clock);
    uint64_t passed_ms = now_us > then_us ? (now_us - then_us) / 1000 : 0;

    return passed_ms < ABSENCE_MAX_MS ? passed_ms : ABSENCE_MAX_MS;
}

void entry_is_aged(struct queue_entry *e, uint64_t age_ms, struct clock *clock)
{
    if (e->born_ms == ENTRY_AGELESS)
        e->born_ms = (int64_t)clock_monotonic_ms(clock) - (int64_t)age_ms;
}

uint64_t entry_age_ms(const struct queue_entry *e, uint64_t now_ms)
{
    assert(e->born_ms != ENTRY_AGELESS);
    return (int64_t)now_ms > e->born_ms ? (uint64_t)((int64_t)now_ms - e->born_ms) : 0;
}

static uint32_t seconds(uint64_t s)
{
    return s < UINT32_MAX ? (uint32_t)s : UINT32_MAX;
}

struct rcpt_rest rcpt_rest_of(struct queue_entry *e, uint32_t rcpt, struct clock *clock)
{
    const struct rcpt_entry *r = &entry_rcpts(e)[rcpt];
    uint64_t now_ms = clock_monotonic_ms(clock);
    uint64_t wait_s = r->due_ms > now_ms ? (r->due_ms - now_ms + 999) / 1000 : 0;
    bool aged = e->born_ms != ENTRY_AGELESS && e->born_ms <= (int64_t)now_ms;

    return (struct rcpt_rest){.open = r->state != RCPT_WRITTEN,
                              .warned = r->warned,
                              .held = r->held,
                              .released = r->released,
                              .passed = r->passed,
                              .attempts = r->attempts,
                              .wait_s = seconds(wait_s),
                              .due_wall_us = clock_wall_us(clock) + wait_s * 1000000,
                              .aged = aged,
                              .age_s = aged ? seconds(entry_age_ms(e, now_ms) / 1000) : 0};
}

/* It has grown while nobody was here. */
static void resume_age(struct queue_entry *e, const struct rcpt_rest *rest, struct clock *clock)
{
    uint64_t wait_us = (uint64_t)rest->wait_s * 1000000;
    uint64_t written_us = rest->due_wall_us > wait_us ? rest->due_wall_us - wait_us : 0;
    uint64_t age_ms = (uint64_t)rest->age_s * 1000 + age_by_wall_ms(written_us, clock);
    int64_t born_ms = (int64_t)clock_monotonic_ms(clock) - (int64_t)age_ms;

    if (rest->aged && born_ms > e->born_ms)
        e->born_ms = born_ms;
}

void rcpt_resume(struct queue_entry *e, uint32_t rcpt, const struct rcpt_rest *rest,
                 struct clock *clock)
{
    struct rcpt_entry *r = &entry_rcpts(e)[rcpt];
    uint64_t wall_us = clock_wall_us(clock), wait_ms = (uint64_t)rest->wait_s * 1000;
    uint64_t left_ms = rest->due_wall_us > wall_us ? (rest->due_wall_us - wall_us) / 1000 : 0;

    r->attempts = rest->attempts;
    r->warned = rest->warned;
    r->held = rest->held;
    r->released = rest->released;
    r->passed = rest->passed;
    if (rest->attempts == 0)
        wait_ms = 0; /* how long it is held for later is asked anew */
    r->due_ms = rest->held ? UINT64_MAX
                           : clock_monotonic_ms(clock) + (left_ms < wait_ms ? left_ms : wait_ms);
    resume_age(e, rest, clock);
}

bool entry_rests(const struct queue_entry *e)
{
    const struct rcpt_entry *rcpts = e->many != NULL ? e->many : &e->one;

    if (e->claims > 0 || e->parks > 0 || e->unsynced > 0 || e->open == 0)
        return false;
    for (uint32_t i = 0; i < e->rcpt_count; i++) {
        if (rcpts[i].state == RCPT_OPEN && rcpts[i].attempts == 0 && !rcpts[i].held &&
            !rcpts[i].later)
            return false;
    }
    return true;
}

static void change_state(struct queue_entry *e, enum rcpt_state from, enum rcpt_state to)
{
    for (uint32_t i = 0; i < e->rcpt_count; i++) {
        if (entry_rcpts(e)[i].state == from)
            entry_rcpts(e)[i].state = (uint8_t)to;
    }
}

void entry_lock(struct queue_entry *e)
{
    assert(entry_rests(e));
    e->claims++;
    e->carried = true;
    change_state(e, RCPT_OPEN, RCPT_TAKEN);
}

void entry_unlock(struct queue_entry *e)
{
    e->claims--;
    e->carried = false;
    change_state(e, RCPT_TAKEN, RCPT_OPEN);
}

void entry_abandon(struct queue_entry *e)
{
    for (uint32_t i = 0; i < e->rcpt_count; i++) {
        if (entry_rcpts(e)[i].state != RCPT_TAKEN)
            entry_close_rcpt(e, i);
    }
}

bool entry_is_over(const struct queue_entry *e)
{
    return e->open == 0 && e->unsynced == 0 && e->claims == 0 && e->parks == 0;
}

void index_done(struct queue_index *index)
{
    memory_free(index->heap);
    *index = (struct queue_index){0};
}

static void put_at(struct queue_index *index, size_t at, struct queue_entry *e)
{
    index->heap[at] = e;
    e->place = (uint32_t)at;
}

static void sift_up(struct queue_index *index, size_t at, struct queue_entry *e)
{
    for (; at > 1 && index->heap[at / 2]->due_ms > e->due_ms; at /= 2)
        put_at(index, at, index->heap[at / 2]);
    put_at(index, at, e);
}

static void sift_down(struct queue_index *index, size_t at, struct queue_entry *e)
{
    for (size_t child; (child = at * 2) <= index->count; at = child) {
        if (child < index->count && index->heap[child + 1]->due_ms < index->heap[child]->due_ms)
            child++;
        if (index->heap[child]->due_ms >= e->due_ms)
            break;
        put_at(index, at, index->heap[child]);
    }
    put_at(index, at, e);
}

/* The place is to be filled anew by e, whose time may have changed either way. */
static void settle(struct queue_index *index, size_t at, struct queue_entry *e)
{
    if (at > 1 && index->heap[at / 2]->due_ms > e->due_ms)
        sift_up(index, at, e);
    else
        sift_down(index, at, e);
}

static void take_out(struct queue_index *index, struct queue_entry *e)
{
    size_t at = e->place;
    struct queue_entry *last = index->heap[index->count--];

    e->place = 0;
    if (last != e)
        settle(index, at, last);
}

static void make_room(struct queue_index *index)
{
    if (index->count + 1 < index->cap)
        return;
    index->cap = index->cap == 0 ? 64 : index->cap * 2;
    index->heap = memory_resize(index->heap, index->cap * sizeof(struct queue_entry *));
}

/* UINT64_MAX: nobody waits for a time. */
static uint64_t earliest(struct queue_entry *e)
{
    const struct rcpt_entry *rcpts = entry_rcpts(e);
    uint64_t at = UINT64_MAX;

    for (uint32_t i = 0; i < e->rcpt_count; i++) {
        if (rcpts[i].state == RCPT_OPEN && rcpts[i].due_ms < at)
            at = rcpts[i].due_ms;
    }
    return at;
}

void index_set(struct queue_index *index, struct queue_entry *e)
{
    e->due_ms = earliest(e);
    if (e->due_ms == UINT64_MAX) {
        if (e->place != 0)
            take_out(index, e);
    } else if (e->place != 0) {
        settle(index, e->place, e);
    } else {
        make_room(index);
        sift_up(index, ++index->count, e);
    }
}

struct queue_entry *index_take(struct queue_index *index, uint64_t now_ms)
{
    if (index->count == 0 || index->heap[1]->due_ms > now_ms)
        return NULL;
    struct queue_entry *first = index->heap[1];
    take_out(index, first);
    return first;
}

bool index_next_due(const struct queue_index *index, uint64_t *at_ms)
{
    if (index->count == 0)
        return false;
    *at_ms = index->heap[1]->due_ms;
    return true;
}
