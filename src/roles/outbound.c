/*
 * outbound.c - whose turn it is.
 *
 * A destination is something to do, or waits: for an answer of DNS, for its turn in its group, for
 * its time. A group has something to do when a member has mail and there may be room. `ready` and
 * `ready_groups` list those that have something to do, so that a round of the loop costs nothing
 * for all the others; a group that could go on but for the limit of all connections stays in it,
 * and each gets its turn.
 */
#include "roles/outbound.h"

#include "base/memory.h"
#include "roles/outbound_internal.h"

#include <string.h>

enum {
    TOLD_HOPS_MAX = 5, /* of a route, to people */
    SMTP_PORT = 25,
};

uint64_t outbound_now_ms(const struct outbound *all)
{
    return loop_now_ms(all->role->loop);
}

struct slice outbound_copy(struct slice text)
{
    char *bytes = memory_new(text.len + 1);

    memcpy(bytes, text.data, text.len);
    return (struct slice){bytes, text.len};
}

struct resolver *outbound_resolver(struct outbound *all)
{
    if (all->resolver == NULL && all->role->doors->resolver_new != NULL)
        all->resolver =
            all->role->doors->resolver_new(all->role->doors, all->role->loop, all->settings);
    return all->resolver;
}

static struct tls_context *new_tls(void (*certificates)(struct tls_context *context))
{
    struct tls_context *c = tls_context_client();

    if (c == NULL)
        return NULL;
    tls_context_trust_system(c);
    certificates(c);
    tls_context_remember(c);
    return c;
}

struct tls_context *outbound_tls(struct outbound *all, const struct relay *relay)
{
    if (relay == NULL || relay->tls != RELAY_TLS_VERIFIED)
        return all->tls;
    if (all->verified_tls == NULL)
        all->verified_tls = new_tls(tls_context_verify);
    return all->verified_tls;
}

/* ---- turns ---- */

void outbound_ready_later(struct outbound *all, struct destination *d)
{
    if (list_empty(&d->ready))
        list_append(&all->ready, &d->ready);
}

void outbound_ready(struct outbound *all, struct destination *d)
{
    outbound_ready_later(all, d);
    all->again = all->again || all->pumping;
}

void outbound_ready_group(struct outbound *all, struct mx_group *g)
{
    if (list_empty(&g->ready))
        list_append(&all->ready_groups, &g->ready);
    all->again = all->again || all->pumping_groups;
}

bool outbound_is_crowded(const struct outbound *all)
{
    return all->trips >= OUTBOUND_TRIPS_MAX && !list_empty(&all->ready_groups);
}

void outbound_take(struct outbound *all, struct queue_message *m, unsigned rcpt,
                   const struct decision *decision)
{
    struct destination *d = destination_of(all, decision, m->envelope.id);

    queue_park(all->queue, m, rcpt, &d->lane);
    outbound_ready(all, d);
}

static void pump_destinations(struct outbound *all)
{
    struct list now;

    list_init(&now);
    list_splice(&now, &all->ready);
    LIST_EACH (node, &now) {
        struct destination *d = LIST_ENTRY(node, struct destination, ready);

        list_remove(node);
        if (!all->draining)
            destination_go_on(d);
        destination_rest(d);
    }
}

static void pump_groups(struct outbound *all)
{
    struct list now;

    list_init(&now);
    list_splice(&now, &all->ready_groups);
    LIST_EACH (node, &now) {
        struct mx_group *g = LIST_ENTRY(node, struct mx_group, ready);
        unsigned before = all->trips;

        list_remove(node);
        if (!all->draining && mx_group_go_on(g) && list_empty(&g->ready)) /* when a trip ends */
            list_append(all->trips > before ? &all->fed : &all->ready_groups, &g->ready);
        mx_group_rest(g);
    }
    list_splice(&all->ready_groups, &all->fed);
}

/* Destinations first: they join groups, which can go on in the same round. */
void outbound_pump(struct outbound *all)
{
    all->again = false;
    all->pumping = true;
    pump_destinations(all);
    all->pumping_groups = true;
    pump_groups(all);
    all->pumping = all->pumping_groups = false;
    if (all->again)
        loop_wake(all->role->loop);
}

static void hope_once(struct destination *d, uint64_t since_ms)
{
    uint64_t now = outbound_now_ms(d->all);

    if (d->hoped_ms < since_ms) {
        d->good_until_ms = 0;
        d->hoped_ms = now;
    }
    if (d->group != NULL && d->group->hoped_ms < since_ms) {
        window_hope(&d->group->window);
        d->group->hoped_ms = now;
    }
}

