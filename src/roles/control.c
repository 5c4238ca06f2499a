/*
 * control.c - people at the queue.
 *
 * A request is a walk through the queue, or the messages that it names; each message is looked at,
 * compared with the filters, and then told of or acted upon. A walk goes on in steps, and only
 * while the caller reads: neither a million messages nor a stopped terminal holds up the mail.
 */
#include "roles/control.h"

#include "ipc/control.h"
#include "loop/listener.h"
#include "loop/stream.h"
#include "roles/role.h"
#include "roles/way.h"

#include "base/cursor.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    CALLERS_MAX = 32,
    STEP_MAX = 50,             /* messages in one round */
    OUT_MAX = 4 * 1024 * 1024, /* a message with a thousand recipients fits on top of ... */
    OUT_FULL = 512 * 1024,     /* ... what is enough for now */
    PATH_MAX_LEN = 108,
    SOCKET_MODE = 0600,
};

struct caller;

/* What happens to a message that was asked for. */
typedef void act_fn(struct caller *c, struct queue_message *m);

struct filter {
    bool named; /* by `ids`, "A,B,C", those that are left; else it is a walk */
    struct slice ids;
    struct slice from, to, domain, status, reason;
    uint64_t older_us;
    uint64_t limit;
};

struct caller {
    struct list link;
    struct control *control;
    struct stream stream;
    struct arena arena;   /* of the request */
    struct arena scratch; /* of one message */
    act_fn *act;          /* NULL: no walk is under way */
    bool takes;           /* act wants what waits, claimed */
    struct filter filter;
    struct queue_cursor at;
    uint64_t count;
    struct queue_message *content; /* that is shown whole; NULL: none */
    uint64_t content_at;
};

struct control {
    struct role *role;
    struct queue *queue;
    struct parcels *parcels;
    struct pauses *pauses;
    struct outbound *outbound;
    struct listener listener;
    struct list callers;
    unsigned caller_count;
};

static const struct slice tag_qmgr = SLICE_INIT("qmgr");

static uint64_t wall_us(const struct control *c)
{
    return clock_wall_us(c->role->doors->clock);
}

/* ---- answers ---- */

static void caller_free(struct caller *c)
{
    if (c->content != NULL)
        queue_release(c->control->queue, c->content);
    stream_close(&c->stream);
    arena_done(&c->arena);
    arena_done(&c->scratch);
    list_remove(&c->link);
    c->control->caller_count--;
    memory_free(c);
}

static void answer_error(struct caller *c, struct slice text)
{
    control_begin(&c->stream.out, SLICE("error"));
    control_text(&c->stream.out, "text", text);
    control_end(&c->stream.out);
}

static void answer_ok(struct caller *c)
{
    control_begin(&c->stream.out, SLICE("ok"));
    control_uint(&c->stream.out, "count", c->count);
    control_end(&c->stream.out);
}

static void put_id(struct buf *out, uint64_t id)
{
    char text[QUEUE_ID_LEN];

    queue_id_write(id, text);
    control_text(out, "id", (struct slice){text, sizeof(text)});
}

/* Does it wait for the end of a pause? A deferred one waits for its own time first. */
static bool is_paused(struct caller *c, const struct queue_message *m, unsigned i)
{
    struct pause pause;

    return m->rcpts[i].state == QUEUE_ACTIVE &&
           pauses_has(c->control->pauses, m->envelope.rcpts[i].final.domain, &c->scratch, &pause);
}

static struct slice status_of(struct caller *c, const struct queue_message *m, unsigned i)
{
    const struct queue_rcpt *r = &m->rcpts[i];

    if (is_paused(c, m, i))
        return SLICE("paused");
    switch (r->state) {
    case QUEUE_WAITING: return r->attempts > 0 ? SLICE("deferred") : SLICE("active");
    case QUEUE_ACTIVE: return SLICE("active");
    case QUEUE_HELD: return SLICE("held");
    case QUEUE_DONE: break;
    }
    return SLICE("done");
}

