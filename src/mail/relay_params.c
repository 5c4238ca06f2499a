/*
 * relay_params.c - parameters against extensions: a table.
 *
 * A row is what a message may ask for, the keywords that the next server must offer for it, what is
 * said where it does, and what is done where it does not. Rows are judged for each recipient; the
 * first one that refuses is the reason told.
 *
 * What was found in the content counts, not what the sender declared: labels lie, and UTF-8 that is
 * nowhere needs no SMTPUTF8 (RFC 6531 3.4).
 */
#include "mail/relay_params.h"

#include "base/codec.h"
#include "mail/release.h"

/* No server has it: such a row always lacks. */
enum { NEVER = 1 << 30 };

enum lacking {
    LEAVE_OUT,
    REFUSE,
    CONVERT,   /* or refuse, when `trait` is where it cannot be mended */
    IN_HEADER, /* MT-Priority: RFC 6758 */
    TELL,      /* the sender: no more will be heard of it, RFC 3461 5.2.2 */
};

struct answering {
    const struct relay_question *q;
    struct relay_answer *out;
    struct buf params; /* being written */
};

struct row {
    unsigned keywords;
    bool (*asked)(const struct relay_question *q, const struct envelope_rcpt *rcpt);
    void (*pass)(struct answering *a, const struct envelope_rcpt *rcpt); /* NULL: says nothing */
    enum lacking lacking;
    unsigned trait;
    struct relay_refusal refusal;
};

static const struct envelope_rcpt *rcpt_of(const struct relay_question *q, unsigned i)
{
    return &q->envelope->rcpts[q->rcpts[i]];
}

static bool offers(const struct relay_question *q, unsigned keywords)
{
    if ((keywords & EHLO_REQUIRETLS) != 0 && !q->verified)
        return false;
    return ehlo_offers(q->offers, keywords);
}

/* --- UTF-8 --- */

static bool asks_utf8(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    return q->envelope->sender.utf8 || rcpt->final.utf8 ||
           (q->envelope->smtputf8 && q->facts->header_high);
}

static void pass_utf8(struct answering *a, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    a->out->smtputf8 = true;
}

/* --- content --- */

enum { BINARY = EHLO_BINARYMIME | EHLO_CHUNKING };

static bool is_binary(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    return q->envelope->body == BODY_BINARYMIME;
}

/* No server may have accepted it: RFC 5321 2.3.8. */
static bool is_wild(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    return !is_binary(q, rcpt) && (q->facts->traits & MIME_WILD) != 0;
}

static bool goes_binary(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    return is_binary(q, rcpt) && offers(q, BINARY);
}

static void pass_binary(struct answering *a, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    a->out->body = BODY_BINARYMIME;
}

static bool is_8bit(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    return !goes_binary(q, rcpt) && (q->facts->traits & MIME_HIGH) != 0;
}

static bool says_8bit(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    return is_8bit(q, rcpt) || q->envelope->body == BODY_8BITMIME;
}

static void pass_8bit(struct answering *a, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    a->out->body = BODY_8BITMIME;
}

static bool has_long_lines(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    return !goes_binary(q, rcpt) && (q->facts->traits & MIME_LONG) != 0;
}

/* --- DELIVERBY, RFC 2852 --- */

/* What is left of the time. */
static int64_t by_left_s(const struct relay_question *q)
{
    int64_t left_s = release_by_s(q->envelope) - (int64_t)q->age_s;

    return left_s < -BY_SECONDS_MAX ? -BY_SECONDS_MAX : left_s;
}

static bool asks_return(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    return q->envelope->wishes.by == BY_RETURN;
}

static bool asks_notice(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    return q->envelope->wishes.by == BY_NOTIFY;
}

static bool is_too_late(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    return asks_return(q, rcpt) && by_left_s(q) <= 0;
}

static bool is_too_short(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    return asks_return(q, rcpt) && offers(q, EHLO_DELIVERBY) &&
           (uint64_t)by_left_s(q) < q->offers->by_min_s;
}

