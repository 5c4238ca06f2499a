/*
 * fuzz_smtp_client.c - the client engine against a hostile server.
 *
 * First character: what is sent and how. The rest: the server's bytes. A server answers what it was
 * asked, so its lines come one by one, each after the client has said what it can. Each is played
 * whole and in pieces; dialog and outcomes must be the same. A third run gives everything at once,
 * as a server would that talks without listening.
 *
 * Whatever the server says: the client sends only its commands and the lines of its message,
 * 8-bit ones only with BODY=8BITMIME, and every recipient gets exactly one final outcome. Where it
 * does TLS it logs in behind that only, and no transcript shows what it proves itself with.
 */
#include "fuzz.h"

#include "smtp/client.h"
#include "wire/utf8.h"

enum { SAID_MAX = 8 * 1024 * 1024, STEPS_MAX = 1000000, RCPTS = 3 };

enum choice {
    EIGHT_BIT = 1,
    NULL_SENDER = 2,
    TWO_MESSAGES = 4,
    BINARY = 8,
    LOGIN = BINARY | EIGHT_BIT, /* a binary message, and who sends it is to be known */
    QUIT_AFTER = 48,
    LMTP = 64,
    TLS = 128, /* if offered; with NULL_SENDER always */
};

static const struct address ann = {ADDRESS_MAILBOX, SLICE_INIT("ann"), SLICE_INIT("a.example"),
                                   false};
static const struct address rcpts[RCPTS] = {
    {ADDRESS_MAILBOX, SLICE_INIT("r0"),  SLICE_INIT("b.example"), false},
    {ADDRESS_MAILBOX, SLICE_INIT("r 1"), SLICE_INIT("b.example"), false},
    {ADDRESS_LITERAL, SLICE_INIT("r2"),  SLICE_INIT("192.0.2.1"), false},
};

/* Every line of it is "text" or begins with a dot; see check_said(). */
static const struct slice body_7bit = SLICE_INIT("text\r\n.text\r\n.\r\ntext");
static const struct slice body_8bit = SLICE_INIT("text\r\n..\r\n\xe4text\r\n");

/* Pieces of three bytes, which no command looks like. */
static const struct slice body_binary = SLICE_INIT("\n\0\r\r\n.\r\n\0\xe4\n\n");

struct play {
    struct client *client;
    struct transcript transcript;
    struct buf in, out, said, outcomes;
    struct client_message message;
    struct slice body; /* still to be fed */
    unsigned choice;
    unsigned messages; /* that are over */
    unsigned steps;
    bool over;
};

static void tell_outcome(struct play *p, const struct client_outcome *o)
{
    must(buf_printf(&p->outcomes, "%d %d %u ", (int)o->verdict, (int)o->step, o->code) &&
         buf_append(&p->outcomes, o->enhanced) && buf_append(&p->outcomes, SLICE(" ")) &&
         buf_append(&p->outcomes, o->text) && buf_append(&p->outcomes, SLICE("\n")));
    must(o->text.len <= CLIENT_TEXT_MAX);
    must(o->enhanced.len == 0 || o->code == 0 ||
         (unsigned)(o->enhanced.data[0] - '0') == o->code / 100);
    switch (o->verdict) {
    case CLIENT_PENDING: break;
    case CLIENT_ACCEPTED: must(o->step == STEP_DOT && o->code / 100 == 2); break;
    case CLIENT_TRY_AGAIN: must(o->code / 100 != 2 || o->step != STEP_DOT); break;
    case CLIENT_REFUSED: must(o->code == 0 || o->code / 100 == 5); break;
    case CLIENT_LEFT_OUT: must(o->code == 0); break;
    }
}

static void message_over(struct play *p)
{
    bool pending = (p->choice & QUIT_AFTER) != 0;

    for (unsigned i = 0; i < p->message.rcpt_count; i++) {
        const struct client_outcome *o = client_outcome(p->client, i);

        must(o->verdict != CLIENT_PENDING || pending);
        tell_outcome(p, o);
    }
    tell_outcome(p, client_final(p->client));
    p->messages++;
}

static struct slice body_of(unsigned choice)
{
    return choice & BINARY ? body_binary : choice & EIGHT_BIT ? body_8bit : body_7bit;
}

static void next_message(struct play *p)
{
    message_over(p);
    if (!(p->choice & TWO_MESSAGES) || p->messages > 1) {
        client_quit(p->client);
        return;
    }
    p->body = body_of(p->choice);
    client_message(p->client, &p->message);
}

static void feed_body(struct play *p)
{
    if (p->body.len == 0) {
        client_body_end(p->client, &p->out);
        return;
    }
    client_body(p->client, slice_head(p->body, 3), &p->out);
    p->body = slice_skip(p->body, 3);
}

