/*
 * stream.c - a buffered connection.
 *
 * Two habits keep it cheap. Interest is lazy: pausing changes nothing in the kernel; only when an
 * event comes that nobody wants is the handle unwatched, so the usual pause and resume around one
 * need cost no system call. And a read asks for a little first, for much only while the peer
 * fills what was asked for; a buffer that is empty after an event goes back. So a hundred
 * thousand idle or trickling connections hold next to nothing.
 *
 * The owner may close and free a stream inside on_event, so each event is the last thing a
 * handler does; what must follow asks `gone` first. Failures met while the owner is calling us are
 * put off to a timer of 0 ms: on_event never runs inside a call of the owner.
 */
#include "loop/stream.h"

#include <assert.h>
#include <errno.h>

enum { READ_SMALL = 4096 };

static struct stream *stream_of_watch(struct watch *w)
{
    return LIST_ENTRY(w, struct stream, watch);
}

static const struct net_ops *stream_net(const struct stream *s, struct net **net)
{
    *net = loop_net(s->loop);
    return (*net)->ops;
}

static void give_back(const struct stream *s, struct buf *b)
{
    if (s->secret && buf_len(b) == 0)
        buf_wipe(b);
    else
        buf_release(b);
}

/* Not while the owner works in on_event: it may still look at what it consumed. */
static void release_unused(struct stream *s)
{
    if (s->gone != NULL)
        return;
    give_back(s, &s->in);
    give_back(s, &s->out);
    s->secret = s->secret && (buf_len(&s->in) > 0 || buf_len(&s->out) > 0);
}

static void report(struct stream *s, enum stream_event event)
{
    bool gone = false;

    s->gone = &gone;
    s->on_event(s, event);
    if (gone)
        return;
    s->gone = NULL;
    release_unused(s);
}

/* Notes a failure for later; from here on the stream does nothing more. */
static void fail_later(struct stream *s, int code)
{
    if (s->error != 0)
        return;
    s->error = -code;
    (void)watch_set(s->loop, &s->watch, 0);
    timer_set(s->loop, &s->later, 0);
}

static unsigned wanted_events(const struct stream *s)
{
    unsigned wanted = 0;

    if (s->error != 0)
        return 0;
    if (s->connecting)
        return NET_WRITABLE;
    if (s->securing)
        return tls_wants(s->tls);
    if (!s->eof && !s->paused && buf_room(&s->in) > 0)
        wanted |= NET_READABLE;
    if (buf_len(&s->out) > 0)
        wanted |= NET_WRITABLE;
    return wanted;
}

static void watch_wanted(struct stream *s)
{
    int code = watch_set(s->loop, &s->watch, wanted_events(s));

    if (code < 0)
        fail_later(s, code);
}

/* Adds what is wanted, keeps what is no longer: see above. */
static void watch_more(struct stream *s)
{
    unsigned wanted = wanted_events(s);

    if ((wanted & ~s->watch.events) != 0)
        watch_wanted(s);
}

static void finish_sending(struct stream *s)
{
    struct net *net;

    if (s->finished)
        return;
    s->finished = true;
    if (s->tls != NULL)
        tls_finish(s->tls);
    (void)stream_net(s, &net)->shutdown_write(net, s->watch.handle); /* if not, the close does */
    timer_set(s->loop, &s->later, s->eof ? 0 : STREAM_LINGER_MS);
}

static int64_t write_some(struct stream *s, struct slice bytes)
{
    struct iovec part = {s->out.data + s->out.start, bytes.len};
    struct net *net;

    if (s->tls != NULL)
        return tls_write(s->tls, bytes.data, bytes.len);
    return stream_net(s, &net)->write(net, s->watch.handle, &part, 1);
}

/* One write; of TLS, one for each record. False when the socket took less than all, or failed. */
static bool write_out(struct stream *s)
{
    while (buf_len(&s->out) > 0) {
        struct slice rest = buf_slice(&s->out);
        int64_t count = write_some(s, rest);

        if (count == -EAGAIN)
            return false;
        if (count < 0) {
            fail_later(s, (int)count);
            return false;
        }
        buf_consume(&s->out, (size_t)count);
        if ((size_t)count < rest.len && s->tls == NULL)
            return false;
    }
    return true;
}

static int64_t read_some(struct stream *s, void *out, size_t len)
{
    struct net *net;

    if (s->tls != NULL)
        return tls_read(s->tls, out, len);
    return stream_net(s, &net)->read(net, s->watch.handle, out, len);
}

