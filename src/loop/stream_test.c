/*
 * stream_test.c - streams and a listener, over the real net and over the fake one: every rule
 * must hold on both, whatever the seed does to the pieces.
 */
#include "loop/stream.h"

#include "base/memory.h"
#include "check.h"
#include "fakes/net.h"
#include "loop/listener.h"

#include <errno.h>
#include <sys/socket.h>

enum { SEEDS = 40, GUARD_MS = 20000, BUFFER = 64 * 1024 };

static const unsigned char loopback_ip[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};

/* One end of the connection under test. */
struct end {
    struct stream stream;
    unsigned events[STREAM_FAILED + 1];
    struct buf got;
    bool keeps; /* leaves what arrived in `in` */
    bool echoes;
    bool frees;     /* closes and frees at the first event */
    size_t to_send; /* a pattern, fed as `out` has room */
    size_t sent;
    bool in_call; /* the test is inside a call of the stream */
};

struct world {
    uint64_t seed; /* 0: the real net */
    struct fake_clock clock;
    struct fake_network *network;
    struct net *net;
    struct loop *loop;
    struct listener listener;
    struct timer guard;
    struct end server, client;
    bool late;
};

static void guard_due(struct timer *t)
{
    LIST_ENTRY(t, struct world, guard)->late = true;
}

static char pattern(size_t at)
{
    return (char)('a' + at * at % 23);
}

static void feed(struct end *e)
{
    do {
        while (e->sent < e->to_send && buf_append_char(&e->stream.out, pattern(e->sent)))
            e->sent++;
        stream_flush(&e->stream);
    } while (e->sent < e->to_send && buf_len(&e->stream.out) == 0);
}

static void take_input(struct end *e)
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

static void on_event(struct stream *s, enum stream_event event)
{
    struct end *e = LIST_ENTRY(s, struct end, stream);

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
    case STREAM_CONNECTED: feed(e); break;
    case STREAM_DRAINED:
        take_input(e);
        if (e->echoes)
            stream_resume(s);
        feed(e);
        break;
    case STREAM_SECURED: /* tls_test.c */
    case STREAM_FAILED: break;
    }
}

static void end_init(struct end *e)
{
    *e = (struct end){0};
    buf_init(&e->got, 8 << 20);
}

static void on_accept(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own)
{
    struct world *w = LIST_ENTRY(l, struct world, listener);

    assert_false(stream_is_open(&w->server.stream));
    assert_int_equal(stream_open(&w->server.stream, w->loop, handle, BUFFER, BUFFER, on_event), 0);
    w->server.stream.peer = *peer;
    w->server.stream.own = *own;
}

static void world_init(struct world *w, uint64_t seed)
{
    struct net_address at = {.port = 0};
    struct fake_network_options options = {
        .seed = seed, .splits = seed % 2, .delay_max_us = seed % 3 ? 5000 : 0};

    *w = (struct world){.seed = seed};
    memcpy(at.ip, loopback_ip, sizeof(at.ip));
    if (seed > 0) {
        fake_clock_init(&w->clock);
        w->network = fake_network_new(&w->clock, &options);
        w->net = fake_net_new(w->network, &at);
    } else {
        w->net = net_real_new();
    }
    w->loop = loop_new(w->net, seed > 0 ? &w->clock.clock : clock_real());
    end_init(&w->server);
    end_init(&w->client);
    timer_init(&w->guard, guard_due);
    timer_set(w->loop, &w->guard, GUARD_MS);
    int handle = w->net->ops->listen(w->net, &at, false, 16);
    assert_true(handle >= 0);
    assert_int_equal(listener_open(&w->listener, w->loop, handle, on_accept), 0);
}

static void world_done(struct world *w)
{
    stream_close(&w->client.stream);
    stream_close(&w->server.stream);
    listener_close(&w->listener);
    buf_done(&w->client.got);
    buf_done(&w->server.got);
    timer_cancel(w->loop, &w->guard);
    loop_free(w->loop);
    w->net->ops->free(w->net);
    if (w->network != NULL) {
        assert_int_equal(fake_network_open(w->network), 0);
        fake_network_free(w->network);
    }
}

static struct net_address server_address(struct world *w)
{
    struct net_address at;

    assert_int_equal(w->net->ops->own_address(w->net, w->listener.watch.handle, &at), 0);
    assert_true(at.port != 0);
    return at;
}

static void start(struct world *w)
{
    struct net_address at = server_address(w);

    assert_int_equal(stream_connect(&w->client.stream, w->loop, &at, BUFFER, BUFFER, on_event), 0);
}

#define RUN_UNTIL(w, condition)                                                                    \
    do {                                                                                           \
        while (!(condition) && !(w)->late)                                                         \
            assert_int_equal(loop_round((w)->loop, true), 0);                                      \
        check(condition);                                                                          \
    } while (0)

/* Long enough for anything that might still come. */
static void settle(struct world *w)
{
    for (int i = 0; i < 50; i++) {
        if (w->network != NULL)
            fake_clock_advance(&w->clock, 1000);
        assert_int_equal(loop_round(w->loop, false), 0);
    }
}

