/*
 * bench_sink.c - takes mail by SMTP, notes it in a ledger and forgets it.
 *
 * The other end of a relay: everything is accepted, the ledger has the mail before the client has
 * the 250. It can misbehave as remote servers do, each message by chance: refuse for good, put off,
 * or take the mail and hang up without a word, which is how honest senders come to send twice.
 */
#include "cmd/bench.h"
#include "cmd/bench_ledger.h"
#include "cmd/bench_mail.h"
#include "cmd/host_port.h"
#include "cmd/options.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "loop/listener.h"
#include "loop/signals.h"
#include "loop/stream.h"
#include "smtp/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { IN_MAX = 64 * 1024, GOODBYE_TIMEOUT_MS = 10000 };

struct sink {
    struct server_settings server;
    struct net_address address;
    uint64_t refuse, defer, hang_up; /* percent */
    struct ledger ledger;
    struct loop *loop;
    struct listener listener;
    struct signals signals;
    struct list sessions;
    unsigned long long taken, refused, deferred, hung_up;
    int status;
};

struct sink_session {
    struct list link;
    struct sink *sink;
    struct stream stream;
    struct timer timer;
    struct server *server;
    struct bench_mail *mail;
    bool begun; /* the mail reader is in a message */
};

static void session_free(struct sink_session *s)
{
    list_remove(&s->link);
    timer_cancel(s->sink->loop, &s->timer);
    stream_close(&s->stream);
    server_free(s->server);
    bench_mail_free(s->mail);
    memory_free(s);
}

static void keep_body(struct sink_session *s, struct slice bytes)
{
    if (!s->begun)
        bench_mail_begin(s->mail);
    s->begun = true;
    bench_mail_feed(s->mail, bytes);
}

/* Before the answer: what the ledger lacks was never taken. */
static bool note_mail(struct sink_session *s)
{
    struct sink *sink = s->sink;
    const struct envelope *e = server_envelope(s->server);
    struct slice id, hash;

    keep_body(s, SLICE("")); /* an empty message has no bytes */
    bench_mail_end(s->mail, &id, &hash);
    for (unsigned i = 0; i < e->rcpt_count; i++) {
        ledger_note(&sink->ledger, LEDGER_ARRIVED, clock_wall_us(loop_clock(sink->loop)), id);
        ledger_word(&sink->ledger, hash);
        ledger_address(&sink->ledger, &e->rcpts[i].original);
        ledger_end(&sink->ledger);
    }
    if (ledger_write(&sink->ledger))
        return true;
    sink->status = EX_IOERR;
    loop_stop(sink->loop);
    return false;
}

/* False: the session is over. */
static bool judge_mail(struct sink_session *s)
{
    struct sink *sink = s->sink;
    uint64_t chance = random_below(random_real(), 100);

    if (chance < sink->refuse) {
        sink->refused++;
        server_answer(s->server, &REPLY(554, "5.7.1", "Refused by chance"));
    } else if (chance < sink->refuse + sink->defer) {
        sink->deferred++;
        server_answer(s->server, &REPLY(451, "4.7.1", "Put off by chance"));
    } else if (!note_mail(s)) {
        return false;
    } else if (chance < sink->refuse + sink->defer + sink->hang_up) {
        sink->hung_up++;
        return false;
    } else {
        sink->taken++;
        server_answer(s->server, &REPLY(250, "2.0.0", "Ok: noted"));
    }
    s->begun = false;
    return true;
}

