/*
 * server.c - the server's side of a session: one step after another.
 *
 * server_step() is a loop over one question: what is owed next? First what the role must be told
 * (a refusal, a reset), then a need, then replies that had no room yet, then the reply to an
 * answered need, then an end that came from outside, and only then more input. So the order of
 * replies is the order of commands, whatever the pieces of the input, and nothing is read while a
 * need is open.
 *
 * The phase changes in server_phase_set() alone, which holds the legal moves as a table; a
 * transaction ends in server_transaction_reset() alone. Most holes of mail servers in the last
 * years were a second way out of a transaction that forgot something (SECURITY.md, item 5).
 */
#include "smtp/server.h"

#include "base/memory.h"
#include "smtp/server_internal.h"

#include <assert.h>
#include <string.h>

enum {
    /* A reply is begun only with so much room; the longest of our own is far shorter. */
    REPLY_ROOM = 4096,
    TIMEOUT_COMMAND_S = 300, /* RFC 5321 4.5.3.2.7 */
    TIMEOUT_BODY_S = 180,    /* RFC 5321 4.5.3.2.5 */
    TIMEOUT_REFUSED_S = 30,  /* nothing but QUIT can come */
};

struct server *server_new(const struct server_settings *settings, struct slice client_address)
{
    struct server *s = MEMORY_NEW(struct server);

    assert(settings->max_size > 0 && settings->rcpt_max > 0);
    assert((settings->offers & EHLO_BINARYMIME) == 0 || (settings->offers & EHLO_CHUNKING) != 0);
    assert(client_address.len <= SERVER_CLIENT_ADDRESS_MAX);
    s->settings = settings;
    s->error_max = settings->error_max;
    memcpy(s->client_address, client_address.data, client_address.len);
    s->client_address_len = client_address.len;
    arena_init(&s->scratch);
    arena_init(&s->tx);
    return s;
}

void server_free(struct server *s)
{
    if (s == NULL)
        return;
    arena_done(&s->scratch);
    arena_done(&s->tx);
    arena_done(&s->forward);
    memory_free(s->helo);
    server_forget_user(s);
    buf_wipe(&s->auth_bytes);
    memory_free(s);
}

/* --- phases and transactions --------------------------------------------------------------- */

static const unsigned next_phases[] = {
    [PHASE_CONNECT] = IN(PHASE_GREETED) | IN(PHASE_REFUSED) | IN(PHASE_DONE),
    [PHASE_REFUSED] = IN(PHASE_DONE),
    [PHASE_GREETED] = IN(PHASE_READY) | IN(PHASE_GREETED) | IN(PHASE_DONE),
    [PHASE_READY] = IN(PHASE_READY) | IN(PHASE_MAIL) | IN(PHASE_GREETED) | IN(PHASE_DONE),
    [PHASE_MAIL] = IN(PHASE_RCPT) | IN(PHASE_READY),
    [PHASE_RCPT] = IN(PHASE_RCPT) | IN(PHASE_BODY) | IN(PHASE_CHUNKS) | IN(PHASE_READY),
    [PHASE_BODY] = IN(PHASE_READY),
    [PHASE_CHUNKS] = IN(PHASE_READY),
    [PHASE_DONE] = IN(PHASE_DONE),
};

void server_phase_set(struct server *s, enum server_phase next)
{
    assert((next_phases[s->phase] & IN(next)) != 0);
    s->phase = next;
}

void server_transaction_reset(struct server *s)
{
    if ((IN(s->phase) & (IN(PHASE_MAIL) | IN(PHASE_RCPT) | IN(PHASE_BODY) | IN(PHASE_CHUNKS))) != 0)
        server_phase_set(s, PHASE_READY);
    if (s->keeps)
        s->reset_owed = true;
    s->keeps = false;
    s->envelope = NULL;
    s->data = NULL;
    s->rcpts_room = 0;
    s->rcpts_accepted = 0;
    s->rcpts_refused = 0;
    arena_reset(&s->tx);
    server_forget_xforward(s);
}

static void session_end(struct server *s)
{
    server_transaction_reset(s);
    s->ask = ASK_NOTHING;
    s->auth_waits = false;
    server_phase_set(s, PHASE_DONE);
}