static void begin_rcpt(struct caller *c, const struct queue_message *m, unsigned i)
{
    struct buf *out = &c->stream.out;
    const struct queue_rcpt *r = &m->rcpts[i];
    uint64_t now = loop_now_ms(c->control->role->loop);

    control_begin(out, SLICE("rcpt"));
    control_text(out, "to", address_text(&c->scratch, &m->envelope.rcpts[i].final));
    control_text(out, "status", status_of(c, m, i));
    control_uint(out, "attempts", r->attempts);
    if (r->state == QUEUE_WAITING && r->due_ms > now)
        control_uint(out, "next", (r->due_ms - now + 999) / 1000);
    if (r->reason.len > 0)
        control_text(out, "reason", r->reason);
}

static void tell_message(struct caller *c, struct queue_message *m)
{
    struct buf *out = &c->stream.out;
    const struct envelope *e = &m->envelope;

    control_begin(out, SLICE("message"));
    put_id(out, e->id);
    control_uint(out, "size", m->header_block.len + m->length);
    control_uint(out, "arrived", e->arrival_us / 1000000);
    control_text(out, "from", address_text(&c->scratch, &e->sender));
    control_text(out, "client", e->client_address);
    control_end(out);
}

/* ---- why it waits, and what the next attempt will do ---- */

static struct slice way_text(struct caller *c, const struct decision *d)
{
    switch (d->kind) {
    case DECIDE_MAILDIR:
        return arena_printf(&c->scratch, "deliver maildir %.*s", SLICE_PRINTF(d->path));
    case DECIDE_LMTP:
        return arena_printf(&c->scratch, "deliver lmtp %.*s", SLICE_PRINTF(d->lmtp->name));
    case DECIDE_RELAY:
        return arena_printf(&c->scratch, "relay %.*s%s", SLICE_PRINTF(d->relay->name),
                            d->relay->host_count == 0 ? ", by MX" : "");
    case DECIDE_DISCARD: return SLICE("discard");
    case DECIDE_REFUSE: break;
    }
    return SLICE("none: it is kept in the queue until a rule accepts it");
}

static void put_destination(struct caller *c, const struct decision *d)
{
    struct buf *out = &c->stream.out;
    struct outbound_state state = outbound_tell(c->control->outbound, d, &c->scratch);

    control_uint(out, "connections", state.connections);
    if (state.down_for_ms > 0) {
        control_uint(out, "down", (state.down_for_ms + 999) / 1000);
        control_text(out, "down-reason", state.why);
    }
    if (state.hosts.len > 0)
        control_text(out, "hosts", state.hosts);
}

static void put_way(struct caller *c, const struct queue_message *m, unsigned i)
{
    struct buf *out = &c->stream.out;
    struct decision d = way_of(&c->control->role->settings->rules, &m->envelope, i, &c->scratch);
    struct pause pause;

    control_text(out, "way", way_text(c, &d));
    if (d.rule != NULL)
        control_text(
            out, "rule",
            arena_printf(&c->scratch, "%.*s:%u", SLICE_PRINTF(d.rule->file), d.rule->line));
    if (d.kind == DECIDE_RELAY || d.kind == DECIDE_LMTP)
        put_destination(c, &d);
    if (!pauses_has(c->control->pauses, m->envelope.rcpts[i].final.domain, &c->scratch, &pause))
        return;
    control_text(out, "paused", pause.domain);
    if (pause.until_s > 0)
        control_uint(out, "until", pause.until_s);
}

static void tell_pause(struct caller *c, const struct pause *pause)
{
    struct buf *out = &c->stream.out;

    control_begin(out, SLICE("paused"));
    control_text(out, "domain", pause->domain);
    if (pause->until_s > 0)
        control_uint(out, "until", pause->until_s);
    control_uint(out, "messages", pause->waiting);
    control_end(out);
}

static void tell_pauses(struct caller *c)
{
    struct pause pause;

    for (size_t i = 0; pauses_at(c->control->pauses, i, &pause); i++)
        tell_pause(c, &pause);
}

/* ---- acts ---- */

