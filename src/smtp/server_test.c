/*
 * server_test.c - what the dialogs (tests/dialogs) cannot say about the engine.
 *
 * A small model of the phases answers random command sequences beside the engine; the rest are
 * rules between engine and role: one need at a time, room for replies, memory of idle sessions.
 */
#include "smtp/server.h"

#include "check.h"
#include "smtp/server_internal.h"

#include <malloc.h>

static const struct server_settings settings = {
    .offers = EHLO_CHUNKING | EHLO_ETRN,
    .hostname = SLICE_INIT("mx.example.org"),
    .max_size = 200,
    .line_ends = LINE_ENDS_STRICT,
    .rcpt_max = 3,
    .error_max = 1000000,
    .received_max = 100,
};

/* --- a role in a few lines ----------------------------------------------------------------- */

struct role {
    struct server *server;
    struct buf out;
    struct buf said;
    unsigned rooms, resets, refusals, commits;
    enum server_need stop_at; /* this need is left unanswered */
};

static void role_init_with(struct role *r, const struct server_settings *with)
{
    *r = (struct role){.stop_at = SERVER_WANTS_INPUT};
    r->server = server_new(with, SLICE("192.0.2.7"));
    buf_init(&r->out, SERVER_OUT_MAX);
    buf_init(&r->said, 64 * 1024 * 1024);
}

static void role_init(struct role *r)
{
    role_init_with(r, &settings);
}

static void role_done(struct role *r)
{
    server_free(r->server);
    buf_done(&r->out);
    buf_done(&r->said);
}

static void role_flush(struct role *r)
{
    buf_append(&r->said, buf_slice(&r->out));
    buf_clear(&r->out);
}

/* Recipients at "no.example" are refused. */
static void role_answer_rcpt(struct role *r)
{
    if (slice_equal(server_rcpt(r->server)->domain, SLICE("no.example")))
        server_answer_rcpt(r->server, &REPLY(550, "5.1.1", "no"), NULL, 0);
    else
        server_answer_rcpt(r->server, &REPLY(250, "", ""), NULL, 0);
}

static void role_fulfil(struct role *r, enum server_need need)
{
    switch (need) {
    case SERVER_WANTS_CONNECT:
    case SERVER_WANTS_MAIL:
    case SERVER_WANTS_AUTH:
    case SERVER_WANTS_ETRN:
    case SERVER_WANTS_XCLIENT:
    case SERVER_WANTS_TLS: server_answer(r->server, &REPLY(250, "", "")); break;
    case SERVER_WANTS_COMMIT:
        r->commits++;
        server_answer(r->server, &REPLY(250, "", ""));
        break;
    case SERVER_WANTS_RCPT: role_answer_rcpt(r); break;
    case SERVER_WANTS_ROOM:
        r->rooms++;
        role_flush(r);
        break;
    case SERVER_RESET: r->resets++; break;
    case SERVER_REFUSED: r->refusals++; break;
    case SERVER_BODY:
    case SERVER_START_TLS:
    case SERVER_WANTS_INPUT:
    case SERVER_DONE: break;
    }
}

/* Feeds until the engine wants input, is done, or has the need to stop at. */
static enum server_need role_run(struct role *r, struct cursor *in)
{
    for (;;) {
        enum server_need need = server_step(r->server, in, &r->out);

        if (need == SERVER_WANTS_INPUT || need == SERVER_DONE || need == r->stop_at) {
            role_flush(r);
            return need;
        }
        role_fulfil(r, need);
    }
}

static enum server_need role_feed(struct role *r, const char *text)
{
    struct cursor in = {slice_of(text)};

    return role_run(r, &in);
}

static void role_greet(struct role *r)
{
    role_feed(r, "");
    role_feed(r, "EHLO client.example\r\n");
    buf_clear(&r->said);
}

/* --- random numbers, the same in every run ------------------------------------------------- */

static unsigned draw(uint64_t *seed, unsigned bound)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (unsigned)((*seed >> 20) % bound);
}

/* --- the model ----------------------------------------------------------------------------- */

struct model {
    bool helo, esmtp, mail, chunks, done;
    unsigned rcpts, refused, bare_lfs;
    unsigned resets, commits;
    uint64_t seed;
};