#define SECRET "c2VjcmV0"

static bool holds(struct slice text, struct slice what)
{
    for (size_t i = 0; i + what.len <= text.len; i++)
        if (slice_equal(slice_head(slice_skip(text, i), what.len), what))
            return true;
    return false;
}

static void check_shown(struct slice shown)
{
    struct slice line;

    while (slice_cut(shown, '\n', &line, &shown))
        must(!slice_starts(line, SLICE("-> ")) || !holds(line, SLICE(SECRET)));
}

/* Which of its ways it goes is told by what the server offers and asks. */
static void prove(struct play *p)
{
    static const struct slice secret = SLICE_INIT("secret");
    const struct client_auth *a = client_auth(p->client);

    must((p->choice & LOGIN) == LOGIN);
    switch (a->stage) {
    case CLIENT_AUTH_CHOOSE:
        if (a->mechanisms.len == 0)
            client_auth_stop(p->client, SLICE("4.7.0"), SLICE("none"));
        else
            client_auth_begin(p->client, SLICE("X"), a->mechanisms.len % 2 ? &secret : NULL);
        break;
    case CLIENT_AUTH_RESPOND:
        if (a->challenge.len % 5 == 4)
            client_auth_stop(p->client, SLICE("4.7.0"), SLICE("bad challenge"));
        else
            client_auth_respond(p->client, a->challenge.len % 2 ? secret : SLICE(""));
        break;
    case CLIENT_AUTH_BELIEVE: client_auth_believe(p->client); break;
    }
}

static void flush(struct play *p)
{
    check_shown(buf_slice(&p->transcript.text));
    must(buf_append(&p->said, buf_slice(&p->out)));
    buf_clear(&p->out);
    buf_clear(&p->transcript.text);
}

/* Until the client waits for the server, or is done. */
static void run(struct play *p)
{
    while (!p->over) {
        struct cursor in = {buf_slice(&p->in)};
        enum client_need need = client_step(p->client, &in, &p->out);

        must(++p->steps < STEPS_MAX);
        must(client_timeout_s(p->client) > 0 || need == CLIENT_DONE || need == CLIENT_READY);
        must(need != CLIENT_WANTS_TLS || in.rest.len == 0);
        buf_consume(&p->in, buf_len(&p->in) - in.rest.len);
        switch (need) {
        case CLIENT_WANTS_INPUT: flush(p); return;
        case CLIENT_WANTS_BODY: feed_body(p); break;
        case CLIENT_WANTS_AUTH: prove(p); break;
        case CLIENT_READY: next_message(p); break;
        case CLIENT_WANTS_TLS:
            must(p->choice & TLS);
            flush(p);
            must(buf_append(&p->said, SLICE("STARTED\r\n")));
            client_secured(p->client);
            break;
        case CLIENT_DONE:
            flush(p);
            p->over = true;
            break;
        }
    }
}

static void start(struct play *p, unsigned choice)
{
    static const enum step quit_after[] = {STEP_NONE, STEP_EHLO, STEP_MAIL, STEP_RCPT};
    struct client_settings settings = {.ehlo = SLICE("me.example"), .transcript = &p->transcript};

    *p = (struct play){.choice = choice};
    settings.quit_after = quit_after[(choice & QUIT_AFTER) / 16];
    settings.protocol = choice & LMTP ? CLIENT_LMTP : CLIENT_SMTP;
    if (choice & TLS)
        settings.tls = choice & NULL_SENDER ? CLIENT_TLS_ALWAYS : CLIENT_TLS_IF_OFFERED;
    if ((choice & LOGIN) == LOGIN)
        settings.login = choice & TLS ? CLIENT_LOGIN_SECURED : CLIENT_LOGIN_ANYHOW;
    transcript_init(&p->transcript, TRANSCRIPT_ALL, 64 * 1024);
    buf_init(&p->in, SAID_MAX);
    buf_init(&p->out, CLIENT_OUT_MAX);
    buf_init(&p->said, SAID_MAX);
    buf_init(&p->outcomes, SAID_MAX);
    p->message = (struct client_message){.rcpts = rcpts, .size = 99, .sender = ann};
    p->message.rcpt_count = choice & NULL_SENDER ? 2 : RCPTS;
    if (choice & NULL_SENDER)
        p->message.sender = (struct address){.kind = ADDRESS_NULL};
    p->message.body = choice & BINARY      ? BODY_BINARYMIME
                      : choice & EIGHT_BIT ? BODY_8BITMIME
                                           : BODY_7BIT;
    p->body = body_of(choice);
    p->client = client_new(&settings);
    client_message(p->client, &p->message);
    run(p);
}

