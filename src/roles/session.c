/*
 * session.c - one SMTP session: a stream, the server engine, and at most one put under way.
 *
 * The engine stops with one need; what can be answered from the settings is answered at once, a
 * commit pauses the session until its ticket finishes. A client that is gone meanwhile leaves its
 * session behind until then, because the ticket lies in it.
 */
#include "roles/session.h"

#include "base/memory.h"
#include "loop/stream.h"
#include "mail/expand.h"
#include "mail/submission.h"
#include "mail/trace.h"
#include "smtp/server.h"
#include "wire/header_drop.h"

#include <errno.h>
#include <stdio.h>

enum {
    SESSION_IN_MAX = 64 * 1024,
    SESSION_HEADER_MAX = 4096,
    BODY_PROGRESS = 4096,
    GOODBYE_TIMEOUT_MS = 10000, /* to read what we said last */
    ETRN_BODY_MAX = 512,
    SESSION_ETRNS_MAX = 25,
    ASK_TIMEOUT_MS = 60 * 1000, /* whether the next hop knows a recipient */
};

struct session {
    struct list link;
    struct sessions *among;
    const struct session_offer *offer;
    struct stream stream;
    struct timer timer;
    struct server *server;
    struct queue_ticket put;
    struct draft draft;
    struct header_drop bcc;
    struct buf header; /* our Received field, until the put finished */
    char client[64];   /* address as text */
    size_t client_len;
    uint64_t id; /* queue id of the message that is arriving, or 0 */
    bool drafting;
    bool committing;
    struct list asking; /* in among->asking, among->delayed, or alone */
    bool delayed;
    uint64_t question;
    struct list logging_in; /* in among->logging_in, or alone */
    uint64_t login;
    bool login_open; /* the vault has an exchange of that number */
    struct arena arena;
    bool has_binding;
    unsigned char binding[TLS_EXPORTER_LEN]; /* of this connection, for SCRAM-SHA-256-PLUS */
    bool securing; /* from the 220 of STARTTLS, or the start, until the handshake is done */
    bool local;
    unsigned timed_commands; /* what there was when the deadline was set */
    uint64_t timed_body;
    unsigned etrns;   /* that were taken */
    bool ended_by_us; /* timeout, shutdown: told as that, not as a refusal */
};

static const struct slice tag_smtpd = SLICE_INIT("smtpd");

static struct slice session_client(const struct session *s)
{
    return (struct slice){s->client, s->client_len};
}

static void session_run(struct session *s);

/* ---- what the log is told ---- */

static void client_fields(struct session *s, struct event_writer *w)
{
    event_text(w, FIELD_CLIENT_NAME, SLICE("unknown"));
    event_text(w, FIELD_CLIENT_ADDRESS, session_client(s));
}

static void tell_connect(struct session *s)
{
    struct event_writer w = role_event(s->among->role, EVENT_CONNECT, tag_smtpd);

    client_fields(s, &w);
    role_event_end(s->among->role, &w);
}

static void count_text(struct buf *out, const char *name, unsigned accepted, unsigned tried)
{
    if (tried == 0)
        return;
    if (accepted == tried)
        buf_printf(out, " %s=%u", name, tried);
    else
        buf_printf(out, " %s=%u/%u", name, accepted, tried);
}

static void tell_disconnect(struct session *s)
{
    const struct server_counts *c = server_counts(s->server);
    struct event_writer w = role_event(s->among->role, EVENT_DISCONNECT, tag_smtpd);
    struct buf text;

    buf_init(&text, 512);
    count_text(&text, "ehlo", c->ehlo, c->ehlo_tried);
    count_text(&text, "helo", c->helo, c->helo_tried);
    count_text(&text, "starttls", c->starttls, c->starttls_tried);
    count_text(&text, "auth", c->auth, c->auth_tried);
    count_text(&text, "mail", c->mail, c->mail_tried);
    count_text(&text, "rcpt", c->rcpt, c->rcpt_tried);
    count_text(&text, "data", c->data, c->data_tried);
    count_text(&text, "bdat", c->bdat, c->bdat_tried);
    count_text(&text, "rset", c->rset, c->rset_tried);
    count_text(&text, "noop", c->noop, c->noop_tried);
    count_text(&text, "quit", c->quit, c->quit_tried);
    count_text(&text, "unknown", c->unknown, c->unknown_tried);
    if (c->commands_tried == 0)
        buf_printf(&text, " commands=0/0");
    count_text(&text, "commands", c->commands, c->commands_tried);
    client_fields(s, &w);
    event_text(&w, FIELD_TEXT, slice_trim(buf_slice(&text)));
    role_event_end(s->among->role, &w);
    buf_done(&text);
}

