/*
 * client_steps.c - the dialog as a table: what is said, what the answers mean.
 *
 * `send` writes a command and names the next one; whether the next one leaves at once or after
 * the reply is the machine's business (client.c), so lockstep and pipelining are the same code.
 * Therefore on_reply must not assume that nothing was sent behind its command: with pipelining
 * a refused MAIL is followed by replies to RCPT and DATA that were already on their way, and a
 * 354 may come although no recipient is left. RFC 2920 3.1 wants a lone dot then.
 *
 * Unknown codes are judged by their first digit, RFC 5321 4.3.2.
 */
#include "smtp/client_steps.h"

static unsigned first_digit(const struct client *c)
{
    return c->reply.code / 100;
}

/* 2 is the only yes except at DATA; 1 and 3 answer nothing that we ask. */
static bool is_yes(const struct client *c)
{
    return first_digit(c) == 2;
}

/* The server refuses to talk at all: what is sent next is QUIT, and there is no other message. */
static void give_up_connection(struct client *c, enum step step)
{
    client_settle_all(c, client_judge(c, step));
    c->next = STEP_QUIT;
}

static void stop_after(struct client *c, enum step step, enum step next)
{
    c->next = c->settings.quit_after == step ? STEP_NONE : next;
}

static enum step hello(const struct client *c)
{
    return c->settings.protocol == CLIENT_LMTP ? STEP_LHLO : STEP_EHLO;
}

static void on_greeting(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)out, (void)rcpt;
    if (!is_yes(c)) {
        give_up_connection(c, STEP_GREETING);
        return;
    }
    stop_after(c, STEP_GREETING, hello(c));
}

static void say_hello(struct client *c, struct buf *out)
{
    buf_append(out, c->settings.ehlo);
    c->next = STEP_NONE;
}

static void send_ehlo(struct client *c, struct buf *out)
{
    buf_append(out, SLICE("EHLO "));
    say_hello(c, out);
}

static void send_helo(struct client *c, struct buf *out)
{
    buf_append(out, SLICE("HELO "));
    say_hello(c, out);
}

static void send_lhlo(struct client *c, struct buf *out)
{
    buf_append(out, SLICE("LHLO "));
    say_hello(c, out);
}

void client_go_on(struct client *c, enum step behind)
{
    if (c->settings.quit_after != behind && c->tx.given)
        client_begin_message(c);
}

/* Greeted, and as secure as it will be. */
static void on_greeted(struct client *c)
{
    if (c->settings.login != CLIENT_LOGIN_NEVER && c->settings.quit_after != STEP_EHLO)
        client_auth_ask(c);
    else
        client_go_on(c, STEP_EHLO);
}

/* The first step whose answer is ours, not the server's: it lacks what we must have. */
static void give_up_without_tls(struct client *c)
{
    client_settle_all(c, (struct client_outcome){
                             .verdict = CLIENT_TRY_AGAIN,
                             .step = STEP_STARTTLS,
                             .enhanced = SLICE("4.7.4"),
                             .text = SLICE("TLS is required and the server does not offer it")});
    c->next = STEP_QUIT;
}

/* RFC 5321 4.1.1.1: the reply to the greeting begins with the server's name. */
static bool is_ourselves(const struct client *c)
{
    struct slice own = c->settings.own_name, text = buf_slice(&c->reply.text);

    return own.len > 0 && slice_equal_nocase(slice_head(text, own.len), own) &&
           (text.len == own.len || text.data[own.len] == ' ' || text.data[own.len] == '\n');
}

/* An MX that leads back here by ways which neither names nor addresses tell. */
static void refuse_loop(struct client *c)
{
    client_settle_all(
        c, (struct client_outcome){
               .verdict = CLIENT_REFUSED,
               .step = hello(c),
               .enhanced = SLICE("5.4.6"),
               .text = SLICE("the server greets with our own name: mail loops back to myself")});
    c->next = STEP_QUIT;
}

static void secure_or_go_on(struct client *c)
{
    if (is_ourselves(c)) {
        refuse_loop(c);
        return;
    }

    bool offered = ehlo_offers(&c->offers, EHLO_STARTTLS);
    bool wanted = !c->secured && c->settings.tls != CLIENT_TLS_NEVER;

    if (wanted && offered)
        c->next = STEP_STARTTLS;
    else if (wanted && c->settings.tls == CLIENT_TLS_ALWAYS)
        give_up_without_tls(c);
    else
        on_greeted(c);
}

