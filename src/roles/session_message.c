/*
 * session_message.c - a message while it arrives: a draft, our fields in front of it, and the put.
 *
 * Where a mail begins (RFC 6409) it is completed, and its Bcc fields are left out; elsewhere not a
 * byte of it is touched. There it is also known again when its client sends it once more: the
 * fingerprint is taken of what the client sent, and the courier judges it (queue/once).
 */
#include "roles/session_internal.h"

#include "mail/release.h"
#include "mail/submission.h"
#include "mail/trace.h"

#include <errno.h>

enum { SESSION_HEADER_MAX = 4096 };

const struct reply session_reply_full = {
    452, SLICE_INIT("4.3.1"), SLICE_INIT("Insufficient system storage: try again later")};

static const struct reply reply_trouble = {451, SLICE_INIT("4.3.0"),
                                           SLICE_INIT("Error: queue file write error: try again")};

const struct reply *session_reply_of_error(int code)
{
    return code == -ENOSPC || code == -EDQUOT || code == -EFBIG ? &session_reply_full
                                                                : &reply_trouble;
}

void session_drop_draft(struct session *s)
{
    if (s->drafting)
        draft_end(&s->draft);
    rewrite_reader_done(&s->rewriting);
    fingerprint_free(s->print);
    s->print = NULL;
    s->drafting = false;
    s->id = 0;
}

/* Who may be the one who comes again: "ann@example.org", "userid 1000". "": anybody could be. No
 * account's name holds a blank. */
static struct slice whose(const struct session *s, struct arena *arena)
{
    struct slice local = session_local_user(s);

    if (local.len > 0)
        return arena_printf(arena, "userid %.*s", SLICE_PRINTF(local));
    return s->offer->submission ? server_user(s->server) : SLICE("");
}

static bool may_come_again(const struct session *s)
{
    struct arena scratch = {0};
    bool may = whose(s, &scratch).len > 0;

    arena_done(&scratch);
    return may;
}

static const struct rules *rules_of(const struct session *s)
{
    return &s->among->role->settings->rules;
}

/* Only where there is something to rewrite, or every header would be held back for nothing. */
static void begin_rewriting(struct session *s)
{
    rewrite_reader_done(&s->rewriting);
    rewrite_reader_init(&s->rewriting, session_begins_here(s) && rules_of(s)->rewrite_count > 0);
}

static int begin_draft(struct session *s)
{
    s->id = queue_in_next_id(s->among->queue);
    if (s->id == 0)
        return -EIO;
    draft_begin(&s->draft, s->id);
    s->bcc = (struct header_drop){0};
    begin_rewriting(s);
    s->print = may_come_again(s) ? fingerprint_new() : NULL;
    s->drafting = true;
    return 0;
}

static int keep(struct session *s, struct slice piece)
{
    struct cursor in = {piece};
    struct slice run;
    int code = 0;

    while (code == 0 && rewrite_reader_next(&s->rewriting, rules_of(s), &in, &run))
        code = draft_append(&s->draft, run);
    return code;
}

/* Without Bcc, where a mail begins. */
static int append_body(struct session *s, struct slice body)
{
    struct cursor in = {body};
    struct slice run;
    int code = 0;

    if (!s->offer->submission)
        return keep(s, body);
    if (s->print != NULL)
        fingerprint_add(s->print, body);
    while (code == 0 && header_drop_next(&s->bcc, &in, &run))
        code = keep(s, run);
    return code;
}

static int finish_draft(struct session *s)
{
    struct slice rest = s->offer->submission ? header_drop_end(&s->bcc) : SLICE("");
    int code = keep(s, rest);

    if (code == 0)
        code = draft_append(&s->draft, rewrite_reader_end(&s->rewriting, rules_of(s)));
    return code == 0 ? draft_finish(&s->draft) : code;
}

void session_keep_body(struct session *s)
{
    int code = s->drafting ? 0 : begin_draft(s);

    if (code == 0)
        code = append_body(s, server_body(s->server));
    if (code < 0) {
        session_drop_draft(s);
        server_body_failed(s->server, session_reply_of_error(code));
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

static struct slice wishes_text(const struct envelope *e, struct arena *arena)
{
    struct slice text;
    struct buf out;

    buf_init(&out, 64);
    release_write_request(&out, &e->wishes);
    if (e->wishes.require_tls)
        buf_append(&out, SLICE(" REQUIRETLS"));
    text = arena_copy(arena, buf_slice(&out));
    buf_done(&out);
    return text;
}

/* A mail that does not name itself is known by the file in which it was left; so is our report on
 * it, whose text has the hour in it. What it says does not count. */
static bool is_known_by_file(struct session *s)
{
    if (s->left.len == 0 || (server_message_id(s->server).len > 0 && !s->reports))
        return false;
    fingerprint_free(s->print);
    s->print = fingerprint_new();
    return true;
}

static void take_fingerprint(struct session *s, struct envelope *e)
{
    struct fingerprint_of of = {.message_id = server_message_id(s->server),
                                .sender = &e->sender,
                                .rcpt_count = e->rcpt_count};
    struct arena scratch = {0};

    if (s->print == NULL)
        return;
    if (is_known_by_file(s))
        of.message_id = s->left;
    if (of.message_id.len == 0)
        return;
    of.account = whose(s, &scratch);
    of.wishes = wishes_text(e, &scratch);
    of.rcpts = ARENA_ARRAY(&scratch, const struct address *, e->rcpt_count);
    for (unsigned i = 0; i < e->rcpt_count; i++)
        of.rcpts[i] = &e->rcpts[i].original;
    fingerprint_finish(s->print, &of, s->fingerprint);
    e->fingerprint = (struct slice){(const char *)s->fingerprint, sizeof(s->fingerprint)};
    arena_done(&scratch);
}

static int start_put(struct session *s)
{
    struct envelope *e = server_envelope(s->server);
    int code = s->drafting ? 0 : begin_draft(s); /* an empty message has no body bytes */

    if (code == 0)
        code = finish_draft(s);
    e->id = s->id;
    e->arrival_us = clock_wall_us(s->among->role->doors->clock);
    e->local_user = session_local_user(s);
    e->hides_client = s->offer->hide_client && server_user(s->server).len > 0;
    if (code == 0) {
        take_fingerprint(s, e);
        code = write_header(s, e);
    }
    if (code == 0)
        queue_put(s->among->queue, e, buf_slice(&s->header), &s->draft, &s->put);
    return code;
}

void session_commit(struct session *s)
{
    int code = start_put(s);

    if (code < 0) {
        session_drop_draft(s);
        buf_done(&s->header);
        server_answer(s->server, session_reply_of_error(code));
        return;
    }
    s->committing = true;
    stream_pause(&s->stream);
    timer_cancel(s->among->role->loop, &s->timer);
}