static void tell_broken(struct session *s, struct slice how)
{
    struct event_writer w = role_event(s->among->role, EVENT_BROKEN, tag_smtpd);

    client_fields(s, &w);
    event_text(&w, FIELD_STAGE, server_last_stage(s->server));
    event_text(&w, FIELD_TEXT, how);
    role_event_end(s->among->role, &w);
}

/* The certificate did not please, there was no common cipher, it was no TLS at all. */
static void tell_no_handshake(struct session *s)
{
    const struct tls *tls = stream_tls(&s->stream);
    struct slice problem = tls == NULL ? SLICE("") : tls_problem(tls);
    struct arena scratch = {0};

    if (problem.len == 0)
        tell_broken(s, SLICE("lost connection"));
    else
        tell_broken(s,
                    arena_printf(&scratch, "TLS handshake failed (%.*s)", SLICE_PRINTF(problem)));
    arena_done(&scratch);
}

static void tell_refusal(struct session *s)
{
    const struct server_refusal *why = server_refusal(s->server);
    struct event_writer w = role_event(s->among->role, EVENT_REJECT, tag_smtpd);

    client_fields(s, &w);
    event_text(&w, FIELD_STAGE, why->stage);
    event_number(&w, FIELD_CODE, why->reply.code);
    event_text(&w, FIELD_ENHANCED, why->reply.enhanced);
    event_text(&w, FIELD_TEXT, why->reply.text);
    event_text(&w, FIELD_NAME, slice_head(why->command, 128));
    if (why->has_sender)
        role_event_address(&w, FIELD_SENDER, &why->sender);
    if (why->has_rcpt)
        role_event_address(&w, FIELD_RCPT, &why->rcpt);
    event_text(&w, FIELD_PROTO, server_proto(s->server));
    event_text(&w, FIELD_HELO, server_helo(s->server));
    role_event_end(s->among->role, &w);
}

static void tell_etrn(struct session *s, const struct etrn_node *node)
{
    struct event_writer w = role_event(s->among->role, EVENT_ETRN, tag_smtpd);
    struct arena scratch = {0};

    client_fields(s, &w);
    event_text(&w, FIELD_NAME, etrn_text(node, &scratch));
    role_event_end(s->among->role, &w);
    arena_done(&scratch);
}

static void tls_field(struct session *s, struct event_writer *w)
{
    const struct envelope_tls *tls = server_tls(s->server);
    struct buf text;

    if (tls->version.len == 0)
        return;
    buf_init(&text, 256);
    buf_printf(&text, "%.*s/%.*s%s", SLICE_PRINTF(tls->version), SLICE_PRINTF(tls->cipher),
               tls->client.len > 0 ? "/verified" : "");
    event_text(w, FIELD_TLS, buf_slice(&text));
    buf_done(&text);
}

/* Its own, or the one that we gave it. */
static struct slice message_id_of(struct session *s, struct arena *scratch)
{
    if (s->offer->submission && !server_header(s->server)->has_message_id)
        return submission_message_id(server_envelope(s->server), s->among->role->settings->hostname,
                                     scratch);
    return server_message_id(s->server);
}

static void tell_message(struct session *s, struct slice id_text)
{
    struct role *r = s->among->role;
    const struct envelope *e = server_envelope(s->server);
    struct event_writer w = role_event(r, EVENT_CLIENT, tag_smtpd);
    struct arena scratch = {0};

    event_text(&w, FIELD_QUEUE_ID, id_text);
    client_fields(s, &w);
    if (server_user(s->server).len > 0) {
        event_text(&w, FIELD_NAME, server_auth(s->server)->mechanism);
        event_text(&w, FIELD_USER, server_user(s->server));
    }
    tls_field(s, &w);
    role_event_end(r, &w);
    w = role_event(r, EVENT_MESSAGE_ID, SLICE("cleanup"));
    event_text(&w, FIELD_QUEUE_ID, id_text);
    event_text(&w, FIELD_MESSAGE_ID, message_id_of(s, &scratch));
    role_event_end(r, &w);
    w = role_event(r, EVENT_QUEUED, SLICE("qmgr"));
    event_text(&w, FIELD_QUEUE_ID, id_text);
    role_event_address(&w, FIELD_SENDER, &e->sender);
    event_number(&w, FIELD_SIZE, s->draft.size + buf_len(&s->header));
    event_number(&w, FIELD_NRCPT, e->rcpt_count);
    role_event_end(r, &w);
    arena_done(&scratch);
}

/* ---- the draft and the put ---- */

