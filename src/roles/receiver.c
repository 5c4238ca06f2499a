/*
 * receiver.c - hostile SMTP in, durable records out. No other role is asked on the way to 250.
 *
 * A session is a stream, the server engine and at most one put under way. The engine stops with
 * one need; what can be answered from the settings is answered at once, a commit pauses the
 * session until its ticket finishes. Puts of all sessions in a round are written together before
 * the loop sleeps, and synced together on a worker: a lone sender waits for one sync, fifty
 * senders share one.
 *
 * A failed sync ends this receiver: what it had not acknowledged is answered 421 by the closed
 * connection, what it had is safe below the last good mark. The warden starts a new one.
 */
#include "roles/role.h"

#include "base/fail.h"
#include "base/memory.h"
#include "loop/listener.h"
#include "loop/stream.h"
#include "mail/trace.h"
#include "queue/queue_in.h"
#include "smtp/server.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
    SESSION_IN_MAX = 64 * 1024,
    SESSION_HEADER_MAX = 4096,
    SESSIONS_MAX = 20000,
    FILES_RESERVED = 64, /* descriptors that sessions may not take: segments, drafts, channels */
    BODY_PROGRESS = 4096,
    WORKER_THREADS = 3, /* records, large messages, zeros ahead */
    DRAIN_TIMEOUT_MS = 10000,
};

struct receiver;

/* What one listener offers, for all its sessions. */
struct entrance {
    struct listener listener;
    struct receiver *receiver;
    struct server_settings server;
};

struct session {
    struct list link;
    struct receiver *receiver;
    struct stream stream;
    struct timer timer;
    struct server *server;
    struct queue_ticket put;
    struct draft draft;
    struct buf header; /* our Received field, until the put finished */
    char client[64];   /* address as text */
    size_t client_len;
    uint64_t id; /* queue id of the message that is arriving, or 0 */
    bool drafting;
    bool committing;
    bool local;
    unsigned timed_commands; /* what there was when the deadline was set */
    uint64_t timed_body;
    bool ended_by_us; /* timeout, shutdown: told as that, not as a refusal */
};

struct receiver {
    struct role role;
    struct disk_dir *dir;
    struct queue_in *queue;
    struct channel courier;
    struct entrance *entrances;
    struct list sessions;
    size_t session_count;
    size_t sessions_max;
    uint64_t told_segment; /* durable mark last published */
    uint64_t told_offset;
    struct timer drain_deadline;
};

static struct receiver *receiver_of(struct role *r)
{
    return LIST_ENTRY(r, struct receiver, role);
}

static const struct slice tag_smtpd = SLICE_INIT("smtpd");

static struct slice session_client(const struct session *s)
{
    return (struct slice){s->client, s->client_len};
}

static void session_run(struct session *s);

/* ---- what the log is told ---- */

static void client_fields(struct session *s, struct event_writer *w)
{
    event_text(w, FIELD_CLIENT_NAME, SLICE("unknown"));
    event_text(w, FIELD_CLIENT_ADDRESS, session_client(s));
}

static void tell_connect(struct session *s)
{
    struct event_writer w = role_event(&s->receiver->role, EVENT_CONNECT, tag_smtpd);

    client_fields(s, &w);
    role_event_end(&s->receiver->role, &w);
}

static void count_text(struct buf *out, const char *name, unsigned accepted, unsigned tried)
{
    if (tried == 0)
        return;
    if (accepted == tried)
        buf_printf(out, " %s=%u", name, tried);
    else
        buf_printf(out, " %s=%u/%u", name, accepted, tried);
}

