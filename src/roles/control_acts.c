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
    case QUEUE_WAITING: /* it may also wait because its file could not be read */
        return r->attempts > 0 || r->due_ms > loop_now_ms(c->control->role->loop)
                   ? SLICE("deferred")
                   : SLICE("active");
    case QUEUE_ACTIVE: return SLICE("active");
    case QUEUE_HELD: return SLICE("held");
    case QUEUE_LATER: return SLICE("later");
    case QUEUE_DONE: break;
    }
    return SLICE("done");
}

/* By the clock on the wall. */
static uint64_t release_s(struct caller *c, const struct queue_message *m)
{
    const struct role *role = c->control->role;
    uint64_t in_ms = queue_later_ms(c->control->queue, m, loop_now_ms(role->loop));

    return (clock_wall_us(role->doors->clock) / 1000 + in_ms + 999) / 1000;
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
    if (r->state == QUEUE_LATER)
        control_uint(out, "release", release_s(c, m));
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

bool act_list(struct caller *c, struct queue_message *m)
{
    tell_message(c, m);
    for (unsigned i = 0; i < m->envelope.rcpt_count; i++) {
        if (m->rcpts[i].state == QUEUE_DONE)
            continue;
        begin_rcpt(c, m, i);
        control_end(&c->stream.out);
    }
    return true;
}

static bool act_why(struct caller *c, struct queue_message *m)
{
    tell_message(c, m);
    for (unsigned i = 0; i < m->envelope.rcpt_count; i++) {
        if (m->rcpts[i].state == QUEUE_DONE)
            continue;
        begin_rcpt(c, m, i);
        put_way(c, m, i);
        control_end(&c->stream.out);
    }
    return true;
}

static bool act_count(struct caller *c, struct queue_message *m)
{
    (void)c, (void)m;
    return true;
}

/* Who asks for another try knows better than we do that a server is down. */
static void hope_for(struct caller *c, const struct queue_message *m, unsigned i)
{
    struct decision d = way_of(&c->control->role->settings->rules, &m->envelope, i, &c->scratch);

    if (d.kind == DECIDE_RELAY || d.kind == DECIDE_LMTP)
        (void)outbound_hope_for(c->control->outbound, &d, m->envelope.id, c->since_ms);
}

/* Held ones stay so, and what is being tried is left alone. */
bool act_retry(struct caller *c, struct queue_message *m)
{
    bool any = false;

    for (unsigned i = 0; i < m->envelope.rcpt_count; i++) {
        if (!queue_hasten(c->control->queue, m, i))
            continue;
        hope_for(c, m, i);
        any = true;
    }
    return any;
}

typedef void rcpt_fn(struct caller *c, struct queue_message *m, unsigned rcpt);

/* What is being tried at this moment is left alone. */
static bool each_taken(struct caller *c, struct queue_message *m, rcpt_fn *run)
{
    bool any = false;

    for (unsigned i = 0; i < m->envelope.rcpt_count; i++) {
        if (!m->rcpts[i].due)
            continue;
        any = true;
        run(c, m, i);
    }
    return any;
}

static void hold_rcpt(struct caller *c, struct queue_message *m, unsigned rcpt)
{
    queue_hold(c->control->queue, m, rcpt, SLICE(""));
}

static bool act_hold(struct caller *c, struct queue_message *m)
{
    return each_taken(c, m, hold_rcpt);
}

/* Of two holds a person's is the first to end: then the sender's wish counts again. */
static void release_rcpt(struct caller *c, struct queue_message *m, unsigned rcpt)
{
    if (m->rcpts[rcpt].state == QUEUE_HELD)
        queue_unhold(c->control->queue, m, rcpt);
    else if (m->rcpts[rcpt].state == QUEUE_LATER)
        queue_let_go(c->control->queue, m, rcpt);
    else
        queue_postpone(c->control->queue, m, rcpt, m->rcpts[rcpt].due_ms);
}

static bool act_release(struct caller *c, struct queue_message *m)
{
    return each_taken(c, m, release_rcpt);
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
static bool finish_rcpts(struct caller *c, struct queue_message *m, finish_fn *finish)
{
    struct parcel *p = parcel_new(c->control->parcels, m);
    bool any = false;

    parcel_be_watched(p, &c->acted);
    for (unsigned i = 0; i < m->envelope.rcpt_count; i++) {
        if (!m->rcpts[i].due)
            continue;
        any = true;
        finish(p, i);
    }
    parcel_drop(p);
    return any;
}

static bool act_bounce(struct caller *c, struct queue_message *m)
{
    return finish_rcpts(c, m, fail_rcpt);
}

static bool act_delete(struct caller *c, struct queue_message *m)
{
    return finish_rcpts(c, m, delete_rcpt);
}

/* ---- by name ---- */

/* Chooses, takes, keeps. */
static const struct control_act acts[] = {
    {SLICE_INIT("list"),    act_list,    false, false, false},
    {SLICE_INIT("why"),     act_why,     false, false, false},
    {SLICE_INIT("count"),   act_count,   false, false, false},
    {SLICE_INIT("retry"),   act_retry,   true,  false, false},
    {SLICE_INIT("hold"),    act_hold,    true,  true,  false},
    {SLICE_INIT("release"), act_release, true,  true,  false},
    {SLICE_INIT("bounce"),  act_bounce,  true,  true,  true },
    {SLICE_INIT("delete"),  act_delete,  true,  true,  true },
};

const struct control_act *control_act_named(struct slice word)
{
    for (size_t i = 0; i < sizeof(acts) / sizeof(*acts); i++)
        if (slice_equal(acts[i].word, word))
            return &acts[i];
    return NULL;
}
