/*
 * clearing.c - what nothing needs any more goes: segments, body files, drafts of the dead.
 *
 * Removing is unlink first, then, on the worker, the sync of the directory; only then are the
 * outcomes told that the segment is gone. A receiver's whole file is not unlinked but renamed to
 * "free-*", for its receiver to use again (store/supply), unless there are enough of these. Such a
 * use shows as a header that names another segment than the file's name does: then the name is
 * what a crash left of an earlier life of the file, and holds nothing.
 */
#include "queue/clearing.h"

#include "base/fail.h"
#include "base/memory.h"
#include "queue/format.h"
#include "store/draft.h"

#include <errno.h>
#include <stdlib.h>

/* For each receiver: one while it writes another, and one to spare. */
enum { FREE_KEPT = 2 };

static struct mail_segment *segment_of(struct list *node)
{
    return LIST_ENTRY(node, struct mail_segment, link);
}

static void remove_body_file(struct disk_dir *draft, uint64_t id)
{
    char name[DRAFT_NAME_SIZE];

    if (draft == NULL)
        return;
    draft_file_name(id, name);
    int rc = disk_unlink(draft, name);
    if (rc < 0 && rc != -ENOENT)
        (void)fail_code(rc, "unlink", slice_of(name)); /* swept later */
}

void clearing_leave(struct arrivals *a, struct queue_entry *e)
{
    struct mail_segment *s = e->segment;

    if (s->walked == &e->link)
        s->walked = e->link.prev != &s->entries ? e->link.prev : NULL;
    list_remove(&e->link);
    s->live -= e->size;
    if (s->from == &a->own)
        outcomes_release(a->outcomes, s->number);
    a->changed = true;
}

void clearing_entry_done(struct arrivals *a, struct queue_entry *e)
{
    if (e->body_file)
        remove_body_file(arrivals_draft_dir(a, e->id), e->id);
    clearing_leave(a, e);
    entry_free(e);
}

void clearing_entry_lost(struct arrivals *a, struct queue_entry *e)
{
    arrivals_damaged(e->segment, -EBADMSG, "read all of");
    entry_abandon(e);
    e->body_file = false; /* it is kept too */
    if (entry_is_over(e))
        clearing_entry_done(a, e);
}

/* --- drafts of dead receivers --- */

struct sweep {
    struct receiver_dir *receiver;
    uint64_t *wanted; /* ids of queued messages with a body file, ascending */
    size_t count;
    size_t cap;
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
        remove_body_file(w->receiver->draft, id);
    return true;
}

/* Can everything that may name a draft be read? What lies above a last good mark is not read by
 * this courier, but would be by the next. */
static bool knows_all_names(const struct receiver_dir *r, const struct mail_segment *s)
{
    return !s->damaged && s->last_good == UINT64_MAX && (s->number >= r->run || s->complete);
}

static void want(struct sweep *w, const struct queue_entry *e)
{
    if (!e->body_file || id_receiver(e->id) != w->receiver->number)
        return;
    if (w->count == w->cap) {
        w->cap = w->cap == 0 ? 64 : w->cap * 2;
        w->wanted = memory_resize(w->wanted, w->cap * sizeof(*w->wanted));
    }
    w->wanted[w->count++] = e->id;
}

static void want_all(struct sweep *w, struct list *segments)
{
    LIST_EACH (node, segments) {
        LIST_EACH (entry, &segment_of(node)->entries)
            want(w, LIST_ENTRY(entry, struct queue_entry, link));
    }
}

/* Every message that may name one is known. */
static bool knows_all(const struct arrivals *a, struct receiver_dir *r)
{
    if (r->draft == NULL || !a->knows_carried)
        return false;
    LIST_EACH (node, &r->segments) {
        if (!knows_all_names(r, segment_of(node)))
            return false;
    }
    return true;
}

/* A draft older than the newest run that no queued message names was never acknowledged. */
void clearing_drafts(struct arrivals *a, struct receiver_dir *r)
{
    struct sweep w = {.receiver = r};

    if (!knows_all(a, r))
        return;
    want_all(&w, &r->segments);
    want_all(&w, &a->own.segments);
    if (w.count > 0)
        qsort(w.wanted, w.count, sizeof(*w.wanted), compare_ids);
    int rc = disk_dir_list(r->draft, sweep_file, &w);
    if (rc < 0)
        (void)fail_code(rc, "list", SLICE("draft"));
    memory_free(w.wanted);
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

void clearing_free(struct mail_segment *s)
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
        clearing_free(segment_of(node));
    }
    a->changed = true; /* their outcomes may have been the last of an own segment */
    start_sync(a);
}

static bool removable(struct arrivals *a, struct mail_segment *s)
{
    if (s->damaged || s->users > 0 || !list_empty(&s->entries))
        return false;
    if (s->from == &a->own)
        return outcomes_are_over(a->outcomes, s->number);
    return s->complete && s->link.next != &s->from->segments;
}

static bool count_free(void *ctx, struct slice name)
{
    if (segment_is_free_name(name))
        ++*(unsigned *)ctx;
    return true;
}

/* Only a whole one: its receiver wants the blocks. Never a stale name, which may share its file
 * with a name that is in use. */
static bool worth_keeping(const struct arrivals *a, const struct mail_segment *s)
{
    struct disk_stat stat;
    char name[SEGMENT_NAME_SIZE];
    unsigned count = 0;

    segment_name(s->number, name);
    return s->from != &a->own && s->has_head && !s->from->abandoned &&
           disk_stat(s->from->dir, name, &stat) == 0 && stat.size == a->segment_size &&
           disk_dir_list(s->from->dir, count_free, &count) == 0 && count < FREE_KEPT;
}

static int free_file(const struct arrivals *a, const struct mail_segment *s)
{
    char old[SEGMENT_NAME_SIZE], kept_as[SEGMENT_FREE_NAME_SIZE];

    segment_name(s->number, old);
    segment_free_name(s->number, kept_as);
    return worth_keeping(a, s) ? disk_rename(s->from->dir, old, s->from->dir, kept_as)
                               : disk_unlink(s->from->dir, old);
}

static void remove_segment(struct arrivals *a, struct mail_segment *s)
{
    int rc = free_file(a, s);

    if (rc < 0 && rc != -ENOENT) {
        arrivals_damaged(s, rc, "free");
        return;
    }
    if (s->from == &a->own)
        outcomes_forget(a->outcomes, s->number);
    list_remove(&s->link);
    list_append(&a->gone, &s->link);
}

static void remove_some(struct arrivals *a, struct list *segments)
{
    LIST_EACH (node, segments) {
        if (removable(a, segment_of(node)))
            remove_segment(a, segment_of(node));
    }
}

void clearing_segments(struct arrivals *a)
{
    if (!a->changed)
        return;
    a->changed = false;
    LIST_EACH (node, &a->receivers)
        remove_some(a, &LIST_ENTRY(node, struct receiver_dir, link)->segments);
    remove_some(a, &a->own.segments);
    start_sync(a);
}

void clearing_init(struct arrivals *a)
{
    worker_job_init(&a->sync_job, sync_dirs, dirs_synced);
}

void clearing_stop(struct arrivals *a)
{
    worker_forget(a->worker, &a->sync_job);
}
