/*
 * world.c - receivers, a courier and a model of what they promised, on a disk that forgets.
 *
 * The promises:
 *   1. A message whose ticket finished with 0 is delivered to each of its recipients, whatever
 *      dies in between.
 *   2. What is delivered is what was put, byte for byte.
 *   3. A recipient with a durable outcome is never seen again.
 *   4. Nothing is delivered twice within one life of the courier; and a second delivery after a
 *      restart is announced by `repeat`.
 *   5. When all is delivered, no file stays behind but the newest segments.
 *   6. Of messages with one fingerprint one is delivered, and no other; on a disk that is full or
 *      fails at least one.
 */
#include "crash/world.h"

#include "base/fail.h"
#include "base/memory.h"
#include "fakes/clock.h"
#include "fakes/disk.h"
#include "fakes/random.h"
#include "fakes/worker.h"
#include "queue/queue.h"
#include "queue/queue_in.h"

#include <stdio.h>
#include <string.h>

enum { RECEIVERS = 2, MESSAGES_MAX = 200, RCPTS_MAX = 3, LANES = 2, ONCE_IN_SEGMENT = 30 };

struct message {
    uint64_t id;
    uint64_t length;
    unsigned rcpts;
    unsigned receiver;
    unsigned mail; /* copies have the same; 0: it has no fingerprint */
    bool in_flight;
    bool acknowledged;
    bool closed; /* as a copy */
    bool delivered[RCPTS_MAX];
    bool noted[RCPTS_MAX];   /* queue_outcome() was called in this life of the courier */
    bool settled[RCPTS_MAX]; /* and is durable */
    char header[40];         /* must outlive the ticket */
    struct draft draft;
    struct queue_ticket put;
};

struct world {
    struct world_plan plan;
    struct fake_clock clock;
    struct fake_random chance; /* of the schedule */
    struct fake_random random; /* of the program */
    struct random no_random;
    uint64_t segment_bytes; /* small ones come round often */
    struct fake_worker worker;
    struct fake_disk *disk;
    struct disk_dir *spool;
    struct disk_dir *dirs[RECEIVERS];
    struct queue_in *in[RECEIVERS];
    struct queue *out;
    struct message messages[MESSAGES_MAX];
    unsigned count;
    unsigned mails; /* with a fingerprint */
    const char *broken;
    struct queue_lane lanes[LANES];
    struct queue_message *held; /* a claim that takes its time, while others come and go */
};

static uint64_t draw(struct world *w, uint64_t below)
{
    return random_below(&w->chance.random, below);
}

static void broken(struct world *w, const char *promise)
{
    if (w->broken == NULL)
        w->broken = promise;
}

/* --- messages --- */

static char body_byte(uint64_t id, uint64_t at)
{
    return (char)((id * 31 + at * 7 + at / 251) & 0xff);
}

static size_t header_text(uint64_t id, char out[40])
{
    return (size_t)snprintf(out, 40, "X-Id: %llu\r\n", (unsigned long long)id);
}

static uint64_t draw_length(struct world *w)
{
    switch (draw(w, 12)) {
    case 0: return DRAFT_MEMORY_MAX + draw(w, 60000); /* a file of its own */
    case 1: return draw(w, w->segment_bytes < 256 * 1024 ? 5000 : 120000);
    case 2: return 0;
    default: return draw(w, 3000);
    }
}

static bool fill_draft(struct message *m)
{
    char piece[4096];

    for (uint64_t at = 0; at < m->length;) {
        size_t len = 0;

        for (; len < sizeof(piece) && at < m->length; len++, at++)
            piece[len] = body_byte(m->id, at);
        if (draft_append(&m->draft, (struct slice){piece, len}) < 0)
            return false;
    }
    return true;
}

/* A client tries again soon, or a receiver later. */
static const struct message *draw_first(struct world *w)
{
    const struct message *m = w->count == 0 ? NULL : &w->messages[w->count - 1 - draw(w, w->count)];

    if (draw(w, 2) == 0 && w->count > 0)
        m = &w->messages[w->count - 1];
    return m != NULL && m->mail != 0 ? m : NULL;
}

