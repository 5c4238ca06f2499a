/*
 * tls_test.c - TLS under a stream, over the real net and the fake one, whatever the seed does to
 * the pieces.
 */
#include "loop/stream.h"

#include "check.h"
#include "fakes/certificate.h"
#include "fakes/net.h"
#include "loop/listener.h"

#include <errno.h>

enum { SEEDS = 30, GUARD_MS = 20000, BUFFER = 64 * 1024 };

static const unsigned char loopback_ip[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};

struct end {
    struct stream stream;
    unsigned events[STREAM_FAILED + 1];
    struct buf got;
    bool echoes;
    size_t to_send, sent;
};

struct world {
    struct fake_clock clock;
    struct fake_network *network;
    struct net *net;
    struct loop *loop;
    struct listener listener;
    struct timer guard;
    struct end server, client;
    bool late;
};

struct fixture {
    struct tls_context *server, *client;
    struct buf chain, key;
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

    e->events[event]++;
    switch (event) {
    case STREAM_READABLE: take_input(e); break;
    case STREAM_DRAINED:
        take_input(e);
        stream_resume(s);
        feed(e);
        break;
    case STREAM_EOF:
        if (e->echoes)
            stream_finish(s);
        break;
    case STREAM_SECURED: feed(e); break;
    case STREAM_CONNECTED:
    case STREAM_FAILED: break;
    }
}

static void on_accept(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own)
{
    struct world *w = LIST_ENTRY(l, struct world, listener);

    (void)peer, (void)own;
    assert_int_equal(stream_open(&w->server.stream, w->loop, handle, BUFFER, BUFFER, on_event), 0);
}

#define RUN_UNTIL(w, condition)                                                                    \
    do {                                                                                           \
        while (!(condition) && !(w)->late)                                                         \
            assert_int_equal(loop_round((w)->loop, true), 0);                                      \
        check(condition);                                                                          \
    } while (0)

#define EVERY_NET for (uint64_t seed = check_row = 0; seed <= SEEDS; check_row = ++seed)

