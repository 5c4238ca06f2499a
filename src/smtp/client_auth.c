/*
 * client_auth.c - AUTH: who are we?
 *
 * RFC 4954. The engine carries blobs between the server and the caller, who knows the mechanisms
 * and the secrets. Without TLS not a word of it is said, and what a server offered in the clear is
 * forgotten with the rest of what it said there, so that nobody on the way can ask for a weaker
 * proof (SECURITY threats 3 and 4).
 *
 * That a login fails is no word about the mail, and nobody's mail shall come back because of a
 * password that somebody else has to set right: whatever the server says, it is "later".
 *
 * An initial response goes with the command where the line has room for it, RFC 4954 4; where it
 * has not, the server asks for it by an empty challenge.
 */
#include "smtp/client_steps.h"

#include "base/codec.h"

#include <assert.h>

enum {
    MECHANISMS_MAX = 512,
    COMMAND_MAX = 510, /* RFC 5321 4.5.3.1.4, without CRLF */
    RESPONSE_MAX = (CLIENT_RESPONSE_MAX + 2) / 3 * 4,
};

void client_auth_init(struct client *c)
{
    buf_init(&c->proof.mechanisms, MECHANISMS_MAX);
    buf_init(&c->proof.challenge, CLIENT_LINE_MAX);
    buf_init(&c->proof.response, RESPONSE_MAX);
}

static void forget_response(struct client_proof *p)
{
    buf_wipe(&p->response);
    buf_init(&p->response, RESPONSE_MAX);
    p->has_response = false;
}

void client_auth_done(struct client *c)
{
    buf_done(&c->proof.mechanisms);
    buf_done(&c->proof.challenge);
    buf_wipe(&c->proof.response);
}

void client_auth_offered(struct client *c, struct slice mechanisms)
{
    buf_clear(&c->proof.mechanisms);
    (void)buf_append(&c->proof.mechanisms, slice_head(mechanisms, MECHANISMS_MAX));
}

/* ---- the caller's turn ---- */

static void tell_caller(struct client *c, enum client_auth_stage stage)
{
    struct client_proof *p = &c->proof;

    p->told = (struct client_auth){stage, buf_slice(&p->mechanisms), buf_slice(&p->challenge)};
    c->state = CLIENT_PROVING;
    c->waits++;
}

static void give_up(struct client *c, struct slice enhanced, struct slice why)
{
    client_settle_all(
        c, (struct client_outcome){
               .verdict = CLIENT_TRY_AGAIN, .step = STEP_AUTH, .enhanced = enhanced, .text = why});
    c->next = STEP_QUIT;
}

void client_auth_ask(struct client *c)
{
    if (!c->secured && c->settings.login != CLIENT_LOGIN_ANYHOW)
        give_up(c, SLICE("4.7.11"), SLICE("we are to log in, which is not done without TLS"));
    else if (!ehlo_offers(&c->offers, EHLO_AUTH))
        give_up(c, SLICE("4.7.4"), SLICE("the server does not offer AUTH, and we are to log in"));
    else
        tell_caller(c, CLIENT_AUTH_CHOOSE);
}

const struct client_auth *client_auth(const struct client *c)
{
    return &c->proof.told;
}

/* ---- the caller's answers ---- */

static void keep_response(struct client_proof *p, struct slice response)
{
    assert(response.len <= CLIENT_RESPONSE_MAX);
    (void)buf_reserve(&p->response, RESPONSE_MAX); /* so that it never moves */
    (void)base64_encode(&p->response, response);
    p->has_response = true;
}

static void say_next(struct client *c)
{
    c->state = CLIENT_TALKING;
    c->next = STEP_AUTH;
}

void client_auth_begin(struct client *c, struct slice mechanism, const struct slice *initial)
{
    assert(c->state == CLIENT_PROVING && c->proof.told.stage == CLIENT_AUTH_CHOOSE);
    c->proof.mechanism = mechanism;
    if (initial != NULL)
        keep_response(&c->proof, *initial);
    say_next(c);
}