static const struct reply reply_full = {452, SLICE_INIT("4.3.1"),
                                        SLICE_INIT("Insufficient system storage: try again later")};
static const struct reply reply_trouble = {451, SLICE_INIT("4.3.0"),
                                           SLICE_INIT("Error: queue file write error: try again")};

static const struct reply *reply_of_error(int code)
{
    return code == -ENOSPC || code == -EDQUOT || code == -EFBIG ? &reply_full : &reply_trouble;
}

static void drop_draft(struct session *s)
{
    if (s->drafting)
        draft_end(&s->draft);
    s->drafting = false;
    s->id = 0;
}

static int begin_draft(struct session *s)
{
    s->id = queue_in_next_id(s->among->queue);
    if (s->id == 0)
        return -EIO;
    draft_begin(&s->draft, s->id);
    s->bcc = (struct header_drop){0};
    s->drafting = true;
    return 0;
}

/* Without Bcc, where a mail begins. */
static int append_body(struct session *s, struct slice body)
{
    struct cursor in = {body};
    struct slice run;
    int code = 0;

    if (!s->offer->submission)
        return draft_append(&s->draft, body);
    while (code == 0 && header_drop_next(&s->bcc, &in, &run))
        code = draft_append(&s->draft, run);
    return code;
}

static int finish_draft(struct session *s)
{
    struct slice rest = s->offer->submission ? header_drop_end(&s->bcc) : SLICE("");
    int code = draft_append(&s->draft, rest);

    return code == 0 ? draft_finish(&s->draft) : code;
}

static void keep_body(struct session *s)
{
    int code = s->drafting ? 0 : begin_draft(s);

    if (code == 0)
        code = append_body(s, server_body(s->server));
    if (code < 0) {
        drop_draft(s);
        server_body_failed(s->server, reply_of_error(code));
    }
}

/* What goes in front of the message. */
static int write_header(struct session *s, const struct envelope *e)
{
    struct role *r = s->among->role;
    struct clock *clock = r->doors->clock;
    int offset_min = clock->utc_offset_min(clock, e->arrival_us);

    buf_init(&s->header, SESSION_HEADER_MAX);
    if (!trace_received_write(&s->header, e, r->settings->hostname, offset_min) ||
        (s->offer->submission && !submission_complete(&s->header, server_header(s->server), e,
                                                      r->settings->hostname, offset_min)))
        return -EMSGSIZE;
    if (server_message_is_folded(s->server))
        buf_append(&s->header, SLICE("\r\n")); /* it has no header: all of it is body */
    return 0;
}

static int start_put(struct session *s)
{
    struct envelope *e = server_envelope(s->server);
    int code = s->drafting ? 0 : begin_draft(s); /* an empty message has no body bytes */

    if (code == 0)
        code = finish_draft(s);
    e->id = s->id;
    e->arrival_us = clock_wall_us(s->among->role->doors->clock);
    if (code == 0)
        code = write_header(s, e);
    if (code == 0)
        queue_put(s->among->queue, e, buf_slice(&s->header), &s->draft, &s->put);
    return code;
}

static void commit_message(struct session *s)
{
    int code = start_put(s);

    if (code < 0) {
        drop_draft(s);
        buf_done(&s->header);
        server_answer(s->server, reply_of_error(code));
        return;
    }
    s->committing = true;
    stream_pause(&s->stream);
    timer_cancel(s->among->role->loop, &s->timer);
}

/* ---- answers from the settings ---- */

static void answer_connect(struct session *s)
{
    const struct sessions *among = s->among;

    if (among->role->draining)
        server_answer(s->server, &REPLY(421, "4.3.2", "Service shutting down: try again later"));
    else if (among->count > among->max)
        server_answer(s->server, &REPLY(421, "4.7.0", "Too many connections: try again later"));
    else
        server_answer(s->server, &REPLY(220, "", ""));
}

static bool ask_courier(struct channel *courier, const struct etrn_node *node)
{
    struct buf body;

    buf_init(&body, ETRN_BODY_MAX);
    put_u8(&body, node->below);
    put_bytes(&body, node->domain);
    int code = channel_send(courier, MESSAGE_ETRN, buf_slice(&body), NULL, -1);
    buf_done(&body);
    return code == 0;
}

static void answer_tls(struct session *s)
{
    if (s->offer->tls == NULL)
        server_answer(s->server, &REPLY(454, "4.7.0", "TLS not available due to temporary reason"));
    else
        server_answer(s->server, &REPLY(220, "", ""));
}

/* RFC 1985 5.1: not for everybody, and not as often as he likes; each makes the courier look
 * through the queue. */