static void tell_disconnect(struct session *s)
{
    const struct server_counts *c = server_counts(s->server);
    struct event_writer w = role_event(&s->receiver->role, EVENT_DISCONNECT, tag_smtpd);
    struct buf text;

    buf_init(&text, 512);
    count_text(&text, "ehlo", c->ehlo, c->ehlo_tried);
    count_text(&text, "helo", c->helo, c->helo_tried);
    count_text(&text, "mail", c->mail, c->mail_tried);
    count_text(&text, "rcpt", c->rcpt, c->rcpt_tried);
    count_text(&text, "data", c->data, c->data_tried);
    count_text(&text, "rset", c->rset, c->rset_tried);
    count_text(&text, "noop", c->noop, c->noop_tried);
    count_text(&text, "quit", c->quit, c->quit_tried);
    count_text(&text, "unknown", c->unknown, c->unknown_tried);
    if (c->commands_tried == 0)
        buf_printf(&text, " commands=0/0");
    count_text(&text, "commands", c->commands, c->commands_tried);
    client_fields(s, &w);
    event_text(&w, FIELD_TEXT, slice_trim(buf_slice(&text)));
    role_event_end(&s->receiver->role, &w);
    buf_done(&text);
}

static void tell_broken(struct session *s, struct slice how)
{
    struct event_writer w = role_event(&s->receiver->role, EVENT_BROKEN, tag_smtpd);

    client_fields(s, &w);
    event_text(&w, FIELD_STAGE, server_last_stage(s->server));
    event_text(&w, FIELD_TEXT, how);
    role_event_end(&s->receiver->role, &w);
}

static void event_address(struct event_writer *w, enum event_field field, const struct address *a)
{
    struct buf text;

    buf_init(&text, 1024);
    address_write(&text, a);
    event_text(w, field, buf_slice(&text));
    buf_done(&text);
}

static void tell_refusal(struct session *s)
{
    const struct server_refusal *why = server_refusal(s->server);
    struct event_writer w = role_event(&s->receiver->role, EVENT_REJECT, tag_smtpd);

    client_fields(s, &w);
    event_text(&w, FIELD_STAGE, why->stage);
    event_number(&w, FIELD_CODE, why->reply.code);
    event_text(&w, FIELD_ENHANCED, why->reply.enhanced);
    event_text(&w, FIELD_TEXT, why->reply.text);
    event_text(&w, FIELD_NAME, slice_head(why->command, 128));
    if (why->has_sender)
        event_address(&w, FIELD_SENDER, &why->sender);
    if (why->has_rcpt)
        event_address(&w, FIELD_RCPT, &why->rcpt);
    event_text(&w, FIELD_PROTO, server_proto(s->server));
    event_text(&w, FIELD_HELO, server_helo(s->server));
    role_event_end(&s->receiver->role, &w);
}

static void tell_message(struct session *s, struct slice id_text)
{
    struct role *r = &s->receiver->role;
    const struct envelope *e = server_envelope(s->server);
    struct event_writer w = role_event(r, EVENT_CLIENT, tag_smtpd);

    event_text(&w, FIELD_QUEUE_ID, id_text);
    client_fields(s, &w);
    role_event_end(r, &w);
    w = role_event(r, EVENT_MESSAGE_ID, SLICE("cleanup"));
    event_text(&w, FIELD_QUEUE_ID, id_text);
    event_text(&w, FIELD_MESSAGE_ID, server_message_id(s->server));
    role_event_end(r, &w);
    w = role_event(r, EVENT_QUEUED, SLICE("qmgr"));
    event_text(&w, FIELD_QUEUE_ID, id_text);
    event_address(&w, FIELD_SENDER, &e->sender);
    event_number(&w, FIELD_SIZE, s->draft.size + buf_len(&s->header));
    event_number(&w, FIELD_NRCPT, e->rcpt_count);
    role_event_end(r, &w);
}

/* ---- the draft and the put ---- */

static const struct reply reply_full = {452, SLICE_INIT("4.3.1"),
                                        SLICE_INIT("Insufficient system storage: try again later")};
static const struct reply reply_trouble = {451, SLICE_INIT("4.3.0"),
                                           SLICE_INIT("Error: queue file write error: try again")};

static const struct reply *reply_of_error(int code)
{
    return code == -ENOSPC || code == -EDQUOT || code == -EFBIG ? &reply_full : &reply_trouble;
}

static void drop_draft(struct session *s)
{
    if (s->drafting)
        draft_end(&s->draft);
    s->drafting = false;
    s->id = 0;
}

