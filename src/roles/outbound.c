/*
 * outbound.c - destinations.
 *
 * A destination is something to do, or waits: for an answer of DNS, for a connection to get on, for
 * the end of a pause. `ready` lists those that have something to do, so that a round of the loop
 * costs nothing for all the others; who could go on but for the limit of connections stays in it,
 * and each gets its turn.
 *
 * A dead destination's mail does not wait in its lane: it is put off in small steps, each message
 * with its own next time, so that the lane is never longer than what can be tried soon.
 */
#include "roles/outbound.h"

#include "base/map.h"
#include "base/memory.h"
#include "dns/lookup.h"
#include "mail/route.h"
#include "mail/schedule.h"
#include "roles/role.h"
#include "roles/trip.h"

#include <stdio.h>
#include <string.h>

enum {
    TURN_MAX = 20,             /* messages over a connection that others wait for */
    TRIPS_MAX = 500,           /* connections at a time */
    TOLD_HOPS_MAX = 5,         /* of a route, to people */
    STEP_MAX = 100,            /* messages of one destination in one round */
    ROUTE_GOOD_MS = 60 * 1000, /* then DNS is asked again, whose cache knows the TTL */
    REMEMBERED_MAX = 10000,    /* destinations, while some of them only have failed lately */
    KEY_MAX = 600,
    SMTP_PORT = 25,
};

enum route_state { ROUTE_OLD, ROUTE_ASKED, ROUTE_DECIDED };

struct destination {
    struct list link;  /* in outbound.all */
    struct list ready; /* in outbound.ready, or alone */
    struct outbound *all;
    struct slice key; /* owned */
    struct trip_manner manner;
    struct address to;               /* whose domain is looked up; owned */
    const struct route_target *lmtp; /* NULL: a relay's */
    struct queue_lane lane;
    struct window window;
    struct pace pace;
    struct list trips;
    struct timer wake;
    /* The route, and what is known for it. */
    enum route_state state;
    enum route_outcome outcome;
    struct route route;
    struct facts facts;
    struct lookup lookup;
    struct arena arena;
    uint64_t chance;
    uint64_t good_until_ms;
    char *path;    /* of an LMTP server in the file system, as the system wants it; or NULL */
    char why[256]; /* it is down: what the last failure said */
    size_t why_len;
};

struct outbound {
    struct role *role;
    struct queue *queue;
    struct parcels *parcels;
    struct pauses *pauses;
    struct disk_dir *spool;
    struct resolver *resolver; /* NULL: not asked for yet, or cannot be had */
    struct tls_context *tls;
    struct route_ip *own_ips; /* where the world finds us */
    size_t own_ip_count;
    struct map by_key;
    struct list all;
    unsigned count; /* in `all` */
    struct list ready;
    struct list fed; /* got a connection in this round: behind those who wait for one */
    uint32_t lanes;  /* numbers given away */
    unsigned trips;
    bool pumping;
    bool again; /* while it pumped, somebody got something to do */
    bool draining;
};

static uint64_t now_ms(const struct outbound *all)
{
    return loop_now_ms(all->role->loop);
}

static void make_ready(struct destination *d)
{
    if (list_empty(&d->ready))
        list_append(&d->all->ready, &d->ready);
    d->all->again = d->all->again || d->all->pumping;
}

/* ---- destinations ---- */

static struct slice key_of(const struct decision *d, char out[KEY_MAX])
{
    char ip[64];
    int len;

    if (d->kind == DECIDE_RELAY) {
        struct slice domain = d->relay->host_count > 0 ? SLICE("") : d->final.domain;

        len = snprintf(out, KEY_MAX, "relay %.*s %.*s", SLICE_PRINTF(d->relay->name),
                       SLICE_PRINTF(domain));
    } else {
        struct net_address at = {.port = d->lmtp->port};

        memcpy(at.ip, d->lmtp->ip, sizeof(at.ip));
        net_address_text(&at, ip);
        len = snprintf(out, KEY_MAX, "lmtp %.*s %s %u", SLICE_PRINTF(d->lmtp->name), ip, at.port);
    }
    return (struct slice){out, len < 0 ? 0 : (size_t)len < KEY_MAX ? (size_t)len : KEY_MAX - 1};
}

