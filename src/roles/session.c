/*
 * session.c - one SMTP session: a stream, the server engine, and at most one put under way.
 *
 * The engine stops with one need; what can be answered from the settings is answered at once, a
 * commit pauses the session until its ticket finishes. A client that is gone meanwhile leaves its
 * session behind until then, because the ticket lies in it.
 */
#include "roles/session_internal.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

enum {
    SESSION_IN_MAX = 64 * 1024,
    BODY_PROGRESS = 64 * 1024,  /* in three minutes: 364 bytes a second */
    GOODBYE_TIMEOUT_MS = 10000, /* to read what we said last */
};

struct slice session_client(const struct session *s)
{
    return (struct slice){s->client, s->client_len};
}

struct slice session_local_user(const struct session *s)
{
    return (struct slice){s->user, s->user_len};
}

static void session_run(struct session *s);

/* ---- the session ---- */

static void session_free(struct session *s)
{
    struct sessions *among = s->among;

    session_tell_disconnect(s);
    list_remove(&s->asking);
    session_end_login(s);
    session_forget_lists(s);
    session_drop_draft(s);
    buf_done(&s->header);
    timer_cancel(among->role->loop, &s->timer);
    stream_close(&s->stream);
    server_free(s->server);
    arena_done(&s->arena);
    turnstile_leave(among->counts, &s->turn);
    session_leaves_standing(s);
    list_remove(&s->link);
    among->count--;
    s->offer->sessions--;
    memory_free(s);
    if (among->role->draining && list_empty(&among->all))
        role_end(among->role, 0);
}

/* The client is gone, or must go now. A put under way still belongs to the session. */
static void session_drop(struct session *s)
{
    stream_close(&s->stream);
    if (!s->committing)
        session_free(s);
}

void session_make_way(struct session *s)
{
    struct arena scratch = {0};
    struct reply busy = {421, SLICE("4.3.2"),
                         arena_printf(&scratch, "%.*s %.*s",
                                      SLICE_PRINTF(s->offer->server.hostname),
                                      SLICE_PRINTF(session_busy))};

    session_tell_broken(s, SLICE("made way for others"));
    if (!s->securing && reply_write(&s->stream.out, &busy)) /* else it would not understand it */
        stream_flush(&s->stream);
    arena_done(&scratch);
    session_free(s);
}

/* Everything was said: let the bytes leave, then close. STREAM_EOF tells when. */
static void session_finish(struct session *s)
{
    if (!stream_is_open(&s->stream)) {
        session_free(s);
        return;
    }
    timer_set(s->among->role->loop, &s->timer, GOODBYE_TIMEOUT_MS);
    stream_finish(&s->stream);
}

/* The deadline is for a command, or for some KiB of a message; a byte now and then does not move
 * it, or one client could hold a session for ever. */
static bool has_moved_on(struct session *s)
{
    unsigned commands = server_counts(s->server)->commands_tried;
    uint64_t body = server_body_size(s->server);

    if (timer_is_set(&s->timer) && commands == s->timed_commands &&
        body < s->timed_body + BODY_PROGRESS)
        return false;
    s->timed_commands = commands;
    s->timed_body = body;
    return true;
}

static void session_wait(struct session *s)
{
    if (has_moved_on(s))
        timer_set(s->among->role->loop, &s->timer,
                  s->ended_by_us ? GOODBYE_TIMEOUT_MS
                                 : (uint64_t)server_timeout_s(s->server) * 1000);
    stream_flush(&s->stream);
}

/* Once all is said that goes in the clear; STREAM_DRAINED brings us back. Nothing is read before:
 * what the client sends now is its handshake. */
static void begin_handshake(struct session *s)
{
    stream_pause(&s->stream);
    stream_flush(&s->stream);
    if (buf_len(&s->stream.out) == 0)
        stream_start_tls(&s->stream, s->offer->tls, SLICE(""));
}

static void secure(struct session *s)
{
    s->securing = true;
    timer_set(s->among->role->loop, &s->timer, (uint64_t)SERVER_HANDSHAKE_S * 1000);
    begin_handshake(s);
}