static void answer_etrn(struct session *s)
{
    const struct etrn_node *node = server_etrn(s->server);

    if (!etrn_allows(s->offer->etrn, node))
        server_answer(s->server, &REPLY(459, "4.7.1", ""));
    else if (s->etrns == SESSION_ETRNS_MAX)
        server_answer(s->server, &REPLY(459, "4.7.0", "Node not allowed: too many in one session"));
    else if (!ask_courier(s->among->courier, node))
        server_answer(s->server, &REPLY(458, "4.3.0", ""));
    else {
        s->etrns++;
        tell_etrn(s, node);
        server_answer(s->server, &REPLY(250, "2.0.0", ""));
    }
}

/* Others' names are not his to use. A report of his own mail program has none (RFC 8098). */
static bool may_send_as(const struct session *s, const struct address *sender)
{
    struct slice user = server_user(s->server);

    return user.len == 0 || sender->kind == ADDRESS_NULL || s->offer->accounts == NULL ||
           accounts_may_send_as(s->offer->accounts, user, sender);
}

static void refuse_sender(struct session *s, const struct address *sender)
{
    struct arena scratch = {0};
    struct slice text = arena_printf(
        &scratch, "<%.*s>: Sender address rejected: not owned by user %.*s",
        SLICE_PRINTF(address_text(&scratch, sender)), SLICE_PRINTF(server_user(s->server)));

    server_answer(s->server, &(struct reply){553, SLICE("5.7.1"), text});
    arena_done(&scratch);
}

static void answer_mail(struct session *s)
{
    const struct address *sender = &server_envelope(s->server)->sender;

    if (!queue_in_has_room(s->among->queue))
        server_answer(s->server, &reply_full);
    else if (!may_send_as(s, sender))
        refuse_sender(s, sender);
    else
        server_answer(s->server, &REPLY(250, "2.1.0", "Ok"));
}

static struct rules_query rcpt_query(const struct session *s)
{
    return (struct rules_query){s->local, server_envelope(s->server)->sender,
                                *server_rcpt(s->server), server_user(s->server)};
}

static const struct reply reply_rcpt = {250, SLICE_INIT("2.1.5"), SLICE_INIT("Ok")};

/* Whom the next hop must know; NULL: nobody. Who comes of an alias is known to whoever wrote it. */
static const struct decision *to_ask_for(const struct expansion *x, const struct rules *rules,
                                         const struct rules_query *query)
{
    struct address given = rules_complete(rules, &query->rcpt);

    for (unsigned i = 0; i < x->count; i++)
        if (x->homes[i].rule != NULL && x->homes[i].rule->asks &&
            address_equal(&x->finals[i], &given))
            return &x->homes[i];
    return NULL;
}

static const struct answer no_answer = {.kind = ANSWER_LATER,
                                        .text = SLICE_INIT("it cannot be asked for now")};
static const struct answer delay_over = {.kind = ANSWER_KNOWN};

static void refuse_asked(struct session *s, const struct answer *a)
{
    struct arena scratch = {0};
    struct rules_query query = rcpt_query(s);
    struct reply r = REPLY(450, "4.1.1", "");

    if (a->kind == ANSWER_UNKNOWN)
        r = REPLY(550, "5.1.1", "");
    r.text = arena_printf(&scratch, "%s address: %.*s",
                          a->kind == ANSWER_UNKNOWN ? "undeliverable" : "unverified",
                          SLICE_PRINTF(a->text));
    r = rules_refusal(&query, r, &scratch);
    server_answer_rcpt(s->server, &r, NULL, 0);
    arena_done(&scratch);
}

static bool is_asking(const struct session *s)
{
    return !list_empty(&s->asking);
}

static bool send_question(struct sessions *among, const struct question *q)
{
    struct buf body;
    bool sent;

    buf_init(&body, QUESTION_MAX);
    sent = question_write(&body, q) &&
           channel_send(among->courier, MESSAGE_ASK, buf_slice(&body), NULL, -1) == 0;
    buf_done(&body);
    return sent;
}

static void ask(struct session *s, const struct decision *d)
{
    struct sessions *among = s->among;
    struct question q = {.number = ++among->questions,
                         .rule = (uint32_t)(d->rule - among->role->settings->rules.rules),
                         .rcpt = d->final};

    if (!send_question(among, &q)) {
        refuse_asked(s, &no_answer);
        return;
    }
    s->question = q.number;
    list_append(&among->asking, &s->asking);
    stream_pause(&s->stream);
    timer_set(among->role->loop, &s->timer, ASK_TIMEOUT_MS);
}