/* Steps the engine until it wants input. False: the session is over. */
static bool run_engine(struct sink_session *s, struct cursor *in, enum server_need *need)
{
    bool going = true;

    do {
        *need = server_step(s->server, in, &s->stream.out);
        switch (*need) {
        case SERVER_WANTS_CONNECT: server_answer(s->server, &REPLY(220, "", "")); break;
        case SERVER_WANTS_MAIL: server_answer(s->server, &REPLY(250, "2.1.0", "Ok")); break;
        case SERVER_WANTS_RCPT:
            server_answer_rcpt(s->server, &REPLY(250, "2.1.5", "Ok"), NULL, 0);
            break;
        case SERVER_BODY: keep_body(s, server_body(s->server)); break;
        case SERVER_RESET: s->begun = false; break;
        case SERVER_WANTS_COMMIT: going = judge_mail(s); break;
        case SERVER_WANTS_ROOM:
            stream_flush(&s->stream);
            if (buf_len(&s->stream.out) > 0)
                return true; /* STREAM_DRAINED brings us back */
            break;
        case SERVER_WANTS_TLS: /* not offered */
        case SERVER_WANTS_AUTH:
        case SERVER_WANTS_ETRN:
        case SERVER_WANTS_XCLIENT:
        case SERVER_START_TLS:
        case SERVER_REFUSED:
        case SERVER_WANTS_INPUT:
        case SERVER_DONE: break;
        }
    } while (going && *need != SERVER_WANTS_INPUT && *need != SERVER_DONE);
    return going;
}

static void session_run(struct sink_session *s)
{
    size_t had = buf_len(&s->stream.in);
    struct cursor in = {buf_slice(&s->stream.in)};
    enum server_need need = SERVER_WANTS_INPUT;

    if (!run_engine(s, &in, &need)) {
        session_free(s);
        return;
    }
    buf_consume(&s->stream.in, had - in.rest.len);
    if (need == SERVER_DONE) {
        timer_set(s->sink->loop, &s->timer, GOODBYE_TIMEOUT_MS);
        stream_finish(&s->stream);
        return;
    }
    timer_set(s->sink->loop, &s->timer, (uint64_t)server_timeout_s(s->server) * 1000);
    stream_flush(&s->stream);
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct sink_session *s = LIST_ENTRY(stream, struct sink_session, stream);

    switch (event) {
    case STREAM_READABLE:
    case STREAM_DRAINED: session_run(s); return;
    case STREAM_EOF:
    case STREAM_FAILED: session_free(s); return;
    case STREAM_CONNECTED:
    case STREAM_SECURED: return;
    }
}

static void on_timeout(struct timer *t)
{
    session_free(LIST_ENTRY(t, struct sink_session, timer));
}

static void on_accept(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own)
{
    struct sink *sink = LIST_ENTRY(l, struct sink, listener);
    struct sink_session *s = MEMORY_NEW(struct sink_session);
    char client[64];
    size_t client_len = net_address_text(peer, client);

    (void)own;
    s->sink = sink;
    s->server = server_new(&sink->server, (struct slice){client, client_len});
    s->mail = bench_mail_new();
    timer_init(&s->timer, on_timeout);
    list_append(&sink->sessions, &s->link);
    if (stream_open(&s->stream, sink->loop, handle, IN_MAX, SERVER_OUT_MAX, on_stream) < 0)
        session_free(s);
    else
        session_run(s);
}

static void on_signal(struct signals *signals, int number)
{
    (void)number;
    loop_stop(LIST_ENTRY(signals, struct sink, signals)->loop);
}

static int listen_there(struct sink *sink, struct net *net)
{
    struct net_address own;
    char text[64];
    int handle = net->ops->listen(net, &sink->address, false, LISTENER_BACKLOG);

    if (handle < 0)
        return command_wrong("bench", EX_UNAVAILABLE, "cannot listen there: %s",
                             strerrordesc_np(-handle));
    int code = net->ops->own_address(net, handle, &own);
    if (code == 0)
        code = listener_open(&sink->listener, sink->loop, handle, on_accept);
    if (code < 0)
        return command_wrong("bench", EX_OSERR, "cannot listen there: %s", strerrordesc_np(-code));
    size_t len = net_address_text(&own, text);
    printf("bench sink: listening on %.*s port %u; Ctrl-C ends it\n", (int)len, text, own.port);
    fflush(stdout);
    return 0;
}

