/*
 * client.c - the machine of the client engine.
 *
 * Steps that were sent wait in a ring and every reply pops one. The next step may leave when
 * the ring is empty, or earlier if the server offered PIPELINING and the last sent step does
 * not end a batch; nothing else distinguishes the two ways of talking. A message is over when
 * there is nothing left to say and nothing to hear.
 *
 * A recipient's verdict is written once, by client_settle(). A session that ends early (421,
 * lost connection, broken protocol) settles whoever is still pending, so no path forgets one.
 *
 * The server is not trusted: lines and kept text are bounded (lines of a reply by the reader), and
 * a reply that answers nothing (while the message is sent) ends the session. One that is there when
 * all was answered would be taken for the answer to the next command, and the one that counts would
 * never be read: there is no next message then.
 */
#include "smtp/client_steps.h"

#include "base/memory.h"
#include "smtp/heard.h"

#include <assert.h>

enum { EHLO_TEXT_MAX = 16 * 1024, BODY_BLOCK_TIMEOUT_S = 180 };

struct client *client_new(const struct client_settings *settings)
{
    struct client *c = MEMORY_NEW(struct client);

    c->settings = *settings;
    c->state = CLIENT_IDLE;
    arena_init(&c->tx.arena);
    reply_reader_init(&c->reply, EHLO_TEXT_MAX);
    client_auth_init(c);
    client_expect(c, STEP_GREETING, 0);
    return c;
}

void client_free(struct client *c)
{
    if (c == NULL)
        return;
    reply_reader_done(&c->reply);
    client_auth_done(c);
    arena_done(&c->tx.arena);
    memory_free(c);
}

/* The one place where a transaction begins anew. */
static void transaction_reset(struct client_transaction *tx, const struct client_message *message)
{
    struct arena arena = tx->arena;

    arena_reset(&arena);
    *tx = (struct client_transaction){.arena = arena, .message = *message};
    tx->outcomes = ARENA_ARRAY(&tx->arena, struct client_outcome, message->rcpt_count);
    tx->pending = message->rcpt_count;
}

void client_message(struct client *c, const struct client_message *message)
{
    bool open = c->tx.open, greeted = c->sent_count == 0;

    assert(c->state == CLIENT_IDLE);
    transaction_reset(&c->tx, message);
    c->tx.given = true;
    c->state = CLIENT_TALKING;
    if (c->babbles) {
        client_fail(c, CLIENT_NOT_SMTP);
        return;
    }
    if (!greeted)
        return; /* the greeting's answer starts the dialog */
    if (open)
        c->next = STEP_RSET;
    else
        client_begin_message(c);
}

const struct ehlo_offers *client_offers(const struct client *c)
{
    return &c->offers;
}

bool client_takes_more(const struct client *c)
{
    return c->state == CLIENT_IDLE && !c->babbles &&
           (c->offers.mail_max == 0 || c->mails < c->offers.mail_max);
}

void client_secured(struct client *c)
{
    assert(c->state == CLIENT_SECURING);
    c->secured = true;
    c->offers = (struct ehlo_offers){0}; /* what was told in the clear is forgotten, RFC 3207 4.2 */
    c->state = CLIENT_TALKING;
    c->next = c->settings.protocol == CLIENT_LMTP ? STEP_LHLO : STEP_EHLO;
    c->waits++;
}

void client_reset(struct client *c)
{
    assert(c->state == CLIENT_IDLE);
    c->state = CLIENT_TALKING;
    c->tx.forgotten = true;
    c->next = STEP_RSET;
}

void client_quit(struct client *c)
{
    if (c->state != CLIENT_IDLE)
        return;
    c->state = CLIENT_TALKING;
    c->next = STEP_QUIT;
}

void client_expect(struct client *c, enum step step, unsigned rcpt)
{
    assert(c->sent_count < SENT_MAX);
    c->sent[(c->sent_first + c->sent_count++) % SENT_MAX] = (struct sent_step){step, rcpt};
    if (c->sent_count == 1)
        c->waits++;
}

void client_settle(struct client *c, unsigned rcpt, struct client_outcome outcome)
{
    assert(c->tx.outcomes[rcpt].verdict == CLIENT_PENDING && outcome.verdict != CLIENT_PENDING);
    c->tx.outcomes[rcpt] = outcome;
    if (--c->tx.pending == 0)
        c->next = STEP_NONE; /* nobody left to talk about */
}

void client_settle_all(struct client *c, struct client_outcome outcome)
{
    for (unsigned i = 0; i < c->tx.message.rcpt_count; i++)
        if (c->tx.outcomes[i].verdict == CLIENT_PENDING)
            client_settle(c, i, outcome);
    if (c->tx.final.verdict == CLIENT_PENDING)
        c->tx.final = outcome;
    c->tx.accepted = 0;
    c->next = STEP_NONE;
}