/* 452, not 552: RFC 5321 4.5.3.1.10; the client sends the rest later. */
const struct reply server_too_many_rcpts = {452, SLICE_INIT("4.5.3"),
                                            SLICE_INIT("Error: too many recipients")};

/* --- replies ------------------------------------------------------------------------------- */

static void write_reply(struct buf *out, const struct reply *reply)
{
    if (reply_write(out, reply))
        return;
    /* Only a monstrous text of the role can fail to fit: the code counts, not the words. */
    struct reply bare = *reply;

    bare.text = SLICE("Error");
    (void)reply_write(out, &bare);
}

static struct reply copy_reply(struct arena *arena, const struct reply *reply)
{
    return (struct reply){
        .code = reply->code,
        .enhanced = arena_copy(arena, reply->enhanced),
        .text = arena_copy(arena, reply->text),
    };
}

static void note_refusal(struct server *s, const struct reply *reply)
{
    struct server_refusal r = {
        .stage = server_stage(s),
        .reply = copy_reply(&s->scratch, reply),
        .command = s->line,
    };

    if (s->verb == VERB_MAIL && s->has_path) {
        r.has_sender = true;
        r.sender = s->path;
    } else if (s->envelope != NULL) {
        r.has_sender = true;
        r.sender = address_copy(&s->scratch, &s->envelope->sender);
    }
    if (s->verb == VERB_RCPT && s->has_path) {
        r.has_rcpt = true;
        r.rcpt = s->path;
    }
    if (s->verb == VERB_MAIL && s->phase == PHASE_READY)
        s->mail_refused = true;
    s->refusal = r;
    s->refusal_owed = true;
}

void server_say(struct server *s, struct buf *out, const struct reply *reply)
{
    write_reply(out, reply);
    if (reply->code < 300)
        server_count_accepted(s);
    if (reply->code >= 400)
        note_refusal(s, reply);
    if (reply->code == 421 || reply->code == 521)
        session_end(s);
}

void server_say_goodbye(struct server *s, struct buf *out, struct slice enhanced, struct slice text)
{
    struct slice host = s->settings->hostname;
    struct reply bye = {
        421, enhanced,
        arena_printf(&s->scratch, "%.*s %.*s", SLICE_PRINTF(host), SLICE_PRINTF(text))};

    server_say(s, out, &bye);
}

void server_say_wrong(struct server *s, struct buf *out, const struct reply *reply)
{
    if (++s->wrong > s->error_max)
        server_say_goodbye(s, out, SLICE("4.7.0"), SLICE("Error: too many errors"));
    else
        server_say(s, out, reply);
}

void server_say_excused(struct server *s, struct buf *out, const struct reply *reply)
{
    if (s->excused >= s->settings->rcpt_max) {
        server_say_wrong(s, out, reply);
        return;
    }
    s->excused++;
    server_say(s, out, reply);
}

void server_say_of_message(struct server *s, struct buf *out, const struct reply *reply,
                           void (*say)(struct server *, struct buf *, const struct reply *))
{
    if (s->settings->protocol == SERVER_LMTP && s->rcpts_accepted > 1) {
        s->replies_owed = s->rcpts_accepted - 1;
        s->owed = copy_reply(&s->scratch, reply);
    }
    say(s, out, reply);
}

/* --- needs and their answers --------------------------------------------------------------- */

void server_ask(struct server *s, enum server_need need)
{
    assert(s->ask == ASK_NOTHING);
    s->asked = need;
    s->ask = ASK_NEW;
}

static bool accepted(const struct server *s)
{
    return s->answer.code >= 200 && s->answer.code < 300;
}

/* The role's answer, or our usual words when it left them to us. */
static const struct reply *answer_or(const struct server *s, const struct reply *usual)
{
    return s->answer.text.len > 0 ? &s->answer : usual;
}

void server_greet(struct server *s, struct buf *out)
{
    struct reply greeting = {220, SLICE(""),
                             arena_printf(&s->scratch, "%.*s %s postroad",
                                          SLICE_PRINTF(s->settings->hostname),
                                          s->settings->protocol == SERVER_LMTP ? "LMTP" : "ESMTP")};

    write_reply(out, &greeting);
    server_phase_set(s, PHASE_GREETED);
}

