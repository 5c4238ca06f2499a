/*
 * remote.c - a client engine on a stream.
 *
 * The deadline is that of the step that is waited for; it moves only when the engine says that
 * the wait is a new one, so a server that sends a byte now and then does not hold us for ever. A
 * connection that idles between messages has none: its owner decides.
 */
#include "roles/remote.h"

#include <errno.h>
#include <string.h>

enum { IN_MAX = 16 * 1024 };

static struct remote *remote_of(struct stream *s)
{
    return LIST_ENTRY(s, struct remote, stream);
}

/* False when the owner closed it. */
static bool tell(struct remote *r, enum remote_event event)
{
    bool gone = false;

    r->gone = &gone;
    r->owner->on_event(r, event);
    if (gone)
        return false;
    r->gone = NULL;
    return true;
}

static void end(struct remote *r)
{
    if (r->over)
        return;
    r->over = true;
    timer_cancel(r->loop, &r->timer);
    proof_done(&r->proof);
    r->proving = false;
    if (stream_is_open(&r->stream))
        stream_close(&r->stream);
    (void)tell(r, REMOTE_OVER);
}

static void feed_body(struct remote *r)
{
    struct slice piece;

    switch (r->owner->next_piece(r, &piece)) {
    case REMOTE_PIECE: client_body(r->client, piece, &r->stream.out); break;
    case REMOTE_END: client_body_end(r->client, &r->stream.out); break;
    case REMOTE_UNREADABLE: client_fail(r->client, CLIENT_BODY_MISSING); break;
    }
}

static enum client_need step(struct remote *r)
{
    struct cursor in = {buf_slice(&r->stream.in)};
    enum client_need need = client_step(r->client, &in, &r->stream.out);

    buf_consume(&r->stream.in, buf_len(&r->stream.in) - in.rest.len);
    if (r->owner->on_dialog != NULL)
        r->owner->on_dialog(r);
    return need;
}

/* True when all of it left at once, so that the engine may go on. */
static bool flush_all(struct remote *r)
{
    bool some = buf_len(&r->stream.out) > 0;

    stream_flush(&r->stream);
    return some && buf_len(&r->stream.out) == 0;
}

static void wait_for_server(struct remote *r)
{
    if (client_waits(r->client) != r->waits || !timer_is_set(&r->timer)) {
        r->waits = client_waits(r->client);
        timer_set(r->loop, &r->timer, (uint64_t)client_timeout_s(r->client) * 1000);
    }
    stream_resume(&r->stream);
}

static void start_tls(struct remote *r)
{
    timer_set(r->loop, &r->timer, (uint64_t)client_timeout_s(r->client) * 1000);
    stream_start_tls(&r->stream, r->options->tls, r->options->tls_name);
}

/* The server waits for us. True: the owner gave something to do. */
static bool offer(struct remote *r)
{
    stream_flush(&r->stream);
    timer_cancel(r->loop, &r->timer);
    r->idle = true;
    if (!tell(r, REMOTE_READY))
        return false;
    if (!r->idle)
        return true;
    stream_resume(&r->stream);
    return false;
}

/* ---- who we are ---- */

static void talk(struct remote *r);

/* The engine was answered, on the loop. */
static void go_on(struct remote *r)
{
    r->proving = false;
    stream_has_secret(&r->stream);
    if (r->gone == NULL)
        talk(r);
}

static void on_proof(struct proof *p)
{
    go_on(LIST_ENTRY(p, struct remote, proof));
}

void remote_login(struct remote *r, const struct credentials *who)
{
    if (!r->proving)
        return;
    proof_begin(&r->proof, who,
                &(struct proof_place){.client = r->client,
                                      .tls = stream_tls(&r->stream),
                                      .host = r->options->tls_name,
                                      .port = r->stream.peer.port,
                                      .random = r->options->random,
                                      .worker = r->options->worker});
    go_on(r);
}

void remote_no_login(struct remote *r, struct slice enhanced, struct slice why)
{
    if (!r->proving)
        return;
    client_auth_stop(r->client, enhanced, why);
    go_on(r);
}

/* False when the owner closed it. */
static bool ask_owner(struct remote *r)
{
    bool gone = false;

    r->gone = &gone;
    r->owner->log_in(r);
    if (gone)
        return false;
    r->gone = NULL;
    return true;
}

/* False: later, or never. */
static bool prove(struct remote *r)
{
    stream_flush(&r->stream);
    timer_cancel(r->loop, &r->timer);
    if (r->proving)
        return false;
    r->proving = true;
    if (client_auth(r->client)->stage != CLIENT_AUTH_CHOOSE)
        r->proving = !proof_go_on(&r->proof, on_proof);
    else if (!ask_owner(r))
        return false;
    if (r->proving)
        stream_pause(&r->stream);
    else
        stream_has_secret(&r->stream);
    return !r->proving;
}

static void talk(struct remote *r)
{
    for (;;) {
        switch (step(r)) {
        case CLIENT_WANTS_BODY: feed_body(r); break;
        case CLIENT_WANTS_AUTH:
            if (!prove(r))
                return;
            break;
        case CLIENT_READY:
            if (!offer(r))
                return;
            break;
        case CLIENT_WANTS_TLS:
            stream_flush(&r->stream);
            if (buf_len(&r->stream.out) == 0)
                start_tls(r);
            return;
        case CLIENT_DONE:
            stream_flush(&r->stream);
            end(r);
            return;
        case CLIENT_WANTS_INPUT:
            if (flush_all(r))
                break;
            wait_for_server(r);
            return;
        }
    }
}