/* Ends with a NUL. */
static char *text_copy(struct slice text)
{
    char *bytes = memory_new(text.len + 1);

    memcpy(bytes, text.data, text.len);
    return bytes;
}

static struct slice own_copy(struct slice text)
{
    return (struct slice){text_copy(text), text.len};
}

static void set_manner(struct destination *d, const struct decision *decision)
{
    struct outbound *all = d->all;
    const struct relay *relay = decision->kind == DECIDE_RELAY ? decision->relay : NULL;
    struct slice hostname = all->role->settings->hostname;

    d->lmtp = decision->kind == DECIDE_LMTP ? decision->lmtp : NULL;
    if (d->lmtp != NULL && d->lmtp->kind == TARGET_PATH)
        d->path = text_copy(d->lmtp->name);
    d->manner =
        (struct trip_manner){.role = all->role,
                             .spool = all->spool,
                             .protocol = relay == NULL ? CLIENT_LMTP : CLIENT_SMTP,
                             .relay = relay,
                             .ehlo = relay != NULL && relay->helo.len > 0 ? relay->helo : hostname,
                             .retry = relay == NULL ? &retry_plan_default : &relay->retry,
                             .report = relay == NULL || relay->report,
                             .tag = relay == NULL ? SLICE("lmtp") : SLICE("smtp"),
                             .tls = all->tls};
}

static void on_wake(struct timer *t)
{
    make_ready(LIST_ENTRY(t, struct destination, wake));
}

static void on_known(struct lookup *l);

static void copy_address(struct destination *d, const struct address *to)
{
    d->to = *to;
    d->to.local = SLICE("");
    d->to.domain = own_copy(to->domain);
}

static struct destination *destination_of(struct outbound *all, const struct decision *decision)
{
    char text[KEY_MAX];
    struct slice key = key_of(decision, text);
    struct destination *d = map_get(&all->by_key, key);

    if (d != NULL)
        return d;
    d = MEMORY_NEW(struct destination);
    d->all = all;
    d->key = own_copy(key);
    copy_address(d, &decision->final);
    set_manner(d, decision);
    list_init(&d->ready);
    list_init(&d->trips);
    queue_lane_init(&d->lane, ++all->lanes);
    window_init(&d->window, WINDOW_MAX);
    timer_init(&d->wake, on_wake);
    arena_init(&d->arena);
    d->lookup.done = on_known;
    list_append(&all->all, &d->link);
    all->count++;
    (void)map_put(&all->by_key, d->key, d);
    return d;
}

static void destination_free(struct destination *d)
{
    struct outbound *all = d->all;

    LIST_EACH (node, &d->trips) {
        struct trip *t = LIST_ENTRY(node, struct trip, link);

        list_remove(node);
        all->trips--;
        trip_free(t);
    }
    queue_lane_done(all->queue, &d->lane);
    lookup_cancel(&d->lookup);
    timer_cancel(all->role->loop, &d->wake);
    list_remove(&d->ready);
    list_remove(&d->link);
    all->count--;
    (void)map_remove(&all->by_key, d->key);
    arena_done(&d->arena);
    memory_free((void *)(uintptr_t)d->key.data);
    memory_free((void *)(uintptr_t)d->to.domain.data);
    memory_free(d->path);
    memory_free(d);
}

void outbound_take(struct outbound *all, struct queue_message *m, unsigned rcpt,
                   const struct decision *decision)
{
    struct destination *d = destination_of(all, decision);

    queue_park(all->queue, m, rcpt, &d->lane);
    make_ready(d);
}

/* ---- the route ---- */

