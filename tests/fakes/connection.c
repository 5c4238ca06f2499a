/*
 * connection.c - a connection to play with, over the real net or the fake one.
 */
#include "fakes/connection.h"

#include "check.h"

enum { GUARD_MS = 20000 };

static const unsigned char loopback_ip[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};

static void guard_due(struct timer *t)
{
    LIST_ENTRY(t, struct connection, guard)->late = true;
}

char connection_pattern(size_t at)
{
    return (char)('a' + at * at % 23);
}

void connection_feed(struct connection_end *e)
{
    do {
        while (e->sent < e->to_send && buf_append_char(&e->stream.out, connection_pattern(e->sent)))
            e->sent++;
        stream_flush(&e->stream);
    } while (e->sent < e->to_send && buf_len(&e->stream.out) == 0);
}

static void take_input(struct connection_end *e)
{
    struct slice in = buf_slice(&e->stream.in);

    if (e->keeps)
        return;
    if (e->echoes)
        in = slice_head(in, buf_room(&e->stream.out));
    assert_true(buf_append(e->echoes ? &e->stream.out : &e->got, in));
    buf_consume(&e->stream.in, in.len);
    if (e->echoes)
        stream_flush(&e->stream);
}

void connection_event(struct stream *s, enum stream_event event)
{
    struct connection_end *e = LIST_ENTRY(s, struct connection_end, stream);

    assert_false(e->in_call);
    e->events[event]++;
    if (e->frees) {
        stream_close(s);
        buf_done(&e->got);
        memset(e, 0xee, sizeof(*e));
        return;
    }
    switch (event) {
    case STREAM_READABLE: take_input(e); break;
    case STREAM_EOF:
        if (e->echoes)
            stream_finish(s);
        break;
    case STREAM_CONNECTED:
    case STREAM_SECURED: connection_feed(e); break;
    case STREAM_DRAINED:
        take_input(e);
        if (e->echoes)
            stream_resume(s);
        connection_feed(e);
        break;
    case STREAM_FAILED: break;
    }
}

void connection_end_init(struct connection_end *e)
{
    *e = (struct connection_end){0};
    buf_init(&e->got, 8 << 20);
}

static void on_accept(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own)
{
    struct connection *c = LIST_ENTRY(l, struct connection, listener);

    assert_false(stream_is_open(&c->server.stream));
    assert_int_equal(stream_open(&c->server.stream, c->loop, handle, CONNECTION_BUFFER,
                                 CONNECTION_BUFFER, connection_event),
                     0);
    c->server.stream.peer = *peer;
    c->server.stream.own = *own;
}

void connection_init_over(struct connection *c, const struct fake_network_options *options)
{
    struct net_address at = {.port = 0};

    *c = (struct connection){0};
    memcpy(at.ip, loopback_ip, sizeof(at.ip));
    if (options != NULL) {
        fake_clock_init(&c->clock);
        c->network = fake_network_new(&c->clock, options);
        c->net = fake_net_new(c->network, &at);
    } else {
        c->net = net_real_new();
    }
    c->loop = loop_new(c->net, options != NULL ? &c->clock.clock : clock_real());
    connection_end_init(&c->server);
    connection_end_init(&c->client);
    timer_init(&c->guard, guard_due);
    timer_set(c->loop, &c->guard, GUARD_MS);
    int handle = c->net->ops->listen(c->net, &at, false, 16);
    assert_true(handle >= 0);
    assert_int_equal(listener_open(&c->listener, c->loop, handle, on_accept), 0);
}

void connection_init(struct connection *c, uint64_t seed)
{
    struct fake_network_options options = {
        .seed = seed, .splits = seed % 2, .delay_max_us = seed % 3 ? 5000 : 0};

    connection_init_over(c, seed == 0 ? NULL : &options);
}

void connection_done(struct connection *c)
{
    stream_close(&c->client.stream);
    stream_close(&c->server.stream);
    listener_close(&c->listener);
    buf_done(&c->client.got);
    buf_done(&c->server.got);
    timer_cancel(c->loop, &c->guard);
    loop_free(c->loop);
    c->net->ops->free(c->net);
    if (c->network != NULL) {
        assert_int_equal(fake_network_open(c->network), 0);
        fake_network_free(c->network);
    }
}

struct net_address connection_address(struct connection *c)
{
    struct net_address at;

    assert_int_equal(c->net->ops->own_address(c->net, c->listener.watch.handle, &at), 0);
    assert_true(at.port != 0);
    return at;
}

void connection_start(struct connection *c)
{
    struct net_address at = connection_address(c);

    assert_int_equal(stream_connect(&c->client.stream, c->loop, &at, CONNECTION_BUFFER,
                                    CONNECTION_BUFFER, connection_event),
                     0);
}

void connection_open(struct connection *c)
{
    connection_start(c);
    CONNECTION_RUN_UNTIL(c, c->client.events[STREAM_CONNECTED] == 1 &&
                                stream_is_open(&c->server.stream));
}

void connection_settle(struct connection *c)
{
    for (int i = 0; i < 50; i++) {
        if (c->network != NULL)
            fake_clock_advance(&c->clock, 1000);
        assert_int_equal(loop_round(c->loop, false), 0);
    }
}
