/*
 * probe_verdict.c - what a session says about a server.
 *
 * The sentences are for somebody who asks "why did this mail not arrive?": what the server did, in
 * its own words where it had some, and what usually lies behind it where it had none.
 */
#include "cmd/probe_verdict.h"

#include <errno.h>
#include <string.h>

static bool is_yes(const struct heard_reply *reply)
{
    return reply != NULL && reply->code / 100 == 2;
}

/* Lines as one: what is told stands in one line of a table. */
static struct slice joined(struct slice text, struct arena *arena)
{
    char *out = arena_alloc(arena, text.len);

    for (size_t i = 0; i < text.len; i++)
        out[i] = text.data[i] == '\n' ? ' ' : text.data[i];
    return (struct slice){out, text.len};
}

struct slice probe_reply_text(const struct heard_reply *reply, struct arena *arena)
{
    struct slice text = joined(reply->text, arena);

    return arena_printf(arena, "%03u%s%.*s", reply->code, text.len > 0 ? " " : "",
                        SLICE_PRINTF(text));
}

/* ---- does it speak SMTP? ---- */

static struct slice connect_text(const struct probe_session *s, struct arena *arena)
{
    int code = -s->connect_error;
    unsigned port = s->remote.stream.peer.port;

    if (code == ETIMEDOUT)
        return arena_printf(arena,
                            "port %u seems blocked from here: no answer within %u s (or nobody is "
                            "there; networks of homes and clouds often block port 25)",
                            port, s->request->connect_timeout_s);
    if (code == ECONNREFUSED)
        return arena_printf(arena, "nobody listens on port %u: Connection refused", port);
    return arena_printf(arena, "cannot connect to port %u: %s", port, strerrordesc_np(code));
}

/* There is no reply: why. */
static struct slice silence_text(const struct probe_session *s, struct arena *arena)
{
    struct slice line = heard_last_line(&s->heard);

    if (s->tls_problem.len > 0)
        return arena_printf(arena, "no TLS: %.*s", SLICE_PRINTF(s->tls_problem));
    if (slice_equal(s->end.enhanced, SLICE("4.5.0")))
        return arena_printf(arena, "what it says is no SMTP: \"%.*s\"", SLICE_PRINTF(line));
    return s->end.text;
}

static struct slice no_greeting_text(const struct probe_session *s, struct arena *arena)
{
    struct slice text = silence_text(s, arena);

    if (s->implicit || s->heard.line_len > 0)
        return text;
    return arena_printf(arena, "%.*s; does it expect TLS at once (--tls implicit)?",
                        SLICE_PRINTF(text));
}

static const struct heard_reply *last_hello(const struct probe_session *s)
{
    for (unsigned i = s->heard.count; i > 0; i--) {
        const struct heard_reply *r = &s->heard.replies[i - 1];

        if ((r->step == STEP_EHLO || r->step == STEP_HELO) && is_yes(r))
            return r;
    }
    return NULL;
}

struct slice probe_hello_name(const struct probe_session *s)
{
    const struct heard_reply *hello = last_hello(s);
    struct slice name = hello == NULL ? SLICE("") : hello->text, rest;

    (void)slice_cut(name, '\n', &name, &rest);
    return name;
}

/* Greeted well, and then? */
static struct slice no_hello_text(const struct probe_session *s, struct slice greeting,
                                  struct arena *arena)
{
    const struct heard_reply *helo = heard_find(&s->heard, STEP_HELO, false);
    const struct heard_reply *ehlo = heard_find(&s->heard, STEP_EHLO, false);
    struct slice answer;

    if (s->end.code == 0)
        answer = silence_text(s, arena);
    else
        answer = probe_reply_text(helo != NULL ? helo : ehlo, arena);
    return arena_printf(arena, "greets with %.*s, but to EHLO: %.*s", SLICE_PRINTF(greeting),
                        SLICE_PRINTF(answer));
}

bool probe_speaks(const struct probe_session *s, struct arena *arena, struct slice *why)
{
    const struct heard_reply *greeting = heard_find(&s->heard, STEP_GREETING, false);

    if (s->connect_error != 0) {
        *why = connect_text(s, arena);
        return false;
    }
    if (greeting == NULL) {
        *why = no_greeting_text(s, arena);
        return false;
    }
    *why = probe_reply_text(greeting, arena);
    if (!is_yes(greeting)) {
        *why = arena_printf(arena, "it refuses to talk: %.*s", SLICE_PRINTF(*why));
        return false;
    }
    if (last_hello(s) != NULL)
        return true;
    *why = no_hello_text(s, *why, arena);
    return false;
}

