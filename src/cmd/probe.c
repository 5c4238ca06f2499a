/*
 * probe.c - verify any mail server.
 *
 * Some steps: find where (probe_route), talk to the servers in the order in which mail would go to
 * them until one speaks (probe_session), try to fool it if that is wanted (probe_intrusive), tell
 * it all (probe_report, probe_json). One thing after the other: the loop runs for each step and
 * stops.
 */
#include "cmd/probe.h"
#include "cmd/commands.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { US_PER_S = 1000000 };

const struct probe_session *probe_asker(const struct probe *p)
{
    return p->in_clear.loop != NULL ? &p->in_clear : &p->session;
}

struct slice probe_ip_text(const unsigned char ip[16], struct arena *arena)
{
    struct net_address a = {0};
    char text[64];

    for (size_t i = 0; i < sizeof(a.ip); i++)
        a.ip[i] = ip[i];
    return arena_copy(arena, (struct slice){text, net_address_text(&a, text)});
}

struct slice probe_hop_text(const struct route_hop *hop, struct arena *arena)
{
    struct slice ip = probe_ip_text(hop->ip, arena), name = hop->host->name;
    bool named = !slice_equal(name, ip);

    return arena_printf(arena, "%.*s%s%.*s port %u", named ? (int)name.len : 0, name.data,
                        named ? " " : "", SLICE_PRINTF(ip), hop->port);
}

/* Whom the server at that hop is taken for; an address has no name. */
static struct slice name_of(const struct probe *p, const struct route_hop *hop)
{
    bool by_address = p->request.kind == PROBE_HOST && p->request.host.kind != TARGET_NAME;

    return by_address ? SLICE("") : hop->host->name;
}

/* Of several that do not speak, the reason of one that could be reached tells more than that of one
 * that could not, and that more than "there is no IPv6 here". */
static int weight_of(const struct probe_session *s)
{
    switch (-s->connect_error) {
    case 0: return 2;
    case ENETUNREACH:
    case EAFNOSUPPORT:
    case EADDRNOTAVAIL: return 0;
    default: return 1;
    }
}

/* As a server that relays would: whoever's STARTTLS comes to nothing is called again in the clear.
 */
static void go_on_in_clear(struct probe *p, struct loop *loop, struct tls_context *tls)
{
    const struct route_hop *hop = p->chosen->hop;

    if (probe_tls_failed(&p->session))
        probe_session_run(&p->in_clear, loop, &p->request, PROBE_TLS_OFF, tls, hop,
                          name_of(p, hop));
}

static void try_tricks(struct probe *p, struct loop *loop, struct tls_context *tls)
{
    const struct route_hop *hop = p->chosen->hop;
    const struct probe_session *s = &p->session;
    uint64_t now_us = clock_wall_us(clock_real());
    struct probe_reach reach = {
        .request = &p->request,
        .wire = {.to = {.port = hop->port},
                 .tls = tls,
                 .tls_name = name_of(p, hop),
                 .implicit_tls = s->implicit,
                 .timeout_s = p->request.timeout_s,
                 .verbose = p->request.options.verbose},
        .starttls = s->secured && !s->implicit,
        .now_us = now_us,
        .utc_offset_min = clock_real()->utc_offset_min(clock_real(), now_us)
    };

    for (size_t i = 0; i < sizeof(hop->ip); i++)
        reach.wire.to.ip[i] = hop->ip[i];
    probe_smuggle(&p->smuggling, &reach, loop, &p->arena);
    if (reach.starttls)
        probe_downgrade(&p->downgrade, &reach, loop, &p->arena);
}

static bool try_hop(struct probe *p, const struct route_hop *hop, struct loop *loop,
                    struct tls_context *tls)
{
    struct probe_try *try = &p->tries[p->try_count++];

    try->hop = hop;
    probe_session_run(&p->session, loop, &p->request, p->request.tls, tls, hop, name_of(p, hop));
    try->speaks = probe_speaks(&p->session, &p->arena, &try->why);
    try->why = arena_copy(&p->arena, try->why); /* the session may go before it is told */
    return try->speaks;
}

static void try_hops(struct probe *p, struct loop *loop, struct tls_context *tls)
{
    int best = -1;

    for (size_t i = 0; i < p->route.hop_count && p->try_count < PROBE_TRIES_MAX; i++) {
        bool speaks = try_hop(p, &p->route.hops[i], loop, tls);
        int weight = weight_of(&p->session);

        if (speaks || weight > best)
            p->chosen = &p->tries[p->try_count - 1];
        best = weight > best ? weight : best;
        if (speaks) {
            p->speaks = PROBE_YES;
            go_on_in_clear(p, loop, tls);
            if (p->request.options.intrusive)
                try_tricks(p, loop, tls);
            break;
        }
        probe_session_done(&p->session);
    }
    p->why = p->chosen->why;
}

/* RFC 3463: 5.1.2 there is no such domain; anything else says that it takes no mail. */
static int status_of(const struct probe *p)
{
    switch (p->speaks) {
    case PROBE_YES: return EXIT_SUCCESS;
    case PROBE_UNKNOWN: return EX_TEMPFAIL;
    case PROBE_NO: break;
    }
    return p->chosen == NULL && slice_equal(p->route.refusal.enhanced, SLICE("5.1.2"))
               ? EX_NOHOST
               : EX_UNAVAILABLE;
}

static void tell(struct probe *p)
{
    struct buf out;

    buf_init(&out, PROBE_OUTPUT_MAX);
    if ((p->request.options.json ? probe_json : probe_report)(p, &out))
        fwrite(buf_slice(&out).data, 1, buf_len(&out), stdout);
    else
        fputs("postroad probe: too much was found to be told\n", stderr);
    buf_done(&out);
}

static int look(struct probe *p, struct loop *loop)
{
    struct tls_context *tls = NULL;

    if (!probe_find_route(p, loop))
        return EX_OSERR;
    if (p->found != ROUTE_FOUND) {
        p->speaks = p->found == ROUTE_TEMPORARY ? PROBE_UNKNOWN : PROBE_NO;
        p->why = p->route.refusal.text;
    } else {
        tls = tls_context_client();
        if (tls == NULL)
            return EX_SOFTWARE;
        tls_context_trust_system(tls);
        try_hops(p, loop, tls);
    }
    tell(p);
    probe_session_done(&p->session);
    probe_session_done(&p->in_clear);
    tls_context_free(tls);
    return status_of(p);
}

static int run(struct probe *p)
{
    struct net *net = net_real_new();
    struct loop *loop;
    int status;

    if (net == NULL)
        return EX_OSERR;
    loop = loop_new(net, clock_real());
    p->now_s = clock_wall_us(clock_real()) / US_PER_S;
    status = look(p, loop);
    loop_free(loop);
    net->ops->free(net);
    return status;
}

int cmd_probe(int argc, char **argv)
{
    struct probe *p = MEMORY_NEW(struct probe);
    int status;

    if (probe_request_parse(&p->request, argc, argv, &status))
        status = run(p);
    arena_done(&p->arena);
    probe_request_done(&p->request);
    memory_free(p);
    return status;
}
