/*
 * bench_load.c - many SMTP sessions on one loop, each message in the ledger before it leaves.
 *
 * A session takes a ticket, the leave to send one message, and keeps it until it has a connection
 * that is ready for one; so an hour without a server costs no message, only the time. What began
 * ends in one of three ways: acknowledged, refused, or unknown because the answer was lost.
 *
 * With --rate, a ticket is due at its own time and latency counts from then: a server that stands
 * still for a second is charged for all who would have come in that second.
 */
#include "cmd/bench.h"
#include "cmd/bench_figures.h"
#include "cmd/bench_ledger.h"
#include "cmd/bench_mail.h"
#include "cmd/bench_request.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "loop/signals.h"
#include "loop/stream.h"
#include "smtp/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { IN_MAX = 16 * 1024, BACKOFF_MIN_MS = 10, BACKOFF_MAX_MS = 1000, SLOW_PIECE = 1024 };

struct load;

struct load_session {
    struct list link; /* in load->waiting, when its ticket has to wait */
    struct load *load;
    struct stream stream;
    struct timer timer; /* the server's deadline, or until the next attempt */
    struct timer slow;
    struct client *client;
    uint64_t waits; /* client_waits() that the timer was set for */
    unsigned backoff_ms;
    bool ticket;
    bool connected;
    bool under_way; /* a message is with the engine */
    bool refused;   /* the last one was not acknowledged: rest before the next */
    bool resting;
    bool quitting;
    uint64_t due_us; /* monotonic: when its latency begins */
    uint64_t piece_at_ms;
    struct address rcpts[BENCH_EACH_MAX];
    struct buf content;
    size_t content_at;
    char id[BENCH_ID_MAX];
    size_t id_len;
};

struct load {
    struct bench_request *request;
    struct ledger ledger;
    struct bench_figures figures;
    struct bench_mail *mail;
    struct loop *loop;
    struct clock *clock;
    struct signals signals;
    struct timer end, next_due;
    struct client_settings settings;
    struct load_session *sessions;
    uint64_t living; /* sessions that may still do something */
    struct list waiting;
    uint64_t begun_us, ended_us; /* monotonic */
    uint64_t away_us;            /* since when no session comes through; 0: some do */
    uint64_t tickets;            /* given out */
    uint64_t messages;           /* begun */
    uint64_t turn;               /* of the recipients */
    unsigned run;                /* in the ids: ledgers of several runs may be joined */
    int connect_error;
    bool stopping;
    int status;
};

static void session_talk(struct load_session *s);
static bool session_go_on(struct load_session *s);

/* ---- tickets ---- */

static uint64_t due_us(const struct load *l, uint64_t ticket)
{
    return l->begun_us + ticket * 1000000 / l->request->rate;
}

static bool none_left(const struct load *l)
{
    return l->stopping || l->tickets >= l->request->messages;
}

/* False: it is not time yet. */
static bool take_ticket(struct load_session *s)
{
    struct load *l = s->load;
    uint64_t now = clock_monotonic_us(l->clock), due = now;

    if (l->request->rate > 0) {
        due = due_us(l, l->tickets);
        if (due > now)
            return false;
    }
    l->tickets++;
    s->ticket = true;
    s->due_us = due;
    return true;
}

static void wait_for_ticket(struct load_session *s)
{
    struct load *l = s->load;
    uint64_t now = clock_monotonic_us(l->clock), due = due_us(l, l->tickets);

    list_append(&l->waiting, &s->link);
    timer_set(l->loop, &l->next_due, due <= now ? 0 : (due - now + 999) / 1000);
}

