/*
 * client.c - SMTP clients with good and bad manners.
 *
 * A client writes into its outbox and notes in `expected` what the next replies will answer; a
 * pump moves the outbox to the connection, all at once or in drips, up to the byte where the plan
 * says that it ends. Replies are taken one at a time, and each may put more into the outbox. So
 * every manner of speaking is the same code with another pump.
 *
 * Some log in and submit. Whoever of them does not hear the 250 of a mail whose end has left sends
 * it again, by and by, to the same recipients; on purpose some hang up before they could hear it.
 */
#include "sim/client.h"

#include "base/memory.h"
#include "loop/stream.h"

#include <string.h>

enum {
    EXPECTED_MAX = 32,
    OUTBOX_MAX = 4 * 1024 * 1024,
    DRIPS_MAX = 100,
    TRIES_MAX = 5,
    AGAIN_MAX_S = 1200
};

enum step {
    STEP_BANNER,
    STEP_EHLO,
    STEP_AUTH,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_BODY,
    STEP_RSET,
    STEP_QUIT
};

/* What a reply will answer. */
struct expected {
    enum step step;
    struct sent *sent;
    unsigned rcpt;
};

struct plan {
    unsigned messages;
    bool pipelines;
    bool hurries;      /* the next message's commands leave together with a body */
    unsigned drip;     /* bytes at once; 0: as they come */
    uint64_t stop_at;  /* bytes; UINT64_MAX: to the end */
    bool falls_silent; /* else hangs up */
    bool submits;
    bool cuts;          /* hangs up when the end of a body has left */
    bool local;         /* a program of the machine: it leaves what it hears no answer to */
    struct sent *again; /* this one, and no other; or NULL */
};

/* To be sent once more. */
struct retry {
    struct list link;
    struct internet *internet;
    struct timer timer;
    struct sent *sent;
};

struct client {
    struct list link;
    struct internet *internet;
    char name[16];
    struct plan plan;
    struct stream stream;
    struct timer pump;
    struct buf outbox;
    uint64_t queued; /* bytes that ever went into the outbox */
    uint64_t moved;  /* ... and out of it */
    struct expected expected[EXPECTED_MAX];
    unsigned first, count;
    struct sent *body; /* the one on its way, and where it ends */
    uint64_t body_end;
    bool quitting;
    bool stopped;
    bool differs;     /* not the recipients of the first time are taken */
    bool put_off;     /* not all recipients are decided about */
    struct sent *own; /* a program's; NULL: it is done with */
};

struct internet {
    struct internet_options o;
    struct net *net;
    struct loop *loop;
    struct list clients;
    struct list retries;
    unsigned count;
    unsigned ever;
    const char *complaint;
};

static uint64_t draw(struct internet *n, uint64_t below)
{
    return random_below(n->o.chance, below);
}

#define NOTE(c, ...) history_note((c)->internet->o.history, (c)->name, __VA_ARGS__)

static void connect_with(struct internet *n, const struct plan *plan);

static void on_retry(struct timer *t)
{
    struct retry *r = LIST_ENTRY(t, struct retry, timer);
    struct internet *n = r->internet;
    struct plan plan = {.messages = 1,
                        .stop_at = UINT64_MAX,
                        .submits = true,
                        .cuts = draw(n, 3) == 0,
                        .again = r->sent};

    list_remove(&r->link);
    if (!r->sent->acked)
        connect_with(n, &plan);
    memory_free(r);
}

static void retry_later(struct internet *n, struct sent *s)
{
    struct retry *r;

    if (s->acked || s->tries >= TRIES_MAX)
        return;
    r = MEMORY_NEW(struct retry);
    r->internet = n;
    r->sent = s;
    timer_init(&r->timer, on_retry);
    list_append(&n->retries, &r->link);
    timer_set(n->loop, &r->timer,
              draw(n, draw(n, 2) == 0 ? 1000 : (uint64_t)AGAIN_MAX_S * 1000) + 1);
}

/* Whoever has not been heard of. */
static void come_again(struct client *c)
{
    for (unsigned i = 0; i < c->count && c->plan.submits && c->plan.again == NULL; i++) {
        struct expected *e = &c->expected[(c->first + i) % EXPECTED_MAX];

        if (e->step == STEP_BODY && e->sent->whole)
            retry_later(c->internet, e->sent);
    }
    if (c->plan.again != NULL)
        retry_later(c->internet, c->plan.again);
}

/* Killed, it does nothing any more. */
static void leave(struct client *c)
{
    struct sent *s = c->own;

    if (s != NULL && (!c->stopped || c->plan.cuts))
        c->internet->o.leave(c->internet->o.ctx, s);
    c->own = NULL;
}