/* True: the recipient behaves badly on purpose, so that this is its answer. */
static bool is_bad(struct session *s)
{
    struct arena scratch = {0};
    struct rules_query query = rcpt_query(s);
    struct bad_manners m = bad_addresses_at_rcpt(s->offer->faults, session_client(s), &query.sender,
                                                 &query.rcpt, &scratch);

    if (m.refusal.code != 0) {
        server_answer_rcpt(s->server, &m.refusal, NULL, 0);
    } else if (m.delay_s > 0) {
        s->delayed = true;
        list_append(&s->among->delayed, &s->asking);
        stream_pause(&s->stream);
        timer_set(s->among->role->loop, &s->timer, (uint64_t)m.delay_s * 1000);
    }
    arena_done(&scratch);
    return m.refusal.code != 0 || m.delay_s > 0;
}

static void answer_rcpt(struct session *s)
{
    struct arena scratch = {0};
    const struct rules *rules = &s->among->role->settings->rules;
    struct rules_query query = rcpt_query(s);
    struct expansion x = rules_expand(rules, &query, &scratch);
    const struct decision *asked = to_ask_for(&x, rules, &query);

    if (x.refusal.code != 0)
        server_answer_rcpt(s->server, &x.refusal, NULL, 0);
    else if (asked != NULL)
        ask(s, asked);
    else if (s->offer->faults == NULL || !is_bad(s))
        server_answer_rcpt(s->server, &reply_rcpt, x.finals, x.count);
    arena_done(&scratch);
}

/* The same once more, but for the question. */
static void accept_known(struct session *s)
{
    struct arena scratch = {0};
    struct rules_query query = rcpt_query(s);
    struct expansion x = rules_expand(&s->among->role->settings->rules, &query, &scratch);

    server_answer_rcpt(s->server, &reply_rcpt, x.finals, x.count);
    arena_done(&scratch);
}

/* ---- who the client is ---- */

static const struct reply reply_no_login = {535, SLICE_INIT("5.7.8"),
                                            SLICE_INIT("Error: authentication failed")};
static const struct reply reply_no_vault = {454, SLICE_INIT("4.7.0"),
                                            SLICE_INIT("Temporary authentication failure")};

static bool is_logging_in(const struct session *s)
{
    return !list_empty(&s->logging_in);
}

static bool tell_vault(struct session *s, const struct login *l)
{
    struct buf body;
    bool sent;

    buf_init(&body, LOGIN_BODY_MAX);
    sent = login_write(&body, l) &&
           channel_send(s->among->vault, MESSAGE_LOGIN, buf_slice(&body), NULL, -1) == 0;
    buf_wipe(&body);
    return sent;
}

/* The client gave up, or is gone. */
static void end_login(struct session *s)
{
    list_remove(&s->logging_in);
    if (s->login_open)
        (void)tell_vault(s, &(struct login){.number = s->login, .word = LOGIN_ENDS});
    s->login_open = false;
}

static void answer_auth(struct session *s)
{
    const struct server_auth *a = server_auth(s->server);
    struct login l = {.response = a->response,
                      .word = LOGIN_GOES_ON,
                      .listener = s->offer->listener,
                      .mechanism = a->mechanism,
                      .client = session_client(s),
                      .certificate = server_tls(s->server)->client};

    if (s->has_binding)
        l.channel_binding = (struct slice){(const char *)s->binding, sizeof(s->binding)};

    if (a->begins) {
        end_login(s);
        s->login = ++s->among->logins;
        l.word = LOGIN_BEGINS;
    }
    l.number = s->login;
    if (!tell_vault(s, &l)) {
        server_answer(s->server, &reply_no_vault);
        return;
    }
    s->login_open = true;
    list_append(&s->among->logging_in, &s->logging_in);
    stream_pause(&s->stream);
    timer_set(s->among->role->loop, &s->timer, ASK_TIMEOUT_MS);
}

static void tell_no_login(struct session *s, const struct login_answer *a)
{
    struct event_writer w = role_event(s->among->role, EVENT_NO_LOGIN, tag_smtpd);

    client_fields(s, &w);
    event_text(&w, FIELD_NAME, server_auth(s->server)->mechanism);
    event_text(&w, FIELD_TEXT, a->text);
    event_text(&w, FIELD_USER, a->user);
    role_event_end(s->among->role, &w);
}

