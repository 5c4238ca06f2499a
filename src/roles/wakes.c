/*
 * wakes.c - one walk through the queue for all who ask.
 *
 * The first messages of a domain go as a test: the others follow when its server took one of them,
 * and stay where they are when it is down. A walk that had to leave some out, because that was not
 * known yet, is repeated a few times. So a request sends all the mail to a server that is back, and
 * tries a few hundred messages, of perhaps a million, for one that is not.
 */
#include "roles/wakes.h"

#include "base/memory.h"
#include "mail/etrn.h"
#include "roles/role.h"
#include "roles/way.h"

#include <string.h>

enum {
    WAKES_MAX = 100,      /* domains at a time */
    REST_MS = 60 * 1000,  /* until a domain is served again */
    VISITS_MAX = 5000,    /* messages in one step, most of them not looked at ... */
    LOOKS_MAX = 500,      /* ... and read, if that ... */
    LOOKS_MS = 3,         /* ... takes no longer than this */
    FAST_STEPS = 20,      /* of a walk; then mail comes first: */
    PAUSE_MS = 4,         /* between the others */
    UNSURE_MAX = 200,     /* messages of a domain that go as a test */
    WALKS_MAX = 6,        /* for one request */
    REPEAT_MS = 2 * 1000, /* from one to the next */
};

struct wake {
    struct etrn_node node; /* in `name` */
    char name[DOMAIN_MAX];
    bool asked;
    bool walked;    /* the walk that is under way is for it */
    bool left;      /* some were left out: it is not known how its server is */
    unsigned walks; /* so far, for one request */
    uint64_t since_ms;
    uint64_t not_before_ms;
    bool well;       /* its server took a message */
    unsigned unsure; /* messages of this walk that went before that was known */
    uint64_t count;  /* messages that go */
};

struct wakes {
    struct role *role;
    struct queue *queue;
    struct outbound *outbound;
    struct wake *of[WAKES_MAX];
    size_t count;
    struct timer timer;
    uint64_t told_full_ms; /* 0: never */
    /* The walk. */
    bool walking;
    struct queue_walk *walk;
    uint64_t steps;
    unsigned looks; /* of this step */
    uint64_t looks_until_ms;
    uint64_t next_step_ms;
    struct arena scratch;
};

static const struct slice tag_qmgr = SLICE_INIT("qmgr");

static uint64_t now_ms(const struct wakes *all)
{
    return loop_now_ms(all->role->loop);
}

/* ---- who asks ---- */

static void arm(struct wakes *all)
{
    uint64_t now = now_ms(all), next = UINT64_MAX;

    for (size_t i = 0; i < all->count; i++)
        if (all->of[i]->asked && all->of[i]->not_before_ms < next)
            next = all->of[i]->not_before_ms;
    if (next != UINT64_MAX)
        timer_set(all->role->loop, &all->timer, next > now ? next - now : 0);
}

static bool is_over(const struct wakes *all, const struct wake *w)
{
    return !w->asked && !w->walked && now_ms(all) >= w->not_before_ms;
}

static void forget_old(struct wakes *all)
{
    size_t kept = 0;

    for (size_t i = 0; i < all->count; i++) {
        if (is_over(all, all->of[i]))
            memory_free(all->of[i]);
        else
            all->of[kept++] = all->of[i];
    }
    all->count = kept;
}

static struct wake *find(const struct wakes *all, const struct etrn_node *node)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->of[i]->node.below == node->below &&
            slice_equal(all->of[i]->node.domain, node->domain))
            return all->of[i];
    return NULL;
}

/* NULL: there are too many already, which is told once in a while. */
static struct wake *add(struct wakes *all, const struct etrn_node *node)
{
    if (all->count == WAKES_MAX) {
        if (all->told_full_ms == 0 || now_ms(all) >= all->told_full_ms + REST_MS) {
            role_warn(all->role, tag_qmgr,
                      SLICE("ETRN for too many domains: some are passed over"));
            all->told_full_ms = now_ms(all);
        }
        return NULL;
    }
    struct wake *w = MEMORY_NEW(struct wake);

    memcpy(w->name, node->domain.data, node->domain.len);
    w->node = (struct etrn_node){
        {w->name, node->domain.len},
        node->below
    };
    all->of[all->count++] = w;
    return w;
}

static bool is_allowed(const struct wakes *all, const struct etrn_node *node)
{
    const struct settings *s = all->role->settings;

    for (size_t i = 0; i < s->listener_count; i++)
        if (etrn_allows(s->listeners[i].etrn, node))
            return true;
    return false;
}

static bool read_node(struct slice body, struct arena *arena, struct etrn_node *out)
{
    struct cursor in = {body};
    uint8_t below;
    struct slice domain;

    return get_u8(&in, &below) && get_bytes(&in, DOMAIN_MAX, &domain) && cursor_at_end(&in) &&
           etrn_parse(arena_printf(arena, "%s%.*s", below != 0 ? "@" : "", SLICE_PRINTF(domain)),
                      arena, out) == ETRN_NODE;
}

void wakes_ask(struct wakes *all, struct slice body)
{
    struct arena arena = {0};
    struct etrn_node node;
    struct wake *w = NULL;

    if (read_node(body, &arena, &node) && is_allowed(all, &node)) {
        forget_old(all);
        w = find(all, &node);
        if (w == NULL)
            w = add(all, &node);
    }
    arena_done(&arena);
    if (w == NULL)
        return;
    w->asked = true;
    arm(all);
}

/* ---- one message ---- */