static void client_free(struct client *c)
{
    if (c->plan.local)
        leave(c);
    else
        come_again(c);
    stream_close(&c->stream);
    timer_cancel(c->internet->loop, &c->pump);
    buf_done(&c->outbox);
    list_remove(&c->link);
    c->internet->count--;
    memory_free(c);
}

/* --- what leaves --- */

/* False when the plan ended and the client is gone. */
static bool pump(struct client *c)
{
    struct slice waiting = buf_slice(&c->outbox);
    /* Faster with much to say, else it takes days. */
    size_t some = c->plan.drip == 0 ? waiting.len
                                    : 1 + draw(c->internet, c->plan.drip + waiting.len / DRIPS_MAX);

    if (c->stopped || !stream_is_open(&c->stream) || c->stream.connecting)
        return true;
    some = some < waiting.len ? some : waiting.len;
    some = some < buf_room(&c->stream.out) ? some : buf_room(&c->stream.out);
    if (c->moved + some >= c->plan.stop_at) {
        some = (size_t)(c->plan.stop_at - c->moved);
        c->stopped = true;
    }
    (void)buf_append(&c->stream.out, slice_head(waiting, some));
    buf_consume(&c->outbox, some);
    c->moved += some;
    if (c->body != NULL && c->moved >= c->body_end) {
        if (!c->body->whole)
            c->body->whole_us = c->internet->o.clock->now_us;
        c->body->whole = true;
        c->body->tries++;
        c->stopped = c->stopped || c->plan.cuts;
        c->body = NULL;
    }
    if (c->stopped && !c->plan.falls_silent) {
        NOTE(c, "hangs up");
        stream_flush(&c->stream);
        client_free(c);
        return false;
    }
    if (c->stopped)
        NOTE(c, "falls silent");
    stream_flush(&c->stream);
    if (c->plan.drip != 0 && buf_len(&c->outbox) > 0)
        timer_set(c->internet->loop, &c->pump, 1 + draw(c->internet, 200));
    else if (buf_len(&c->outbox) > 0 && buf_len(&c->stream.out) == 0)
        timer_set(c->internet->loop, &c->pump,
                  1); /* it left at once: nobody tells that there is room */
    return true;
}

static void on_pump(struct timer *t)
{
    (void)pump(LIST_ENTRY(t, struct client, pump));
}

static void say(struct client *c, const char *text)
{
    size_t before = buf_len(&c->outbox);

    (void)buf_append(&c->outbox, slice_of(text));
    c->queued += buf_len(&c->outbox) - before;
}

static void expect(struct client *c, enum step step, struct sent *sent, unsigned rcpt)
{
    c->expected[(c->first + c->count++) % EXPECTED_MAX] = (struct expected){step, sent, rcpt};
}

static void say_quit(struct client *c)
{
    say(c, "QUIT\r\n");
    expect(c, STEP_QUIT, NULL, 0);
    c->quitting = true;
}

/* "\0sim\0sim" */
static void say_auth(struct client *c)
{
    say(c, "AUTH PLAIN AHNpbQBzaW0=\r\n");
    expect(c, STEP_AUTH, NULL, 0);
}

static void say_mail(struct client *c, struct sent *s)
{
    size_t before = buf_len(&c->outbox);

    sent_mail_command(s, &c->outbox);
    c->queued += buf_len(&c->outbox) - before;
    expect(c, STEP_MAIL, s, 0);
}

static void say_rcpt(struct client *c, struct sent *s, unsigned rcpt)
{
    size_t before = buf_len(&c->outbox);

    sent_rcpt_command(&s->rcpts[rcpt], &c->outbox);
    c->queued += buf_len(&c->outbox) - before;
    expect(c, STEP_RCPT, s, rcpt);
}

static void say_data(struct client *c, struct sent *s)
{
    say(c, "DATA\r\n");
    expect(c, STEP_DATA, s, 0);
}

static void say_rset(struct client *c)
{
    say(c, "RSET\r\n");
    expect(c, STEP_RSET, NULL, 0);
}

static void next_message(struct client *c);

static void say_body(struct client *c, struct sent *s)
{
    size_t before = buf_len(&c->outbox);

    sent_dotted(s, &c->outbox);
    c->queued += buf_len(&c->outbox) - before;
    c->body = s;
    c->body_end = c->queued;
    expect(c, STEP_BODY, s, 0);
    if (c->plan.hurries)
        next_message(c);
}