static void login_answered(struct session *s, const struct login_answer *a)
{
    s->login_open = a->result == LOGIN_CHALLENGE;
    switch (a->result) {
    case LOGIN_CHALLENGE: server_challenge(s->server, a->text); break;
    case LOGIN_DONE: server_authenticated(s->server, a->text); break;
    case LOGIN_FAILED:
        tell_no_login(s, a);
        server_answer(s->server, &reply_no_login);
        break;
    case LOGIN_LATER:
        tell_no_login(s, a);
        server_answer(s->server, &reply_no_vault);
        break;
    }
}

static const struct login_answer no_vault = {.result = LOGIN_LATER,
                                             .text = SLICE_INIT("nobody can be asked")};

/* ---- the session ---- */

static void session_free(struct session *s)
{
    struct sessions *among = s->among;

    tell_disconnect(s);
    list_remove(&s->asking);
    end_login(s);
    drop_draft(s);
    buf_done(&s->header);
    timer_cancel(among->role->loop, &s->timer);
    stream_close(&s->stream);
    server_free(s->server);
    arena_done(&s->arena);
    list_remove(&s->link);
    among->count--;
    memory_free(s);
    if (among->role->draining && list_empty(&among->all))
        role_end(among->role, 0);
}

/* The client is gone, or must go now. A put under way still belongs to the session. */
static void session_drop(struct session *s)
{
    stream_close(&s->stream);
    if (!s->committing)
        session_free(s);
}

/* Everything was said: let the bytes leave, then close. STREAM_EOF tells when. */
static void session_finish(struct session *s)
{
    if (!stream_is_open(&s->stream)) {
        session_free(s);
        return;
    }
    timer_set(s->among->role->loop, &s->timer, GOODBYE_TIMEOUT_MS);
    stream_finish(&s->stream);
}

/* The deadline is for a command, or for some KiB of a message; a byte now and then does not move
 * it, or one client could hold a session for ever. */
static bool has_moved_on(struct session *s)
{
    unsigned commands = server_counts(s->server)->commands_tried;
    uint64_t body = server_body_size(s->server);

    if (timer_is_set(&s->timer) && commands == s->timed_commands &&
        body < s->timed_body + BODY_PROGRESS)
        return false;
    s->timed_commands = commands;
    s->timed_body = body;
    return true;
}

static void session_wait(struct session *s)
{
    if (has_moved_on(s))
        timer_set(s->among->role->loop, &s->timer,
                  s->ended_by_us ? GOODBYE_TIMEOUT_MS
                                 : (uint64_t)server_timeout_s(s->server) * 1000);
    stream_flush(&s->stream);
}

/* Once all is said that goes in the clear; STREAM_DRAINED brings us back. Nothing is read before:
 * what the client sends now is its handshake. */
static void begin_handshake(struct session *s)
{
    stream_pause(&s->stream);
    stream_flush(&s->stream);
    if (buf_len(&s->stream.out) == 0)
        stream_start_tls(&s->stream, s->offer->tls, SLICE(""));
}

static void secure(struct session *s)
{
    s->securing = true;
    timer_set(s->among->role->loop, &s->timer, (uint64_t)SERVER_HANDSHAKE_S * 1000);
    begin_handshake(s);
}

/* By a certificate, where one was shown; bound to the connection, where that can be. SCRAM only
 * where it works for everybody: who begins it does not come back by another way. */
static void offer_mechanisms(struct session *s)
{
    static const struct slice lists[2][3] = {
        {SLICE_INIT("PLAIN LOGIN"),          SLICE_INIT("SCRAM-SHA-256 PLAIN LOGIN"),
         SLICE_INIT("SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN")         },
        {SLICE_INIT("EXTERNAL PLAIN LOGIN"), SLICE_INIT("EXTERNAL SCRAM-SHA-256 PLAIN LOGIN"),
         SLICE_INIT("EXTERNAL SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN")},
    };
    unsigned scram = !s->offer->scram ? 0 : s->has_binding ? 2 : 1;

    server_offer_auth(s->server, lists[server_tls(s->server)->client.len > 0][scram]);
}

static void secured(struct session *s)
{
    const struct tls *t = stream_tls(&s->stream);
    struct envelope_tls tls = {.version = tls_version(t), .cipher = tls_cipher(t)};

    (void)tls_client_name(t, &s->arena, &tls.client);
    tls.bits = tls_bits(t, &tls.cipher_bits);
    server_secured(s->server, &tls);
    s->has_binding = tls_exporter(t, s->binding);
    offer_mechanisms(s);
    s->securing = false;
    timer_cancel(s->among->role->loop, &s->timer);
    session_run(s);
}

/* That was told already, with its reason. */
static bool was_no_login(const struct session *s)
{
    const struct reply *r = &server_refusal(s->server)->reply;

    return r->code == reply_no_login.code || r->code == reply_no_vault.code;
}