static void connect_both(struct world *w)
{
    start(w);
    RUN_UNTIL(w, w->client.events[STREAM_CONNECTED] == 1 && stream_is_open(&w->server.stream));
}

#define EVERY_NET(w) for (uint64_t seed = check_row = 0; seed <= SEEDS; check_row = ++seed)

static void test_echo(void **state)
{
    static const size_t lens[] = {1, 100, 4096, 4097, 300000};
    static struct world w;

    (void)state;
    EVERY_NET(w)
    {
        size_t len = lens[seed % 5];
        world_init(&w, seed);
        w.server.echoes = true;
        w.client.to_send = seed == 0 ? 3000000 : len;
        len = w.client.to_send;
        connect_both(&w);
        check(memcmp(w.client.stream.peer.ip, loopback_ip, 16) == 0);
        check_int(w.server.stream.peer.port, w.client.stream.own.port);
        check_int(w.server.stream.own.port, w.client.stream.peer.port);
        RUN_UNTIL(&w, buf_len(&w.client.got) == len);
        for (size_t i = 0; i < len; i++)
            check_int(buf_slice(&w.client.got).data[i], pattern(i));
        settle(&w);
        check(w.client.stream.in.data == NULL && w.client.stream.out.data == NULL);
        check(w.server.stream.in.data == NULL && w.server.stream.out.data == NULL);
        if (seed > 0 && len == 300000) /* more than fits on the way */
            check(w.client.events[STREAM_DRAINED] > 0);
        stream_finish(&w.client.stream);
        RUN_UNTIL(&w, w.client.events[STREAM_EOF] == 1 && w.server.events[STREAM_EOF] >= 1);
        check_int(w.client.events[STREAM_FAILED] + w.server.events[STREAM_FAILED], 0);
        world_done(&w);
    }
}

/* A last reply gets through although the client goes on talking; then the end. */
static void test_finish(void **state)
{
    static struct world w;

    (void)state;
    EVERY_NET(w)
    {
        world_init(&w, seed);
        connect_both(&w);
        w.client.to_send = 20000;
        feed(&w.client);
        w.server.keeps = true;
        RUN_UNTIL(&w, w.server.events[STREAM_READABLE] > 0);
        unsigned readable = w.server.events[STREAM_READABLE];
        check(buf_append(&w.server.stream.out, SLICE("421 bye\r\n")));
        stream_finish(&w.server.stream);
        RUN_UNTIL(&w, w.client.events[STREAM_EOF] == 1);
        check(slice_equal(buf_slice(&w.client.got), SLICE("421 bye\r\n")));
        check_int(w.server.events[STREAM_EOF], 0);
        stream_finish(&w.client.stream);
        RUN_UNTIL(&w, w.server.events[STREAM_EOF] == 1);
        check_int(w.server.events[STREAM_READABLE], readable);
        check_int(w.server.events[STREAM_DRAINED], 0);
        check_int(w.client.events[STREAM_FAILED] + w.server.events[STREAM_FAILED], 0);
        world_done(&w);
    }
}

/* A client that never closes is not waited for. */
static void test_linger(void **state)
{
    static struct world w;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        world_init(&w, seed);
        connect_both(&w);
        uint64_t begin_us = w.clock.now_us;
        stream_finish(&w.server.stream);
        RUN_UNTIL(&w, w.server.events[STREAM_EOF] == 1);
        check(w.clock.now_us / 1000 - begin_us / 1000 >= STREAM_LINGER_MS);
        settle(&w);
        check_int(w.server.events[STREAM_EOF], 1);
        world_done(&w);
    }
}

static void test_refused(void **state)
{
    static struct world w;

    (void)state;
    EVERY_NET(w)
    {
        world_init(&w, seed);
        struct net_address at = server_address(&w);
        listener_close(&w.listener);
        check_int(stream_connect(&w.client.stream, w.loop, &at, BUFFER, BUFFER, on_event), 0);
        RUN_UNTIL(&w, w.client.events[STREAM_FAILED] == 1);
        check_int(w.client.stream.error, ECONNREFUSED);
        settle(&w);
        check_int(w.client.events[STREAM_FAILED], 1);
        check_int(w.client.events[STREAM_CONNECTED], 0);
        world_done(&w);
    }
}

/* A paused stream does not read, does not spin over a hangup, and misses nothing. */
static void test_pause(void **state)
{
    static struct world w;

    (void)state;
    EVERY_NET(w)
    {
        world_init(&w, seed);
        connect_both(&w);
        stream_pause(&w.server.stream);
        w.client.to_send = 10000;
        feed(&w.client);
        RUN_UNTIL(&w, buf_len(&w.client.stream.out) == 0);
        settle(&w);
        check_int(w.server.events[STREAM_READABLE], 0);
        check(!w.server.stream.watch.watched);
        stream_finish(&w.client.stream);
        settle(&w);
        check(!w.server.stream.watch.watched);
        stream_resume(&w.server.stream);
        RUN_UNTIL(&w, w.server.events[STREAM_EOF] == 1);
        check_int(buf_len(&w.server.got), 10000);
        check_int(w.server.events[STREAM_FAILED], 0);
        world_done(&w);
    }
}

