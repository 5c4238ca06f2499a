/*
 * send.c - compose and send one mail, or send a file.
 *
 * Understand the command line (send_request), make the message (send_content), find out where it
 * goes (send_route), talk to the servers one after the other (send_dialog) and tell what came of it
 * (send_report). Whatever is wrong with the first two is told before anybody is called.
 *
 * A destination's servers are tried in their order until one takes over: one that cannot be reached
 * or does not want to talk is passed over, RFC 5321 5.1. Everything that was said of the mail
 * itself is final, also a "later": the person decides whether to try again. So is silence behind
 * the end of the message, since the server may have taken it.
 */
#include "cmd/commands.h"
#include "cmd/send_dialog.h"
#include "cmd/send_report.h"
#include "cmd/send_route.h"
#include "cmd/send_wishes.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { HOPS_MAX = 8 };

struct send {
    struct send_request request;
    struct send_content content;
    struct net *net;
    struct loop *loop;
    struct tls_context *tls;
    struct resolver *resolver;
    struct send_dialog dialog;
};

/* A refusal outweighs a "later", since repeating the command will not help. */
static int worse(int status, int got)
{
    return got == 0 || (status != 0 && status != EX_TEMPFAIL) ? status : got;
}

/* "mx1.example.org[192.0.2.1]:25"; a server that was named by its address as it was named. */
static struct slice hop_text(struct send_request *r, const struct route_hop *hop)
{
    struct net_address ip = {0};
    char text[64];
    size_t len;

    if (!r->by_mx && r->server.kind == TARGET_IP)
        return r->server_text;
    for (size_t i = 0; i < sizeof(ip.ip); i++)
        ip.ip[i] = hop->ip[i];
    len = net_address_text(&ip, text);
    return arena_printf(&r->arena, "%.*s[%.*s]:%u", SLICE_PRINTF(hop->host->name), (int)len, text,
                        hop->port);
}

/* Whom the server is taken for. */
static struct slice tls_name_of(const struct send_request *r, const struct send_destination *d,
                                const struct route_hop *hop)
{
    return r->by_mx && d->rcpts[0].kind == ADDRESS_LITERAL ? SLICE("") : hop->host->name;
}

/* Is it the server that did not want to talk, whatever mail there is? */
static bool is_about_server(const struct client_outcome *o)
{
    if (o->verdict != CLIENT_REFUSED && o->verdict != CLIENT_TRY_AGAIN)
        return false;
    if (o->step <= STEP_AUTH)
        return !client_is_no_user(o); /* no word was said of mail */
    return o->step != STEP_DOT &&
           (o->code == 421 || (o->code == 0 && o->verdict == CLIENT_TRY_AGAIN));
}

/* Tells what is final and keeps the recipients that are to be tried again: at the next server, or
 * at the same one, which takes only so many at a time. */
static int settle(struct send *s, struct send_destination *d, struct slice server, bool is_last)
{
    const struct client *client = s->dialog.remote.client;
    struct arena *arena = &s->request.arena;
    struct address *rcpts = ARENA_ARRAY(arena, struct address, d->rcpt_count);
    struct client_outcome *outcomes = ARENA_ARRAY(arena, struct client_outcome, d->rcpt_count);
    struct send_result told = {
        .rcpts = rcpts, .outcomes = outcomes, .final = client_final(client), .server = server};
    unsigned kept = 0;

    for (unsigned i = 0; i < d->rcpt_count; i++) {
        const struct client_outcome *o = client_outcome(client, i);

        if (o->verdict == CLIENT_LEFT_OUT || (is_about_server(o) && !is_last)) {
            d->rcpts[kept++] = d->rcpts[i];
        } else {
            rcpts[told.count] = d->rcpts[i];
            outcomes[told.count++] = *o;
        }
    }
    if (d->rcpt_count == 0)
        d->over = is_last || !is_about_server(told.final);
    else
        d->over = kept == 0;
    d->rcpt_count = kept;
    if (told.count == 0 && !d->over)
        return 0;
    told.without_dsn = s->request.mail_params.len + s->request.rcpt_params.len > 0 &&
                       !ehlo_offers(client_offers(client), EHLO_DSN);
    return send_report(&s->request, &told);
}