/* Somebody else has the word. */
static bool is_waiting(const struct session *s)
{
    return s->committing || is_asking(s) || is_logging_in(s);
}

/* Steps the engine until it wants something that is not there yet. What it ate is dropped from
 * the buffer only at the end, since body bytes are borrowed from it. */
static void session_run(struct session *s)
{
    size_t had = buf_len(&s->stream.in);
    struct cursor in = {buf_slice(&s->stream.in)};
    enum server_need need;

    do {
        need = server_step(s->server, &in, &s->stream.out);
        switch (need) {
        case SERVER_WANTS_CONNECT: answer_connect(s); break;
        case SERVER_WANTS_MAIL: answer_mail(s); break;
        case SERVER_WANTS_RCPT: answer_rcpt(s); break;
        case SERVER_BODY: keep_body(s); break;
        case SERVER_RESET: drop_draft(s); break;
        case SERVER_REFUSED:
            if (!s->ended_by_us && !was_no_login(s)) /* the client did nothing wrong */
                tell_refusal(s);
            break;
        case SERVER_WANTS_COMMIT:
            if (s->offer->faults != NULL && bad_addresses_drop(server_envelope(s->server))) {
                tell_broken(s, SLICE("connection dropped on purpose"));
                session_drop(s);
                return;
            }
            commit_message(s);
            break;
        case SERVER_WANTS_ROOM: stream_flush(&s->stream); break;
        case SERVER_WANTS_TLS: answer_tls(s); break;
        case SERVER_WANTS_AUTH: answer_auth(s); break;
        case SERVER_WANTS_ETRN: answer_etrn(s); break;
        case SERVER_START_TLS:
        case SERVER_WANTS_INPUT:
        case SERVER_DONE: break;
        }
        /* Without room the peer must read first: STREAM_DRAINED brings us back. */
        if (need == SERVER_WANTS_ROOM && buf_len(&s->stream.out) > 0)
            break;
    } while (!is_waiting(s) && need != SERVER_WANTS_INPUT && need != SERVER_START_TLS &&
             need != SERVER_DONE);
    buf_consume(&s->stream.in, had - in.rest.len);
    if (need == SERVER_DONE)
        session_finish(s);
    else if (need == SERVER_START_TLS)
        secure(s);
    else if (is_waiting(s))
        stream_flush(&s->stream);
    else
        session_wait(s);
}

/* What the client sent meanwhile is still in the buffer. */
static void resume(struct session *s)
{
    timer_cancel(s->among->role->loop, &s->timer);
    stream_resume(&s->stream);
    session_run(s);
}

static void take_login(struct session *s, const struct login_answer *a)
{
    list_remove(&s->logging_in);
    login_answered(s, a);
    resume(s);
}

static void take_answer(struct session *s, const struct answer *a)
{
    list_remove(&s->asking);
    s->delayed = false;
    if (a->kind == ANSWER_KNOWN)
        accept_known(s);
    else
        refuse_asked(s, a);
    resume(s);
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct session *s = LIST_ENTRY(stream, struct session, stream);

    switch (event) {
    case STREAM_READABLE: session_run(s); return;
    case STREAM_DRAINED:
        if (s->securing)
            begin_handshake(s);
        else if (!is_waiting(s))
            session_run(s); /* the engine may have stopped for want of room */
        return;
    case STREAM_EOF:
        if (s->stream.closing) {
            session_free(s);
            return;
        }
        tell_broken(s, SLICE("lost connection"));
        session_finish(s); /* it may still read our replies */
        return;
    case STREAM_FAILED:
        if (s->securing)
            tell_no_handshake(s);
        else if (!s->stream.closing)
            tell_broken(s, SLICE("lost connection"));
        session_drop(s);
        return;
    case STREAM_SECURED: secured(s); return;
    case STREAM_CONNECTED: return;
    }
}

static void on_timeout(struct timer *t)
{
    struct session *s = LIST_ENTRY(t, struct session, timer);

    if (s->stream.closing || s->ended_by_us) { /* it does not even read its last reply */
        session_free(s);
        return;
    }
    if (is_asking(s)) {
        take_answer(s, s->delayed ? &delay_over : &no_answer);
        return;
    }
    if (is_logging_in(s)) {
        take_login(s, &no_vault);
        return;
    }
    tell_broken(s, SLICE("timeout"));
    if (s->securing) {
        session_free(s);
        return;
    }
    s->ended_by_us = true;
    server_time_out(s->server);
    session_run(s);
}