static void next_message(struct client *c)
{
    struct sent *s =
        c->plan.messages == 0   ? NULL
        : c->plan.again != NULL ? c->plan.again
        : c->plan.local         ? c->own
                        : ledger_add(c->internet->o.ledger, c->internet->o.chance, c->plan.submits);

    if (s == NULL) {
        say_quit(c);
        return;
    }
    c->plan.messages--;
    say_mail(c, s);
    if (!c->plan.pipelines)
        return;
    for (unsigned i = 0; i < s->rcpt_count; i++)
        say_rcpt(c, s, i);
    say_data(c, s);
}

/* --- what comes --- */

static void give_up(struct client *c)
{
    say_rset(c);
    if (!c->quitting)
        next_message(c);
}

static bool has_accepted(const struct sent *s)
{
    for (unsigned i = 0; i < s->rcpt_count; i++)
        if (s->rcpts[i].accepted)
            return true;
    return false;
}

static void note_acked(struct client *c, struct sent *s, struct slice text)
{
    static const struct slice as = SLICE_INIT("queued as ");

    s->acked = true;
    s->acked_us = c->internet->o.clock->now_us;
    c->internet->o.ledger->acked++;
    for (; text.len > as.len; text = slice_skip(text, 1)) {
        if (!slice_starts(text, as))
            continue;
        text = slice_trim(slice_skip(text, as.len));
        size_t len = text.len < sizeof(s->id) - 1 ? text.len : sizeof(s->id) - 1;
        memcpy(s->id, text.data, len);
        break;
    }
    NOTE(c, "message %u of %zu bytes is acknowledged as %s", s->number, s->size, s->id);
    attempts_acked(c->internet->o.attempts, s);
}

/* Whoever comes again is to be taken for the same recipients, or not at all. */
static void note_rcpt(struct client *c, struct sent_rcpt *r, unsigned code)
{
    bool accepted = code == 250;

    r->refused = c->plan.local && code / 100 == 5;
    c->put_off = c->put_off || code / 100 == 4;
    if (c->plan.again == NULL)
        r->accepted = accepted;
    else if (r->accepted != accepted)
        c->differs = true;
}

static void note_answer(struct client *c, struct sent *s, unsigned code, struct slice text)
{
    if (code / 100 != 4)
        c->own = NULL;
    if (code == 250) {
        note_acked(c, s, text);
        return;
    }
    NOTE(c, "message %u is answered %u%.*s", s->number, code, SLICE_PRINTF(text));
    if (c->plan.submits && c->plan.again == NULL && !c->plan.local)
        retry_later(c->internet, s);
}

static void nobody_can_have_it(struct client *c)
{
    if (!c->put_off)
        c->own = NULL; /* all are refused, and it says so */
    give_up(c);
}

static void after_rcpt(struct client *c, struct sent *s, unsigned rcpt)
{
    if (c->plan.pipelines)
        return;
    if (rcpt + 1 < s->rcpt_count)
        say_rcpt(c, s, rcpt + 1);
    else if (has_accepted(s) && !c->differs && !(c->plan.local && c->put_off))
        say_data(c, s);
    else
        nobody_can_have_it(c);
}

static void on_reply(struct client *c, unsigned code, struct slice text)
{
    struct expected e = c->expected[c->first];

    if (c->count == 0)
        return; /* 421 out of nothing */
    c->first = (c->first + 1) % EXPECTED_MAX;
    c->count--;
    switch (e.step) {
    case STEP_BANNER:
        if (code == 220) {
            say(c, "EHLO client.example\r\n");
            expect(c, STEP_EHLO, NULL, 0);
        }
        return;
    case STEP_EHLO:
        if (c->plan.submits && !c->plan.local)
            say_auth(c);
        else
            next_message(c);
        return;
    case STEP_AUTH:
        if (code == 235)
            next_message(c);
        else
            say_quit(c);
        return;
    case STEP_MAIL:
        if (c->plan.pipelines)
            return;
        if (code == 250)
            say_rcpt(c, e.sent, 0);
        else
            give_up(c);
        return;
    case STEP_RCPT:
        note_rcpt(c, &e.sent->rcpts[e.rcpt], code);
        after_rcpt(c, e.sent, e.rcpt);
        return;
    case STEP_DATA:
        if (code == 354)
            say_body(c, e.sent);
        else
            give_up(c);
        return;
    case STEP_BODY:
        note_answer(c, e.sent, code, text);
        if (!c->plan.hurries)
            next_message(c);
        return;
    case STEP_RSET:
    case STEP_QUIT: return;
    }
}

