/*
 * courier.c - takes what is durable to where it belongs, and records what became of it.
 *
 * A claimed message is a parcel until each of its due recipients has a result. Local mail goes
 * to the postman in batches, many deliveries in one message; the results come back the same
 * way. An outcome is recorded only after the postman said that the mail is durable in its
 * mailbox; if the postman dies in between, the delivery is repeated with the order to look
 * first. Where mail goes is decided anew at each attempt, from the current settings.
 */
#include "roles/role.h"

#include "base/codec.h"
#include "base/fail.h"
#include "base/memory.h"
#include "mail/mailbox_path.h"
#include "mail/trace.h"
#include "queue/queue.h"
#include "roles/conversion.h"
#include "roles/delivery.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    RECEIVERS_MAX = 256,
    FLIGHTS_MAX = 8192,    /* recipients under way, but for the last message's */
    PARCELS_MAX = 2048,    /* messages under way to the postman */
    SYNC_DELAY_MS = 100,   /* outcomes are synced within this */
    RETRY_MS = 300 * 1000, /* a failed mailbox delivery */
    POSTMAN_AWAY_MS = 1000,
    WORKER_THREADS = 1,
};

/* One message under way. */
struct parcel {
    struct list link;
    struct queue_message *message;
    unsigned waiting; /* recipients without a result */
    uint64_t began_us;
    bool sending; /* its recipients are still being handed out */
    struct courier *courier;
    struct conversion *conversion; /* of a binary message */
    /* What mailboxes get: the message, or what the conversion made of it. */
    struct disk_file *file;
    uint64_t offset;
    uint64_t length;
};

/* One recipient of a parcel, found by the tag that travels. */
struct flight {
    struct parcel *parcel; /* NULL: free */
    unsigned rcpt;
    uint32_t generation;
    uint32_t next_free;
};

/* The channel to one receiver. */
struct receiver_end {
    struct channel channel;
    struct courier *courier;
    unsigned index;
};

struct courier {
    struct role role;
    struct disk_dir *spool;
    struct queue *queue;
    struct channel postman;
    struct receiver_end receivers[RECEIVERS_MAX];
    struct list parcels;
    size_t parcel_count;
    struct flight *flights;
    uint32_t flight_count;
    uint32_t free_flight; /* index + 1; 0: none */
    uint32_t flying;
    struct buf batch; /* deliveries not yet sent */
    uint32_t batch_count;
    struct disk_file *batch_file;
    struct timer due;
    struct timer sync;
};

static const struct slice tag_local = SLICE_INIT("local");
static const struct slice tag_qmgr = SLICE_INIT("qmgr");

static struct courier *courier_of(struct role *r)
{
    return LIST_ENTRY(r, struct courier, role);
}

static uint64_t now_ms(struct courier *c)
{
    return loop_now_ms(c->role.loop);
}

/* ---- flights: tags for recipients under way ---- */

static uint64_t flight_new(struct courier *c, struct parcel *p, unsigned rcpt)
{
    if (c->free_flight == 0) {
        uint32_t count = c->flight_count == 0 ? 1024 : c->flight_count * 2;

        c->flights = memory_resize(c->flights, count * sizeof(*c->flights));
        for (uint32_t i = c->flight_count; i < count; i++) {
            c->flights[i] = (struct flight){.next_free = c->free_flight};
            c->free_flight = i + 1;
        }
        c->flight_count = count;
    }
    uint32_t index = c->free_flight - 1;
    struct flight *f = &c->flights[index];
    c->free_flight = f->next_free;
    f->parcel = p;
    f->rcpt = rcpt;
    f->generation++;
    c->flying++;
    return (uint64_t)f->generation << 32 | index;
}

static bool flight_land(struct courier *c, uint64_t tag, struct parcel **parcel, unsigned *rcpt)
{
    uint32_t index = (uint32_t)tag;

    if (index >= c->flight_count)
        return false;
    struct flight *f = &c->flights[index];
    if (f->parcel == NULL || f->generation != tag >> 32)
        return false;
    *parcel = f->parcel;
    *rcpt = f->rcpt;
    f->parcel = NULL;
    c->flying--;
    f->next_free = c->free_flight;
    c->free_flight = index + 1;
    return true;
}

