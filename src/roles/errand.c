/*
 * errand.c - look up, then ask.
 *
 * The host may be in our own network, since it is our own settings that name it.
 */
#include "roles/errand.h"

#include "wire/url.h"

#include <string.h>

static void conclude(struct errand *e, const struct fetch_answer *answer)
{
    e->answer = answer;
    e->done(e);
}

static void on_fault(struct timer *t)
{
    struct errand *e = LIST_ENTRY(t, struct errand, at_once);
    struct fetch_answer failed = {.outcome = FETCH_FAILED, .why = e->fault};

    conclude(e, &failed);
}

/* Not from inside of the start. */
static void fail(struct errand *e, struct slice why)
{
    e->fault = why;
    timer_set(e->loop, &e->at_once, 0);
}

static void on_fetched(struct fetch_request *r)
{
    conclude(LIST_ENTRY(r, struct errand, request), r->answer);
}

static void fetch(struct errand *e, const struct url *url, const struct route *route)
{
    size_t count = 0;

    for (size_t i = 0; i < route->hop_count && count < FETCH_ADDRESSES_MAX; i++)
        memcpy(e->addresses[count++].ip, route->hops[i].ip, sizeof(e->addresses[0].ip));
    e->request = (struct fetch_request){.done = on_fetched,
                                        .host = url->host,
                                        .port = url->port,
                                        .path = url->path.len > 0 ? url->path : SLICE("/"),
                                        .addresses = e->addresses,
                                        .address_count = count,
                                        .private_allowed = true,
                                        .authorities = e->authorities,
                                        .headers = e->headers,
                                        .header_count = e->header_count,
                                        .body = e->body};
    fetch_start(e->fetcher, &e->request);
}

static void look_up_or_fetch(struct errand *e)
{
    struct route_options options = {.family = FAMILY_BOTH, .chance = e->chance};
    struct route_target target;
    struct route route;
    struct url url;

    if (!url_parse_https(e->url, &url) ||
        !route_target_parse(url.host, url.port, &e->arena, &target)) {
        fail(e, SLICE("its URL is none"));
        return;
    }
    switch (route_targets(&e->facts, &target, 1, &options, &e->arena, &route)) {
    case ROUTE_FOUND: fetch(e, &url, &route); break;
    case ROUTE_UNKNOWN:
        if (e->resolver != NULL)
            lookup_start(&e->lookup, e->resolver, &e->facts);
        else
            fail(e, SLICE("the resolver for DNS cannot be started"));
        break;
    case ROUTE_TEMPORARY:
    case ROUTE_PERMANENT: fail(e, route.refusal.text); break;
    }
}

static void on_known(struct lookup *l)
{
    look_up_or_fetch(LIST_ENTRY(l, struct errand, lookup));
}

void errand_start(struct errand *e)
{
    arena_reset(&e->arena);
    facts_init(&e->facts, &e->arena);
    e->lookup = (struct lookup){.done = on_known};
    timer_init(&e->at_once, on_fault);
    look_up_or_fetch(e);
}

void errand_halt(struct errand *e)
{
    e->halted = e->lookup.running > 0;
    lookup_cancel(&e->lookup);
}

void errand_go_on(struct errand *e, struct resolver *resolver)
{
    if (!e->halted)
        return;
    e->halted = false;
    e->resolver = resolver;
    errand_start(e);
}

void errand_cancel(struct errand *e)
{
    if (e->loop == NULL)
        return;
    timer_cancel(e->loop, &e->at_once);
    lookup_cancel(&e->lookup);
    fetch_cancel(e->fetcher, &e->request);
    arena_done(&e->arena);
}
