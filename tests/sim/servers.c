/*
 * servers.c - the mail servers of others.
 *
 * A session is one line at a time. A temper is asked before each answer: it may put off, hang up or
 * say nonsense instead. A server that hangs up behind the final dot has taken the mail all the
 * same: the worst case of SMTP, and the one in which a second copy is nobody's fault.
 */
#include "sim/servers.h"

#include "base/memory.h"
#include "fakes/dns.h"
#include "loop/listener.h"
#include "loop/stream.h"

#include <stdio.h>
#include <string.h>

enum { TAKEN_MAX = 2 * BODY_MAX, IN_FLIGHT_US = 1000 * 1000, SENDERS_SERVER = SENT_DOMAINS };

enum temper {
    TEMPER_GOOD,
    TEMPER_GREY,   /* each recipient is put off once in a while */
    TEMPER_BUSY,   /* 421 at any step */
    TEMPER_DYING,  /* hangs up at any step */
    TEMPER_ABSENT, /* hangs up at once */
    TEMPER_LYING,  /* says what no mail server says */
    TEMPER_COUNT,
};

struct server {
    struct servers *all;
    struct listener listener;
    unsigned number; /* of far<number>.example; SENDERS_SERVER: the clients' own domain */
    enum temper temper;
};

struct visit {
    struct list link;
    struct server *server;
    struct stream stream;
    char sender[64];
    char rcpts[SENT_RCPTS_MAX][64];
    unsigned rcpt_count;
    bool in_body;
    struct buf body;
};

struct servers {
    struct servers_options o;
    struct net *net;
    struct loop *loop;
    struct server servers[SENT_DOMAINS + 1];
    struct list visits;
    bool calm;
    struct servers_count count;
};

static uint64_t draw(struct servers *s, uint64_t below)
{
    return random_below(s->o.chance, below);
}

#define NOTE(v, ...) history_note((v)->server->all->o.history, "server", __VA_ARGS__)

static void visit_free(struct visit *v)
{
    stream_close(&v->stream);
    buf_done(&v->body);
    list_remove(&v->link);
    memory_free(v);
}

/* ---- what was taken ---- */

/* Behind our Received field, which is folded. */
static struct slice behind_trace(struct slice text)
{
    struct slice line, rest = text;

    if (!slice_starts(text, SLICE("Received: ")))
        return text;
    do {
        if (!slice_cut(rest, '\n', &line, &rest))
            return text;
    } while (rest.len > 0 && (rest.data[0] == ' ' || rest.data[0] == '\t'));
    return rest;
}

static bool is_as_sent(const struct sent *s, struct slice content)
{
    struct buf body;

    buf_init(&body, 2 * BODY_MAX);
    sent_body(s, &body);
    bool same = slice_equal(behind_trace(content), buf_slice(&body));
    buf_done(&body);
    return same;
}

/* Did anything happen since that makes a second copy nobody's fault? */
static bool is_explained(const struct servers *s, const struct sent_rcpt *r)
{
    const struct deliveries *d = s->o.deliveries;

    return s->o.lossy || r->unanswered || d->disk_errors ||
           (d->crash_us + IN_FLIGHT_US >= r->taken_us && d->crash_us != 0);
}

static void count_copy(struct visit *v, struct sent *s, struct sent_rcpt *r, bool answered)
{
    struct servers *all = v->server->all;

    if (r->copies > 0 && is_explained(all, r)) {
        all->count.explained++;
    } else if (r->copies > 0) {
        all->count.twice++;
        NOTE(v, "TWICE: message %u for far user %u", s->number, r->user);
    }
    r->copies++;
    r->unanswered = r->unanswered || !answered;
    r->taken_us = all->o.clock->now_us;
}

static struct sent *sent_by(struct visit *v, struct slice sender)
{
    struct ledger *l = v->server->all->o.ledger;
    unsigned number;

