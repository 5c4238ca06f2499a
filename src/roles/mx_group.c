/*
 * mx_group.c - connections to servers.
 *
 * The key is the relay, its source and the hosts in their order, equal ones sorted by name: who
 * leads to the same hosts in another order is another group, because there it would be the other
 * host's health that counts. With policies per domain (MTA-STS, DANE) what a domain demands of a
 * connection belongs into the key as well.
 *
 * What waits here are destinations, each with its lane: a connection that is free takes a message
 * of the first and puts it behind the others.
 */
#include "roles/mx_group.h"

#include "base/memory.h"
#include "roles/outbound_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TURN_MAX = 20, /* messages over a connection that others wait for */
    KEY_MAX = 64 * 1024,
};

struct group_trip {
    struct trip trip;
    struct mx_group *group;
    unsigned taken; /* messages, one after the other */
};

static uint64_t now_ms(const struct mx_group *g)
{
    return outbound_now_ms(g->all);
}

/* ---- which group ---- */

static int by_order(const void *a, const void *b)
{
    const struct route_host *x = *(const struct route_host *const *)a;
    const struct route_host *y = *(const struct route_host *const *)b;

    if (x->preference != y->preference)
        return x->preference < y->preference ? -1 : 1;
    return slice_compare(x->name, y->name);
}

/* A relay's own list of hosts is in its order already. */
static void write_hosts(const struct route *route, struct buf *out, struct arena *arena)
{
    const struct route_host **hosts =
        ARENA_ARRAY(arena, const struct route_host *, route->host_count);
    size_t count = 0;

    for (size_t i = 0; i < route->host_count; i++)
        if (route_host_is_used(&route->hosts[i]))
            hosts[count++] = &route->hosts[i];
    if (route->by_mx)
        qsort(hosts, count, sizeof(struct route_host *), by_order);
    for (size_t i = 0; i < count; i++) {
        bool equal = i > 0 && hosts[i]->preference == hosts[i - 1]->preference;

        (void)buf_append(out, equal ? SLICE("=") : SLICE(">"));
        (void)buf_append(out, hosts[i]->name);
    }
}

/* An LMTP server has a destination of its own, whose name says all. */
static void write_key(struct destination *d, struct buf *out)
{
    const struct relay *relay = d->manner.relay;

    buf_init(out, KEY_MAX);
    if (relay == NULL) {
        (void)buf_append(out, d->key);
        return;
    }
    (void)buf_printf(out, "%.*s %u ", SLICE_PRINTF(relay->name), d->manner.slot);
    write_hosts(&d->route, out, &d->arena);
}

static void on_wake(struct timer *t)
{
    struct mx_group *g = LIST_ENTRY(t, struct mx_group, wake);

    outbound_ready_group(g->all, g);
}

static struct mx_group *group_new(const struct destination *d, struct slice key)
{
    struct outbound *all = d->all;
    struct mx_group *g = MEMORY_NEW(struct mx_group);

    g->all = all;
    g->settings = settings_hold(all->settings);
    g->key = outbound_copy(key);
    g->manner = d->manner;
    g->manner.told = SLICE("");
    if (d->lmtp != NULL && d->lmtp->kind == TARGET_PATH)
        g->path = (char *)(uintptr_t)outbound_copy(d->lmtp->name).data;
    window_init(&g->window, WINDOW_MAX);
    timer_init(&g->wake, on_wake);
    list_init(&g->ready);
    list_init(&g->members);
    list_init(&g->waiting);
    list_init(&g->trips);
    list_append(&all->groups, &g->link);
    (void)map_put(&all->groups_by_key, g->key, g);
    return g;
}

static struct mx_group *group_of(struct destination *d)
{
    struct buf key;
    struct mx_group *g;

    write_key(d, &key);
    g = map_get(&d->all->groups_by_key, buf_slice(&key));
    if (g == NULL)
        g = group_new(d, buf_slice(&key));
    buf_done(&key);
    return g;
}

/* A domain stands for its group: of the limits of all its members, the first one written holds. */
static void set_limit(struct mx_group *g, const struct destination *d)
{
    const struct settings *s = g->settings;
    struct limit_query what = {.domain = d->route.domain,
                               .mx = d->route.hops[0].host->name,
                               .relay = d->manner.relay,
                               .slot = d->manner.slot};
    const struct limit *l = limit_find(s->limits, s->limit_count, &what);

    if (l != NULL && (g->limit == NULL || l < g->limit))
        g->limit = l;
    l = g->limit;
    window_limit(&g->window, l == NULL || l->connections == 0 ? WINDOW_MAX : l->connections);
    g->pace.rate = l == NULL ? (struct rate){0} : l->rate;
}

