/*
 * people.c - people at the queue.
 *
 * A caller says one line and reads until "ok" or "error", or he is rude: says nothing, or a line
 * without end, or reads no answer. The rude are to be hung up on. Who holds a message releases it
 * hours later; messages with one recipient only are taken in hand, so that "count=1" says of whom.
 */
#include "sim/people.h"

#include "base/memory.h"
#include "loop/stream.h"

#include <stdio.h>
#include <string.h>

enum { IN_MAX = 2 * 1024 * 1024, LINE_MAX_LEN = 200, CALM_RETRY_MS = 5000, HOLD_MAX_S = 6 * 3600 };

enum act {
    ACT_HOLD,
    ACT_DELETE,
    ACT_BOUNCE,
    ACT_RETRY,
    ACT_CAT,
    ACT_LIST,
    ACT_WHY,
    ACT_STATUS,
    ACT_SAY_NOTHING,
    ACT_SAY_NO_END,
    ACT_READ_NOTHING,
    ACT_COUNT,
    ACT_RELEASE, /* not drawn: it follows ACT_HOLD */
    ACT_RELEASE_ALL,
};

struct person {
    struct list link;
    struct people *people;
    struct stream stream;
    enum act act;
    struct sent *about; /* or NULL */
    char line[LINE_MAX_LEN];
    bool answered;
};

struct release {
    struct list link;
    struct people *people;
    struct timer timer;
    struct sent *about;
};

struct people {
    struct people_options o;
    struct net *net;
    struct loop *loop;
    struct list callers; /* struct person */
    struct list releases;
    unsigned count;
    unsigned told;
    struct timer calm;
    bool calmed;
    bool released; /* everything, for the last time */
    const char *complaint;
};

#define NOTE(p, ...) history_note((p)->o.history, "person", __VA_ARGS__)

static uint64_t draw(struct people *p, uint64_t below)
{
    return random_below(p->o.chance, below);
}

static void person_free(struct person *c)
{
    stream_close(&c->stream);
    list_remove(&c->link);
    c->people->count--;
    memory_free(c);
}

static void call(struct people *p, enum act act, struct sent *about, const char *line);

static bool is_rude(const struct person *c)
{
    return c->act == ACT_SAY_NOTHING || c->act == ACT_SAY_NO_END || c->act == ACT_READ_NOTHING;
}

/* ---- answers ---- */

static void on_release(struct timer *t)
{
    struct release *r = LIST_ENTRY(t, struct release, timer);
    char line[LINE_MAX_LEN];

    (void)snprintf(line, sizeof(line), "release id=%s", r->about->id);
    call(r->people, ACT_RELEASE, r->about, line);
    list_remove(&r->link);
    memory_free(r);
}

static void release_later(struct people *p, struct sent *about)
{
    struct release *r = MEMORY_NEW(struct release);

    r->people = p;
    r->about = about;
    timer_init(&r->timer, on_release);
    list_append(&p->releases, &r->link);
    timer_set(p->loop, &r->timer, 1000 + draw(p, (uint64_t)HOLD_MAX_S * 1000));
}

static void is_done(struct person *c)
{
    struct people *p = c->people;

    switch (c->act) {
    case ACT_HOLD:
        c->about->held = true;
        p->told++;
        release_later(p, c->about);
        break;
    case ACT_DELETE:
        c->about->deleted = true;
        p->told++;
        break;
    case ACT_BOUNCE: c->about->rcpts[0].given_up_us = p->o.clock->now_us; break;
    case ACT_RELEASE_ALL: p->released = true; break;
    case ACT_RETRY:
    case ACT_CAT:
    case ACT_LIST:
    case ACT_WHY:
    case ACT_STATUS:
    case ACT_SAY_NOTHING:
    case ACT_SAY_NO_END:
    case ACT_READ_NOTHING:
    case ACT_COUNT:
    case ACT_RELEASE: break;
    }
}

/* "content size=N", N bytes, "ok count=1": the end of the bytes is the body. */
static void check_content(struct person *c, struct slice text)
{
    struct slice end = SLICE("ok count=1\n");
    struct buf body;

    if (text.len < end.len)
        return;
    buf_init(&body, 2 * BODY_MAX);
    sent_body(c->about, &body);
    if (!slice_ends(slice_head(text, text.len - end.len), buf_slice(&body)))
        c->people->complaint = "a message is shown that is not as it was sent";
    buf_done(&body);
}

