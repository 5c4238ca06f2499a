/*
 * trip.c - messages over one connection.
 *
 * The message is given to the client engine only when the server has greeted: until then another
 * hop can take it. A server that breaks off later has perhaps taken it; then its recipients wait
 * for their next time like those that were put off with a reply.
 *
 * TLS that fails must not stop mail that may go without (RFC 3207 4): the same hop is called again
 * in the clear. When a session was to be resumed that may be why, so it is called without one
 * first.
 */
#include "roles/trip.h"

#include "base/memory.h"
#include "roles/forwarding.h"
#include "roles/role.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    CONNECT_TIMEOUT_MS = 30 * 1000,
    IDLE_MS = 2000,
    GREETING_S = 15 * 60,       /* from the call until the server is ready */
    MESSAGE_S = 30 * 60,        /* for one message: this, */
    SLOWEST_BYTES_S = 2 * 1024, /* its size by this, and a second for each recipient */
};

static void on_prepared(struct cargo *c);

static struct trip *trip_of(struct remote *r)
{
    return LIST_ENTRY(r, struct trip, remote);
}

static const struct trip_hop *hop_of(const struct trip *t)
{
    return &t->hops[t->hop];
}

static struct slice hop_name(const struct trip *t)
{
    return (struct slice){hop_of(t)->name, hop_of(t)->name_len};
}

struct slice trip_hop_text(const struct trip_hop *hop, char out[TRIP_HOP_TEXT_MAX])
{
    struct slice name = {hop->name, hop->name_len};
    char ip[64];

    if (hop->path != NULL)
        return name;
    net_address_text(&hop->address, ip);
    int len =
        snprintf(out, TRIP_HOP_TEXT_MAX, "%.*s[%s]:%u", SLICE_PRINTF(name), ip, hop->address.port);
    return (struct slice){out, len < 0 ? 0 : (size_t)len};
}

static struct slice hop_text(const struct trip *t, char out[TRIP_HOP_TEXT_MAX])
{
    return trip_hop_text(hop_of(t), out);
}

/* ---- what became of the message ---- */

/* That somebody is to set a password right is no failure of the mail: RFC 3463 4.7.8, not 5. */
static struct slice default_status(const struct client_outcome *o)
{
    if (o->step == STEP_AUTH)
        return client_is_no_user(o) ? SLICE("4.7.8") : SLICE("4.7.0");
    switch (o->verdict) {
    case CLIENT_ACCEPTED: return SLICE("2.0.0");
    case CLIENT_REFUSED: return SLICE("5.0.0");
    case CLIENT_PENDING:
    case CLIENT_LEFT_OUT:
    case CLIENT_TRY_AGAIN: break;
    }
    return SLICE("4.0.0");
}

/* A refusal by 4yz words of a server that means 5, or the other way round, would confuse whoever
 * reads the report. */
static struct slice status_of(const struct client_outcome *o)
{
    struct slice usual = default_status(o);

    return o->enhanced.len > 0 && o->enhanced.data[0] == usual.data[0] ? o->enhanced : usual;
}

struct slice trip_words(const struct trip_hop *hop, const struct client_outcome *o,
                        struct arena *arena)
{
    char name[TRIP_HOP_TEXT_MAX];
    struct slice text = arena_copy(arena, o->text), step = step_name(o->step);
    char *bytes = arena_alloc(arena, text.len + 1);

    for (size_t i = 0; i < text.len; i++)
        bytes[i] = text.data[i] == '\n' ? ' ' : text.data[i];
    text.data = bytes;
    if (o->verdict == CLIENT_ACCEPTED)
        return arena_printf(arena, "%u %.*s", o->code, SLICE_PRINTF(text));
    if (o->code == 0)
        return arena_printf(arena, "host %.*s: %.*s", SLICE_PRINTF(trip_hop_text(hop, name)),
                            SLICE_PRINTF(text));
    return arena_printf(arena, "host %.*s said: %u %.*s (in reply to %.*s)",
                        SLICE_PRINTF(trip_hop_text(hop, name)), o->code, SLICE_PRINTF(text),
                        SLICE_PRINTF(step));
}

/* A server without DSN: it is for us to say that the mail went on (RFC 3461 5.2.2), or came into
 * the mailbox. */
static enum sent how_far(const struct trip *t, unsigned i)
{
    if (t->sent && !t->relayed[i])
        return SENT_ON_TOLD;
    return t->manner->protocol == CLIENT_LMTP ? SENT_HOME : SENT_ON;
}

