/*
 * tls_test.c - TLS under a stream, over the real net and the fake one, whatever the seed does to
 * the pieces.
 */
#include "loop/stream.h"

#include "check.h"
#include "fakes/certificate.h"
#include "fakes/connection.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { SEEDS = 30 };

struct fixture {
    struct tls_context *server, *client;
    struct buf chain, key;
};

static void secure_both(struct connection *c, struct fixture *f)
{
    stream_start_tls(&c->server.stream, f->server, SLICE(""));
    stream_start_tls(&c->client.stream, f->client, SLICE("mx.example"));
    CONNECTION_RUN_UNTIL(c, c->client.events[STREAM_SECURED] == 1 &&
                                c->server.events[STREAM_SECURED] == 1);
}

static void what_is_sent_arrives(void **state)
{
    static const size_t lens[] = {1, 100, 4096, 4097, 17000, 300000};
    static struct connection c;
    unsigned all_bits;

    CONNECTION_EVERY_NET (SEEDS) {
        size_t len = seed == 0 ? 3000000 : lens[seed % 6];

        connection_init(&c, seed);
        connection_open(&c);
        c.server.echoes = true;
        c.client.to_send = len;
        secure_both(&c, *state);
        check_slice(tls_version(stream_tls(&c.client.stream)), SLICE("TLSv1.3"));
        check(tls_cipher(stream_tls(&c.server.stream)).len > 0);
        check_int(tls_bits(stream_tls(&c.server.stream), &all_bits), 128);
        check_int(all_bits, 128);
        CONNECTION_RUN_UNTIL(&c, buf_len(&c.client.got) == len);
        for (size_t i = 0; i < len; i++)
            check_int(buf_slice(&c.client.got).data[i], connection_pattern(i));
        stream_finish(&c.client.stream);
        CONNECTION_RUN_UNTIL(&c,
                             c.client.events[STREAM_EOF] == 1 && c.server.events[STREAM_EOF] >= 1);
        check_int(c.client.events[STREAM_FAILED] + c.server.events[STREAM_FAILED], 0);
        connection_done(&c);
    }
}

/* A record is read in pieces when the owner has little room: none of it waits for an event that
 * does not come. */
static void a_paused_reader_gets_the_rest(void **state)
{
    static struct connection c;

    CONNECTION_EVERY_NET (SEEDS) {
        connection_init(&c, seed);
        connection_open(&c);
        secure_both(&c, *state);
        stream_pause(&c.server.stream);
        c.client.to_send = 40000;
        connection_feed(&c.client);
        for (int i = 0; i < 20; i++)
            assert_int_equal(loop_round(c.loop, false), 0);
        stream_resume(&c.server.stream);
        CONNECTION_RUN_UNTIL(&c, buf_len(&c.server.got) == 40000);
        connection_done(&c);
    }
}

static void the_last_reply_is_not_lost(void **state)
{
    static struct connection c;

    CONNECTION_EVERY_NET (SEEDS) {
        connection_init(&c, seed);
        connection_open(&c);
        secure_both(&c, *state);
        check(buf_append(&c.server.stream.out, SLICE("421 bye\r\n")));
        stream_finish(&c.server.stream);
        CONNECTION_RUN_UNTIL(&c, c.client.events[STREAM_EOF] == 1);
        check_slice(buf_slice(&c.client.got), SLICE("421 bye\r\n"));
        connection_done(&c);
    }
}

/* RFC 3207 4.2: what came in the clear is not known any more. Here it fills the place where the
 * handshake should begin, or lies in the buffer already. */
static void clear_text_is_dropped(void **state)
{
    struct fixture *f = *state;
    static struct connection c;

    CONNECTION_EVERY_NET (SEEDS) {
        connection_init(&c, seed);
        connection_open(&c);
        c.server.echoes = true;
        buf_append(&c.client.stream.in, SLICE("250 injected\r\n"));
        secure_both(&c, f);
        check_int(buf_len(&c.client.stream.in), 0);
        check_int(buf_len(&c.client.got), 0);
        connection_done(&c);
    }
}