static void act_list(struct caller *c, struct queue_message *m)
{
    tell_message(c, m);
    for (unsigned i = 0; i < m->envelope.rcpt_count; i++) {
        if (m->rcpts[i].state == QUEUE_DONE)
            continue;
        begin_rcpt(c, m, i);
        control_end(&c->stream.out);
    }
}

static void act_why(struct caller *c, struct queue_message *m)
{
    tell_message(c, m);
    for (unsigned i = 0; i < m->envelope.rcpt_count; i++) {
        if (m->rcpts[i].state == QUEUE_DONE)
            continue;
        begin_rcpt(c, m, i);
        put_way(c, m, i);
        control_end(&c->stream.out);
    }
}

static void act_count(struct caller *c, struct queue_message *m)
{
    (void)c, (void)m; /* act_on() counts */
}

static void act_hold(struct caller *c, struct queue_message *m)
{
    for (unsigned i = 0; i < m->envelope.rcpt_count; i++)
        if (m->rcpts[i].due)
            queue_hold(c->control->queue, m, i);
}

static void act_release(struct caller *c, struct queue_message *m)
{
    for (unsigned i = 0; i < m->envelope.rcpt_count; i++) {
        if (!m->rcpts[i].due)
            continue;
        if (m->rcpts[i].state == QUEUE_HELD)
            queue_unhold(c->control->queue, m, i);
        else
            queue_postpone(c->control->queue, m, i, m->rcpts[i].due_ms);
    }
}

/* Held ones stay so. */
static void act_retry(struct caller *c, struct queue_message *m)
{
    for (unsigned i = 0; i < m->envelope.rcpt_count; i++) {
        if (!m->rcpts[i].due)
            continue;
        if (m->rcpts[i].state == QUEUE_HELD)
            queue_hold(c->control->queue, m, i);
        else
            queue_postpone(c->control->queue, m, i, 0);
    }
}

typedef void finish_fn(struct parcel *p, unsigned rcpt);

static void fail_rcpt(struct parcel *p, unsigned rcpt)
{
    static const struct verdict v = {
        .tag = SLICE_INIT("qmgr"),
        .relay = SLICE_INIT("none"),
        .dsn = SLICE_INIT("5.7.0"),
        .text = SLICE_INIT("the administrator returned this message to its sender")};

    parcel_failed(p, rcpt, true, &v);
}

static void delete_rcpt(struct parcel *p, unsigned rcpt)
{
    static const struct verdict v = {.tag = SLICE_INIT("qmgr"),
                                     .relay = SLICE_INIT("none"),
                                     .dsn = SLICE_INIT("2.0.0"),
                                     .text = SLICE_INIT("deleted by the administrator")};

    parcel_deleted(p, rcpt, &v);
}

/* Takes the message over. */
static void finish_rcpts(struct caller *c, struct queue_message *m, finish_fn *finish)
{
    struct parcel *p = parcel_new(c->control->parcels, m);

    for (unsigned i = 0; i < m->envelope.rcpt_count; i++)
        if (m->rcpts[i].due)
            finish(p, i);
    parcel_drop(p);
}

static void act_bounce(struct caller *c, struct queue_message *m)
{
    finish_rcpts(c, m, fail_rcpt);
}

static void act_delete(struct caller *c, struct queue_message *m)
{
    finish_rcpts(c, m, delete_rcpt);
}

/* ---- which messages ---- */

static bool address_fits(struct caller *c, const struct address *a, struct slice wanted)
{
    struct slice text = address_text(&c->scratch, a);

    if (slice_starts(wanted, SLICE("@")))
        return slice_ends_nocase(text, wanted);
    return slice_equal_nocase(text, slice_equal(wanted, SLICE("<>")) ? SLICE("") : wanted);
}

static bool contains_nocase(struct slice text, struct slice wanted)
{
    for (; text.len >= wanted.len; text = slice_skip(text, 1))
        if (slice_equal_nocase(slice_head(text, wanted.len), wanted))
            return true;
    return false;
}