bool client_is_accepted(const struct client *c, unsigned rcpt)
{
    const struct client_outcome *o = &c->tx.outcomes[rcpt];

    return o->verdict == CLIENT_PENDING && o->code / 100 == 2;
}

static enum client_verdict verdict_of(unsigned code)
{
    switch (code / 100) {
    case 2: return CLIENT_ACCEPTED;
    case 5: return CLIENT_REFUSED;
    default: return CLIENT_TRY_AGAIN; /* 4xx, and 1xx or 3xx that answer no question */
    }
}

struct client_outcome client_judge(struct client *c, enum step step)
{
    struct slice text = slice_head(buf_slice(&c->reply.text), CLIENT_TEXT_MAX);
    struct client_outcome got = {
        .verdict = verdict_of(c->reply.code), .step = step, .code = c->reply.code};

    got.text = arena_copy(&c->tx.arena, text);
    got.enhanced = slice_head(got.text, c->reply.enhanced.len);
    return got;
}

/* The step whose answer is waited for, or STEP_NONE. */
static enum step awaited(const struct client *c)
{
    return c->sent_count == 0 ? STEP_NONE : c->sent[c->sent_first].step;
}

static const struct {
    enum client_verdict verdict;
    struct slice enhanced;
    const char *text;
} failures[] = {
    [CLIENT_LOST] = {CLIENT_TRY_AGAIN, SLICE_INIT("4.4.2"), "the server closed the connection"},
    [CLIENT_TIMED_OUT] = {CLIENT_TRY_AGAIN, SLICE_INIT("4.4.2"), "the server did not answer"       },
    [CLIENT_NOT_SMTP] = {CLIENT_TRY_AGAIN, SLICE_INIT("4.5.0"), "the server broke the protocol"   },
    [CLIENT_BAD_CONTENT] = {CLIENT_REFUSED,   SLICE_INIT("5.6.0"),
                     "the message holds a bare CR, a bare LF or a NUL"                        },
    [CLIENT_BODY_MISSING] = {CLIENT_TRY_AGAIN, SLICE_INIT("4.3.0"),
                     "the message could not be read"                                          },
    [CLIENT_TLS_FAILED] = {CLIENT_TRY_AGAIN, SLICE_INIT("4.7.5"), "no TLS with the server"          },
};

/* Nothing depends on the server any more. */
static bool is_leaving(const struct client *c)
{
    return c->state == CLIENT_IDLE || c->state == CLIENT_ENDED || c->next == STEP_QUIT ||
           awaited(c) == STEP_QUIT;
}

static void fail_saying(struct client *c, enum client_failure why, struct slice text)
{
    enum step step = c->state == CLIENT_IN_BODY    ? STEP_DOT
                     : c->state == CLIENT_SECURING ? STEP_STARTTLS
                     : c->state == CLIENT_PROVING  ? STEP_AUTH
                                                   : awaited(c);
    struct slice name = step_name(step);
    struct client_outcome outcome = {
        .verdict = failures[why].verdict, .step = step, .enhanced = failures[why].enhanced};

    if (is_leaving(c)) {
        c->state = CLIENT_ENDED;
        return;
    }
    if (c->state == CLIENT_IN_BODY)
        outcome.text =
            arena_printf(&c->tx.arena, "%.*s (while the message was sent)", SLICE_PRINTF(text));
    else if (step == STEP_NONE)
        outcome.text = arena_copy(&c->tx.arena, text);
    else
        outcome.text = arena_printf(&c->tx.arena, "%.*s (waiting for: %.*s)", SLICE_PRINTF(text),
                                    SLICE_PRINTF(name));
    client_settle_all(c, outcome);
    c->state = CLIENT_ENDED;
}

void client_fail(struct client *c, enum client_failure why)
{
    fail_saying(c, why, slice_of(failures[why].text));
}

void client_no_tls(struct client *c, struct slice problem)
{
    struct arena scratch = {0};

    fail_saying(c, CLIENT_TLS_FAILED,
                arena_printf(&scratch, "%s: %.*s", failures[CLIENT_TLS_FAILED].text,
                             SLICE_PRINTF(problem)));
    arena_done(&scratch);
}

/* Lines are made of parts that cannot hold a control character; one that does would be an
 * injected command, so it is not worth living on. */
static void assert_clean(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        assert((unsigned char)line.data[i] >= ' ' && line.data[i] != 127);
}