/* A mail that may come again, or one that does. */
static void draw_mail(struct world *w, struct message *m)
{
    const struct message *first = draw_first(w);

    m->rcpts = 1 + (unsigned)draw(w, RCPTS_MAX);
    if (first != NULL && draw(w, 2) == 0) {
        m->mail = first->mail;
        m->rcpts = first->rcpts;
    } else if (draw(w, 2) == 0) {
        m->mail = ++w->mails;
    }
}

static struct slice fingerprint_of(const struct message *m, char out[ENVELOPE_FINGERPRINT])
{
    memset(out, 0, ENVELOPE_FINGERPRINT);
    memcpy(out, &m->mail, sizeof(m->mail));
    return (struct slice){out, m->mail == 0 ? 0 : ENVELOPE_FINGERPRINT};
}

static void put_message(struct world *w, unsigned receiver)
{
    static const struct address user = {ADDRESS_MAILBOX, SLICE_INIT("user"),
                                        SLICE_INIT("example.org"), false};
    struct envelope_rcpt rcpts[RCPTS_MAX] = {
        {.original = user, .final = user},
        {.original = user, .final = user},
        {.original = user, .final = user}
    };
    struct envelope e = {.sender = user,
                         .helo = SLICE_INIT("client.example.org"),
                         .client_address = SLICE_INIT("192.0.2.1"),
                         .proto = SLICE_INIT("ESMTP"),
                         .rcpts = rcpts};

    if (w->in[receiver] == NULL || w->count == MESSAGES_MAX)
        return;
    struct message *m = &w->messages[w->count];
    char fingerprint[ENVELOPE_FINGERPRINT];
    struct message drawn = {.length = draw_length(w), .receiver = receiver};
    draw_mail(w, &drawn);
    *m = drawn;
    e.rcpt_count = m->rcpts;
    e.fingerprint = fingerprint_of(m, fingerprint);
    m->id = e.id = queue_in_next_id(w->in[receiver]);
    e.arrival_us = w->clock.wall_now_us;
    if (m->id == 0)
        return;
    for (unsigned i = 0; i < w->count; i++) {
        if (w->messages[i].id == m->id)
            broken(w, "the same id twice");
    }
    w->count++;
    queue_in_draft_init(w->in[receiver], &m->draft);
    draft_begin(&m->draft, m->id);
    if (!fill_draft(m)) {
        draft_end(&m->draft);
        return;
    }
    size_t len = header_text(m->id, m->header);
    m->in_flight = true;
    queue_put(w->in[receiver], &e, (struct slice){m->header, len}, &m->draft, &m->put);
}

static void take_acknowledgements(struct world *w, unsigned receiver)
{
    struct list finished;

    if (w->in[receiver] == NULL)
        return;
    list_init(&finished);
    queue_in_collect(w->in[receiver], &finished);
    LIST_EACH (node, &finished) {
        struct message *m = LIST_ENTRY(node, struct message, put.ticket.link);

        list_remove(node);
        m->in_flight = false;
        m->acknowledged = m->put.ticket.result == 0;
        draft_end(&m->draft);
    }
}

static void publish(struct world *w, unsigned receiver)
{
    uint64_t segment, offset;

    if (w->in[receiver] == NULL || w->out == NULL)
        return;
    queue_in_durable(w->in[receiver], &segment, &offset);
    queue_durable(w->out, receiver, segment, offset);
}

/* --- the courier --- */

static struct message *find_message(struct world *w, uint64_t id)
{
    for (unsigned i = 0; i < w->count; i++) {
        if (w->messages[i].id == id)
            return &w->messages[i];
    }
    return NULL;
}

static bool body_is_right(const struct queue_message *got, const struct message *m)
{
    char piece[4096];

    for (uint64_t at = 0; at < m->length;) {
        size_t want = m->length - at < sizeof(piece) ? (size_t)(m->length - at) : sizeof(piece);

        if (disk_read(got->file, piece, want, got->offset + at) != (int64_t)want)
            return false;
        for (size_t i = 0; i < want; i++, at++) {
            if (piece[i] != body_byte(m->id, at))
                return false;
        }
    }
    return true;
}

static void check_content(struct world *w, const struct queue_message *got, const struct message *m)
{
    char header[40];
    struct slice want = {header, header_text(m->id, header)};

    if (got->envelope.rcpt_count != m->rcpts || got->length != m->length ||
        !slice_equal(got->header_block, want))
        broken(w, "a message came out different");
    if (!body_is_right(got, m) && !fake_disk_is_cut(w->disk) && w->plan.fail_call == 0)
        broken(w, "a body came out different");
}