static bool asks_trace(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    return q->envelope->wishes.by != BY_UNSAID && q->envelope->wishes.by_trace;
}

static void pass_by(struct answering *a, const struct envelope_rcpt *rcpt)
{
    const struct envelope_wishes *w = &a->q->envelope->wishes;

    (void)rcpt;
    buf_printf(&a->params, " BY=%lld;%s%s", (long long)by_left_s(a->q),
               w->by == BY_RETURN ? "R" : "N", w->by_trace ? "T" : "");
}

/* --- REQUIRETLS, MT-PRIORITY, SOLICIT --- */

static bool asks_tls(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    return q->envelope->wishes.require_tls;
}

static void pass_tls(struct answering *a, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    buf_append(&a->params, SLICE(" REQUIRETLS"));
}

static bool asks_priority(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    return q->envelope->wishes.priority != 0;
}

static void pass_priority(struct answering *a, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    buf_printf(&a->params, " MT-PRIORITY=%d", a->q->envelope->wishes.priority);
}

static bool asks_solicit(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    return q->envelope->wishes.solicit.len > 0;
}

static void pass_solicit(struct answering *a, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    buf_append(&a->params, SLICE(" SOLICIT="));
    buf_append(&a->params, a->q->envelope->wishes.solicit);
}

/* --- DSN, RFC 3461 --- */

static bool asks_ret(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    return q->envelope->wishes.ret != RETURN_UNSAID;
}

static void pass_ret(struct answering *a, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    buf_append(&a->params,
               a->q->envelope->wishes.ret == RETURN_FULL ? SLICE(" RET=FULL") : SLICE(" RET=HDRS"));
}

static bool asks_envid(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    return q->envelope->wishes.envid.len > 0;
}

static void pass_envid(struct answering *a, const struct envelope_rcpt *rcpt)
{
    (void)rcpt;
    buf_append(&a->params, SLICE(" ENVID="));
    xtext_encode(&a->params, a->q->envelope->wishes.envid);
}

static bool asks_notify(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    (void)q;
    return rcpt->notify != 0;
}

static bool asks_success(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    (void)q;
    return (rcpt->notify & NOTIFY_SUCCESS) != 0;
}

static void pass_notify(struct answering *a, const struct envelope_rcpt *rcpt)
{
    static const struct {
        enum notify notify;
        struct slice word;
    } words[] = {
        {NOTIFY_NEVER,   SLICE_INIT("NEVER")  },
        {NOTIFY_SUCCESS, SLICE_INIT("SUCCESS")},
        {NOTIFY_FAILURE, SLICE_INIT("FAILURE")},
        {NOTIFY_DELAY,   SLICE_INIT("DELAY")  },
    };
    struct slice before = SLICE(" NOTIFY=");

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if ((rcpt->notify & words[i].notify) == 0)
            continue;
        buf_append(&a->params, before);
        buf_append(&a->params, words[i].word);
        before = SLICE(",");
    }
}

/* Where nobody named the original recipient, and ours is another, we may: RFC 3461 5.2.1 (c). */
static bool can_name_original(const struct envelope_rcpt *rcpt)
{
    return (rcpt->original.kind == ADDRESS_MAILBOX || rcpt->original.kind == ADDRESS_LITERAL) &&
           !rcpt->original.utf8 && !address_equal(&rcpt->original, &rcpt->final);
}

static bool asks_orcpt(const struct relay_question *q, const struct envelope_rcpt *rcpt)
{
    (void)q;
    return rcpt->orcpt.len > 0 || can_name_original(rcpt);
}

/* The type, then xtext. False: it is none, or gets too long. */
static bool write_orcpt(struct buf *out, struct slice orcpt)
{
    struct slice type, text;

    return slice_cut(orcpt, ';', &type, &text) && buf_append(out, type) &&
           buf_append_char(out, ';') && xtext_encode(out, text);
}