static void connect_answered(struct server *s, const struct cursor *in, struct buf *out)
{
    if (!accepted(s)) {
        server_say(s, out, &s->answer);
        if (s->phase != PHASE_DONE)
            server_phase_set(s, PHASE_REFUSED);
        return;
    }
    if (!cursor_at_end(in)) {
        /* Who does not wait for the greeting is no mail server. */
        server_say(s, out, &REPLY(554, "5.5.1", "Error: you spoke before the greeting"));
        session_end(s);
        return;
    }
    server_greet(s, out);
}

static void mail_answered(struct server *s, struct buf *out)
{
    if (!accepted(s)) {
        server_say_excused(s, out, &s->answer);
        server_transaction_reset(s);
        return;
    }
    s->keeps = true;
    s->mail_refused = false;
    server_phase_set(s, PHASE_MAIL);
    server_say(s, out, answer_or(s, &REPLY(250, "2.1.0", "Ok")));
}

/* Named twice, or by two names of one mailbox: it gets the mail once. */
static bool has_rcpt(const struct envelope *e, const struct address *final)
{
    for (unsigned i = 0; i < e->rcpt_count; i++)
        if (address_equal(&e->rcpts[i].final, final))
            return true;
    return false;
}

static void add_rcpt(struct server *s, const struct envelope_rcpt *rcpt)
{
    struct envelope *e = s->envelope;

    if (e->rcpt_count == s->rcpts_room) {
        unsigned room = s->rcpts_room == 0 ? 4 : s->rcpts_room * 4;
        struct envelope_rcpt *larger = ARENA_ARRAY(&s->tx, struct envelope_rcpt, room);

        if (e->rcpt_count > 0)
            memcpy(larger, e->rcpts, e->rcpt_count * sizeof(*larger));
        e->rcpts = larger;
        s->rcpts_room = room;
    }
    e->rcpts[e->rcpt_count++] = *rcpt;
}

/* All of an alias's recipients, or none: false when the envelope cannot hold them. They are counted
 * before anything of them is kept, since a client may ask for an alias that is too large as often
 * as it likes. */
static bool add_rcpts(struct server *s)
{
    struct envelope_rcpt rcpt = {.notify = s->notify};
    size_t news = 0;

    for (size_t i = 0; i < s->final_count; i++)
        if (!has_rcpt(s->envelope, &s->finals[i]))
            s->finals[news++] = s->finals[i];
    if (news > ENVELOPE_RCPTS_MAX - s->envelope->rcpt_count)
        return false;
    if (news == 0)
        return true;
    rcpt.original = address_copy(&s->tx, &s->path);
    rcpt.orcpt = arena_copy(&s->tx, s->orcpt);
    for (size_t i = 0; i < news; i++) {
        if (has_rcpt(s->envelope, &s->finals[i]))
            continue; /* twice among them */
        rcpt.final = address_copy(&s->tx, &s->finals[i]);
        add_rcpt(s, &rcpt);
    }
    return true;
}

static void rcpt_answered(struct server *s, struct buf *out)
{
    if (!accepted(s)) {
        s->rcpts_refused++;
        server_say_excused(s, out, &s->answer);
        return;
    }
    if (!add_rcpts(s)) {
        s->rcpts_refused++;
        server_say_excused(s, out, &server_too_many_rcpts);
        return;
    }
    s->rcpts_accepted++;
    server_phase_set(s, PHASE_RCPT);
    server_say(s, out, answer_or(s, &REPLY(250, "2.1.5", "Ok")));
}

static void commit_answered(struct server *s, struct buf *out)
{
    if (!accepted(s)) {
        server_say_of_message(s, out, &s->answer, server_say_excused);
        server_transaction_reset(s);
        return;
    }
    server_say_of_message(s, out, answer_or(s, &REPLY(250, "2.0.0", "Ok: queued")), server_say);
    s->keeps = false; /* it is the queue's now */
    s->wrong = 0;
    s->excused = 0;
    server_transaction_reset(s);
}