void session_put_finished(struct list *ticket)
{
    struct session *s = LIST_ENTRY(ticket, struct session, put.ticket.link);
    int code = s->put.ticket.result;
    char id[QUEUE_ID_LEN];
    char text[64];

    queue_id_write(s->id, id);
    s->committing = false;
    if (code == 0) {
        int len = snprintf(text, sizeof(text), "Ok: queued as %.*s", QUEUE_ID_LEN, id);
        struct reply reply = {
            250, SLICE("2.0.0"), {text, (size_t)len}
        };

        tell_message(s, (struct slice){id, sizeof(id)});
        server_answer(s->server, &reply);
    } else {
        server_answer(s->server, reply_of_error(code));
    }
    drop_draft(s);
    buf_done(&s->header);
    if (!stream_is_open(&s->stream)) {
        session_free(s);
        return;
    }
    if (s->among->role->draining) {
        s->ended_by_us = true;
        server_shut_down(s->server);
    }
    stream_resume(&s->stream);
    session_run(s);
}

/* The first thing that is said. Who is one too many is not worth a handshake. */
static void session_begin(struct session *s)
{
    if (!s->offer->implicit_tls)
        session_run(s);
    else if (s->offer->tls == NULL || s->among->count > s->among->max)
        session_free(s);
    else
        secure(s);
}

void session_open(struct sessions *among, const struct session_offer *offer, int handle,
                  const struct net_address *peer, const struct net_address *own)
{
    struct session *s = MEMORY_NEW(struct session);

    s->among = among;
    s->offer = offer;
    s->client_len = net_address_text(peer, s->client);
    s->local = net_address_is_loopback(peer) && net_address_is_loopback(own);
    s->server = server_new(&offer->server, session_client(s));
    offer_mechanisms(s);
    queue_in_draft_init(among->queue, &s->draft);
    timer_init(&s->timer, on_timeout);
    list_init(&s->asking);
    list_init(&s->logging_in);
    list_append(&among->all, &s->link);
    among->count++;
    tell_connect(s);
    if (stream_open(&s->stream, among->role->loop, handle, SESSION_IN_MAX, SERVER_OUT_MAX,
                    on_stream) < 0)
        session_free(s);
    else
        session_begin(s);
}

/* ---- all of them ---- */

void sessions_init(struct sessions *among, struct role *role)
{
    among->role = role;
    list_init(&among->all);
    list_init(&among->asking);
    list_init(&among->delayed);
    list_init(&among->logging_in);
}

void sessions_login_answered(struct sessions *among, const struct login_answer *a)
{
    LIST_EACH (node, &among->logging_in) {
        struct session *s = LIST_ENTRY(node, struct session, logging_in);

        if (s->login == a->number) {
            take_login(s, a);
            return;
        }
    }
}

void sessions_login_unanswered(struct sessions *among)
{
    struct list left; /* the next exchange may begin at once */

    list_init(&left);
    list_splice(&left, &among->logging_in);
    while (!list_empty(&left))
        take_login(LIST_ENTRY(left.next, struct session, logging_in), &no_vault);
}

void sessions_answered(struct sessions *among, const struct answer *a)
{
    LIST_EACH (node, &among->asking) {
        struct session *s = LIST_ENTRY(node, struct session, asking);

        if (s->question == a->number) {
            take_answer(s, a);
            return;
        }
    }
}

void sessions_unanswered(struct sessions *among)
{
    struct list left; /* an answer may lead to the next question */

    list_init(&left);
    list_splice(&left, &among->asking);
    while (!list_empty(&left))
        take_answer(LIST_ENTRY(left.next, struct session, asking), &no_answer);
}

void sessions_shut_down(struct sessions *among)
{
    LIST_EACH (node, &among->all) {
        struct session *s = LIST_ENTRY(node, struct session, link);

        if (s->committing || s->stream.closing)
            continue;
        if (is_asking(s)) {
            list_remove(&s->asking);
            s->delayed = false;
            refuse_asked(s, &no_answer);
            stream_resume(&s->stream);
        }
        if (is_logging_in(s)) {
            list_remove(&s->logging_in);
            login_answered(s, &no_vault);
            stream_resume(&s->stream);
        }
        if (s->securing) { /* it would not understand a 421 */
            session_free(s);
            continue;
        }
        s->ended_by_us = true;
        server_shut_down(s->server);
        session_run(s);
    }
}

void sessions_drop_drafts(struct sessions *among)
{
    LIST_EACH (node, &among->all)
        drop_draft(LIST_ENTRY(node, struct session, link));
}

void sessions_free(struct sessions *among)
{
    LIST_EACH (node, &among->all)
        session_free(LIST_ENTRY(node, struct session, link));
}
