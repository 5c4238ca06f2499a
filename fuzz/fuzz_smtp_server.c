/*
 * fuzz_smtp_server.c - whole sessions of the server engine.
 *
 * First character: settings, and the chance by which the role answers needs. The rest: the client's
 * bytes, played whole and in pieces; replies, messages and events must be the same.
 *
 * Whatever the client says: replies are well-formed and no line is too long; each 4xx and 5xx is
 * told to the role once; each accepted transaction ends once, in a commit or a reset; a committed
 * message has strict line ends and no NUL, its size and type are true, and its envelope can be
 * stored and read.
 */
#include "fuzz.h"

#include "smtp/server.h"
#include "wire/utf8.h"

enum { SAID_MAX = 8 * 1024 * 1024, STEPS_MAX = 1000000, EARLY = 64 };

enum choice {
    REPAIR = 1, /* with OFFERS: LMTP instead */
    SMALL = 2,
    REFUSES = 4,
    DISK_FULL = 8,
    SHUT_DOWN = 16,
    FEW_ERRORS = 32,
    OFFERS = 128, /* all there is; with SMALL and SHUT_DOWN, TLS is required */
};

enum {
    ALL_OFFERS = EHLO_CHUNKING | EHLO_BINARYMIME | EHLO_DSN | EHLO_MT_PRIORITY | EHLO_DELIVERBY |
                 EHLO_NO_SOLICITING | EHLO_FUTURERELEASE | EHLO_REQUIRETLS | EHLO_AUTH |
                 EHLO_STARTTLS | EHLO_ETRN | EHLO_XCLIENT | EHLO_XFORWARD,
    REQUIRE_TLS = OFFERS | SMALL | SHUT_DOWN,
};

struct session {
    struct server *server;
    struct server_settings settings;
    struct buf out, said, body, told;
    struct fuzz_chance chance; /* of the role's answers */
    unsigned choice;
    unsigned refusals; /* told by the engine */
    unsigned mails, resets, commits;
    unsigned steps;
    bool body_lost; /* server_body_failed() was called in this transaction */
    bool over;
};

static bool is_lmtp(unsigned choice)
{
    return (choice & OFFERS) && (choice & REPAIR);
}

static void start(struct session *s, unsigned choice)
{
    *s = (struct session){.choice = choice, .chance = {fuzz_mix(choice)}};
    s->settings = (struct server_settings){
        .hostname = SLICE("mx.example.org"),
        .max_size = choice & SMALL ? 100 : 100000,
        .protocol = is_lmtp(choice) ? SERVER_LMTP : SERVER_SMTP,
        .offers = choice & OFFERS ? ALL_OFFERS : 0,
        .requires_tls = (choice & REQUIRE_TLS) == REQUIRE_TLS,
        .auth_cleartext = (choice & SHUT_DOWN) != 0,
        .requires_auth = (choice & (OFFERS | SMALL | FEW_ERRORS)) == (OFFERS | SMALL | FEW_ERRORS),
        .line_ends = (choice & REPAIR) && !is_lmtp(choice) ? LINE_ENDS_REPAIR : LINE_ENDS_STRICT,
        .rcpt_max = 100,
        .error_max = choice & FEW_ERRORS ? 3 : 1000,
        .received_max = choice & SMALL ? 2 : 100,
    };
    s->server = server_new(&s->settings, SLICE("192.0.2.7"));
    server_time_is(s->server, UINT64_C(1893456000000000)); /* 2030-01-01 */
    server_offer_auth(s->server, SLICE("PLAIN LOGIN"));
    if (!(choice & FEW_ERRORS))
        server_trust(s->server);
    buf_init(&s->out, SERVER_OUT_MAX);
    buf_init(&s->said, SAID_MAX);
    buf_init(&s->body, SAID_MAX);
    buf_init(&s->told, SAID_MAX);
}

static void done(struct session *s)
{
    server_free(s->server);
    buf_done(&s->out);
    buf_done(&s->said);
    buf_done(&s->body);
    buf_done(&s->told);
}