static struct slice tls_text(const struct trip *t)
{
    const struct tls *tls = stream_tls(&t->remote.stream);

    if (tls == NULL)
        return SLICE("");
    if (!tls_is_verified(tls))
        return tls_version(tls);
    return arena_printf(&t->parcel->message->arena, "%.*s/verified",
                        SLICE_PRINTF(tls_version(tls)));
}

/* The i-th of this trip. */
static void tell_rcpt(struct trip *t, unsigned i, const struct client_outcome *o)
{
    unsigned rcpt = t->places[i];
    char relay[TRIP_HOP_TEXT_MAX];
    struct verdict v = {.tag = t->manner->tag,
                        .relay = hop_text(t, relay),
                        .dsn = status_of(o),
                        .text = trip_words(hop_of(t), o, &t->parcel->message->arena),
                        .remote_mta = o->code != 0 ? hop_name(t) : SLICE(""),
                        .tls = tls_text(t),
                        .route = t->manner->told};

    if (o->code != 0)
        v.reply =
            arena_printf(&t->parcel->message->arena, "%u %.*s", o->code, SLICE_PRINTF(o->text));

    switch (o->verdict) {
    case CLIENT_ACCEPTED: parcel_sent(t->parcel, rcpt, how_far(t, i), &v); break;
    case CLIENT_REFUSED: parcel_failed(t->parcel, rcpt, t->manner->report, &v); break;
    case CLIENT_TRY_AGAIN:
        parcel_deferred(t->parcel, rcpt, t->manner->retry, t->manner->report, &v);
        break;
    case CLIENT_PENDING:
    case CLIENT_LEFT_OUT: parcel_postponed(t->parcel, rcpt, 0); break;
    }
}

static void let_go(struct trip *t)
{
    struct parcel *p = t->parcel;

    cargo_stop(&t->cargo);
    t->parcel = NULL;
    t->sent = false;
    parcel_drop(p);
}

/* The connection is at an end with it, unless each recipient was answered. */
static bool was_cut_off(const struct client_outcome *o)
{
    return o->verdict == CLIENT_TRY_AGAIN && (o->code == 0 || o->code == 421);
}

/* The parcel is done; was it a sane dialog? That we could not read the mail is not the server's
 * fault. */
static bool finish_message(struct trip *t)
{
    bool sane = true, ours = t->cargo.unreadable;

    for (unsigned i = 0; i < t->message.rcpt_count; i++) {
        const struct client_outcome *o = client_outcome(t->remote.client, i);

        sane = sane && (ours || !was_cut_off(o));
        tell_rcpt(t, i, o);
    }
    let_go(t);
    return sane;
}

/* Nobody took it: all recipients get the same. */
static void fail_message(struct trip *t, const struct client_outcome *o)
{
    for (unsigned i = 0; i < t->message.rcpt_count; i++)
        tell_rcpt(t, i, o);
    let_go(t);
}

/* ---- the content ---- */

static enum remote_piece next_piece(struct remote *r, struct slice *piece)
{
    struct trip *t = trip_of(r);

    return cargo_next(&t->cargo, t->piece, piece);
}

static void tell_sender(const struct trip *t, const struct envelope *e, const struct address *new)
{
    struct event_writer w = role_event(t->manner->role, EVENT_REWRITTEN, t->manner->tag);
    char id[QUEUE_ID_LEN];

    queue_id_write(e->id, id);
    event_text(&w, FIELD_QUEUE_ID, (struct slice){id, sizeof(id)});
    role_event_address(&w, FIELD_SENDER, &e->sender);
    role_event_address(&w, FIELD_NAME, new);
    role_event_end(t->manner->role, &w);
}

static void tell_long_sender(const struct trip *t, const struct envelope *e)
{
    struct event_writer w = role_event(t->manner->role, EVENT_WARNING, t->manner->tag);
    struct arena *arena = &t->parcel->message->arena;
    char id[QUEUE_ID_LEN];

    queue_id_write(e->id, id);
    event_text(&w, FIELD_TEXT,
               arena_printf(arena, "%.*s: sender=<%.*s> is too long for SRS, and stays",
                            QUEUE_ID_LEN, id, SLICE_PRINTF(address_text(arena, &e->sender))));
    role_event_end(t->manner->role, &w);
}