static void on_next_due(struct timer *t)
{
    struct load *l = LIST_ENTRY(t, struct load, next_due);
    uint64_t now = clock_monotonic_us(l->clock);

    while (!list_empty(&l->waiting) && (none_left(l) || due_us(l, l->tickets) <= now)) {
        struct load_session *s = LIST_ENTRY(l->waiting.next, struct load_session, link);

        list_remove(&s->link);
        if (session_go_on(s))
            session_talk(s);
    }
    if (!list_empty(&l->waiting) && !timer_is_set(&l->next_due)) {
        uint64_t due = due_us(l, l->tickets);

        timer_set(l->loop, &l->next_due, due <= now ? 0 : (due - now + 999) / 1000);
    }
}

/* ---- one message ---- */

static struct slice session_id(const struct load_session *s)
{
    return (struct slice){s->id, s->id_len};
}

static void choose_rcpts(struct load_session *s)
{
    const struct bench_request *r = s->load->request;

    for (uint64_t i = 0; i < r->each; i++)
        s->rcpts[i] = r->rcpts[s->load->turn++ % r->rcpt_count];
}

static void make_content(struct load_session *s, uint64_t wall_us)
{
    struct load *l = s->load;
    const struct bench_request *r = l->request;
    uint64_t size = r->size_min;
    struct slice id, hash;

    if (r->size_max > size)
        size += random_below(random_real(), r->size_max - size + 1);
    buf_clear(&s->content);
    bench_mail_make(&s->content, session_id(s), &r->from, wall_us, random_u64(random_real()), size);
    s->content_at = 0;
    bench_mail_begin(l->mail);
    bench_mail_feed(l->mail, buf_slice(&s->content));
    bench_mail_end(l->mail, &id, &hash);
    ledger_note(&l->ledger, LEDGER_SENT, wall_us, id);
    ledger_word(&l->ledger, hash);
    for (uint64_t i = 0; i < r->each; i++)
        ledger_address(&l->ledger, &s->rcpts[i]);
    ledger_end(&l->ledger);
}

static void begin_message(struct load_session *s)
{
    struct load *l = s->load;
    int len =
        snprintf(s->id, sizeof(s->id), "%08x-%llu", l->run, (unsigned long long)++l->messages);

    s->id_len = (size_t)len;
    choose_rcpts(s);
    make_content(s, clock_wall_us(l->clock));
    struct client_message message = {.sender = l->request->from,
                                     .rcpts = s->rcpts,
                                     .rcpt_count = (unsigned)l->request->each,
                                     .size = buf_len(&s->content),
                                     .body = BODY_7BIT};
    s->ticket = false;
    s->under_way = true;
    client_message(s->client, &message);
}

/* A refusal of the engine itself has no code of a reply, but is no less known. */
static void note_failure(struct load_session *s)
{
    struct load *l = s->load;
    const struct client_outcome *why = client_outcome(s->client, 0);
    unsigned code = why->code == 0 && why->verdict == CLIENT_REFUSED ? 554 : why->code;
    bench_figures_failure(&l->figures, code, why->text);
    ledger_note(&l->ledger, LEDGER_FAILED, clock_wall_us(l->clock), session_id(s));
    ledger_number(&l->ledger, code);
    ledger_end(&l->ledger);
    s->refused = true;
}

/* The outcomes of the message under way are final. */
static void settle(struct load_session *s)
{
    struct load *l = s->load;
    unsigned accepted = 0;

    s->under_way = false;
    for (unsigned i = 0; i < l->request->each; i++) {
        if (client_outcome(s->client, i)->verdict != CLIENT_ACCEPTED)
            continue;
        if (accepted++ == 0)
            ledger_note(&l->ledger, LEDGER_ACKED, clock_wall_us(l->clock), session_id(s));
        ledger_address(&l->ledger, &s->rcpts[i]);
    }
    if (accepted > 0) {
        ledger_end(&l->ledger);
        bench_figures_ack(&l->figures, clock_monotonic_us(l->clock) - s->due_us,
                          buf_len(&s->content));
        s->backoff_ms = 0;
    } else {
        note_failure(s);
    }
}

/* ---- the session ---- */

