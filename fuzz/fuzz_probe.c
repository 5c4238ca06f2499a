/*
 * fuzz_probe.c - what a hostile server makes `postroad probe` say.
 *
 * First character: TLS, the output, whether the server is judged by its answers to tricks. The
 * rest: the server's lines, each after the client has said what it can, as in fuzz_smtp_client. The
 * table must be printable line by line, the JSON ASCII; both are bounded.
 */
#include "fuzz.h"

#include "cmd/probe.h"
#include "wire/utf8.h"

enum { IN_MAX = 4 * 1024 * 1024, LINE_MAX_BYTES = 8 * 1024 };

enum choice { TLS_WANTED = 1, TLS_WORKS = 2, IMPLICIT = 4, JSON = 8, TRICKS = 16 };

struct play {
    struct probe probe;
    struct route_host host;
    struct route_hop hop;
    struct probe_try try;
    struct client *client;
    struct buf in, out;
    unsigned choice;
    bool asked, over;
};

static void next(struct play *p)
{
    struct client_message message = {
        .sender = p->probe.request.from, .rcpts = &p->probe.request.to, .rcpt_count = 1};

    if (p->asked)
        client_quit(p->client);
    else
        client_message(p->client, &message);
    p->asked = true;
}

static void run(struct play *p)
{
    while (!p->over) {
        struct cursor in = {buf_slice(&p->in)};
        enum client_need need = client_step(p->client, &in, &p->out);

        buf_consume(&p->in, buf_len(&p->in) - in.rest.len);
        buf_clear(&p->out);
        switch (need) {
        case CLIENT_WANTS_INPUT: return;
        case CLIENT_WANTS_AUTH:
        case CLIENT_WANTS_BODY: must(false); break;
        case CLIENT_READY: next(p); break;
        case CLIENT_WANTS_TLS:
            p->probe.session.secured = p->choice & TLS_WORKS;
            if (p->choice & TLS_WORKS)
                client_secured(p->client);
            else
                client_fail(p->client, CLIENT_TLS_FAILED);
            break;
        case CLIENT_DONE: p->over = true; break;
        }
    }
}

static void play(struct play *p, struct slice server)
{
    while (server.len > 0 && !p->over) {
        size_t end = slice_find(server, '\n');

        must(buf_append(&p->in, slice_head(server, end + 1)));
        server = slice_skip(server, end + 1);
        run(p);
    }
    if (!p->over)
        client_fail(p->client, CLIENT_LOST);
    p->probe.session.end = *client_final(p->client);
    if (p->asked)
        p->probe.session.asked = *client_outcome(p->client, 0);
}

static void start(struct play *p, unsigned choice)
{
    struct probe_session *s = &p->probe.session;
    struct client_settings settings = {
        .ehlo = SLICE("me.example"), .quit_after = STEP_RCPT, .heard = &s->heard};

    *p = (struct play){.choice = choice};
    p->host.name = SLICE("mx.example");
    p->hop = (struct route_hop){.host = &p->host, .port = 25};
    p->try.hop = &p->hop;
    p->probe.chosen = &p->try;
    p->probe.request.from = (struct address){.kind = ADDRESS_NULL};
    p->probe.request.to =
        (struct address){ADDRESS_MAILBOX, SLICE("a"), SLICE("example.com"), false};
    if (choice & TLS_WANTED && !(choice & IMPLICIT))
        settings.tls = CLIENT_TLS_IF_OFFERED;
    heard_init(&s->heard);
    s->request = &p->probe.request;
    s->secured = s->implicit = (choice & IMPLICIT) != 0;
    buf_init(&p->in, IN_MAX);
    buf_init(&p->out, CLIENT_OUT_MAX);
    p->client = client_new(&settings);
    run(p);
}

static void add_trick(struct probe_tricks *to, struct probe_trick t)
{
    must(t.name != NULL && t.verdict <= TRICK_FOOLED);
    to->tricks[to->count++] = t;
}

/* The same lines as answers to a script, of which some were wanted otherwise. */
static void play_tricks(struct play *p, struct slice server)
{
    enum { LINE = 10, ANSWER_TEXT_MAX = 4096 };

    struct arena *arena = &p->probe.arena;
    struct wire w = {.end = (enum wire_end)(server.len % (WIRE_NO_CONNECTION + 1))};
    struct cursor in = {server};
    struct reply_reader reader;

    reply_reader_init(&reader, ANSWER_TEXT_MAX);
    while (w.reply_count < WIRE_REPLIES_MAX && reply_read(&reader, &in) == REPLY_COMPLETE) {
        w.replies[w.reply_count] = (struct wire_reply){w.reply_count * 2, reader.code,
                                                       arena_copy(arena, buf_slice(&reader.text))};
        w.at = w.reply_count++ * 2;
        reply_reader_reset(&reader);
    }
    if (w.reply_count == 0 && w.end == WIRE_UNWANTED)
        w.end = WIRE_LOST; /* it was a reply that was unwanted */
    add_trick(&p->probe.smuggling, probe_judge_ending("a", &w, LINE, arena));
    add_trick(&p->probe.downgrade, probe_judge_downgrade("b", &w, LINE, INJECTED_WHOLE, arena));
    add_trick(&p->probe.downgrade, probe_judge_downgrade("c", &w, LINE, INJECTED_HALF, arena));
    reply_reader_done(&reader);
}

static void check_table(struct slice text)
{
    struct slice line;

    must(slice_starts(text, SLICE("speaks SMTP: ")));
    while (text.len > 0) {
        must(slice_cut(text, '\n', &line, &text));
        must(utf8_printable(line) && line.len < LINE_MAX_BYTES);
    }
}

static void check_json(struct slice text)
{
    must(slice_starts(text, SLICE("{")) && slice_ends(text, SLICE("}\n")));
    for (size_t i = 0; i + 1 < text.len; i++)
        must(text.data[i] >= ' ' && text.data[i] < 0x7f);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {slice_head(input, IN_MAX)};
    struct play p;
    struct buf told;
    bool json;

    start(&p, fuzz_choice(&c));
    play(&p, c.rest);
    json = p.choice & JSON;
    if (p.choice & TRICKS)
        play_tricks(&p, c.rest);
    p.probe.speaks =
        probe_speaks(&p.probe.session, &p.probe.arena, &p.probe.why) ? PROBE_YES : PROBE_NO;
    buf_init(&told, PROBE_OUTPUT_MAX);
    must((json ? probe_json : probe_report)(&p.probe, &told));
    (json ? check_json : check_table)(buf_slice(&told));
    buf_done(&told);
    client_free(p.client);
    heard_done(&p.probe.session.heard);
    arena_done(&p.probe.arena);
    buf_done(&p.in);
    buf_done(&p.out);
}