/* The server hangs up; whoever is undecided gets an outcome. */
static void hang_up(struct play *p)
{
    if (!p->over) {
        client_fail(p->client, CLIENT_LOST);
        run(p);
    }
    must(p->over);
    if (p->messages == 0 || ((p->choice & TWO_MESSAGES) && p->messages == 1))
        message_over(p);
}

static void done(struct play *p)
{
    client_free(p->client);
    transcript_done(&p->transcript);
    buf_done(&p->in);
    buf_done(&p->out);
    buf_done(&p->said);
    buf_done(&p->outcomes);
}

static bool is_auth(struct slice line)
{
    return slice_starts(line, SLICE("AUTH X")) || slice_equal(line, SLICE(SECRET)) ||
           slice_equal(line, SLICE("*")) || line.len == 0;
}

static bool is_ours(struct slice line)
{
    static const struct slice commands[] = {
        SLICE_INIT("EHLO me.example"),
        SLICE_INIT("HELO me.example"),
        SLICE_INIT("DATA"),
        SLICE_INIT("LHLO me.example"),
        SLICE_INIT("STARTTLS"),
        SLICE_INIT("STARTED"),
        SLICE_INIT("BDAT 0 LAST"),
        SLICE_INIT("RSET"),
        SLICE_INIT("QUIT"),
        SLICE_INIT("text"),
        SLICE_INIT("\xe4text"),
        SLICE_INIT("..text"),
        SLICE_INIT(".."),
        SLICE_INIT("..."),
        SLICE_INIT("."),
    };

    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (slice_equal(line, commands[i]))
            return true;
    return slice_starts(line, SLICE("MAIL FROM:<")) || slice_starts(line, SLICE("RCPT TO:<"));
}

/* A chunk is as long as is said, and a part of the message. */
static bool skip_chunk(struct slice line, struct slice *rest)
{
    struct cursor c = {line};
    uint64_t len;

    if (!take_word(&c, SLICE("BDAT ")) || !take_number(&c, &len) || !cursor_at_end(&c))
        return false;
    must(len > 0 && len <= 3 && rest->len >= len);
    *rest = slice_skip(*rest, (size_t)len);
    return true;
}

static void check_said(const struct play *p)
{
    struct slice said = buf_slice(&p->said), line;
    bool eight_bit_said = false, secured = !(p->choice & TLS);

    while (slice_cut(said, '\n', &line, &said)) {
        must(slice_ends(line, SLICE("\r")));
        line = slice_head(line, line.len - 1);
        if (skip_chunk(line, &said))
            continue;
        secured = secured || slice_equal(line, SLICE("STARTED"));
        must(is_ours(line) || ((p->choice & LOGIN) == LOGIN && secured && is_auth(line)));
        eight_bit_said = eight_bit_said || slice_ends(line, SLICE("BODY=8BITMIME"));
        must(eight_bit_said || utf8_is_ascii(line));
    }
    /* A session that breaks off in the message may leave part of a line. */
    must(said.len <= sizeof("\xe4text"));
}

/* One line of the server; chance cuts it, NULL does not. */
static void feed_line(struct play *p, struct slice line, struct fuzz_chance *chance)
{
    while (line.len > 0 && !p->over) {
        size_t n = chance == NULL ? line.len : fuzz_chunk(chance, line.len);

        must(buf_append(&p->in, slice_head(line, n)));
        line = slice_skip(line, n);
        run(p);
    }
}

static void play_lines(struct play *p, struct slice server, unsigned choice,
                       struct fuzz_chance *chance)
{
    start(p, choice);
    while (server.len > 0 && !p->over) {
        size_t end = slice_find(server, '\n');

        feed_line(p, slice_head(server, end + 1), chance);
        server = slice_skip(server, end + 1);
    }
    hang_up(p);
    check_said(p);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    unsigned choice = fuzz_choice(&c);
    struct fuzz_chance chance = {fuzz_mix(choice)};
    struct play whole, pieces, at_once;

    play_lines(&whole, c.rest, choice, NULL);
    play_lines(&pieces, c.rest, choice, &chance);
    must(slice_equal(buf_slice(&whole.said), buf_slice(&pieces.said)));
    must(slice_equal(buf_slice(&whole.outcomes), buf_slice(&pieces.outcomes)));

    start(&at_once, choice);
    must(buf_append(&at_once.in, slice_head(c.rest, SAID_MAX)));
    run(&at_once);
    hang_up(&at_once);
    check_said(&at_once);
    done(&whole);
    done(&pieces);
    done(&at_once);
}