static void model_end_transaction(struct model *m)
{
    m->resets += m->mail;
    m->mail = m->chunks = false;
    m->rcpts = m->refused = 0;
}

static unsigned model_ehlo(struct model *m)
{
    model_end_transaction(m);
    m->helo = m->esmtp = true;
    return 250;
}

static unsigned model_helo(struct model *m)
{
    model_end_transaction(m);
    m->helo = true;
    m->esmtp = false;
    return 250;
}

static unsigned model_mail(struct model *m)
{
    if (!m->helo || m->mail)
        return 503;
    m->mail = true;
    return 250;
}

static unsigned model_mail_bad(struct model *m)
{
    return !m->helo || m->mail ? 503 : 501;
}

static unsigned model_mail_sized(struct model *m)
{
    if (!m->helo || m->mail)
        return 503;
    return m->esmtp ? model_mail(m) : 555;
}

static unsigned model_mail_too_big(struct model *m)
{
    if (!m->helo || m->mail)
        return 503;
    return m->esmtp ? 552 : 555;
}

static unsigned model_rcpt(struct model *m)
{
    if (!m->mail || m->chunks)
        return 503;
    if (m->rcpts == settings.rcpt_max)
        return 452;
    m->rcpts++;
    return 250;
}

static unsigned model_rcpt_refused(struct model *m)
{
    if (!m->mail || m->chunks)
        return 503;
    if (m->rcpts == settings.rcpt_max)
        return 452;
    m->refused++;
    return 550;
}

static unsigned model_data(struct model *m)
{
    if (m->chunks) {
        model_end_transaction(m);
        return 503;
    }
    if (m->rcpts > 0)
        return 354;
    return m->mail && m->refused > 0 ? 554 : 503;
}

static unsigned model_bdat(struct model *m)
{
    if (m->rcpts == 0)
        return 503;
    m->chunks = true;
    return 250;
}

static unsigned model_bdat_last(struct model *m)
{
    if (m->rcpts == 0)
        return 503;
    m->commits++;
    m->mail = false;
    model_end_transaction(m);
    return 250;
}

static unsigned model_bdat_spoilt(struct model *m)
{
    if (m->rcpts == 0)
        return 503;
    model_end_transaction(m);
    return 550;
}

static unsigned model_rset(struct model *m)
{
    model_end_transaction(m);
    return 250;
}

static unsigned model_noop(struct model *m)
{
    (void)m;
    return 250;
}

static unsigned model_unknown(struct model *m)
{
    (void)m;
    return 500;
}

static unsigned model_not_here(struct model *m)
{
    (void)m;
    return 502;
}

static unsigned model_etrn(struct model *m)
{
    return !m->helo || m->mail ? 503 : 250;
}

static unsigned model_bare_lf(struct model *m)
{
    if (++m->bare_lfs < 3)
        return 500;
    model_end_transaction(m);
    m->done = true;
    return 421;
}

static unsigned model_quit(struct model *m)
{
    model_end_transaction(m);
    m->done = true;
    return 221;
}