/* What waits now came in the clear, behind a command that nothing may follow: perhaps from who
 * wants it to be taken for the client's first words (CVE-2011-0411). */
static void tls_answered(struct server *s, const struct cursor *in, struct buf *out)
{
    if (!accepted(s)) {
        server_say_excused(s, out, &s->answer);
        return;
    }
    if (!cursor_at_end(in)) {
        server_say(s, out, &REPLY(554, "5.5.1", "Error: you spoke before TLS began"));
        session_end(s);
        return;
    }
    server_say(s, out, answer_or(s, &REPLY(220, "2.0.0", "Ready to start TLS")));
    server_ask(s, SERVER_START_TLS);
}

/* RFC 1985 5.3. Who asks again and again for what is not his is to go. */
static void etrn_answered(struct server *s, struct buf *out)
{
    struct slice node = etrn_text(&s->node, &s->scratch);
    struct slice done =
        arena_printf(&s->scratch, "OK, queuing for node %.*s started", SLICE_PRINTF(node));
    struct slice refused = arena_printf(&s->scratch, "Node %.*s not allowed", SLICE_PRINTF(node));
    struct slice failed =
        arena_printf(&s->scratch, "Unable to queue messages for node %.*s", SLICE_PRINTF(node));

    if (accepted(s))
        server_say(s, out, answer_or(s, &(struct reply){250, SLICE("2.0.0"), done}));
    else if (s->answer.code == 459)
        server_say_wrong(s, out, answer_or(s, &(struct reply){459, SLICE("4.7.1"), refused}));
    else
        server_say_excused(s, out, answer_or(s, &(struct reply){458, SLICE("4.3.0"), failed}));
}

void server_forget_greeting(struct server *s)
{
    server_transaction_reset(s);
    memory_free(s->helo);
    s->helo = NULL;
    s->helo_len = 0;
    server_forget_user(s);
    s->esmtp = false;
    s->mail_refused = false;
}

void server_secured(struct server *s, const struct envelope_tls *tls)
{
    bool asked = s->ask == ASK_WAITING && s->asked == SERVER_START_TLS;

    assert(!server_is_secure(s) && tls->version.len > 0);
    assert(asked || (s->phase == PHASE_CONNECT && s->ask == ASK_NOTHING));
    s->tls = *tls;
    if (!asked)
        return;
    s->ask = ASK_NOTHING;
    server_forget_greeting(s);
    server_phase_set(s, PHASE_GREETED);
}

static void need_answered(struct server *s, const struct cursor *in, struct buf *out)
{
    s->ask = ASK_NOTHING;
    if (s->asked == SERVER_WANTS_CONNECT)
        connect_answered(s, in, out);
    else if (s->asked == SERVER_WANTS_MAIL)
        mail_answered(s, out);
    else if (s->asked == SERVER_WANTS_RCPT)
        rcpt_answered(s, out);
    else if (s->asked == SERVER_WANTS_TLS)
        tls_answered(s, in, out);
    else if (s->asked == SERVER_WANTS_AUTH)
        server_auth_answered(s, out);
    else if (s->asked == SERVER_WANTS_ETRN)
        etrn_answered(s, out);
    else if (s->asked == SERVER_WANTS_XCLIENT)
        server_xclient_answered(s, out);
    else
        commit_answered(s, out);
}

void server_answer(struct server *s, const struct reply *reply)
{
    assert(s->ask == ASK_WAITING || s->phase == PHASE_DONE);
    if (s->ask != ASK_WAITING)
        return; /* too late: the session was shut down meanwhile */
    s->answer = copy_reply(&s->scratch, reply);
    s->ask = ASK_ANSWERED;
}

void server_rewrite_sender(struct server *s, const struct address *sender)
{
    s->envelope->sender = address_copy(&s->tx, sender);
}

void server_answer_rcpt(struct server *s, const struct reply *reply, const struct address *finals,
                        size_t count)
{
    if (count == 0) {
        finals = &s->path;
        count = 1;
    }
    s->finals = ARENA_ARRAY(&s->scratch, struct address, count);
    for (s->final_count = 0; s->final_count < count; s->final_count++)
        s->finals[s->final_count] = address_copy(&s->scratch, &finals[s->final_count]);
    server_answer(s, reply);
}