/* What is under way ends by itself; who waits is told now. */
static void stop(struct load *l)
{
    if (l->stopping)
        return;
    l->stopping = true;
    timer_set(l->loop, &l->next_due, 0);
    for (uint64_t i = 0; i < l->request->sessions; i++) {
        struct load_session *s = &l->sessions[i];

        if (s->resting)
            timer_set(l->loop, &s->timer, 0);
    }
}

static void hang_up(struct load_session *s)
{
    timer_cancel(s->load->loop, &s->timer);
    timer_cancel(s->load->loop, &s->slow);
    list_remove(&s->link);
    stream_close(&s->stream);
    client_free(s->client);
    s->client = NULL;
    s->connected = s->under_way = s->resting = s->quitting = false;
}

static void session_end(struct load_session *s)
{
    struct load *l = s->load;

    hang_up(s);
    buf_done(&s->content);
    if (--l->living == 0)
        loop_stop(l->loop);
}

/* Nothing came of it: not at once again. */
static void rest(struct load_session *s)
{
    s->backoff_ms = s->backoff_ms == 0 ? BACKOFF_MIN_MS : 2 * s->backoff_ms;
    if (s->backoff_ms > BACKOFF_MAX_MS)
        s->backoff_ms = BACKOFF_MAX_MS;
    s->refused = false;
    s->resting = true;
    timer_set(s->load->loop, &s->timer, s->load->stopping ? 0 : s->backoff_ms);
}

/* The connection came to nothing; the session has none now. */
static void back_off(struct load_session *s, int code)
{
    struct load *l = s->load;
    uint64_t now = clock_monotonic_us(l->clock);

    hang_up(s);
    if (l->away_us == 0)
        l->away_us = now;
    if (now - l->away_us > l->request->timeout_s * 1000000 && !l->stopping) {
        l->status = EX_UNAVAILABLE;
        l->connect_error = code;
        stop(l);
    }
    rest(s);
}

static void connection_ended(struct load_session *s)
{
    bool good = s->quitting;

    if (s->under_way) {
        settle(s);
        good = false;
    }
    if (!good) {
        back_off(s, -ECONNABORTED);
        return;
    }
    hang_up(s);
    if (s->refused)
        rest(s);
    else
        (void)session_go_on(s); /* without a connection there is nothing to say yet */
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct load_session *s = LIST_ENTRY(stream, struct load_session, stream);

    switch (event) {
    case STREAM_CONNECTED:
        s->connected = true;
        session_talk(s);
        return;
    case STREAM_READABLE:
    case STREAM_DRAINED:
    case STREAM_SECURED: session_talk(s); return;
    case STREAM_EOF:
    case STREAM_FAILED:
        if (!s->connected) {
            back_off(s, event == STREAM_EOF ? -ECONNRESET : -stream->error);
            return;
        }
        client_fail(s->client, CLIENT_LOST);
        connection_ended(s);
        return;
    }
}

static void session_connect(struct load_session *s)
{
    struct load *l = s->load;

    s->client = client_new(&l->settings);
    s->waits = 0;
    int code =
        stream_connect(&s->stream, l->loop, &l->request->server, IN_MAX, CLIENT_OUT_MAX, on_stream);
    if (code < 0)
        back_off(s, code);
    else
        timer_set(l->loop, &s->timer, l->request->timeout_s * 1000);
}

/* It has no message under way: what is next? True: something to talk about. */
static bool session_go_on(struct load_session *s)
{
    struct load *l = s->load;

    if (l->stopping)
        s->ticket = false;
    if (!s->ticket && none_left(l)) {
        if (s->client == NULL) {
            session_end(s);
            return false;
        }
        s->quitting = true;
        client_quit(s->client);
        return true;
    }
    if (!s->ticket && !take_ticket(s)) {
        timer_cancel(l->loop, &s->timer);
        wait_for_ticket(s);
        return false;
    }
    if (s->client == NULL) {
        session_connect(s);
        return false;
    }
    begin_message(s);
    return true;
}