/* Nothing is read past the maximum; after consuming, stream_resume() goes on. */
static void test_full(void **state)
{
    static struct world w;

    (void)state;
    EVERY_NET(w)
    {
        world_init(&w, seed);
        connect_both(&w);
        w.server.keeps = true;
        w.client.to_send = BUFFER + 5000;
        feed(&w.client);
        RUN_UNTIL(&w, buf_len(&w.server.stream.in) == BUFFER);
        settle(&w);
        check(!w.server.stream.watch.watched);
        buf_consume(&w.server.stream.in, BUFFER);
        stream_resume(&w.server.stream);
        RUN_UNTIL(&w, buf_len(&w.server.stream.in) == 5000);
        check_int(buf_slice(&w.server.stream.in).data[4999], pattern(BUFFER + 4999));
        world_done(&w);
    }
}

/* A failure met inside a call is told afterwards, once. */
static void test_failure(void **state)
{
    static struct world w;

    (void)state;
    EVERY_NET(w)
    {
        world_init(&w, seed);
        connect_both(&w);
        stream_pause(&w.client.stream);
        struct linger hard = {1, 0};
        if (seed == 0)
            (void)setsockopt(w.server.stream.watch.handle, SOL_SOCKET, SO_LINGER, &hard,
                             sizeof(hard));
        stream_close(&w.server.stream);
        settle(&w);
        w.client.in_call = true;
        for (int i = 0; i < 3; i++) {
            (void)buf_append(&w.client.stream.out, SLICE("more"));
            stream_flush(&w.client.stream);
        }
        stream_resume(&w.client.stream);
        w.client.in_call = false;
        RUN_UNTIL(&w, w.client.events[STREAM_FAILED] == 1);
        check(w.client.stream.error > 0);
        stream_flush(&w.client.stream);
        stream_resume(&w.client.stream);
        settle(&w);
        check_int(w.client.events[STREAM_FAILED], 1);
        world_done(&w);
    }
}

/* The owner may free everything inside any event. */
static void test_free_inside(void **state)
{
    static struct world w;

    (void)state;
    EVERY_NET(w)
    {
        struct end *client = MEMORY_NEW(struct end);
        world_init(&w, seed);
        end_init(client);
        struct net_address at = server_address(&w);
        client->frees = true;
        bool both = w.server.frees = seed % 2;
        check_int(stream_connect(&client->stream, w.loop, &at, BUFFER, BUFFER, on_event), 0);
        RUN_UNTIL(&w, stream_is_open(&w.server.stream));
        settle(&w);
        /* 0xee..: freed (on_event overwrote it); a later event would have crashed. */
        check_int(client->events[0], 0xeeeeeeee);
        memory_free(client);
        if (both) {
            check_int(w.server.events[0], 0xeeeeeeee);
            end_init(&w.server);
        } else {
            check_int(w.server.events[STREAM_EOF], 1);
        }
        world_done(&w);
    }
}

/* Connections that break at any moment: each side is told, and nothing else goes wrong. */
static void test_loss(void **state)
{
    static struct world w;
    unsigned lost = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct fake_network_options options = {
            .seed = seed, .splits = true, .delay_max_us = 2000, .loss_per_million = 30000};
        struct net_address host = {.port = 0};
        world_init(&w, seed);
        listener_close(&w.listener);
        loop_free(w.loop);
        w.net->ops->free(w.net);
        fake_network_free(w.network);
        w.network = fake_network_new(&w.clock, &options);
        w.net = fake_net_new(w.network, &host);
        w.loop = loop_new(w.net, &w.clock.clock);
        timer_init(&w.guard, guard_due);
        timer_set(w.loop, &w.guard, GUARD_MS);
        memcpy(host.ip, loopback_ip, sizeof(host.ip));
        check_int(listener_open(&w.listener, w.loop, w.net->ops->listen(w.net, &host, true, 1),
                                on_accept),
                  0);
        w.server.echoes = true;
        w.client.to_send = 200000;
        start(&w);
        RUN_UNTIL(&w, w.client.events[STREAM_FAILED] == 1 || buf_len(&w.client.got) == 200000);
        settle(&w);
        for (size_t i = 0; i < buf_len(&w.client.got); i++)
            check_int(buf_slice(&w.client.got).data[i], pattern(i));
        check_int(w.server.events[STREAM_FAILED], w.client.events[STREAM_FAILED]);
        lost += w.client.events[STREAM_FAILED];
        world_done(&w);
    }
    assert_in_range(lost, 1, SEEDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),    cmocka_unit_test(test_finish),
        cmocka_unit_test(test_linger),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_pause),   cmocka_unit_test(test_full),
        cmocka_unit_test(test_failure), cmocka_unit_test(test_free_inside),
        cmocka_unit_test(test_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