    return ledger_number(sender, &number) && number < l->count ? &l->sent[number] : NULL;
}

static struct sent_rcpt *rcpt_called(struct sent *s, struct slice address)
{
    char text[64];

    for (unsigned i = 0; i < s->rcpt_count; i++) {
        struct buf out;

        buf_init(&out, sizeof(text));
        sent_rcpt_address(&s->rcpts[i], &out);
        bool same = slice_equal(buf_slice(&out), address);
        buf_done(&out);
        if (same)
            return &s->rcpts[i];
    }
    return NULL;
}

static void take_mail(struct visit *v, bool answered)
{
    struct servers_count *count = &v->server->all->count;
    struct sent *s = sent_by(v, slice_of(v->sender));

    if (s == NULL || !s->whole) {
        count->strangers++;
        NOTE(v, "STRANGER: from <%s>", v->sender);
        return;
    }
    if (!is_as_sent(s, buf_slice(&v->body))) {
        count->torn++;
        NOTE(v, "TORN: message %u has come as %zu bytes", s->number, buf_len(&v->body));
    }
    for (unsigned i = 0; i < v->rcpt_count; i++) {
        struct sent_rcpt *r = rcpt_called(s, slice_of(v->rcpts[i]));

        if (r == NULL)
            count->strangers++;
        else
            count_copy(v, s, r, answered);
    }
}

/* A report to "m17@client.example": which recipients it calls failed. */
static void take_report(struct visit *v, bool answered)
{
    struct sent *s = sent_by(v, slice_of(v->rcpts[0]));
    struct slice rest = buf_slice(&v->body), line, before, address;
    struct sent_rcpt *last = NULL;

    if (s == NULL) {
        v->server->all->count.strangers++;
        NOTE(v, "STRANGER: a report for <%s>", v->rcpts[0]);
        return;
    }
    while (slice_cut(rest, '\n', &line, &rest)) {
        if (slice_starts(line, SLICE("Final-Recipient: ")) &&
            slice_cut(line, ';', &before, &address))
            last = rcpt_called(s, slice_trim(slice_head(address, slice_find(address, '\r'))));
        else if (last != NULL && slice_starts(line, SLICE("Action: failed")))
            count_copy(v, s, last, answered);
    }
}

static void take(struct visit *v, bool answered)
{
    NOTE(v, "%u takes %zu bytes from <%s>%s", v->server->number, buf_len(&v->body), v->sender,
         answered ? "" : ", and does not say so");
    if (v->sender[0] != '\0')
        take_mail(v, answered);
    else
        take_report(v, answered);
}

/* ---- the dialog ---- */

static void say(struct visit *v, const char *text)
{
    (void)buf_printf(&v->stream.out, "%s\r\n", text);
    stream_flush(&v->stream);
}

static bool happens(struct servers *s, unsigned one_in)
{
    return !s->calm && draw(s, one_in) == 0;
}

/* False when the visitor is gone. */
static bool answer(struct visit *v, const char *text)
{
    struct servers *s = v->server->all;

    switch (v->server->temper) {
    case TEMPER_BUSY:
        if (!happens(s, 4))
            break;
        say(v, "421 4.3.2 too busy");
        visit_free(v);
        return false;
    case TEMPER_DYING:
        if (!happens(s, 5))
            break;
        visit_free(v);
        return false;
    case TEMPER_LYING:
        if (happens(s, 5))
            text = draw(s, 2) == 0 ? "700 hello" : "250-never\r\n\r\nends";
        break;
    case TEMPER_GOOD:
    case TEMPER_GREY:
    case TEMPER_ABSENT:
    case TEMPER_COUNT: break;
    }
    say(v, text);
    return true;
}

/* "MAIL FROM:<address> ..." */
static bool keep_address(struct slice line, char out[64])
{
    struct slice before, address, rest;

    if (!slice_cut(line, '<', &before, &address) || !slice_cut(address, '>', &address, &rest) ||
        address.len >= 64)
        return false;
    memcpy(out, address.data, address.len);
    out[address.len] = '\0';
    return true;
}

