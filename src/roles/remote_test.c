/*
 * remote_test.c - connections to scripted servers, over the fake net on a virtual clock.
 *
 * The server says its greeting, then one reply for each line, and starts TLS where the script says
 * so. What the owner was told is written down as text and compared.
 */
#include "roles/remote.h"

#include "check.h"
#include "fakes/certificate.h"
#include "fakes/net.h"
#include "fakes/random.h"
#include "loop/listener.h"

#include <errno.h>

enum { SEEDS = 12, BUFFER = 64 * 1024, CONNECT_MS = 30000 };

static const unsigned char loopback_ip[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};

/* What the owner does when it is asked. */
enum login { LOGIN_AT_ONCE, LOGIN_LATER, LOGIN_NOT, LOGIN_GIVEN_UP, LOGIN_CLOSED };

struct world {
    struct fake_clock clock;
    struct fake_network *network;
    struct net *net;
    struct loop *loop;
    struct listener listener;
    struct stream server;
    const char *const *script; /* NULL ends it: the server then says nothing more */
    bool in_body, tls_due;
    struct tls_context *server_tls, *client_tls;
    struct remote remote;
    struct buf story;
    unsigned messages_left;
    size_t body_left;
    bool closes_when_ready;
    bool done;
    enum login login;
    struct timer later;
};

static const struct address bob = {ADDRESS_MAILBOX, SLICE_INIT("bob"), SLICE_INIT("b.example"),
                                   false};
static const struct client_message message = {
    .sender = {ADDRESS_MAILBOX, SLICE_INIT("ann"), SLICE_INIT("a.example"), false},
    .rcpts = &bob,
    .rcpt_count = 1
};

static struct world *world_of(struct remote *r)
{
    return LIST_ENTRY(r, struct world, remote);
}

/* --- the server --- */

static void say_next(struct world *w)
{
    if (*w->script == NULL)
        return;
    assert_true(buf_append(&w->server.out, slice_of(*w->script)) &&
                buf_append(&w->server.out, SLICE("\r\n")));
    w->in_body = slice_starts(slice_of(*w->script), SLICE("354"));
    w->script++;
    stream_flush(&w->server);
}

static void start_tls_if_due(struct world *w)
{
    if (!w->tls_due || buf_len(&w->server.out) > 0)
        return;
    w->tls_due = false;
    stream_start_tls(&w->server, w->server_tls, SLICE(""));
}

static void hear_line(struct world *w, struct slice line)
{
    if (w->in_body && !slice_equal(line, SLICE(".\r")))
        return;
    if (*w->script != NULL && slice_equal(slice_of(*w->script), SLICE("hang up"))) {
        stream_close(&w->server);
        return;
    }
    w->tls_due = slice_equal(line, SLICE("STARTTLS\r")) && w->server_tls != NULL;
    say_next(w);
    start_tls_if_due(w);
}

static void on_server_event(struct stream *s, enum stream_event event)
{
    struct world *w = LIST_ENTRY(s, struct world, server);
    struct slice line, rest;
    char copy[256];

    start_tls_if_due(w);
    if (event != STREAM_READABLE)
        return;
    while (stream_is_open(s) && slice_cut(buf_slice(&s->in), '\n', &line, &rest)) {
        size_t len = line.len < sizeof(copy) ? line.len : sizeof(copy);

        memcpy(copy, line.data, len);
        buf_consume(&s->in, line.len + 1);
        hear_line(w, (struct slice){copy, len});
    }
}

static void on_accept(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own)
{
    struct world *w = LIST_ENTRY(l, struct world, listener);

    (void)peer, (void)own;
    assert_int_equal(stream_open(&w->server, w->loop, handle, BUFFER, BUFFER, on_server_event), 0);
    say_next(w);
}

/* --- the owner --- */