/* Kept, since the stream and what it knows are closed before the owner hears of it. */
static void note_tls_problem(struct remote *r, int code)
{
    struct slice why = slice_of(strerrordesc_np(-code));

    if (code == -EPROTO && tls_problem(stream_tls(&r->stream)).len > 0)
        why = tls_problem(stream_tls(&r->stream));
    why = slice_head(why, REMOTE_PROBLEM_MAX);
    r->stale = tls_tried_to_resume(stream_tls(&r->stream));
    memcpy(r->tls_problem, why.data, why.len);
    r->tls_problem_len = why.len;
}

static void give_up(struct remote *r, enum client_failure why, int code)
{
    if (why == CLIENT_TLS_FAILED)
        note_tls_problem(r, code);
    if (!r->connected)
        r->connect_error = code;
    else if (r->proving && why == CLIENT_TIMED_OUT)
        client_auth_stop(r->client, SLICE("4.7.0"), SLICE("it took too long to say who we are"));
    else if (why == CLIENT_TLS_FAILED)
        client_no_tls(r->client, remote_tls_problem(r));
    else
        client_fail(r->client, why);
    end(r);
}

static void on_connected(struct remote *r)
{
    r->connected = true;
    if (r->options->implicit_tls)
        start_tls(r);
    else
        talk(r);
}

static void on_secured(struct remote *r)
{
    r->secured = true;
    if (!r->options->implicit_tls)
        client_secured(r->client);
    talk(r);
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct remote *r = remote_of(stream);

    switch (event) {
    case STREAM_CONNECTED: on_connected(r); break;
    case STREAM_SECURED: on_secured(r); break;
    case STREAM_READABLE:
        if (r->idle)
            end(r); /* it speaks unasked: 421, most likely */
        else
            talk(r);
        break;
    case STREAM_DRAINED:
        if (!r->idle)
            talk(r);
        break;
    case STREAM_EOF: give_up(r, CLIENT_LOST, -ECONNRESET); break;
    case STREAM_FAILED:
        give_up(r, stream->securing ? CLIENT_TLS_FAILED : CLIENT_LOST, -stream->error);
        break;
    }
}

void remote_give_up(struct remote *r)
{
    if (!r->over)
        give_up(r, r->stream.securing ? CLIENT_TLS_FAILED : CLIENT_TIMED_OUT, -ETIMEDOUT);
}

static void on_timer(struct timer *timer)
{
    struct remote *r = LIST_ENTRY(timer, struct remote, timer);

    if (r->connect_error != 0) /* it could not even begin */
        end(r);
    else
        give_up(r, r->stream.securing ? CLIENT_TLS_FAILED : CLIENT_TIMED_OUT, -ETIMEDOUT);
}

static int connect_to(struct loop *loop, const struct net_address *to,
                      const struct remote_options *options)
{
    struct net *net = loop_net(loop);

    return options->path != NULL ? net->ops->connect_local(net, options->path)
                                 : net->ops->connect(net, to, options->from);
}

void remote_open(struct remote *r, struct loop *loop, const struct net_address *to,
                 const struct remote_options *options, const struct remote_owner *owner)
{
    *r = (struct remote){.loop = loop, .owner = owner, .options = options};
    timer_init(&r->timer, on_timer);
    r->client = client_new(&options->client);
    r->connect_error = stream_open_connecting(&r->stream, loop, connect_to(loop, to, options), to,
                                              IN_MAX, CLIENT_OUT_MAX, on_stream);
    timer_set(loop, &r->timer, r->connect_error < 0 ? 0 : options->connect_timeout_ms);
}

void remote_send(struct remote *r, const struct client_message *message)
{
    client_message(r->client, message);
    r->idle = false;
    if (r->gone == NULL && r->connected && !r->over)
        talk(r); /* it idled */
}

void remote_quit(struct remote *r)
{
    client_quit(r->client);
    r->idle = false;
    if (r->gone == NULL && r->connected && !r->over)
        talk(r);
}

void remote_reset(struct remote *r)
{
    client_reset(r->client);
    r->idle = false;
    if (r->gone == NULL && r->connected && !r->over)
        talk(r);
}

bool remote_tls_was_the_trouble(const struct remote *r, const struct client_outcome *o)
{
    if (r->options->client.tls != CLIENT_TLS_IF_OFFERED)
        return false;
    return o->step == STEP_STARTTLS || (r->secured && o->step == STEP_EHLO && o->code == 0);
}

struct slice remote_tls_problem(const struct remote *r)
{
    return (struct slice){r->tls_problem, r->tls_problem_len};
}

void remote_close(struct remote *r)
{
    if (r->client == NULL)
        return;
    if (r->gone != NULL)
        *r->gone = true;
    timer_cancel(r->loop, &r->timer);
    proof_done(&r->proof);
    stream_close(&r->stream);
    client_free(r->client);
    r->client = NULL;
}