static void tell(struct session *s, struct slice what, struct slice detail)
{
    must(buf_append(&s->told, what) && buf_append(&s->told, SLICE(" ")) &&
         buf_append(&s->told, detail) && buf_append(&s->told, SLICE("\n")));
}

/* ---- the role ---- */

/* Mostly accepts; else a refusal whose text is as hostile as a peer's may be. */
static struct reply draw_reply(struct session *s)
{
    static const struct reply refusals[] = {
        {450, SLICE_INIT("4.2.1"), SLICE_INIT("later")                    },
        {550, SLICE_INIT("5.1.1"), SLICE_INIT("no\r\n250 such\nuser \xff")},
        {554, SLICE_INIT(""),      SLICE_INIT("")                         },
        {421, SLICE_INIT("4.3.2"), SLICE_INIT("leaving")                  },
    };

    if (!(s->choice & REFUSES) || fuzz_draw(&s->chance, 4) > 0)
        return REPLY(250, "", "");
    return refusals[fuzz_draw(&s->chance, sizeof(refusals) / sizeof(*refusals))];
}

static void check_address(const struct address *a, struct arena *arena)
{
    struct slice text = address_text(arena, a);
    struct address again;

    must(utf8_printable(text));
    if (a->kind != ADDRESS_NULL)
        must(address_parse(text, arena, &again) && address_equal(a, &again));
}

/* What queue/ will do with it must succeed: the client was told 250 for each recipient. */
static void check_envelope(struct server *server)
{
    struct envelope e = *server_envelope(server), again;
    struct arena arena;
    struct buf bytes;

    arena_init(&arena);
    buf_init(&bytes, ENVELOPE_BYTES_MAX);
    e.id = 1;
    must(e.rcpt_count > 0);
    must(envelope_encode(&bytes, &e));
    must(envelope_decode(buf_slice(&bytes), &arena, &again) && again.rcpt_count == e.rcpt_count);
    check_address(&e.sender, &arena);
    for (unsigned i = 0; i < e.rcpt_count; i++)
        check_address(&e.rcpts[i].original, &arena);
    buf_done(&bytes);
    arena_done(&arena);
}

static void check_message(struct session *s)
{
    struct slice m = buf_slice(&s->body);

    must(server_body_size(s->server) == m.len && m.len <= s->settings.max_size);
    if (server_envelope(s->server)->body == BODY_BINARYMIME)
        return;
    must(m.len == 0 || slice_ends(m, SLICE("\r\n")) || (s->choice & OFFERS));
    for (size_t i = 0; i < m.len; i++) {
        must(m.data[i] != '\0');
        must(m.data[i] != '\n' || (i > 0 && m.data[i - 1] == '\r'));
        must(m.data[i] != '\r' || (i + 1 < m.len && m.data[i + 1] == '\n'));
    }
    must(utf8_is_ascii(m) || server_envelope(s->server)->body != BODY_7BIT);
}

static void commit(struct session *s)
{
    struct reply reply = draw_reply(s);

    must(!s->settings.requires_tls || server_tls(s->server)->version.len > 0);
    must(!s->body_lost);
    check_message(s);
    check_envelope(s->server);
    tell(s, SLICE("commit"), buf_slice(&s->body));
    tell(s, SLICE("message-id"), server_message_id(s->server));
    s->commits += reply.code / 100 == 2;
    buf_clear(&s->body);
    if (s->choice & SHUT_DOWN)
        server_shut_down(s->server);
    server_answer(s->server, &reply);
}

static void take_body(struct session *s)
{
    must(server_body(s->server).len > 0 && !s->body_lost);
    must(buf_append(&s->body, server_body(s->server)));
    /* After a place in the message, not a piece of it: any chunking fails alike. */
    if ((s->choice & DISK_FULL) && buf_len(&s->body) > 40) {
        s->body_lost = true;
        server_body_failed(s->server, &REPLY(452, "4.3.1", "full"));
    }
}

static void answer_mail(struct session *s)
{
    struct reply reply = draw_reply(s);

    s->mails += reply.code / 100 == 2;
    server_answer(s->server, &reply);
}