/* More rows of what should happen often. */
static const struct move {
    struct slice line;
    unsigned (*code)(struct model *m);
} moves[] = {
    {SLICE_INIT("EHLO client.example\r\n"),            model_ehlo        },
    {SLICE_INIT("EHLO client.example\r\n"),            model_ehlo        },
    {SLICE_INIT("HELO client.example\r\n"),            model_helo        },
    {SLICE_INIT("MAIL FROM:<a@example.com>\r\n"),      model_mail        },
    {SLICE_INIT("MAIL FROM:<a@example.com>\r\n"),      model_mail        },
    {SLICE_INIT("mail from:<>\r\n"),                   model_mail        },
    {SLICE_INIT("MAIL FROM:a@example.com\r\n"),        model_mail_bad    },
    {SLICE_INIT("MAIL FROM:<a@b.example> SIZE=9\r\n"), model_mail_sized  },
    {SLICE_INIT("MAIL FROM:<> SIZE=201\r\n"),          model_mail_too_big},
    {SLICE_INIT("RCPT TO:<b@example.org>\r\n"),        model_rcpt        },
    {SLICE_INIT("RCPT TO:<c@example.org>\r\n"),        model_rcpt        },
    {SLICE_INIT("RCPT TO:<PostMaster>\r\n"),           model_rcpt        },
    {SLICE_INIT("RCPT TO:<postmaster>\r\n"),           model_rcpt        },
    {SLICE_INIT("RCPT TO:<b@no.example>\r\n"),         model_rcpt_refused},
    {SLICE_INIT("DATA\r\n"),                           model_data        },
    {SLICE_INIT("DATA\r\n"),                           model_data        },
    {SLICE_INIT("DATA\r\n"),                           model_data        },
    {SLICE_INIT("BDAT 6\r\nQUIT\r\n"),                 model_bdat        },
    {SLICE_INIT("BDAT 0\r\n"),                         model_bdat        },
    {SLICE_INIT("bdat 5 last\r\nabc\r\n"),             model_bdat_last   },
    {SLICE_INIT("BDAT 0 LAST\r\n"),                    model_bdat_last   },
    {SLICE_INIT("BDAT 3\r\n\n\r\n"),                   model_bdat_spoilt },
    {SLICE_INIT("RSET\r\n"),                           model_rset        },
    {SLICE_INIT("NOOP\r\n"),                           model_noop        },
    {SLICE_INIT("XYZZY\r\n"),                          model_unknown     },
    {SLICE_INIT("\r\n"),                               model_unknown     },
    {SLICE_INIT("STARTTLS\r\n"),                       model_not_here    },
    {SLICE_INIT("ETRN example.net\r\n"),               model_etrn        },
    {SLICE_INIT("NOOP\n"),                             model_bare_lf     },
    {SLICE_INIT("QUIT\r\n"),                           model_quit        },
};

static const struct body {
    struct slice text;
    unsigned code;
} bodies[] = {
    {SLICE_INIT(".\r\n"),                           250},
    {SLICE_INIT("Subject: x\r\n\r\ntext\r\n.\r\n"), 250},
    {SLICE_INIT("..\r\nQUIT\r\n.\r\n"),             250},
    {SLICE_INIT("a\n.\r\nRSET\r\n.\r\n"),           550},
    {SLICE_INIT("a\rb\r\n.\r\n"),                   550},
    {SLICE_INIT("\0\r\n.\r\n"),                     550},
    {SLICE_INIT("0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
                "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
                "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
                "DATA\r\n.\r\n"),
     552                                               },
};

enum { MOVES_MAX = 60 };

struct script {
    struct buf input;
    unsigned codes[2 * MOVES_MAX];
    unsigned count;
};

static void write_body(struct model *m, struct script *s)
{
    const struct body *b = &bodies[draw(&m->seed, sizeof(bodies) / sizeof(*bodies))];

    buf_append(&s->input, b->text);
    s->codes[s->count++] = b->code;
    if (b->code == 250) {
        m->commits++;
        m->mail = false;
    }
    model_end_transaction(m);
}

static void write_script(struct model *m, struct script *s)
{
    for (unsigned i = 0; i < MOVES_MAX && !m->done; i++) {
        const struct move *move = &moves[draw(&m->seed, sizeof(moves) / sizeof(*moves))];

        if (move->code == model_quit && i < MOVES_MAX / 2)
            continue; /* too early an end makes a dull session */
        unsigned code = move->code(m);

        buf_append(&s->input, move->line);
        s->codes[s->count++] = code;
        if (code == 354)
            write_body(m, s);
    }
}

/* Feeds in pieces of random size; what is left of one is presented again before the next. */
static void feed_randomly(struct role *r, struct slice input, uint64_t *seed)
{
    size_t offered = 0, piece_max = 1 + draw(seed, 300);
    enum server_need need = SERVER_WANTS_INPUT;

    while (input.len > 0 && need != SERVER_DONE && offered < input.len) {
        offered += 1 + draw(seed, (unsigned)piece_max);
        struct cursor in = {slice_head(input, offered)};
        size_t had = in.rest.len;

        need = role_run(r, &in);
        size_t eaten = had - in.rest.len;

        input = slice_skip(input, eaten);
        offered = in.rest.len;
    }
}