/* One sender for all who go together: if an alias leads one of them there, ours. */
static void take_sender(struct trip *t)
{
    const struct envelope *e = &t->parcel->message->envelope;
    struct role *r = t->manner->role;
    uint64_t now_us = clock_wall_us(r->doors->clock);
    enum forwarding as = FORWARDING_NOT;

    t->message.sender = e->sender;
    for (unsigned i = 0;
         t->manner->relay != NULL && i < t->message.rcpt_count && as == FORWARDING_NOT; i++)
        as =
            forwarding_sender(r->settings, t->manner->relay, &e->rcpts[t->places[i]].original,
                              &t->rcpts[i], now_us, &t->parcel->message->arena, &t->message.sender);
    if (as == FORWARDING_AS)
        tell_sender(t, e, &t->message.sender);
    else if (as == FORWARDING_LONG)
        tell_long_sender(t, e);
}

static void take_rcpts(struct trip *t)
{
    const struct queue_message *m = t->parcel->message;
    struct arena *arena = &t->parcel->message->arena;
    unsigned count = m->envelope.rcpt_count;

    t->rcpts = ARENA_ARRAY(arena, struct address, count);
    t->places = ARENA_ARRAY(arena, unsigned, count);
    t->params = ARENA_ARRAY(arena, struct slice, count);
    t->relayed = ARENA_ARRAY(arena, bool, count);
    t->message = (struct client_message){.rcpts = t->rcpts};
    for (unsigned i = 0; i < count; i++) {
        if (!m->rcpts[i].due)
            continue;
        t->rcpts[t->message.rcpt_count] = m->envelope.rcpts[i].final;
        t->places[t->message.rcpt_count++] = i;
    }
    take_sender(t);
    t->cargo = (struct cargo){.role = t->manner->role,
                              .spool = t->manner->spool,
                              .message = m,
                              .any_length = t->manner->protocol == CLIENT_LMTP,
                              .done = on_prepared};
}

/* This server cannot be given it, in any form. */
static void refuse_rcpt(struct trip *t, unsigned i, const struct relay_refusal *r)
{
    char relay[TRIP_HOP_TEXT_MAX];
    struct arena *arena = &t->parcel->message->arena;
    struct slice at = hop_text(t, relay);
    struct verdict v = {
        .tag = t->manner->tag,
        .relay = at,
        .dsn = r->enhanced,
        .text = arena_printf(arena, "host %.*s: %.*s", SLICE_PRINTF(at), SLICE_PRINTF(r->text)),
        .route = t->manner->told};

    if (r->code / 100 == 5)
        parcel_failed(t->parcel, t->places[i], t->manner->report, &v);
    else
        parcel_deferred(t->parcel, t->places[i], t->manner->retry, t->manner->report, &v);
}

/* Keeps those who may go this way. */
static void part_rcpts(struct trip *t, const struct relay_answer *answer)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < t->message.rcpt_count; i++) {
        const struct relay_rcpt *r = &answer->rcpts[i];

        if (r->refusal.code != 0) {
            refuse_rcpt(t, i, &r->refusal);
            continue;
        }
        t->rcpts[kept] = t->rcpts[i];
        t->places[kept] = t->places[i];
        t->relayed[kept] = r->relayed;
        t->params[kept++] = r->params;
    }
    t->message.rcpt_count = kept;
}

static void refuse_all(struct trip *t, const struct relay_refusal *r)
{
    for (unsigned i = 0; i < t->message.rcpt_count; i++)
        refuse_rcpt(t, i, r);
    t->message.rcpt_count = 0;
}

static void part_prepared(struct trip *t)
{
    static const struct relay_refusal unfit = {
        554, SLICE_INIT("5.6.3"), SLICE_INIT("the message cannot be converted for this server")};
    static const struct relay_refusal not_now = {
        451, SLICE_INIT("4.3.0"), SLICE_INIT("the message cannot be read or converted now")};

    if (t->cargo.code == 0)
        part_rcpts(t, &t->cargo.answer);
    else
        refuse_all(t, t->cargo.code == -EILSEQ ? &unfit : &not_now);
}

/* The server has heard nothing of it. Not TRIP_FREE: the owner may be in trip_take(), and the next
 * message is perhaps like this one, and all the others behind it. */
static void rest(struct trip *t)
{
    let_go(t);
    timer_set(t->manner->role->loop, &t->idle, IDLE_MS);
    t->on_news(t, TRIP_UNUSED, SLICE(""));
}

/* Each step may take as long as RFC 5321 4.5.3.2 says; all of them together may not, or a few
 * hundred servers that answer just in time would hold every connection there is, for days. */