static void tell_outcome(struct world *w, const struct client_outcome *o)
{
    struct slice step = o->step == STEP_NONE ? SLICE("-") : step_name(o->step);

    buf_printf(&w->story, "%u %.*s %.*s; ", o->code, SLICE_PRINTF(step), SLICE_PRINTF(o->enhanced));
}

static void on_event(struct remote *r, enum remote_event event)
{
    struct world *w = world_of(r);

    switch (event) {
    case REMOTE_READY:
        buf_append(&w->story, SLICE("ready "));
        tell_outcome(w, client_final(r->client));
        if (w->closes_when_ready) {
            w->done = true;
            remote_close(r);
        } else if (w->messages_left > 0) {
            w->messages_left--;
            w->body_left = 40000;
            remote_send(r, &message);
        } else {
            remote_quit(r);
        }
        break;
    case REMOTE_OVER:
        buf_append(&w->story, SLICE("over "));
        if (r->connect_error != 0)
            buf_printf(&w->story, "%s", strerrorname_np(-r->connect_error));
        else
            tell_outcome(w, client_final(r->client));
        w->done = true;
        break;
    }
}

static enum remote_piece next_piece(struct remote *r, struct slice *piece)
{
    static const struct slice line = SLICE_INIT("a line of the message\r\n");
    struct world *w = world_of(r);

    if (w->body_left < line.len)
        return w->body_left == 1 ? REMOTE_UNREADABLE : REMOTE_END;
    w->body_left -= line.len;
    *piece = line;
    return REMOTE_PIECE;
}

static void give_credentials(struct world *w)
{
    if (w->login == LOGIN_NOT)
        remote_no_login(&w->remote, SLICE("4.7.0"), SLICE("nobody knows"));
    else
        remote_login(&w->remote,
                     &(struct credentials){.user = SLICE("ann"), .secret = SLICE("pencil")});
}

static void on_later(struct timer *t)
{
    struct world *w = LIST_ENTRY(t, struct world, later);

    if (w->login == LOGIN_GIVEN_UP)
        remote_give_up(&w->remote);
    give_credentials(w); /* then it is too late, and harmless */
}

static void log_in(struct remote *r)
{
    struct world *w = world_of(r);

    buf_append(&w->story, SLICE("log in "));
    switch (w->login) {
    case LOGIN_AT_ONCE:
    case LOGIN_NOT: give_credentials(w); break;
    case LOGIN_LATER:
    case LOGIN_GIVEN_UP: timer_set(w->loop, &w->later, 3600 * 1000); break;
    case LOGIN_CLOSED:
        w->done = true;
        remote_close(r);
        break;
    }
}

static const struct remote_owner owner = {on_event, next_piece, NULL, log_in};

static void world_init(struct world *w, uint64_t seed, const char *const *script)
{
    struct net_address at = {.port = 0};
    struct fake_network_options options = {
        .seed = seed, .splits = seed % 2, .delay_max_us = seed % 3 ? 5000 : 0};
    const char *why;
    struct buf chain, key;

    *w = (struct world){.script = script};
    timer_init(&w->later, on_later);
    memcpy(at.ip, loopback_ip, sizeof(at.ip));
    fake_clock_init(&w->clock);
    w->network = fake_network_new(&w->clock, &options);
    w->net = fake_net_new(w->network, &at);
    w->loop = loop_new(w->net, &w->clock.clock);
    buf_init(&w->story, 4096);
    int handle = w->net->ops->listen(w->net, &at, false, 16);
    assert_int_equal(listener_open(&w->listener, w->loop, handle, on_accept), 0);
    certificate_make("mx.example", &chain, &key);
    w->server_tls = tls_context_server(buf_slice(&chain), buf_slice(&key), &why);
    w->client_tls = tls_context_client();
    buf_done(&chain);
    buf_done(&key);
}

