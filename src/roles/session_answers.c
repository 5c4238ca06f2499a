/*
 * session_answers.c - what can be answered from the settings is answered at once; whom the next hop
 * must know is asked for (`users ask`).
 */
#include "roles/session_internal.h"

#include "mail/expand.h"
#include "mail/rewrite.h"
#include "roles/forwarding.h"

enum { ETRN_BODY_MAX = 512, SESSION_ETRNS_MAX = 25 };

void session_answer_connect(struct session *s)
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

void session_answer_tls(struct session *s)
{
    if (s->offer->tls == NULL)
        server_answer(s->server, &REPLY(454, "4.7.0", "TLS not available due to temporary reason"));
    else
        server_answer(s->server, &REPLY(220, "", ""));
}

/* RFC 1985 5.1: not for everybody, and not as often as he likes; each makes the courier look
 * through the queue. */
void session_answer_etrn(struct session *s)
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
        session_tell_etrn(s, node);
        server_answer(s->server, &REPLY(250, "2.0.0", ""));
    }
}

/* Others' names are not his to use. A report of his own mail program has none (RFC 8098). */
static bool may_send_as(const struct session *s, const struct address *sender)
{
    const struct accounts *accounts = session_accounts(s);
    struct slice user = server_user(s->server);

    return user.len == 0 || sender->kind == ADDRESS_NULL || accounts == NULL ||
           accounts_may_send_as(accounts, user, sender);
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

bool session_begins_here(const struct session *s)
{
    return s->offer->server.protocol == SERVER_SMTP && (s->local || server_user(s->server).len > 0);
}

static void accept_sender(struct session *s, const struct address *sender)
{
    struct arena scratch = {0};
    struct address new = *sender;

    server_answer(s->server, &REPLY(250, "2.1.0", "Ok"));
    if (session_begins_here(s) &&
        rewrite_address(&s->among->role->settings->rules, REWRITE_SENDER, &new, &scratch) != NULL)
        server_rewrite_sender(s->server, &new);
    arena_done(&scratch);
}

void session_answer_mail(struct session *s)
{
    const struct address *sender = &server_envelope(s->server)->sender;

    if (!queue_in_has_room(s->among->queue))
        server_answer(s->server, &session_reply_full);
    else if (!may_send_as(s, sender))
        refuse_sender(s, sender);
    else if (!session_is_one_message_too_many(s))
        accept_sender(s, sender);
}

/* The recipient as the rules are asked about it: rewritten, or brought home. */
static struct rules_query rcpt_query(const struct session *s, struct arena *arena,
                                     enum srs_verdict *verdict)
{
    const struct role *r = s->among->role;
    struct rules_query q = {s->local, server_envelope(s->server)->sender, *server_rcpt(s->server),
                            server_user(s->server), s->has_ip ? session_client(s) : SLICE("")};

    (void)rewrite_address(&r->settings->rules, REWRITE_RCPT, &q.rcpt, arena);
    *verdict = forwarding_back(r->settings, &q, clock_wall_us(r->doors->clock), arena);
    return q;
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

const struct answer session_no_answer = {.kind = ANSWER_LATER,
                                         .text = SLICE_INIT("it cannot be asked for now")};

const struct answer session_delay_over = {.kind = ANSWER_KNOWN};

void session_refuse_asked(struct session *s, const struct answer *a)
{
    struct arena scratch = {0};
    enum srs_verdict srs;
    struct rules_query query = rcpt_query(s, &scratch, &srs);
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

bool session_is_asking(const struct session *s)
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
        session_refuse_asked(s, &session_no_answer);
        return;
    }
    s->question = q.number;
    list_append(&among->asking, &s->asking);
    stream_pause(&s->stream);
    timer_set(among->role->loop, &s->timer, SESSION_ASK_TIMEOUT_MS);
}

/* True: the recipient behaves badly on purpose, so that this is its answer. */
static bool is_bad(struct session *s)
{
    struct arena scratch = {0};
    enum srs_verdict srs;
    struct rules_query query = rcpt_query(s, &scratch, &srs);
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

/* What `deny` says, or the rules; code 0: nothing is against it. */
static struct reply refusal_of(const struct session *s, const struct rules_query *query,
                               const struct expansion *x, enum srs_verdict srs, struct arena *arena)
{
    const struct settings *settings = s->among->role->settings;
    const struct access *by =
        access_denied(settings->access, settings->access_count, &settings->rules, query, arena);

    return by != NULL ? access_refusal(by, query, arena)
                      : forwarding_refusal(srs, query, x->refusal, arena);
}

void session_answer_rcpt(struct session *s)
{
    struct arena scratch = {0};
    const struct rules *rules = &s->among->role->settings->rules;
    enum srs_verdict srs;
    struct rules_query query = rcpt_query(s, &scratch, &srs);
    struct expansion x = rules_expand(rules, &query, &scratch);
    const struct decision *asked = to_ask_for(&x, rules, &query);
    struct reply refusal = refusal_of(s, &query, &x, srs, &scratch);

    if (refusal.code != 0)
        server_answer_rcpt(s->server, &refusal, NULL, 0);
    else if (session_is_listed(s, &query) || session_is_one_rcpt_too_many(s))
        ; /* answered */
    else if (asked != NULL)
        ask(s, asked);
    else if (s->offer->faults == NULL || !is_bad(s))
        server_answer_rcpt(s->server, &reply_rcpt, x.finals, x.count);
    arena_done(&scratch);
}

/* The same once more, but for the question. */
void session_accept_known(struct session *s)
{
    struct arena scratch = {0};
    enum srs_verdict srs;
    struct rules_query query = rcpt_query(s, &scratch, &srs);
    struct expansion x = rules_expand(&s->among->role->settings->rules, &query, &scratch);

    server_answer_rcpt(s->server, &reply_rcpt, x.finals, x.count);
    arena_done(&scratch);
}