static void pass_orcpt(struct answering *a, const struct envelope_rcpt *rcpt)
{
    struct arena scratch = {0};
    struct slice orcpt = rcpt->orcpt;
    struct buf value;

    if (orcpt.len == 0) {
        struct slice text = address_text(&scratch, &rcpt->original);

        orcpt = arena_printf(&scratch, "rfc822;%.*s", SLICE_PRINTF(text));
    }
    buf_init(&value, ORCPT_MAX);
    if (write_orcpt(&value, orcpt)) {
        buf_append(&a->params, SLICE(" ORCPT="));
        buf_append(&a->params, buf_slice(&value));
    }
    buf_done(&value);
    arena_done(&scratch);
}

/* --- the table --- */

#define REFUSAL(code, enhanced, text)                                                              \
    {                                                                                              \
        code, SLICE_INIT(enhanced), SLICE_INIT(text)                                               \
    }
#define NO_REFUSAL REFUSAL(0, "", "")

/* clang-format off */
static const struct row mail_rows[] = {
    {NEVER, is_wild, NULL, REFUSE, 0,
     REFUSAL(554, "5.6.0", "the message holds a NUL, a bare CR or a bare LF")},
    {EHLO_SMTPUTF8 | EHLO_8BITMIME, asks_utf8, pass_utf8, REFUSE, 0,
     REFUSAL(550, "5.6.7", "the message needs SMTPUTF8, which the next server does not offer")},
    {EHLO_REQUIRETLS, asks_tls, pass_tls, REFUSE, 0,
     REFUSAL(550, "5.7.30", "REQUIRETLS is required; the next server does not offer it with "
                            "verified TLS")},
    {NEVER, is_too_late, NULL, REFUSE, 0,
     REFUSAL(554, "5.4.7", "the time within which the message was to be delivered is over")},
    {NEVER, is_too_short, NULL, REFUSE, 0,
     REFUSAL(554, "5.4.7", "the next server promises no delivery within the time that is left")},
    {EHLO_DELIVERBY, asks_return, pass_by, REFUSE, 0,
     REFUSAL(554, "5.3.3", "the message is to be delivered in time or returned, and the next "
                           "server does not offer DELIVERBY")},
    {EHLO_DELIVERBY, asks_notice, pass_by, TELL, 0, NO_REFUSAL},
    {BINARY, is_binary, pass_binary, CONVERT, MIME_WILD,
     REFUSAL(554, "5.6.3", "the message is binary, cannot be converted, and the next server does "
                           "not offer BINARYMIME")},
    {EHLO_8BITMIME, says_8bit, pass_8bit, CONVERT, MIME_HIGH,
     REFUSAL(554, "5.6.3", "the message is 8-bit, cannot be converted, and the next server does "
                           "not offer 8BITMIME")},
    {NEVER, has_long_lines, NULL, CONVERT, MIME_LONG,
     REFUSAL(554, "5.6.0", "the message has a line of more than 998 bytes that cannot be "
                           "re-encoded")},
    {EHLO_DSN, asks_ret, pass_ret, LEAVE_OUT, 0, NO_REFUSAL},
    {EHLO_DSN, asks_envid, pass_envid, LEAVE_OUT, 0, NO_REFUSAL},
    {EHLO_MT_PRIORITY, asks_priority, pass_priority, IN_HEADER, 0, NO_REFUSAL},
    {EHLO_NO_SOLICITING, asks_solicit, pass_solicit, LEAVE_OUT, 0, NO_REFUSAL},
};

static const struct row rcpt_rows[] = {
    {EHLO_DSN, asks_notify, pass_notify, LEAVE_OUT, 0, NO_REFUSAL},
    {EHLO_DSN, asks_orcpt, pass_orcpt, LEAVE_OUT, 0, NO_REFUSAL},
    {EHLO_DSN, asks_success, NULL, TELL, 0, NO_REFUSAL},
    {NEVER, asks_trace, NULL, TELL, 0, NO_REFUSAL},
};

