/*
 * send.c - compose and send one mail, or send a file.
 *
 * Three steps: understand the command line (send_request), make the message (send_content),
 * talk to the server and tell what came of it (send_report). Whatever is wrong with the first
 * two is told before anything is sent. The dialog is roles/remote's, as for mail that is relayed.
 */
#include "cmd/commands.h"
#include "cmd/send_content.h"
#include "cmd/send_report.h"
#include "cmd/send_request.h"

#include "base/clock.h"
#include "base/memory.h"
#include "roles/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { CONNECT_TIMEOUT_S = 30, TRANSCRIPT_MAX = 1024 * 1024 };

struct send {
    struct send_request request;
    struct send_content content;
    struct net *net;
    struct loop *loop;
    struct remote remote;
    struct remote_options options;
    struct transcript transcript;
};

static struct send *send_of(struct remote *r)
{
    return LIST_ENTRY(r, struct send, remote);
}

static void show_dialog(struct remote *r)
{
    struct transcript *t = &send_of(r)->transcript;
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
    case REMOTE_OVER: loop_stop(send_of(r)->loop); break;
    }
}

static enum remote_piece next_piece(struct remote *r, struct slice *piece)
{
    switch (send_content_next(&send_of(r)->content, piece)) {
    case SEND_PIECE: return REMOTE_PIECE;
    case SEND_END: return REMOTE_END;
    case SEND_FAILED: break;
    }
    return REMOTE_UNREADABLE;
}

static const struct remote_owner owner = {on_event, next_piece, show_dialog};

static struct remote_options remote_options(struct send *s)
{
    unsigned timeout_s = s->request.timeout_s == 0 ? CONNECT_TIMEOUT_S : s->request.timeout_s;

    return (struct remote_options){
        .client = {.ehlo = s->request.ehlo,
                   .quit_after = s->request.quit_after,
                   .timeout_s = s->request.timeout_s,
                   .transcript = &s->transcript},
        .connect_timeout_ms = (uint64_t)timeout_s * 1000,
    };
}

static struct client_message client_message_of(const struct send *s)
{
    return (struct client_message){
        .sender = s->request.from.address,
        .rcpts = s->request.rcpts,
        .rcpt_count = s->request.rcpt_count,
        .size = s->content.size,
        .body = s->content.eight_bit ? BODY_8BITMIME : BODY_7BIT,
        .smtputf8 = s->content.utf8_header,
    };
}

static int run_dialog(struct send *s)
{
    struct client_message message = client_message_of(s);

    s->net = net_real_new();
    if (s->net == NULL)
        return EX_OSERR;
    s->loop = loop_new(s->net, clock_real());
    s->options = remote_options(s);
    transcript_init(&s->transcript,
                    s->request.options.verbose ? TRANSCRIPT_ALL : TRANSCRIPT_REFUSALS,
                    TRANSCRIPT_MAX);
    remote_open(&s->remote, s->loop, &s->request.server, &s->options, &owner);
    remote_send(&s->remote, &message);
    return loop_run(s->loop) < 0 ? EX_OSERR : 0;
}

static int send_mail(struct send *s)
{
    int status = send_content_make(&s->content, &s->request);

    if (status == 0)
        status = run_dialog(s);
    if (status == 0 && s->remote.connect_error != 0)
        return send_report_no_connection(&s->request, s->remote.connect_error);
    return status == 0 ? send_report(&s->request, s->remote.client) : status;
}

static void hang_up(struct send *s)
{
    remote_close(&s->remote);
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
    transcript_done(&s->transcript);
    send_content_done(&s->content);
    send_request_done(&s->request);
    memory_free(s);
    return status;
}