/* One read into `in`. Returns the count, 0 at the end, or a negative errno. */
static int64_t read_in(struct stream *s)
{
    size_t room = buf_room(&s->in), len = s->read_len < room ? s->read_len : room;
    int64_t count = read_some(s, buf_reserve(&s->in, len), len);

    if (count > 0)
        buf_commit(&s->in, (size_t)count);
    if (count >= 0)
        s->read_len = (size_t)count == s->read_len ? STREAM_READ_MAX : READ_SMALL;
    return count;
}

/* Of a record that did not fit into one read the rest waits in TLS: no event will tell of it. */
static void read_rest_soon(struct stream *s)
{
    if (s->tls != NULL && s->error == 0 && !s->paused && !s->eof && buf_room(&s->in) > 0 &&
        !timer_is_set(&s->later) && tls_has_more(s->tls))
        timer_set(s->loop, &s->later, 0);
}

static void report_input(struct stream *s)
{
    bool gone = false;

    s->gone = &gone;
    s->on_event(s, STREAM_READABLE);
    if (gone)
        return;
    s->gone = NULL;
    release_unused(s);
    if (!s->closing)
        read_rest_soon(s);
}

static void ready_to_read(struct stream *s)
{
    int64_t count = read_in(s);

    if (count > 0 && s->closing) {
        buf_clear(&s->in);
        release_unused(s);
        return;
    }
    if (count > 0) {
        report_input(s);
        return;
    }
    release_unused(s);
    if (count == -EAGAIN)
        return;
    if (count < 0) {
        fail_later(s, (int)count);
        return;
    }
    s->eof = true;
    watch_wanted(s);
    if (!s->closing)
        report(s, STREAM_EOF);
    else if (s->finished)
        timer_set(s->loop, &s->later, 0);
}

static void ready_to_connect(struct stream *s)
{
    struct net *net;
    int code = stream_net(s, &net)->connect_result(net, s->watch.handle);

    if (code < 0) {
        fail_later(s, code);
        return;
    }
    s->connecting = false;
    (void)net->ops->own_address(net, s->watch.handle, &s->own);
    if (write_out(s) && s->closing)
        finish_sending(s);
    watch_wanted(s);
    if (s->error == 0 && !s->closing)
        report(s, STREAM_CONNECTED);
}

/* True when the blocked `out` became empty and the owner was told: the stream may be gone. */
static bool ready_to_write(struct stream *s)
{
    if (!write_out(s))
        return false;
    watch_wanted(s);
    if (s->closing) {
        release_unused(s);
        finish_sending(s);
        return false;
    }
    report(s, STREAM_DRAINED);
    return true;
}

static void ready_to_secure(struct stream *s)
{
    int code = s->error != 0 ? -EAGAIN : tls_handshake(s->tls);

    if (code == -EAGAIN) {
        watch_wanted(s);
        return;
    }
    if (code < 0) {
        fail_later(s, code);
        return;
    }
    s->securing = false;
    watch_wanted(s);
    if (s->error != 0)
        return;
    bool gone = false;

    s->gone = &gone;
    s->on_event(s, STREAM_SECURED);
    if (gone)
        return;
    s->gone = NULL;
    release_unused(s);
    read_rest_soon(s); /* it may have come with the last word of the handshake */
}

static void stream_ready(struct watch *w, unsigned events)
{
    struct stream *s = stream_of_watch(w);

    if (s->connecting) {
        ready_to_connect(s);
        return;
    }
    if (s->securing) {
        ready_to_secure(s);
        return;
    }
    if (buf_len(&s->out) > 0 && (events & (NET_WRITABLE | NET_HANGUP)) && ready_to_write(s))
        return; /* what can be read comes again in the next round */
    if (s->error != 0)
        return;
    unsigned wanted = wanted_events(s);
    if (s->watch.events & ~wanted)
        watch_wanted(s); /* paused, full or at the end: now it is worth telling the kernel */
    if (s->error == 0 && wanted & NET_READABLE && events & (NET_READABLE | NET_HANGUP))
        ready_to_read(s);
}

static void stream_later(struct timer *t)
{
    struct stream *s = LIST_ENTRY(t, struct stream, later);

    if (s->error == 0 && s->securing) {
        ready_to_secure(s);
        return;
    }
    if (s->error == 0 && !s->finished) {
        if (!s->closing && !s->paused && !s->eof && buf_room(&s->in) > 0)
            ready_to_read(s); /* the rest of a record */
        return;
    }
    (void)watch_set(s->loop, &s->watch, 0);
    report(s, s->error != 0 ? STREAM_FAILED : STREAM_EOF);
}