/* Every line is well-formed; the codes of the last lines are the wanted ones, in order. */
static void check_replies(struct slice said, const unsigned *codes, unsigned count)
{
    struct slice line;
    struct reply_line reply;
    unsigned n = 0;

    while (slice_cut(said, '\n', &line, &said)) {
        check(slice_ends(line, SLICE("\r")) && line.len < REPLY_LINE_MAX);
        check(reply_line_parse(slice_head(line, line.len - 1), &reply));
        if (reply.more)
            continue;
        if (codes != NULL) {
            check(n < count);
            check_int(reply.code, codes[n]);
        }
        n++;
    }
    check_int(said.len, 0);
    if (codes != NULL)
        check_int(n, count);
}

/* rcpt_max excused refusals and error_max are far away: the model does not know them. */
static void test_model(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 3000; seed++) {
        struct model m = {.seed = seed * 0x9e3779b97f4a7c15U};
        struct script s = {0};
        struct role r;

        check_row = seed;
        buf_init(&s.input, 1024 * 1024);
        write_script(&m, &s);
        role_init(&r);
        role_feed(&r, "");
        buf_clear(&r.said);
        feed_randomly(&r, buf_slice(&s.input), &m.seed);
        check_replies(buf_slice(&r.said), s.codes, s.count);
        check_int(r.resets, m.resets);
        check_int(r.commits, m.commits);
        role_done(&r);
        buf_done(&s.input);
    }
}

/* Fragments glued at random: whatever comes, replies stay well-formed, in any chunking alike. */
static void test_garbage(void **state)
{
    static const struct slice bits[] = {
        SLICE_INIT("\r\n"),      SLICE_INIT("\r\n"),
        SLICE_INIT("\r"),        SLICE_INIT("\n"),
        SLICE_INIT("."),         SLICE_INIT("\0"),
        SLICE_INIT("EHLO x"),    SLICE_INIT("MAIL FROM:<a@b.example>"),
        SLICE_INIT("RCPT TO:<"), SLICE_INIT("b@c.example>"),
        SLICE_INIT("DATA"),      SLICE_INIT("\xc3\xa4"),
        SLICE_INIT("\xff"),      SLICE_INIT(" "),
        SLICE_INIT("SIZE=1"),    SLICE_INIT("Received: "),
        SLICE_INIT("DATA\r\n"),  SLICE_INIT("\r\n.\r\n"),
    };

    (void)state;
    for (unsigned row = 1; row <= 2000; row++) {
        uint64_t seed = row * 0x9e3779b97f4a7c15U;
        struct buf input;
        struct role whole, pieces;

        check_row = row;
        buf_init(&input, 1024 * 1024);
        buf_append(&input, SLICE("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@c.example>\r\n"));
        for (unsigned i = 0; i < 100; i++)
            buf_append(&input, bits[draw(&seed, sizeof(bits) / sizeof(*bits))]);
        role_init(&whole);
        role_init(&pieces);
        role_feed(&whole, "");
        role_feed(&pieces, "");
        struct cursor in = {buf_slice(&input)};

        role_run(&whole, &in);
        feed_randomly(&pieces, buf_slice(&input), &seed);
        check_slice(buf_slice(&pieces.said), buf_slice(&whole.said));
        check_replies(buf_slice(&whole.said), NULL, 0);
        role_done(&whole);
        role_done(&pieces);
        buf_done(&input);
    }
}

/* --- engine and role ----------------------------------------------------------------------- */

static const char to_commit[] = "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.org>\r\n"
                                "DATA\r\nMessage-ID: <1@x>\r\n\r\ntext\r\n.\r\n";

static void test_nothing_is_read_while_a_need_is_open(void **state)
{
    struct role r;

    (void)state;
    role_init(&r);
    role_greet(&r);
    r.stop_at = SERVER_WANTS_COMMIT;
    check_int(role_feed(&r, to_commit), SERVER_WANTS_COMMIT);
    check_slice(server_message_id(r.server), SLICE("<1@x>"));
    check_int(server_body_size(r.server), 27);
    check_int(server_envelope(r.server)->rcpt_count, 1);
    buf_clear(&r.said);

    struct cursor in = {SLICE("NOOP\r\n")};

    check_int(role_run(&r, &in), SERVER_WANTS_INPUT);
    check_int(in.rest.len, 6);
    check(!server_is_idle(r.server));
    server_answer(r.server, &REPLY(250, "2.0.0", "Ok: queued as X"));
    check_int(role_run(&r, &in), SERVER_WANTS_INPUT);
    check_slice(buf_slice(&r.said), SLICE("250 2.0.0 Ok: queued as X\r\n250 2.0.0 Ok\r\n"));
    check(server_envelope(r.server) == NULL);
    role_done(&r);
}