/* What became of it is not always noted. */
static bool may_forget(const struct world *w)
{
    return w->plan.fail_call != 0 || w->plan.space != 0;
}

static bool was_delivered(const struct world *w, const struct message *m, unsigned rcpt)
{
    for (unsigned i = 0; i < w->count; i++) {
        const struct message *other = &w->messages[i];

        if ((other == m || (m->mail != 0 && other->mail == m->mail)) && other->delivered[rcpt])
            return true;
    }
    return false;
}

static void deliver(struct world *w, const struct queue_message *got, struct message *m,
                    unsigned rcpt)
{
    /* A courier whose journal of outcomes cannot be read delivers again rather than not at all. */
    bool outcomes_lost = w->plan.fail_call != 0 && got->repeat;

    if (m->settled[rcpt] && !outcomes_lost)
        broken(w, "delivered again after a durable outcome");
    if (m->noted[rcpt])
        broken(w, "delivered twice within one life of the courier");
    if (!m->delivered[rcpt] && was_delivered(w, m, rcpt) && !may_forget(w))
        broken(w, "a copy of what was delivered was delivered, too");
    if (m->delivered[rcpt] && !got->repeat)
        broken(w, "a second delivery was not announced");
    m->delivered[rcpt] = true;
}

static void note(struct world *w, struct queue_message *got, struct message *m, unsigned rcpt)
{
    m->noted[rcpt] = true;
    queue_outcome(w->out, got, rcpt, QUEUE_DELIVERED, SLICE("delivered to mailbox"));
}

/* With the planted bug the outcome is noted first and the delivery happens at some later step. */
static void work_on(struct world *w, struct queue_message *got, struct message *m)
{
    for (unsigned i = 0; i < got->envelope.rcpt_count; i++) {
        if (!got->rcpts[i].due)
            continue;
        if (draw(w, 6) == 0) {
            queue_defer(
                w->out, got, i,
                &(struct queue_retry){.at_ms = clock_monotonic_ms(&w->clock.clock) + draw(w, 2000),
                                      .reason = draw(w, 2) == 0 ? SLICE("busy") : SLICE("full")});
            continue;
        }
        if (w->plan.bug != BUG_OUTCOME_BEFORE_DELIVERY)
            deliver(w, got, m, i);
        note(w, got, m, i);
    }
}

/* Some go to a lane first, as if their destination had no room. */
static void park_some(struct world *w, struct queue_message *got)
{
    for (unsigned i = 0; i < got->envelope.rcpt_count; i++) {
        if (got->rcpts[i].due && draw(w, 4) == 0)
            queue_park(w->out, got, i, &w->lanes[draw(w, LANES)]);
    }
}

static void close_copy(struct world *w, struct queue_message *got, struct message *m)
{
    const struct message *first = find_message(w, got->duplicate_of);

    if (first == NULL || first == m || first->mail != m->mail || m->mail == 0)
        broken(w, "a message was closed as a copy of another mail");
    m->closed = true;
    for (unsigned i = 0; i < got->envelope.rcpt_count; i++)
        if (got->rcpts[i].due)
            note(w, got, m, i);
}

static void finish(struct world *w, struct queue_message *got)
{
    struct message *m = find_message(w, got->envelope.id);

    if (m == NULL) {
        broken(w, "a message that nobody put");
    } else if (got->duplicate_of != 0) {
        close_copy(w, got, m);
    } else {
        check_content(w, got, m);
        if (draw(w, 8) > 0) /* else an attempt that came to nothing */
            work_on(w, got, m);
    }
    (void)queue_release(w->out, got);
}

static void finish_held(struct world *w)
{
    struct queue_message *got = w->held;

    w->held = NULL;
    if (got != NULL)
        finish(w, got);
}

static void claim_one(struct world *w)
{
    uint64_t now = clock_monotonic_ms(&w->clock.clock);
    uint64_t way = draw(w, LANES + 2);
    struct queue_message *got;

    if (w->out == NULL)
        return;
    if (w->held != NULL && draw(w, 3) == 0)
        finish_held(w);
    if (way < LANES) {
        got = queue_claim_lane(w->out, &w->lanes[way], now);
    } else {
        got = queue_claim(w->out, now);
        if (got != NULL && got->duplicate_of == 0)
            park_some(w, got);
    }
    if (got == NULL)
        return;
    if (w->held == NULL && draw(w, 4) == 0)
        w->held = got;
    else
        finish(w, got);
}