static void on_timer(struct timer *t)
{
    struct load_session *s = LIST_ENTRY(t, struct load_session, timer);

    if (s->resting) {
        s->resting = false;
        if (session_go_on(s))
            session_talk(s);
    } else if (!s->connected) {
        back_off(s, -ETIMEDOUT);
    } else {
        client_fail(s->client, CLIENT_TIMED_OUT);
        connection_ended(s);
    }
}

static void on_slow(struct timer *t)
{
    session_talk(LIST_ENTRY(t, struct load_session, slow));
}

/* False: it is too early for the next piece. */
static bool feed_body(struct load_session *s)
{
    struct load *l = s->load;
    size_t max = l->request->slow_ms == 0 ? CLIENT_PIECE_MAX : SLOW_PIECE;
    struct slice piece = slice_head(slice_skip(buf_slice(&s->content), s->content_at), max);

    if (loop_now_ms(l->loop) < s->piece_at_ms) {
        timer_set(l->loop, &s->slow, s->piece_at_ms - loop_now_ms(l->loop));
        return false;
    }
    if (l->request->slow_ms > 0)
        s->piece_at_ms = loop_now_ms(l->loop) + l->request->slow_ms;
    s->content_at += piece.len;
    if (piece.len == 0)
        client_body_end(s->client, &s->stream.out);
    else
        client_body(s->client, piece, &s->stream.out);
    return true;
}

/* The server was greeted, or the message has its outcome. True: talk on. */
static bool next_message(struct load_session *s)
{
    bool had_one = s->under_way;

    s->load->away_us = 0;
    if (had_one)
        settle(s);
    if (had_one && (!s->load->request->options.reuse || !client_takes_more(s->client))) {
        s->quitting = true;
        client_quit(s->client);
        return true;
    }
    if (!s->refused)
        return session_go_on(s);
    rest(s);
    return false;
}

static enum client_need step(struct load_session *s)
{
    struct cursor in = {buf_slice(&s->stream.in)};
    enum client_need need = client_step(s->client, &in, &s->stream.out);

    buf_consume(&s->stream.in, buf_len(&s->stream.in) - in.rest.len);
    return need;
}

/* True when all of it left at once, so that the engine may go on. */
static bool flush_all(struct load_session *s)
{
    bool some = buf_len(&s->stream.out) > 0;

    stream_flush(&s->stream);
    return some && buf_len(&s->stream.out) == 0;
}

static void wait_for_server(struct load_session *s)
{
    if (client_waits(s->client) != s->waits) {
        s->waits = client_waits(s->client);
        timer_set(s->load->loop, &s->timer, (uint64_t)client_timeout_s(s->client) * 1000);
    }
    stream_resume(&s->stream);
}

static void session_talk(struct load_session *s)
{
    for (;;) {
        switch (step(s)) {
        case CLIENT_WANTS_BODY:
            if (feed_body(s))
                break;
            stream_flush(&s->stream);
            wait_for_server(s);
            return;
        case CLIENT_READY:
            if (!next_message(s))
                return;
            break;
        case CLIENT_WANTS_TLS: client_fail(s->client, CLIENT_TLS_FAILED); break; /* never asked */
        case CLIENT_WANTS_AUTH: client_auth_stop(s->client, SLICE(""), SLICE("")); break; /* same */
        case CLIENT_DONE: connection_ended(s); return;
        case CLIENT_WANTS_INPUT:
            if (flush_all(s))
                break;
            wait_for_server(s);
            return;
        }
    }
}

/* ---- all of them ---- */

static void on_end(struct timer *t)
{
    stop(LIST_ENTRY(t, struct load, end));
}

static void on_signal(struct signals *signals, int number)
{
    struct load *l = LIST_ENTRY(signals, struct load, signals);

    (void)number;
    if (l->stopping) /* asked twice */
        loop_stop(l->loop);
    stop(l);
}

/* Before anything new can arrive, the ledger knows what was noted. */
static void before_sleep(void *ctx)
{
    struct load *l = ctx;

    if (ledger_write(&l->ledger))
        return;
    l->status = EX_IOERR;
    loop_stop(l->loop);
}