static void test_shut_down_waits_for_the_commit(void **state)
{
    struct role r;

    (void)state;
    role_init(&r);
    role_greet(&r);
    r.stop_at = SERVER_WANTS_COMMIT;
    role_feed(&r, to_commit);
    buf_clear(&r.said);
    server_shut_down(r.server);
    check_int(role_feed(&r, "NOOP\r\n"), SERVER_WANTS_INPUT);
    check_int(buf_len(&r.said), 0);
    server_answer(r.server, &REPLY(250, "2.0.0", "Ok: queued as X"));
    check_int(role_feed(&r, "NOOP\r\n"), SERVER_DONE);
    check(slice_starts(buf_slice(&r.said), SLICE("250 2.0.0 Ok: queued as X\r\n421 4.3.2 ")));
    check_int(r.resets, 0);
    check_int(role_feed(&r, "NOOP\r\n"), SERVER_DONE);
    role_done(&r);
}

static void test_late_answer_is_harmless(void **state)
{
    struct role r;

    (void)state;
    role_init(&r);
    role_greet(&r);
    r.stop_at = SERVER_WANTS_MAIL;
    check_int(role_feed(&r, "MAIL FROM:<a@example.com>\r\n"), SERVER_WANTS_MAIL);
    server_time_out(r.server);
    check_int(role_feed(&r, ""), SERVER_DONE);
    server_answer(r.server, &REPLY(250, "", ""));
    check_int(role_feed(&r, ""), SERVER_DONE);
    check_int(r.resets, 0);
    role_done(&r);
}

/* A client that reads nothing cannot make us keep more than SERVER_OUT_MAX for it. */
static void test_room_for_replies(void **state)
{
    enum { COMMANDS = 5000 };
    struct buf input;
    struct role r;

    (void)state;
    buf_init(&input, 1024 * 1024);
    for (int i = 0; i < COMMANDS; i++)
        buf_append(&input, SLICE("HELP\r\n"));
    role_init(&r);
    role_greet(&r);
    struct cursor in = {buf_slice(&input)};

    check_int(role_run(&r, &in), SERVER_WANTS_INPUT);
    check_int(in.rest.len, 0);
    check(r.rooms > 0);
    check_int(server_counts(r.server)->other, COMMANDS);
    check_int(buf_len(&r.said) % COMMANDS, 0);
    role_done(&r);
    buf_done(&input);
}

/* LMTP has a reply for each recipient (RFC 2033 4.2). A thousand of them are more than `out` holds:
 * who counts them would wait for ever for those that are left out. */
static void test_lmtp_answers_for_every_recipient(void **state)
{
    static const char *const ends[] = {"x\r\n.\r\n", "x\ny\r\n.\r\n"};
    struct server_settings lmtp = settings;
    struct buf input;
    struct role r;

    (void)state;
    lmtp.protocol = SERVER_LMTP;
    lmtp.rcpt_max = ENVELOPE_RCPTS_MAX;
    CHECK_ROWS (i, ends) {
        buf_init(&input, 1024 * 1024);
        buf_append(&input, SLICE("LHLO client.example\r\nMAIL FROM:<a@example.com>\r\n"));
        for (int rcpt = 0; rcpt < ENVELOPE_RCPTS_MAX; rcpt++)
            buf_printf(&input, "RCPT TO:<a%d@example.com>\r\n", rcpt);
        buf_append(&input, SLICE("DATA\r\n"));
        role_init_with(&r, &lmtp);
        role_feed(&r, "");
        struct cursor in = {buf_slice(&input)};
        check_int(role_run(&r, &in), SERVER_WANTS_INPUT);
        buf_clear(&r.said);
        check_int(role_feed(&r, ends[i]), SERVER_WANTS_INPUT);
        size_t lines = 0;
        for (size_t at = 0; at < buf_len(&r.said); at++)
            lines += buf_slice(&r.said).data[at] == '\n';
        check_int(lines, ENVELOPE_RCPTS_MAX);
        buf_clear(&r.said);
        check_int(role_feed(&r, "NOOP\r\n"), SERVER_WANTS_INPUT);
        check_slice(buf_slice(&r.said), SLICE("250 2.0.0 Ok\r\n"));
        role_done(&r);
        buf_done(&input);
    }
}