static void late_deliveries(struct world *w)
{
    for (unsigned i = 0; i < w->count; i++) {
        for (unsigned r = 0; r < RCPTS_MAX; r++) {
            if (w->messages[i].noted[r] && !w->messages[i].closed)
                w->messages[i].delivered[r] = true;
        }
    }
}

static void settle(struct world *w)
{
    if (w->out == NULL || queue_busy(w->out) || queue_broken(w->out) < 0)
        return;
    for (unsigned i = 0; i < w->count; i++) {
        for (unsigned r = 0; r < RCPTS_MAX; r++) {
            if (w->messages[i].noted[r])
                w->messages[i].settled[r] = true;
        }
    }
}

/* --- lives and deaths --- */

static void no_chance(struct random *r, void *out, size_t len)
{
    (void)r;
    memset(out, 7, len);
}

static void start_receiver(struct world *w, unsigned receiver)
{
    struct queue_in_options o = {.dir = w->dirs[receiver],
                                 .receiver = receiver,
                                 .mode = 0600,
                                 .segment_size = w->segment_bytes,
                                 .worker = &w->worker.worker,
                                 .clock = &w->clock.clock,
                                 .random = &w->random.random};

    if (w->plan.bug == BUG_SAME_GENERATION)
        o.random = &w->no_random;
    if (w->in[receiver] == NULL && queue_in_open(&o, &w->in[receiver]) == 0)
        publish(w, receiver);
}

static void kill_receiver(struct world *w, unsigned receiver)
{
    if (w->in[receiver] == NULL)
        return;
    queue_in_close(w->in[receiver]);
    w->in[receiver] = NULL;
    for (unsigned i = 0; i < w->count; i++) {
        struct message *m = &w->messages[i];

        if (m->receiver != receiver || !m->in_flight)
            continue;
        m->in_flight = false;
        draft_name(&m->draft); /* the dead unlink nothing */
        draft_end(&m->draft);
    }
}

static void start_courier(struct world *w)
{
    struct queue_options o = {.spool = w->spool,
                              .mode = 0600,
                              .segment_size = w->segment_bytes,
                              .worker = &w->worker.worker,
                              .clock = &w->clock.clock,
                              .random = &w->random.random};

    if (w->out != NULL || queue_open(&o, &w->out) < 0)
        return;
    for (uint32_t i = 0; i < LANES; i++)
        queue_lane_init(&w->lanes[i], i);
    queue_receivers_are(w->out, RECEIVERS);
    for (unsigned r = 0; r < RECEIVERS; r++)
        publish(w, r);
}

static void kill_courier(struct world *w)
{
    if (w->out == NULL)
        return;
    if (w->held != NULL)
        (void)queue_release(w->out, w->held);
    w->held = NULL;
    for (unsigned i = 0; i < LANES; i++)
        queue_lane_done(w->out, &w->lanes[i]);
    queue_close(w->out);
    w->out = NULL;
    for (unsigned i = 0; i < w->count; i++)
        memset(w->messages[i].noted, 0, sizeof(w->messages[i].noted));
}

static void open_dirs(struct world *w)
{
    struct disk_dir *in = NULL;
    char name[16];

    (void)disk_dir_open(fake_disk(w->disk), "", &w->spool);
    (void)disk_dir_open_at(w->spool, "in", &in);
    for (unsigned r = 0; r < RECEIVERS; r++) {
        (void)snprintf(name, sizeof(name), "%u", r);
        (void)disk_dir_open_at(in, name, &w->dirs[r]);
    }
    disk_dir_close(in);
}

static void close_dirs(struct world *w)
{
    for (unsigned r = 0; r < RECEIVERS; r++)
        disk_dir_close(w->dirs[r]);
    disk_dir_close(w->spool);
}

static void kill_all(struct world *w)
{
    kill_courier(w);
    for (unsigned r = 0; r < RECEIVERS; r++)
        kill_receiver(w, r);
}

static void start_all(struct world *w)
{
    bool courier_first = draw(w, 2) == 0;

    if (courier_first)
        start_courier(w);
    for (unsigned r = 0; r < RECEIVERS; r++)
        start_receiver(w, r);
    start_courier(w);
}