static void world_done(struct world *w)
{
    remote_close(&w->remote);
    stream_close(&w->server);
    if (w->listener.watch.handle >= 0)
        listener_close(&w->listener);
    loop_free(w->loop);
    w->net->ops->free(w->net);
    assert_int_equal(fake_network_open(w->network), 0);
    fake_network_free(w->network);
    tls_context_free(w->server_tls);
    tls_context_free(w->client_tls);
    buf_done(&w->story);
}

static void run(struct world *w, const struct remote_options *options)
{
    struct net_address at;

    assert_int_equal(w->net->ops->own_address(w->net, w->listener.watch.handle, &at), 0);
    remote_open(&w->remote, w->loop, &at, options, &owner);
    for (int i = 0; i < 100000 && !w->done; i++)
        (void)loop_round(w->loop, true);
    check(w->done);
}

struct row {
    const char *script[16];
    const char *story;
    unsigned messages;
    enum client_tls tls;
    bool no_tls_at_server;
    uint64_t least_s; /* it takes at least so long */
};

static const struct row rows[] = {
    {{"220 a", "250 b", "250 ok", "250 ok", "354 go", "250 2.0.0 in", "221 bye"},
     "ready 0 - ; ready 250 end of data 2.0.0; over 250 end of data 2.0.0; ",                                  1,
     CLIENT_TLS_NEVER,                                                                                                              false,
     0                                                                                                                                        },
 /* two messages on one connection */
    {{"220 a", "250 b", "250 ok", "250 ok", "354 go", "250 2.0.0 in", "250 ok", "550 5.1.1 no",
      "221 bye"},
     "ready 0 - ; ready 250 end of data 2.0.0; ready 0 - ; over 0 - ; ",                                       2,
     CLIENT_TLS_NEVER,                                                                                                              false,
     0                                                                                                                                        },
    {{"554 5.7.1 no", "221 bye"},                                                 "over 554 greeting 5.7.1; ", 1, CLIENT_TLS_NEVER, false, 0  },
    {{"220 a", "hang up"},                                                        "over 0 EHLO 4.4.2; ",       1, CLIENT_TLS_NEVER, false, 0  },
 /* RFC 5321 4.5.3.2: a silent server is waited for as long as its step takes */
    {{NULL},                                                                      "over 0 greeting 4.4.2; ",   1, CLIENT_TLS_NEVER, false, 300},
    {{"220 a", "250 b", "250 ok", "250 ok", "354 go"},
     "ready 0 - ; over 0 end of data 4.4.2; ",                                                                 1,
     CLIENT_TLS_NEVER,                                                                                                              false,
     600                                                                                                                                      },
    {{"220 a", "250-b\r\n250 STARTTLS", "220 go", "250 b", "250 ok", "250 ok", "354 go",
      "250 2.0.0 in", "221 bye"},
     "ready 0 - ; ready 250 end of data 2.0.0; over 250 end of data 2.0.0; ",                                  1,
     CLIENT_TLS_ALWAYS,                                                                                                             false,
     0                                                                                                                                        },
    {{"220 a", "250-b\r\n250 STARTTLS", "220 go", "this is no TLS at all"},
     "over 0 STARTTLS 4.7.5; ",                                                                                1,
     CLIENT_TLS_IF_OFFERED,                                                                                                         true,
     0                                                                                                                                        },
};

static void dialogs_end_as_they_should(void **state)
{
    static struct world w;

    (void)state;
    CHECK_ROWS (i, rows) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct remote_options options = {
                .client = {.ehlo = SLICE("me.example"), .tls = rows[i].tls},
                .connect_timeout_ms = CONNECT_MS
            };

            world_init(&w, seed, rows[i].script);
            w.messages_left = rows[i].messages;
            options.tls = w.client_tls;
            if (rows[i].no_tls_at_server) {
                tls_context_free(w.server_tls);
                w.server_tls = NULL;
            }
            uint64_t began = w.clock.now_us;
            run(&w, &options);
            check_slice(buf_slice(&w.story), slice_of(rows[i].story));
            check((remote_tls_problem(&w.remote).len > 0) == rows[i].no_tls_at_server);
            check((w.clock.now_us - began) / 1000000 >= rows[i].least_s);
            world_done(&w);
        }
    }
}