/* False: it stays where it is. */
static bool may_go(struct wakes *all, struct wake *w, const struct decision *d, uint64_t id)
{
    if (d->kind != DECIDE_RELAY && d->kind != DECIDE_LMTP)
        return true;
    switch (outbound_hope_for(all->outbound, d, id, w->since_ms)) {
    case OUTLOOK_WELL: w->well = true; return true;
    case OUTLOOK_DOWN: return false;
    case OUTLOOK_UNKNOWN: break;
    }
    if (w->well)
        return true;
    if (w->unsure == UNSURE_MAX) {
        w->left = true;
        return false;
    }
    w->unsure++;
    return true;
}

static struct wake *wanted_by(const struct wakes *all, struct slice domain)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->of[i]->walked && etrn_wants(&all->of[i]->node, domain))
            return all->of[i];
    return NULL;
}

static void wake_rcpt(struct wakes *all, struct queue_message *m, unsigned i)
{
    struct slice domain;

    if (m->rcpts[i].state != QUEUE_WAITING || m->rcpts[i].attempts == 0 ||
        !domain_to_ascii(m->envelope.rcpts[i].final.domain, &all->scratch, &domain))
        return;
    struct wake *w = wanted_by(all, domain);

    if (w == NULL)
        return;
    struct decision d = way_of(&all->role->settings->rules, &m->envelope, i, &all->scratch);

    if (may_go(all, w, &d, m->envelope.id) && queue_hasten(all->queue, m, i))
        w->count++;
}

static bool on_visit(void *ctx, struct queue_entry *e)
{
    struct wakes *all = ctx;
    struct queue_message *m;

    if (!queue_defers(all->queue, e))
        return true;
    if (all->looks == 0) /* finding the place again, in a large segment, is not counted */
        all->looks_until_ms = clock_monotonic_ms(all->role->doors->clock) + LOOKS_MS;
    m = queue_look(all->queue, e);
    if (m != NULL) {
        for (unsigned i = 0; i < m->envelope.rcpt_count; i++)
            wake_rcpt(all, m, i);
        queue_release(all->queue, m);
        arena_reset(&all->scratch);
    }
    return ++all->looks < LOOKS_MAX &&
           clock_monotonic_ms(all->role->doors->clock) < all->looks_until_ms;
}

/* ---- the walk ---- */

/* False: nobody is to be served now. */
static bool begin_walk(struct wakes *all)
{
    uint64_t now = now_ms(all);

    for (size_t i = 0; i < all->count; i++) {
        struct wake *w = all->of[i];

        if (!w->asked || now < w->not_before_ms)
            continue;
        if (w->walks == 0) {
            w->since_ms = now;
            w->well = false;
            w->count = 0;
        }
        w->unsure = 0;
        w->walks++;
        w->asked = w->left = false;
        w->walked = all->walking = true;
    }
    if (!all->walking)
        return false;
    all->walk = queue_walk_new(all->queue);
    queue_keep_still(all->queue);
    all->steps = 0;
    all->next_step_ms = now;
    return true;
}

static void tell(struct wakes *all, const struct wake *w)
{
    struct event_writer event = role_event(all->role, EVENT_ETRN, tag_qmgr);

    event_text(&event, FIELD_NAME, etrn_text(&w->node, &all->scratch));
    event_number(&event, FIELD_COUNT, w->count);
    role_event_end(all->role, &event);
}

static void walked(struct wakes *all, struct wake *w)
{
    uint64_t now = now_ms(all);

    w->walked = false;
    if (w->left && w->walks < WALKS_MAX) {
        w->asked = true;
        w->not_before_ms = now + REPEAT_MS;
        return;
    }
    w->walks = 0;
    w->not_before_ms = now + REST_MS;
    tell(all, w);
}

static void leave_queue(struct wakes *all)
{
    queue_walk_free(all->walk);
    all->walk = NULL;
    queue_may_carry(all->queue);
}

static void end_walk(struct wakes *all)
{
    all->walking = false;
    leave_queue(all);
    for (size_t i = 0; i < all->count; i++)
        if (all->of[i]->walked)
            walked(all, all->of[i]);
    arena_done(&all->scratch);
    arm(all);
}

static void on_timer(struct timer *t)
{
    (void)t; /* the loop woke; wakes_pump() goes on */
}

void wakes_pump(struct wakes *all)
{
    if ((!all->walking && !begin_walk(all)) || now_ms(all) < all->next_step_ms ||
        !queue_is_still(all->queue))
        return;
    all->looks = 0;
    if (!queue_walk_on(all->walk, VISITS_MAX, on_visit, all)) {
        end_walk(all);
    } else if (++all->steps < FAST_STEPS) {
        loop_wake(all->role->loop);
    } else {
        all->next_step_ms = now_ms(all) + PAUSE_MS;
        timer_set(all->role->loop, &all->timer, PAUSE_MS);
    }
}

/* ---- as a whole ---- */

struct wakes *wakes_new(struct role *role, struct queue *queue, struct outbound *outbound)
{
    struct wakes *all = MEMORY_NEW(struct wakes);

    all->role = role;
    all->queue = queue;
    all->outbound = outbound;
    timer_init(&all->timer, on_timer);
    return all;
}

void wakes_free(struct wakes *all)
{
    if (all == NULL)
        return;
    timer_cancel(all->role->loop, &all->timer);
    if (all->walking)
        leave_queue(all);
    arena_done(&all->scratch);
    for (size_t i = 0; i < all->count; i++)
        memory_free(all->of[i]);
    memory_free(all);
}