static int begin_draft(struct session *s)
{
    s->id = queue_in_next_id(s->receiver->queue);
    if (s->id == 0)
        return -EIO;
    draft_begin(&s->draft, s->id);
    s->drafting = true;
    return 0;
}

static void keep_body(struct session *s)
{
    int code = s->drafting ? 0 : begin_draft(s);

    if (code == 0)
        code = draft_append(&s->draft, server_body(s->server));
    if (code < 0) {
        drop_draft(s);
        server_body_failed(s->server, reply_of_error(code));
    }
}

static int start_put(struct session *s)
{
    struct receiver *r = s->receiver;
    struct clock *clock = r->role.doors->clock;
    struct envelope *e = server_envelope(s->server);
    int code = s->drafting ? 0 : begin_draft(s); /* an empty message has no body bytes */

    if (code == 0)
        code = draft_finish(&s->draft);
    if (code < 0)
        return code;
    e->id = s->id;
    e->arrival_us = clock_wall_us(clock);
    buf_init(&s->header, SESSION_HEADER_MAX);
    if (!trace_received_write(&s->header, e, r->role.settings->hostname,
                              clock->utc_offset_min(clock, e->arrival_us)))
        return -EMSGSIZE;
    queue_put(r->queue, e, buf_slice(&s->header), &s->draft, &s->put);
    return 0;
}

static void commit_message(struct session *s)
{
    int code = start_put(s);

    if (code < 0) {
        drop_draft(s);
        buf_done(&s->header);
        server_answer(s->server, reply_of_error(code));
        return;
    }
    s->committing = true;
    stream_pause(&s->stream);
    timer_cancel(s->receiver->role.loop, &s->timer);
}

/* ---- answers from the settings ---- */

static bool is_full(struct receiver *r)
{
    return !queue_in_has_room(r->queue);
}

static void answer_connect(struct session *s)
{
    struct receiver *r = s->receiver;

    if (r->role.draining)
        server_answer(s->server, &REPLY(421, "4.3.2", "Service shutting down: try again later"));
    else if (r->session_count > r->sessions_max)
        server_answer(s->server, &REPLY(421, "4.7.0", "Too many connections: try again later"));
    else
        server_answer(s->server, &REPLY(220, "", ""));
}

static void answer_mail(struct session *s)
{
    if (is_full(s->receiver))
        server_answer(s->server, &reply_full);
    else
        server_answer(s->server, &REPLY(250, "2.1.0", "Ok"));
}

static void answer_rcpt(struct session *s)
{
    struct arena scratch = {0};
    struct rules_query query = {s->local, server_envelope(s->server)->sender,
                                *server_rcpt(s->server)};
    struct decision d = rules_decide(&s->receiver->role.settings->rules, &query, &scratch);

    switch (d.kind) {
    case DECIDE_MAILDIR:
    case DECIDE_DISCARD: server_answer_rcpt(s->server, &REPLY(250, "2.1.5", "Ok"), &d.final); break;
    case DECIDE_REFUSE: server_answer_rcpt(s->server, &d.refusal, NULL); break;
    }
    arena_done(&scratch);
}

/* ---- the session ---- */

static void session_free(struct session *s)
{
    struct receiver *r = s->receiver;

    tell_disconnect(s);
    drop_draft(s);
    buf_done(&s->header);
    timer_cancel(r->role.loop, &s->timer);
    stream_close(&s->stream);
    server_free(s->server);
    list_remove(&s->link);
    r->session_count--;
    memory_free(s);
    if (r->role.draining && list_empty(&r->sessions))
        role_end(&r->role, 0);
}

/* The client is gone, or must go now. A put under way still belongs to the session. */
static void session_drop(struct session *s)
{
    stream_close(&s->stream);
    if (!s->committing)
        session_free(s);
}