static void set_told(struct mx_group *g, const struct destination *d)
{
    g->manner.told = route_alternatives(&d->route, g->told, sizeof(g->told));
}

void mx_group_join(struct destination *d)
{
    struct mx_group *g = group_of(d);

    if (d->group != g) {
        mx_group_leave(d);
        d->group = g;
        list_append(&g->members, &d->member);
    }
    set_limit(g, d);
    set_told(g, d);
}

void mx_group_rest(struct mx_group *g)
{
    if (list_empty(&g->members) && list_empty(&g->trips))
        mx_group_free(g);
}

void mx_group_leave(struct destination *d)
{
    struct mx_group *g = d->group;

    if (g == NULL)
        return;
    list_remove(&d->waiting);
    list_remove(&d->member);
    d->group = NULL;
    mx_group_rest(g);
}

void mx_group_wait(struct destination *d)
{
    if (list_empty(&d->waiting))
        list_append(&d->group->waiting, &d->waiting);
    outbound_ready_group(d->all, d->group);
}

/* ---- the next message ---- */

/* False: it goes on by itself when it may. */
static bool may_go(struct mx_group *g)
{
    uint64_t wait_ms = pace_wait_ms(&g->pace, now_ms(g));

    if (wait_ms > 0)
        timer_set(g->all->role->loop, &g->wake, wait_ms);
    return wait_ms == 0;
}

/* Of the first that waits, which is the last one afterwards; one that has no mail any more, or must
 * find its way anew, waits no longer. */
static struct queue_message *claim_next(struct mx_group *g, struct destination **from)
{
    struct destination *d = LIST_ENTRY(g->waiting.next, struct destination, waiting);
    struct queue_message *m = NULL;

    *from = d;
    list_remove(&d->waiting);
    if (destination_is_routed(d))
        m = queue_claim_lane(g->all->queue, &d->lane, now_ms(g));
    if (m != NULL && !queue_lane_is_empty(&d->lane))
        list_append(&g->waiting, &d->waiting);
    else
        outbound_ready_later(g->all, d);
    return m;
}

/* Mail whose domain was paused while it stood in the lane leaves it, a part in each round. */
static struct parcel *next_parcel(struct mx_group *g, struct destination **from)
{
    struct outbound *all = g->all;

    if (all->draining || list_empty(&g->waiting) || !may_go(g))
        return NULL;
    for (unsigned i = 0; i < OUTBOUND_STEP_MAX && !list_empty(&g->waiting); i++) {
        struct queue_message *m = claim_next(g, from);

        if (m == NULL)
            continue;
        if (pauses_take(all->pauses, m)) {
            struct parcel *p = parcel_new(all->parcels, m);

            p->way_is_proved = destination_is_proved(*from);
            pace_went(&g->pace, now_ms(g));
            return p;
        }
        (void)queue_release(all->queue, m);
    }
    if (!list_empty(&g->waiting))
        outbound_ready_group(all, g);
    return NULL;
}

/* ---- trips ---- */

static void keep_why(struct mx_group *g, struct slice why)
{
    struct slice kept = slice_head(why, sizeof(g->why));

    memcpy(g->why, kept.data, kept.len);
    g->why_len = kept.len;
}

/* Members rest when nothing is under way any more. */
static void wake_members(struct mx_group *g)
{
    LIST_EACH (node, &g->members)
        outbound_ready(g->all, LIST_ENTRY(node, struct destination, member));
}

static void trip_ended(struct mx_group *g, struct trip *t)
{
    list_remove(&t->link);
    g->all->trips--;
    window_closed(&g->window);
    trip_free(t);
    outbound_ready_group(g->all, g);
    if (list_empty(&g->trips))
        wake_members(g);
}

static bool is_ending(const struct mx_group *g)
{
    return g->retired || g->all->draining;
}

static void trip_is_free(struct mx_group *g, struct trip *t)
{
    struct group_trip *o = LIST_ENTRY(t, struct group_trip, trip);
    bool over = ++o->taken >= TURN_MAX && outbound_is_crowded(g->all);
    struct destination *from;
    struct parcel *p = over ? NULL : next_parcel(g, &from);

    if (p != NULL)
        trip_take(t, p);
    else if (is_ending(g) || outbound_is_crowded(g->all))
        trip_leave(t);
}