static void the_owner_may_close_at_any_event(void **state)
{
    static const char *const script[] = {"220 a", "250 b", NULL};
    static struct world w;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct remote_options options = {.client = {.ehlo = SLICE("me.example")},
                                         .connect_timeout_ms = CONNECT_MS};

        world_init(&w, seed, script);
        w.closes_when_ready = true;
        run(&w, &options);
        check_slice(buf_slice(&w.story), SLICE("ready 0 - ; "));
        world_done(&w);
    }
}

/* However long it takes to find out who we are: the server is not read meanwhile, and whoever gave
 * up is not asked. */
static void logs_in(void **state)
{
    static const struct {
        const char *script[10];
        enum login login;
        const char *story;
    } table[] = {
        {{"220 a", "250-b\r\n250 AUTH PLAIN", "235 ok", "221 bye"},
         LOGIN_AT_ONCE,                                                                                             "log in ready 0 - ; over 0 - ; "},
        {{"220 a", "250-b\r\n250 AUTH PLAIN", "235 ok", "221 bye"},
         LOGIN_LATER,                                                                                               "log in ready 0 - ; over 0 - ; "},
        {{"220 a", "250-b\r\n250 AUTH LOGIN", "334 VXNlcg==", "334 UGFzcw==", "235 ok", "221 bye"},
         LOGIN_AT_ONCE,                                                                                             "log in ready 0 - ; over 0 - ; "},
        {{"220 a", "250-b\r\n250 AUTH PLAIN", "535 5.7.8 no", "221 bye"},
         LOGIN_LATER,                                                                                               "log in over 535 AUTH 5.7.8; "  },
        {{"220 a", "250-b\r\n250 AUTH PLAIN", "221 bye"},                                           LOGIN_NOT,      "log in over 0 AUTH 4.7.0; "    },
        {{"220 a", "250-b\r\n250 AUTH PLAIN"},                                                      LOGIN_GIVEN_UP, "log in over 0 AUTH 4.7.0; "    },
        {{"220 a", "250-b\r\n250 AUTH PLAIN"},                                                      LOGIN_CLOSED,   "log in "                       },
        {{"220 a", "250 b", "221 bye"},                                                             LOGIN_AT_ONCE,  "over 0 AUTH 4.7.4; "           },
    };
    static struct world w;

    (void)state;
    CHECK_ROWS (i, table) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct fake_random random;
            struct remote_options options = {
                .client = {.ehlo = SLICE("me.example"), .login = CLIENT_LOGIN_ANYHOW},
                .connect_timeout_ms = CONNECT_MS,
                .random = &random.random
            };

            fake_random_init(&random, seed);
            world_init(&w, seed, table[i].script);
            w.login = table[i].login;
            run(&w, &options);
            check_slice(buf_slice(&w.story), slice_of(table[i].story));
            world_done(&w);
        }
    }
}

static void nobody_there(void **state)
{
    static const char *const script[] = {NULL};
    static struct world w;
    struct remote_options options = {.client = {.ehlo = SLICE("me.example")},
                                     .connect_timeout_ms = CONNECT_MS};
    struct net_address at;

    (void)state;
    world_init(&w, 1, script);
    assert_int_equal(w.net->ops->own_address(w.net, w.listener.watch.handle, &at), 0);
    listener_close(&w.listener);
    remote_open(&w.remote, w.loop, &at, &options, &owner);
    for (int i = 0; i < 1000 && !w.done; i++)
        (void)loop_round(w.loop, true);
    check_slice(buf_slice(&w.story), SLICE("over ECONNREFUSED"));
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialogs_end_as_they_should),
        cmocka_unit_test(the_owner_may_close_at_any_event),
        cmocka_unit_test(logs_in),
        cmocka_unit_test(nobody_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