/* Everything was said: let the bytes leave, then close. STREAM_EOF tells when. */
static void session_finish(struct session *s)
{
    if (!stream_is_open(&s->stream)) {
        session_free(s);
        return;
    }
    timer_set(s->receiver->role.loop, &s->timer, DRAIN_TIMEOUT_MS);
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
        timer_set(s->receiver->role.loop, &s->timer,
                  s->ended_by_us ? DRAIN_TIMEOUT_MS : (uint64_t)server_timeout_s(s->server) * 1000);
    stream_flush(&s->stream);
}

/* Steps the engine until it wants something that is not there yet. What it ate is dropped from
 * the buffer only at the end, since body bytes are borrowed from it. */
static void session_run(struct session *s)
{
    size_t had = buf_len(&s->stream.in);
    struct cursor in = {buf_slice(&s->stream.in)};
    enum server_need need;

    do {
        need = server_step(s->server, &in, &s->stream.out);
        switch (need) {
        case SERVER_WANTS_CONNECT: answer_connect(s); break;
        case SERVER_WANTS_MAIL: answer_mail(s); break;
        case SERVER_WANTS_RCPT: answer_rcpt(s); break;
        case SERVER_BODY: keep_body(s); break;
        case SERVER_RESET: drop_draft(s); break;
        case SERVER_REFUSED:
            if (!s->ended_by_us) /* the client did nothing wrong */
                tell_refusal(s);
            break;
        case SERVER_WANTS_COMMIT: commit_message(s); break;
        case SERVER_WANTS_ROOM: stream_flush(&s->stream); break;
        case SERVER_WANTS_INPUT:
        case SERVER_DONE: break;
        }
        /* Without room the peer must read first: STREAM_DRAINED brings us back. */
        if (need == SERVER_WANTS_ROOM && buf_len(&s->stream.out) > 0)
            break;
    } while (!s->committing && need != SERVER_WANTS_INPUT && need != SERVER_DONE);
    buf_consume(&s->stream.in, had - in.rest.len);
    if (need == SERVER_DONE)
        session_finish(s);
    else if (s->committing)
        stream_flush(&s->stream);
    else
        session_wait(s);
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct session *s = LIST_ENTRY(stream, struct session, stream);

    switch (event) {
    case STREAM_READABLE: session_run(s); return;
    case STREAM_DRAINED:
        if (!s->committing)
            session_run(s); /* the engine may have stopped for want of room */
        return;
    case STREAM_EOF:
        if (s->stream.closing) {
            session_free(s);
            return;
        }
        tell_broken(s, SLICE("lost connection"));
        session_finish(s); /* it may still read our replies */
        return;
    case STREAM_FAILED:
        if (!s->stream.closing)
            tell_broken(s, SLICE("lost connection"));
        session_drop(s);
        return;
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
    tell_broken(s, SLICE("timeout"));
    s->ended_by_us = true;
    server_time_out(s->server);
    session_run(s);
}

static void on_accept(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own)
{
    struct entrance *entrance = LIST_ENTRY(l, struct entrance, listener);
    struct receiver *r = entrance->receiver;
    struct session *s = MEMORY_NEW(struct session);

    s->receiver = r;
    s->client_len = net_address_text(peer, s->client);
    s->local = net_address_is_loopback(peer) && net_address_is_loopback(own);
    s->server = server_new(&entrance->server, session_client(s));
    queue_in_draft_init(r->queue, &s->draft);
    timer_init(&s->timer, on_timeout);
    list_append(&r->sessions, &s->link);
    r->session_count++;
    tell_connect(s);
    if (stream_open(&s->stream, r->role.loop, handle, SESSION_IN_MAX, SERVER_OUT_MAX, on_stream) <
        0)
        session_free(s);
    else
        session_run(s);
}

/* ---- durability ---- */

static void put_finished(struct session *s)
{
    struct receiver *r = s->receiver;
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

        tell_message(s, (struct slice){id, sizeof(id)});
        server_answer(s->server, &reply);
    } else {
        server_answer(s->server, reply_of_error(code));
    }
    drop_draft(s);
    buf_done(&s->header);
    if (!stream_is_open(&s->stream)) {
        session_free(s);
        return;
    }
    if (r->role.draining) {
        s->ended_by_us = true;
        server_shut_down(s->server);
    }
    stream_resume(&s->stream);
    session_run(s);
}

