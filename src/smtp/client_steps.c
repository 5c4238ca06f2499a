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

static void on_greeting(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)out, (void)rcpt;
    if (!is_yes(c)) {
        give_up_connection(c, STEP_GREETING);
        return;
    }
    stop_after(c, STEP_GREETING, STEP_EHLO);
}

static void send_ehlo(struct client *c, struct buf *out)
{
    buf_append(out, SLICE("EHLO "));
    buf_append(out, c->settings.ehlo);
    c->next = STEP_NONE;
}

static void send_helo(struct client *c, struct buf *out)
{
    buf_append(out, SLICE("HELO "));
    buf_append(out, c->settings.ehlo);
    c->next = STEP_NONE;
}

static void note_offer(struct client_offers *offers, struct slice line)
{
    struct slice keyword = line, value = {0};
    struct cursor c;

    slice_cut(line, ' ', &keyword, &value);
    if (slice_equal_nocase(keyword, SLICE("PIPELINING")))
        offers->pipelining = true;
    else if (slice_equal_nocase(keyword, SLICE("8BITMIME")))
        offers->eight_bit = true;
    else if (slice_equal_nocase(keyword, SLICE("SMTPUTF8")))
        offers->smtputf8 = true;
    else if (slice_equal_nocase(keyword, SLICE("SIZE"))) {
        offers->size = true;
        c = (struct cursor){slice_trim(value)};
        if (!take_number(&c, &offers->size_max))
            offers->size_max = 0;
    }
}

static void on_ehlo(struct client *c, struct buf *out, unsigned rcpt)
{
    struct slice line, rest = buf_slice(&c->reply.text);

    (void)out, (void)rcpt;
    if (c->reply.code == 500 || c->reply.code == 502) {
        c->next = STEP_HELO;
        return;
    }
    if (!is_yes(c)) {
        give_up_connection(c, STEP_EHLO);
        return;
    }
    /* The first line is the server's name and a greeting. */
    if (slice_cut(rest, '\n', &line, &rest)) {
        while (slice_cut(rest, '\n', &line, &rest))
            note_offer(&c->offers, line);
        note_offer(&c->offers, rest);
    }
    if (c->settings.quit_after != STEP_EHLO)
        client_begin_message(c);
}

static void on_helo(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)out, (void)rcpt;
    if (!is_yes(c)) {
        give_up_connection(c, STEP_HELO);
        return;
    }
    if (c->settings.quit_after != STEP_EHLO)
        client_begin_message(c);
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

void client_begin_message(struct client *c)
{
    const struct client_message *m = &c->tx.message;
    const struct client_offers *offers = &c->offers;

    if (needs_smtputf8(m) && !offers->smtputf8)
        client_settle_all(c, own_refusal(SLICE("5.6.7"), SLICE("the message needs SMTPUTF8, which "
                                                               "the server does not offer")));
    else if (m->body == BODY_8BITMIME && !offers->eight_bit)
        client_settle_all(c, own_refusal(SLICE("5.6.3"), SLICE("the message is 8-bit and the "
                                                               "server does not offer 8BITMIME")));
    else if (offers->size_max != 0 && m->size > offers->size_max)
        client_settle_all(
            c, own_refusal(SLICE("5.3.4"),
                           arena_printf(
                               &c->tx.arena, "the message has %llu bytes, the server takes %llu",
                               (unsigned long long)m->size, (unsigned long long)offers->size_max)));
    else
        c->next = STEP_MAIL;
}

static void send_mail(struct client *c, struct buf *out)
{
    const struct client_message *m = &c->tx.message;

    buf_append(out, SLICE("MAIL FROM:<"));
    address_write(out, &m->sender);
    buf_append_char(out, '>');
    if (c->offers.size && m->size != 0)
        buf_printf(out, " SIZE=%llu", (unsigned long long)m->size);
    if (m->body == BODY_8BITMIME)
        buf_append(out, SLICE(" BODY=8BITMIME"));
    if (needs_smtputf8(m))
        buf_append(out, SLICE(" SMTPUTF8"));
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
    address_write(out, &m->rcpts[c->tx.rcpt_next++]);
    buf_append_char(out, '>');
    if (c->tx.rcpt_next == m->rcpt_count)
        stop_after(c, STEP_RCPT, STEP_DATA);
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
    if (c->tx.accepted == 0) {
        client_body_end(c, out);
        return;
    }
    c->state = CLIENT_IN_BODY;
    c->waits++;
}

static void on_dot(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)out, (void)rcpt;
    c->tx.open = false;
    client_settle_all(c, client_judge(c, STEP_DOT));
}

static void send_rset(struct client *c, struct buf *out)
{
    buf_append(out, SLICE("RSET"));
    c->next = STEP_NONE;
}

static void on_rset(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)out, (void)rcpt;
    if (!is_yes(c)) {
        give_up_connection(c, STEP_RSET);
        return;
    }
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
    [STEP_GREETING] = {SLICE_INIT("greeting"),    NULL,      on_greeting, 300, true },
    [STEP_EHLO] = {SLICE_INIT("EHLO"),        send_ehlo, on_ehlo,     300, true },
    [STEP_HELO] = {SLICE_INIT("HELO"),        send_helo, on_helo,     300, true },
    [STEP_MAIL] = {SLICE_INIT("MAIL"),        send_mail, on_mail,     300, false},
    [STEP_RCPT] = {SLICE_INIT("RCPT"),        send_rcpt, on_rcpt,     300, false},
    [STEP_DATA] = {SLICE_INIT("DATA"),        send_data, on_data,     120, true },
    [STEP_DOT] = {SLICE_INIT("end of data"), NULL,      on_dot,      600, true },
    [STEP_RSET] = {SLICE_INIT("RSET"),        send_rset, on_rset,     300, true },
    [STEP_QUIT] = {SLICE_INIT("QUIT"),        send_quit, on_quit,     10,  true },
};
