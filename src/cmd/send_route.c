/*
 * send_route.c - where the mail of `postroad send` goes.
 *
 * The same routes as those of mail that is relayed, with two differences: a command is nobody's
 * mail server, so no name is its own and nothing comes back to it from a loopback address.
 */
#include "cmd/send_route.h"

#include "base/random.h"
#include "dns/lookup.h"

struct finding {
    struct send_request *request;
    struct send_destination *destination;
    struct loop *loop;
    struct facts facts;
    struct lookup lookup;
    struct route_options options;
};

static bool share_servers(const struct address *a, const struct address *b)
{
    return a->kind == b->kind && slice_equal_nocase(a->domain, b->domain);
}

static struct send_destination *destination_of(struct send_request *r, struct send_destination *all,
                                               unsigned *count, const struct address *rcpt)
{
    for (unsigned i = 0; i < *count; i++)
        if (share_servers(&all[i].rcpts[0], rcpt))
            return &all[i];
    all[*count].name = rcpt->domain;
    all[*count].rcpts = ARENA_ARRAY(&r->arena, struct address, r->rcpt_count);
    return &all[(*count)++];
}

unsigned send_destinations_make(struct send_request *r, struct send_destination **out)
{
    struct send_destination *all =
        ARENA_ARRAY(&r->arena, struct send_destination, r->by_mx ? r->rcpt_count : 1);
    unsigned count = 0;

    *out = all;
    if (!r->by_mx) {
        all[0].name = r->server_text;
        all[0].rcpts = r->rcpts;
        all[0].rcpt_count = r->rcpt_count;
        return 1;
    }
    for (unsigned i = 0; i < r->rcpt_count; i++) {
        struct send_destination *d = destination_of(r, all, &count, &r->rcpts[i]);

        d->rcpts[d->rcpt_count++] = r->rcpts[i];
    }
    return count;
}

static void find(struct finding *f)
{
    struct send_request *r = f->request;
    struct send_destination *d = f->destination;

    if (r->by_mx)
        d->found = route_direct(&f->facts, &d->rcpts[0], &f->options, &r->arena, &d->route);
    else
        d->found = route_targets(&f->facts, &r->server, 1, &f->options, &r->arena, &d->route);
}

static void on_lookup(struct lookup *l)
{
    loop_stop(LIST_ENTRY(l, struct finding, lookup)->loop);
}

bool send_route_find(struct send_request *r, struct loop *loop, struct resolver **resolver,
                     struct send_destination *d)
{
    struct finding f = {
        .request = r,
        .destination = d,
        .loop = loop,
        .lookup = {.done = on_lookup                   },
        .options = { .loopback_allowed = true, .port = r->port, .chance = random_u64(random_real())},
    };

    facts_init(&f.facts, &r->arena);
    for (find(&f); d->found == ROUTE_UNKNOWN; find(&f)) {
        if (*resolver == NULL)
            *resolver = resolver_new(loop, &r->resolver);
        if (*resolver == NULL)
            return false;
        lookup_start(&f.lookup, *resolver, &f.facts);
        if (loop_run(loop) < 0)
            break;
    }
    lookup_cancel(&f.lookup);
    return d->found != ROUTE_UNKNOWN;
}