static enum route_outcome decide(struct destination *d)
{
    const struct relay *relay = d->manner.relay;
    const struct slice own_names[] = {d->all->role->settings->hostname, d->manner.ehlo};
    struct route_options options = {.own_names = own_names,
                                    .own_name_count = sizeof(own_names) / sizeof(*own_names),
                                    .own_ips = d->all->own_ips,
                                    .own_ip_count = d->all->own_ip_count,
                                    .family = FAMILY_BOTH,
                                    .port = SMTP_PORT,
                                    .chance = d->chance};

    if (relay == NULL)
        return route_targets(&d->facts, d->lmtp, 1, &options, &d->arena, &d->route);
    options.family = relay->family;
    options.loopback_allowed = relay->loopback;
    if (relay->host_count > 0)
        return route_targets(&d->facts, relay->hosts, relay->host_count, &options, &d->arena,
                             &d->route);
    return route_direct(&d->facts, &d->to, &options, &d->arena, &d->route);
}

/* What limits hold depends on where it leads. */
static void set_limits(struct destination *d)
{
    const struct settings *s = d->all->role->settings;
    struct slice mx = d->route.hop_count > 0 ? d->route.hops[0].host->name : SLICE("");
    const struct limit *l = limit_find(s->limits, s->limit_count, d->route.domain, mx);

    window_limit(&d->window, l == NULL || l->connections == 0 ? WINDOW_MAX : l->connections);
    d->pace.rate = l == NULL ? (struct rate){0} : l->rate;
}

static void decided(struct destination *d, enum route_outcome outcome)
{
    if (outcome == ROUTE_FOUND)
        set_limits(d);
    d->state = ROUTE_DECIDED;
    d->outcome = outcome;
    d->good_until_ms = now_ms(d->all) + ROUTE_GOOD_MS;
    make_ready(d);
}

static void cannot_ask(struct destination *d)
{
    d->route.refusal = REPLY(451, "4.4.3", "the resolver for DNS cannot be started");
    decided(d, ROUTE_TEMPORARY);
}

static struct resolver *resolver_of(struct outbound *all)
{
    if (all->resolver == NULL && all->role->doors->resolver_new != NULL)
        all->resolver =
            all->role->doors->resolver_new(all->role->doors, all->role->loop, all->role->settings);
    return all->resolver;
}

static void ask_or_decide(struct destination *d)
{
    enum route_outcome outcome = decide(d);

    if (outcome != ROUTE_UNKNOWN) {
        decided(d, outcome);
        return;
    }
    struct resolver *resolver = resolver_of(d->all);
    if (resolver == NULL) {
        cannot_ask(d);
        return;
    }
    d->state = ROUTE_ASKED;
    lookup_start(&d->lookup, resolver, &d->facts);
}

static void on_known(struct lookup *l)
{
    ask_or_decide(LIST_ENTRY(l, struct destination, lookup));
}

static void find_route(struct destination *d)
{
    arena_reset(&d->arena);
    facts_init(&d->facts, &d->arena);
    d->route = (struct route){0};
    d->chance = random_u64(d->all->role->doors->random);
    ask_or_decide(d);
}

/* ---- putting off ---- */

static void put_off_message(struct destination *d, struct queue_message *m, const struct verdict *v)
{
    struct parcel *p = parcel_new(d->all->parcels, m);

    for (unsigned i = 0; i < m->envelope.rcpt_count; i++) {
        if (!m->rcpts[i].due)
            continue;
        if (v->dsn.data[0] == '5')
            parcel_failed(p, i, d->manner.report, v);
        else
            parcel_deferred(p, i, d->manner.retry, d->manner.report, v);
    }
    parcel_drop(p);
}

static void put_off(struct destination *d, struct slice dsn, struct slice why)
{
    struct verdict v = {.tag = d->manner.tag, .relay = SLICE("none"), .dsn = dsn, .text = why};
    struct queue_message *m;

    for (unsigned i = 0; i < STEP_MAX; i++) {
        m = queue_claim_lane(d->all->queue, &d->lane, now_ms(d->all));
        if (m == NULL)
            return;
        put_off_message(d, m, &v);
    }
    make_ready(d);
}