static bool may_send(const struct client *c, const struct buf *out)
{
    unsigned last = (c->sent_first + c->sent_count + SENT_MAX - 1) % SENT_MAX;

    if (c->state != CLIENT_TALKING || c->next == STEP_NONE || c->sent_count == SENT_MAX ||
        buf_room(out) < (c->next == STEP_AUTH ? AUTH_ROOM : STEP_ROOM))
        return false;
    if (c->sent_count == 0)
        return true;
    return ehlo_offers(&c->offers, EHLO_PIPELINING) && step_rows[c->next].send != NULL &&
           !step_rows[c->sent[last].step].ends_batch;
}

/* A chunk is no line: the caller brings it. */
static void begin_chunks(struct client *c)
{
    c->next = STEP_NONE;
    c->state = CLIENT_IN_BODY;
    c->waits++;
}

static void send_next(struct client *c, struct buf *out)
{
    size_t start = buf_len(out);
    enum step step = c->next;
    struct slice line;

    if (step_rows[step].send == NULL) {
        begin_chunks(c);
        return;
    }
    client_expect(c, step, c->tx.rcpt_next);
    step_rows[step].send(c, out);
    line = slice_skip(buf_slice(out), start);
    assert_clean(line);
    if (c->settings.transcript != NULL && step == STEP_AUTH)
        client_show_auth(c, line);
    else if (c->settings.transcript != NULL)
        transcript_sent(c->settings.transcript, line);
    buf_append(out, SLICE("\r\n"));
}

/* Line by line: the transcript wants each, and one without an end must not be read for ever. */
static enum reply_progress read_reply(struct client *c, struct cursor *in)
{
    for (;;) {
        struct slice seen = slice_head(in->rest, CLIENT_LINE_MAX);
        size_t len = slice_find(seen, '\n') + 1;
        struct cursor line = {slice_head(seen, len)};
        enum reply_progress progress;

        if (len > seen.len)
            return seen.len == CLIENT_LINE_MAX ? REPLY_BROKEN : REPLY_MORE;
        if (c->settings.transcript != NULL)
            transcript_received(c->settings.transcript, line.rest);
        if (c->settings.heard != NULL)
            heard_line(c->settings.heard, line.rest);
        in->rest = slice_skip(in->rest, len);
        progress = reply_read(&c->reply, &line);
        if (progress != REPLY_MORE)
            return progress;
    }
}

/* A reply while the message is being sent: a server that gives up early, or nonsense. Either
 * way there is no way back to commands, save by the final dot, which must not be said. */
static void take_early_reply(struct client *c)
{
    struct client_outcome outcome = client_judge(c, STEP_DOT);

    if (outcome.code < 400) {
        client_fail(c, CLIENT_NOT_SMTP);
        return;
    }
    client_settle_all(c, outcome);
    c->state = CLIENT_ENDED;
}

static void take_reply(struct client *c, struct buf *out)
{
    struct sent_step step;

    if (c->sent_count == 0) {
        take_early_reply(c);
        return;
    }
    step = c->sent[c->sent_first];
    c->sent_first = (c->sent_first + 1) % SENT_MAX;
    c->sent_count--;
    c->waits++;
    if (c->settings.heard != NULL)
        heard_reply(c->settings.heard, step.step, c->secured, &c->reply);
    /* 421 may answer anything and means that the server is leaving, RFC 5321 3.8. */
    if (c->reply.code == 421 && step.step != STEP_QUIT) {
        client_settle_all(c, client_judge(c, step.step));
        c->state = CLIENT_ENDED;
        return;
    }
    step_rows[step.step].on_reply(c, out, step.rcpt);
}

static bool is_binary(const struct client *c)
{
    return c->tx.message.body == BODY_BINARYMIME;
}

/* Each chunk has a reply; without PIPELINING it is waited for. The ring keeps room for the last. */
static bool may_send_chunk(const struct client *c)
{
    return c->sent_count == 0 ||
           (ehlo_offers(&c->offers, EHLO_PIPELINING) && c->sent_count < SENT_MAX - 1);
}

static enum client_need need_more(const struct client *c, const struct buf *out)
{
    /* Stuffing at most doubles a piece. */
    bool room = buf_room(out) >= 2 * CLIENT_PIECE_MAX + STEP_ROOM;

    if (c->state != CLIENT_IN_BODY || !room || (is_binary(c) && !may_send_chunk(c)))
        return CLIENT_WANTS_INPUT;
    return CLIENT_WANTS_BODY;
}

/* What a server says behind its answer to STARTTLS was put there by somebody on the way: behind a
 * 220 to be taken for said in confidence, behind a refusal to answer what the client is yet to say.
 */
