/*
 * destination.c - mail for one domain, and where it leads.
 *
 * A dead destination's mail does not wait in its lane: it is put off in small steps, each message
 * with its own next time, so that the lane is never longer than what can be tried soon.
 */
#include "roles/destination.h"

#include "base/memory.h"
#include "roles/outbound_internal.h"

#include <stdio.h>
#include <string.h>

enum {
    ROUTE_GOOD_MS = 60 * 1000, /* then DNS is asked again, whose cache knows the TTL */
    KEY_MAX = 600,
    SMTP_PORT = 25,
};

static uint64_t now_ms(const struct destination *d)
{
    return outbound_now_ms(d->all);
}

/* ---- as a whole ---- */

static const struct relay *relay_of(const struct decision *d)
{
    return d->kind == DECIDE_RELAY ? d->relay : NULL;
}

static unsigned slot_of(const struct decision *d, uint64_t id)
{
    const struct relay *relay = relay_of(d);

    return relay == NULL ? 0 : relay_slot(relay, id);
}

static struct slice key_of(const struct decision *d, uint64_t id, char out[KEY_MAX])
{
    char ip[64];
    int len;

    if (d->kind == DECIDE_RELAY) {
        struct slice domain = d->relay->host_count > 0 ? SLICE("") : d->final.domain;

        len = snprintf(out, KEY_MAX, "relay %.*s %u %.*s", SLICE_PRINTF(d->relay->name),
                       slot_of(d, id), SLICE_PRINTF(domain));
    } else {
        struct net_address at = {.port = d->lmtp->port};

        memcpy(at.ip, d->lmtp->ip, sizeof(at.ip));
        net_address_text(&at, ip);
        len = snprintf(out, KEY_MAX, "lmtp %.*s %s %u", SLICE_PRINTF(d->lmtp->name), ip, at.port);
    }
    return (struct slice){out, len < 0 ? 0 : (size_t)len < KEY_MAX ? (size_t)len : KEY_MAX - 1};
}

struct trip_manner destination_manner(struct outbound *all, const struct decision *decision,
                                      uint64_t id)
{
    const struct relay *relay = relay_of(decision);
    struct slice hostname = all->settings->hostname;

    return (struct trip_manner){.role = all->role,
                                .hostname = hostname,
                                .spool = all->spool,
                                .bearers = all->bearers,
                                .protocol = relay == NULL ? CLIENT_LMTP : CLIENT_SMTP,
                                .relay = relay,
                                .slot = slot_of(decision, id),
                                .ehlo =
                                    relay != NULL && relay->helo.len > 0 ? relay->helo : hostname,
                                .retry = relay == NULL ? &retry_plan_default : &relay->retry,
                                .report = relay == NULL || relay->report,
                                .tag = relay == NULL ? SLICE("lmtp") : SLICE("smtp"),
                                .tls = outbound_tls(all, relay)};
}

static void on_wake(struct timer *t)
{
    struct destination *d = LIST_ENTRY(t, struct destination, wake);

    outbound_ready(d->all, d);
}

static void on_known(struct lookup *l);

struct destination *destination_find(const struct outbound *all, const struct decision *decision,
                                     uint64_t id)
{
    char text[KEY_MAX];

    return map_get(&all->by_key, key_of(decision, id, text));
}

struct destination *destination_of(struct outbound *all, const struct decision *decision,
                                   uint64_t id)
{
    struct destination *d = destination_find(all, decision, id);
    char text[KEY_MAX];

    if (d != NULL)
        return d;
    d = MEMORY_NEW(struct destination);
    d->all = all;
    d->key = outbound_copy(key_of(decision, id, text));
    d->to = decision->final;
    d->to.local = SLICE("");
    d->to.domain = outbound_copy(decision->final.domain);
    d->manner = destination_manner(all, decision, id);
    d->lmtp = decision->kind == DECIDE_LMTP ? decision->lmtp : NULL;
    list_init(&d->ready);
    list_init(&d->member);
    list_init(&d->waiting);
    list_init(&d->unasked);
    queue_lane_init(&d->lane, ++all->lanes);
    timer_init(&d->wake, on_wake);
    arena_init(&d->arena);
    d->lookup.done = on_known;
    list_append(&all->all, &d->link);
    all->count++;
    (void)map_put(&all->by_key, d->key, d);
    return d;
}

void destination_free(struct destination *d)
{
    struct outbound *all = d->all;

    mx_group_leave(d);
    queue_lane_done(all->queue, &d->lane);
    lookup_cancel(&d->lookup);
    list_remove(&d->unasked);
    all->asking -= d->asking;
    timer_cancel(all->role->loop, &d->wake);
    list_remove(&d->ready);
    list_remove(&d->link);
    all->count--;
    (void)map_remove(&all->by_key, d->key);
    arena_done(&d->arena);
    memory_free((void *)(uintptr_t)d->key.data);
    memory_free((void *)(uintptr_t)d->to.domain.data);
    memory_free(d);
}

/* ---- the route ---- */

enum route_outcome destination_route(const struct outbound *all, const struct trip_manner *manner,
                                     const struct route_target *lmtp, const struct address *to,
                                     uint64_t chance, struct facts *facts, struct arena *arena,
                                     struct route *out)
{
    const struct relay *relay = manner->relay;
    const struct slice own_names[] = {all->settings->hostname, manner->ehlo};
    struct route_options options = {.own_names = own_names,
                                    .own_name_count = sizeof(own_names) / sizeof(*own_names),
                                    .own_ips = all->own_ips,
                                    .own_ip_count = all->own_ip_count,
                                    .family = FAMILY_BOTH,
                                    .port = SMTP_PORT,
                                    .chance = chance};