static void be_patient(struct trip *t, uint64_t seconds)
{
    timer_set(t->manner->role->loop, &t->patience, seconds * 1000);
}

static void next_hop(struct trip *t);

static void hang_up(struct trip *t)
{
    pass_drop(&t->pass);
    remote_close(&t->remote);
}

/* This server can take it for nobody; another one of the destination may offer what it lacks (RFC
 * 8689 4.2.1). */
static bool is_better_elsewhere(const struct trip *t)
{
    if (t->used || t->hop + 1 == t->hop_count || t->cargo.code != 0)
        return false;
    for (unsigned i = 0; i < t->message.rcpt_count; i++)
        if (t->cargo.answer.rcpts[i].refusal.code == 0)
            return false;
    return true;
}

/* It is known in which form it goes, and to whom. */
static void send_prepared(struct trip *t)
{
    const struct relay_answer *answer = &t->cargo.answer;

    if (is_better_elsewhere(t)) {
        cargo_stop(&t->cargo);
        hang_up(t);
        next_hop(t);
        return;
    }
    part_prepared(t);
    if (t->message.rcpt_count == 0) {
        rest(t);
        return;
    }
    t->message.size = cargo_size(&t->cargo);
    t->message.body = answer->body;
    t->message.smtputf8 = answer->smtputf8;
    t->message.mail_params = answer->params;
    t->message.rcpt_params = t->params;
    t->sent = true;
    be_patient(t, MESSAGE_S + t->message.rcpt_count + t->message.size / SLOWEST_BYTES_S);
    remote_send(&t->remote, &t->message);
}

static void on_prepared(struct cargo *c)
{
    send_prepared(LIST_ENTRY(c, struct trip, cargo));
}

/* A mail server delivers to its mailboxes by LMTP; one beside us needs no TLS for that. */
static bool stays_here(const struct trip *t)
{
    const struct trip_hop *hop = hop_of(t);

    return t->manner->protocol == CLIENT_LMTP &&
           (hop->path != NULL || net_address_is_loopback(&hop->address));
}

static bool is_safe(const struct trip *t)
{
    const struct tls *tls = stream_tls(&t->remote.stream);

    return t->parcel->way_is_proved && tls != NULL && tls_is_verified(tls);
}

static void send_message(struct trip *t)
{
    t->cargo.stays_here = stays_here(t);
    t->cargo.is_safe = is_safe(t);
    if (cargo_prepare(&t->cargo, t->places, t->message.rcpt_count, client_offers(t->remote.client),
                      &t->parcel->message->arena))
        send_prepared(t);
}

/* ---- hops ---- */

static const struct remote_owner owner;

static enum client_tls tls_mode(const struct trip_manner *m, bool plain)
{
    enum relay_tls wanted = m->relay == NULL ? RELAY_TLS_OFF : m->relay->tls;

    switch (wanted) {
    case RELAY_TLS_OPTIONAL: return plain ? CLIENT_TLS_NEVER : CLIENT_TLS_IF_OFFERED;
    case RELAY_TLS_REQUIRED:
    case RELAY_TLS_VERIFIED: return CLIENT_TLS_ALWAYS;
    case RELAY_TLS_IMPLICIT:
    case RELAY_TLS_OFF: break;
    }
    return CLIENT_TLS_NEVER;
}

static bool begins_with_tls(const struct trip_manner *m, const struct trip_hop *hop)
{
    return m->relay != NULL &&
           (m->relay->tls == RELAY_TLS_IMPLICIT ||
            (m->relay->tls == RELAY_TLS_VERIFIED && hop->address.port == RELAY_SUBMISSIONS_PORT));
}

/* What is asked of a relay with a user. On this machine nobody listens. */
static enum client_login login_mode(const struct trip_manner *m, const struct trip_hop *hop,
                                    bool implicit)
{
    if (m->relay == NULL || m->relay->user.len == 0)
        return CLIENT_LOGIN_NEVER;
    return implicit || hop->path != NULL || net_address_is_loopback(&hop->address)
               ? CLIENT_LOGIN_ANYHOW
               : CLIENT_LOGIN_SECURED;
}

static bool is_v4(const unsigned char ip[16])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(ip, mapped, sizeof(mapped)) == 0;
}

void trip_call_options(const struct trip_manner *m, const struct trip_hop *hop, bool plain,
                       struct remote_options *options, struct net_address *from)
{
    const struct relay *relay = m->relay;
    const struct relay_source *source =
        relay == NULL ? NULL : relay_source(relay, m->slot, is_v4(hop->address.ip));
    bool by_mx = relay != NULL && relay->host_count == 0, implicit = begins_with_tls(m, hop);