static void hear_end(struct person *c, struct slice line, struct slice all)
{
    bool one = slice_equal(line, SLICE("ok count=1"));

    c->answered = true;
    NOTE(c->people, "%s: %.*s", c->line, SLICE_PRINTF(line));
    if (slice_starts(line, SLICE("ok")) && (one || c->act == ACT_RELEASE_ALL))
        is_done(c);
    if (one && c->act == ACT_CAT)
        check_content(c, all);
}

/* The last line, if that is the end of an answer. A message has no line that looks like it. */
static void hear(struct person *c)
{
    struct slice all = buf_slice(&c->stream.in), last;
    size_t at;

    if (!slice_ends(all, SLICE("\n")))
        return;
    for (at = all.len - 1; at > 0 && all.data[at - 1] != '\n'; at--)
        ;
    last = slice_head(slice_skip(all, at), all.len - 1 - at);
    if (slice_starts(last, SLICE("ok count=")) || slice_starts(last, SLICE("error ")))
        hear_end(c, last, all);
}

/* He does not know whether it was done. */
static void hung_up_on(struct person *c)
{
    if (!c->answered && !is_rude(c))
        NOTE(c->people, "%s: nobody says whether it was done", c->line);
    if (!c->answered && c->about != NULL)
        c->about->perhaps_deleted = c->about->perhaps_deleted || c->act == ACT_DELETE;
    person_free(c);
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct person *c = LIST_ENTRY(stream, struct person, stream);

    switch (event) {
    case STREAM_READABLE:
        if (c->act == ACT_READ_NOTHING && !c->people->calmed) {
            stream_pause(stream);
            return;
        }
        if (is_rude(c)) {
            buf_clear(&stream->in);
            return;
        }
        hear(c);
        if (c->answered)
            person_free(c);
        return;
    case STREAM_CONNECTED:
    case STREAM_SECURED:
    case STREAM_DRAINED: return;
    case STREAM_EOF:
    case STREAM_FAILED: hung_up_on(c); return;
    }
}

/* ---- requests ---- */

static void say(struct person *c)
{
    struct buf *out = &c->stream.out;

    switch (c->act) {
    case ACT_SAY_NOTHING: return;
    case ACT_SAY_NO_END:
        for (unsigned i = 0; i < 1000; i++)
            (void)buf_append(out, SLICE("delete from=somebody who "));
        break;
    case ACT_READ_NOTHING:
        for (unsigned i = 0; i < 200; i++)
            (void)buf_append(out, SLICE("list\n"));
        break;
    case ACT_HOLD:
    case ACT_DELETE:
    case ACT_BOUNCE:
    case ACT_RETRY:
    case ACT_CAT:
    case ACT_LIST:
    case ACT_WHY:
    case ACT_STATUS:
    case ACT_RELEASE:
    case ACT_RELEASE_ALL:
    case ACT_COUNT: (void)buf_printf(out, "%s\n", c->line); break;
    }
    stream_flush(&c->stream);
}

/* Whatever is asked for may happen from now on. */
static void call(struct people *p, enum act act, struct sent *about, const char *line)
{
    static const struct net_address nowhere = {.local = true};
    struct person *c;
    int handle = p->net->ops->connect_local(p->net, "/spool/courier.sock");

    if (handle < 0) {
        if (act == ACT_RELEASE)
            release_later(p, about);
        return;
    }
    c = MEMORY_NEW(struct person);
    c->people = p;
    c->act = act;
    c->about = about;
    (void)snprintf(c->line, sizeof(c->line), "%s", line);
    list_append(&p->callers, &c->link);
    p->count++;
    if (about != NULL) {
        about->in_hand = true;
        about->held = about->held && act != ACT_RELEASE;
    }
    if (stream_open_connecting(&c->stream, p->loop, handle, &nowhere, IN_MAX, 64 * 1024,
                               on_stream) < 0) {
        person_free(c);
        return;
    }
    say(c);
}

/* One that waits, perhaps, with a single recipient, elsewhere. */
static struct sent *draw_message(struct people *p)
{
    struct ledger *l = p->o.ledger;

