/*
 * courier.c - takes what is durable to where it belongs.
 *
 * A claimed message is a parcel until each of its due recipients has a result (roles/parcel).
 * Mailboxes are the postman's (roles/local), other servers are reached by roles/outbound. Where
 * mail goes is decided anew at each attempt, from the current settings.
 */
#include "roles/role.h"

#include "base/fail.h"
#include "base/memory.h"
#include "queue/queue.h"
#include "roles/bearers.h"
#include "roles/control.h"
#include "roles/fetches.h"
#include "roles/inquiry.h"
#include "roles/local.h"
#include "roles/outbound.h"
#include "roles/parcel.h"
#include "roles/pauses.h"
#include "roles/reports.h"
#include "roles/wakes.h"
#include "roles/way.h"

enum {
    RECEIVERS_MAX = REPORTS_RECEIVER, /* that number is the courier's own */
    CLAIMS_MAX = 500,                 /* in one round of the loop */
    SYNC_DELAY_MS = 100,              /* outcomes are synced within this */
    MAILBOX_LANE = 0,                 /* outbound counts its own from 1 */
    WORKER_THREADS = 4,               /* outcomes, submissions, reports, what makes room for them */
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
    struct receiver_end receivers[RECEIVERS_MAX];
    struct reports reports;
    struct parcels parcels;
    struct pauses *pauses;
    struct local *local;
    struct queue_lane mailboxes; /* who waits for room at the postman */
    struct outbound *outbound;
    struct inquiries *inquiries;
    struct channel vault;
    struct bearers bearers;
    struct fetches *fetches;
    struct control *control;
    struct wakes *wakes;
    struct timer due;
    struct timer sync;
};

static struct courier *courier_of(struct role *r)
{
    return LIST_ENTRY(r, struct courier, role);
}

static uint64_t now_ms(struct courier *c)
{
    return loop_now_ms(c->role.loop);
}

/* ---- where mail goes ---- */

static void send_rcpt(struct courier *c, struct parcel *p, unsigned rcpt, bool local_room)
{
    static const struct verdict discarded = {.tag = SLICE_INIT("local"),
                                             .relay = SLICE_INIT("none"),
                                             .dsn = SLICE_INIT("2.0.0"),
                                             .text = SLICE_INIT("discarded by rule")};
    static const struct verdict homeless = {
        .tag = SLICE_INIT("local"),
        .relay = SLICE_INIT("none"),
        .dsn = SLICE_INIT("4.3.5"),
        .text = SLICE_INIT("no rule accepts this recipient any more; kept in the queue")};
    struct decision d =
        way_of(&c->role.settings->rules, &p->message->envelope, rcpt, &p->message->arena);

    if (d.rule != NULL && d.rule->holds && !p->message->rcpts[rcpt].passed) {
        parcel_held(p, rcpt, d.rule);
        return;
    }
    switch (d.kind) {
    case DECIDE_DISCARD: parcel_discarded(p, rcpt, &discarded); break;
    case DECIDE_REFUSE: parcel_deferred(p, rcpt, &retry_plan_default, true, &homeless); break;
    case DECIDE_MAILDIR:
        if (local_room)
            local_take(c->local, p, rcpt, &d);
        else
            queue_park(c->queue, p->message, rcpt, &c->mailboxes);
        break;
    case DECIDE_LMTP:
    case DECIDE_RELAY: outbound_take(c->outbound, p->message, rcpt, &d); break;
    }
}

/* Its client was told 250, as it was for the first one: nobody hears of it. */
static void close_duplicate(struct parcel *p)
{
    struct verdict closed = {.tag = SLICE("local"), .relay = SLICE("none"), .dsn = SLICE("2.0.0")};
    char id[QUEUE_ID_LEN];

    queue_id_write(p->message->duplicate_of, id);
    closed.text = arena_printf(&p->message->arena, "duplicate of %.*s", QUEUE_ID_LEN, id);
    for (unsigned i = 0; i < p->message->envelope.rcpt_count; i++)
        if (p->message->rcpts[i].due)
            parcel_discarded(p, i, &closed);
    parcel_drop(p);
}