/* Is there a recipient to whom all of it applies? */
static bool rcpt_fits(struct caller *c, const struct queue_message *m, unsigned i)
{
    const struct filter *f = &c->filter;
    const struct address *a = &m->envelope.rcpts[i].final;
    const struct queue_rcpt *r = &m->rcpts[i];

    return r->state != QUEUE_DONE && (f->to.len == 0 || address_fits(c, a, f->to)) &&
           (f->domain.len == 0 || slice_equal_nocase(a->domain, f->domain)) &&
           (f->status.len == 0 || slice_equal(status_of(c, m, i), f->status)) &&
           (f->reason.len == 0 || contains_nocase(r->reason, f->reason));
}

static bool fits(struct caller *c, const struct queue_message *m)
{
    const struct filter *f = &c->filter;
    const struct envelope *e = &m->envelope;

    if (f->from.len > 0 && !address_fits(c, &e->sender, f->from))
        return false;
    uint64_t now = wall_us(c->control);
    if (f->older_us > 0 && (now < e->arrival_us || now - e->arrival_us < f->older_us))
        return false;
    for (unsigned i = 0; i < e->rcpt_count; i++)
        if (rcpt_fits(c, m, i))
            return true;
    return false;
}

/* What is being tried at this moment is left alone, and not counted. */
static bool has_due(const struct queue_message *m)
{
    for (unsigned i = 0; i < m->envelope.rcpt_count; i++)
        if (m->rcpts[i].due)
            return true;
    return false;
}

static void act_on(struct caller *c, struct queue_entry *e)
{
    struct queue *q = c->control->queue;
    struct queue_message *m;

    arena_reset(&c->scratch);
    m = queue_look(q, e);
    bool wanted = m != NULL && fits(c, m);
    if (wanted && !c->takes)
        c->act(c, m);
    if (m != NULL)
        queue_release(q, m);
    c->count += wanted && !c->takes;
    if (!wanted || !c->takes)
        return;
    m = queue_take(q, e);
    if (m == NULL)
        return;
    c->count += has_due(m);
    c->act(c, m);
    if (c->act != act_bounce && c->act != act_delete)
        queue_release(q, m);
}

static bool has_enough(const struct caller *c)
{
    return c->count >= c->filter.limit || buf_len(&c->stream.out) > OUT_FULL;
}

static bool on_visit(void *ctx, struct queue_entry *e)
{
    struct caller *c = ctx;

    if (c->count < c->filter.limit)
        act_on(c, e);
    return !has_enough(c);
}

/* False: it is none. */
static bool take_id(struct slice *ids, uint64_t *id)
{
    struct slice one;

    if (!slice_cut(*ids, ',', &one, ids)) {
        one = *ids;
        *ids = SLICE("");
    }
    return queue_id_parse(one, id);
}

static bool are_ids(struct slice ids)
{
    uint64_t id;

    do {
        if (!take_id(&ids, &id))
            return false;
    } while (ids.len > 0);
    return true;
}

/* One in a step: it is looked for among all that is queued. False: that was the last. */
static bool act_on_next_id(struct caller *c)
{
    struct queue_entry *e = NULL;
    uint64_t id;

    if (take_id(&c->filter.ids, &id))
        e = queue_find(c->control->queue, id);
    if (e != NULL)
        act_on(c, e);
    return c->filter.ids.len > 0;
}

static void end_walk(struct caller *c)
{
    answer_ok(c);
    c->act = NULL;
}

/* True: there is more to do now. */
static bool walk_on(struct caller *c)
{
    bool more;

    if (buf_len(&c->stream.out) > OUT_FULL)
        return false;
    more = c->filter.named ? act_on_next_id(c)
                           : queue_walk(c->control->queue, &c->at, STEP_MAX, on_visit, c);
    if (!more || c->count >= c->filter.limit)
        end_walk(c);
    stream_flush(&c->stream);
    return c->act != NULL && buf_len(&c->stream.out) <= OUT_FULL;
}

/* ---- the content of one message ---- */