static void take_offers(struct client *c)
{
    struct slice text = buf_slice(&c->reply.text);

    c->offers = ehlo_offers_read(text);
    client_auth_offered(c, ehlo_params(text, SLICE("AUTH")));
}

static void on_ehlo(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)out, (void)rcpt;
    if (c->reply.code == 500 || c->reply.code == 502) {
        c->next = STEP_HELO;
        return;
    }
    if (!is_yes(c)) {
        give_up_connection(c, STEP_EHLO);
        return;
    }
    take_offers(c);
    secure_or_go_on(c);
}

static void on_helo(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)out, (void)rcpt;
    if (!is_yes(c)) {
        give_up_connection(c, STEP_HELO);
        return;
    }
    secure_or_go_on(c);
}

static void on_lhlo(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)out, (void)rcpt;
    if (!is_yes(c)) {
        give_up_connection(c, STEP_LHLO);
        return;
    }
    take_offers(c);
    secure_or_go_on(c);
}

static void send_starttls(struct client *c, struct buf *out)
{
    buf_append(out, SLICE("STARTTLS"));
    c->next = STEP_NONE;
}

/* 454 and all other refusals: RFC 3207 4. A server's trouble with its certificate is not the
 * mail's, so even a 5xx only puts it off. */
static void on_starttls(struct client *c, struct buf *out, unsigned rcpt)
{
    struct client_outcome got = client_judge(c, STEP_STARTTLS);

    (void)out, (void)rcpt;
    if (is_yes(c)) {
        c->state = CLIENT_SECURING;
        return;
    }
    if (c->settings.tls == CLIENT_TLS_IF_OFFERED) {
        on_greeted(c);
        return;
    }
    got.verdict = CLIENT_TRY_AGAIN;
    client_settle_all(c, got);
    c->next = STEP_QUIT;
}

static bool needs_smtputf8(const struct client_message *m)
{
    bool needs = m->smtputf8 || m->sender.utf8;

    for (unsigned i = 0; i < m->rcpt_count && !needs; i++)
        needs = m->rcpts[i].utf8;
    return needs;
}

static struct client_outcome own_refusal(struct slice enhanced, struct slice text)
{
    return (struct client_outcome){
        .verdict = CLIENT_REFUSED, .step = STEP_MAIL, .enhanced = enhanced, .text = text};
}

/* What must not be left out. RFC 4865, RFC 8689. */
static const struct {
    enum ehlo_keyword keyword;
    struct slice enhanced, text;
} musts[] = {
    {EHLO_FUTURERELEASE, SLICE_INIT("5.3.3"),
     SLICE_INIT("the message is to go later, and the server does not offer FUTURERELEASE")},
    {EHLO_REQUIRETLS,    SLICE_INIT("5.7.30"),
     SLICE_INIT("the message wants REQUIRETLS, which the server does not offer")          },
};

static struct client_outcome missing(const struct client *c)
{
    for (size_t i = 0; i < sizeof(musts) / sizeof(*musts); i++)
        if ((c->tx.message.must_need & musts[i].keyword) != 0 &&
            !ehlo_offers(&c->offers, musts[i].keyword))
            return own_refusal(musts[i].enhanced, musts[i].text);
    return (struct client_outcome){0};
}

/* What the server cannot take as it is; NULL text: nothing. */
static struct client_outcome obstacle(struct client *c)
{
    const struct client_message *m = &c->tx.message;
    const struct ehlo_offers *offers = &c->offers;

    if (needs_smtputf8(m) && !ehlo_offers(offers, EHLO_SMTPUTF8))
        return own_refusal(SLICE("5.6.7"),
                           SLICE("the message needs SMTPUTF8, which the server does not offer"));
    if (m->body == BODY_8BITMIME && !ehlo_offers(offers, EHLO_8BITMIME))
        return own_refusal(SLICE("5.6.3"),
                           SLICE("the message is 8-bit and the server does not offer 8BITMIME"));
    if (m->body == BODY_BINARYMIME && !ehlo_offers(offers, EHLO_CHUNKING | EHLO_BINARYMIME))
        return own_refusal(SLICE("5.6.3"),
                           SLICE("the message is binary and the server does not offer BINARYMIME"));
    if (offers->size_max != 0 && m->size > offers->size_max)
        return own_refusal(
            SLICE("5.3.4"),
            arena_printf(&c->tx.arena, "the message has %llu bytes, the server takes %llu",
                         (unsigned long long)m->size, (unsigned long long)offers->size_max));
    return missing(c);
}

