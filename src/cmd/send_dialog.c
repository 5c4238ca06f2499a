/*
 * send_dialog.c - one connection of `postroad send`.
 *
 * The dialog is roles/remote's, as for mail that is relayed. Parameters of RFC 3461 are wishes: a
 * server that does not offer DSN gets the message without them.
 */
#include "cmd/send_dialog.h"

#include "mail/relay.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CONNECT_TIMEOUT_S = 30, TRANSCRIPT_MAX = 1024 * 1024 };

static struct send_dialog *dialog_of(struct remote *r)
{
    return LIST_ENTRY(r, struct send_dialog, remote);
}

static void show_dialog(struct remote *r)
{
    struct transcript *t = &dialog_of(r)->transcript;
    struct slice text = buf_slice(&t->text);

    if (text.len > 0)
        fwrite(text.data, 1, text.len, stderr);
    buf_clear(&t->text);
}

/* The message was given before the dialog began, so "ready" means that it is over. */
static void on_event(struct remote *r, enum remote_event event)
{
    switch (event) {
    case REMOTE_READY: remote_quit(r); break;
    case REMOTE_OVER: loop_stop(dialog_of(r)->loop); break;
    }
}

static enum remote_piece next_piece(struct remote *r, struct slice *piece)
{
    switch (send_content_next(dialog_of(r)->content, piece)) {
    case SEND_PIECE: return REMOTE_PIECE;
    case SEND_END: return REMOTE_END;
    case SEND_FAILED: break;
    }
    return REMOTE_UNREADABLE;
}

static void log_in(struct remote *r)
{
    const struct send_login *l = &dialog_of(r)->request->login;

    remote_login(r, &(struct credentials){.user = l->user,
                                          .secret = buf_slice(&l->secret),
                                          .is_token = l->is_token,
                                          .mechanisms = l->mechanisms});
}

static const struct remote_owner owner = {on_event, next_piece, show_dialog, log_in};

static enum client_tls client_tls_of(enum send_tls how)
{
    switch (how) {
    case SEND_TLS_OPTIONAL: return CLIENT_TLS_IF_OFFERED;
    case SEND_TLS_REQUIRED:
    case SEND_TLS_VERIFIED: return CLIENT_TLS_ALWAYS;
    case SEND_TLS_OFF:
    case SEND_TLS_IMPLICIT: break;
    }
    return CLIENT_TLS_NEVER;
}

/* Without TLS only where nobody listens, or where --tls off says that it is well. */
static enum client_login login_of(const struct send_request *r, const struct route_hop *hop,
                                  bool implicit)
{
    struct net_address to = {0};

    if (r->login.user.len == 0)
        return CLIENT_LOGIN_NEVER;
    memcpy(to.ip, hop->ip, sizeof(to.ip));
    return implicit || r->login.in_clear || net_address_is_loopback(&to) ? CLIENT_LOGIN_ANYHOW
                                                                         : CLIENT_LOGIN_SECURED;
}

static struct remote_options remote_options(struct send_dialog *d, const struct send_call *call)
{
    const struct send_request *r = d->request;
    bool implicit = call->how == SEND_TLS_IMPLICIT ||
                    (call->how == SEND_TLS_VERIFIED &&
                     (r->tls_at_once || call->hop->port == RELAY_SUBMISSIONS_PORT));
    unsigned timeout_s = r->timeout_s == 0 ? CONNECT_TIMEOUT_S : r->timeout_s;

    return (struct remote_options){
        .client = {.tls = implicit ? CLIENT_TLS_NEVER : client_tls_of(call->how),
                   .login = login_of(r, call->hop, implicit),
                   .ehlo = r->ehlo,
                   .quit_after = r->quit_after,
                   .timeout_s = r->timeout_s,
                   .transcript = &d->transcript},
        .tls = call->tls,
        .tls_name = call->tls_name,
        .implicit_tls = implicit,
        .connect_timeout_ms = (uint64_t)timeout_s * 1000,
        .random = random_real(),
    };
}

static struct client_message message_of(struct send_dialog *d, const struct send_call *call)
{
    struct send_request *r = d->request;
    struct client_message m = {
        .sender = r->from.address,
        .rcpts = call->rcpts,
        .rcpt_count = call->rcpt_count,
        .size = d->content->size,
        .body = d->content->eight_bit ? BODY_8BITMIME : BODY_7BIT,
        .smtputf8 = d->content->utf8_header,
        .mail_params = r->mail_params,
        .params_need = EHLO_DSN,
        .must_params = r->must_params,
        .must_need = r->must_need,
    };
    struct slice *params = ARENA_ARRAY(&r->arena, struct slice, call->rcpt_count);

    for (unsigned i = 0; i < call->rcpt_count; i++)
        params[i] = r->rcpt_params;
    m.rcpt_params = params;
    return m;
}

void send_dialog_run(struct send_dialog *d, struct loop *loop, struct send_request *r,
                     struct send_content *content, const struct send_call *call)
{
    struct net_address to = {.port = call->hop->port};
    struct client_message message;

    *d = (struct send_dialog){.request = r, .content = content, .loop = loop};
    message = message_of(d, call);
    memcpy(to.ip, call->hop->ip, sizeof(to.ip));
    transcript_init(&d->transcript, r->options.verbose ? TRANSCRIPT_ALL : TRANSCRIPT_REFUSALS,
                    TRANSCRIPT_MAX);
    d->options = remote_options(d, call);
    send_content_rewind(content);
    remote_open(&d->remote, loop, &to, &d->options, &owner);
    remote_send(&d->remote, &message);
    if (loop_run(loop) < 0)
        d->connect_error = -EIO;
    if (d->remote.connect_error != 0)
        d->connect_error = d->remote.connect_error;
}

bool send_dialog_failed_at_tls(const struct send_dialog *d)
{
    return d->connect_error == 0 && client_final(d->remote.client)->step == STEP_STARTTLS &&
           remote_tls_problem(&d->remote).len > 0;
}

void send_dialog_done(struct send_dialog *d)
{
    if (d->loop == NULL)
        return;
    remote_close(&d->remote);
    transcript_done(&d->transcript);
    *d = (struct send_dialog){0};
}
