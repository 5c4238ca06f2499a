/*
 * supply.c - where the segments of a journal come from, ahead of need.
 *
 * A segment is only given out when its header and its name are durable: a record must never be
 * durable before them. It is begun early enough that the writer need not wait, and if the writer
 * is faster, it waits.
 *
 * The courier leaves files of done segments as "free-*" (queue/arrivals). They are used first: all
 * their blocks are there. Nobody else takes them and only the courier makes them, so the worst
 * that both can do to each other is to look too early. Taking one is a rename and a new header,
 * and no step of it can hurt, whatever a crash leaves:
 *
 *   neither durable        the old name, whose messages are all done; or the free one
 *   name, not header       the header names another segment: nobody reads it, and it is swept
 *   header, not name       the same: the old name above a new header
 *
 * Records follow when both are. Stale ones behind them were made with another generation.
 *
 * The reserve is such a file too, which its owner makes himself and uses when the disk is full:
 * what happened to a message can then still be written down, which frees other files.
 */
#include "store/supply.h"

#include "base/fail.h"
#include "base/memory.h"
#include "store/commit.h"

#include <errno.h>
#include <string.h>

enum { RESERVE_RETRY_MS = 10 * 1000 };

static enum worker_next sync_next(struct worker_job *job)
{
    struct supply *s = LIST_ENTRY(job, struct supply, job);

    s->result = segment_sync_new(s->next, s->o->dir);
    return WORKER_IDLE;
}

static void next_synced(struct worker_job *job)
{
    struct supply *s = LIST_ENTRY(job, struct supply, job);

    s->state = s->result == 0 ? SUPPLY_READY : SUPPLY_FAILED;
}

static enum worker_next sync_reserve(struct worker_job *job)
{
    struct supply *s = LIST_ENTRY(job, struct supply, reserve_job);

    s->reserve_result = segment_sync_new(s->reserve, s->o->dir);
    return WORKER_IDLE;
}

static void reserve_synced(struct worker_job *job)
{
    struct supply *s = LIST_ENTRY(job, struct supply, reserve_job);

    if (s->reserve_result < 0)
        return; /* told; it stays as it is */
    segment_fill_from(s->reserve, SEGMENT_HEAD_SIZE, s->o->worker);
    segment_fill(s->reserve, s->o->reserve);
}

void supply_init(struct supply *s, const struct commit_options *o)
{
    *s = (struct supply){.o = o};
    worker_job_init(&s->job, sync_next, next_synced);
    worker_job_init(&s->reserve_job, sync_reserve, reserve_synced);
}

/* Stops making it; what is there stays. */
static void leave_reserve(struct supply *s)
{
    worker_forget(s->o->worker, &s->reserve_job);
    segment_free(s->reserve);
    s->reserve = NULL;
}

void supply_done(struct supply *s)
{
    leave_reserve(s);
    worker_forget(s->o->worker, &s->job);
    segment_free(s->next);
    s->next = NULL;
}

static void drop_next(struct supply *s)
{
    (void)disk_unlink(s->o->dir, s->next->name);
    segment_free(s->next);
    s->next = NULL;
    s->state = SUPPLY_NONE;
}

static bool note_free(void *ctx, struct slice name)
{
    char *found = ctx;

    if (!segment_is_free_name(name) || name.len >= SEGMENT_FREE_NAME_SIZE)
        return true;
    memcpy(found, name.data, name.len);
    return false;
}

static int reuse(struct supply *s, const struct segment_head *head)
{
    char name[SEGMENT_FREE_NAME_SIZE] = "";
    int rc = disk_dir_list(s->o->dir, note_free, name);

    if (rc < 0)
        return fail_code(rc, "list", SLICE("free segments"));
    if (name[0] == '\0')
        return -ENOENT;
    rc = segment_reuse(s->o->dir, name, head, s->o->size, &s->next);
    if (rc == 0)
        segment_fill_from(s->next, s->next->filled, s->o->worker);
    return rc;
}

static int next_head(struct supply *s, struct segment_head *head)
{
    uint64_t now = clock_wall_us(s->o->clock) / 1000000;

    *head = (struct segment_head){.generation = random_u64(s->o->random), .run = s->run};
    /* Above every earlier one whatever the clock says: no name ever comes back. */
    head->number = now > s->last_number ? now : s->last_number + 1;
    if (s->run == 0)
        s->run = head->run = head->number;
    if (head->number > SEGMENT_NUMBER_MAX)
        return fail_code(-EOVERFLOW, "number", SLICE("segment"));
    s->last_number = head->number;
    return 0;
}

bool supply_is_full(int code)
{
    return code == -ENOSPC || code == -EDQUOT;
}

