/*
 * server_forwarded.c - XCLIENT: the client is another one; XFORWARD: another one wrote this
 * message.
 *
 * As Postfix has them. XCLIENT begins the session anew, with a greeting, under the TLS that there
 * is; name and protocol that it tells are those of a HELO that comes once more anyway. XFORWARD
 * changes nothing but a line of the log, until the next message is over.
 */
#include "smtp/server_internal.h"

#include "base/memory.h"

#include <assert.h>
#include <string.h>

void server_trust(struct server *s)
{
    s->trusted = true;
}

void server_xclient_begin(struct server *s, struct slice argument, struct buf *out)
{
    s->xclient = (struct forwarded){0};
    if (forwarded_read(argument, FORWARDED_BY_XCLIENT, &s->scratch, &s->xclient))
        server_ask(s, SERVER_WANTS_XCLIENT);
    else
        server_say_wrong(s, out, &REPLY(501, "5.5.4", "Syntax: XCLIENT attribute=value..."));
}

const struct forwarded *server_xclient(const struct server *s)
{
    return &s->xclient;
}

void server_client_is(struct server *s, struct slice client_address, struct slice user)
{
    assert(client_address.len <= SERVER_CLIENT_ADDRESS_MAX);
    memcpy(s->client_address, client_address.data, client_address.len);
    s->client_address_len = client_address.len;
    server_forget_greeting(s);
    if (user.len == 0)
        return;
    s->user = memory_new(user.len);
    memcpy(s->user, user.data, user.len);
    s->user_len = user.len;
    s->auth = (struct server_auth){.mechanism = SLICE("XCLIENT")};
}

void server_xclient_answered(struct server *s, struct buf *out)
{
    s->xclient = (struct forwarded){0};
    if (s->answer.code != 220) {
        server_say_excused(s, out, &s->answer);
        return;
    }
    server_count_accepted(s);
    server_greet(s, out);
}

/* A memory of its own each time, or a client could fill ours. */
static void keep_xforward(struct server *s, const struct forwarded *f)
{
    struct arena fresh = {0};
    struct forwarded *kept = ARENA_NEW(&fresh, struct forwarded);

    *kept = *f;
    kept->name = arena_copy(&fresh, f->name);
    kept->ident = arena_copy(&fresh, f->ident);
    server_forget_xforward(s);
    s->forward = fresh;
    s->xforward = kept;
}

void server_xforward_take(struct server *s, struct slice argument, struct buf *out)
{
    struct forwarded so_far = {0};

    if (s->phase == PHASE_GREETED) {
        server_say_wrong(s, out, &REPLY(503, "5.5.1", "Error: send EHLO/HELO first"));
        return;
    }
    if (s->xforward != NULL)
        so_far = *s->xforward;
    if (!forwarded_read(argument, FORWARDED_BY_XFORWARD, &s->scratch, &so_far)) {
        server_say_wrong(s, out, &REPLY(501, "5.5.4", "Syntax: XFORWARD attribute=value..."));
        return;
    }
    keep_xforward(s, &so_far);
    server_say(s, out, &REPLY(250, "2.0.0", "Ok"));
}

const struct forwarded *server_xforward(const struct server *s)
{
    return s->xforward;
}

void server_forget_xforward(struct server *s)
{
    s->xforward = NULL;
    arena_done(&s->forward);
}