    *options = (struct remote_options){
        .client = {.protocol = m->protocol,
                   .tls = implicit ? CLIENT_TLS_NEVER : tls_mode(m, plain),
                   .login = login_mode(m, hop, implicit),
                   .ehlo = source != NULL && source->helo.len > 0 ? source->helo : m->ehlo,
                   .own_name = by_mx ? m->hostname : SLICE("")},
        .tls = m->tls,
        .tls_name = {hop->name,   hop->name_len                     },
        .implicit_tls = implicit,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .path = hop->path,
        .random = m->role->doors->random,
        .worker = m->role->worker
    };
    if (source != NULL) {
        memcpy(from->ip, source->ip, sizeof(source->ip));
        options->from = from;
    }
}

unsigned trip_copy_hops(const struct route *route, const char *path, struct trip_hop *hops,
                        unsigned max)
{
    unsigned count = 0;

    for (size_t i = 0; i < route->hop_count && count < max; i++) {
        const struct route_hop *from = &route->hops[i];
        struct trip_hop *to = &hops[count++];
        struct slice name = slice_head(from->host->name, UINT8_MAX);

        memcpy(to->name, name.data, name.len);
        to->name_len = (uint8_t)name.len;
        memcpy(to->address.ip, from->ip, sizeof(from->ip));
        to->address.port = from->port;
        to->path = from->path.len > 0 ? path : NULL;
    }
    return count;
}

static void call_hop(struct trip *t)
{
    trip_call_options(t->manner, hop_of(t), t->plain, &t->options, &t->from);
    t->used = false;
    be_patient(t, GREETING_S);
    remote_open(&t->remote, t->manner->role->loop, &hop_of(t)->address, &t->options, &owner);
}

static void next_hop(struct trip *t)
{
    t->hop++;
    t->plain = false;
    call_hop(t);
}

/* Why this hop came to nothing, before it knew the mail. */
static struct client_outcome hop_failure(struct trip *t, struct arena *arena)
{
    if (t->remote.connect_error != 0)
        return (struct client_outcome){.verdict = CLIENT_TRY_AGAIN,
                                       .enhanced = SLICE("4.4.1"),
                                       .text =
                                           arena_printf(arena, "cannot connect: %s",
                                                        strerrordesc_np(-t->remote.connect_error))};

    struct client_outcome o = *client_final(t->remote.client);
    o.text = arena_copy(arena, o.text);
    o.enhanced = arena_copy(arena, o.enhanced);
    if (o.verdict == CLIENT_PENDING)
        o = (struct client_outcome){.verdict = CLIENT_TRY_AGAIN,
                                    .enhanced = SLICE("4.4.2"),
                                    .text = SLICE("the server closed the connection")};
    return o;
}

/* Hosts behind us are no nearer to the destination than we are: RFC 5321 5.1. */
static bool was_ourselves(const struct client_outcome *o)
{
    return o->code == 0 && slice_equal(o->enhanced, SLICE("5.4.6"));
}

/* Beside what each mail's line says, once for each call: who is to set it right, and where. What
 * the vault could not give, it has told already. */
static void warn_of_login(struct trip *t, const struct client_outcome *o, struct arena *arena)
{
    const struct relay *relay = t->manner->relay;
    struct slice why = trip_words(hop_of(t), o, arena), where = SLICE("by a token");

    if (relay->login != NULL)
        where = arena_printf(arena, "the password is in %.*s, which `postroad reload` reads again",
                             SLICE_PRINTF(relay->login->path));
    else if (!pass_was_token(&t->pass))
        return;
    role_warn(t->manner->role, t->manner->tag,
              arena_printf(arena,
                           "relay %.*s cannot log in as %.*s, so its mail waits (%.*s): %.*s",
                           SLICE_PRINTF(relay->name), SLICE_PRINTF(relay->user),
                           SLICE_PRINTF(where), SLICE_PRINTF(why)));
}