/* A client of OpenSSL alone, on the handle of one of ours that looks away. */
struct stranger {
    SSL_CTX *context;
    SSL *ssl;
};

static void stranger_shake_hands(struct stranger *s, struct connection *c, struct fixture *f)
{
    int done = 0;

    connection_init(c, 0);
    connection_open(c);
    stream_pause(&c->client.stream);
    stream_start_tls(&c->server.stream, f->server, SLICE(""));
    s->context = SSL_CTX_new(TLS_client_method());
    s->ssl = SSL_new(s->context);
    check_int(SSL_set_fd(s->ssl, c->client.stream.watch.handle), 1);
    SSL_set_connect_state(s->ssl);
    while (!c->late && (done != 1 || c->server.events[STREAM_SECURED] == 0)) {
        done = done == 1 ? 1 : SSL_do_handshake(s->ssl);
        assert_int_equal(loop_round(c->loop, false), 0);
    }
    check_int(c->server.events[STREAM_SECURED], 1);
}

static void stranger_done(struct stranger *s, struct connection *c)
{
    check_int(c->server.events[STREAM_FAILED], 0);
    SSL_free(s->ssl);
    SSL_CTX_free(s->context);
    connection_done(c);
}

/* False: the network takes no more now. */
static bool stranger_changes_keys(struct stranger *s)
{
    (void)SSL_key_update(s->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
    return SSL_do_handshake(s->ssl) == 1;
}

/* New keys are nothing for us to see, and the next ones may have come by then: that must not keep
 * everybody else from his turn. */
static void new_keys_without_end_leave_others_their_turn(void **state)
{
    static struct connection c;
    struct stranger s;
    int before = 0, left = 0, room = 4 * 1024 * 1024;

    stranger_shake_hands(&s, &c, *state);
    check_int(setsockopt(c.server.stream.watch.handle, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)),
              0);
    for (int i = 0; i < 10000 && stranger_changes_keys(&s); i++)
        continue;
    check_int(ioctl(c.server.stream.watch.handle, FIONREAD, &before), 0);
    check(before > 200000);
    assert_int_equal(loop_round(c.loop, false), 0);
    check_int(ioctl(c.server.stream.watch.handle, FIONREAD, &left), 0);
    check(left > before / 2);
    stranger_done(&s, &c);
}

static void no_tls_there_is_a_failure(void **state)
{
    struct fixture *f = *state;
    static struct connection c;

    CONNECTION_EVERY_NET (SEEDS) {
        connection_init(&c, seed);
        connection_open(&c);
        check(buf_append(&c.server.stream.out, SLICE("454 4.7.0 no TLS today\r\n")));
        stream_flush(&c.server.stream);
        stream_start_tls(&c.client.stream, f->client, SLICE("mx.example"));
        CONNECTION_RUN_UNTIL(&c, c.client.events[STREAM_FAILED] == 1);
        check_int(c.client.stream.error, EPROTO);
        check(tls_problem(stream_tls(&c.client.stream)).len > 0);
        connection_done(&c);
    }
}