/* clang-format on */

/* --- lacking --- */

/* Declared binary is labelled so: the labels at least have to change. */
static void convert(struct answering *a, const struct row *row, struct relay_rcpt *rcpt)
{
    unsigned traits = a->q->facts->traits & row->trait;

    if ((a->q->facts->fixed & row->trait) != 0)
        rcpt->refusal = row->refusal;
    else if (traits != 0 || row->trait == MIME_WILD)
        a->out->convert = true;
}

static void say_in_header(struct answering *a, struct arena *arena)
{
    if (!a->q->facts->says_priority)
        a->out->header =
            arena_printf(arena, "MT-Priority: %d\r\n", a->q->envelope->wishes.priority);
}

static void tell(struct answering *a, const struct envelope_rcpt *rcpt, struct relay_rcpt *out)
{
    out->relayed =
        a->q->envelope->sender.kind != ADDRESS_NULL && (rcpt->notify & NOTIFY_NEVER) == 0;
}

static void lack(struct answering *a, const struct row *row, unsigned i, struct arena *arena)
{
    struct relay_rcpt *out = &a->out->rcpts[i];

    switch (row->lacking) {
    case LEAVE_OUT: break;
    case REFUSE: out->refusal = row->refusal; break;
    case CONVERT: convert(a, row, out); break;
    case IN_HEADER: say_in_header(a, arena); break;
    case TELL: tell(a, rcpt_of(a->q, i), out); break;
    }
}

/* --- rows --- */

static bool is_refused(const struct relay_rcpt *rcpt)
{
    return rcpt->refusal.code != 0;
}

static void judge_mail_row(struct answering *a, const struct row *row, struct arena *arena)
{
    bool offered = offers(a->q, row->keywords), passed = false;

    for (unsigned i = 0; i < a->q->rcpt_count; i++) {
        const struct envelope_rcpt *rcpt = rcpt_of(a->q, i);

        if (is_refused(&a->out->rcpts[i]) || !row->asked(a->q, rcpt))
            continue;
        if (!offered)
            lack(a, row, i, arena);
        else if (!passed)
            row->pass(a, rcpt);
        passed = offered;
    }
}

static void judge_rcpt(struct answering *a, unsigned i, struct arena *arena)
{
    const struct envelope_rcpt *rcpt = rcpt_of(a->q, i);

    for (size_t k = 0; k < sizeof(rcpt_rows) / sizeof(*rcpt_rows); k++) {
        const struct row *row = &rcpt_rows[k];

        if (!row->asked(a->q, rcpt))
            continue;
        if (!offers(a->q, row->keywords))
            lack(a, row, i, arena);
        else if (row->pass != NULL)
            row->pass(a, rcpt);
    }
}

static struct slice take_params(struct answering *a, struct arena *arena)
{
    struct slice params = arena_copy(arena, buf_slice(&a->params));

    buf_clear(&a->params);
    return params;
}

void relay_params_answer(const struct relay_question *q, struct arena *arena,
                         struct relay_answer *out)
{
    struct answering a = {.q = q, .out = out};

    *out = (struct relay_answer){
        .goal = offers(q, EHLO_8BITMIME) ? MIME_FOR_8BIT : MIME_FOR_7BIT,
        .rcpts = ARENA_ARRAY(arena, struct relay_rcpt, q->rcpt_count),
    };
    buf_init(&a.params, RELAY_PARAMS_MAX);
    for (size_t i = 0; i < sizeof(mail_rows) / sizeof(*mail_rows); i++)
        judge_mail_row(&a, &mail_rows[i], arena);
    out->params = take_params(&a, arena);
    for (unsigned i = 0; i < q->rcpt_count; i++) {
        if (!is_refused(&out->rcpts[i]))
            judge_rcpt(&a, i, arena);
        out->rcpts[i].params = take_params(&a, arena);
    }
    buf_done(&a.params);
}
