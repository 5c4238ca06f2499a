/*
 * stream_test.c - streams and a listener, over the real net and over the fake one: every rule
 * must hold on both, whatever the seed does to the pieces.
 */
#include "loop/stream.h"

#include "base/memory.h"
#include "check.h"
#include "fakes/connection.h"

#include <errno.h>
#include <sys/socket.h>

enum { SEEDS = 40 };

static void test_echo(void **state)
{
    static const size_t lens[] = {1, 100, 4096, 4097, 300000};
    static struct connection c;

    (void)state;
    CONNECTION_EVERY_NET (SEEDS) {
        size_t len = lens[seed % 5];
        connection_init(&c, seed);
        c.server.echoes = true;
        c.client.to_send = seed == 0 ? 3000000 : len;
        len = c.client.to_send;
        connection_open(&c);
        struct net_address at = connection_address(&c);
        check(memcmp(c.client.stream.peer.ip, at.ip, sizeof(at.ip)) == 0);
        check_int(c.client.stream.peer.port, at.port);
        check_int(c.server.stream.peer.port, c.client.stream.own.port);
        check_int(c.server.stream.own.port, c.client.stream.peer.port);
        CONNECTION_RUN_UNTIL(&c, buf_len(&c.client.got) == len);
        for (size_t i = 0; i < len; i++)
            check_int(buf_slice(&c.client.got).data[i], connection_pattern(i));
        connection_settle(&c);
        check(c.client.stream.in.data == NULL && c.client.stream.out.data == NULL);
        check(c.server.stream.in.data == NULL && c.server.stream.out.data == NULL);
        if (seed > 0 && len == 300000) /* more than fits on the way */
            check(c.client.events[STREAM_DRAINED] > 0);
        stream_finish(&c.client.stream);
        CONNECTION_RUN_UNTIL(&c,
                             c.client.events[STREAM_EOF] == 1 && c.server.events[STREAM_EOF] >= 1);
        check_int(c.client.events[STREAM_FAILED] + c.server.events[STREAM_FAILED], 0);
        connection_done(&c);
    }
}

/* A last reply gets through although the client goes on talking; then the end. */
static void test_finish(void **state)
{
    static struct connection c;

    (void)state;
    CONNECTION_EVERY_NET (SEEDS) {
        connection_init(&c, seed);
        connection_open(&c);
        c.client.to_send = 20000;
        connection_feed(&c.client);
        c.server.keeps = true;
        CONNECTION_RUN_UNTIL(&c, c.server.events[STREAM_READABLE] > 0);
        unsigned readable = c.server.events[STREAM_READABLE];
        check(buf_append(&c.server.stream.out, SLICE("421 bye\r\n")));
        stream_finish(&c.server.stream);
        CONNECTION_RUN_UNTIL(&c, c.client.events[STREAM_EOF] == 1);
        check(slice_equal(buf_slice(&c.client.got), SLICE("421 bye\r\n")));
        check_int(c.server.events[STREAM_EOF], 0);
        stream_finish(&c.client.stream);
        CONNECTION_RUN_UNTIL(&c, c.server.events[STREAM_EOF] == 1);
        check_int(c.server.events[STREAM_READABLE], readable);
        check_int(c.server.events[STREAM_DRAINED], 0);
        check_int(c.client.events[STREAM_FAILED] + c.server.events[STREAM_FAILED], 0);
        connection_done(&c);
    }
}

/* A client that never closes is not waited for. */
static void test_linger(void **state)
{
    static struct connection c;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        connection_init(&c, seed);
        connection_open(&c);
        uint64_t begin_us = c.clock.now_us;
        stream_finish(&c.server.stream);
        CONNECTION_RUN_UNTIL(&c, c.server.events[STREAM_EOF] == 1);
        check(c.clock.now_us / 1000 - begin_us / 1000 >= STREAM_LINGER_MS);
        connection_settle(&c);
        check_int(c.server.events[STREAM_EOF], 1);
        connection_done(&c);
    }
}

static void test_refused(void **state)
{
    static struct connection c;

    (void)state;
    CONNECTION_EVERY_NET (SEEDS) {
        connection_init(&c, seed);
        struct net_address at = connection_address(&c);
        listener_close(&c.listener);
        check_int(stream_connect(&c.client.stream, c.loop, &at, CONNECTION_BUFFER,
                                 CONNECTION_BUFFER, connection_event),
                  0);
        CONNECTION_RUN_UNTIL(&c, c.client.events[STREAM_FAILED] == 1);
        check_int(c.client.stream.error, ECONNREFUSED);
        connection_settle(&c);
        check_int(c.client.events[STREAM_FAILED], 1);
        check_int(c.client.events[STREAM_CONNECTED], 0);
        connection_done(&c);
    }
}