/* Tried again after a crash, its first report may be on its way already. */
static void note_refusal(struct visit *v, const char *address)
{
    struct servers *s = v->server->all;
    struct sent *sent = sent_by(v, slice_of(v->sender));
    struct sent_rcpt *r = sent == NULL ? NULL : rcpt_called(sent, slice_of(address));

    if (r == NULL)
        return;
    if (r->refused_us != 0 && s->o.deliveries->crash_us >= r->refused_us)
        r->unanswered = true;
    r->refused_us = s->o.clock->now_us;
}

static bool hear_rcpt(struct visit *v, struct slice line)
{
    struct servers *s = v->server->all;
    char *address = v->rcpts[v->rcpt_count];

    if (v->rcpt_count == SENT_RCPTS_MAX || !keep_address(line, address))
        return answer(v, "452 4.5.3 too many recipients");
    if (slice_starts(slice_of(address), SLICE("bad@"))) {
        note_refusal(v, address);
        return answer(v, "550 5.1.1 nobody of that name");
    }
    if (v->server->temper == TEMPER_GREY && happens(s, 2))
        return answer(v, "450 4.7.1 come again");
    v->rcpt_count++;
    return answer(v, "250 2.1.5 Ok");
}

static bool hear_data(struct visit *v)
{
    if (v->rcpt_count == 0)
        return answer(v, "503 5.5.1 no recipients");
    v->in_body = true;
    buf_clear(&v->body);
    return answer(v, "354 go on");
}

static bool hear_dot(struct visit *v)
{
    struct server *server = v->server;

    v->in_body = false;
    if (server->temper == TEMPER_DYING && happens(server->all, 3)) {
        take(v, false);
        visit_free(v);
        return false;
    }
    if (server->temper == TEMPER_GREY && happens(server->all, 4))
        return answer(v, "451 4.3.0 not now");
    if (server->temper == TEMPER_GOOD || server->temper == TEMPER_GREY || server->all->calm) {
        take(v, true);
        say(v, "250 2.0.0 taken");
        return true;
    }
    /* The others may fail to say it. */
    take(v, false);
    return answer(v, "250 2.0.0 taken");
}

static bool hear_line(struct visit *v, struct slice line)
{
    if (v->in_body) {
        if (slice_equal(line, SLICE(".\r\n")))
            return hear_dot(v);
        (void)buf_append(&v->body, slice_skip(line, line.data[0] == '.' ? 1 : 0));
        return true;
    }
    if (slice_starts(line, SLICE("MAIL "))) {
        v->rcpt_count = 0;
        return keep_address(line, v->sender) && answer(v, "250 2.1.0 Ok");
    }
    if (slice_starts(line, SLICE("RCPT ")))
        return hear_rcpt(v, line);
    if (slice_starts(line, SLICE("DATA")))
        return hear_data(v);
    if (slice_starts(line, SLICE("EHLO ")))
        return answer(v, "250-far.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10000000");
    if (slice_starts(line, SLICE("QUIT"))) {
        say(v, "221 2.0.0 bye");
        visit_free(v);
        return false;
    }
    return answer(v, "250 2.0.0 Ok");
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct visit *v = LIST_ENTRY(stream, struct visit, stream);
    struct slice in, line, rest;

    switch (event) {
    case STREAM_READABLE:
        while (in = buf_slice(&v->stream.in), slice_cut(in, '\n', &line, &rest)) {
            line = slice_head(in, line.len + 1);
            if (!hear_line(v, line))
                return;
            buf_consume(&v->stream.in, line.len);
        }
        return;
    case STREAM_CONNECTED:
    case STREAM_SECURED:
    case STREAM_DRAINED: return;
    case STREAM_EOF:
    case STREAM_FAILED: visit_free(v); return;
    }
}