static void world_init(struct world *w, uint64_t seed)
{
    struct net_address at = {.port = 0};
    struct fake_network_options options = {
        .seed = seed, .splits = seed % 2, .delay_max_us = seed % 3 ? 5000 : 0};

    *w = (struct world){0};
    memcpy(at.ip, loopback_ip, sizeof(at.ip));
    if (seed > 0) {
        fake_clock_init(&w->clock);
        w->network = fake_network_new(&w->clock, &options);
        w->net = fake_net_new(w->network, &at);
    } else {
        w->net = net_real_new();
    }
    w->loop = loop_new(w->net, seed > 0 ? &w->clock.clock : clock_real());
    buf_init(&w->server.got, 8 << 20);
    buf_init(&w->client.got, 8 << 20);
    timer_init(&w->guard, guard_due);
    timer_set(w->loop, &w->guard, GUARD_MS);
    int handle = w->net->ops->listen(w->net, &at, false, 16);
    assert_true(handle >= 0);
    assert_int_equal(listener_open(&w->listener, w->loop, handle, on_accept), 0);
    assert_int_equal(w->net->ops->own_address(w->net, handle, &at), 0);
    assert_int_equal(stream_connect(&w->client.stream, w->loop, &at, BUFFER, BUFFER, on_event), 0);
    RUN_UNTIL(w, w->client.events[STREAM_CONNECTED] == 1 && stream_is_open(&w->server.stream));
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

static void secure_both(struct world *w, struct fixture *f)
{
    stream_start_tls(&w->server.stream, f->server, SLICE(""));
    stream_start_tls(&w->client.stream, f->client, SLICE("mx.example"));
    RUN_UNTIL(w, w->client.events[STREAM_SECURED] == 1 && w->server.events[STREAM_SECURED] == 1);
}

static void what_is_sent_arrives(void **state)
{
    static const size_t lens[] = {1, 100, 4096, 4097, 17000, 300000};
    static struct world w;

    EVERY_NET
    {
        size_t len = seed == 0 ? 3000000 : lens[seed % 6];

        world_init(&w, seed);
        w.server.echoes = true;
        w.client.to_send = len;
        secure_both(&w, *state);
        check_slice(tls_version(stream_tls(&w.client.stream)), SLICE("TLSv1.3"));
        check(tls_cipher(stream_tls(&w.server.stream)).len > 0);
        RUN_UNTIL(&w, buf_len(&w.client.got) == len);
        for (size_t i = 0; i < len; i++)
            check_int(buf_slice(&w.client.got).data[i], pattern(i));
        stream_finish(&w.client.stream);
        RUN_UNTIL(&w, w.client.events[STREAM_EOF] == 1 && w.server.events[STREAM_EOF] >= 1);
        check_int(w.client.events[STREAM_FAILED] + w.server.events[STREAM_FAILED], 0);
        world_done(&w);
    }
}

/* A record is read in pieces when the owner has little room: none of it waits for an event that
 * does not come. */
static void a_paused_reader_gets_the_rest(void **state)
{
    static struct world w;

    EVERY_NET
    {
        world_init(&w, seed);
        secure_both(&w, *state);
        stream_pause(&w.server.stream);
        w.client.to_send = 40000;
        feed(&w.client);
        for (int i = 0; i < 20; i++)
            assert_int_equal(loop_round(w.loop, false), 0);
        stream_resume(&w.server.stream);
        RUN_UNTIL(&w, buf_len(&w.server.got) == 40000);
        world_done(&w);
    }
}

static void the_last_reply_is_not_lost(void **state)
{
    static struct world w;

    EVERY_NET
    {
        world_init(&w, seed);
        secure_both(&w, *state);
        check(buf_append(&w.server.stream.out, SLICE("421 bye\r\n")));
        stream_finish(&w.server.stream);
        RUN_UNTIL(&w, w.client.events[STREAM_EOF] == 1);
        check_slice(buf_slice(&w.client.got), SLICE("421 bye\r\n"));
        world_done(&w);
    }
}

/* RFC 3207 4.2: what came in the clear is not known any more. Here it fills the place where the
 * handshake should begin, or lies in the buffer already. */
static void clear_text_is_dropped(void **state)
{
    struct fixture *f = *state;
    static struct world w;

    EVERY_NET
    {
        world_init(&w, seed);
        w.server.echoes = true;
        buf_append(&w.client.stream.in, SLICE("250 injected\r\n"));
        secure_both(&w, f);
        check_int(buf_len(&w.client.stream.in), 0);
        check_int(buf_len(&w.client.got), 0);
        world_done(&w);
    }
}

static void no_tls_there_is_a_failure(void **state)
{
    struct fixture *f = *state;
    static struct world w;

    EVERY_NET
    {
        world_init(&w, seed);
        check(buf_append(&w.server.stream.out, SLICE("454 4.7.0 no TLS today\r\n")));
        stream_flush(&w.server.stream);
        stream_start_tls(&w.client.stream, f->client, SLICE("mx.example"));
        RUN_UNTIL(&w, w.client.events[STREAM_FAILED] == 1);
        check_int(w.client.stream.error, EPROTO);
        check(tls_problem(stream_tls(&w.client.stream)).len > 0);
        world_done(&w);
    }
}

static void hanging_up_within_the_handshake_is_a_failure(void **state)
{
    struct fixture *f = *state;
    static struct world w;

    EVERY_NET
    {
        world_init(&w, seed);
        stream_start_tls(&w.client.stream, f->client, SLICE("mx.example"));
        stream_close(&w.server.stream);
        RUN_UNTIL(&w, w.client.events[STREAM_FAILED] == 1);
        check_int(w.client.events[STREAM_SECURED], 0);
        world_done(&w);
    }
}

static void the_certificate_is_shown(void **state)
{
    static const struct {
        struct slice host;
        bool matches;
    } rows[] = {
        {SLICE_INIT("mx.example"),    true },
        {SLICE_INIT("MX.example"),    true },
        {SLICE_INIT("other.example"), false},
        {SLICE_INIT("127.0.0.1"),     false},
        {SLICE_INIT(""),              false},
    };
    struct fixture *f = *state;
    static struct world w;
    struct arena arena = {0};
    struct tls_peer peer;

    world_init(&w, 0);
    secure_both(&w, f);
    CHECK_ROWS (i, rows) {
        check(tls_certificate(stream_tls(&w.client.stream), rows[i].host, &arena, &peer));
        check_slice(peer.subject, SLICE("CN=mx.example"));
        check_slice(peer.issuer, SLICE("CN=mx.example"));
        check_slice(peer.key, SLICE("EC 256"));
        check_slice(peer.mistrust, SLICE("self-signed certificate"));
        check_int(peer.name_count, 0);
        check(peer.until_s - peer.from_s == 2 * 60 * 60);
        check(peer.from_s > 1700000000 && peer.until_s < INT64_C(10000000000));
        check(peer.name_matches == rows[i].matches);
        check(peer.name_asked == (rows[i].host.len > 0));
    }
    /* A client shows none. */
    check(!tls_certificate(stream_tls(&w.server.stream), SLICE("mx.example"), &arena, &peer));
    world_done(&w);
    arena_done(&arena);
}

static void bad_keys_are_told(void **state)
{
    struct fixture *f = *state;
    struct buf other_chain, other_key;
    struct slice chain = buf_slice(&f->chain), key = buf_slice(&f->key);

    certificate_make("other.example", &other_chain, &other_key);

    const struct {
        struct slice chain, key;
        const char *why;
    } rows[] = {
        {chain,                                                 key,  NULL                              },
        {SLICE(""),                                             key,  "holds no certificate in PEM form"},
        {SLICE("-----BEGIN"),                                   key,  "holds no certificate in PEM form"},
        {slice_head(chain,                                      100), key,                                "holds no certificate in PEM form"},
        {chain,                                                     SLICE(""),                                                     "holds no private key in PEM form without a password"                         },
        {chain,                                                     slice_head(key,                                                     key.len / 2),
         "holds no private key in PEM form without a password"},
        {chain, buf_slice(&other_key),     "does not belong to the certificate"                                  },
    };

    CHECK_ROWS (i, rows) {
        const char *why;
        struct tls_context *c = tls_context_server(rows[i].chain, rows[i].key, &why);

        check((c != NULL) == (rows[i].why == NULL));
        if (rows[i].why != NULL)
            assert_string_equal(why, rows[i].why);
        tls_context_free(c);
    }
    buf_done(&other_chain);
    buf_done(&other_key);
}

static int set_up(void **state)
{
    static struct fixture f;
    const char *why;

    certificate_make("mx.example", &f.chain, &f.key);
    f.server = tls_context_server(buf_slice(&f.chain), buf_slice(&f.key), &why);
    f.client = tls_context_client();
    *state = &f;
    return f.server == NULL || f.client == NULL;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    tls_context_free(f->server);
    tls_context_free(f->client);
    buf_done(&f->chain);
    buf_done(&f->key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_arrives),
        cmocka_unit_test(a_paused_reader_gets_the_rest),
        cmocka_unit_test(the_last_reply_is_not_lost),
        cmocka_unit_test(clear_text_is_dropped),
        cmocka_unit_test(no_tls_there_is_a_failure),
        cmocka_unit_test(hanging_up_within_the_handshake_is_a_failure),
        cmocka_unit_test(the_certificate_is_shown),
        cmocka_unit_test(bad_keys_are_told),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