static void secured(struct session *s)
{
    const struct tls *t = stream_tls(&s->stream);
    struct envelope_tls tls = {.version = tls_version(t), .cipher = tls_cipher(t)};

    (void)tls_client_name(t, &s->arena, &tls.client);
    tls.bits = tls_bits(t, &tls.cipher_bits);
    server_secured(s->server, &tls);
    s->has_binding = s->offer->people != NULL && tls_exporter(t, s->binding);
    session_offer_mechanisms(s);
    s->securing = false;
    timer_cancel(s->among->role->loop, &s->timer);
    session_run(s);
}

/* Somebody else has the word. */
static bool is_waiting(const struct session *s)
{
    return s->committing || s->greets_later || s->awaits_lists || session_is_asking(s) ||
           session_is_logging_in(s);
}

/* Steps the engine until it wants something that is not there yet. What it ate is dropped from
 * the buffer only at the end, since body bytes are borrowed from it. */
static void session_run(struct session *s)
{
    size_t had = buf_len(&s->stream.in);
    struct cursor in = {buf_slice(&s->stream.in)};
    enum server_need need;

    server_time_is(s->server, clock_wall_us(s->among->role->doors->clock));
    do {
        need = server_step(s->server, &in, &s->stream.out);
        switch (need) {
        case SERVER_WANTS_CONNECT:
            if (!session_waits_to_greet(s))
                session_answer_connect(s);
            break;
        case SERVER_WANTS_MAIL: session_answer_mail(s); break;
        case SERVER_WANTS_RCPT: session_answer_rcpt(s); break;
        case SERVER_BODY: session_keep_body(s); break;
        case SERVER_RESET: session_drop_draft(s); break;
        case SERVER_REFUSED:
            if (!s->ended_by_us && !session_was_no_login(s)) /* the client did nothing wrong */
                session_tell_refusal(s);
            break;
        case SERVER_WANTS_COMMIT:
            if (s->offer->faults != NULL && bad_addresses_drop(server_envelope(s->server))) {
                session_tell_broken(s, SLICE("connection dropped on purpose"));
                session_drop(s);
                return;
            }
            session_commit(s);
            break;
        case SERVER_WANTS_ROOM: stream_flush(&s->stream); break;
        case SERVER_WANTS_TLS: session_answer_tls(s); break;
        case SERVER_WANTS_AUTH: session_answer_auth(s); break;
        case SERVER_WANTS_ETRN: session_answer_etrn(s); break;
        case SERVER_WANTS_XCLIENT: session_answer_xclient(s); break;
        case SERVER_START_TLS:
        case SERVER_WANTS_INPUT:
        case SERVER_DONE: break;
        }
        /* Without room the peer must read first: STREAM_DRAINED brings us back. */
        if (need == SERVER_WANTS_ROOM && buf_len(&s->stream.out) > 0)
            break;
    } while (!is_waiting(s) && need != SERVER_WANTS_INPUT && need != SERVER_START_TLS &&
             need != SERVER_DONE);
    buf_consume(&s->stream.in, had - in.rest.len);
    if (need == SERVER_DONE)
        session_finish(s);
    else if (need == SERVER_START_TLS)
        secure(s);
    else if (is_waiting(s))
        stream_flush(&s->stream);
    else
        session_wait(s);
}

/* What the client sent meanwhile is still in the buffer. */
static void resume(struct session *s)
{
    timer_cancel(s->among->role->loop, &s->timer);
    stream_resume(&s->stream);
    session_run(s);
}

static void take_login(struct session *s, const struct login_answer *a)
{
    list_remove(&s->logging_in);
    session_login_answered(s, a);
    resume(s);
}

static void take_answer(struct session *s, const struct answer *a)
{
    list_remove(&s->asking);
    s->delayed = false;
    if (a->kind == ANSWER_KNOWN)
        session_accept_known(s);
    else
        session_refuse_asked(s, a);
    resume(s);
}

void session_lists_have_answered(struct session *s)
{
    session_answer_rcpt(s);
    if (!is_waiting(s))
        resume(s);
}

/* Who has said something by now hears that it was too early: the engine sees to it. */
static void greet(struct session *s)
{
    if (buf_len(&s->stream.in) > 0)
        session_tell_early(s);
    s->greets_later = false;
    session_answer_connect(s);
    resume(s);
}

