/*
 * walk.c - through all that is queued, in steps.
 *
 * Receivers come in the order in which they were found, then the own journal. What is carried
 * meanwhile moves to the end of that: it is met there, unless this walk has met it where it was.
 * Where each one stands is known then, so that is noted when it happens.
 */
#include "queue/walk.h"

#include "base/memory.h"
#include "queue/queue_internal.h"

/* The own journal, whatever number of receivers is found meanwhile. */
#define OWN SIZE_MAX

struct queue_walk {
    struct list link; /* among those under way */
    struct arrivals *arrivals;
    size_t dir; /* which one is walked through now, and up to where */
    uint64_t segment;
    uint64_t offset;
    struct map met; /* ids of those that were carried behind it */
};

/* ---- where it stands ---- */

static struct slice id_key(const uint64_t *id)
{
    return (struct slice){(const char *)id, sizeof(*id)};
}

static size_t number_of(struct arrivals *a, const struct receiver_dir *r)
{
    size_t n = 0;

    LIST_EACH (node, &a->receivers) {
        if (LIST_ENTRY(node, struct receiver_dir, link) == r)
            return n;
        n++;
    }
    return OWN;
}

static bool has_met(const struct queue_walk *w, const struct queue_entry *e)
{
    const struct mail_segment *s = e->segment;
    size_t dir = number_of(w->arrivals, s->from);

    if (dir != w->dir)
        return dir < w->dir;
    return s->number != w->segment ? s->number < w->segment : e->offset <= w->offset;
}

void walks_carried(struct arrivals *a, const struct queue_entry *e)
{
    LIST_EACH (node, &a->walks) {
        struct queue_walk *w = LIST_ENTRY(node, struct queue_walk, link);

        if (has_met(w, e))
            (void)map_put(&w->met, id_key(&e->id), w);
    }
}

/* ---- walking ---- */

struct step {
    struct queue_walk *walk;
    unsigned left;
    bool (*visit)(void *ctx, struct queue_entry *e);
    void *ctx;
};

/* What is up to here this walk has seen. A walk comes back for every step of it, so the place is
 * remembered; the other one of two at once, which finds it taken, looks for its own from the
 * beginning. */
static struct list *seen_up_to(struct mail_segment *s, const struct queue_walk *w)
{
    if (s->number == w->segment && s->walked != NULL &&
        LIST_ENTRY(s->walked, struct queue_entry, link)->offset <= w->offset)
        return s->walked;
    return &s->entries;
}

static void visit(struct step *step, struct queue_entry *e)
{
    if (e->open > 0 && map_remove(&step->walk->met, id_key(&e->id)) == NULL &&
        !step->visit(step->ctx, e))
        step->left = 0;
}

static void walk_segment(struct mail_segment *s, struct step *step)
{
    struct queue_walk *w = step->walk;
    struct list *next;

    for (struct list *node = seen_up_to(s, w)->next; node != &s->entries; node = next) {
        struct queue_entry *e = LIST_ENTRY(node, struct queue_entry, link);

        next = node->next; /* a visit may be its end */
        if (step->left == 0)
            return;
        if (s->number == w->segment && e->offset <= w->offset)
            continue;
        w->segment = s->number;
        w->offset = e->offset;
        s->walked = node;
        step->left--;
        visit(step, e);
    }
}

static void walk_dir(struct receiver_dir *r, struct step *step)
{
    LIST_EACH (node, &r->segments) {
        struct mail_segment *s = LIST_ENTRY(node, struct mail_segment, link);

        if (step->left > 0 && s->number >= step->walk->segment)
            walk_segment(s, step);
    }
}

/* NULL: there are no more receivers. */
static struct receiver_dir *receiver_at(struct arrivals *a, size_t number)
{
    size_t n = 0;

    LIST_EACH (node, &a->receivers)
        if (n++ == number)
            return LIST_ENTRY(node, struct receiver_dir, link);
    return NULL;
}

static void begin_dir(struct queue_walk *w, size_t dir)
{
    w->dir = dir;
    w->segment = w->offset = 0;
}

bool queue_walk_on(struct queue_walk *w, unsigned max,
                   bool (*visit_one)(void *ctx, struct queue_entry *e), void *ctx)
{
    struct step step = {w, max, visit_one, ctx};
    struct receiver_dir *r;

    while (w->dir != OWN && (r = receiver_at(w->arrivals, w->dir)) != NULL) {
        walk_dir(r, &step);
        if (step.left == 0)
            return true;
        begin_dir(w, w->dir + 1);
    }
    if (w->dir != OWN)
        begin_dir(w, OWN);
    walk_dir(&w->arrivals->own, &step);
    return step.left == 0;
}

/* ---- as a whole ---- */

struct queue_walk *queue_walk_new(struct queue *q)
{
    struct queue_walk *w = MEMORY_NEW(struct queue_walk);

    w->arrivals = &q->arrivals;
    map_init(&w->met, q->arrivals.seed);
    list_append(&q->arrivals.walks, &w->link);
    return w;
}

void queue_walk_free(struct queue_walk *w)
{
    if (w == NULL)
        return;
    list_remove(&w->link);
    map_done(&w->met);
    memory_free(w);
}