    for (unsigned i = 0; i < l->count; i++) {
        struct sent *s = &l->sent[(i + draw(p, l->count)) % l->count];

        if (s->acked && s->tries == 1 && s->rcpt_count == 1 && s->rcpts[0].accepted &&
            !s->in_hand && s->rcpts[0].fate == FATE_RELAY && s->rcpts[0].mail.count == 0)
            return s;
    }
    return NULL;
}

void people_call(struct people *p)
{
    static const char *const words[] = {"hold", "delete", "bounce", "retry", "cat"};
    enum act act = (enum act)draw(p, ACT_COUNT);
    struct sent *about = NULL;
    char line[LINE_MAX_LEN];

    switch (act) {
    case ACT_LIST: call(p, act, NULL, "list"); return;
    case ACT_WHY: call(p, act, NULL, "why"); return;
    case ACT_STATUS: call(p, act, NULL, "status"); return;
    case ACT_SAY_NOTHING:
    case ACT_SAY_NO_END:
    case ACT_READ_NOTHING:
        for (uint64_t count = 1 + draw(p, act != ACT_READ_NOTHING && draw(p, 4) == 0 ? 40 : 2);
             count > 0; count--)
            call(p, act, NULL, "something rude");
        NOTE(p, "rude callers: %s",
             act == ACT_SAY_NOTHING  ? "they say nothing"
             : act == ACT_SAY_NO_END ? "they never come to an end"
                                     : "they read nothing");
        return;
    case ACT_HOLD:
    case ACT_DELETE:
    case ACT_BOUNCE:
    case ACT_RETRY:
    case ACT_CAT:
    case ACT_COUNT:
    case ACT_RELEASE:
    case ACT_RELEASE_ALL: break;
    }
    about = draw_message(p);
    if (about == NULL)
        return;
    (void)snprintf(line, sizeof(line), "%s id=%s", words[act], about->id);
    call(p, act, about, line);
}

/* ---- as a whole ---- */

static void on_calm(struct timer *t)
{
    struct people *p = LIST_ENTRY(t, struct people, calm);

    if (p->released)
        return;
    for (unsigned i = 0; i < p->o.ledger->count; i++)
        p->o.ledger->sent[i].held = false;
    call(p, ACT_RELEASE_ALL, NULL, "release status=held");
    timer_set(p->loop, &p->calm, CALM_RETRY_MS);
}

static void forget_releases(struct people *p)
{
    LIST_EACH (node, &p->releases) {
        struct release *r = LIST_ENTRY(node, struct release, link);

        timer_cancel(p->loop, &r->timer);
        list_remove(node);
        memory_free(r);
    }
}

void people_calm(struct people *p)
{
    forget_releases(p);
    LIST_EACH (node, &p->callers) /* who did not read did not see an end either */
        stream_resume(&LIST_ENTRY(node, struct person, link)->stream);
    timer_set(p->loop, &p->calm, CALM_RETRY_MS);
    p->calmed = true;
}

unsigned people_told(const struct people *p)
{
    return p->told;
}

unsigned people_waiting(const struct people *p)
{
    return p->count;
}

bool people_step(struct people *p)
{
    uint64_t at_ms;
    bool due = loop_next_ms(p->loop, &at_ms) && at_ms <= p->o.clock->now_us / 1000;

    if (!due && !fake_net_is_ready(p->net))
        return false;
    (void)loop_round(p->loop, false);
    return true;
}

bool people_next_us(const struct people *p, uint64_t *at_us)
{
    uint64_t at_ms;

    if (!loop_next_ms(p->loop, &at_ms))
        return false;
    *at_us = at_ms * 1000;
    return true;
}

const char *people_complaint(const struct people *p)
{
    return p->complaint;
}

struct people *people_new(const struct people_options *options)
{
    static const struct net_address home = {.local = true};
    struct people *p = MEMORY_NEW(struct people);

    p->o = *options;
    p->net = fake_net_new(p->o.network, &home);
    p->loop = loop_new(p->net, &p->o.clock->clock);
    timer_init(&p->calm, on_calm);
    list_init(&p->callers);
    list_init(&p->releases);
    return p;
}

void people_free(struct people *p)
{
    LIST_EACH (node, &p->callers)
        person_free(LIST_ENTRY(node, struct person, link));
    forget_releases(p);
    timer_cancel(p->loop, &p->calm);
    loop_free(p->loop);
    p->net->ops->free(p->net);
    memory_free(p);
}