static void on_readable(struct session *s)
{
    /* Any line may be a login, also one that is refused, or cut off. */
    if (s->offer->people != NULL && server_user(s->server).len == 0)
        stream_has_secret(&s->stream);
    if (s->greets_later)
        greet(s);
    else
        session_run(s);
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct session *s = LIST_ENTRY(stream, struct session, stream);

    switch (event) {
    case STREAM_READABLE: on_readable(s); return;
    case STREAM_DRAINED:
        if (s->securing)
            begin_handshake(s);
        else if (!is_waiting(s))
            session_run(s); /* the engine may have stopped for want of room */
        return;
    case STREAM_EOF:
        if (s->stream.closing) {
            session_free(s);
            return;
        }
        session_tell_broken(s, SLICE("lost connection"));
        session_finish(s); /* it may still read our replies */
        return;
    case STREAM_FAILED:
        if (s->securing)
            session_tell_no_handshake(s);
        else if (!s->stream.closing)
            session_tell_broken(s, SLICE("lost connection"));
        session_drop(s);
        return;
    case STREAM_SECURED: secured(s); return;
    case STREAM_CONNECTED: return;
    }
}

static void on_timeout(struct timer *t)
{
    struct session *s = LIST_ENTRY(t, struct session, timer);

    if (s->stream.closing || s->ended_by_us) { /* it does not even read its last reply */
        session_free(s);
        return;
    }
    if (s->greets_later) {
        greet(s);
        return;
    }
    if (session_is_asking(s)) {
        take_answer(s, s->delayed ? &session_delay_over : &session_no_answer);
        return;
    }
    if (session_is_logging_in(s)) {
        take_login(s, &session_no_vault);
        return;
    }
    session_tell_broken(s, SLICE("timeout"));
    if (s->securing) {
        session_free(s);
        return;
    }
    s->ended_by_us = true;
    s->awaits_lists = false;
    server_time_out(s->server);
    session_run(s);
}

void session_put_finished(struct list *ticket)
{
    struct session *s = LIST_ENTRY(ticket, struct session, put.ticket.link);
    int code = s->put.ticket.result;
    char id[QUEUE_ID_LEN];
    char text[64];

    queue_id_write(s->id, id);
    s->committing = false;
    if (code == 0) {
        int len = snprintf(text, sizeof(text), "Ok: queued as %.*s", QUEUE_ID_LEN, id);
        struct reply reply = {
            250, SLICE("2.0.0"), {text, (size_t)len}
        };

        session_tell_message(s, (struct slice){id, sizeof(id)});
        session_becomes_known(s);
        server_answer(s->server, &reply);
    } else {
        server_answer(s->server, session_reply_of_error(code));
    }
    session_drop_draft(s);
    buf_done(&s->header);
    if (!stream_is_open(&s->stream)) {
        session_free(s);
        return;
    }
    if (s->among->role->draining) {
        s->ended_by_us = true;
        server_shut_down(s->server);
    }
    stream_resume(&s->stream);
    session_run(s);
}

/* The first thing that is said. Who is one too many is not worth a handshake. */
static void session_begin(struct session *s)
{
    if (!s->offer->implicit_tls)
        session_run(s);
    else if (s->offer->tls == NULL || s->among->count > s->among->max)
        session_free(s);
    else
        secure(s);
}

void session_open(struct sessions *among, struct session_offer *offer,
                  const struct arrival *arrival)
{
    const struct net_address *peer = &arrival->peer;
    struct turn turn = {0};
    struct session *s;

    if (!session_may_come(among, offer, arrival->handle, peer, &turn))
        return;
    s = MEMORY_NEW(struct session);
    s->among = among;
    s->offer = offer;
    s->turn = turn;
    s->has_ip = !peer->local && !arrival->nowhere;
    memcpy(s->ip, peer->ip, sizeof(s->ip));
    s->client_len = net_address_text(peer, s->client);
    s->local = arrival->local;
    s->left = arena_copy(&s->arena, arrival->left);
    s->reports = arrival->reports;
    s->peer = *peer;
    if (offer->by_user)
        s->user_len = (size_t)snprintf(s->user, sizeof(s->user), "%u", peer->user);
    s->server = server_new(&offer->server, session_client(s));
    if (session_may_speak_for_others(s))
        server_trust(s->server);
    session_offer_mechanisms(s);
    queue_in_draft_init(among->queue, &s->draft);
    timer_init(&s->timer, on_timeout);
    list_init(&s->asking);
    list_init(&s->logging_in);
    list_init(&s->stranger);
    session_take_allowance(s, peer);
    list_append(&among->all, &s->link);
    among->count++;
    offer->sessions++;
    session_tell_connect(s);
    session_ask_lists(s);
    if (stream_open(&s->stream, among->role->loop, arrival->handle, SESSION_IN_MAX, SERVER_OUT_MAX,
                    on_stream) < 0)
        session_free(s);
    else
        session_begin(s);
}