static enum client_need need_tls(struct client *c, const struct cursor *in)
{
    if (in->rest.len == 0)
        return CLIENT_WANTS_TLS;
    client_fail(c, CLIENT_NOT_SMTP);
    return CLIENT_DONE;
}

enum client_need client_step(struct client *c, struct cursor *in, struct buf *out)
{
    bool at_tls;

    if (c->state == CLIENT_IDLE && c->sent_count > 0)
        c->state = CLIENT_TALKING; /* without a message yet: greet the server */
    for (;;) {
        while (may_send(c, out))
            send_next(c, out);
        if (c->state == CLIENT_TALKING && c->next == STEP_NONE && c->sent_count == 0)
            c->state = CLIENT_IDLE;
        if (c->state == CLIENT_IDLE) {
            c->babbles = c->babbles || in->rest.len > 0;
            return CLIENT_READY;
        }
        if (c->state == CLIENT_SECURING)
            return need_tls(c, in);
        if (c->state == CLIENT_PROVING)
            return CLIENT_WANTS_AUTH;
        if (c->state == CLIENT_ENDED)
            return CLIENT_DONE;

        switch (read_reply(c, in)) {
        case REPLY_MORE: return need_more(c, out);
        case REPLY_BROKEN: client_fail(c, CLIENT_NOT_SMTP); break;
        case REPLY_COMPLETE:
            at_tls = awaited(c) == STEP_STARTTLS;
            take_reply(c, out);
            reply_reader_reset(&c->reply);
            if (at_tls && in->rest.len > 0)
                client_fail(c, CLIENT_NOT_SMTP);
            break;
        }
    }
}

static void send_bdat(struct client *c, struct buf *out, size_t len, const char *last)
{
    size_t start = buf_len(out);

    buf_printf(out, "BDAT %zu%s", len, last);
    if (c->settings.transcript != NULL)
        transcript_sent(c->settings.transcript, slice_skip(buf_slice(out), start));
    buf_append(out, SLICE("\r\n"));
}

static void send_chunk(struct client *c, struct slice piece, struct buf *out)
{
    if (piece.len == 0)
        return;
    send_bdat(c, out, piece.len, "");
    buf_append(out, piece);
    if (c->settings.transcript != NULL)
        transcript_body(c->settings.transcript, piece.len);
    client_expect(c, STEP_BDAT, 0);
}

void client_body(struct client *c, struct slice piece, struct buf *out)
{
    assert(c->state == CLIENT_IN_BODY && piece.len <= CLIENT_PIECE_MAX);
    if (is_binary(c)) {
        send_chunk(c, piece, out);
        return;
    }
    if (!dots_write(&c->tx.dots, out, piece)) {
        client_fail(c, CLIENT_BAD_CONTENT);
        return;
    }
    if (c->settings.transcript != NULL)
        transcript_body(c->settings.transcript, piece.len);
    c->waits++;
}

/* Whose reply to the end of the message comes first: in LMTP each accepted recipient has one. */
static unsigned first_accepted(const struct client *c)
{
    unsigned i = 0;

    while (i + 1 < c->tx.message.rcpt_count && !client_is_accepted(c, i))
        i++;
    return i;
}

void client_body_end(struct client *c, struct buf *out)
{
    if (is_binary(c)) {
        send_bdat(c, out, 0, " LAST");
    } else if (!dots_finish(&c->tx.dots, out)) {
        client_fail(c, CLIENT_BAD_CONTENT);
        return;
    } else if (c->settings.transcript != NULL) {
        transcript_sent(c->settings.transcript, SLICE("."));
    }
    c->state = CLIENT_TALKING;
    client_expect(c, STEP_DOT, first_accepted(c));
}

const struct client_outcome *client_outcome(const struct client *c, unsigned i)
{
    assert(i < c->tx.message.rcpt_count);
    return &c->tx.outcomes[i];
}

const struct client_outcome *client_final(const struct client *c)
{
    return &c->tx.final;
}

unsigned client_timeout_s(const struct client *c)
{
    if (c->settings.timeout_s != 0)
        return c->settings.timeout_s;
    if (c->state == CLIENT_IN_BODY)
        return BODY_BLOCK_TIMEOUT_S;
    if (c->state == CLIENT_SECURING)
        return step_rows[STEP_STARTTLS].timeout_s;
    if (c->state == CLIENT_PROVING)
        return step_rows[STEP_AUTH].timeout_s;
    return step_rows[awaited(c)].timeout_s;
}

uint64_t client_waits(const struct client *c)
{
    return c->waits;
}

struct slice step_name(enum step step)
{
    return step_rows[step].name;
}
