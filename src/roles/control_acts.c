/*
 * control_acts.c - what is told of a message, and what people do with it.
 */
#include "roles/control_internal.h"

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

struct slice control_status(struct caller *c, const struct queue_message *m, unsigned i)
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
    control_text(out, "status", control_status(c, m, i));
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

static void put_destination(struct caller *c, const struct decision *d, uint64_t id)
{
    struct buf *out = &c->stream.out;
    struct outbound_state state = outbound_tell(c->control->outbound, d, id, &c->scratch);

    control_uint(out, "connections", state.connections);
    if (state.down_for_ms > 0) {
        control_uint(out, "down", (state.down_for_ms + 999) / 1000);
        control_text(out, "down-reason", state.why);
    }
    if (state.hosts.len > 0)
        control_text(out, "hosts", state.hosts);
    if (state.alternatives.len > 0)
        control_text(out, "mx", state.alternatives);
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
        put_destination(c, &d, m->envelope.id);
    if (!pauses_has(c->control->pauses, m->envelope.rcpts[i].final.domain, &c->scratch, &pause))
        return;
    control_text(out, "paused", pause.domain);
    if (pause.until_s > 0)
        control_uint(out, "until", pause.until_s);
}

void control_tell_pause(struct caller *c, const struct pause *pause)
{
    struct buf *out = &c->stream.out;

    control_begin(out, SLICE("paused"));
    control_text(out, "domain", pause->domain);
    if (pause->until_s > 0)
        control_uint(out, "until", pause->until_s);
    control_uint(out, "messages", pause->waiting);
    control_end(out);
}

void control_tell_pauses(struct caller *c)
{
    struct pause pause;

    for (size_t i = 0; pauses_at(c->control->pauses, i, &pause); i++)
        control_tell_pause(c, &pause);
}

/* ---- acts ---- */

void act_list(struct caller *c, struct queue_message *m)
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
void act_retry(struct caller *c, struct queue_message *m)
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

    parcel_be_watched(p, &c->acted);
    for (unsigned i = 0; i < m->envelope.rcpt_count; i++)
        if (m->rcpts[i].due)
            finish(p, i);
    parcel_drop(p);
}

void act_bounce(struct caller *c, struct queue_message *m)
{
    finish_rcpts(c, m, fail_rcpt);
}

void act_delete(struct caller *c, struct queue_message *m)
{
    finish_rcpts(c, m, delete_rcpt);
}

/* ---- by name ---- */

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

act_fn *control_act_named(struct slice word, bool *takes)
{
    for (size_t i = 0; i < sizeof(acts) / sizeof(*acts); i++) {
        if (!slice_equal(acts[i].word, word))
            continue;
        *takes = acts[i].takes;
        return acts[i].act;
    }
    return NULL;
}
