/*
 * servers.c - the mail servers of others.
 *
 * A session is one line at a time. A temper is asked before each answer: it may put off, hang up or
 * say nonsense instead. A server that hangs up behind the final dot has taken the mail all the
 * same: the worst case of SMTP, and the one in which a second copy is nobody's fault.
 *
 * One of them has a second door, for users, where nobody says a word of mail before he is known.
 */
#include "sim/servers.h"

#include "base/memory.h"
#include "fakes/dns.h"
#include "loop/listener.h"
#include "loop/stream.h"
#include "sim/doorman.h"
#include "sim/ring.h"

#include <stdio.h>
#include <string.h>

enum {
    TAKEN_MAX = 2 * BODY_MAX,
    SENDERS_SERVER = SENT_SERVERS,
    RING_SERVER,
    SERVERS_COUNT,
    TARPIT_MAX_MS = 20 * 1000,
    USERS_SERVER = 1,
    USERS_PORT = 587,
};

/* What was noted of its failures is forgotten after this (mail/schedule.h), and its last pause. */
#define REMEMBERED_US (UINT64_C(45) * 60 * 1000000)

enum temper {
    TEMPER_GOOD,
    TEMPER_GREY,        /* each recipient is put off once in a while */
    TEMPER_BUSY,        /* 421 at any step */
    TEMPER_DYING,       /* hangs up at any step */
    TEMPER_ABSENT,      /* hangs up at once */
    TEMPER_LYING,       /* says what no mail server says */
    TEMPER_TARPITTING,  /* takes its time for each answer */
    TEMPER_SILENT,      /* falls silent at any step, behind the last dot too */
    TEMPER_CUT_SHORT,   /* hangs up within a reply */
    TEMPER_FICKLE,      /* takes recipients, and then not their mail; for good, or for now */
    TEMPER_MISCOUNTING, /* more answers than questions, or fewer */
    TEMPER_COUNT,
};

static const char *const temper_names[] = {
    "good",       "greylisting",    "busy",
    "dying",      "absent",         "talking nonsense",
    "tarpitting", "falling silent", "hanging up within replies",
    "fickle",     "miscounting"};

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
    struct transaction mail;
    struct timer slow; /* the next line is heard then */
    bool for_users;
    struct doorman doorman;
    bool waited;
    bool silent; /* for ever */
    bool miscounted;
    bool in_body;
};

struct servers {
    struct servers_options o;
    struct net *net;
    struct loop *loop;
    struct server servers[SERVERS_COUNT];
    struct server users; /* the door of USERS_SERVER */
    struct ring *ring;
    struct list visits;
    const char *complaint;
    bool calm;
};

static uint64_t draw(struct servers *s, uint64_t below)
{
    return random_below(s->o.chance, below);
}

#define NOTE(v, ...) history_note((v)->server->all->o.history, "server", __VA_ARGS__)

static uint64_t now_us(const struct visit *v)
{
    return v->server->all->o.clock->now_us;
}

static void visit_free(struct visit *v)
{
    timer_cancel(v->server->all->loop, &v->slow);
    stream_close(&v->stream);
    buf_done(&v->mail.content);
    doorman_done(&v->doorman);
    list_remove(&v->link);
    memory_free(v);
}

/* Without a good-bye: the last answer may be lost with the connection. */
static void visit_breaks(struct visit *v)
{
    if (v->mail.taken_us != 0 && now_us(v) - v->mail.taken_us <= IN_FLIGHT_US)
        intake_unheard(v->server->all->o.intake, &v->mail);
    intake_refusals_end(v->server->all->o.intake, &v->mail);
    visit_free(v);
}