void stream_start_tls(struct stream *s, struct tls_context *context, struct slice name)
{
    assert(stream_is_open(s) && s->tls == NULL && !s->closing && buf_len(&s->out) == 0);
    buf_clear(&s->in);
    s->tls = tls_new(context, loop_net(s->loop), s->watch.handle, name);
    if (s->tls == NULL) {
        fail_later(s, -ENOMEM);
        return;
    }
    tls_remember(s->tls, name, &s->peer, &s->own, loop_now_ms(s->loop));
    s->paused = false;
    s->securing = true;
    timer_set(s->loop, &s->later, 0); /* the first word of it, from outside the owner's call */
}

const struct tls *stream_tls(const struct stream *s)
{
    return s->tls;
}

static void stream_init(struct stream *s, struct loop *loop, int handle, size_t in_max,
                        size_t out_max, void (*on_event)(struct stream *, enum stream_event))
{
    s->watch = (struct watch){.ready = stream_ready, .handle = handle};
    s->loop = loop;
    s->on_event = on_event;
    timer_init(&s->later, stream_later);
    buf_init(&s->in, in_max);
    buf_init(&s->out, out_max);
    s->paused = s->connecting = s->eof = s->closing = s->finished = s->securing = false;
    s->tls = NULL;
    s->gone = NULL;
    s->read_len = READ_SMALL;
    s->error = 0;
}

static int stream_start(struct stream *s)
{
    int code = watch_set(s->loop, &s->watch, wanted_events(s));

    if (code < 0)
        stream_close(s);
    return code;
}

int stream_open(struct stream *s, struct loop *loop, int handle, size_t in_max, size_t out_max,
                void (*on_event)(struct stream *, enum stream_event))
{
    stream_init(s, loop, handle, in_max, out_max, on_event);
    return stream_start(s);
}

int stream_connect(struct stream *s, struct loop *loop, const struct net_address *to, size_t in_max,
                   size_t out_max, void (*on_event)(struct stream *, enum stream_event))
{
    struct net *net = loop_net(loop);

    return stream_open_connecting(s, loop, net->ops->connect(net, to, NULL), to, in_max, out_max,
                                  on_event);
}

int stream_open_connecting(struct stream *s, struct loop *loop, int handle,
                           const struct net_address *to, size_t in_max, size_t out_max,
                           void (*on_event)(struct stream *, enum stream_event))
{
    stream_init(s, loop, handle, in_max, out_max, on_event);
    s->peer = *to;
    s->connecting = true;
    return handle < 0 ? handle : stream_start(s);
}

void stream_pause(struct stream *s)
{
    s->paused = true;
}

void stream_resume(struct stream *s)
{
    assert(stream_is_open(s));
    s->paused = false;
    release_unused(s);
    watch_more(s);
    read_rest_soon(s);
}

void stream_flush(struct stream *s)
{
    assert(stream_is_open(s));
    if (s->error != 0) {
        buf_clear(&s->out);
        return;
    }
    /* Where the loop waits to write already, another try would only say EAGAIN. */
    if (s->connecting || s->securing || (s->watch.events & NET_WRITABLE && buf_len(&s->out) > 0))
        return;
    if (write_out(s) && s->closing)
        finish_sending(s);
    release_unused(s);
    watch_more(s);
}

void stream_finish(struct stream *s)
{
    assert(stream_is_open(s));
    s->closing = true;
    buf_clear(&s->in);
    s->paused = false;
    stream_flush(s); /* before the loop waits to write what can be written now */
    watch_more(s);
}

void stream_close(struct stream *s)
{
    if (!stream_is_open(s))
        return;
    if (s->gone != NULL)
        *s->gone = true;
    s->gone = NULL;
    timer_cancel(s->loop, &s->later);
    tls_free(s->tls);
    s->tls = NULL;
    watch_close(s->loop, &s->watch);
    buf_clear(&s->in);
    buf_clear(&s->out);
    give_back(s, &s->in);
    give_back(s, &s->out);
}

void stream_has_secret(struct stream *s)
{
    s->secret = true;
}

bool stream_is_open(const struct stream *s)
{
    return s->watch.handle >= 0 && s->loop != NULL;
}