/* True: there is more to do now. */
static bool content_on(struct caller *c)
{
    struct queue_message *m = c->content;
    char piece[16 * 1024];

    while (c->content_at < m->length && buf_len(&c->stream.out) <= OUT_FULL) {
        uint64_t left = m->length - c->content_at;
        int64_t got = disk_read(m->file, piece, left < sizeof(piece) ? left : sizeof(piece),
                                m->offset + c->content_at);
        if (got <= 0) {
            caller_free(c); /* the caller sees that it is not whole */
            return false;
        }
        (void)buf_append(&c->stream.out, (struct slice){piece, (size_t)got});
        c->content_at += (uint64_t)got;
    }
    if (c->content_at == m->length) {
        queue_release(c->control->queue, m);
        c->content = NULL;
        c->count = 1;
        answer_ok(c);
    }
    stream_flush(&c->stream);
    return c->content != NULL && buf_len(&c->stream.out) <= OUT_FULL;
}

static void ask_cat(struct caller *c, const struct control_line *line)
{
    struct buf *out = &c->stream.out;
    struct queue_entry *e = NULL;
    uint64_t id;

    if (queue_id_parse(control_value(line, SLICE("id")), &id))
        e = queue_find(c->control->queue, id);
    c->content = e == NULL ? NULL : queue_look(c->control->queue, e);
    if (c->content == NULL) {
        answer_error(c, SLICE("there is no such message in the queue"));
        return;
    }
    c->content_at = 0;
    control_begin(out, SLICE("content"));
    control_uint(out, "size", c->content->header_block.len + c->content->length);
    control_end(out);
    (void)buf_append(out, c->content->header_block);
}

/* ---- requests ---- */

static const struct {
    struct slice word;
    act_fn *act;
    bool takes;
} acts[] = {
    {SLICE_INIT("list"),    act_list,    false},
    {SLICE_INIT("why"),     act_why,     false},
    {SLICE_INIT("count"),   act_count,   false},
    {SLICE_INIT("hold"),    act_hold,    true },
    {SLICE_INIT("release"), act_release, true },
    {SLICE_INIT("retry"),   act_retry,   true },
    {SLICE_INIT("bounce"),  act_bounce,  true },
    {SLICE_INIT("delete"),  act_delete,  true },
};

/* What cannot be understood is not left out: the rest would choose more than was meant. */
static bool read_older(struct slice text, struct filter *f)
{
    struct cursor in = {text};
    uint64_t older_s;

    if (!take_number(&in, &older_s) || !cursor_at_end(&in))
        return false;
    f->older_us = older_s > UINT64_MAX / 1000000 ? UINT64_MAX : older_s * 1000000;
    return true;
}

static bool read_limit(struct slice text, struct filter *f)
{
    struct cursor in = {text};

    return take_number(&in, &f->limit) && cursor_at_end(&in);
}

static bool read_status(struct slice text, struct filter *f)
{
    f->status = text;
    return slice_equal(text, SLICE("active")) || slice_equal(text, SLICE("deferred")) ||
           slice_equal(text, SLICE("held")) || slice_equal(text, SLICE("paused"));
}

static bool read_ids(struct slice text, struct filter *f)
{
    f->named = true;
    f->ids = text;
    return are_ids(text);
}

static bool read_from(struct slice text, struct filter *f)
{
    f->from = text;
    return true;
}

static bool read_to(struct slice text, struct filter *f)
{
    f->to = text;
    return true;
}

static bool read_domain(struct slice text, struct filter *f)
{
    f->domain = text;
    return true;
}

static bool read_reason(struct slice text, struct filter *f)
{
    f->reason = text;
    return true;
}

static const struct {
    struct slice name;
    bool (*read)(struct slice text, struct filter *f);
    const char *wrong;
    bool chooses;
} filters[] = {
    {SLICE_INIT("id"),     read_ids,    "a queue id has 12 letters and digits",         true },
    {SLICE_INIT("from"),   read_from,   "no sender is named",                           true },
    {SLICE_INIT("to"),     read_to,     "no recipient is named",                        true },
    {SLICE_INIT("domain"), read_domain, "no domain is named",                           true },
    {SLICE_INIT("status"), read_status, "a status is active, deferred, held or paused", true },
    {SLICE_INIT("reason"), read_reason, "no reason is named",                           true },
    {SLICE_INIT("older"),  read_older,  "an age is a number of seconds",                true },
    {SLICE_INIT("limit"),  read_limit,  "a limit is a number",                          false},
};