static void arm_power_cut(struct world *w)
{
    if (w->plan.power_cuts)
        fake_disk_cut_at(w->disk, fake_disk_calls(w->disk) + 1 + draw(w, 400));
}

static void power_cut(struct world *w)
{
    kill_all(w);
    close_dirs(w);
    fake_disk_crash(w->disk, draw(w, UINT32_MAX));
    if (draw(w, 4) == 0)
        w->clock.wall_now_us -= draw(w, w->clock.wall_now_us / 1000); /* a clock without battery */
    open_dirs(w);
    arm_power_cut(w);
    start_all(w);
}

/* The courier hears of it before it hears of the next life, or not at all. */
static void receiver_dies(struct world *w, unsigned receiver)
{
    kill_receiver(w, receiver);
    if (w->out != NULL && draw(w, 2) == 0)
        queue_receiver_ended(w->out, receiver);
    start_receiver(w, receiver);
}

/* A role whose disk failed ends, and the warden starts it again. */
static void bury_the_broken(struct world *w)
{
    uint64_t segment, offset;

    for (unsigned r = 0; r < RECEIVERS; r++) {
        if (w->in[r] == NULL || queue_in_broken(w->in[r]) == 0)
            continue;
        queue_in_durable(w->in[r], &segment, &offset);
        if (w->out != NULL)
            queue_last_good(w->out, r, segment, offset);
        receiver_dies(w, r);
    }
    if (w->out != NULL && queue_broken(w->out) < 0)
        kill_courier(w);
    start_all(w);
}

/* --- the schedule --- */

/* Everything gets on by one turn. */
static void calm_round(struct world *w)
{
    for (unsigned r = 0; r < RECEIVERS; r++) {
        if (w->in[r] == NULL)
            continue;
        queue_in_flush(w->in[r]);
        while (fake_worker_step(&w->worker))
            worker_collect(&w->worker.worker);
        take_acknowledgements(w, r);
        publish(w, r);
    }
    if (w->out == NULL)
        return;
    claim_one(w);
    queue_sync(w->out);
    queue_collect(w->out);
    settle(w);
    fake_clock_advance(&w->clock, 1000000);
}

/* The queue runs nearly empty, so that segments come free and round again. */
static void calm(struct world *w)
{
    for (unsigned round = 0; round < 60 && !fake_disk_is_cut(w->disk); round++)
        calm_round(w);
}

static void step(struct world *w)
{
    unsigned receiver = (unsigned)draw(w, RECEIVERS);

    fake_clock_advance(&w->clock, draw(w, 50000));
    switch (draw(w, w->plan.deaths ? 202 : 200) / 10) {
    case 0:
    case 1:
    case 2:
    case 3: put_message(w, receiver); break;
    case 4:
    case 5:
    case 6:
        if (w->in[receiver] != NULL)
            queue_in_flush(w->in[receiver]);
        break;
    case 7:
    case 8:
    case 9: (void)fake_worker_step(&w->worker); break;
    case 10:
    case 11: worker_collect(&w->worker.worker); break;
    case 12: take_acknowledgements(w, receiver); break;
    case 13: publish(w, receiver); break;
    case 14:
    case 15: claim_one(w); break;
    case 16:
        if (w->out != NULL)
            queue_flush(w->out);
        break;
    case 17:
        if (w->out != NULL)
            queue_sync(w->out);
        break;
    case 18:
        if (w->out != NULL)
            queue_collect(w->out);
        settle(w);
        break;
    case 19:
        late_deliveries(w);
        if (draw(w, 8) == 0)
            calm(w);
        break;
    default:
        if (draw(w, 2) == 0)
            receiver_dies(w, receiver);
        else
            kill_courier(w);
    }
    if (fake_disk_is_cut(w->disk))
        power_cut(w);
    bury_the_broken(w);
}

static bool is_dry(const struct world *w)
{
    return w->held == NULL && w->out != NULL && queue_count(w->out) == 0 && !queue_busy(w->out);
}

/* Everything that can still happen happens, with the power on. */
static void run_dry(struct world *w)
{
    fake_disk_cut_at(w->disk, 0);
    fake_disk_fail_at(w->disk, 0, 0);
    fake_disk_set_space(w->disk, UINT64_MAX);
    for (unsigned round = 0; round < 3 * MESSAGES_MAX; round++) {
        bury_the_broken(w);
        calm_round(w);
    }
    for (unsigned round = 0; round < 9 * MESSAGES_MAX && !is_dry(w); round++) {
        calm_round(w);
        if (w->out != NULL)
            finish_held(w);
    }
}