static void answer_rcpt(struct session *s)
{
    static const struct address others[] = {
        {ADDRESS_MAILBOX, SLICE_INIT("other"), SLICE_INIT("example.org"), false},
        {ADDRESS_MAILBOX, SLICE_INIT("third"), SLICE_INIT("example.org"), false},
    };
    struct reply reply = draw_reply(s);

    server_answer_rcpt(s->server, &reply, others, fuzz_draw(&s->chance, 3));
}

static void start_tls(struct session *s)
{
    static const struct envelope_tls tls = {SLICE_INIT("TLSv1.3"), SLICE_INIT("X"), 1, 1,
                                            SLICE_INIT("")};

    must(s->settings.offers & EHLO_STARTTLS && server_tls(s->server)->version.len == 0);
    server_secured(s->server, &tls);
    must(server_helo(s->server).len == 0 && server_envelope(s->server) == NULL);
    tell(s, SLICE("secured"), SLICE(""));
}

static void answer_auth(struct session *s)
{
    const struct server_auth *a = server_auth(s->server);

    must(slice_equal(a->mechanism, SLICE("PLAIN")) || slice_equal(a->mechanism, SLICE("LOGIN")));
    must(server_user(s->server).len == 0);
    tell(s, a->begins ? SLICE("auth") : SLICE("goes on"), a->response);
    switch (fuzz_draw(&s->chance, 3)) {
    case 0: server_challenge(s->server, SLICE("and\r\n250 then?")); break;
    case 1: server_authenticated(s->server, SLICE("ann@example.org")); break;
    default: server_answer(s->server, &REPLY(535, "5.7.8", "no")); break;
    }
}

static void answer_etrn(struct session *s)
{
    const struct etrn_node *node = server_etrn(s->server);
    struct reply reply = draw_reply(s);
    struct arena arena = {0};
    struct slice name;

    must(s->settings.offers & EHLO_ETRN && server_envelope(s->server) == NULL);
    must(domain_parse(node->domain, &arena, &name) && slice_equal(name, node->domain));
    must(utf8_is_ascii(name));
    arena_done(&arena);
    tell(s, SLICE("etrn"), node->domain);
    server_answer(s->server, &reply);
}

static void answer_xclient(struct session *s)
{
    const struct forwarded *f = server_xclient(s->server);
    struct reply reply = draw_reply(s);

    must(s->settings.offers & EHLO_XCLIENT && server_envelope(s->server) == NULL);
    must(!(s->choice & FEW_ERRORS) && f->said != 0);
    tell(s, SLICE("xclient"), f->name);
    if (reply.code == 250) {
        reply.code = 220;
        server_client_is(s->server, SLICE("198.51.100.9"), f->login);
        must(slice_equal(server_user(s->server), f->login));
        must(server_xforward(s->server) == NULL);
    }
    server_answer(s->server, &reply);
}

static void take_refusal(struct session *s)
{
    const struct server_refusal *r = server_refusal(s->server);

    must(r->reply.code >= 400 && r->reply.code <= 599 && r->stage.len > 0);
    tell(s, r->stage, r->command);
    s->refusals++;
}

static void flush(struct session *s)
{
    must(buf_append(&s->said, buf_slice(&s->out)));
    buf_clear(&s->out);
}

static void fulfil(struct session *s, enum server_need need)
{
    switch (need) {
    case SERVER_WANTS_CONNECT:
    case SERVER_WANTS_TLS: {
        struct reply reply = draw_reply(s);

        server_answer(s->server, &reply);
        break;
    }
    case SERVER_WANTS_MAIL: answer_mail(s); break;
    case SERVER_WANTS_RCPT: answer_rcpt(s); break;
    case SERVER_BODY: take_body(s); break;
    case SERVER_WANTS_AUTH: answer_auth(s); break;
    case SERVER_WANTS_ETRN: answer_etrn(s); break;
    case SERVER_WANTS_XCLIENT: answer_xclient(s); break;
    case SERVER_WANTS_COMMIT: commit(s); break;
    case SERVER_RESET:
        s->resets++;
        s->body_lost = false;
        buf_clear(&s->body);
        tell(s, SLICE("reset"), SLICE(""));
        break;
    case SERVER_START_TLS: start_tls(s); break;
    case SERVER_REFUSED: take_refusal(s); break;
    case SERVER_WANTS_ROOM:
    case SERVER_WANTS_INPUT:
    case SERVER_DONE: flush(s); break;
    }
}

