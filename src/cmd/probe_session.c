/*
 * probe_session.c - one connection to a server that is looked at.
 *
 * The dialog is the client engine's: a session that stops after RCPT, as `send --quit-after rcpt`.
 * What the server says is written down whole, and judged when all is over (probe_verdict).
 */
#include "cmd/probe_session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TRANSCRIPT_MAX = 1024 * 1024 };

static struct probe_session *session_of(struct remote *r)
{
    return LIST_ENTRY(r, struct probe_session, remote);
}

static void look_at_tls(struct probe_session *s)
{
    const struct tls *tls = stream_tls(&s->remote.stream);

    if (s->secured || tls == NULL || s->remote.stream.securing)
        return;
    s->secured = true;
    s->tls_version = tls_version(tls);
    s->tls_cipher = tls_cipher(tls);
    s->has_peer = tls_certificate(tls, s->options.tls_name, &s->arena, &s->peer);
}

static void show_dialog(struct remote *r)
{
    struct probe_session *s = session_of(r);
    struct slice text = buf_slice(&s->transcript.text);

    if (text.len > 0)
        fwrite(text.data, 1, text.len, stderr);
    buf_clear(&s->transcript.text);
    if (stream_is_open(&r->stream))
        look_at_tls(s);
}

static void ask_to_relay(struct probe_session *s)
{
    struct client_message message = {
        .sender = s->request->from, .rcpts = &s->request->to, .rcpt_count = 1};

    s->stage = PROBE_ASKED;
    remote_send(&s->remote, &message);
}

static bool has_open_transaction(const struct probe_session *s)
{
    bool secured = s->secured && !s->implicit;
    const struct heard_reply *mail = heard_find(&s->heard, STEP_MAIL, secured);

    return mail != NULL && mail->code / 100 == 2;
}

static void on_ready(struct probe_session *s)
{
    switch (s->stage) {
    case PROBE_GREETS: ask_to_relay(s); return;
    case PROBE_ASKED:
        if (has_open_transaction(s)) {
            s->stage = PROBE_FORGETS;
            remote_reset(&s->remote);
            return;
        }
        break;
    case PROBE_FORGETS:
    case PROBE_LEAVES: break;
    }
    s->stage = PROBE_LEAVES;
    remote_quit(&s->remote);
}

static void on_over(struct probe_session *s)
{
    s->connect_error = s->remote.connect_error;
    s->end = *client_final(s->remote.client);
    if (s->stage != PROBE_GREETS)
        s->asked = *client_outcome(s->remote.client, 0);
    s->tls_problem = remote_tls_problem(&s->remote);
    loop_stop(s->loop);
}

static void on_event(struct remote *r, enum remote_event event)
{
    switch (event) {
    case REMOTE_READY: on_ready(session_of(r)); break;
    case REMOTE_OVER: on_over(session_of(r)); break;
    }
}

/* The engine asks for none: it stops after RCPT. */
static enum remote_piece next_piece(struct remote *r, struct slice *piece)
{
    (void)r, (void)piece;
    return REMOTE_UNREADABLE;
}

static const struct remote_owner owner = {on_event, next_piece, show_dialog, NULL};

static struct remote_options remote_options(struct probe_session *s, enum probe_tls how,
                                            struct tls_context *tls, struct slice name)
{
    const struct probe_request *r = s->request;

    return (struct remote_options){
        .client = {.tls = how == PROBE_TLS_OPTIONAL ? CLIENT_TLS_IF_OFFERED : CLIENT_TLS_NEVER,
                   .ehlo = r->ehlo,
                   .quit_after = STEP_RCPT,
                   .timeout_s = r->timeout_s,
                   .transcript = r->options.verbose ? &s->transcript : NULL,
                   .heard = &s->heard},
        .tls = tls,
        .tls_name = name,
        .implicit_tls = how == PROBE_TLS_IMPLICIT,
        .connect_timeout_ms = (uint64_t)r->connect_timeout_s * 1000,
    };
}

void probe_session_run(struct probe_session *s, struct loop *loop,
                       const struct probe_request *request, enum probe_tls how,
                       struct tls_context *tls, const struct route_hop *hop, struct slice name)
{
    struct net_address to = {.port = hop->port};

    memcpy(to.ip, hop->ip, sizeof(to.ip));
    if (how == PROBE_TLS_BY_PORT)
        how = hop->port == 465 ? PROBE_TLS_IMPLICIT : PROBE_TLS_OPTIONAL;
    *s = (struct probe_session){.request = request, .loop = loop};
    s->implicit = how == PROBE_TLS_IMPLICIT;
    heard_init(&s->heard);
    transcript_init(&s->transcript, TRANSCRIPT_ALL, TRANSCRIPT_MAX);
    s->options = remote_options(s, how, tls, name);
    remote_open(&s->remote, loop, &to, &s->options, &owner);
    if (loop_run(loop) < 0)
        s->connect_error = s->remote.connect_error != 0 ? s->remote.connect_error : -EIO;
}

void probe_session_done(struct probe_session *s)
{
    if (s->loop == NULL)
        return;
    remote_close(&s->remote);
    transcript_done(&s->transcript);
    heard_done(&s->heard);
    arena_done(&s->arena);
    *s = (struct probe_session){0};
}