/* ---- TLS ---- */

bool probe_tls_failed(const struct probe_session *s)
{
    return s->end.step == STEP_STARTTLS && s->end.code == 0;
}

static bool is_offered(const struct probe_session *s)
{
    const struct heard_reply *ehlo = heard_find(&s->heard, STEP_EHLO, false);
    struct ehlo_offers offers;

    if (ehlo == NULL)
        return false;
    offers = ehlo_offers_read(ehlo->text);
    return ehlo_offers(&offers, EHLO_STARTTLS);
}

enum probe_tls_state probe_tls_state(const struct probe_session *s, struct arena *arena,
                                     struct slice *why)
{
    const struct heard_reply *reply = heard_find(&s->heard, STEP_STARTTLS, false);

    *why = SLICE("");
    if (s->secured)
        return TLS_ON;
    if (reply != NULL && !is_yes(reply)) {
        *why = probe_reply_text(reply, arena);
        return TLS_REFUSED;
    }
    if (probe_tls_failed(s) || s->tls_problem.len > 0) {
        *why = s->tls_problem.len > 0 ? s->tls_problem : s->end.text;
        return TLS_FAILED;
    }
    return is_offered(s) ? TLS_NOT_TRIED : TLS_NOT_OFFERED;
}

/* ---- relaying ---- */

enum probe_relay probe_relay(const struct probe_session *s, struct arena *arena, struct slice *why)
{
    bool secured = s->secured && !s->implicit;
    const struct heard_reply *mail = heard_find(&s->heard, STEP_MAIL, secured);
    const struct heard_reply *rcpt = heard_find(&s->heard, STEP_RCPT, secured);

    if (mail != NULL && !is_yes(mail)) {
        struct slice reply = probe_reply_text(mail, arena);

        *why = arena_printf(arena, "MAIL is refused: %.*s", SLICE_PRINTF(reply));
        /* "Authentication required" settles it; a sender or a client that is not liked does not. */
        return mail->code == 530 ? RELAY_NO : RELAY_UNTESTED;
    }
    if (mail == NULL || rcpt == NULL) {
        *why = s->asked.text.len > 0 ? joined(s->asked.text, arena)
                                     : SLICE("the session ended before");
        return RELAY_UNTESTED;
    }
    *why = probe_reply_text(rcpt, arena);
    switch (rcpt->code / 100) {
    case 2: return RELAY_YES;
    case 5: return RELAY_NO;
    default: return RELAY_UNDECIDED;
    }
}

/* ---- extensions ---- */

static struct probe_extension extension_of(struct slice line)
{
    struct probe_extension e = {0};
    size_t end = 0;

    line = slice_trim(line);
    while (end < line.len && line.data[end] != ' ' && line.data[end] != '=')
        end++;
    e.name = slice_head(line, end);
    e.params = slice_trim(slice_skip(line, end + 1));
    return e;
}

static struct probe_extension *find_extension(struct probe_extension *list, size_t count,
                                              const struct probe_extension *wanted)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal_nocase(list[i].name, wanted->name) &&
            slice_equal(list[i].params, wanted->params))
            return &list[i];
    return NULL;
}

static void add_extensions(const struct heard_reply *reply, bool secured,
                           struct probe_extension *list, size_t *count, size_t *left_out)
{
    struct slice line, rest;

    if (reply == NULL || !slice_cut(reply->text, '\n', &line, &rest))
        return; /* the server's name alone */
    while (rest.len > 0) {
        if (!slice_cut(rest, '\n', &line, &rest)) {
            line = rest;
            rest = (struct slice){0};
        }
        struct probe_extension e = extension_of(line);
        struct probe_extension *known = find_extension(list, *count, &e);

        if (e.name.len == 0)
            continue;
        if (known == NULL && *count == PROBE_EXTENSIONS_MAX) {
            ++*left_out;
            continue;
        }
        if (known == NULL) {
            known = &list[(*count)++];
            *known = e;
        }
        *(secured ? &known->secured : &known->clear) = true;
    }
}

struct probe_extension *probe_extensions(const struct probe_session *s, struct arena *arena,
                                         size_t *count, size_t *left_out)
{
    struct probe_extension *list = ARENA_ARRAY(arena, struct probe_extension, PROBE_EXTENSIONS_MAX);
    const struct heard_reply *first = heard_find(&s->heard, STEP_EHLO, false);

    *count = *left_out = 0;
    if (is_yes(first))
        add_extensions(first, s->implicit, list, count, left_out);
    add_extensions(heard_find(&s->heard, STEP_EHLO, true), true, list, count, left_out);
    return list;
}