enum outlook outbound_hope_for(struct outbound *all, const struct decision *decision, uint64_t id,
                               uint64_t since_ms)
{
    struct destination *d = destination_find(all, decision, id);
    uint64_t until_ms;

    if (d != NULL)
        hope_once(d, since_ms);
    if (d == NULL || d->group == NULL)
        return OUTLOOK_UNKNOWN;
    if (mx_group_is_down(d->group, &until_ms))
        return OUTLOOK_DOWN;
    return d->group->well_ms >= since_ms ? OUTLOOK_WELL : OUTLOOK_UNKNOWN;
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

    for (size_t i = 0; i < d->route.hop_count && i < TOLD_HOPS_MAX; i++)
        text = arena_printf(arena, "%.*s%s%.*s", SLICE_PRINTF(text), i > 0 ? ", " : "",
                            SLICE_PRINTF(hop_text(&d->route.hops[i], arena)));
    return text;
}

struct outbound_state outbound_tell(const struct outbound *all, const struct decision *decision,
                                    uint64_t id, struct arena *arena)
{
    struct outbound_state state = {0};
    const struct destination *d = destination_find(all, decision, id);
    uint64_t until_ms;

    if (d != NULL && d->state == ROUTE_DECIDED && d->outcome == ROUTE_FOUND)
        state.hosts = hosts_text(d, arena);
    if (d == NULL || d->group == NULL)
        return state;
    state.alternatives = d->group->manner.told;
    state.connections = d->group->window.open;
    if (mx_group_is_down(d->group, &until_ms)) {
        state.down_for_ms = until_ms - outbound_now_ms(all);
        state.why = mx_group_why(d->group);
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
    LIST_EACH (node, &all->groups)
        mx_group_drain(LIST_ENTRY(node, struct mx_group, link));
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
    const struct settings *s = all->settings;

    all->own_ips = memory_new(s->listener_count * sizeof(*all->own_ips));
    for (size_t i = 0; i < s->listener_count; i++)
        if (leads_to_us(&s->listeners[i]))
            memcpy(all->own_ips[all->own_ip_count++].ip, s->listeners[i].ip, 16);
}

static bool have_same_resolver(const struct settings *a, const struct settings *b)
{
    return a->dns_source == b->dns_source && slice_equal(a->dns_forwarder, b->dns_forwarder);
}

/* Nobody's look-up is under way: one whose resolver goes would never end. */
static void change_settings(struct outbound *all)
{
    const struct settings *old = all->settings;

    all->settings = settings_hold(all->role->settings);
    if (!have_same_resolver(old, all->settings)) {
        resolver_free(all->resolver);
        all->resolver = NULL;
    }
    settings_free(old);
    memory_free(all->own_ips);
    all->own_ip_count = 0;
    find_own_ips(all);
}

/* Groups with connections outlive their members. */
void outbound_reload(struct outbound *all)
{
    LIST_EACH (node, &all->all)
        destination_free(LIST_ENTRY(node, struct destination, link));
    LIST_EACH (node, &all->groups)
        mx_group_retire(LIST_ENTRY(node, struct mx_group, link));
    change_settings(all);
}

struct outbound *outbound_new(struct role *role, struct queue *queue, struct parcels *parcels,
                              struct pauses *pauses, struct bearers *bearers,
                              struct disk_dir *spool)
{
    struct outbound *all = MEMORY_NEW(struct outbound);
    uint64_t seed[2] = {random_u64(role->doors->random), random_u64(role->doors->random)};

    all->role = role;
    all->settings = settings_hold(role->settings);
    all->queue = queue;
    all->parcels = parcels;
    all->pauses = pauses;
    all->bearers = bearers;
    all->spool = spool;
    all->tls = new_tls(tls_context_look);
    find_own_ips(all);
    map_init(&all->by_key, seed);
    map_init(&all->groups_by_key, seed);
    list_init(&all->all);
    list_init(&all->ready);
    list_init(&all->unasked);
    list_init(&all->groups);
    list_init(&all->ready_groups);
    list_init(&all->fed);
    return all;
}

void outbound_free(struct outbound *all)
{
    if (all == NULL)
        return;
    LIST_EACH (node, &all->all)
        destination_free(LIST_ENTRY(node, struct destination, link));
    LIST_EACH (node, &all->groups)
        mx_group_free(LIST_ENTRY(node, struct mx_group, link));
    resolver_free(all->resolver);
    tls_context_free(all->tls);
    tls_context_free(all->verified_tls);
    map_done(&all->by_key);
    map_done(&all->groups_by_key);
    settings_free(all->settings);
    memory_free(all->own_ips);
    memory_free(all);
}