static void went_well(struct mx_group *g)
{
    window_succeeded(&g->window);
    g->well_ms = now_ms(g);
    if (!list_empty(&g->waiting)) /* the window grew, or is open again */
        outbound_ready_group(g->all, g);
}

static void on_news(struct trip *t, enum trip_news news, struct slice why)
{
    struct mx_group *g = LIST_ENTRY(t, struct group_trip, trip)->group;

    switch (news) {
    case TRIP_WELL: went_well(g); break;
    case TRIP_BADLY:
        window_failed(&g->window, now_ms(g));
        keep_why(g, why);
        break;
    case TRIP_FREE: trip_is_free(g, t); break;
    case TRIP_UNUSED:
        if (is_ending(g))
            trip_leave(t);
        else
            outbound_ready_group(g->all, g);
        break;
    case TRIP_ENDED: trip_ended(g, t); break;
    }
}

static void begin_trip(struct mx_group *g, struct route *route, struct parcel *p)
{
    struct group_trip *o = MEMORY_NEW(struct group_trip);

    o->group = g;
    o->trip.manner = &g->manner;
    o->trip.on_news = on_news;
    route_turn(route, random_u64(g->all->role->doors->random));
    o->trip.hop_count = trip_copy_hops(route, g->path, o->trip.hops, TRIP_HOPS_MAX);
    list_append(&g->trips, &o->trip.link);
    g->all->trips++;
    window_opened(&g->window);
    trip_begin(&o->trip, p);
}

static struct trip *idle_trip(struct mx_group *g)
{
    LIST_EACH (node, &g->trips) {
        struct trip *t = LIST_ENTRY(node, struct trip, link);

        if (timer_is_set(&t->idle))
            return t;
    }
    return NULL;
}

/* ---- going on ---- */

/* They put their mail off. */
static void send_away(struct mx_group *g)
{
    LIST_EACH (node, &g->waiting) {
        list_remove(node);
        outbound_ready(g->all, LIST_ENTRY(node, struct destination, waiting));
    }
}

bool mx_group_go_on(struct mx_group *g)
{
    struct outbound *all = g->all;
    struct destination *from;
    struct trip *idle;
    struct parcel *p;
    uint64_t until;

    if (mx_group_is_down(g, &until)) {
        send_away(g);
        return false;
    }
    for (unsigned i = 0; i < OUTBOUND_STEP_MAX && !list_empty(&g->waiting); i++) {
        idle = idle_trip(g);
        if (idle == NULL && !window_has_room(&g->window, now_ms(g)))
            return false;
        if (idle == NULL && all->trips >= OUTBOUND_TRIPS_MAX)
            return true;
        p = next_parcel(g, &from);
        if (p == NULL)
            return false;
        if (idle != NULL)
            trip_take(idle, p);
        else
            begin_trip(g, &from->route, p);
    }
    if (!list_empty(&g->waiting))
        outbound_ready_group(all, g);
    return false;
}

bool mx_group_is_down(const struct mx_group *g, uint64_t *until_ms)
{
    return window_is_down(&g->window, now_ms(g), until_ms);
}

struct slice mx_group_why(const struct mx_group *g)
{
    return (struct slice){g->why, g->why_len};
}

uint64_t mx_group_kept_until_ms(const struct mx_group *g)
{
    uint64_t now = now_ms(g), wait_ms = pace_wait_ms(&g->pace, now);
    uint64_t failed = window_kept_until_ms(&g->window), paced = wait_ms > 0 ? now + wait_ms : 0;

    return failed > paced ? failed : paced;
}

void mx_group_drain(struct mx_group *g)
{
    struct trip *idle;

    while ((idle = idle_trip(g)) != NULL)
        trip_leave(idle);
}

static void forget_key(struct mx_group *g)
{
    if (!g->retired)
        (void)map_remove(&g->all->groups_by_key, g->key);
}

void mx_group_retire(struct mx_group *g)
{
    forget_key(g);
    g->retired = true;
    mx_group_drain(g);
}

void mx_group_free(struct mx_group *g)
{
    struct outbound *all = g->all;

    LIST_EACH (node, &g->trips) {
        list_remove(node);
        all->trips--;
        trip_free(LIST_ENTRY(node, struct trip, link));
    }
    timer_cancel(all->role->loop, &g->wake);
    list_remove(&g->ready);
    list_remove(&g->link);
    forget_key(g);
    settings_free(g->settings);
    memory_free((void *)(uintptr_t)g->key.data);
    memory_free(g->path);
    memory_free(g);
}