static void send_message(struct courier *c, struct queue_message *m)
{
    struct parcel *p = parcel_new(&c->parcels, m);
    bool local_room = local_has_room(c->local);

    if (m->duplicate_of != 0) {
        close_duplicate(p);
        return;
    }
    queue_hold_back(c->queue, m, now_ms(c));
    (void)pauses_take(c->pauses, m);
    for (unsigned i = 0; i < m->envelope.rcpt_count; i++)
        if (m->rcpts[i].due)
            send_rcpt(c, p, i, local_room);
    local_go(c->local, p);
    parcel_drop(p);
}

static void arm_due(struct courier *c)
{
    uint64_t at;

    if (c->role.draining || !queue_next_due(c->queue, &at))
        timer_cancel(c->role.loop, &c->due);
    else if (at > now_ms(c))
        timer_set(c->role.loop, &c->due, at - now_ms(c));
    else
        loop_wake(c->role.loop); /* it came back behind this round's claims */
}

/* Without a postman, or when mailboxes are slow, their mail waits in its lane, and no other's. */
static struct queue_message *next_message(struct courier *c)
{
    struct queue_message *m = NULL;

    if (local_has_room(c->local))
        m = queue_claim_lane(c->queue, &c->mailboxes, now_ms(c));
    return m != NULL ? m : queue_claim(c->queue, now_ms(c));
}

static void claim_some(struct courier *c)
{
    struct queue_message *m;

    for (unsigned i = 0; i < CLAIMS_MAX; i++) {
        if (c->role.draining)
            return;
        m = next_message(c);
        if (m == NULL)
            return;
        send_message(c, m);
    }
    loop_wake(c->role.loop); /* there may be more */
}

static void on_due(struct timer *t)
{
    (void)t; /* the loop woke; before_sleep claims */
}

static void on_sync(struct timer *t)
{
    queue_sync(LIST_ENTRY(t, struct courier, sync)->queue);
}

static bool is_at_rest(struct courier *c)
{
    return c->parcels.count == 0 && outbound_is_idle(c->outbound) && !queue_busy(c->queue) &&
           !reports_busy(&c->reports);
}

/* One that cannot be sent is lost: the client's wait has an end, and it comes again. */
static void answer_receivers(struct courier *c)
{
    struct answer a;
    struct buf body;
    unsigned receiver;

    while (inquiries_next(c->inquiries, &receiver, &a)) {
        buf_init(&body, QUESTION_MAX);
        if (answer_write(&body, &a))
            (void)channel_send(&c->receivers[receiver].channel, MESSAGE_ASKED, buf_slice(&body),
                               NULL, -1);
        buf_done(&body);
    }
}

/* Who waited for it to be still goes on in the next round. */
static void collect_queue(struct courier *c)
{
    bool still = queue_is_still(c->queue);

    queue_collect(c->queue);
    if (!still && queue_is_still(c->queue))
        loop_wake(c->role.loop);
}

static void courier_before_sleep(struct role *role)
{
    struct courier *c = courier_of(role);

    reports_collect(&c->reports);
    control_pump(c->control);
    if (!role->draining)
        wakes_pump(c->wakes);
    answer_receivers(c);
    claim_some(c);
    outbound_pump(c->outbound);
    local_flush(c->local);
    reports_flush(&c->reports);
    queue_flush(c->queue);
    collect_queue(c);
    control_answer(c->control);
    arm_due(c); /* what was being carried may have become due meanwhile */
    if (queue_wants_sync(c->queue) && !timer_is_set(&c->sync))
        timer_set(role->loop, &c->sync, role->draining ? 0 : SYNC_DELAY_MS);
    if (queue_broken(c->queue) < 0)
        role_end(role, queue_broken(c->queue));
    else if (reports_broken(&c->reports) < 0)
        role_end(role, reports_broken(&c->reports));
    else if (role->draining && is_at_rest(c))
        role_end(role, 0);
}

/* ---- peers ---- */

static void take_question(struct receiver_end *end, struct slice body)
{
    struct arena scratch = {0};
    struct cursor in = {body};
    struct question q;

    if (question_read(&in, &scratch, &q))
        inquiries_ask(end->courier->inquiries, end->index, &q);
    arena_done(&scratch);
}