static int next_from_reserve(struct supply *s, const struct segment_head *head)
{
    leave_reserve(s);
    s->has_reserve = false;
    int rc = segment_reuse(s->o->dir, SEGMENT_RESERVE, head, s->o->reserve, &s->next);
    if (rc == 0)
        segment_fill_from(s->next, s->next->filled, s->o->worker);
    return rc;
}

static int create_next(struct supply *s)
{
    struct segment_head head;
    int rc = next_head(s, &head);

    if (rc < 0)
        return rc;
    if (s->o->zero_filled && reuse(s, &head) == 0)
        return 0;
    rc = segment_create(s->o->dir, s->o->mode, &head, s->o->size, &s->next);
    if (supply_is_full(rc) && s->has_reserve)
        rc = next_from_reserve(s, &head);
    return rc;
}

static struct segment *give(struct supply *s)
{
    struct segment *next = s->next;

    s->next = NULL;
    s->state = SUPPLY_NONE;
    next->used = true;
    return next;
}

static void begin_filling(const struct supply *s, struct segment *next)
{
    /* Never before the header is durable: a file with more than a header that cannot be read
     * is damage, not an accident of its making. */
    if (s->o->zero_filled && next->filled == UINT64_MAX)
        segment_fill_from(next, SEGMENT_HEAD_SIZE, s->o->worker);
}

static void find_reserve(struct supply *s)
{
    struct disk_stat stat;

    s->has_reserve = s->o->reserve > 0 && disk_stat(s->o->dir, SEGMENT_RESERVE, &stat) == 0;
}

static int find_last_number(struct supply *s)
{
    uint64_t *numbers;
    size_t count;
    int rc = segment_list(s->o->dir, &numbers, &count);

    if (rc < 0)
        return rc;
    if (count > 0)
        s->last_number = numbers[count - 1];
    memory_free(numbers);
    return 0;
}

int supply_first(struct supply *s, struct segment **out)
{
    int rc = find_last_number(s);

    if (rc < 0)
        return rc;
    find_reserve(s);
    rc = create_next(s);
    if (rc < 0)
        return rc;
    rc = segment_sync_new(s->next, s->o->dir);
    if (rc < 0) {
        drop_next(s);
        return rc;
    }
    *out = give(s);
    begin_filling(s, *out);
    return 0;
}

int supply_begin(struct supply *s)
{
    if (s->state != SUPPLY_NONE)
        return 0;
    int rc = create_next(s);
    if (rc < 0)
        return rc;
    s->state = SUPPLY_SYNCING;
    worker_submit(s->o->worker, &s->job);
    return 0;
}

bool supply_use_reserve(struct supply *s)
{
    struct segment_head head;

    if (!s->has_reserve || s->state == SUPPLY_SYNCING)
        return false;
    if (s->next != NULL)
        drop_next(s); /* it would be as full as the disk */
    if (next_head(s, &head) < 0 || next_from_reserve(s, &head) < 0)
        return false;
    s->state = SUPPLY_SYNCING;
    worker_submit(s->o->worker, &s->job);
    return true;
}

void supply_keep_reserve(struct supply *s)
{
    uint64_t now_ms = clock_monotonic_ms(s->o->clock), room;

    if (s->o->reserve == 0 || s->has_reserve ||
        (s->reserve_asked_ms != 0 && now_ms - s->reserve_asked_ms < RESERVE_RETRY_MS))
        return;
    s->reserve_asked_ms = now_ms;
    /* As much again: what is nearly full should not become full because of us. */
    if (disk_free_bytes(s->o->dir, &room) < 0 || room < 2 * s->o->reserve)
        return;
    if (segment_create_reserve(s->o->dir, s->o->mode, random_u64(s->o->random), s->o->reserve,
                               &s->reserve) < 0)
        return;
    s->has_reserve = true;
    worker_submit(s->o->worker, &s->reserve_job);
}

void supply_fill(struct supply *s, uint64_t to)
{
    if (s->state != SUPPLY_READY || !s->o->zero_filled)
        return;
    begin_filling(s, s->next);
    if (s->next->filling || s->next->fill_result == 0)
        segment_fill(s->next, to);
}

/* A piece whose sync failed spoils the file; its sync is not tried again. */
static int take_ready(struct supply *s, struct segment **out)
{
    if (s->next->filling)
        return -EAGAIN;
    int rc = s->next->fill_result;
    if (rc < 0) {
        drop_next(s);
        return rc;
    }
    begin_filling(s, s->next);
    *out = give(s);
    return 0;
}

int supply_take(struct supply *s, struct segment **out)
{
    int rc;

    switch (s->state) {
    case SUPPLY_NONE: rc = supply_begin(s); return rc < 0 ? rc : -EAGAIN;
    case SUPPLY_SYNCING: return -EAGAIN;
    case SUPPLY_FAILED: drop_next(s); return s->result;
    case SUPPLY_READY: return take_ready(s, out);
    }
    return -EINVAL;
}