/* Takes one whole reply; false when there is none yet. */
static bool take_reply(struct client *c)
{
    struct slice in = buf_slice(&c->stream.in), rest = in, line;

    while (slice_cut(rest, '\n', &line, &rest)) {
        if (line.len < 4 || line.data[3] == '-')
            continue;
        unsigned code = 0;
        for (int i = 0; i < 3; i++)
            code = code * 10 + (unsigned)(line.data[i] - '0');
        on_reply(c, code, slice_trim(slice_head(slice_skip(line, 3), line.len - 4)));
        buf_consume(&c->stream.in, in.len - rest.len);
        return true;
    }
    return false;
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct client *c = LIST_ENTRY(stream, struct client, stream);

    switch (event) {
    case STREAM_READABLE:
        while (take_reply(c))
            ;
        (void)pump(c);
        return;
    case STREAM_CONNECTED:
    case STREAM_SECURED:
    case STREAM_DRAINED: (void)pump(c); return;
    case STREAM_EOF:
    case STREAM_FAILED:
        if (!c->quitting)
            NOTE(c, event == STREAM_EOF ? "is hung up on" : "loses its connection");
        client_free(c);
        return;
    }
}

/* --- plans --- */

static struct plan draw_plan(struct internet *n, bool polite)
{
    struct plan p = {.messages = 1 + (unsigned)draw(n, 4), .stop_at = UINT64_MAX};

    p.submits = draw(n, 3) == 0;
    p.local = p.submits && draw(n, 3) == 0;
    p.cuts = p.submits && draw(n, 4) == 0;
    p.pipelines = !p.local && draw(n, 2) == 0;
    p.hurries = p.pipelines && draw(n, 2) == 0;
    if (draw(n, 6) == 0)
        p.drip = 1 + (unsigned)draw(n, draw(n, 2) == 0 ? 30 : 20000);
    if (polite || draw(n, 3) != 0)
        return p;
    p.stop_at = draw(n, draw(n, 2) == 0 ? 400 : 60000);
    p.falls_silent = draw(n, 4) == 0;
    return p;
}

static int begin(struct client *c)
{
    static const struct net_address nowhere = {.local = true};
    struct internet *n = c->internet;

    if (!c->plan.local)
        return stream_connect(&c->stream, n->loop,
                              c->plan.submits ? &n->o.submission : &n->o.server, 64 * 1024,
                              64 * 1024, on_stream);
    c->plan.messages = 1;
    c->own = ledger_add(n->o.ledger, n->o.chance, true);
    return stream_open_connecting(&c->stream, n->loop,
                                  n->net->ops->connect_local(n->net, n->o.local), &nowhere,
                                  64 * 1024, 64 * 1024, on_stream);
}

static void connect_with(struct internet *n, const struct plan *plan)
{
    struct client *c = MEMORY_NEW(struct client);

    c->internet = n;
    (void)snprintf(c->name, sizeof(c->name), "client %u", n->ever++);
    c->plan = *plan;
    buf_init(&c->outbox, OUTBOX_MAX);
    timer_init(&c->pump, on_pump);
    list_append(&n->clients, &c->link);
    n->count++;
    NOTE(c, "connects");
    expect(c, STEP_BANNER, NULL, 0);
    if (begin(c) < 0)
        client_free(c);
}

void internet_add_client(struct internet *n, bool polite)
{
    struct plan plan = draw_plan(n, polite);

    connect_with(n, &plan);
}

unsigned internet_clients(const struct internet *n)
{
    return n->count;
}

bool internet_step(struct internet *n)
{
    uint64_t at_ms;
    bool due = loop_next_ms(n->loop, &at_ms) && at_ms <= n->o.clock->now_us / 1000;

    if (!due && !fake_net_is_ready(n->net))
        return false;
    (void)loop_round(n->loop, false);
    return true;
}

bool internet_next_us(const struct internet *n, uint64_t *at_us)
{
    uint64_t at_ms;

    if (!loop_next_ms(n->loop, &at_ms))
        return false;
    *at_us = at_ms * 1000;
    return true;
}

struct internet *internet_new(const struct internet_options *options)
{
    static const struct net_address home = {
        .ip = {[10] = 0xff, [11] = 0xff, 198, 51, 100, 7}
    };
    struct internet *n = MEMORY_NEW(struct internet);

    n->o = *options;
    n->net = fake_net_new(n->o.network, &home);
    n->loop = loop_new(n->net, &n->o.clock->clock);
    list_init(&n->clients);
    list_init(&n->retries);
    return n;
}

void internet_free(struct internet *n)
{
    LIST_EACH (node, &n->clients)
        client_free(LIST_ENTRY(node, struct client, link));
    LIST_EACH (node, &n->retries) {
        struct retry *r = LIST_ENTRY(node, struct retry, link);

        timer_cancel(n->loop, &r->timer);
        memory_free(r);
    }
    loop_free(n->loop);
    n->net->ops->free(n->net);
    memory_free(n);
}

const char *internet_complaint(const struct internet *n)
{
    return n->complaint;
}