static int run_loop(struct sink *sink, struct net *net)
{
    int code = signals_open(&sink->signals, sink->loop, on_signal);
    int status = code < 0 ? EX_OSERR : listen_there(sink, net);

    if (status == 0) {
        code = loop_run(sink->loop);
        status = code < 0 ? EX_OSERR : sink->status;
        listener_close(&sink->listener);
    }
    LIST_EACH (node, &sink->sessions)
        session_free(LIST_ENTRY(node, struct sink_session, link));
    signals_close(&sink->signals);
    if (status == 0)
        printf("bench sink: %llu taken, %llu refused, %llu put off, %llu taken without an answer\n",
               sink->taken, sink->refused, sink->deferred, sink->hung_up);
    return status;
}

static int sink_run(struct sink *sink, const char *ledger)
{
    struct net *net;
    int status = EX_OSERR;

    if (!ledger_open(&sink->ledger, ledger))
        return EX_CANTCREAT;
    bench_open_many_files();
    list_init(&sink->sessions);
    net = net_real_new();
    if (net != NULL) {
        sink->loop = loop_new(net, clock_real());
        status = run_loop(sink, net);
        loop_free(sink->loop);
        net->ops->free(net);
    }
    ledger_close(&sink->ledger);
    return status;
}

/* A port by itself means this machine, 0 lets the kernel choose. */
static bool parse_listen(const char *text, struct net_address *out)
{
    if (slice_equal(slice_of(text), SLICE("127.0.0.1:0"))) {
        *out = (struct net_address){
            .ip = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}
        };
        return true;
    }
    if (host_port_parse(slice_of(text), 0, out) == HOST_PORT_OK && out->port != 0)
        return true;
    command_wrong("bench", EX_USAGE,
                  "--listen '%s' is no IP address with a port, as 127.0.0.1:2525", text);
    return false;
}

int bench_sink(int argc, char **argv)
{
    struct sink sink = {
        .server = {.hostname = SLICE("sink.bench.invalid"),
                   .max_size = 1024ull * 1024 * 1024,
                   .line_ends = LINE_ENDS_STRICT,
                   .rcpt_max = ENVELOPE_RCPTS_MAX,
                   .error_max = 20,
                   .received_max = 100}
    };
    const char *listen = "127.0.0.1:2525", *ledger = NULL, *refuse = NULL, *defer = NULL,
               *hang_up = NULL;
    int status;
    const struct option options[] = {
        {"--listen",  NULL, OPTION_TEXT, &listen,  "HOST:PORT",
         "where (default 127.0.0.1:2525; port 0 on 127.0.0.1: any that is free)",                     NULL},
        {"--ledger",  NULL, OPTION_TEXT, &ledger,  "FILE",      "note every mail, for `bench check`",
         NULL                                                                                             },
        {"--refuse",  NULL, OPTION_TEXT, &refuse,  "PERCENT",   "answer 554 to so many messages",     NULL},
        {"--defer",   NULL, OPTION_TEXT, &defer,   "PERCENT",   "answer 451 to so many messages",     NULL},
        {"--hang-up", NULL, OPTION_TEXT, &hang_up, "PERCENT",
         "take so many messages, and hang up without an answer",                                      NULL},
    };
    const struct usage usage = {
        "bench sink",
        "[OPTION...]",
        "Takes every mail by SMTP, notes id and hash in a ledger, and forgets it.\n\n"
        "Exit status: 0 ended by a signal; 64 wrong usage; 69 the address is taken; 73, 74 the\n"
        "ledger cannot be made or written.",
        "  postroad bench sink --listen 127.0.0.1:2526 --ledger sink.ledger --defer 5\n",
        options,
        sizeof(options) / sizeof(*options)};

    if (!options_parse(&usage, argc, argv, &status))
        return status;
    if (!parse_listen(listen, &sink.address) ||
        !bench_number("--refuse", refuse, 100, &sink.refuse) ||
        !bench_number("--defer", defer, 100, &sink.defer) ||
        !bench_number("--hang-up", hang_up, 100, &sink.hang_up))
        return EX_USAGE;
    return sink_run(&sink, ledger);
}