/* ---- what the log is told ---- */

struct verdict {
    struct slice relay;
    struct slice dsn;
    struct slice status;
    struct slice text;
};

static uint64_t since(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

static void tell_attempt(struct courier *c, const struct parcel *p, unsigned rcpt,
                         const struct verdict *v)
{
    const struct envelope *e = &p->message->envelope;
    uint64_t now = clock_wall_us(c->role.doors->clock);
    struct event_writer w = role_event(&c->role, EVENT_ATTEMPT, tag_local);
    char id[QUEUE_ID_LEN];

    queue_id_write(e->id, id);
    event_text(&w, FIELD_QUEUE_ID, (struct slice){id, sizeof(id)});
    role_event_address(&w, FIELD_RCPT, &e->rcpts[rcpt].final);
    if (!address_equal(&e->rcpts[rcpt].original, &e->rcpts[rcpt].final))
        role_event_address(&w, FIELD_ORIG_RCPT, &e->rcpts[rcpt].original);
    event_text(&w, FIELD_RELAY, v->relay);
    event_number(&w, FIELD_DELAY_US, since(now, e->arrival_us));
    event_number(&w, FIELD_DELAY_QUEUE_US, since(p->began_us, e->arrival_us));
    event_number(&w, FIELD_DELAY_SEND_US, since(now, p->began_us));
    event_text(&w, FIELD_ENHANCED, v->dsn);
    event_text(&w, FIELD_STATUS, v->status);
    event_text(&w, FIELD_TEXT, v->text);
    role_event_end(&c->role, &w);
}

static void tell_removed(struct courier *c, uint64_t id)
{
    struct event_writer w = role_event(&c->role, EVENT_REMOVED, tag_qmgr);
    char text[QUEUE_ID_LEN];

    queue_id_write(id, text);
    event_text(&w, FIELD_QUEUE_ID, (struct slice){text, sizeof(text)});
    role_event_end(&c->role, &w);
}

/* ---- parcels ---- */

static void parcel_end_if_done(struct courier *c, struct parcel *p)
{
    uint64_t id = p->message->envelope.id;

    if (p->sending || p->waiting > 0)
        return;
    if (queue_release(c->queue, p->message))
        tell_removed(c, id);
    list_remove(&p->link);
    c->parcel_count--;
    conversion_free(p->conversion);
    memory_free(p);
}

static void settle(struct courier *c, struct parcel *p, unsigned rcpt, enum queue_outcome outcome,
                   const struct verdict *v)
{
    tell_attempt(c, p, rcpt, v);
    queue_outcome(c->queue, p->message, rcpt, outcome, v->text);
}

static void defer(struct courier *c, struct parcel *p, unsigned rcpt, uint64_t in_ms,
                  const struct verdict *v)
{
    tell_attempt(c, p, rcpt, v);
    queue_defer(c->queue, p->message, rcpt,
                &(struct queue_retry){.at_ms = now_ms(c) + in_ms, .reason = v->text});
}

/* RFC 3463: 4.3.1 mail system full, 4.2.0 other mailbox trouble. */
static void defer_failed(struct courier *c, struct parcel *p, unsigned rcpt, int code)
{
    char text[160];
    bool full = code == -ENOSPC || code == -EDQUOT;
    int len = snprintf(text, sizeof(text), "cannot deliver to the maildir: %s; next try in 5 min",
                       strerrordesc_np(-code));
    struct verdict v = {
        tag_local, full ? SLICE("4.3.1") : SLICE("4.2.0"), SLICE("deferred"), {text, (size_t)len}
    };

    defer(c, p, rcpt, RETRY_MS, &v);
}

/* Told once for all of them, by who finds the postman away. */
static void defer_away(struct courier *c, struct parcel *p, unsigned rcpt)
{
    p->message->repeat = true;
    queue_postpone(c->queue, p->message, rcpt, now_ms(c) + POSTMAN_AWAY_MS);
}

static void landed(struct courier *c, const struct delivery_result *r)
{
    static const struct verdict sent = {SLICE_INIT("local"), SLICE_INIT("2.0.0"),
                                        SLICE_INIT("sent"), SLICE_INIT("delivered to maildir")};
    struct parcel *p;
    unsigned rcpt;

    if (!flight_land(c, r->tag, &p, &rcpt))
        return;
    if (r->result == 0)
        settle(c, p, rcpt, QUEUE_DELIVERED, &sent);
    else
        defer_failed(c, p, rcpt, r->result);
    p->waiting--;
    parcel_end_if_done(c, p);
}

/* ---- to the postman ---- */

/* The postman is gone, or hopelessly behind. */
static void take_back_batch(struct courier *c)
{
    struct cursor in = {buf_slice(&c->batch)};
    struct delivery d;
    struct parcel *p;
    unsigned rcpt;

    role_warn(&c->role, tag_qmgr, SLICE("the postman takes no more deliveries"));
    while (delivery_read(&in, &d)) {
        if (!flight_land(c, d.tag, &p, &rcpt))
            continue;
        defer_away(c, p, rcpt);
        p->waiting--;
        parcel_end_if_done(c, p);
    }
}

static void send_batch(struct courier *c)
{
    struct buf body;

    if (c->batch_count == 0)
        return;
    buf_init(&body, CHANNEL_MESSAGE_MAX);
    put_u32(&body, c->batch_count);
    buf_append(&body, buf_slice(&c->batch));
    if (channel_send(&c->postman, MESSAGE_DELIVER, buf_slice(&body), c->batch_file, -1) < 0)
        take_back_batch(c);
    buf_done(&body);
    buf_clear(&c->batch);
    c->batch_count = 0;
    c->batch_file = NULL;
}

static void add_to_batch(struct courier *c, struct disk_file *file, const struct delivery *d)
{
    if (c->batch_file != file)
        send_batch(c);
    c->batch_file = file;
    if (!delivery_write(&c->batch, d)) {
        send_batch(c);
        c->batch_file = file;
        delivery_write(&c->batch, d);
    }
    c->batch_count++;
}

/* <arrival s>.M<usec>Q<id>R<hash>.<host>: the same at every attempt, different for each
 * recipient, so that a repeated delivery finds its former self. */
static struct slice base_name(struct courier *c, const struct envelope *e, unsigned rcpt,
                              struct arena *arena)
{
    struct slice text = address_text(arena, &e->rcpts[rcpt].final);
    char id[QUEUE_ID_LEN];

    queue_id_write(e->id, id);
    return arena_printf(
        arena, "%llu.M%06lluQ%.*sR%08x%08x.%.*s", (unsigned long long)(e->arrival_us / 1000000),
        (unsigned long long)(e->arrival_us % 1000000), QUEUE_ID_LEN, id, crc32c(0, text),
        crc32c(1, text), SLICE_PRINTF(slice_head(c->role.settings->hostname, 128)));
}

static struct slice prefix(const struct queue_message *m, struct arena *arena)
{
    struct buf text;

    buf_init(&text, DELIVERY_PREFIX_MAX);
    trace_return_path_write(&text, &m->envelope.sender);
    buf_append(&text, m->header_block);
    struct slice copy = arena_copy(arena, buf_slice(&text));
    buf_done(&text);
    return copy;
}

static void send_to_maildir(struct courier *c, struct parcel *p, unsigned rcpt,
                            const struct decision *d)
{
    struct queue_message *m = p->message;
    struct arena arena = {0};
    struct slice rest;
    struct delivery out = {.offset = p->offset, .length = p->length, .repeat = m->repeat};

    if (!mailbox_template_split(d->path, &out.root, &rest) ||
        !mailbox_path_expand(rest, &d->final, &arena, &out.path)) {
        defer_failed(c, p, rcpt, -EINVAL);
        arena_done(&arena);
        return;
    }
    out.name = base_name(c, &m->envelope, rcpt, &arena);
    out.prefix = prefix(m, &arena);
    out.tag = flight_new(c, p, rcpt);
    p->waiting++;
    add_to_batch(c, p->file, &out);
    arena_done(&arena);
}

/* Own clients are told apart as at RCPT: loopback is local. */
static bool came_from_local(struct slice client)
{
    return slice_equal(client, SLICE("local")) || slice_equal(client, SLICE("::1")) ||
           slice_starts(client, SLICE("127."));
}

static void send_rcpt(struct courier *c, struct parcel *p, unsigned rcpt)
{
    static const struct verdict discarded = {SLICE_INIT("none"), SLICE_INIT("2.0.0"),
                                             SLICE_INIT("sent"), SLICE_INIT("discarded by rule")};
    static const struct verdict homeless = {
        SLICE_INIT("none"), SLICE_INIT("4.3.5"), SLICE_INIT("deferred"),
        SLICE_INIT("no rule accepts this recipient any more; kept in the queue")};
    static const struct verdict not_yet = {SLICE_INIT("none"), SLICE_INIT("4.3.5"),
                                           SLICE_INIT("deferred"),
                                           SLICE_INIT("not in this version; kept in the queue")};
    const struct envelope *e = &p->message->envelope;
    struct arena scratch = {0};
    struct rules_query query = {came_from_local(e->client_address), e->sender,
                                e->rcpts[rcpt].original};
    struct decision d =
        rules_decide(&c->role.settings->rules, &query, &e->rcpts[rcpt].final, &scratch);

    switch (d.kind) {
    case DECIDE_DISCARD: settle(c, p, rcpt, QUEUE_DISCARDED, &discarded); break;
    case DECIDE_REFUSE: defer(c, p, rcpt, RETRY_MS, &homeless); break;
    case DECIDE_MAILDIR: send_to_maildir(c, p, rcpt, &d); break;
    case DECIDE_LMTP:
    case DECIDE_RELAY: defer(c, p, rcpt, RETRY_MS, &not_yet); break;
    }
    arena_done(&scratch);
}

static void send_rcpts(struct courier *c, struct parcel *p)
{
    for (unsigned i = 0; i < p->message->envelope.rcpt_count; i++)
        if (p->message->rcpts[i].due)
            send_rcpt(c, p, i);
    p->sending = false;
    parcel_end_if_done(c, p);
}

static void defer_all(struct courier *c, struct parcel *p, int code)
{
    for (unsigned i = 0; i < p->message->envelope.rcpt_count; i++)
        if (p->message->rcpts[i].due)
            defer_failed(c, p, i, code);
    p->sending = false;
    parcel_end_if_done(c, p);
}

/* ---- binary messages ---- */

static void warn_unconverted(struct courier *c, const struct parcel *p)
{
    char id[QUEUE_ID_LEN], text[160];

    queue_id_write(p->message->envelope.id, id);
    int len =
        snprintf(text, sizeof(text),
                 "%.*s: binary, and signed, encrypted or broken: delivered with its line ends "
                 "changed, not converted",
                 QUEUE_ID_LEN, id);
    role_warn(&c->role, tag_local, (struct slice){text, (size_t)len});
}

static void converted(void *ctx)
{
    struct parcel *p = ctx;
    struct disk_file *file;
    uint64_t length;
    int code = conversion_result(p->conversion, &file, &length);

    if (code < 0 && code != -EILSEQ) {
        defer_all(p->courier, p, code);
        return;
    }
    if (code == 0) {
        p->file = file;
        p->offset = 0;
        p->length = length;
    } else {
        warn_unconverted(p->courier, p);
    }
    send_rcpts(p->courier, p);
}

static void convert(struct courier *c, struct parcel *p)
{
    struct conversion_input input = {.spool = c->spool,
                                     .worker = c->role.worker,
                                     .file = p->file,
                                     .offset = p->offset,
                                     .length = p->length};
    int code = conversion_start(&input, converted, p, &p->conversion);

    if (code < 0)
        defer_all(c, p, code);
}

static void send_message(struct courier *c, struct queue_message *m)
{
    struct parcel *p = MEMORY_NEW(struct parcel);

    p->message = m;
    p->courier = c;
    p->file = m->file;
    p->offset = m->offset;
    p->length = m->length;
    p->began_us = clock_wall_us(c->role.doors->clock);
    p->sending = true;
    list_append(&c->parcels, &p->link);
    c->parcel_count++;
    if (m->envelope.body == BODY_BINARYMIME)
        convert(c, p);
    else
        send_rcpts(c, p);
}

static void arm_due(struct courier *c)
{
    uint64_t at;

    if (c->role.draining || !queue_next_due(c->queue, &at))
        timer_cancel(c->role.loop, &c->due);
    else if (at > now_ms(c))
        timer_set(c->role.loop, &c->due, at - now_ms(c));
}

static void pump(struct courier *c)
{
    struct queue_message *m;

    /* Without a postman mail waits, whatever is due. */
    while (!c->role.draining && channel_is_open(&c->postman) && c->parcel_count < PARCELS_MAX &&
           c->flying < FLIGHTS_MAX && (m = queue_claim(c->queue, now_ms(c))) != NULL)
        send_message(c, m);
    send_batch(c);
    arm_due(c);
}

static void on_due(struct timer *t)
{
    (void)t; /* the loop woke; before_sleep pumps */
}

static void on_sync(struct timer *t)
{
    queue_sync(LIST_ENTRY(t, struct courier, sync)->queue);
}

static void courier_before_sleep(struct role *role)
{
    struct courier *c = courier_of(role);

    pump(c);
    queue_flush(c->queue);
    queue_collect(c->queue);
    if (queue_wants_sync(c->queue) && !timer_is_set(&c->sync))
        timer_set(role->loop, &c->sync, role->draining ? 0 : SYNC_DELAY_MS);
    if (queue_broken(c->queue) < 0)
        role_end(role, queue_broken(c->queue));
    else if (role->draining && c->parcel_count == 0 && !queue_busy(c->queue))
        role_end(role, 0);
}

/* ---- peers ---- */

static void postman_message(struct channel *channel, enum message_kind kind, struct slice body,
                            struct disk_file *file, int handle)
{
    struct courier *c = LIST_ENTRY(channel, struct courier, postman);
    struct cursor in = {body};
    struct delivery_result r;
    uint32_t count;

    (void)kind, (void)file, (void)handle; /* the matrix allows DELIVERED only */
    if (!get_u32(&in, &count))
        return;
    while (delivery_result_read(&in, &r))
        landed(c, &r);
}

/* Whatever was under way may or may not lie in its mailbox. */
static void postman_closed(struct channel *channel)
{
    struct courier *c = LIST_ENTRY(channel, struct courier, postman);

    for (uint32_t i = 0; i < c->flight_count; i++) {
        uint64_t tag = (uint64_t)c->flights[i].generation << 32 | i;
        struct parcel *p;
        unsigned rcpt;

        if (!flight_land(c, tag, &p, &rcpt))
            continue;
        defer_away(c, p, rcpt);
        p->waiting--;
        parcel_end_if_done(c, p);
    }
    buf_clear(&c->batch);
    c->batch_count = 0;
    c->batch_file = NULL;
    role_warn(&c->role, tag_qmgr, SLICE("the postman is away: mail waits in the queue"));
}

static void receiver_message(struct channel *channel, enum message_kind kind, struct slice body,
                             struct disk_file *file, int handle)
{
    struct receiver_end *end = LIST_ENTRY(channel, struct receiver_end, channel);
    struct cursor in = {body};
    uint64_t segment, offset;

    (void)file, (void)handle;
    if (!get_u64(&in, &segment) || !get_u64(&in, &offset))
        return;
    if (kind == MESSAGE_LAST_GOOD)
        queue_last_good(end->courier->queue, end->index, segment, offset);
    else
        queue_durable(end->courier->queue, end->index, segment, offset);
}

static void receiver_closed(struct channel *channel)
{
    struct receiver_end *end = LIST_ENTRY(channel, struct receiver_end, channel);

    queue_receiver_ended(end->courier->queue, end->index);
}

static void meet_receiver(struct courier *c, unsigned index, int handle)
{
    struct receiver_end *end = &c->receivers[index];

    if (channel_is_open(&end->channel)) { /* its end was not noticed yet */
        channel_close(&end->channel);
        queue_receiver_ended(c->queue, index);
    }
    channel_open(&end->channel, c->role.loop, handle, ROLE_COURIER, ROLE_RECEIVER, receiver_message,
                 receiver_closed);
}

static void meet_postman(struct courier *c, int handle)
{
    if (channel_is_open(&c->postman)) {
        channel_close(&c->postman);
        postman_closed(&c->postman);
    }
    channel_open(&c->postman, c->role.loop, handle, ROLE_COURIER, ROLE_POSTMAN, postman_message,
                 postman_closed);
}

static void courier_peer(struct role *role, enum role_kind kind, unsigned index, int handle)
{
    struct courier *c = courier_of(role);

    if (kind == ROLE_RECEIVER && index < RECEIVERS_MAX)
        meet_receiver(c, index, handle);
    else if (kind == ROLE_POSTMAN)
        meet_postman(c, handle);
    else
        role->doors->net->ops->close(role->doors->net, handle);
}

/* ---- the role ---- */

static int courier_start(struct role *role)
{
    struct courier *c = courier_of(role);
    int code = disk_dir_make_path(role->doors->disk, role->settings->queue_path, 0700, &c->spool);

    if (code == 0)
        code = queue_make_dirs(c->spool, 0700);
    if (code < 0)
        return fail_code(code, "open the queue", role->settings->queue_path);
    struct queue_options options = {.spool = c->spool,
                                    .mode = 0600,
                                    .segment_size = role->doors->segment_size,
                                    .worker = role->worker,
                                    .clock = role->doors->clock,
                                    .random = role->doors->random};
    code = queue_open(&options, &c->queue);
    if (code == 0)
        queue_receivers_are(c->queue, role->receivers);
    return code;
}

static void courier_drain(struct role *role)
{
    struct courier *c = courier_of(role);

    timer_cancel(role->loop, &c->due);
    queue_drain(c->queue);
    if (queue_wants_sync(c->queue))
        queue_sync(c->queue);
}

static void courier_done(struct role *role)
{
    struct courier *c = courier_of(role);

    LIST_EACH (node, &c->parcels) {
        struct parcel *p = LIST_ENTRY(node, struct parcel, link);

        conversion_free(p->conversion);
        queue_release(c->queue, p->message);
        list_remove(&p->link);
        memory_free(p);
    }
    channel_close(&c->postman);
    for (unsigned i = 0; i < RECEIVERS_MAX; i++)
        channel_close(&c->receivers[i].channel);
    timer_cancel(role->loop, &c->due);
    timer_cancel(role->loop, &c->sync);
    if (c->queue != NULL)
        queue_close(c->queue);
    disk_dir_close(c->spool);
    memory_free(c->flights);
    buf_done(&c->batch);
}

struct role *courier_new(const struct role_doors *doors, int warden_handle)
{
    static const struct role_calls calls = {.start = courier_start,
                                            .peer = courier_peer,
                                            .drain = courier_drain,
                                            .before_sleep = courier_before_sleep,
                                            .done = courier_done};
    struct courier *c = MEMORY_NEW(struct courier);

    list_init(&c->parcels);
    buf_init(&c->batch, CHANNEL_MESSAGE_MAX - 64);
    c->postman.watch.handle = -1;
    for (unsigned i = 0; i < RECEIVERS_MAX; i++) {
        c->receivers[i].channel.watch.handle = -1;
        c->receivers[i].courier = c;
        c->receivers[i].index = i;
    }
    timer_init(&c->due, on_due);
    timer_init(&c->sync, on_sync);
    role_init(&c->role, ROLE_COURIER, 0, doors, &calls, WORKER_THREADS, warden_handle);
    return &c->role;
}