/* Of its blocks, each of which begins with the next one. */
static size_t bytes_of(const struct arena *arena)
{
    size_t bytes = 0;

    for (const struct arena_block *b = arena->blocks; b != NULL;
         b = *(struct arena_block *const *)b)
        bytes += malloc_usable_size((void *)(uintptr_t)b);
    return bytes;
}

/* What is refused leaves nothing behind: an alias for too many may be asked for again and again. */
static void test_an_alias_for_too_many_is_not_kept(void **state)
{
    enum { MEMBERS = 600 };
    struct address members[MEMBERS];
    struct server_settings many = settings;
    struct arena arena = {0};
    struct role r;
    size_t before = 0;

    (void)state;
    many.rcpt_max = ENVELOPE_RCPTS_MAX;
    role_init_with(&r, &many);
    role_greet(&r);
    role_feed(&r, "MAIL FROM:<a@example.com>\r\n");
    r.stop_at = SERVER_WANTS_RCPT;
    for (int alias = 0; alias < 20; alias++) {
        for (int i = 0; i < MEMBERS; i++) {
            members[i] = (struct address){.kind = ADDRESS_MAILBOX, .domain = SLICE("example.com")};
            members[i].local = arena_printf(&arena, "%d.%d", alias, i);
        }
        check_int(role_feed(&r, "RCPT TO:<all@example.com>\r\n"), SERVER_WANTS_RCPT);
        server_answer_rcpt(r.server, &REPLY(250, "", ""), members, MEMBERS);
        buf_clear(&r.said);
        check_int(role_feed(&r, ""), SERVER_WANTS_INPUT);
        check_slice(slice_head(buf_slice(&r.said), 3), alias == 0 ? SLICE("250") : SLICE("452"));
        check_int(server_envelope(r.server)->rcpt_count, MEMBERS);
        if (alias == 0)
            before = bytes_of(&r.server->tx);
    }
    check_int(bytes_of(&r.server->tx), before);
    role_done(&r);
    arena_done(&arena);
}

/* Ten thousand silent clients must cost little: the struct, the EHLO name, nothing else. */
static void test_idle_session_is_small(void **state)
{
    struct role r;

    (void)state;
    role_init(&r);
    role_feed(&r, "");
    check(r.server->scratch.blocks == NULL && r.server->tx.blocks == NULL);
    role_feed(&r, "EHLO client.example\r\n");
    check(r.server->scratch.blocks == NULL && r.server->tx.blocks == NULL);
    role_feed(&r, to_commit);
    check(r.server->scratch.blocks == NULL && r.server->tx.blocks == NULL);
    role_feed(&r, "MAIL FROM:<a@example.com>\r\nRSET\r\n");
    check(r.server->scratch.blocks == NULL && r.server->tx.blocks == NULL);
    check(sizeof(struct server) + DOMAIN_MAX < 1536);
    role_done(&r);
}

static void test_idle_and_timeout(void **state)
{
    struct role r;

    (void)state;
    role_init(&r);
    check(!server_is_idle(r.server));
    role_greet(&r);
    check(server_is_idle(r.server));
    check_int(server_timeout_s(r.server), 300);
    role_feed(&r, "NO");
    check(!server_is_idle(r.server));
    role_feed(&r, "NOOP\r\n");
    check(server_is_idle(r.server));
    role_feed(&r, "MAIL FROM:<a@example.com>\r\n");
    check(!server_is_idle(r.server));
    role_feed(&r, "RCPT TO:<a@example.com>\r\nDATA\r\n");
    check(!server_is_idle(r.server));
    check_int(server_timeout_s(r.server), 180);
    role_feed(&r, ".\r\n");
    check(server_is_idle(r.server));
    role_done(&r);
}