static void start_sessions(struct load *l)
{
    l->sessions = memory_new(l->request->sessions * sizeof(*l->sessions));
    l->living = l->request->sessions;
    l->begun_us = clock_monotonic_us(l->clock);
    for (uint64_t i = 0; i < l->request->sessions; i++) {
        struct load_session *s = &l->sessions[i];

        s->load = l;
        s->stream.watch.handle = -1;
        timer_init(&s->timer, on_timer);
        timer_init(&s->slow, on_slow);
        buf_init(&s->content, 2 * BENCH_SIZE_MAX);
        list_init(&s->link);
    }
    for (uint64_t i = 0; i < l->request->sessions; i++)
        (void)session_go_on(&l->sessions[i]); /* they have no connection yet */
}

static void stop_sessions(struct load *l)
{
    for (uint64_t i = 0; l->sessions != NULL && i < l->request->sessions; i++) {
        hang_up(&l->sessions[i]);
        buf_done(&l->sessions[i].content);
    }
    memory_free(l->sessions);
}

static int run_loop(struct load *l)
{
    int code = signals_open(&l->signals, l->loop, on_signal);

    if (code < 0)
        return command_wrong("bench", EX_OSERR, "cannot watch signals: %s", strerrordesc_np(-code));
    loop_before_sleep(l->loop, before_sleep, l);
    if (l->request->seconds > 0)
        timer_set(l->loop, &l->end, l->request->seconds * 1000);
    start_sessions(l);
    if (l->living > 0)
        code = loop_run(l->loop);
    l->ended_us = clock_monotonic_us(l->clock);
    stop_sessions(l);
    timer_cancel(l->loop, &l->end);
    timer_cancel(l->loop, &l->next_due);
    signals_close(&l->signals);
    return code < 0 ? command_wrong("bench", EX_OSERR, "the loop: %s", strerrordesc_np(-code)) : 0;
}

static int report(struct load *l)
{
    const struct bench_figures *f = &l->figures;
    int status = l->status;

    if (!ledger_write(&l->ledger))
        status = EX_IOERR;
    bench_figures_print(&l->figures, l->ended_us - l->begun_us, l->request->options.json);
    if (status == EX_UNAVAILABLE)
        command_wrong("bench", status, "no session comes through: %s; is the server running?",
                      strerrordesc_np(-l->connect_error));
    if (status == 0 && f->refused + f->unknown > 0)
        status = EX_TEMPFAIL;
    return status;
}

static int load_run(struct bench_request *request)
{
    struct load l = {
        .request = request,
        .clock = clock_real(),
        .settings = {.protocol = request->options.lmtp ? CLIENT_LMTP : CLIENT_SMTP,
                     .ehlo = SLICE("bench.invalid"),
                     .timeout_s = (unsigned)request->timeout_s}
    };
    struct net *net;

    if (!ledger_open(&l.ledger, request->options.ledger))
        return EX_CANTCREAT;
    bench_open_many_files();
    net = net_real_new();
    if (net == NULL)
        return EX_OSERR;
    list_init(&l.waiting);
    timer_init(&l.end, on_end);
    timer_init(&l.next_due, on_next_due);
    random_bytes(random_real(), &l.run, sizeof(l.run));
    l.mail = bench_mail_new();
    l.loop = loop_new(net, l.clock);
    int status = run_loop(&l);
    if (status == 0)
        status = report(&l);
    loop_free(l.loop);
    net->ops->free(net);
    bench_mail_free(l.mail);
    bench_figures_done(&l.figures);
    ledger_close(&l.ledger);
    return status;
}

int bench_load(int argc, char **argv)
{
    struct bench_request *request = MEMORY_NEW(struct bench_request);
    int status;

    if (bench_request_parse(request, argc, argv, &status))
        status = load_run(request);
    bench_request_done(request);
    memory_free(request);
    return status;
}