/* NULL: it was read; else what is wrong. */
static const char *read_field(const struct control_field *field, struct filter *f, bool *chosen)
{
    for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
        if (!slice_equal(field->name, filters[i].name))
            continue;
        *chosen = *chosen || filters[i].chooses;
        return field->value.len > 0 && filters[i].read(field->value, f) ? NULL : filters[i].wrong;
    }
    return "there is no such filter";
}

static const char *read_filter(const struct control_line *line, bool must_choose, struct filter *f)
{
    const char *wrong = NULL;
    bool chosen = false;

    *f = (struct filter){.limit = UINT64_MAX};
    for (unsigned i = 0; i < line->count && wrong == NULL; i++)
        wrong = read_field(&line->fields[i], f, &chosen);
    if (wrong == NULL && must_choose && !chosen)
        wrong = "it is not said which messages";
    return wrong;
}

static void start_act(struct caller *c, const struct control_line *line, act_fn *act, bool takes)
{
    const char *wrong = read_filter(line, takes, &c->filter);

    if (wrong != NULL) {
        answer_error(c, slice_of(wrong));
        return;
    }
    c->act = act;
    c->takes = takes;
    c->count = 0;
    c->at = (struct queue_cursor){0};
    if (act == act_retry)
        outbound_hope(c->control->outbound);
    if (act == act_list)
        tell_pauses(c);
}

static bool ask_act(struct caller *c, const struct control_line *line)
{
    for (size_t i = 0; i < sizeof(acts) / sizeof(*acts); i++) {
        if (!slice_equal(acts[i].word, line->word))
            continue;
        start_act(c, line, acts[i].act, acts[i].takes);
        return true;
    }
    return false;
}

/* 0: `pause` is how it is, or was. */
static void answer_pause(struct caller *c, int code, const struct pause *pause)
{
    if (code == 0) {
        tell_pause(c, pause);
        c->count = 1;
        answer_ok(c);
    } else if (code == -ENOENT) {
        answer_error(c, SLICE("this domain is not paused"));
    } else if (code == -EINVAL) {
        answer_error(c, SLICE("that is no domain"));
    } else {
        answer_error(c, slice_of(strerrordesc_np(-code)));
    }
}

static void ask_pause(struct caller *c, const struct control_line *line)
{
    struct slice domain = control_value(line, SLICE("domain"));
    struct pause pause = {0};
    uint64_t for_s = 0;
    int code;

    if (control_value(line, SLICE("for")).len > 0 &&
        (!control_number(line, SLICE("for"), &for_s) || for_s == 0)) {
        answer_error(c, SLICE("a time is a number of seconds"));
        return;
    }
    code = pauses_begin(c->control->pauses, domain, for_s, &c->arena);
    if (code == 0)
        (void)pauses_has(c->control->pauses, domain, &c->arena, &pause);
    answer_pause(c, code, &pause);
}

static void ask_resume(struct caller *c, const struct control_line *line)
{
    struct pause pause = {0};
    int code =
        pauses_end(c->control->pauses, control_value(line, SLICE("domain")), &c->arena, &pause);

    answer_pause(c, code, &pause);
}

static void ask_status(struct caller *c)
{
    struct buf *out = &c->stream.out;

    control_begin(out, SLICE("queue"));
    control_uint(out, "messages", queue_count(c->control->queue));
    control_uint(out, "underway", c->control->parcels->count);
    control_uint(out, "connections", outbound_connections(c->control->outbound));
    control_end(out);
    c->count = 1;
    answer_ok(c);
}