void client_auth_respond(struct client *c, struct slice response)
{
    assert(c->state == CLIENT_PROVING && c->proof.told.stage == CLIENT_AUTH_RESPOND);
    keep_response(&c->proof, response);
    say_next(c);
}

void client_auth_believe(struct client *c)
{
    assert(c->state == CLIENT_PROVING && c->proof.told.stage == CLIENT_AUTH_BELIEVE);
    c->state = CLIENT_TALKING;
    client_go_on(c, STEP_AUTH);
}

/* What became of the mail is settled here: no answer to "*" is a better reason. */
static void stop(struct client *c, struct slice enhanced, struct slice why)
{
    give_up(c, arena_copy(&c->tx.arena, enhanced), arena_copy(&c->tx.arena, why));
    c->proof.stopping = true;
    c->next = STEP_AUTH;
}

void client_auth_stop(struct client *c, struct slice enhanced, struct slice why)
{
    assert(c->state == CLIENT_PROVING);
    stop(c, enhanced, why);
    c->state = CLIENT_TALKING;
    if (c->proof.told.stage != CLIENT_AUTH_RESPOND)
        c->next = STEP_QUIT;
}

/* ---- what is said ---- */

static void say_command(struct client_proof *p, struct buf *out)
{
    struct slice initial = buf_slice(&p->response);
    size_t len = buf_len(out);

    buf_append(out, SLICE("AUTH "));
    buf_append(out, p->mechanism);
    len = buf_len(out) - len + 1 + initial.len;
    p->mechanism = SLICE("");
    if (!p->has_response || len > COMMAND_MAX)
        return;
    buf_append_char(out, ' ');
    buf_append(out, initial.len > 0 ? initial : SLICE("="));
    forget_response(p);
}

void client_send_auth(struct client *c, struct buf *out)
{
    struct client_proof *p = &c->proof;

    if (p->stopping) {
        buf_append_char(out, '*');
    } else if (p->mechanism.len > 0) {
        say_command(p, out);
    } else {
        buf_append(out, buf_slice(&p->response));
        forget_response(p);
    }
    c->next = STEP_NONE;
}

/* "AUTH PLAIN ***", "***": base64 has no blank in it. */
void client_show_auth(struct client *c, struct slice line)
{
    struct slice verb, mechanism, secret;
    struct arena scratch = {0};

    if (!slice_cut(line, ' ', &verb, &secret))
        line = c->proof.stopping ? line : SLICE("***");
    else if (slice_cut(secret, ' ', &mechanism, &secret))
        line = arena_printf(&scratch, "%.*s %.*s ***", SLICE_PRINTF(verb), SLICE_PRINTF(mechanism));
    transcript_sent(c->settings.transcript, line);
    arena_done(&scratch);
}

/* ---- what answers mean ---- */

/* Which the server knows by then, if it sent an empty challenge or not. */
static void take_challenge(struct client *c)
{
    struct client_proof *p = &c->proof;

    buf_clear(&p->challenge);
    if (p->has_response)
        c->next = STEP_AUTH;
    else if (c->reply.cut || !base64_decode(&p->challenge, buf_slice(&c->reply.text)))
        stop(c, SLICE("4.5.0"), SLICE("the server's challenge is no base64, or too long"));
    else
        tell_caller(c, CLIENT_AUTH_RESPOND);
}

static void refused(struct client *c)
{
    struct client_outcome got = client_judge(c, STEP_AUTH);

    got.verdict = CLIENT_TRY_AGAIN;
    client_settle_all(c, got);
    c->next = STEP_QUIT;
}

void client_on_auth(struct client *c, struct buf *out, unsigned rcpt)
{
    (void)out, (void)rcpt;
    if (c->proof.stopping)
        c->next = STEP_QUIT;
    else if (c->reply.code == 334)
        take_challenge(c);
    else if (c->reply.code / 100 == 2)
        tell_caller(c, CLIENT_AUTH_BELIEVE);
    else
        refused(c);
}
