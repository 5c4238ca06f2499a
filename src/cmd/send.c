/*
 * send.c - compose and send one mail, or send a file.
 *
 * Three steps: understand the command line (send_request), make the message (send_content),
 * talk to the server and tell what came of it (send_report). Whatever is wrong with the first
 * two is told before anything is sent. The dialog is the client engine's, all waiting is the
 * loop's; what is left here is to carry bytes between them.
 */
#include "cmd/commands.h"
#include "cmd/send_content.h"
#include "cmd/send_report.h"
#include "cmd/send_request.h"

#include "base/clock.h"
#include "base/memory.h"
#include "loop/stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { IN_MAX = 16 * 1024, CONNECT_TIMEOUT_S = 30, TRANSCRIPT_MAX = 1024 * 1024 };

struct send {
    struct send_request request;
    struct send_content content;
    struct loop *loop;
    struct stream stream;
    struct timer timer;
    struct client *client;
    struct transcript transcript;
    uint64_t waits;    /* client_waits() that the timer was set for */
    int connect_error; /* negative errno */
    bool connected;
};

static void show_transcript(struct transcript *t)
{
    struct slice text = buf_slice(&t->text);

    if (text.len > 0)
        fwrite(text.data, 1, text.len, stderr);
    buf_clear(&t->text);
}

static void feed_body(struct send *s)
{
    struct slice piece;

    switch (send_content_next(&s->content, &piece)) {
    case SEND_PIECE: client_body(s->client, piece, &s->stream.out); break;
    case SEND_END: client_body_end(s->client, &s->stream.out); break;
    case SEND_FAILED: client_fail(s->client, CLIENT_BODY_MISSING); break;
    }
}

static enum client_need step_client(struct send *s)
{
    struct cursor in = {buf_slice(&s->stream.in)};
    enum client_need need = client_step(s->client, &in, &s->stream.out);

    buf_consume(&s->stream.in, buf_len(&s->stream.in) - in.rest.len);
    show_transcript(&s->transcript);
    return need;
}

static void hang_up(struct send *s)
{
    timer_cancel(s->loop, &s->timer);
    stream_close(&s->stream);
    loop_stop(s->loop);
}

/* True when all of it left at once, so that the engine may go on. */
static bool flush_all(struct send *s)
{
    bool some = buf_len(&s->stream.out) > 0;

    stream_flush(&s->stream);
    return some && buf_len(&s->stream.out) == 0;
}

static void wait_for_server(struct send *s)
{
    if (client_waits(s->client) != s->waits) {
        s->waits = client_waits(s->client);
        timer_set(s->loop, &s->timer, (uint64_t)client_timeout_s(s->client) * 1000);
    }
    stream_resume(&s->stream);
}

static void talk(struct send *s)
{
    for (;;) {
        switch (step_client(s)) {
        case CLIENT_WANTS_BODY: feed_body(s); break;
        case CLIENT_READY: client_quit(s->client); break;
        case CLIENT_WANTS_TLS: client_fail(s->client, CLIENT_TLS_FAILED); break; /* never asked */
        case CLIENT_DONE: hang_up(s); return;
        case CLIENT_WANTS_INPUT:
            if (flush_all(s))
                break;
            wait_for_server(s);
            return;
        }
    }
}

static void give_up(struct send *s, enum client_failure why, int code)
{
    if (!s->connected) {
        s->connect_error = code;
        hang_up(s);
        return;
    }
    client_fail(s->client, why);
    talk(s);
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct send *s = LIST_ENTRY(stream, struct send, stream);

    switch (event) {
    case STREAM_CONNECTED:
        s->connected = true;
        talk(s);
        break;
    case STREAM_SECURED:
    case STREAM_READABLE:
    case STREAM_DRAINED: talk(s); break;
    case STREAM_EOF: give_up(s, CLIENT_LOST, -ECONNRESET); break;
    case STREAM_FAILED: give_up(s, CLIENT_LOST, -stream->error); break;
    }
}

static void on_timer(struct timer *timer)
{
    give_up(LIST_ENTRY(timer, struct send, timer), CLIENT_TIMED_OUT, -ETIMEDOUT);
}

static struct client *new_client(struct send *s)
{
    struct client_settings settings = {
        .ehlo = s->request.ehlo,
        .quit_after = s->request.quit_after,
        .timeout_s = s->request.timeout_s,
        .transcript = &s->transcript,
    };
    struct client_message message = {
        .sender = s->request.from.address,
        .rcpts = s->request.rcpts,
        .rcpt_count = s->request.rcpt_count,
        .size = s->content.size,
        .body = s->content.eight_bit ? BODY_8BITMIME : BODY_7BIT,
        .smtputf8 = s->content.utf8_header,
    };
    struct client *client = client_new(&settings);

    client_message(client, &message);
    return client;
}

static int run_dialog(struct send *s)
{
    struct net *net = net_real_new();
    unsigned timeout_s = s->request.timeout_s == 0 ? CONNECT_TIMEOUT_S : s->request.timeout_s;
    int code;

    if (net == NULL)
        return EX_OSERR;
    s->loop = loop_new(net, clock_real());
    transcript_init(&s->transcript,
                    s->request.options.verbose ? TRANSCRIPT_ALL : TRANSCRIPT_REFUSALS,
                    TRANSCRIPT_MAX);
    s->client = new_client(s);
    timer_init(&s->timer, on_timer);
    code =
        stream_connect(&s->stream, s->loop, &s->request.server, IN_MAX, CLIENT_OUT_MAX, on_stream);
    if (code < 0) {
        s->connect_error = code;
    } else {
        timer_set(s->loop, &s->timer, (uint64_t)timeout_s * 1000);
        code = loop_run(s->loop);
    }
    loop_free(s->loop);
    net->ops->free(net);
    return code < 0 && s->connect_error == 0 ? EX_OSERR : 0;
}

static int send_mail(struct send *s)
{
    int status = send_content_make(&s->content, &s->request);

    if (status == 0)
        status = run_dialog(s);
    if (status == 0 && s->connect_error != 0)
        return send_report_no_connection(&s->request, s->connect_error);
    return status == 0 ? send_report(&s->request, s->client) : status;
}

int cmd_send(int argc, char **argv)
{
    struct send *s = MEMORY_NEW(struct send);
    int status;

    send_content_init(&s->content);
    if (send_request_parse(&s->request, argc, argv, &status) == OPTIONS_OK)
        status = send_mail(s);
    client_free(s->client);
    transcript_done(&s->transcript);
    send_content_done(&s->content);
    send_request_done(&s->request);
    memory_free(s);
    return status;
}