/* So many recipients, from the first one on, fit into one transaction by RFC 9422. A domain that
 * comes again later counts again: it costs a transaction, no mail. */
static unsigned rcpts_that_fit(const struct client *c)
{
    const struct client_message *m = &c->tx.message;
    unsigned domains = 0;

    for (unsigned i = 0; i < m->rcpt_count; i++) {
        if (c->offers.rcpt_max != 0 && i == c->offers.rcpt_max)
            return i;
        if (i == 0 || !slice_equal_nocase(m->rcpts[i].domain, m->rcpts[i - 1].domain))
            domains++;
        if (c->offers.rcpt_domain_max != 0 && domains > c->offers.rcpt_domain_max)
            return i;
    }
    return m->rcpt_count;
}

static void leave_out_from(struct client *c, unsigned end)
{
    c->tx.rcpt_end = end;
    for (unsigned i = end; i < c->tx.message.rcpt_count; i++)
        client_settle(c, i, (struct client_outcome){.verdict = CLIENT_LEFT_OUT});
}

void client_begin_message(struct client *c)
{
    struct client_outcome why = obstacle(c);

    if (why.verdict != CLIENT_PENDING) {
        client_settle_all(c, why);
        return;
    }
    leave_out_from(c, rcpts_that_fit(c));
    c->mails++;
    c->next = STEP_MAIL;
}

static const struct slice body_words[] = {
    [BODY_7BIT] = SLICE_INIT(""),
    [BODY_8BITMIME] = SLICE_INIT(" BODY=8BITMIME"),
    [BODY_BINARYMIME] = SLICE_INIT(" BODY=BINARYMIME"),
};

static bool params_fit(const struct client *c)
{
    return ehlo_offers(&c->offers, c->tx.message.params_need);
}

static void send_mail(struct client *c, struct buf *out)
{
    const struct client_message *m = &c->tx.message;

    buf_append(out, SLICE("MAIL FROM:<"));
    address_write(out, &m->sender);
    buf_append_char(out, '>');
    if (ehlo_offers(&c->offers, EHLO_SIZE) && m->size != 0)
        buf_printf(out, " SIZE=%llu", (unsigned long long)m->size);
    buf_append(out, body_words[m->body]);
    if (needs_smtputf8(m))
        buf_append(out, SLICE(" SMTPUTF8"));
    if (params_fit(c))
        buf_append(out, m->mail_params);
    buf_append(out, m->must_params);
    stop_after(c, STEP_MAIL, m->rcpt_count > 0 ? STEP_RCPT : STEP_NONE);
}

static void on_mail(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)out, (void)rcpt;
    if (is_yes(c))
        c->tx.open = true;
    else
        client_settle_all(c, client_judge(c, STEP_MAIL));
}

static void send_rcpt(struct client *c, struct buf *out)
{
    const struct client_message *m = &c->tx.message;

    buf_append(out, SLICE("RCPT TO:<"));
    address_write(out, &m->rcpts[c->tx.rcpt_next]);
    buf_append_char(out, '>');
    if (m->rcpt_params != NULL && params_fit(c))
        buf_append(out, m->rcpt_params[c->tx.rcpt_next]);
    c->tx.rcpt_next++;
    if (c->tx.rcpt_next == c->tx.rcpt_end)
        stop_after(c, STEP_RCPT, m->body == BODY_BINARYMIME ? STEP_BDAT : STEP_DATA);
}

static void on_rcpt(struct client *c, struct buf *out, unsigned rcpt)
{
    struct client_outcome got = client_judge(c, STEP_RCPT);

    (void)out;
    if (c->tx.outcomes[rcpt].verdict != CLIENT_PENDING)
        return; /* MAIL was refused: that is the reason, not "503 need MAIL first" */
    if (is_yes(c)) {
        /* No more than a promise: the answer to the dot decides. */
        got.verdict = CLIENT_PENDING;
        c->tx.outcomes[rcpt] = got;
        c->tx.accepted++;
        return;
    }
    if (c->reply.code == 552)
        got.verdict = CLIENT_TRY_AGAIN; /* too many recipients, RFC 5321 4.5.3.1.10 */
    client_settle(c, rcpt, got);
}

static void send_data(struct client *c, struct buf *out)
{
    buf_append(out, SLICE("DATA"));
    c->next = STEP_NONE;
}