/* ---- all of them ---- */

void sessions_init(struct sessions *among, struct role *role)
{
    among->role = role;
    list_init(&among->all);
    list_init(&among->strangers);
    list_init(&among->asking);
    list_init(&among->delayed);
    list_init(&among->logging_in);
}

void sessions_login_answered(struct sessions *among, const struct login_answer *a)
{
    LIST_EACH (node, &among->logging_in) {
        struct session *s = LIST_ENTRY(node, struct session, logging_in);

        if (s->login == a->number) {
            take_login(s, a);
            return;
        }
    }
}

void sessions_login_unanswered(struct sessions *among)
{
    struct list left; /* the next exchange may begin at once */

    list_init(&left);
    list_splice(&left, &among->logging_in);
    while (!list_empty(&left))
        take_login(LIST_ENTRY(left.next, struct session, logging_in), &session_no_vault);
}

void sessions_answered(struct sessions *among, const struct answer *a)
{
    LIST_EACH (node, &among->asking) {
        struct session *s = LIST_ENTRY(node, struct session, asking);

        if (s->question == a->number) {
            take_answer(s, a);
            return;
        }
    }
}

void sessions_unanswered(struct sessions *among)
{
    struct list left; /* an answer may lead to the next question */

    list_init(&left);
    list_splice(&left, &among->asking);
    while (!list_empty(&left))
        take_answer(LIST_ENTRY(left.next, struct session, asking), &session_no_answer);
}

/* Whatever it waits for, save its 250. `say` tells its server which 421. */
static void end_now(struct session *s, void (*say)(struct server *server))
{
    if (s->stream.closing)
        return;
    if (session_is_asking(s)) {
        list_remove(&s->asking);
        s->delayed = false;
        session_refuse_asked(s, &session_no_answer);
        stream_resume(&s->stream);
    }
    if (session_is_logging_in(s)) {
        list_remove(&s->logging_in);
        session_login_answered(s, &session_no_vault);
        stream_resume(&s->stream);
    }
    if (s->securing) { /* it would not understand a 421 */
        session_free(s);
        return;
    }
    if (s->awaits_lists)
        stream_resume(&s->stream);
    s->awaits_lists = s->greets_later = false;
    s->ended_by_us = true;
    say(s->server);
    session_run(s);
}

void sessions_shut_down(struct sessions *among)
{
    LIST_EACH (node, &among->all) {
        struct session *s = LIST_ENTRY(node, struct session, link);

        if (!s->committing)
            end_now(s, server_shut_down);
    }
}

const struct accounts *session_accounts(const struct session *s)
{
    const struct settings_table *now = s->among->role->settings->tables;

    if (s->offer->people == NULL)
        return NULL;
    while (now != NULL && !slice_equal(now->path, s->offer->people->path))
        now = now->next;
    return now != NULL && now->type == TABLE_ACCOUNTS ? now->accounts : s->offer->people->accounts;
}

static bool may_stay(const struct session *s)
{
    const struct accounts *accounts = session_accounts(s);
    struct slice user = server_user(s->server);
    struct arena scratch = {0};
    struct account account;
    bool may = user.len == 0 || accounts == NULL ||
               (accounts_login(accounts, user, &scratch, &account) && !account.disabled);

    arena_done(&scratch);
    return may;
}

/* Who waits for a 250 gets it, and then the 421. */
void sessions_check_users(struct sessions *among)
{
    LIST_EACH (node, &among->all) {
        struct session *s = LIST_ENTRY(node, struct session, link);

        if (may_stay(s))
            continue;
        if (s->committing)
            server_dismiss(s->server);
        else
            end_now(s, server_dismiss);
    }
}

void sessions_drop_drafts(struct sessions *among)
{
    LIST_EACH (node, &among->all)
        session_drop_draft(LIST_ENTRY(node, struct session, link));
}

void sessions_free(struct sessions *among)
{
    LIST_EACH (node, &among->all)
        session_free(LIST_ENTRY(node, struct session, link));
}