static int send_mark(struct receiver *r, enum message_kind kind, uint64_t segment, uint64_t offset)
{
    struct buf body;

    buf_init(&body, 16);
    put_u64(&body, segment);
    put_u64(&body, offset);
    int code = channel_send(&r->courier, kind, buf_slice(&body), NULL, -1);
    buf_done(&body);
    return code;
}

/* One message per batch. A mark that the channel refuses is told again in a later round: without
 * it the mail would lie unread until the next one comes. */
static void publish(struct receiver *r)
{
    uint64_t segment, offset;

    queue_in_durable(r->queue, &segment, &offset);
    if (segment == r->told_segment && offset == r->told_offset)
        return;
    if (send_mark(r, MESSAGE_DURABLE, segment, offset) < 0)
        return;
    r->told_segment = segment;
    r->told_offset = offset;
}

/* The last word of a receiver whose sync failed: what lies above was never acknowledged. */
static void tell_last_good(struct receiver *r)
{
    uint64_t segment, offset;

    queue_in_durable(r->queue, &segment, &offset);
    (void)send_mark(r, MESSAGE_LAST_GOOD, segment, offset);
}

/* True when some session was answered. */
static bool answer_finished(struct receiver *r)
{
    struct list finished;

    list_init(&finished);
    queue_in_collect(r->queue, &finished);
    bool some = !list_empty(&finished);
    LIST_EACH (node, &finished) {
        list_remove(node);
        put_finished(LIST_ENTRY(node, struct session, put.ticket.link));
    }
    return some;
}

static void receiver_before_sleep(struct role *role)
{
    struct receiver *r = receiver_of(role);

    /* Answering may bring the next message of the same client, already in its buffer. */
    do
        queue_in_flush(r->queue);
    while (answer_finished(r));
    publish(r);
    if (queue_in_broken(r->queue) < 0 && role->failed == 0) {
        tell_last_good(r);
        role_end(role, queue_in_broken(r->queue));
    }
}

/* ---- the role ---- */

static size_t sessions_for(long files)
{
    if (files <= FILES_RESERVED)
        return 1;
    files -= FILES_RESERVED;
    return files < SESSIONS_MAX ? (size_t)files : SESSIONS_MAX;
}

static int receiver_start(struct role *role)
{
    struct receiver *r = receiver_of(role);
    char number[16];
    struct disk_dir *spool = NULL, *in = NULL;

    snprintf(number, sizeof(number), "%u", role->index);
    int code = disk_dir_make_path(role->doors->disk, role->settings->queue_path, 0700, &spool);
    if (code == 0)
        code = queue_in_make_dirs(spool, role->index, 0700);
    if (code == 0)
        code = disk_dir_open_at(spool, "in", &in);
    if (code == 0)
        code = disk_dir_open_at(in, number, &r->dir);
    disk_dir_close(in);
    disk_dir_close(spool);
    if (code < 0)
        return fail_code(code, "open the queue", role->settings->queue_path);
    struct queue_in_options options = {.dir = r->dir,
                                       .receiver = role->index,
                                       .mode = 0600,
                                       .min_free = role->settings->queue_min_free,
                                       .segment_size = role->doors->segment_size,
                                       .worker = role->worker,
                                       .clock = role->doors->clock,
                                       .random = role->doors->random};
    r->sessions_max = sessions_for(sysconf(_SC_OPEN_MAX));
    r->entrances = memory_new(role->settings->listener_count * sizeof(*r->entrances));
    for (size_t i = 0; i < role->settings->listener_count; i++)
        r->entrances[i].listener.watch.handle = -1;
    return queue_in_open(&options, &r->queue);
}

static void courier_message(struct channel *c, enum message_kind kind, struct slice body,
                            struct disk_file *file, int handle)
{
    (void)c, (void)kind, (void)body, (void)file, (void)handle; /* it has nothing to say to us */
}