void server_body_failed(struct server *s, const struct reply *reply)
{
    assert(s->data != NULL && reply->code >= 400);
    s->data->failure = copy_reply(&s->tx, reply);
}

/* --- the step ------------------------------------------------------------------------------ */

static void close_from_outside(struct server *s, struct buf *out)
{
    /* The client waits for the handshake: a 421 would be none. */
    if (s->ask == ASK_WAITING && s->asked == SERVER_START_TLS) {
        session_end(s);
        return;
    }
    /* No command is to blame; the log gets the stage from the phase. */
    s->verb = VERB_UNKNOWN;
    s->line = SLICE("");
    s->has_path = false;
    if (s->closing == CLOSING_TIME_OUT)
        server_say_goodbye(s, out, SLICE("4.4.2"), SLICE("Error: timeout exceeded"));
    else if (s->closing == CLOSING_DISMISSED)
        server_say_goodbye(s, out, SLICE("4.7.0"), SLICE("Error: this account may not log in now"));
    else
        server_say_goodbye(s, out, SLICE("4.3.2"), SLICE("Service is shutting down, come back"));
}

/* Told before everything else, in this order: the refusal's words precede its consequences. */
static bool tell(struct server *s, enum server_need *need)
{
    if (s->refusal_owed) {
        s->refusal_owed = false;
        *need = SERVER_REFUSED;
        return true;
    }
    if (s->reset_owed) {
        s->reset_owed = false;
        *need = SERVER_RESET;
        return true;
    }
    if (s->phase == PHASE_DONE) {
        *need = SERVER_DONE;
        return true;
    }
    if (s->ask == ASK_NEW) {
        s->ask = ASK_WAITING;
        *need = s->asked;
        return true;
    }
    return false;
}

static bool await_input(struct server *s, const struct cursor *in, enum server_need *need)
{
    s->partial_line = s->swallowing || !cursor_at_end(in);
    if (s->envelope == NULL && !s->swallowing) {
        arena_done(&s->tx);
        arena_done(&s->scratch);
        s->line = SLICE("");
        s->has_path = false;
        s->refusal = (struct server_refusal){0};
    }
    *need = SERVER_WANTS_INPUT;
    return true;
}

static bool advance(struct server *s, struct cursor *in, struct buf *out, enum server_need *need)
{
    if (s->phase == PHASE_CONNECT) {
        server_ask(s, SERVER_WANTS_CONNECT);
        return false;
    }
    if (s->chunk.active)
        return server_bdat_step(s, in, out, need);
    if (s->phase == PHASE_BODY)
        return server_data_step(s, in, out, need);
    if (s->auth_waits)
        return !server_auth_step(s, in, out) && await_input(s, in, need);
    return !server_command_step(s, in, out) && await_input(s, in, need);
}

/* One move; true when the role must do something before the next. */
static bool step(struct server *s, struct cursor *in, struct buf *out, enum server_need *need)
{
    if (tell(s, need))
        return true;
    if (buf_room(out) < REPLY_ROOM) {
        *need = SERVER_WANTS_ROOM;
        return true;
    }
    if (s->replies_owed > 0) {
        s->replies_owed--;
        write_reply(out, &s->owed);
        return false;
    }
    if (s->ask == ASK_ANSWERED) {
        need_answered(s, in, out);
        return false;
    }
    /* Between the final dot and its reply nobody may cut in: the client would send the message
     * again although it is queued. */
    if (s->closing != CLOSING_NOT && !(s->ask == ASK_WAITING && s->asked == SERVER_WANTS_COMMIT)) {
        close_from_outside(s, out);
        return false;
    }
    if (s->ask == ASK_WAITING) {
        *need = SERVER_WANTS_INPUT;
        return true;
    }
    return advance(s, in, out, need);
}

enum server_need server_step(struct server *s, struct cursor *in, struct buf *out)
{
    enum server_need need = SERVER_WANTS_INPUT;