static void test_counts(void **state)
{
    struct role r;

    (void)state;
    role_init(&r);
    role_greet(&r);
    role_feed(&r, "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@no.example>\r\n"
                  "RCPT TO:<b@example.org>\r\nDATA\r\n.\r\nFOO\r\nRSET\r\nVRFY x\r\nQUIT\r\n");
    const struct server_counts *c = server_counts(r.server);

    check_int(c->ehlo, 1);
    check_int(c->mail, 1);
    check_int(c->rcpt, 1);
    check_int(c->rcpt_tried, 2);
    check_int(c->data, 1);
    check_int(c->unknown, 0);
    check_int(c->unknown_tried, 1);
    check_int(c->rset, 1);
    check_int(c->other, 1);
    check_int(c->quit, 1);
    check_int(c->commands, 7);
    check_int(c->commands_tried, 9);
    role_done(&r);
}

static void test_refusal_keeps_the_line(void **state)
{
    struct role r;

    (void)state;
    role_init(&r);
    role_greet(&r);
    r.stop_at = SERVER_REFUSED;
    check_int(role_feed(&r, "FOO bar\r\n"), SERVER_REFUSED);
    check_slice(server_refusal(r.server)->command, SLICE("FOO bar"));
    check_int(role_feed(&r, ""), SERVER_WANTS_INPUT);

    /* Of a line that is too long, the beginning. */
    struct slice begin = SLICE("MAIL FROM:<");
    struct buf line;

    buf_init(&line, 100000);
    buf_append(&line, begin);
    while (buf_append(&line, SLICE("x")) && buf_len(&line) < 90000)
        ;
    buf_append(&line, SLICE("\r\n"));
    struct cursor in = {buf_slice(&line)};

    check_int(role_run(&r, &in), SERVER_REFUSED);
    check_int(server_refusal(r.server)->command.len, SERVER_LINE_SHOWN_MAX);
    check(slice_starts(server_refusal(r.server)->command, begin));
    role_done(&r);
    buf_done(&line);
}

/* The log may show the command that was refused, in the wrong place or spoilt, and no password. */
static void test_refusal_keeps_no_password(void **state)
{
    static const struct {
        const char *line, *shown;
    } rows[] = {
        {"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n",  "AUTH PLAIN"       },
        {"auth  plain AGFubgBzZWNyZXQ=\r\n", "auth  plain"      },
        {"AUTH\tPLAIN AGFubgBzZWNyZXQ=\r\n", "AUTH\tPLAIN"      },
        {"AUTH PLAIN\tAGFubgBzZWNyZXQ=\r\n", "AUTH PLAIN"       },
        {"AUTH=PLAIN AGFubgBzZWNyZXQ=\r\n",  "AUTH=PLAIN"       },
        {"AUTH PLAIN AGFubgBzZWNyZXQ=\n",    "AUTH PLAIN"       },
        {"AUTH\r\n",                         "AUTH"             },
        {"RSET AUTH PLAIN x\r\n",            "RSET AUTH PLAIN x"},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct role r;

        role_init(&r);
        role_greet(&r);
        r.stop_at = SERVER_REFUSED;
        check_int(role_feed(&r, rows[i].line), SERVER_REFUSED);
        check_slice(server_refusal(r.server)->command, slice_of(rows[i].shown));
        role_done(&r);
    }
}

/* --- STARTTLS ------------------------------------------------------------------------------ */

static const struct envelope_tls tls = {
    SLICE_INIT("TLSv1.2"), SLICE_INIT("ECDHE-RSA-AES128-GCM-SHA256"), 128, 128, SLICE_INIT("")};

static struct server_settings with_tls(void)
{
    struct server_settings s = settings;

    s.offers |= EHLO_STARTTLS;
    return s;
}