static void dial(struct send *s, const struct send_call *call, struct slice server)
{
    if (s->request.options.verbose && s->request.server.kind != TARGET_IP)
        fprintf(stderr, "-- %.*s\n", SLICE_PRINTF(server));
    send_dialog_run(&s->dialog, s->loop, &s->request, &s->content, call);
}

static bool do_without_tls(struct send *s, struct send_call *call, struct slice server)
{
    if (call->how != SEND_TLS_OPTIONAL || !send_dialog_failed_at_tls(&s->dialog))
        return false;
    send_report_no_tls(server, remote_tls_problem(&s->dialog.remote));
    call->how = SEND_TLS_OFF;
    return true;
}

static int conclude(struct send *s, struct send_destination *d, const struct send_call *call,
                    struct slice server, bool is_last)
{
    int error = s->dialog.connect_error;

    if (error == 0)
        return settle(s, d, server, is_last);
    d->over = is_last;
    return send_report_no_connection(&s->request, call, server, error, is_last);
}

static int call_hop(struct send *s, struct send_destination *d, const struct route_hop *hop,
                    bool is_last)
{
    struct send_request *r = &s->request;
    struct slice server = hop_text(r, hop);
    struct send_call call = {hop, tls_name_of(r, d, hop), r->tls, s->tls, d->rcpts, d->rcpt_count};
    int status = 0;
    bool again;

    do {
        call.rcpt_count = d->rcpt_count;
        dial(s, &call, server);
        again = do_without_tls(s, &call, server);
        if (!again) {
            status = worse(status, conclude(s, d, &call, server, is_last));
            /* Some were left out: it takes only so many at a time. */
            again = !d->over && d->rcpt_count > 0 && d->rcpt_count < call.rcpt_count;
        }
        send_dialog_done(&s->dialog);
    } while (again);
    return status;
}

static int send_to(struct send *s, struct send_destination *d)
{
    size_t hops;
    int status = 0;

    if (!send_route_find(&s->request, s->loop, &s->resolver, d))
        return EX_OSERR;
    if (d->found != ROUTE_FOUND)
        return send_report_no_route(&s->request, d);
    status = send_wishes_check(&s->request, d);
    if (status != 0)
        return status;
    hops = d->route.hop_count < HOPS_MAX ? d->route.hop_count : HOPS_MAX;
    for (size_t i = 0; i < hops && !d->over; i++)
        status = worse(status, call_hop(s, d, &d->route.hops[i], i + 1 == hops));
    return status;
}

static int send_mail(struct send *s)
{
    struct send_destination *destinations;
    unsigned count;
    int status = send_content_make(&s->content, &s->request);

    if (status != 0)
        return status;
    s->net = net_real_new();
    if (s->net == NULL)
        return EX_OSERR;
    s->loop = loop_new(s->net, clock_real());
    s->tls = tls_context_client();
    if (s->tls == NULL)
        return EX_SOFTWARE;
    if (s->request.tls == SEND_TLS_VERIFIED) {
        if (buf_len(&s->request.login.authorities) > 0)
            tls_context_trust(s->tls, buf_slice(&s->request.login.authorities));
        else
            tls_context_trust_system(s->tls);
        tls_context_verify(s->tls);
    }
    count = send_destinations_make(&s->request, &destinations);
    for (unsigned i = 0; i < count; i++)
        status = worse(status, send_to(s, &destinations[i]));
    return status;
}

static void hang_up(struct send *s)
{
    send_dialog_done(&s->dialog);
    resolver_free(s->resolver);
    tls_context_free(s->tls);
    if (s->loop != NULL)
        loop_free(s->loop);
    if (s->net != NULL)
        s->net->ops->free(s->net);
}

int cmd_send(int argc, char **argv)
{
    struct send *s = MEMORY_NEW(struct send);
    int status;

    send_content_init(&s->content);
    if (send_request_parse(&s->request, argc, argv, &status))
        status = send_mail(s);
    hang_up(s);
    send_content_done(&s->content);
    send_request_done(&s->request);
    memory_free(s);
    return status;
}