static void take(struct visit *v, bool answered)
{
    NOTE(v, "%u takes %zu bytes from <%s>%s", v->server->number, buf_len(&v->mail.content),
         v->mail.sender, answered ? "" : ", and may not say so");
    intake_take(v->server->all->o.intake, &v->mail, answered);
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

static void say_part(struct visit *v, const char *text)
{
    size_t len = strlen(text);

    (void)buf_append(&v->stream.out, (struct slice){text, draw(v->server->all, len)});
    stream_flush(&v->stream);
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
        visit_breaks(v);
        return false;
    case TEMPER_DYING:
        if (!happens(s, 5))
            break;
        visit_breaks(v);
        return false;
    case TEMPER_CUT_SHORT:
        if (!happens(s, 5))
            break;
        say_part(v, text);
        visit_breaks(v);
        return false;
    case TEMPER_LYING:
        if (happens(s, 5))
            text = draw(s, 2) == 0 ? "700 hello" : "250-never\r\n\r\nends";
        break;
    case TEMPER_SILENT: v->silent = v->silent || happens(s, 6); break;
    case TEMPER_MISCOUNTING:
        if (v->miscounted)
            break; /* one too many and one too few would be a lie that nobody sees */
        v->miscounted = happens(s, 3);
        if (v->miscounted && text[0] != '5' && draw(s, 2) == 0)
            return true;
        if (v->miscounted)
            say(v, text);
        break;
    case TEMPER_GOOD:
    case TEMPER_GREY:
    case TEMPER_ABSENT:
    case TEMPER_TARPITTING:
    case TEMPER_FICKLE:
    case TEMPER_COUNT: break;
    }
    if (!v->silent)
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

static bool is_nobody(const struct visit *v, const char *address)
{
    if (v->server->number == SENDERS_SERVER)
        return address[0] == 'x'; /* takes no reports */
    return slice_starts(slice_of(address), SLICE("bad@"));
}

static bool hear_rcpt(struct visit *v, struct slice line)
{
    struct servers *s = v->server->all;
    char *address = v->mail.rcpts[v->mail.rcpt_count];

    if (v->mail.rcpt_count == SENT_RCPTS_MAX || !keep_address(line, address))
        return answer(v, "452 4.5.3 too many recipients");
    intake_tried(s->o.intake, &v->mail, address);
    if (is_nobody(v, address)) {
        intake_refused(s->o.intake, &v->mail, address);
        return answer(v, "550 5.1.1 nobody of that name");
    }
    if (v->server->temper == TEMPER_GREY && happens(s, 2))
        return answer(v, "450 4.7.1 come again");
    v->mail.rcpt_count++;
    return answer(v, "250 2.1.5 Ok");
}

static bool hear_data(struct visit *v)
{
    if (v->mail.rcpt_count == 0) {
        intake_refused(v->server->all->o.intake, &v->mail, v->mail.rcpts[0]);
        return answer(v, "503 5.5.1 no recipients");
    }
    v->in_body = true;
    buf_clear(&v->mail.content);
    return answer(v, "354 go on");
}

static bool refuse_mail(struct visit *v)
{
    struct servers *s = v->server->all;

    if (draw(s, 2) == 0)
        return answer(v, "452 4.3.1 no room, on second thoughts");
    for (unsigned i = 0; i < v->mail.rcpt_count; i++)
        intake_refused(s->o.intake, &v->mail, v->mail.rcpts[i]);
    return answer(v, "554 5.7.1 not after all");
}

static bool hear_dot_in_ring(struct visit *v)
{
    struct servers *s = v->server->all;

    if (ring_refuses(s->ring, buf_slice(&v->mail.content))) {
        intake_refused(s->o.intake, &v->mail, v->mail.rcpts[0]);
        return answer(v, "554 5.4.6 too many hops");
    }
    v->mail.taken_us = now_us(v);
    ring_take(s->ring, &v->mail);
    return answer(v, "250 2.0.0 round it goes");
}

static bool hear_dot(struct visit *v)
{
    struct server *server = v->server;

    v->in_body = false;
    if (buf_len(&v->mail.content) == 0) { /* a client that counts otherwise, RFC 2920 3.1 */
        intake_refused(server->all->o.intake, &v->mail, v->mail.rcpts[0]);
        return answer(v, "554 5.5.1 no mail");
    }
    if (server->number == RING_SERVER)
        return hear_dot_in_ring(v);
    switch (server->temper) {
    case TEMPER_DYING:
        if (!happens(server->all, 3))
            break;
        take(v, false);
        visit_free(v);
        return false;
    case TEMPER_GREY:
        if (happens(server->all, 4))
            return answer(v, "451 4.3.0 not now");
        break;
    case TEMPER_FICKLE:
        if (happens(server->all, 2))
            return refuse_mail(v);
        break;
    case TEMPER_GOOD:
    case TEMPER_BUSY:
    case TEMPER_ABSENT:
    case TEMPER_LYING:
    case TEMPER_TARPITTING:
    case TEMPER_SILENT:
    case TEMPER_CUT_SHORT:
    case TEMPER_MISCOUNTING:
    case TEMPER_COUNT: break;
    }
    if (server->temper == TEMPER_GOOD || server->temper == TEMPER_GREY ||
        server->temper == TEMPER_TARPITTING || server->temper == TEMPER_FICKLE ||
        server->all->calm) {
        take(v, true);
        say(v, "250 2.0.0 taken");
        return true;
    }
    /* The others may fail to say it. */
    take(v, false);
    return answer(v, "250 2.0.0 taken");
}

/* ---- users ---- */

static bool greet(struct visit *v)
{
    struct slice ways;
    char text[160];

    if (!v->for_users)
        return answer(v, "250-far.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10000000");
    ways = doorman_offers(v->server->all->o.chance);
    (void)snprintf(text, sizeof(text), "250-far.example\r\n250-PIPELINING\r\n250 AUTH %.*s",
                   SLICE_PRINTF(ways));
    return answer(v, text);
}

/* A temper that refuses mail refuses its users, too. */
static bool refuse_user(struct visit *v)
{
    doorman_done(&v->doorman);
    return answer(v, draw(v->server->all, 2) == 0 ? "454 4.7.0 not now" : "535 5.7.8 not you");
}

static bool hear_user(struct visit *v, struct slice line)
{
    enum temper temper = v->server->temper;
    struct buf reply;
    bool stays;

    line = slice_head(line, line.len - 2);
    if ((temper == TEMPER_GREY || temper == TEMPER_FICKLE) && happens(v->server->all, 3))
        return refuse_user(v);
    buf_init(&reply, 8192);
    if (v->doorman.sasl != NULL)
        doorman_go_on(&v->doorman, line, &reply);
    else
        doorman_begin(&v->doorman, slice_skip(line, 5), &reply);
    (void)buf_append_char(&reply, '\0');
    stays = answer(v, buf_slice(&reply).data);
    buf_done(&reply);
    return stays;
}

static bool is_about_user(const struct visit *v, struct slice line)
{
    return v->for_users && (v->doorman.sasl != NULL || slice_starts(line, SLICE("AUTH ")));
}

static bool hear_line(struct visit *v, struct slice line)
{
    if (v->in_body) {
        if (slice_equal(line, SLICE(".\r\n")))
            return hear_dot(v);
        (void)buf_append(&v->mail.content, slice_skip(line, line.data[0] == '.' ? 1 : 0));
        return true;
    }
    if (is_about_user(v, line))
        return hear_user(v, line);
    if (slice_starts(line, SLICE("MAIL "))) {
        if (v->for_users && !v->doorman.known)
            v->server->all->complaint = "a server heard of a mail before it knew its user";
        v->mail.rcpt_count = 0;
        v->mail.taken_us = 0;
        v->mail.refused_count = 0;
        buf_clear(&v->mail.content);
        return keep_address(line, v->mail.sender) && answer(v, "250 2.1.0 Ok");
    }
    if (slice_starts(line, SLICE("RCPT ")))
        return hear_rcpt(v, line);
    if (slice_starts(line, SLICE("DATA")))
        return hear_data(v);
    if (slice_starts(line, SLICE("EHLO ")))
        return greet(v);
    if (slice_starts(line, SLICE("QUIT"))) {
        say(v, "221 2.0.0 bye");
        visit_free(v);
        return false;
    }
    return answer(v, "250 2.0.0 Ok");
}

/* A line of a mail is heard at once, all others after a while. */
static bool takes_its_time(struct visit *v, struct slice line)
{
    struct servers *s = v->server->all;

    if (v->server->temper != TEMPER_TARPITTING || v->waited || s->calm ||
        (v->in_body && !slice_equal(line, SLICE(".\r\n"))))
        return false;
    v->waited = true;
    timer_set(s->loop, &v->slow, 1 + draw(s, TARPIT_MAX_MS));
    return true;
}

/* False when the visitor is gone. */
static bool hear_all(struct visit *v)
{
    struct slice in, line, rest;

    while (in = buf_slice(&v->stream.in),
           !timer_is_set(&v->slow) && slice_cut(in, '\n', &line, &rest)) {
        line = slice_head(in, line.len + 1);
        if (takes_its_time(v, line))
            return true;
        v->waited = false;
        if (!v->silent && !hear_line(v, line))
            return false;
        buf_consume(&v->stream.in, line.len);
    }
    return true;
}

static void on_slow(struct timer *t)
{
    struct visit *v = LIST_ENTRY(t, struct visit, slow);

    if (hear_all(v))
        stream_resume(&v->stream);
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct visit *v = LIST_ENTRY(stream, struct visit, stream);

    switch (event) {
    case STREAM_READABLE: (void)hear_all(v); return;
    case STREAM_CONNECTED:
    case STREAM_SECURED:
    case STREAM_DRAINED: return;
    case STREAM_EOF:
    case STREAM_FAILED: visit_breaks(v); return;
    }
}

static void on_accept(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own)
{
    struct server *server = LIST_ENTRY(l, struct server, listener);
    struct visit *v = MEMORY_NEW(struct visit);

    (void)peer, (void)own;
    v->for_users = server == &server->all->users;
    if (v->for_users)
        server = &server->all->servers[USERS_SERVER];
    v->server = server;
    timer_init(&v->slow, on_slow);
    buf_init(&v->mail.content, TAKEN_MAX);
    list_append(&server->all->visits, &v->link);
    if (stream_open(&v->stream, server->all->loop, handle, 64 * 1024, 64 * 1024, on_stream) < 0 ||
        (server->temper == TEMPER_ABSENT && !server->all->calm)) {
        visit_free(v);
        return;
    }
    (void)answer(v, "220 far.example ESMTP");
}

/* ---- as a whole ---- */

const char *servers_complaint(const struct servers *s)
{
    return s->complaint != NULL ? s->complaint : ring_complaint(s->ring);
}

void servers_visitor_died(struct servers *s)
{
    LIST_EACH (node, &s->visits)
        intake_refusals_end(s->o.intake, &LIST_ENTRY(node, struct visit, link)->mail);
}

static void set_temper(struct server *server, enum temper temper)
{
    struct servers *s = server->all;
    bool was_good = server->temper == TEMPER_GOOD;

    server->temper = temper;
    if (temper != TEMPER_GOOD)
        s->o.intake->attempts->healthy_us[server->number] = UINT64_MAX;
    else if (!was_good)
        s->o.intake->attempts->healthy_us[server->number] = s->o.clock->now_us + REMEMBERED_US;
}

void servers_change(struct servers *s)
{
    struct server *one = &s->servers[draw(s, SENT_SERVERS + 1)];

    set_temper(one, (enum temper)draw(s, TEMPER_COUNT));
    history_note(s->o.history, "server", "%u is %s now", one->number, temper_names[one->temper]);
}

void servers_calm(struct servers *s)
{
    s->calm = true;
    for (unsigned i = 0; i < SERVERS_COUNT; i++)
        set_temper(&s->servers[i], TEMPER_GOOD);
}

static struct net_address address_of(unsigned number)
{
    struct net_address at = {
        .ip = {[10] = 0xff, [11] = 0xff, 203, 0, 113, (unsigned char)(10 + number)},
          .port = 25
    };

    return at;
}

static struct slice host_name(unsigned server, char out[16])
{
    (void)snprintf(out, 16, "mx%u.example", server);
    return slice_of(out);
}

struct resolver *servers_resolver(struct servers *s, struct loop *loop)
{
    struct fake_dns_options options = {
        .delay_max_ms = 200, .faults_per_million = 20000, .calm = &s->calm};
    struct fake_dns *dns = fake_dns_new(loop, s->o.chance, &options);
    char ring_host[16];

    for (unsigned i = 0; i <= SENT_DOMAINS; i++) {
        char domain[32], host[16];
        unsigned server = i == SENT_DOMAINS ? SENDERS_SERVER : i % SENT_SERVERS;

        ledger_domain(i, domain, sizeof(domain));
        fake_dns_mx(dns, slice_of(domain), 10, host_name(server, host));
        if (i == SENT_HAS_BACKUP)
            fake_dns_mx(dns, slice_of(domain), 20, host_name(server - 1, host));
    }
    fake_dns_mx(dns, SLICE("ring.example"), 10, host_name(RING_SERVER, ring_host));
    for (unsigned i = 0; i < SERVERS_COUNT; i++) {
        char host[16];

        fake_dns_address(dns, host_name(i, host), address_of(i).ip);
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

static void open_door(struct servers *s)
{
    struct net_address here = {
        .ip = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1},
          .port = USERS_PORT
    };

    s->users = (struct server){.all = s, .number = USERS_SERVER};
    (void)listener_open(&s->users.listener, s->loop, s->net->ops->listen(s->net, &here, false, 1),
                        on_accept);
}

struct servers *servers_new(const struct servers_options *options)
{
    struct servers *s = MEMORY_NEW(struct servers);
    struct net_address home = address_of(0);

    s->o = *options;
    s->net = fake_net_new(s->o.network, &home);
    s->loop = loop_new(s->net, &s->o.clock->clock);
    list_init(&s->visits);
    s->ring = ring_new(&(struct ring_options){.loop = s->loop,
                                              .chance = s->o.chance,
                                              .history = s->o.history,
                                              .intake = s->o.intake,
                                              .back_to = s->o.machine});
    for (unsigned i = 0; i < SERVERS_COUNT; i++) {
        struct net_address at = address_of(i);

        s->servers[i].all = s;
        s->servers[i].number = i;
        (void)listener_open(&s->servers[i].listener, s->loop,
                            s->net->ops->listen(s->net, &at, false, 1), on_accept);
    }
    open_door(s);
    return s;
}

void servers_free(struct servers *s)
{
    LIST_EACH (node, &s->visits)
        visit_free(LIST_ENTRY(node, struct visit, link));
    for (unsigned i = 0; i < SERVERS_COUNT; i++)
        listener_close(&s->servers[i].listener);
    listener_close(&s->users.listener);
    ring_free(s->ring);
    loop_free(s->loop);
    s->net->ops->free(s->net);
    memory_free(s);
}