/* Until the engine wants more or is done. */
static void run(struct session *s, struct cursor *in)
{
    enum server_need need;

    do {
        need = server_step(s->server, in, &s->out);
        must(++s->steps < STEPS_MAX && server_timeout_s(s->server) > 0);
        fulfil(s, need);
    } while (need != SERVER_WANTS_INPUT && need != SERVER_DONE);
    s->over = need == SERVER_DONE;
}

/* ---- sessions ---- */

/* A client waits for the answer to STARTTLS: who does not hears 554, or fails at the handshake. Up
 * to the end of the first line in which it stands, and which was not offered yet. */
static size_t wait_for_tls(struct slice client, size_t offered, size_t wanted)
{
    struct slice word = SLICE("STARTTLS");
    bool met = false;

    for (size_t i = 0; i < wanted; i++) {
        met = met || slice_starts_nocase(slice_skip(client, i), word);
        if (client.data[i] == '\n' && met && i + 1 > offered)
            return i + 1;
        met = met && client.data[i] != '\n';
    }
    return wanted;
}

static void feed(struct session *s, struct slice client, struct fuzz_chance *chunks)
{
    size_t offered = 0;

    while (offered < client.len && !s->over) {
        size_t more = client.len - offered;

        if (chunks != NULL)
            more = fuzz_chunk(chunks, more);
        offered = wait_for_tls(client, offered, offered + more);
        struct cursor in = {slice_head(client, offered)};

        run(s, &in);
        client = slice_skip(client, offered - in.rest.len);
        offered = in.rest.len;
        must(s->over || offered <= SERVER_COMMAND_MAX);
    }
}

/* Behind the end there is silence. */
static void check_over(struct session *s)
{
    struct cursor in = {SLICE("NOOP\r\n")};

    if (!s->over)
        return;
    must(server_step(s->server, &in, &s->out) == SERVER_DONE && buf_len(&s->out) == 0);
}

static void check_replies(const struct session *s)
{
    struct slice said = buf_slice(&s->said), line;
    struct reply_line reply = {0};
    unsigned code = 0, refusals = 0;

    while (slice_cut(said, '\n', &line, &said)) {
        must(line.len < REPLY_LINE_MAX && slice_ends(line, SLICE("\r")));
        line = slice_head(line, line.len - 1);
        must(utf8_printable(line) && reply_line_parse(line, &reply));
        must(code == 0 || code == reply.code);
        code = reply.more ? reply.code : 0;
        refusals += !reply.more && reply.code >= 400;
    }
    must(said.len == 0 && code == 0);
    must(refusals == s->refusals || (is_lmtp(s->choice) && refusals > s->refusals));
}

static void play(struct session *s, struct slice client, unsigned choice,
                 struct fuzz_chance *chunks)
{
    struct cursor nothing = {{0}};

    start(s, choice);
    if (!(choice & EARLY))
        run(s, &nothing);
    feed(s, client, chunks);
    check_over(s);
    check_replies(s);
    bool open = server_envelope(s->server) != NULL;

    must(s->commits + s->resets + open >= s->mails && s->commits + s->resets <= s->mails);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    unsigned choice = fuzz_choice(&c);
    struct fuzz_chance chunks = {fuzz_mix(choice + 256)};
    struct session whole, pieces;

    play(&whole, c.rest, choice, NULL);
    play(&pieces, c.rest, choice, &chunks);
    /* How much came too early is a matter of chunks. */
    if (!(choice & EARLY)) {
        must(slice_equal(buf_slice(&whole.said), buf_slice(&pieces.said)));
        must(slice_equal(buf_slice(&whole.told), buf_slice(&pieces.told)));
    }
    done(&whole);
    done(&pieces);
}