/* The message was not begun here. It is the next hop's, or nobody's. */
static void hop_failed(struct trip *t)
{
    struct arena *arena = &t->parcel->message->arena;
    struct client_outcome o = hop_failure(t, arena);

    bool anew = t->remote.stale;
    bool secrecy = !anew && !t->plain && remote_tls_was_the_trouble(&t->remote, &o);

    cargo_stop(&t->cargo);
    hang_up(t);
    t->plain = t->plain || secrecy;
    if (anew || secrecy || pass_again(&t->pass, &o)) {
        call_hop(t);
        return;
    }
    t->all_refused = t->all_refused && o.verdict == CLIENT_REFUSED;
    if (t->hop + 1 < t->hop_count && !was_ourselves(&o) && !client_is_no_user(&o)) {
        next_hop(t);
        return;
    }
    if (!t->all_refused)
        o.verdict = CLIENT_TRY_AGAIN;
    if (o.step == STEP_AUTH)
        warn_of_login(t, &o, arena);
    struct slice why = arena_copy(arena, trip_words(hop_of(t), &o, arena));
    t->on_news(t, TRIP_BADLY, why);
    fail_message(t, &o);
    t->on_news(t, TRIP_ENDED, SLICE(""));
}

/* ---- events ---- */

/* Afterwards the owner may have given a message, left it, or freed it. */
static void offer(struct trip *t)
{
    timer_set(t->manner->role->loop, &t->idle, IDLE_MS);
    t->on_news(t, TRIP_FREE, SLICE(""));
}

static void next_message(struct trip *t)
{
    if (client_takes_more(t->remote.client))
        offer(t);
    else
        remote_quit(&t->remote);
}

static void on_ready(struct trip *t)
{
    timer_cancel(t->manner->role->loop, &t->patience);
    if (t->parcel != NULL && !t->sent) {
        send_message(t);
        return;
    }
    if (t->parcel != NULL && finish_message(t))
        t->on_news(t, TRIP_WELL, SLICE(""));
    t->used = true;
    next_message(t);
}

/* A server may close a connection, with a word or without, just when it is to be used again: that
 * is no failure, and the message was not begun. While that was not sent, what the client says is
 * about the one before. */
static bool came_too_late(const struct trip *t)
{
    const struct client_outcome *o = client_final(t->remote.client);

    if (!t->used || !t->sent)
        return t->used;
    return (o->code == 0 || o->code == 421) && (o->step == STEP_MAIL || o->step == STEP_RSET);
}

static void on_over(struct trip *t)
{
    timer_cancel(t->manner->role->loop, &t->idle);
    timer_cancel(t->manner->role->loop, &t->patience);
    if (t->parcel != NULL && !t->sent && !came_too_late(t)) {
        hop_failed(t);
        return;
    }
    if (t->parcel != NULL && !came_too_late(t)) {
        if (finish_message(t))
            t->on_news(t, TRIP_WELL, SLICE(""));
        else
            t->on_news(t, TRIP_BADLY, SLICE("the connection broke"));
    }
    t->on_news(t, TRIP_ENDED, SLICE(""));
}

static void on_event(struct remote *r, enum remote_event event)
{
    switch (event) {
    case REMOTE_READY: on_ready(trip_of(r)); break;
    case REMOTE_OVER: on_over(trip_of(r)); break;
    }
}

static void log_in(struct remote *r)
{
    struct trip *t = trip_of(r);

    pass_show(&t->pass, t->manner->bearers, t->manner->relay, r);
}

static const struct remote_owner owner = {
    .on_event = on_event, .next_piece = next_piece, .log_in = log_in};

static void on_idle(struct timer *timer)
{
    trip_leave(LIST_ENTRY(timer, struct trip, idle));
}

static void on_patience(struct timer *timer)
{
    remote_give_up(&LIST_ENTRY(timer, struct trip, patience)->remote);
}

void trip_begin(struct trip *t, struct parcel *parcel)
{
    timer_init(&t->idle, on_idle);
    timer_init(&t->patience, on_patience);
    t->parcel = parcel;
    t->all_refused = true;
    take_rcpts(t);
    call_hop(t);
}

void trip_take(struct trip *t, struct parcel *parcel)
{
    timer_cancel(t->manner->role->loop, &t->idle);
    t->parcel = parcel;
    take_rcpts(t);
    send_message(t);
}

void trip_leave(struct trip *t)
{
    timer_cancel(t->manner->role->loop, &t->idle);
    remote_quit(&t->remote);
}

void trip_free(struct trip *t)
{
    timer_cancel(t->manner->role->loop, &t->idle);
    timer_cancel(t->manner->role->loop, &t->patience);
    hang_up(t);
    if (t->parcel != NULL) {
        for (unsigned i = 0; i < t->message.rcpt_count; i++)
            parcel_postponed(t->parcel, t->places[i], 0);
        let_go(t);
    }
    memory_free(t);
}
