/*
 * probe_route.c - where a server that is looked at is found.
 *
 * The same route as that of mail, with two differences: whoever probes is not the one who delivers,
 * so no name is its own; and a server at a loopback address is called and told, not passed over.
 */
#include "cmd/probe.h"

#include "base/random.h"
#include "dns/lookup.h"

struct finding {
    struct probe *probe;
    struct loop *loop;
    struct facts facts;
    struct lookup lookup;
    struct route_options options;
};

static void find(struct finding *f)
{
    struct probe *p = f->probe;
    const struct probe_request *r = &p->request;

    if (r->kind == PROBE_DOMAIN)
        p->found = route_direct(&f->facts, &r->domain, &f->options, &p->arena, &p->route);
    else
        p->found = route_targets(&f->facts, &r->host, 1, &f->options, &p->arena, &p->route);
}

static void on_lookup(struct lookup *l)
{
    loop_stop(LIST_ENTRY(l, struct finding, lookup)->loop);
}

/* A relay's words would be those of an administrator's file. */
static void rename_refusal(struct probe *p)
{
    if (p->found != ROUTE_TEMPORARY || !slice_equal(p->route.refusal.enhanced, SLICE("4.4.4")))
        return;
    p->found = ROUTE_PERMANENT;
    p->route.refusal =
        (struct reply){550, SLICE("5.1.2"),
                       arena_printf(&p->arena, "Host %.*s does not exist, or has no address",
                                    SLICE_PRINTF(p->request.host.name))};
}

bool probe_find_route(struct probe *p, struct loop *loop)
{
    struct finding f = {
        .probe = p,
        .loop = loop,
        .lookup = {.done = on_lookup                  },
        .options = { .loopback_allowed = true,
                   .port = p->request.port,
                   .chance = random_u64(random_real())}
    };
    struct resolver *resolver = NULL;

    facts_init(&f.facts, &p->arena);
    for (find(&f); p->found == ROUTE_UNKNOWN; find(&f)) {
        if (resolver == NULL)
            resolver = resolver_new(loop, &p->request.resolver);
        if (resolver == NULL)
            return false;
        lookup_start(&f.lookup, resolver, &f.facts);
        if (loop_run(loop) < 0)
            break;
    }
    lookup_cancel(&f.lookup);
    resolver_free(resolver);
    rename_refusal(p);
    return p->found != ROUTE_UNKNOWN;
}