static void on_accept(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own)
{
    struct server *server = LIST_ENTRY(l, struct server, listener);
    struct visit *v = MEMORY_NEW(struct visit);

    (void)peer, (void)own;
    v->server = server;
    buf_init(&v->body, TAKEN_MAX);
    list_append(&server->all->visits, &v->link);
    if (stream_open(&v->stream, server->all->loop, handle, 64 * 1024, 64 * 1024, on_stream) < 0 ||
        (server->temper == TEMPER_ABSENT && !server->all->calm)) {
        visit_free(v);
        return;
    }
    (void)answer(v, "220 far.example ESMTP");
}

/* ---- as a whole ---- */

void servers_change(struct servers *s)
{
    struct server *one = &s->servers[draw(s, SENT_DOMAINS + 1)];

    one->temper = (enum temper)draw(s, TEMPER_COUNT);
    history_note(s->o.history, "server", "%u has temper %d now", one->number, one->temper);
}

void servers_calm(struct servers *s)
{
    s->calm = true;
    for (unsigned i = 0; i <= SENT_DOMAINS; i++)
        s->servers[i].temper = TEMPER_GOOD;
}

static struct net_address address_of(unsigned number)
{
    struct net_address at = {
        .ip = {[10] = 0xff, [11] = 0xff, 203, 0, 113, (unsigned char)(10 + number)},
          .port = 25
    };

    return at;
}

struct resolver *servers_resolver(struct servers *s, struct loop *loop)
{
    struct fake_dns_options options = {.delay_max_ms = 200,
                                       .faults_per_million = s->calm ? 0 : 20000};
    struct fake_dns *dns = fake_dns_new(loop, s->o.chance, &options);

    for (unsigned i = 0; i <= SENT_DOMAINS; i++) {
        char domain[32], host[40];

        ledger_domain(i, domain, sizeof(domain));
        (void)snprintf(host, sizeof(host), "mx.%s", domain);
        fake_dns_mx(dns, slice_of(domain), 10, slice_of(host));
        fake_dns_address(dns, slice_of(host), address_of(i).ip);
    }
    return fake_dns_resolver(dns);
}

bool servers_step(struct servers *s)
{
    uint64_t at_ms;
    bool due = loop_next_ms(s->loop, &at_ms) && at_ms <= s->o.clock->now_us / 1000;

    if (!due && !fake_net_is_ready(s->net))
        return false;
    (void)loop_round(s->loop, false);
    return true;
}

bool servers_next_us(const struct servers *s, uint64_t *at_us)
{
    uint64_t at_ms;

    if (!loop_next_ms(s->loop, &at_ms))
        return false;
    *at_us = at_ms * 1000;
    return true;
}

struct servers_count servers_count(const struct servers *s)
{
    return s->count;
}

struct servers *servers_new(const struct servers_options *options)
{
    struct servers *s = MEMORY_NEW(struct servers);
    struct net_address home = address_of(0);

    s->o = *options;
    s->net = fake_net_new(s->o.network, &home);
    s->loop = loop_new(s->net, &s->o.clock->clock);
    list_init(&s->visits);
    for (unsigned i = 0; i <= SENT_DOMAINS; i++) {
        struct net_address at = address_of(i);

        s->servers[i].all = s;
        s->servers[i].number = i;
        (void)listener_open(&s->servers[i].listener, s->loop,
                            s->net->ops->listen(s->net, &at, false, 1), on_accept);
    }
    return s;
}

void servers_free(struct servers *s)
{
    LIST_EACH (node, &s->visits)
        visit_free(LIST_ENTRY(node, struct visit, link));
    for (unsigned i = 0; i <= SENT_DOMAINS; i++)
        listener_close(&s->servers[i].listener);
    loop_free(s->loop);
    s->net->ops->free(s->net);
    memory_free(s);
}