static void hanging_up_within_the_handshake_is_a_failure(void **state)
{
    struct fixture *f = *state;
    static struct connection c;

    CONNECTION_EVERY_NET (SEEDS) {
        connection_init(&c, seed);
        connection_open(&c);
        stream_start_tls(&c.client.stream, f->client, SLICE("mx.example"));
        stream_close(&c.server.stream);
        CONNECTION_RUN_UNTIL(&c, c.client.events[STREAM_FAILED] == 1);
        check_int(c.client.events[STREAM_SECURED], 0);
        connection_done(&c);
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
    static struct connection c;
    struct arena arena = {0};
    struct tls_peer peer;

    connection_init(&c, 0);
    connection_open(&c);
    secure_both(&c, f);
    CHECK_ROWS (i, rows) {
        check(tls_certificate(stream_tls(&c.client.stream), rows[i].host, &arena, &peer));
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
    check(!tls_certificate(stream_tls(&c.server.stream), SLICE("mx.example"), &arena, &peer));
    connection_done(&c);
    arena_done(&arena);
}

/* One server with several names. */
static void who_asks_for_a_name_is_shown_its_certificate(void **state)
{
    static const struct {
        struct slice asked, shown;
    } rows[] = {
        {SLICE_INIT(""),                SLICE_INIT("CN=mx.example") },
        {SLICE_INIT("mx.example"),      SLICE_INIT("CN=mx.example") },
        {SLICE_INIT("other.example"),   SLICE_INIT("CN=mx.example") },
        {SLICE_INIT("One.Example"),     SLICE_INIT("CN=one.example")},
        {SLICE_INIT("a.two.example"),   SLICE_INIT("CN=*.two")      },
        {SLICE_INIT("A.Two.EXAMPLE"),   SLICE_INIT("CN=*.two")      },
        {SLICE_INIT("a.b.two.example"), SLICE_INIT("CN=mx.example") },
        {SLICE_INIT("c.two.example"),   SLICE_INIT("CN=one.example")},
        {SLICE_INIT(".two.example"),    SLICE_INIT("CN=mx.example") },
        {SLICE_INIT("two.example"),     SLICE_INIT("CN=mx.example") },
    };
    struct fixture *f = *state;
    struct buf one_chain, one_key, two_chain, two_key;
    static struct connection c;
    struct arena arena = {0};
    struct tls_peer peer;
    const char *why;
    struct tls_context *server = tls_context_server(buf_slice(&f->chain), buf_slice(&f->key), &why);

    certificate_make("one.example", &one_chain, &one_key);
    certificate_make("*.two", &two_chain, &two_key);
    check(tls_context_add(server, SLICE("one.example"), buf_slice(&one_chain), buf_slice(&one_key),
                          &why));
    check(tls_context_add(server, SLICE("*.two.example"), buf_slice(&two_chain),
                          buf_slice(&two_key), &why));
    check(tls_context_add(server, SLICE("c.two.example"), buf_slice(&one_chain),
                          buf_slice(&one_key), &why));
    check(!tls_context_add(server, SLICE("three.example"), buf_slice(&two_chain),
                           buf_slice(&one_key), &why));
    assert_string_equal(why, "does not belong to the certificate");
    CHECK_ROWS (i, rows) {
        connection_init(&c, 0);
        connection_open(&c);
        stream_start_tls(&c.server.stream, server, SLICE(""));
        stream_start_tls(&c.client.stream, f->client, rows[i].asked);
        CONNECTION_RUN_UNTIL(&c, c.client.events[STREAM_SECURED] == 1 &&
                                     c.server.events[STREAM_SECURED] == 1);
        check(tls_certificate(stream_tls(&c.client.stream), SLICE(""), &arena, &peer));
        check_slice(peer.subject, rows[i].shown);
        connection_done(&c);
    }
    tls_context_free(server);
    buf_done(&one_chain);
    buf_done(&one_key);
    buf_done(&two_chain);
    buf_done(&two_key);
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
        /* And of which file. */
        const char *of_chain = tls_chain_fault(rows[i].chain);
        const char *of_key = of_chain != NULL ? NULL : tls_key_fault(rows[i].chain, rows[i].key);
        check((of_chain != NULL ? of_chain : of_key) == rows[i].why ||
              strcmp(of_chain != NULL ? of_chain : of_key, rows[i].why) == 0);
        check((of_chain != NULL) == (i >= 1 && i <= 3));
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
        cmocka_unit_test(new_keys_without_end_leave_others_their_turn),
        cmocka_unit_test(no_tls_there_is_a_failure),
        cmocka_unit_test(hanging_up_within_the_handshake_is_a_failure),
        cmocka_unit_test(the_certificate_is_shown),
        cmocka_unit_test(who_asks_for_a_name_is_shown_its_certificate),
        cmocka_unit_test(bad_keys_are_told),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