static void put_off_unrouted(struct destination *d)
{
    const struct reply *r = &d->route.refusal;

    put_off(d, r->enhanced, r->text);
}

static void put_off_suspended(struct destination *d)
{
    char text[300];
    int len =
        snprintf(text, sizeof(text), "deliveries to it are paused: %.*s", (int)d->why_len, d->why);

    put_off(d, SLICE("4.4.1"), (struct slice){text, len < 0 ? 0 : (size_t)len});
}

/* ---- trips ---- */

/* False: it goes on by itself when it may. */
static bool may_go(struct destination *d)
{
    uint64_t wait_ms = pace_wait_ms(&d->pace, now_ms(d->all));

    if (wait_ms > 0)
        timer_set(d->all->role->loop, &d->wake, wait_ms);
    return wait_ms == 0;
}

/* Mail whose domain was paused while it stood in the lane leaves it, a part in each round. */
static struct parcel *next_parcel(struct destination *d)
{
    struct queue_message *m;

    if (queue_lane_is_empty(&d->lane) || !may_go(d))
        return NULL;
    for (unsigned i = 0; i < STEP_MAX; i++) {
        m = d->all->draining ? NULL : queue_claim_lane(d->all->queue, &d->lane, now_ms(d->all));
        if (m == NULL)
            return NULL;
        if (pauses_take(d->all->pauses, m)) {
            pace_went(&d->pace, now_ms(d->all));
            return parcel_new(d->all->parcels, m);
        }
        (void)queue_release(d->all->queue, m);
    }
    make_ready(d);
    return NULL;
}

static void keep_why(struct destination *d, struct slice why)
{
    struct slice kept = slice_head(why, sizeof(d->why));

    memcpy(d->why, kept.data, kept.len);
    d->why_len = kept.len;
}

static void trip_ended(struct destination *d, struct trip *t)
{
    list_remove(&t->link);
    d->all->trips--;
    window_closed(&d->window);
    trip_free(t);
    make_ready(d);
}

struct outbound_trip {
    struct trip trip;
    struct destination *destination;
    unsigned taken; /* messages, one after the other */
};

/* For a connection, of which there may be no more. */
static bool others_wait(const struct outbound *all)
{
    return all->trips >= TRIPS_MAX && !list_empty(&all->ready);
}

static void trip_is_free(struct destination *d, struct trip *t)
{
    struct outbound_trip *o = LIST_ENTRY(t, struct outbound_trip, trip);
    bool over = ++o->taken >= TURN_MAX && others_wait(d->all);
    struct parcel *p = over ? NULL : next_parcel(d);

    if (p != NULL)
        trip_take(t, p);
    else if (d->all->draining || others_wait(d->all))
        trip_leave(t);
}

static void on_news(struct trip *t, enum trip_news news, struct slice why)
{
    struct destination *d = LIST_ENTRY(t, struct outbound_trip, trip)->destination;

    switch (news) {
    case TRIP_WELL: window_succeeded(&d->window); break;
    case TRIP_BADLY:
        window_failed(&d->window, now_ms(d->all));
        keep_why(d, why);
        break;
    case TRIP_FREE: trip_is_free(d, t); break;
    case TRIP_UNUSED:
        if (d->all->draining)
            trip_leave(t);
        else
            make_ready(d);
        break;
    case TRIP_ENDED: trip_ended(d, t); break;
    }
}

static void copy_hops(const struct destination *d, struct trip *t)
{
    for (size_t i = 0; i < d->route.hop_count && t->hop_count < TRIP_HOPS_MAX; i++) {
        const struct route_hop *from = &d->route.hops[i];
        struct trip_hop *to = &t->hops[t->hop_count++];
        struct slice name = slice_head(from->host->name, UINT8_MAX);

        memcpy(to->name, name.data, name.len);
        to->name_len = (uint8_t)name.len;
        memcpy(to->address.ip, from->ip, sizeof(from->ip));
        to->address.port = from->port;
        to->path = from->path.len > 0 ? d->path : NULL;
    }
}