struct count {
    unsigned segments;
    unsigned free;
    unsigned others;
};

static bool count_name(void *ctx, struct slice name)
{
    struct count *count = ctx;

    if (slice_starts(name, SLICE("s-")))
        count->segments++;
    else if (slice_starts(name, SLICE("free-")))
        count->free++;
    else if (!slice_equal(name, SLICE("draft")) && !slice_equal(name, SLICE("reserve")))
        count->others++;
    return true;
}

static void check_left_over(struct world *w, struct disk_dir *dir, unsigned segments_max)
{
    struct count count = {0};

    (void)disk_dir_list(dir, count_name, &count);
    if (count.segments > segments_max)
        broken(w, "segments stay behind");
    if (count.free > 2)
        broken(w, "too many files are kept");
    if (count.others > 0)
        broken(w, "drafts stay behind");
}

static void check_end(struct world *w)
{
    struct disk_dir *dir;

    for (unsigned i = 0; i < w->count; i++) {
        for (unsigned r = 0; r < w->messages[i].rcpts; r++) {
            if (w->messages[i].acknowledged && !was_delivered(w, &w->messages[i], r))
                broken(w, "an acknowledged message was not delivered");
        }
    }
    if (queue_count(w->out) != 0)
        broken(w, "the queue is not empty");
    /* A call that failed may have left anything, to be removed at the next start. */
    if (w->plan.fail_call != 0 || w->plan.bug != BUG_NONE)
        return;
    if (disk_dir_open_at(w->spool, "once", &dir) == 0) {
        check_left_over(w, dir, 3 + w->mails / ONCE_IN_SEGMENT);
        disk_dir_close(dir);
    }
    for (unsigned r = 0; r < RECEIVERS; r++) {
        check_left_over(w, w->dirs[r], 3);
        if (disk_dir_open_at(w->dirs[r], "draft", &dir) == 0) {
            check_left_over(w, dir, 0);
            disk_dir_close(dir);
        }
    }
}

static void ignore_failure(void *ctx, int code, const char *operation, struct slice name)
{
    (void)ctx;
    (void)code;
    (void)operation;
    (void)name;
}

const char *world_run(const struct world_plan *plan, uint64_t *calls)
{
    struct world *w = MEMORY_NEW(struct world);

    fail_set_sink(ignore_failure, NULL);
    w->plan = *plan;
    fake_clock_init(&w->clock);
    fake_random_init(&w->chance, plan->seed);
    fake_random_init(&w->random, plan->seed + 1);
    w->no_random.bytes = no_chance;
    w->segment_bytes = draw(w, 3) == 0 ? 256 * 1024 : 16 * 1024;
    fake_worker_init(&w->worker, &w->chance.random);
    w->disk = fake_disk_new(&w->clock.clock);
    if (disk_dir_open(fake_disk(w->disk), "", &w->spool) < 0 || queue_make_dirs(w->spool, 0700) < 0)
        broken(w, "no spool");
    for (unsigned r = 0; r < RECEIVERS; r++)
        (void)queue_in_make_dirs(w->spool, r, 0700);
    disk_dir_close(w->spool);
    open_dirs(w);

    fake_disk_ignore_datasync(w->disk, plan->bug == BUG_REPLY_BEFORE_SYNC);
    fake_disk_ignore_dir_sync(w->disk, plan->bug == BUG_DIRECTORY_NOT_SYNCED);
    if (plan->space != 0)
        fake_disk_set_space(w->disk, plan->space);
    fake_disk_fail_at(w->disk, plan->fail_call, plan->fail_code);
    arm_power_cut(w);
    start_all(w);
    for (unsigned i = 0; i < plan->steps && w->broken == NULL; i++)
        step(w);
    if (calls != NULL)
        *calls = fake_disk_calls(w->disk);

    if (w->broken == NULL) {
        w->plan.power_cuts = false;
        power_cut(w);
        run_dry(w);
        late_deliveries(w);
        check_end(w);
    }
    const char *result = w->broken;
    kill_all(w);
    close_dirs(w);
    fake_disk_free(w->disk);
    memory_free(w);
    return result;
}