static void on_data(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)rcpt;
    if (first_digit(c) == 2) {
        client_fail(c, CLIENT_NOT_SMTP); /* is it waiting for the message or not? */
        return;
    }
    if (first_digit(c) != 3) {
        client_settle_all(c, client_judge(c, STEP_DATA));
        return;
    }
    dots_writer_init(&c->tx.dots);
    if (c->tx.accepted == 0 && c->settings.protocol == CLIENT_LMTP) {
        client_fail(c, CLIENT_NOT_SMTP); /* it would answer the dot for nobody, RFC 2033 4.2 */
        return;
    }
    if (c->tx.accepted == 0) {
        client_body_end(c, out);
        return;
    }
    c->state = CLIENT_IN_BODY;
    c->waits++;
}

/* A chunk that is refused spoils the message; what comes for chunks behind it says no more. */
static void on_bdat(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)out, (void)rcpt;
    if (is_yes(c) || c->tx.pending == 0)
        return;
    client_settle_all(c, client_judge(c, STEP_BDAT));
    c->state = CLIENT_TALKING;
}

/* LMTP: a reply for each recipient that RCPT was said yes to, in their order. RFC 2033 4.2. */
static void on_dot_lmtp(struct client *c, unsigned rcpt)
{
    unsigned next = rcpt + 1;

    c->tx.final = client_judge(c, STEP_DOT);
    if (client_is_accepted(c, rcpt))
        client_settle(c, rcpt, c->tx.final);
    while (next < c->tx.rcpt_end && !client_is_accepted(c, next))
        next++;
    if (next < c->tx.rcpt_end)
        client_expect(c, STEP_DOT, next);
}

static void on_dot(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)out;
    c->tx.open = false;
    if (c->settings.protocol == CLIENT_LMTP)
        on_dot_lmtp(c, rcpt);
    else
        client_settle_all(c, client_judge(c, STEP_DOT));
}

static void send_rset(struct client *c, struct buf *out)
{
    buf_append(out, SLICE("RSET"));
    c->next = STEP_NONE;
}

/* There is no other answer than yes, RFC 5321 4.1.1.5. Who says no has lost count of his replies,
 * and said nothing about the mail that is to come. */
static void on_rset(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)out, (void)rcpt;
    if (!is_yes(c) && c->reply.code / 100 == 5 && !c->tx.forgotten) {
        client_fail(c, CLIENT_NOT_SMTP);
        return;
    }
    if (!is_yes(c)) {
        give_up_connection(c, STEP_RSET);
        return;
    }
    c->tx.open = false;
    if (!c->tx.forgotten)
        client_begin_message(c);
}

static void send_quit(struct client *c, struct buf *out)
{
    buf_append(out, SLICE("QUIT"));
    c->next = STEP_NONE;
}

static void on_quit(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)out, (void)rcpt;
    c->state = CLIENT_ENDED;
}

/* Nobody's mail waits for the reply to QUIT, so it gets less time than the RFC's five minutes. */
const struct step_row step_rows[STEP_COUNT] = {
    [STEP_GREETING] = {SLICE_INIT("greeting"),    NULL,             on_greeting,    300, true },
    [STEP_EHLO] = {SLICE_INIT("EHLO"),        send_ehlo,        on_ehlo,        300, true },
    [STEP_HELO] = {SLICE_INIT("HELO"),        send_helo,        on_helo,        300, true },
    [STEP_LHLO] = {SLICE_INIT("LHLO"),        send_lhlo,        on_lhlo,        300, true },
    [STEP_STARTTLS] = {SLICE_INIT("STARTTLS"),    send_starttls,    on_starttls,    120, true },
    [STEP_AUTH] = {SLICE_INIT("AUTH"),        client_send_auth, client_on_auth, 120, true },
    [STEP_MAIL] = {SLICE_INIT("MAIL"),        send_mail,        on_mail,        300, false},
    [STEP_RCPT] = {SLICE_INIT("RCPT"),        send_rcpt,        on_rcpt,        300, false},
    [STEP_DATA] = {SLICE_INIT("DATA"),        send_data,        on_data,        120, true },
    [STEP_BDAT] = {SLICE_INIT("BDAT"),        NULL,             on_bdat,        180, false},
    [STEP_DOT] = {SLICE_INIT("end of data"), NULL,             on_dot,         600, true },
    [STEP_RSET] = {SLICE_INIT("RSET"),        send_rset,        on_rset,        300, true },
    [STEP_QUIT] = {SLICE_INIT("QUIT"),        send_quit,        on_quit,        10,  true },
};