static void begin_trip(struct destination *d, struct parcel *p)
{
    struct outbound_trip *o = MEMORY_NEW(struct outbound_trip);

    o->destination = d;
    o->trip.manner = &d->manner;
    o->trip.on_news = on_news;
    route_turn(&d->route, random_u64(d->all->role->doors->random));
    copy_hops(d, &o->trip);
    list_append(&d->trips, &o->trip.link);
    d->all->trips++;
    window_opened(&d->window);
    trip_begin(&o->trip, p);
}

static struct trip *idle_trip(struct destination *d)
{
    LIST_EACH (node, &d->trips) {
        struct trip *t = LIST_ENTRY(node, struct trip, link);

        if (timer_is_set(&t->idle))
            return t;
    }
    return NULL;
}

/* ---- going on ---- */

/* True: it could do more, but for the limit of all connections. */
static bool send_some(struct destination *d)
{
    struct trip *idle;
    struct parcel *p;

    for (unsigned i = 0; i < STEP_MAX && !queue_lane_is_empty(&d->lane); i++) {
        idle = idle_trip(d);
        if (idle == NULL && !window_has_room(&d->window, now_ms(d->all)))
            return false;
        if (idle == NULL && d->all->trips >= TRIPS_MAX)
            return true;
        p = next_parcel(d);
        if (p == NULL)
            return false;
        if (idle != NULL)
            trip_take(idle, p);
        else
            begin_trip(d, p);
    }
    if (!queue_lane_is_empty(&d->lane))
        make_ready(d);
    return false;
}

static bool is_at_rest(const struct destination *d)
{
    return queue_lane_is_empty(&d->lane) && list_empty(&d->trips) && d->state != ROUTE_ASKED;
}

/* Who forgets it earlier lets the next message go too soon. */
static uint64_t kept_until_ms(const struct destination *d)
{
    uint64_t now = now_ms(d->all), paced = now + pace_wait_ms(&d->pace, now);
    uint64_t failed = window_kept_until_ms(&d->window);

    return failed > paced ? failed : paced;
}

/* Nothing is left to do: what failed lately is remembered, without its route. */
static void rest(struct destination *d)
{
    uint64_t now = now_ms(d->all), until = kept_until_ms(d);

    if (!is_at_rest(d))
        return;
    if (until <= now || d->all->count > REMEMBERED_MAX) {
        destination_free(d);
        return;
    }
    d->state = ROUTE_OLD;
    arena_done(&d->arena);
    timer_set(d->all->role->loop, &d->wake, until - now);
}

static void go_on(struct destination *d)
{
    unsigned before = d->all->trips;
    uint64_t until;

    if (queue_lane_is_empty(&d->lane) || d->state == ROUTE_ASKED)
        return;
    if (window_is_down(&d->window, now_ms(d->all), &until)) {
        put_off_suspended(d);
        return;
    }
    if (d->state == ROUTE_OLD || now_ms(d->all) >= d->good_until_ms) {
        find_route(d);
        return;
    }
    if (d->outcome != ROUTE_FOUND)
        put_off_unrouted(d);
    else if (send_some(d) && list_empty(&d->ready)) /* when a trip ends */
        list_append(d->all->trips > before ? &d->all->fed : &d->all->ready, &d->ready);
}

void outbound_pump(struct outbound *all)
{
    struct list now;

    list_init(&now);
    list_splice(&now, &all->ready);
    all->pumping = true;
    all->again = false;
    LIST_EACH (node, &now) {
        struct destination *d = LIST_ENTRY(node, struct destination, ready);

        list_remove(node);
        if (!all->draining)
            go_on(d);
        rest(d);
    }
    list_splice(&all->ready, &all->fed);
    all->pumping = false;
    if (all->again)
        loop_wake(all->role->loop);
}

void outbound_hope(struct outbound *all)
{
    LIST_EACH (node, &all->all) {
        struct destination *d = LIST_ENTRY(node, struct destination, link);

        window_hope(&d->window);
        d->good_until_ms = 0; /* a route that failed is asked for again */
    }
}