static void take_mark(struct receiver_end *end, enum message_kind kind, struct slice body)
{
    struct cursor in = {body};
    uint64_t segment, offset;

    if (!get_u64(&in, &segment) || !get_u64(&in, &offset))
        return;
    if (kind == MESSAGE_LAST_GOOD)
        queue_last_good(end->courier->queue, end->index, segment, offset);
    else
        queue_durable(end->courier->queue, end->index, segment, offset);
}

static void receiver_message(struct channel *channel, enum message_kind kind, struct slice body,
                             struct disk_file *file, int handle)
{
    struct receiver_end *end = LIST_ENTRY(channel, struct receiver_end, channel);

    (void)file, (void)handle;
    if (kind == MESSAGE_ASK)
        take_question(end, body);
    else if (kind == MESSAGE_ETRN)
        wakes_ask(end->courier->wakes, body);
    else
        take_mark(end, kind, body);
}

static void receiver_ended(struct courier *c, unsigned index)
{
    inquiries_receiver_ended(c->inquiries, index);
    queue_receiver_ended(c->queue, index);
}

static void receiver_closed(struct channel *channel)
{
    struct receiver_end *end = LIST_ENTRY(channel, struct receiver_end, channel);

    role_parted(&end->courier->role, channel);
    receiver_ended(end->courier, end->index);
}

static void meet_receiver(struct courier *c, unsigned index, int handle)
{
    struct receiver_end *end = &c->receivers[index];

    if (channel_is_open(&end->channel)) { /* its end was not noticed yet */
        channel_close(&end->channel);
        receiver_ended(c, index);
    }
    role_meet(&c->role, &end->channel, handle, ROLE_RECEIVER, receiver_message, receiver_closed);
}

static bool send_wish(void *ctx, const struct token_wish *wish)
{
    struct courier *c = ctx;
    struct buf body;
    bool sent = false;

    buf_init(&body, TOKEN_BODY_MAX);
    if (channel_is_open(&c->vault) && token_wish_write(&body, wish))
        sent = channel_send(&c->vault, MESSAGE_TOKEN, buf_slice(&body), NULL, -1) == 0;
    buf_done(&body);
    return sent;
}

static void take_token(struct courier *c, struct slice body)
{
    struct cursor in = {body};
    struct token_answer a;

    if (token_answer_read(&in, &a))
        bearers_answered(&c->bearers, &a);
}

static void vault_message(struct channel *channel, enum message_kind kind, struct slice body,
                          struct disk_file *file, int handle)
{
    struct courier *c = LIST_ENTRY(channel, struct courier, vault);

    (void)file, (void)handle; /* the matrix allows FETCH and TOKEN_ANSWER only */
    if (kind == MESSAGE_FETCH)
        fetches_take(c->fetches, body);
    else
        take_token(c, body);
}

static void vault_closed(struct channel *channel)
{
    struct courier *c = LIST_ENTRY(channel, struct courier, vault);

    role_parted(&c->role, channel);
    fetches_forget(c->fetches);
}

static void meet_vault(struct courier *c, int handle)
{
    channel_close(&c->vault); /* its end was not noticed yet */
    fetches_forget(c->fetches);
    role_meet(&c->role, &c->vault, handle, ROLE_VAULT, vault_message, vault_closed);
    bearers_vault_is_back(&c->bearers);
}

static void courier_peer(struct role *role, enum role_kind kind, unsigned index, int handle)
{
    struct courier *c = courier_of(role);

    if (kind == ROLE_RECEIVER && index < RECEIVERS_MAX)
        meet_receiver(c, index, handle);
    else if (kind == ROLE_POSTMAN)
        local_meet(c->local, handle);
    else if (kind == ROLE_VAULT)
        meet_vault(c, handle);
    else
        role->doors->net->ops->close(role->doors->net, handle);
}

/* People are to reach a courier that is short of something: then it ends, and is handed all anew.
 */
static void courier_listen(struct role *role, unsigned number, int handle)
{
    (void)number; /* there is one */
    int code = control_listen(courier_of(role)->control, handle);
    if (code < 0)
        role_end(role, fail_code(code, "listen on", SLICE("the control socket")));
}

/* ---- the role ---- */