    while (!step(s, in, out, &need))
        ;
    return need;
}

/* --- what the role asks -------------------------------------------------------------------- */

void server_time_is(struct server *s, uint64_t wall_us)
{
    s->wall_us = wall_us;
}

void server_allow_errors(struct server *s, unsigned error_max)
{
    s->error_max = error_max;
}

void server_shut_down(struct server *s)
{
    if (s->closing == CLOSING_NOT)
        s->closing = CLOSING_SHUT_DOWN;
}

void server_dismiss(struct server *s)
{
    if (s->closing == CLOSING_NOT)
        s->closing = CLOSING_DISMISSED;
}

void server_time_out(struct server *s)
{
    if (s->closing == CLOSING_NOT)
        s->closing = CLOSING_TIME_OUT;
}

bool server_is_idle(const struct server *s)
{
    bool between =
        s->phase == PHASE_GREETED || s->phase == PHASE_READY || s->phase == PHASE_REFUSED;

    return between && s->ask == ASK_NOTHING && !s->partial_line && !s->chunk.active &&
           s->replies_owed == 0;
}

unsigned server_timeout_s(const struct server *s)
{
    if (s->phase == PHASE_BODY || s->chunk.active)
        return TIMEOUT_BODY_S;
    if (s->phase == PHASE_REFUSED)
        return TIMEOUT_REFUSED_S;
    if (s->ask == ASK_WAITING && s->asked == SERVER_START_TLS)
        return SERVER_HANDSHAKE_S;
    return TIMEOUT_COMMAND_S;
}

struct slice server_body(const struct server *s)
{
    return s->data != NULL ? s->data->run : SLICE("");
}

const struct address *server_rcpt(const struct server *s)
{
    return &s->path;
}

const struct etrn_node *server_etrn(const struct server *s)
{
    return &s->node;
}

struct envelope *server_envelope(struct server *s)
{
    return s->envelope;
}

bool server_was_repaired(const struct server *s)
{
    return s->data != NULL && s->data->dots.bare_lf;
}

struct slice server_message_id(const struct server *s)
{
    return s->data != NULL ? header_watch_message_id(&s->data->header) : SLICE("");
}

const struct header_watch *server_header(const struct server *s)
{
    return &s->data->header;
}

bool server_message_is_folded(const struct server *s)
{
    return s->data != NULL && s->data->header.folded;
}

uint64_t server_body_size(const struct server *s)
{
    return s->data != NULL ? s->data->size : 0;
}

const struct server_refusal *server_refusal(const struct server *s)
{
    return &s->refusal;
}

const struct server_counts *server_counts(const struct server *s)
{
    return &s->counts;
}

struct slice server_helo(const struct server *s)
{
    return (struct slice){s->helo, s->helo_len};
}

bool server_is_secure(const struct server *s)
{
    return s->tls.version.len > 0;
}

unsigned server_offers(const struct server *s)
{
    unsigned offers = s->settings->offers;

    if (!server_is_secure(s))
        offers &= ~(unsigned)EHLO_REQUIRETLS;
    if (!s->trusted)
        offers &= ~(unsigned)(EHLO_XCLIENT | EHLO_XFORWARD);
    return offers;
}

const struct envelope_tls *server_tls(const struct server *s)
{
    return &s->tls;
}

/* RFC 3848; it knows no word for HELO under TLS. */
struct slice server_proto(const struct server *s)
{
    static const struct slice words[2][4] = {
        {SLICE_INIT("ESMTP"), SLICE_INIT("ESMTPA"), SLICE_INIT("ESMTPS"), SLICE_INIT("ESMTPSA")},
        {SLICE_INIT("LMTP"),  SLICE_INIT("LMTPA"),  SLICE_INIT("LMTPS"),  SLICE_INIT("LMTPSA") },
    };
    bool lmtp = s->settings->protocol == SERVER_LMTP;

    return !lmtp && !s->esmtp ? SLICE("SMTP") : words[lmtp][server_manner(s)];
}

unsigned server_manner(const struct server *s)
{
    return (server_is_secure(s) ? 2u : 0u) + (s->user_len > 0 ? 1u : 0u);
}