/* ---- for people ---- */

static struct slice hop_text(const struct route_hop *hop, struct arena *arena)
{
    struct net_address at = {.port = hop->port};
    char ip[64];

    if (hop->path.len > 0)
        return hop->path;
    memcpy(at.ip, hop->ip, sizeof(at.ip));
    net_address_text(&at, ip);
    return arena_printf(arena, "%.*s[%s]:%u", SLICE_PRINTF(hop->host->name), ip, hop->port);
}

static struct slice hosts_text(const struct destination *d, struct arena *arena)
{
    struct slice text = SLICE("");

    if (d->state != ROUTE_DECIDED || d->outcome != ROUTE_FOUND)
        return text;
    for (size_t i = 0; i < d->route.hop_count && i < TOLD_HOPS_MAX; i++)
        text = arena_printf(arena, "%.*s%s%.*s", SLICE_PRINTF(text), i > 0 ? ", " : "",
                            SLICE_PRINTF(hop_text(&d->route.hops[i], arena)));
    return text;
}

struct outbound_state outbound_tell(const struct outbound *all, const struct decision *decision,
                                    struct arena *arena)
{
    struct outbound_state state = {0};
    char text[KEY_MAX];
    const struct destination *d = map_get(&all->by_key, key_of(decision, text));
    uint64_t until_ms;

    if (d == NULL)
        return state;
    state.connections = d->window.open;
    state.hosts = hosts_text(d, arena);
    if (window_is_down(&d->window, now_ms(all), &until_ms)) {
        state.down_for_ms = until_ms - now_ms(all);
        state.why = (struct slice){d->why, d->why_len};
    }
    return state;
}

unsigned outbound_connections(const struct outbound *all)
{
    return all->trips;
}

void outbound_drain(struct outbound *all)
{
    all->draining = true;
    LIST_EACH (node, &all->all) {
        struct destination *d = LIST_ENTRY(node, struct destination, link);
        struct trip *idle;

        while ((idle = idle_trip(d)) != NULL)
            trip_leave(idle);
    }
}

bool outbound_is_idle(const struct outbound *all)
{
    return all->trips == 0;
}

/* ---- as a whole ---- */

static bool leads_to_us(const struct settings_listener *l)
{
    struct net_address at = {.port = l->port};

    memcpy(at.ip, l->ip, sizeof(at.ip));
    return l->kind == LISTENER_MX && l->port == SMTP_PORT && !l->any &&
           !net_address_is_loopback(&at);
}

/* Of `listen *:25` the addresses are not known: there only our name tells that it is us. */
static void find_own_ips(struct outbound *all)
{
    const struct settings *s = all->role->settings;

    all->own_ips = memory_new(s->listener_count * sizeof(*all->own_ips));
    for (size_t i = 0; i < s->listener_count; i++)
        if (leads_to_us(&s->listeners[i]))
            memcpy(all->own_ips[all->own_ip_count++].ip, s->listeners[i].ip, 16);
}

struct outbound *outbound_new(struct role *role, struct queue *queue, struct parcels *parcels,
                              struct pauses *pauses, struct disk_dir *spool)
{
    struct outbound *all = MEMORY_NEW(struct outbound);
    uint64_t seed[2] = {random_u64(role->doors->random), random_u64(role->doors->random)};

    all->role = role;
    all->queue = queue;
    all->parcels = parcels;
    all->pauses = pauses;
    all->spool = spool;
    all->tls = tls_context_client();
    find_own_ips(all);
    map_init(&all->by_key, seed);
    list_init(&all->all);
    list_init(&all->ready);
    list_init(&all->fed);
    return all;
}

void outbound_free(struct outbound *all)
{
    if (all == NULL)
        return;
    LIST_EACH (node, &all->all)
        destination_free(LIST_ENTRY(node, struct destination, link));
    resolver_free(all->resolver);
    tls_context_free(all->tls);
    map_done(&all->by_key);
    memory_free(all->own_ips);
    memory_free(all);
}