static void hear(struct caller *c, struct slice text)
{
    struct control_line line;

    arena_reset(&c->arena);
    if (!control_parse(text, &c->arena, &line))
        answer_error(c, SLICE("that is no request"));
    else if (slice_equal(line.word, SLICE("status")))
        ask_status(c);
    else if (slice_equal(line.word, SLICE("cat")))
        ask_cat(c, &line);
    else if (slice_equal(line.word, SLICE("pause")))
        ask_pause(c, &line);
    else if (slice_equal(line.word, SLICE("resume")))
        ask_resume(c, &line);
    else if (!ask_act(c, &line))
        answer_error(c, SLICE("there is no such request"));
}

/* One request at a time; the next one is not read before. */
static void hear_all(struct caller *c)
{
    struct slice line, rest;

    while (c->act == NULL && c->content == NULL && buf_len(&c->stream.out) <= OUT_FULL &&
           slice_cut(buf_slice(&c->stream.in), '\n', &line, &rest)) {
        hear(c, line);
        buf_consume(&c->stream.in, line.len + 1);
    }
    stream_flush(&c->stream);
    loop_wake(c->control->role->loop); /* control_pump() */
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct caller *c = LIST_ENTRY(stream, struct caller, stream);

    switch (event) {
    case STREAM_READABLE:
    case STREAM_DRAINED: hear_all(c); break;
    case STREAM_CONNECTED:
    case STREAM_SECURED: break;
    case STREAM_EOF:
    case STREAM_FAILED: caller_free(c); break;
    }
}

static void on_accept(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own)
{
    struct control *all = LIST_ENTRY(l, struct control, listener);
    struct net *net = loop_net(all->role->loop);
    struct caller *c;

    (void)peer, (void)own;
    if (all->caller_count == CALLERS_MAX) {
        net->ops->close(net, handle);
        return;
    }
    c = MEMORY_NEW(struct caller);
    c->control = all;
    list_append(&all->callers, &c->link);
    all->caller_count++;
    if (stream_open(&c->stream, all->role->loop, handle, CONTROL_LINE_MAX, OUT_MAX, on_stream) < 0)
        caller_free(c);
}

void control_pump(struct control *all)
{
    bool more = false;

    if (all == NULL)
        return;
    LIST_EACH (node, &all->callers) {
        struct caller *c = LIST_ENTRY(node, struct caller, link);

        if (c->content != NULL)
            more = content_on(c) || more;
        else if (c->act != NULL)
            more = walk_on(c) || more;
    }
    if (more)
        loop_wake(all->role->loop);
}

/* ---- as a whole ---- */

static int listen_at(struct control *c)
{
    struct net *net = loop_net(c->role->loop);
    char path[PATH_MAX_LEN];
    int len = snprintf(path, sizeof(path), "%.*s/courier.sock",
                       SLICE_PRINTF(c->role->settings->queue_path));

    if (len < 0 || (size_t)len >= sizeof(path))
        return -ENAMETOOLONG;
    int handle = net->ops->listen_local(net, path, SOCKET_MODE, CALLERS_MAX);
    return handle < 0 ? handle : listener_open(&c->listener, c->role->loop, handle, on_accept);
}

struct control *control_new(struct role *role, struct queue *queue, struct parcels *parcels,
                            struct pauses *pauses, struct outbound *outbound)
{
    struct control *c = MEMORY_NEW(struct control);

    c->role = role;
    c->queue = queue;
    c->parcels = parcels;
    c->pauses = pauses;
    c->outbound = outbound;
    list_init(&c->callers);
    int code = listen_at(c);
    if (code == 0)
        return c;
    if (code != -EAFNOSUPPORT) { /* a network without such sockets: the simulator's */
        char text[200];
        int len = snprintf(text, sizeof(text), "no control socket: courier.sock in the queue: %s",
                           strerrordesc_np(-code));
        role_warn(role, tag_qmgr, (struct slice){text, len < 0 ? 0 : (size_t)len});
    }
    memory_free(c);
    return NULL;
}

void control_free(struct control *c)
{
    if (c == NULL)
        return;
    LIST_EACH (node, &c->callers)
        caller_free(LIST_ENTRY(node, struct caller, link));
    listener_close(&c->listener);
    memory_free(c);
}