    if (relay == NULL)
        return route_targets(facts, lmtp, 1, &options, arena, out);
    options.family = relay->family;
    options.loopback_allowed = relay->loopback;
    if (relay->host_count > 0)
        return route_targets(facts, relay->hosts, relay->host_count, &options, arena, out);
    return route_direct(facts, to, &options, arena, out);
}

static void decided(struct destination *d, enum route_outcome outcome)
{
    d->state = ROUTE_DECIDED;
    d->outcome = outcome;
    d->good_until_ms = now_ms(d) + ROUTE_GOOD_MS;
    if (outcome == ROUTE_FOUND)
        mx_group_join(d);
    else
        mx_group_leave(d);
    outbound_ready(d->all, d);
}

static void cannot_ask(struct destination *d)
{
    d->route.refusal = REPLY(451, "4.4.3", "the resolver for DNS cannot be started");
    decided(d, ROUTE_TEMPORARY);
}

static void ask(struct destination *d)
{
    struct outbound *all = d->all;
    struct resolver *resolver = outbound_resolver(all);

    if (resolver == NULL) {
        cannot_ask(d);
        return;
    }
    d->state = ROUTE_ASKED;
    if (all->asking == OUTBOUND_ASKING_MAX) {
        list_append(&all->unasked, &d->unasked);
        return;
    }
    d->asking = true;
    all->asking++;
    lookup_start(&d->lookup, resolver, &d->facts);
}

static void decide_or_ask(struct destination *d)
{
    enum route_outcome outcome = destination_route(d->all, &d->manner, d->lmtp, &d->to, d->chance,
                                                   &d->facts, &d->arena, &d->route);

    if (outcome == ROUTE_UNKNOWN)
        ask(d);
    else
        decided(d, outcome);
}

static void ask_next(struct outbound *all)
{
    struct destination *next;

    if (list_empty(&all->unasked) || all->asking == OUTBOUND_ASKING_MAX)
        return;
    next = LIST_ENTRY(all->unasked.next, struct destination, unasked);
    list_remove(&next->unasked);
    ask(next);
}

static void on_known(struct lookup *l)
{
    struct destination *d = LIST_ENTRY(l, struct destination, lookup);
    struct outbound *all = d->all;

    d->asking = false;
    all->asking--;
    decide_or_ask(d);
    ask_next(all);
}

static void find_route(struct destination *d)
{
    list_remove(&d->waiting);
    arena_reset(&d->arena);
    facts_init(&d->facts, &d->arena);
    d->route = (struct route){0};
    d->chance = random_u64(d->all->role->doors->random);
    decide_or_ask(d);
}

bool destination_is_proved(const struct destination *d)
{
    const struct relay *relay = d->manner.relay;

    return relay == NULL || relay->host_count > 0 || d->route.mx_secure;
}

bool destination_is_routed(const struct destination *d)
{
    return d->state == ROUTE_DECIDED && d->outcome == ROUTE_FOUND && now_ms(d) < d->good_until_ms;
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

static void put_off(struct destination *d, const struct verdict *v)
{
    struct queue_message *m;

    for (unsigned i = 0; i < OUTBOUND_STEP_MAX; i++) {
        m = queue_claim_lane(d->all->queue, &d->lane, now_ms(d));
        if (m == NULL)
            return;
        put_off_message(d, m, v);
    }
    outbound_ready(d->all, d);
}

static void put_off_unrouted(struct destination *d)
{
    const struct reply *r = &d->route.refusal;
    char bytes[MX_GROUP_TOLD_MAX];
    struct verdict v = {.tag = d->manner.tag,
                        .relay = SLICE("none"),
                        .dsn = r->enhanced,
                        .text = r->text,
                        .route = route_alternatives(&d->route, bytes, sizeof(bytes))};

    put_off(d, &v);
}

static void put_off_suspended(struct destination *d)
{
    char text[300];
    struct slice why = mx_group_why(d->group);
    int len = snprintf(text, sizeof(text), "deliveries to it are paused: %.*s", SLICE_PRINTF(why));
    struct verdict v = {
        .tag = d->manner.tag,
        .relay = SLICE("none"),
        .dsn = SLICE("4.4.1"),
        .text = {text, len < 0 ? 0 : (size_t)len},
        .route = d->group->manner.told
    };

    put_off(d, &v);
}

/* ---- going on ---- */

static bool is_down(const struct destination *d)
{
    uint64_t until;

    return d->group != NULL && mx_group_is_down(d->group, &until);
}

void destination_go_on(struct destination *d)
{
    if (queue_lane_is_empty(&d->lane) || d->state == ROUTE_ASKED)
        return;
    if (is_down(d))
        put_off_suspended(d);
    else if (d->state == ROUTE_OLD || now_ms(d) >= d->good_until_ms)
        find_route(d);
    else if (d->outcome == ROUTE_FOUND)
        mx_group_wait(d);
    else
        put_off_unrouted(d);
}

static void forget_route(struct destination *d)
{
    d->state = ROUTE_OLD;
    d->route = (struct route){0};
    arena_done(&d->arena);
}

/* A route is worth keeping while there are connections to use it; what failed lately is remembered
 * without its route. */
void destination_rest(struct destination *d)
{
    uint64_t now = now_ms(d), until = 0;

    if (!queue_lane_is_empty(&d->lane) || d->state == ROUTE_ASKED)
        return;
    if (d->group != NULL && d->all->count <= OUTBOUND_REMEMBERED_MAX) {
        until = mx_group_kept_until_ms(d->group);
        if (!list_empty(&d->group->trips) && d->good_until_ms > until)
            until = d->good_until_ms;
    }
    if (until <= now) {
        destination_free(d);
        return;
    }
    if (list_empty(&d->group->trips))
        forget_route(d);
    timer_set(d->all->role->loop, &d->wake, until - now);
}