/* CVE-2011-0411: whatever follows STARTTLS before the handshake is neither a command nor kept. */
static void test_nothing_may_follow_starttls(void **state)
{
    static const char *const rows[] = {
        "STARTTLS\r\nEHLO injected\r\n", "STARTTLS\r\nMAIL FR",
        "STARTTLS\r\n\x16\x03\x01",      "STARTTLS\r\n\n",
        "STARTTLS\r\nSTARTTLS\r\n",
    };
    struct server_settings s = with_tls();

    (void)state;
    CHECK_ROWS (i, rows) {
        struct role r;

        role_init_with(&r, &s);
        role_greet(&r);
        check_int(role_feed(&r, rows[i]), SERVER_DONE);
        check_slice(buf_slice(&r.said), SLICE("554 5.5.1 Error: you spoke before TLS began\r\n"));
        check_int(server_counts(r.server)->starttls, 0);
        check_int(server_counts(r.server)->commands_tried, 2);
        check(server_tls(r.server)->version.len == 0);
        role_done(&r);
    }
}

/* Between the 220 and the end of the handshake nothing is read and nothing said. */
static void test_handshake_is_silent(void **state)
{
    struct server_settings s = with_tls();
    struct role r;

    (void)state;
    for (int i = 0; i < 3; i++) {
        role_init_with(&r, &s);
        role_greet(&r);
        r.stop_at = SERVER_START_TLS;
        check_int(role_feed(&r, "STARTTLS\r\n"), SERVER_START_TLS);
        check_slice(buf_slice(&r.said), SLICE("220 2.0.0 Ready to start TLS\r\n"));
        buf_clear(&r.said);
        check_int(server_timeout_s(r.server), SERVER_HANDSHAKE_S);
        check(!server_is_idle(r.server));
        struct cursor in = {SLICE("NOOP\r\n")};
        check_int(role_run(&r, &in), SERVER_WANTS_INPUT);
        check_int(in.rest.len, 6);
        if (i == 1)
            server_shut_down(r.server);
        if (i == 2)
            server_time_out(r.server);
        check_int(role_run(&r, &in), i == 0 ? SERVER_WANTS_INPUT : SERVER_DONE);
        check_int(buf_len(&r.said), 0);
        role_done(&r);
    }
}

static void test_all_is_forgotten(void **state)
{
    struct server_settings s = with_tls();
    struct role r;

    (void)state;
    role_init_with(&r, &s);
    role_greet(&r);
    check_int(role_feed(&r, "STARTTLS\r\n"), SERVER_WANTS_INPUT);
    server_secured(r.server, &tls);
    check_slice(server_helo(r.server), SLICE(""));
    check_slice(server_proto(r.server), SLICE("SMTP"));
    check(server_is_idle(r.server));
    check_int(server_timeout_s(r.server), 300);
    buf_clear(&r.said);
    role_feed(&r, "MAIL FROM:<a@b.example>\r\n");
    check_slice(buf_slice(&r.said), SLICE("503 5.5.1 Error: send EHLO/HELO first\r\n"));
    role_feed(&r, "EHLO again\r\nMAIL FROM:<a@b.example>\r\n");
    check_slice(server_envelope(r.server)->tls.cipher, tls.cipher);
    check_slice(server_envelope(r.server)->proto, SLICE("ESMTPS"));
    role_done(&r);
}

/* The engine reads no byte behind its input. */
static void test_guard_page(void **state)
{
    struct slice text =
        guarded(SLICE("EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nx"));

    (void)state;
    for (size_t n = 0; n <= text.len; n++) {
        struct role r;
        struct cursor in = {
            {text.data + text.len - n, n}
        };

        check_row = n;
        role_init(&r);
        role_feed(&r, "");
        check_int(role_run(&r, &in), SERVER_WANTS_INPUT);
        role_done(&r);
    }
    guarded_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_nothing_is_read_while_a_need_is_open),
        cmocka_unit_test(test_shut_down_waits_for_the_commit),
        cmocka_unit_test(test_late_answer_is_harmless),
        cmocka_unit_test(test_room_for_replies),
        cmocka_unit_test(test_lmtp_answers_for_every_recipient),
        cmocka_unit_test(test_an_alias_for_too_many_is_not_kept),
        cmocka_unit_test(test_idle_session_is_small),
        cmocka_unit_test(test_idle_and_timeout),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_refusal_keeps_the_line),
        cmocka_unit_test(test_refusal_keeps_no_password),
        cmocka_unit_test(test_nothing_may_follow_starttls),
        cmocka_unit_test(test_handshake_is_silent),
        cmocka_unit_test(test_all_is_forgotten),
        cmocka_unit_test(test_guard_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