/* A paused stream does not read, does not spin over a hangup, and misses nothing. */
static void test_pause(void **state)
{
    static struct connection c;

    (void)state;
    CONNECTION_EVERY_NET (SEEDS) {
        connection_init(&c, seed);
        connection_open(&c);
        stream_pause(&c.server.stream);
        c.client.to_send = 10000;
        connection_feed(&c.client);
        CONNECTION_RUN_UNTIL(&c, buf_len(&c.client.stream.out) == 0);
        connection_settle(&c);
        check_int(c.server.events[STREAM_READABLE], 0);
        check(!c.server.stream.watch.watched);
        stream_finish(&c.client.stream);
        connection_settle(&c);
        check(!c.server.stream.watch.watched);
        stream_resume(&c.server.stream);
        CONNECTION_RUN_UNTIL(&c, c.server.events[STREAM_EOF] == 1);
        check_int(buf_len(&c.server.got), 10000);
        check_int(c.server.events[STREAM_FAILED], 0);
        connection_done(&c);
    }
}

/* Nothing is read past the maximum; after consuming, stream_resume() goes on. */
static void test_full(void **state)
{
    static struct connection c;

    (void)state;
    CONNECTION_EVERY_NET (SEEDS) {
        connection_init(&c, seed);
        connection_open(&c);
        c.server.keeps = true;
        c.client.to_send = CONNECTION_BUFFER + 5000;
        connection_feed(&c.client);
        CONNECTION_RUN_UNTIL(&c, buf_len(&c.server.stream.in) == CONNECTION_BUFFER);
        connection_settle(&c);
        check(!c.server.stream.watch.watched);
        buf_consume(&c.server.stream.in, CONNECTION_BUFFER);
        stream_resume(&c.server.stream);
        CONNECTION_RUN_UNTIL(&c, buf_len(&c.server.stream.in) == 5000);
        check_int(buf_slice(&c.server.stream.in).data[4999],
                  connection_pattern(CONNECTION_BUFFER + 4999));
        connection_done(&c);
    }
}

/* A failure met inside a call is told afterwards, once. */
static void test_failure(void **state)
{
    static struct connection c;

    (void)state;
    CONNECTION_EVERY_NET (SEEDS) {
        connection_init(&c, seed);
        connection_open(&c);
        stream_pause(&c.client.stream);
        struct linger hard = {1, 0};
        if (seed == 0)
            (void)setsockopt(c.server.stream.watch.handle, SOL_SOCKET, SO_LINGER, &hard,
                             sizeof(hard));
        stream_close(&c.server.stream);
        connection_settle(&c);
        c.client.in_call = true;
        for (int i = 0; i < 3; i++) {
            (void)buf_append(&c.client.stream.out, SLICE("more"));
            stream_flush(&c.client.stream);
        }
        stream_resume(&c.client.stream);
        c.client.in_call = false;
        CONNECTION_RUN_UNTIL(&c, c.client.events[STREAM_FAILED] == 1);
        check(c.client.stream.error > 0);
        stream_flush(&c.client.stream);
        stream_resume(&c.client.stream);
        connection_settle(&c);
        check_int(c.client.events[STREAM_FAILED], 1);
        connection_done(&c);
    }
}

/* The owner may free everything inside any event. */
static void test_free_inside(void **state)
{
    static struct connection c;

    (void)state;
    CONNECTION_EVERY_NET (SEEDS) {
        struct connection_end *client = MEMORY_NEW(struct connection_end);
        connection_init(&c, seed);
        connection_end_init(client);
        struct net_address at = connection_address(&c);
        client->frees = true;
        bool both = c.server.frees = seed % 2;
        check_int(stream_connect(&client->stream, c.loop, &at, CONNECTION_BUFFER, CONNECTION_BUFFER,
                                 connection_event),
                  0);
        CONNECTION_RUN_UNTIL(&c, stream_is_open(&c.server.stream));
        connection_settle(&c);
        /* 0xee..: freed (connection_event overwrote it); a later event would have crashed. */
        check_int(client->events[0], 0xeeeeeeee);
        memory_free(client);
        if (both) {
            check_int(c.server.events[0], 0xeeeeeeee);
            connection_end_init(&c.server);
        } else {
            check_int(c.server.events[STREAM_EOF], 1);
        }
        connection_done(&c);
    }
}

/* Connections that break at any moment: each side is told, and nothing else goes wrong. */
static void test_loss(void **state)
{
    static struct connection c;
    unsigned lost = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct fake_network_options options = {
            .seed = seed, .splits = true, .delay_max_us = 2000, .loss_per_million = 30000};
        connection_init_over(&c, &options);
        c.server.echoes = true;
        c.client.to_send = 200000;
        connection_start(&c);
        CONNECTION_RUN_UNTIL(&c, c.client.events[STREAM_FAILED] == 1 ||
                                     buf_len(&c.client.got) == 200000);
        connection_settle(&c);
        for (size_t i = 0; i < buf_len(&c.client.got); i++)
            check_int(buf_slice(&c.client.got).data[i], connection_pattern(i));
        check_int(c.server.events[STREAM_FAILED], c.client.events[STREAM_FAILED]);
        lost += c.client.events[STREAM_FAILED];
        connection_done(&c);
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