static void courier_closed(struct channel *c)
{
    (void)c; /* we go on accepting: what is on disk is found by the next courier */
}

static void receiver_peer(struct role *role, enum role_kind kind, unsigned index, int handle)
{
    struct receiver *r = receiver_of(role);

    (void)index;
    if (kind != ROLE_COURIER) {
        role->doors->net->ops->close(role->doors->net, handle);
        return;
    }
    channel_close(&r->courier);
    if (channel_open(&r->courier, role->loop, handle, ROLE_RECEIVER, ROLE_COURIER, courier_message,
                     courier_closed) < 0)
        return;
    r->told_segment = r->told_offset = 0; /* this courier was told nothing yet */
    publish(r);
}

static void receiver_listen(struct role *role, unsigned number, int handle)
{
    struct receiver *r = receiver_of(role);

    if (number >= role->settings->listener_count) {
        role_end(role, -EBADMSG);
        return;
    }
    const struct settings_listener *l = &role->settings->listeners[number];
    struct entrance *e = &r->entrances[number];
    e->receiver = r;
    e->server = (struct server_settings){.hostname = role->settings->hostname,
                                         .max_size = l->max_size,
                                         .line_ends = l->line_ends,
                                         .rcpt_max = ENVELOPE_RCPTS_MAX,
                                         .error_max = 20,
                                         .received_max = RECEIVED_MAX};
    int code = listener_open(&e->listener, role->loop, handle, on_accept);
    if (code < 0)
        role_end(role, fail_code(code, "listen on", l->address));
}

static void on_drain_deadline(struct timer *t)
{
    role_end(&LIST_ENTRY(t, struct receiver, drain_deadline)->role, 0);
}

/* Sessions between mails get 421 at once; one that waits for its 250 gets that first. */
static void receiver_drain(struct role *role)
{
    struct receiver *r = receiver_of(role);

    for (size_t i = 0; i < role->settings->listener_count; i++)
        listener_close(&r->entrances[i].listener);
    LIST_EACH (node, &r->sessions) {
        struct session *s = LIST_ENTRY(node, struct session, link);

        if (s->committing || s->stream.closing)
            continue;
        s->ended_by_us = true;
        server_shut_down(s->server);
        session_run(s);
    }
    timer_set(role->loop, &r->drain_deadline, DRAIN_TIMEOUT_MS);
    if (list_empty(&r->sessions))
        role_end(role, 0);
}

static void receiver_done(struct role *role)
{
    struct receiver *r = receiver_of(role);

    if (r->queue != NULL)
        queue_in_stop(r->queue); /* a job may be at a session's draft */
    if (r->entrances != NULL)
        for (size_t i = 0; i < role->settings->listener_count; i++)
            listener_close(&r->entrances[i].listener);
    /* Drafts need the queue's folder, the queue's end needs the tickets in the sessions. */
    LIST_EACH (node, &r->sessions)
        drop_draft(LIST_ENTRY(node, struct session, link));
    if (r->queue != NULL)
        queue_in_close(r->queue);
    LIST_EACH (node, &r->sessions)
        session_free(LIST_ENTRY(node, struct session, link));
    memory_free(r->entrances);
    channel_close(&r->courier);
    timer_cancel(role->loop, &r->drain_deadline);
    disk_dir_close(r->dir);
}

struct role *receiver_new(const struct role_doors *doors, unsigned index, int warden_handle)
{
    static const struct role_calls calls = {.start = receiver_start,
                                            .peer = receiver_peer,
                                            .listen = receiver_listen,
                                            .drain = receiver_drain,
                                            .before_sleep = receiver_before_sleep,
                                            .done = receiver_done};
    struct receiver *r = MEMORY_NEW(struct receiver);

    list_init(&r->sessions);
    r->courier.watch.handle = -1;
    timer_init(&r->drain_deadline, on_drain_deadline);
    role_init(&r->role, ROLE_RECEIVER, index, doors, &calls, WORKER_THREADS, warden_handle);
    return &r->role;
}
