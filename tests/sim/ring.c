/*
 * ring.c - the other node of a loop.
 */
#include "sim/ring.h"

#include "base/memory.h"
#include "loop/stream.h"

#include <stdio.h>

enum {
    HOPS_FEW = 24,
    HOPS_MANY = 120,
    /* more than our own side lets pass */ CONTENT_MAX = 2 * BODY_MAX,
    RETRY_MAX_MS = 300 * 1000
};

enum step { STEP_BANNER, STEP_EHLO, STEP_MAIL, STEP_RCPT, STEP_DATA, STEP_DOT };

struct carrier {
    struct list link;
    struct ring *ring;
    struct stream stream;
    struct timer retry;
    enum step step;
    char sender[64];
    char rcpt[64];
    struct buf content;
};

struct ring {
    struct ring_options o;
    struct list carriers;
    unsigned count;
    unsigned hops_max;
    bool endless;
};

#define NOTE(r, ...) history_note((r)->o.history, "ring", __VA_ARGS__)

/* ---- hops ---- */

static unsigned count_hops(struct slice content)
{
    struct slice line;
    unsigned hops = 0;

    while (slice_cut(content, '\n', &line, &content) && line.len > 1)
        hops += slice_starts(line, SLICE("Received: "));
    return hops;
}

bool ring_refuses(struct ring *r, struct slice content)
{
    bool refused = count_hops(content) >= r->hops_max;

    r->endless = r->endless || (refused && r->hops_max == HOPS_MANY);
    return refused;
}

/* ---- carrying ---- */

static void carrier_free(struct carrier *c)
{
    timer_cancel(c->ring->o.loop, &c->retry);
    stream_close(&c->stream);
    buf_done(&c->content);
    list_remove(&c->link);
    c->ring->count--;
    memory_free(c);
}

static struct sent_rcpt *rcpt_of(const struct carrier *c)
{
    struct sent *s = ledger_from(c->ring->o.intake->ledger, slice_of(c->sender), SLICE(""));

    return s == NULL ? NULL : sent_rcpt_called(s, slice_of(c->rcpt));
}

static void again_later(struct carrier *c)
{
    stream_close(&c->stream);
    timer_set(c->ring->o.loop, &c->retry, 1000 + random_below(c->ring->o.chance, RETRY_MAX_MS));
}

/* Our report to the sender, so to speak. */
static void fail(struct carrier *c)
{
    struct sent_rcpt *r = rcpt_of(c);

    NOTE(c->ring, "%u hops of <%s> are too many for the other side",
         count_hops(buf_slice(&c->content)), c->sender);
    if (r != NULL &&
        !coming_came(&r->reports[REPORT_OF_FAILURE], c->ring->o.intake->clock->now_us, true)) {
        c->ring->o.intake->twice++;
        NOTE(c->ring, "TWICE: <%s> is told once more of a loop", c->sender);
    }
    carrier_free(c);
}

/* RFC 5321 4.5.2. */
static void say_content(struct carrier *c)
{
    struct slice line, rest = buf_slice(&c->content);
    struct buf *out = &c->stream.out;

    (void)buf_append(out, SLICE("Received: from mx.sim.example by ring.example; a while ago\r\n"));
    while (slice_cut(rest, '\n', &line, &rest)) {
        if (line.len > 0 && line.data[0] == '.')
            (void)buf_append_char(out, '.');
        (void)buf_append(out, (struct slice){line.data, line.len + 1});
    }
    (void)buf_append(out, SLICE(".\r\n"));
}

/* True: the carrier is still there. */
static bool hear(struct carrier *c, unsigned code)
{
    struct buf *out = &c->stream.out;

    if (code >= 500) {
        fail(c);
        return false;
    }
    if (code >= 400) {
        again_later(c);
        return true;
    }
    switch (c->step++) {
    case STEP_BANNER: (void)buf_append(out, SLICE("EHLO ring.example\r\n")); break;
    case STEP_EHLO: (void)buf_printf(out, "MAIL FROM:<%s>\r\n", c->sender); break;
    case STEP_MAIL: (void)buf_printf(out, "RCPT TO:<%s>\r\n", c->rcpt); break;
    case STEP_RCPT: (void)buf_append(out, SLICE("DATA\r\n")); break;
    case STEP_DATA: say_content(c); break;
    case STEP_DOT: carrier_free(c); return false;
    }
    stream_flush(&c->stream);
    return true;
}

/* A whole reply; false: there is none yet. */
static bool take_reply(struct carrier *c, unsigned *code)
{
    struct slice in = buf_slice(&c->stream.in), rest = in, line;

    while (slice_cut(rest, '\n', &line, &rest)) {
        if (line.len < 4 || line.data[3] == '-')
            continue;
        *code = (unsigned)(line.data[0] - '0') * 100;
        buf_consume(&c->stream.in, in.len - rest.len);
        return true;
    }
    return false;
}

static void lost(struct carrier *c)
{
    struct sent_rcpt *r = rcpt_of(c);

    if (r != NULL && c->step == STEP_DOT)
        ledger_doubt_loop(r); /* from here on there may be two */
    again_later(c);
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct carrier *c = LIST_ENTRY(stream, struct carrier, stream);
    unsigned code;

    switch (event) {
    case STREAM_READABLE:
        while (stream_is_open(stream) && take_reply(c, &code))
            if (!hear(c, code))
                return;
        return;
    case STREAM_CONNECTED:
    case STREAM_SECURED:
    case STREAM_DRAINED: return;
    case STREAM_EOF:
    case STREAM_FAILED: lost(c); return;
    }
}

static void on_retry(struct timer *t)
{
    struct carrier *c = LIST_ENTRY(t, struct carrier, retry);

    c->step = STEP_BANNER;
    if (stream_connect(&c->stream, c->ring->o.loop, &c->ring->o.back_to, 64 * 1024, CONTENT_MAX,
                       on_stream) < 0)
        again_later(c);
}

void ring_take(struct ring *r, const struct transaction *mail)
{
    struct carrier *c = MEMORY_NEW(struct carrier);

    c->ring = r;
    (void)snprintf(c->sender, sizeof(c->sender), "%s", mail->sender);
    (void)snprintf(c->rcpt, sizeof(c->rcpt), "%s", mail->rcpts[0]);
    buf_init(&c->content, CONTENT_MAX);
    (void)buf_append(&c->content, buf_slice(&mail->content));
    timer_init(&c->retry, on_retry);
    list_append(&r->carriers, &c->link);
    r->count++;
    timer_set(r->o.loop, &c->retry, 1);
}

/* ---- as a whole ---- */

const char *ring_complaint(const struct ring *r)
{
    if (r->count > 0)
        return "mail goes round and round";
    return r->endless ? "nobody but the other side ended a loop" : NULL;
}

struct ring *ring_new(const struct ring_options *options)
{
    struct ring *r = MEMORY_NEW(struct ring);

    r->o = *options;
    r->hops_max = random_below(r->o.chance, 16) == 0
                      ? HOPS_MANY
                      : 2 + (unsigned)random_below(r->o.chance, HOPS_FEW);
    list_init(&r->carriers);
    return r;
}

void ring_free(struct ring *r)
{
    LIST_EACH (node, &r->carriers)
        carrier_free(LIST_ENTRY(node, struct carrier, link));
    memory_free(r);
}