static int open_queue(struct courier *c)
{
    struct role *role = &c->role;
    struct queue_options options = {.spool = c->spool,
                                    .mode = 0600,
                                    .segment_size = role->doors->segment_size,
                                    .worker = role->worker,
                                    .clock = role->doors->clock,
                                    .random = role->doors->random};
    int code = queue_open(&options, &c->queue);

    if (code == 0)
        queue_receivers_are(c->queue, role->receivers);
    return code;
}

static int courier_start(struct role *role)
{
    struct courier *c = courier_of(role);
    int code = role_folder(role, role->settings->queue_path, &c->spool);

    if (code == 0)
        code = queue_make_dirs(c->spool, 0700);
    if (code < 0)
        return fail_code(code, "open the queue", role->settings->queue_path);
    code = open_queue(c);
    if (code < 0)
        return code;
    reports_init(&c->reports, role, c->queue, c->spool);
    parcels_init(&c->parcels, role, c->queue, &c->reports);
    c->pauses = pauses_new(role, c->queue, c->spool);
    c->local = local_new(role, c->spool);
    queue_lane_init(&c->mailboxes, MAILBOX_LANE);
    bearers_init(&c->bearers, role->loop, send_wish, c);
    c->outbound = outbound_new(role, c->queue, &c->parcels, c->pauses, &c->bearers, c->spool);
    c->wakes = wakes_new(role, c->queue, c->outbound);
    c->inquiries = inquiries_new(c->outbound);
    c->fetches = fetches_new(c->outbound, &c->vault);
    c->control = control_new(role, c->queue, &c->parcels, c->pauses, c->outbound);
    return 0;
}

/* Where mail goes is decided by the new ones from here on, also for what waits in a lane. */
static int courier_reload(struct role *role, const struct settings *old)
{
    struct courier *c = courier_of(role);

    (void)old; /* who holds them still is a connection that is under way */
    inquiries_forget(c->inquiries);
    fetches_halt(c->fetches);
    outbound_reload(c->outbound);
    fetches_go_on(c->fetches);
    return 0;
}

static void courier_reloaded(struct role *role, bool serves)
{
    control_reloaded(courier_of(role)->control, serves);
}

static void courier_drain(struct role *role)
{
    struct courier *c = courier_of(role);

    timer_cancel(role->loop, &c->due);
    outbound_drain(c->outbound);
    queue_drain(c->queue);
    if (queue_wants_sync(c->queue))
        queue_sync(c->queue);
}

static void close_queue(struct courier *c)
{
    control_free(c->control);
    wakes_free(c->wakes);
    fetches_free(c->fetches);
    inquiries_free(c->inquiries);
    outbound_free(c->outbound);
    bearers_done(&c->bearers);
    local_free(c->local);
    reports_done(&c->reports);
    parcels_done(&c->parcels);
    pauses_free(c->pauses);
    queue_lane_done(c->queue, &c->mailboxes);
    queue_close(c->queue);
}

static void courier_done(struct role *role)
{
    struct courier *c = courier_of(role);

    if (c->outbound != NULL)
        close_queue(c);
    for (unsigned i = 0; i < RECEIVERS_MAX; i++)
        channel_close(&c->receivers[i].channel);
    channel_close(&c->vault);
    timer_cancel(role->loop, &c->due);
    timer_cancel(role->loop, &c->sync);
    disk_dir_close(c->spool);
}

struct role *courier_new(const struct role_doors *doors, int warden_handle)
{
    static const struct role_calls calls = {.start = courier_start,
                                            .reload = courier_reload,
                                            .reloaded = courier_reloaded,
                                            .peer = courier_peer,
                                            .listen = courier_listen,
                                            .drain = courier_drain,
                                            .before_sleep = courier_before_sleep,
                                            .done = courier_done};
    struct courier *c = MEMORY_NEW(struct courier);

    for (unsigned i = 0; i < RECEIVERS_MAX; i++) {
        c->receivers[i].channel.watch.handle = -1;
        c->receivers[i].courier = c;
        c->receivers[i].index = i;
    }
    c->vault.watch.handle = -1;
    timer_init(&c->due, on_due);
    timer_init(&c->sync, on_sync);
    role_init(&c->role, ROLE_COURIER, 0, doors, &calls, WORKER_THREADS, warden_handle);
    return &c->role;
}
