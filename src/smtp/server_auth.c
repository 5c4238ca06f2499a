/*
 * server_auth.c - AUTH: who is the client?
 *
 * RFC 4954. The engine carries blobs between the client and the role and knows of mechanisms only
 * their names and who speaks first. In the clear nothing is offered and nothing is taken, unless
 * the listener says that it may be; what was sent nevertheless is not looked at.
 *
 * A client has one exchange at a time and one success. What it says within an exchange is no
 * command: a line that is not base64, or too long, ends the exchange, not the session.
 */
#include "smtp/server_internal.h"

#include "base/codec.h"
#include "base/memory.h"

#include <string.h>

enum { FAILURES_MAX = 5 /* exchanges that failed; then 421 */ };

static const struct reply aborted = {501, SLICE_INIT("5.7.0"),
                                     SLICE_INIT("Authentication aborted")};
static const struct reply no_base64 = {501, SLICE_INIT("5.5.2"),
                                       SLICE_INIT("Error: this is no base64")};
static const struct reply too_long = {500, SLICE_INIT("5.5.6"),
                                      SLICE_INIT("Error: authentication line too long")};
static const struct reply wants_crlf = {500, SLICE_INIT("5.5.2"),
                                        SLICE_INIT("Error: end lines with CRLF")};

bool server_offers_auth(const struct server *s)
{
    return (s->settings->offers & EHLO_AUTH) != 0 &&
           (server_is_secure(s) || s->settings->auth_cleartext);
}

/* ---- the beginning ---- */

static bool is_offered(const struct server *s, struct slice name)
{
    struct slice one, rest = s->mechanisms;

    while (slice_cut(rest, ' ', &one, &rest))
        if (slice_equal_nocase(one, name))
            return true;
    return slice_equal_nocase(rest, name);
}

/* Of all that there is, LOGIN alone begins with a word of the server. */
static bool client_begins(struct slice mechanism)
{
    return !slice_equal(mechanism, SLICE("LOGIN"));
}

static struct slice upper(struct arena *arena, struct slice text)
{
    char *out = arena_alloc(arena, text.len);

    for (size_t i = 0; i < text.len; i++)
        out[i] = text.data[i] >= 'a' && text.data[i] <= 'z' ? (char)(text.data[i] - 'a' + 'A')
                                                            : text.data[i];
    return (struct slice){out, text.len};
}

/* False: it is none. */
static bool decode(struct server *s, struct slice text)
{
    bool good;

    buf_init(&s->auth_bytes, SERVER_AUTH_LINE_MAX);
    (void)buf_reserve(&s->auth_bytes, text.len); /* so that it never moves */
    good = base64_decode(&s->auth_bytes, text);
    if (!good)
        buf_wipe(&s->auth_bytes);
    s->auth.response = buf_slice(&s->auth_bytes);
    return good;
}

void server_auth_begin(struct server *s, struct slice argument, struct buf *out)
{
    struct slice name = argument, initial = SLICE("");
    bool has_initial = slice_cut(argument, ' ', &name, &initial);

    if (name.len == 0) {
        server_say_wrong(s, out, &REPLY(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]"));
        return;
    }
    if (!is_offered(s, name)) {
        server_say_wrong(s, out, &REPLY(504, "5.5.4", "Error: no such authentication mechanism"));
        return;
    }
    name = upper(&s->scratch, name);
    memcpy(s->auth_name, name.data, name.len);
    s->auth = (struct server_auth){
        .mechanism = {s->auth_name, name.len},
          .begins = true
    };
    if (!has_initial && client_begins(name)) {
        s->auth_waits = true;
        (void)reply_write(out, &REPLY(334, "", ""));
        return;
    }
    if (has_initial && !slice_equal(initial, SLICE("=")) && !decode(s, initial)) {
        server_say_wrong(s, out, &no_base64);
        return;
    }
    server_ask(s, SERVER_WANTS_AUTH);
}

/* ---- the client's lines ---- */

static void give_up(struct server *s, const struct reply *why, struct buf *out)
{
    s->auth_waits = false;
    server_say_wrong(s, out, why);
}

static void take_line(struct server *s, struct slice line, struct buf *out)
{
    if (slice_equal(line, SLICE("*"))) {
        give_up(s, &aborted, out);
    } else if (!decode(s, line)) {
        give_up(s, &no_base64, out);
    } else {
        s->auth_waits = false;
        server_ask(s, SERVER_WANTS_AUTH);
    }
}

bool server_auth_step(struct server *s, struct cursor *in, struct buf *out)
{
    struct slice head = slice_head(in->rest, SERVER_AUTH_LINE_MAX);
    size_t lf = slice_find(head, '\n');

    if (lf == head.len && head.len < SERVER_AUTH_LINE_MAX)
        return false;
    arena_reset(&s->scratch);
    s->verb = VERB_AUTH;
    s->line = SLICE("");
    s->has_path = false;
    if (lf == head.len) {
        s->auth_waits = false;
        s->swallowing = true; /* the rest of it is no command */
        s->swallow_reply = &too_long;
        return true;
    }
    struct slice line = slice_head(head, lf);

    in->rest = slice_skip(in->rest, lf + 1);
    if (slice_ends(line, SLICE("\r")))
        take_line(s, slice_head(line, lf - 1), out);
    else if (s->settings->line_ends == LINE_ENDS_REPAIR)
        take_line(s, line, out);
    else
        give_up(s, &wants_crlf, out);
    return true;
}

/* ---- the role's answers ---- */

static void challenge(struct server *s, struct buf *out)
{
    struct buf text;

    buf_init(&text, 2 * SERVER_CHALLENGE_MAX);
    (void)base64_encode(&text, s->auth_challenge);
    (void)reply_write(out, &(struct reply){334, SLICE(""), buf_slice(&text)});
    buf_done(&text);
    s->auth.begins = false;
    s->auth_waits = true;
}

static void failed(struct server *s, struct buf *out)
{
    /* 454: it is not the client who failed. */
    if (s->answer.code < 500)
        server_say_excused(s, out, &s->answer);
    else if (++s->auth_failures >= FAILURES_MAX)
        server_say_goodbye(s, out, SLICE("4.7.0"), SLICE("Error: too many failed logins"));
    else
        server_say_wrong(s, out, &s->answer);
}

void server_auth_answered(struct server *s, struct buf *out)
{
    buf_wipe(&s->auth_bytes);
    s->auth.response = SLICE("");
    if (s->answer.code == 334)
        challenge(s, out);
    else if (s->answer.code == 235)
        server_say(s, out, &s->answer);
    else
        failed(s, out);
}

void server_offer_auth(struct server *s, struct slice mechanisms)
{
    s->mechanisms = mechanisms;
}

const struct server_auth *server_auth(const struct server *s)
{
    return &s->auth;
}

void server_challenge(struct server *s, struct slice bytes)
{
    s->auth_challenge = arena_copy(&s->scratch, slice_head(bytes, SERVER_CHALLENGE_MAX));
    server_answer(s, &REPLY(334, "", ""));
}

void server_authenticated(struct server *s, struct slice user)
{
    server_forget_user(s);
    s->user = memory_new(user.len);
    memcpy(s->user, user.data, user.len);
    s->user_len = user.len;
    server_answer(s, &REPLY(235, "2.7.0", "Authentication successful"));
}

void server_forget_user(struct server *s)
{
    memory_free(s->user);
    s->user = NULL;
    s->user_len = 0;
}

struct slice server_user(const struct server *s)
{
    return (struct slice){s->user, s->user_len};
}
