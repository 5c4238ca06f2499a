/*
 * spool_test.c - single stories of receiver and courier on one disk: a sealed segment that lost a
 * bit, a disk that is full, people who take messages in hand.
 */
#include "check.h"

#include "base/fail.h"
#include "base/memory.h"
#include "fakes/clock.h"
#include "fakes/disk.h"
#include "fakes/random.h"
#include "fakes/worker.h"
#include "queue/queue.h"
#include "queue/queue_in.h"
#include "store/segment.h"

#include <errno.h>

enum { MESSAGES = 60, SEGMENT_BYTES = 16 * 1024, SMALL = 1000, LARGE = DRAFT_MEMORY_MAX + 1 };

struct place {
    struct fake_clock clock;
    struct fake_random random;
    struct fake_worker worker;
    struct fake_disk *disk;
    struct disk_dir *spool, *in, *dir, *out;
    struct draft drafts[MESSAGES];
    struct queue_ticket puts[MESSAGES];
    uint64_t ids[MESSAGES];
    struct envelope_wishes wishes; /* of the first message */
    unsigned told;                 /* damages */
};

static void count_damage(void *ctx, int code, const char *operation, struct slice name)
{
    (void)operation, (void)name;
    if (code == -EBADMSG)
        ((struct place *)ctx)->told++;
}

static void begin(struct place *p)
{
    *p = (struct place){0};
    fail_set_sink(count_damage, p);
    fake_clock_init(&p->clock);
    fake_random_init(&p->random, 1);
    fake_worker_init(&p->worker, &p->random.random);
    p->disk = fake_disk_new(&p->clock.clock);
    check_int(disk_dir_open(fake_disk(p->disk), "", &p->spool), 0);
    check_int(queue_make_dirs(p->spool, 0700), 0);
    check_int(queue_in_make_dirs(p->spool, 0, 0700), 0);
    check_int(disk_dir_open_at(p->spool, "in", &p->in), 0);
    check_int(disk_dir_open_at(p->in, "0", &p->dir), 0);
    check_int(disk_dir_open_at(p->spool, "out", &p->out), 0);
}

static void end(struct place *p)
{
    disk_dir_close(p->out);
    disk_dir_close(p->dir);
    disk_dir_close(p->in);
    disk_dir_close(p->spool);
    check_int(fake_disk_open(p->disk), 0);
    fake_disk_free(p->disk);
    fail_set_sink(NULL, NULL);
}

static void work(struct place *p)
{
    while (fake_worker_step(&p->worker))
        worker_collect(&p->worker.worker);
}

static void put_one(struct place *p, struct queue_in *q, unsigned i, size_t size)
{
    static const struct address user = {ADDRESS_MAILBOX, SLICE_INIT("user"),
                                        SLICE_INIT("example.org"), false};
    static const char body[LARGE] = "hello";
    struct envelope_rcpt rcpt = {.original = user, .final = user};
    struct envelope e = {.sender = user,
                         .helo = SLICE_INIT("client.example.org"),
                         .client_address = SLICE_INIT("192.0.2.1"),
                         .proto = SLICE_INIT("ESMTP"),
                         .rcpts = &rcpt,
                         .rcpt_count = 1,
                         .arrival_us = clock_wall_us(&p->clock.clock)};

    if (i == 0)
        e.wishes = p->wishes;
    p->ids[i] = e.id = queue_in_next_id(q);
    queue_in_draft_init(q, &p->drafts[i]);
    draft_begin(&p->drafts[i], e.id);
    check_int(draft_append(&p->drafts[i], (struct slice){body, size}), 0);
    queue_put(q, &e, SLICE("X: y\r\n"), &p->drafts[i], &p->puts[i]);
}

static struct queue_in *open_in(struct place *p)
{
    struct queue_in_options o = {.dir = p->dir,
                                 .mode = 0600,
                                 .segment_size = SEGMENT_BYTES,
                                 .worker = &p->worker.worker,
                                 .clock = &p->clock.clock,
                                 .random = &p->random.random};
    struct queue_in *q;

    check_int(queue_in_open(&o, &q), 0);
    return q;
}

static void put_all(struct place *p)
{
    struct queue_in *q = open_in(p);
    struct list finished;
    unsigned count = 0;

    list_init(&finished);
    for (unsigned i = 0; i < MESSAGES; i++) {
        put_one(p, q, i, SMALL);
        queue_in_flush(q);
        work(p);
        queue_in_collect(q, &finished);
    }
    for (unsigned round = 0; round < 50; round++) {
        queue_in_flush(q);
        work(p);
        queue_in_collect(q, &finished);
    }
    LIST_EACH (node, &finished) {
        struct queue_ticket *put = LIST_ENTRY(node, struct queue_ticket, ticket.link);

        check_int(put->ticket.result, 0);
        list_remove(node);
        draft_end(put->draft);
        count++;
    }
    check_int(count, MESSAGES);
    queue_in_close(q);
}

/* The byte in the middle of the second record of the oldest segment. */
static void damage(struct place *p, char name[SEGMENT_NAME_SIZE])
{
    uint64_t *numbers, at;
    size_t count;
    struct disk_file *file;
    char byte;

    check_int(segment_list(p->dir, &numbers, &count), 0);
    check(count > 3);
    segment_name(numbers[0], name);
    memory_free(numbers);
    at = p->puts[1].ticket.offset + 200;
    check_int(disk_open(p->dir, name, DISK_READ, 0, &file), 0);
    check_int(disk_read(file, &byte, 1, at), 1);
    disk_close(file);
    byte ^= 1;
    check_int(disk_open(p->dir, name, DISK_WRITE, 0, &file), 0);
    check_int(disk_write(file, (struct slice){&byte, 1}, at), 0);
    check_int(disk_datasync(file), 0);
    disk_close(file);
}

static struct queue *open_queue(struct place *p)
{
    struct queue_options o = {.spool = p->spool,
                              .mode = 0600,
                              .segment_size = SEGMENT_BYTES,
                              .worker = &p->worker.worker,
                              .clock = &p->clock.clock,
                              .random = &p->random.random};
    struct queue *q;

    check_int(queue_open(&o, &q), 0);
    queue_receivers_are(q, 0);
    return q;
}

static unsigned claim_all(struct place *p, struct queue *q)
{
    struct queue_message *m;
    unsigned count = 0;

    while ((m = queue_claim(q, clock_monotonic_ms(&p->clock.clock))) != NULL) {
        queue_outcome(q, m, 0, QUEUE_DELIVERED, SLICE("done"));
        check(queue_release(q, m));
        count++;
    }
    return count;
}

static void run(struct place *p, struct queue *q)
{
    for (unsigned round = 0; round < 20; round++) {
        queue_flush(q);
        queue_sync(q);
        work(p);
        queue_collect(q);
    }
}

/* One life of the courier; how many it delivered. */
static unsigned deliver_all(struct place *p)
{
    struct queue *q = open_queue(p);
    unsigned count = claim_all(p, q);

    run(p, q);
    check_int(queue_count(q), 0);
    queue_close(q);
    return count;
}

static void test_damage_in_a_sealed_segment(void **state)
{
    struct place p;
    struct disk_stat stat;
    uint64_t *numbers;
    size_t count;
    char name[SEGMENT_NAME_SIZE];

    (void)state;
    begin(&p);
    put_all(&p);
    damage(&p, name);
    check_int(deliver_all(&p), MESSAGES - 1);
    check_int(p.told, 1);
    check_int(disk_stat(p.dir, name, &stat), 0);
    check_int(segment_list(p.dir, &numbers, &count), 0);
    check_int(count, 2); /* it and the newest */
    memory_free(numbers);

    check_int(deliver_all(&p), 0); /* said again at each start, delivered never again */
    check_int(p.told, 2);
    check_int(disk_stat(p.dir, name, &stat), 0);
    end(&p);
}

/* Whatever is freed is taken by others at once. */
static void run_on_full_disk(struct place *p, struct queue *q)
{
    for (unsigned round = 0; round < 20; round++) {
        fake_disk_set_space(p->disk, fake_disk_used(p->disk));
        run(p, q);
    }
}

static void test_outcomes_are_written_on_a_full_disk(void **state)
{
    struct place p;
    struct disk_stat stat;
    struct queue *q;
    uint64_t *numbers;
    size_t count;

    (void)state;
    begin(&p);
    put_all(&p);
    q = open_queue(&p);
    run(&p, q); /* the reserve is made */
    fake_disk_set_space(p.disk, fake_disk_used(p.disk));
    check_int(claim_all(&p, q), MESSAGES);
    run_on_full_disk(&p, q);
    check(!queue_busy(q));
    check_int(queue_broken(q), 0);
    check_int(segment_list(p.dir, &numbers, &count), 0);
    check_int(count, 1);
    memory_free(numbers);
    check(disk_stat(p.out, SEGMENT_RESERVE, &stat) < 0);

    fake_disk_set_space(p.disk, UINT64_MAX);
    fake_clock_advance(&p.clock, 60 * 1000000);
    run(&p, q);
    check_int(disk_stat(p.out, SEGMENT_RESERVE, &stat), 0);
    queue_close(q);
    end(&p);
}

static void test_courier_starts_on_a_full_disk(void **state)
{
    struct place p;
    struct queue *q;

    (void)state;
    begin(&p);
    put_all(&p);
    q = open_queue(&p);
    run(&p, q);
    queue_close(q);

    fake_disk_set_space(p.disk, fake_disk_used(p.disk));
    q = open_queue(&p);
    check_int(claim_all(&p, q), MESSAGES);
    run_on_full_disk(&p, q);
    check(!queue_busy(q));
    queue_close(q);
    end(&p);
}

/* The one ticket that is under way, to its end; its session has ended the draft then. */
static int result_of(struct place *p, struct queue_in *q, unsigned i)
{
    struct list finished;

    list_init(&finished);
    for (unsigned round = 0; round < 50 && list_empty(&finished); round++) {
        queue_in_flush(q);
        work(p);
        queue_in_collect(q, &finished);
    }
    check(finished.next == &p->puts[i].ticket.link);
    list_remove(finished.next);
    draft_end(&p->drafts[i]);
    return p->puts[i].ticket.result;
}

static bool count_name(void *ctx, struct slice name)
{
    (void)name;
    ++*(unsigned *)ctx;
    return true;
}

static unsigned draft_files(struct place *p)
{
    struct disk_dir *dir;
    unsigned count = 0;

    check_int(disk_dir_open_at(p->dir, "draft", &dir), 0);
    check_int(disk_dir_list(dir, count_name, &count), 0);
    disk_dir_close(dir);
    return count;
}

static void test_full_disk_leaves_no_draft(void **state)
{
    struct place p;
    struct queue_in *q;

    (void)state;
    begin(&p);
    q = open_in(&p);
    for (unsigned i = 0; i < 3; i++) {
        fake_disk_set_space(p.disk, UINT64_MAX);
        put_one(&p, q, i, LARGE);
        fake_disk_set_space(p.disk, 0); /* no zeros for the record */
        check_int(result_of(&p, q, i), -ENOSPC);
        check_int(draft_files(&p), 0);
    }
    fake_disk_set_space(p.disk, UINT64_MAX);
    put_one(&p, q, 3, LARGE);
    check_int(result_of(&p, q, 3), 0);
    check_int(draft_files(&p), 1);
    queue_in_close(q);
    end(&p);
}

/* Its record may be on the disk all the same. */
static void test_failed_sync_keeps_the_draft(void **state)
{
    struct place p;
    struct queue_in *q;

    (void)state;
    begin(&p);
    q = open_in(&p);
    put_one(&p, q, 0, SMALL);
    check_int(result_of(&p, q, 0), 0);
    put_one(&p, q, 1, LARGE);
    queue_in_flush(q);
    work(&p); /* the draft is synced, and its record staged */
    queue_in_flush(q);
    fake_disk_fail_sync(fake_disk(p.disk), -EIO);
    check_int(result_of(&p, q, 1), -EIO);
    check(p.puts[1].ticket.written);
    check_int(draft_files(&p), 1);
    queue_in_close(q);
    end(&p);
}

static void put_in(struct place *p, size_t size)
{
    struct queue_in *q = open_in(p);

    put_one(p, q, 0, size);
    check_int(result_of(p, q, 0), 0);
    queue_in_close(q);
}

/* How long a message is put off when the n-th call of its claim fails. */
static uint64_t put_off_ms(struct place *p, struct queue *q, unsigned n, int code)
{
    uint64_t now_ms = clock_monotonic_ms(&p->clock.clock), at_ms;

    fake_disk_fail_at(p->disk, fake_disk_calls(p->disk) + n, code);
    check(queue_claim(q, now_ms) == NULL);
    check(queue_next_due(q, &at_ms));
    fake_clock_advance(&p->clock, (at_ms - now_ms) * 1000);
    return at_ms - now_ms;
}

static void test_put_off(void **state)
{
    static const struct {
        unsigned call; /* open segment, read record, open body, measure it */
        int code;
        uint64_t ms;
    } rows[] = {
        {1, -EMFILE, 1000  },
        {1, -ENFILE, 1000  },
        {1, -EIO,    300000},
        {2, -ENOMEM, 1000  },
        {2, -EIO,    300000},
        {3, -EMFILE, 1000  },
        {3, -EIO,    300000},
    };
    struct place p;
    struct queue *q;

    (void)state;
    begin(&p);
    put_in(&p, LARGE);
    q = open_queue(&p);
    CHECK_ROWS (i, rows)
        check_int(put_off_ms(&p, q, rows[i].call, rows[i].code), rows[i].ms);
    check_int(claim_all(&p, q), 1); /* and nothing was lost */
    run(&p, q);
    queue_close(q);
    end(&p);
}

/* One message of a living receiver: the n-th call of the courier's first mark fails, and the whole
 * second one. */
static void mark_in_trouble(unsigned n)
{
    struct place p;
    struct queue_in *in;
    struct disk_dir *outside;
    uint64_t segment, start, offset;
    bool dead = false;

    begin(&p);
    outside = p.spool;
    check_int(disk_dir_open(fake_disk_process(p.disk, &dead), "", &p.spool), 0);
    struct queue *q = open_queue(&p);
    in = open_in(&p);
    queue_in_durable(in, &segment, &start);
    put_one(&p, in, 0, SMALL);
    check_int(result_of(&p, in, 0), 0);
    queue_in_durable(in, &segment, &offset);

    fake_disk_fail_at(p.disk, fake_disk_calls(p.disk) + n, -EIO);
    queue_durable(q, 0, segment, start);
    dead = true;
    queue_durable(q, 0, segment, offset);
    dead = false;
    queue_durable(q, 0, segment, offset);
    check_int(p.told, 0);
    check_int(claim_all(&p, q), 1);
    run(&p, q);
    queue_close(q);
    queue_in_close(in);
    disk_dir_close(p.spool);
    p.spool = outside;
    end(&p);
}

static void test_header_is_read_at_the_next_mark(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 6; n++)
        mark_in_trouble(n);
}

/* --- carrying --- */

enum { HOUR_MS = 3600 * 1000, EVERY = 13 };

static unsigned names_in(struct disk_dir *dir)
{
    unsigned count = 0;

    check_int(disk_dir_list(dir, count_name, &count), 0);
    return count;
}

/* Delivers all that is due but for every EVERY-th message, which must wait an hour. */
static unsigned leave_a_few(struct place *p, struct queue *q)
{
    uint64_t now_ms = clock_monotonic_ms(&p->clock.clock);
    struct queue_message *m;
    unsigned left = 0;

    for (unsigned i = 0; (m = queue_claim(q, now_ms)) != NULL; i++) {
        if (i % EVERY == 0) {
            queue_defer(q, m, 0,
                        &(struct queue_retry){.at_ms = now_ms + HOUR_MS, .reason = SLICE("busy")});
            left++;
        } else {
            queue_outcome(q, m, 0, QUEUE_DELIVERED, SLICE("done"));
        }
        queue_release(q, m);
    }
    return left;
}

static void run_for(struct place *p, struct queue *q, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        fake_clock_advance(&p->clock, 1000000);
        run(p, q);
    }
}

static void test_a_few_messages_keep_no_segments(void **state)
{
    struct place p;

    (void)state;
    begin(&p);
    put_all(&p);
    unsigned before = names_in(p.dir);
    struct queue *q = open_queue(&p);
    unsigned left = leave_a_few(&p, q);

    run_for(&p, q, 30);
    check(before > 4 && left > 3);
    check(names_in(p.dir) <= 1 + 1 + 2); /* draft, the newest, and what is kept for use */
    check(queue_carried(q) >= left - 1); /* nobody empties the newest */
    check_int(queue_count(q), left);
    queue_close(q);

    /* The next life knows them, how often they were tried, and when they are due. */
    q = open_queue(&p);
    uint64_t now_ms = clock_monotonic_ms(&p.clock.clock), at_ms;
    check_int(queue_count(q), left);
    run(&p, q);
    struct queue_message *m;
    while ((m = queue_claim(q, now_ms)) != NULL) { /* of the newest segment: not carried */
        queue_outcome(q, m, 0, QUEUE_DELIVERED, SLICE("done"));
        queue_release(q, m);
        left--;
    }
    check(queue_next_due(q, &at_ms));
    check(at_ms > now_ms + HOUR_MS / 2 && at_ms <= now_ms + HOUR_MS);
    fake_clock_advance(&p.clock, HOUR_MS * UINT64_C(1000));
    while ((m = queue_claim(q, clock_monotonic_ms(&p.clock.clock))) != NULL) {
        check_int(m->rcpts[0].attempts, 1);
        check(m->repeat);
        check_int(m->length, SMALL);
        queue_outcome(q, m, 0, QUEUE_DELIVERED, SLICE("done"));
        queue_release(q, m);
        left--;
    }
    check_int(left, 0);
    run_for(&p, q, 5);
    queue_close(q);
    check(names_in(p.out) <= 2 + 1); /* the present one, the last one, the reserve */
    check_int(deliver_all(&p), 0);
    end(&p);
}

/* Deferred in one life, carried in the next. */
static void test_a_carried_message_keeps_its_reason(void **state)
{
    struct place p;
    struct queue_message *m;

    (void)state;
    begin(&p);
    put_all(&p);
    struct queue *q = open_queue(&p);
    unsigned left = leave_a_few(&p, q);
    run(&p, q);
    queue_close(q);

    q = open_queue(&p);
    run_for(&p, q, 30);
    check(queue_carried(q) >= left - 1);
    queue_close(q);

    for (unsigned life = 0; life < 2; life++) {
        q = open_queue(&p);
        run(&p, q);
        queue_close(q);
    }
    q = open_queue(&p);
    fake_clock_advance(&p.clock, HOUR_MS * UINT64_C(1000));
    for (; (m = queue_claim(q, clock_monotonic_ms(&p.clock.clock))) != NULL; left--) {
        check_slice(m->rcpts[0].reason, SLICE("busy"));
        check_int(m->rcpts[0].attempts, 1);
        queue_outcome(q, m, 0, QUEUE_DELIVERED, SLICE("done"));
        queue_release(q, m);
    }
    check_int(left, 0);
    queue_close(q);
    end(&p);
}

/* Whatever lives end in between, nobody is tried too early, and everybody is. */
static void test_deferrals_survive(void **state)
{
    struct place p;
    uint64_t at_ms;

    (void)state;
    begin(&p);
    put_in(&p, SMALL);
    struct queue *q = open_queue(&p);
    uint64_t due_ms = clock_monotonic_ms(&p.clock.clock) + HOUR_MS;
    struct queue_message *m = queue_claim(q, clock_monotonic_ms(&p.clock.clock));
    queue_defer(q, m, 0, &(struct queue_retry){.at_ms = due_ms - 1000});
    queue_release(q, m);
    fake_clock_advance(&p.clock, (HOUR_MS - 1000) * UINT64_C(1000));
    m = queue_claim(q, clock_monotonic_ms(&p.clock.clock));
    due_ms = clock_monotonic_ms(&p.clock.clock) + HOUR_MS;
    queue_defer(q, m, 0, &(struct queue_retry){.at_ms = due_ms, .warned = true});
    queue_release(q, m);
    run(&p, q);
    queue_close(q);

    for (unsigned life = 0; life < 3; life++) {
        q = open_queue(&p);
        run_for(&p, q, 5);
        check(queue_claim(q, due_ms - 1000) == NULL);
        check(queue_next_due(q, &at_ms) && at_ms >= due_ms && at_ms < due_ms + 2000);
        queue_close(q);
    }
    q = open_queue(&p);
    m = queue_claim(q, due_ms + 2000);
    check(m != NULL);
    check_int(m->rcpts[0].attempts, 2);
    check(m->rcpts[0].warned);
    queue_release(q, m);
    queue_close(q);
    end(&p);
}

/* Three messages; two of them are delivered, durably. */
static void deliver_two(struct place *p)
{
    struct queue_in *in = open_in(p);

    for (unsigned i = 0; i < 3; i++) {
        put_one(p, in, i, i == 1 ? LARGE : SMALL);
        check_int(result_of(p, in, i), 0);
    }
    queue_in_close(in);
    struct queue *q = open_queue(p);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t now_ms = clock_monotonic_ms(&p->clock.clock);
        struct queue_message *m = queue_claim(q, now_ms);

        check(m != NULL);
        if (m->envelope.id == p->ids[2])
            queue_defer(q, m, 0, &(struct queue_retry){.at_ms = now_ms + 1000});
        else
            queue_outcome(q, m, 0, QUEUE_DELIVERED, SLICE("done"));
        queue_release(q, m);
    }
    run(p, q);
    queue_close(q);
}

/* Whatever comes within an hour. */
static void only_the_third_comes(struct place *p, struct queue *q)
{
    unsigned came = 0;

    for (unsigned minute = 0; minute < 60; minute++) {
        struct queue_message *m = queue_claim(q, clock_monotonic_ms(&p->clock.clock));

        if (m != NULL) {
            check_int(m->envelope.id, p->ids[2]);
            queue_outcome(q, m, 0, QUEUE_DELIVERED, SLICE("done"));
            queue_release(q, m);
            came++;
        }
        run(p, q);
        fake_clock_advance(&p->clock, UINT64_C(60000000));
    }
    check_int(came, 1);
}

/* The n-th call of a start fails for a shortage, or a sync does. False: it has not so many. */
static bool start_short(unsigned n, int code)
{
    struct queue *q;
    struct place p;

    begin(&p);
    deliver_two(&p);
    struct queue_options o = {.spool = p.spool,
                              .mode = 0600,
                              .segment_size = SEGMENT_BYTES,
                              .worker = &p.worker.worker,
                              .clock = &p.clock.clock,
                              .random = &p.random.random};
    uint64_t at = fake_disk_calls(p.disk) + n;
    fake_disk_fail_at(p.disk, at, code);
    int rc = queue_open(&o, &q);
    bool hit = fake_disk_calls(p.disk) >= at;
    fake_disk_fail_at(p.disk, 0, 0);
    if (rc < 0)
        q = open_queue(&p); /* the role ended, and starts again */
    else
        queue_receivers_are(q, 0);
    only_the_third_comes(&p, q);
    check_int(queue_count(q), 0);
    queue_close(q);
    end(&p);
    return hit;
}

static void test_a_start_short_of_something_delivers_nothing_twice(void **state)
{
    static const int codes[] = {-EMFILE, -ENOMEM, -EINTR};

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
        for (unsigned n = 1; start_short(n, codes[i]); n++)
            ;
}

/* The body file stays where it is as long as somebody needs it, whoever is asked to sweep. */
static void test_a_carried_message_keeps_its_body_file(void **state)
{
    struct place p;

    (void)state;
    begin(&p);
    put_in(&p, LARGE);
    put_in(&p, SMALL); /* the newest segment is another one */
    struct queue *q = open_queue(&p);
    uint64_t now_ms = clock_monotonic_ms(&p.clock.clock);
    struct queue_message *m = queue_claim(q, now_ms);

    while (m != NULL) {
        if (m->length == LARGE)
            queue_defer(q, m, 0, &(struct queue_retry){.at_ms = now_ms + 10000});
        else
            queue_outcome(q, m, 0, QUEUE_DELIVERED, SLICE("done"));
        queue_release(q, m);
        m = queue_claim(q, now_ms);
    }
    run_for(&p, q, 3);
    check_int(queue_carried(q), 1);
    queue_close(q);

    put_in(&p, SMALL); /* a new life of the receiver: drafts of the old ones are swept */
    q = open_queue(&p);
    run_for(&p, q, 10);
    check_int(draft_files(&p), 1);
    unsigned delivered = claim_all(&p, q);
    check_int(delivered, 2);
    run(&p, q);
    check_int(draft_files(&p), 0);
    queue_close(q);
    end(&p);
}

/* --- people --- */

struct tour {
    struct place *place;
    struct queue *queue;
    bool seen[MESSAGES];
    unsigned count;
};

/* Says at every third message that it is enough for now. */
static bool on_tour(void *ctx, struct queue_entry *e)
{
    struct tour *t = ctx;
    struct queue_message *m = queue_look(t->queue, e);

    check(m != NULL);
    for (unsigned i = 0; i < MESSAGES; i++) {
        if (t->place->ids[i] != m->envelope.id)
            continue;
        check(!t->seen[i]);
        t->seen[i] = true;
        t->count++;
    }
    check(!m->rcpts[0].due);
    check(!queue_release(t->queue, m));
    return t->count % 3 != 0;
}

static bool delete_on_tour(void *ctx, struct queue_entry *e)
{
    struct tour *t = ctx;
    struct queue_message *m = queue_take(t->queue, e);

    check(m != NULL && m->rcpts[0].due);
    queue_outcome(t->queue, m, 0, QUEUE_DISCARDED, SLICE("deleted"));
    check(queue_release(t->queue, m));
    t->count++;
    return true;
}

/* How many messages a walk in small steps meets, each once. */
static unsigned walk(struct place *p, struct queue *q,
                     bool (*visit)(void *ctx, struct queue_entry *e))
{
    enum { STEP = 7 };

    struct tour t = {.place = p, .queue = q};
    struct queue_walk *walk = queue_walk_new(q);
    unsigned before;
    bool more;

    do {
        before = t.count;
        more = queue_walk_on(walk, STEP, visit, &t);
        check(t.count - before <= STEP);
    } while (more);
    queue_walk_free(walk);
    return t.count;
}

static struct queue_message *take(struct place *p, struct queue *q, unsigned i)
{
    struct queue_entry *e = queue_find(q, p->ids[i]);

    check(e != NULL);
    struct queue_message *m = queue_take(q, e);
    check(m != NULL && m->envelope.id == p->ids[i]);
    return m;
}

static enum queue_rcpt_state state_of(struct place *p, struct queue *q, unsigned i)
{
    struct queue_message *m = queue_look(q, queue_find(q, p->ids[i]));

    check(m != NULL);
    enum queue_rcpt_state state = m->rcpts[0].state;
    queue_release(q, m);
    return state;
}

/* Two at once, and the message where one of them stands goes away between its steps. */
static void test_two_walks(void **state)
{
    struct place p;

    (void)state;
    begin(&p);
    put_all(&p);
    struct queue *q = open_queue(&p);
    struct tour one = {.place = &p, .queue = q}, other = one;
    struct queue_walk *walk = queue_walk_new(q), *other_walk = queue_walk_new(q);
    bool more, others = true;

    do {
        more = queue_walk_on(walk, 5, on_tour, &one);
        others = others && queue_walk_on(other_walk, 2, on_tour, &other);
        for (unsigned i = MESSAGES; i-- > 0;)
            if (one.seen[i] && queue_find(q, p.ids[i]) != NULL) {
                delete_on_tour(&(struct tour){.queue = q}, queue_find(q, p.ids[i]));
                run(&p, q);
                break;
            }
    } while (more);
    while (others)
        others = queue_walk_on(other_walk, 2, on_tour, &other);
    queue_walk_free(walk);
    queue_walk_free(other_walk);
    check_int(one.count, MESSAGES);
    check(queue_count(q) < MESSAGES);
    check(other.count >= queue_count(q));
    queue_close(q);
    end(&p);
}

static void test_a_walk_meets_every_message_once(void **state)
{
    struct place p;

    (void)state;
    begin(&p);
    put_all(&p);
    struct queue *q = open_queue(&p);
    check_int(walk(&p, q, on_tour), MESSAGES);
    for (unsigned i = 0; i < MESSAGES; i++)
        check(queue_find(q, p.ids[i]) != NULL);
    check(queue_find(q, UINT64_MAX) == NULL);

    /* Those that moved to the own journal are met there. */
    unsigned left = leave_a_few(&p, q);
    run_for(&p, q, 30);
    check(queue_carried(q) > 0);
    check_int(walk(&p, q, on_tour), left);
    check(queue_find(q, p.ids[0]) != NULL);
    check(queue_find(q, p.ids[1]) == NULL);

    /* Whoever is visited may go. */
    check_int(walk(&p, q, delete_on_tour), left);
    check_int(queue_count(q), 0);
    check_int(walk(&p, q, on_tour), 0);
    run(&p, q);
    queue_close(q);
    check_int(deliver_all(&p), 0);
    end(&p);
}

/* Two walks, the second one behind; carrying begins when the first has made so many steps. False:
 * it was over by then. */
static bool walk_while_they_move(unsigned steps)
{
    struct place p;

    begin(&p);
    put_all(&p);
    struct queue *q = open_queue(&p);
    unsigned left = leave_a_few(&p, q), at = 0;
    struct tour one = {.place = &p, .queue = q}, other = one;
    struct queue_walk *walk = queue_walk_new(q), *behind = queue_walk_new(q);

    while (queue_walk_on(walk, 1, on_tour, &one)) {
        if (at >= steps)
            run_for(&p, q, 1);
        if (at++ % 2 == 0)
            (void)queue_walk_on(behind, 1, on_tour, &other);
    }
    while (queue_walk_on(behind, 1, on_tour, &other))
        ;
    queue_walk_free(walk);
    queue_walk_free(behind);
    check_int(one.count, left);
    check_int(other.count, left);
    check(steps > 0 || queue_carried(q) > 0);
    queue_close(q);
    end(&p);
    return at >= steps;
}

static void test_a_walk_meets_once_what_moves_meanwhile(void **state)
{
    (void)state;
    for (unsigned steps = 0; walk_while_they_move(steps); steps++)
        ;
}

/* It is locked, which nobody sees; who wants to change it waits a moment. */
static void test_a_message_on_its_way_is_what_it_was(void **state)
{
    enum { HELD = 5 };

    struct place p;

    (void)state;
    begin(&p);
    put_all(&p);
    struct queue *q = open_queue(&p);
    struct queue_message *m = take(&p, q, HELD);
    queue_hold(q, m, 0, SLICE(""));
    queue_release(q, m);
    check_int(claim_all(&p, q), MESSAGES - 1);
    run(&p, q); /* what was delivered is durable */
    check(queue_is_still(q));
    fake_clock_advance(&p.clock, 10000000);
    queue_flush(q);
    check(!queue_is_still(q));
    check_int(state_of(&p, q, HELD), QUEUE_HELD);
    m = take(&p, q, HELD);
    check(!m->rcpts[0].due);
    queue_release(q, m);

    queue_keep_still(q);
    run(&p, q);
    check(queue_is_still(q));
    check_int(queue_carried(q), 1);
    m = take(&p, q, HELD);
    check(m->rcpts[0].due);
    queue_release(q, m);
    queue_close(q);
    end(&p);
}

static void test_nothing_moves_while_somebody_acts(void **state)
{
    struct place p;

    (void)state;
    begin(&p);
    put_all(&p);
    struct queue *q = open_queue(&p);
    (void)leave_a_few(&p, q);
    queue_keep_still(q);
    queue_keep_still(q);
    queue_may_carry(q);
    run_for(&p, q, 30);
    check(queue_is_still(q));
    check_int(queue_carried(q), 0);
    queue_may_carry(q);
    run_for(&p, q, 30);
    check(queue_carried(q) > 0);
    queue_close(q);
    end(&p);
}

/* Through restarts, and wherever it is carried; then it is due at once, restarts or not. */
static void test_a_held_message_waits_for_its_release(void **state)
{
    enum { HELD = 5 };

    struct place p;

    (void)state;
    begin(&p);
    put_all(&p);
    struct queue *q = open_queue(&p);
    struct queue_message *m = take(&p, q, HELD);
    check_int(m->rcpts[0].state, QUEUE_WAITING);
    check_int(state_of(&p, q, HELD), QUEUE_ACTIVE);
    queue_hold(q, m, 0, SLICE(""));
    queue_release(q, m);
    check_int(claim_all(&p, q), MESSAGES - 1);
    run_for(&p, q, 30);
    check_int(queue_carried(q), 1);
    queue_close(q);

    for (unsigned life = 0; life < 2; life++) {
        q = open_queue(&p);
        fake_clock_advance(&p.clock, UINT64_C(30) * 24 * HOUR_MS * 1000);
        check_int(claim_all(&p, q), 0);
        check_int(state_of(&p, q, HELD), QUEUE_HELD);
        run(&p, q);
        queue_close(q);
    }
    q = open_queue(&p);
    m = take(&p, q, HELD);
    check(!m->rcpts[0].passed);
    queue_unhold(q, m, 0);
    queue_release(q, m);
    check_int(state_of(&p, q, HELD), QUEUE_WAITING);
    run(&p, q);
    queue_close(q);

    q = open_queue(&p);
    m = take(&p, q, HELD);
    check(m->rcpts[0].passed); /* no rule holds it once more */
    queue_release(q, m);
    queue_close(q);
    check_int(deliver_all(&p), 1);
    end(&p);
}

/* Looking claims nobody; who takes a message has it alone, even out of a lane. */
static void test_a_message_in_hand_is_nobody_elses(void **state)
{
    struct place p;
    struct queue_lane lane;

    (void)state;
    begin(&p);
    put_in(&p, SMALL);
    struct queue *q = open_queue(&p);
    uint64_t now_ms = clock_monotonic_ms(&p.clock.clock);
    struct queue_message *look = queue_look(q, queue_find(q, p.ids[0]));
    struct queue_message *m = queue_claim(q, now_ms);

    check(look != NULL && m != NULL);
    queue_release(q, look);
    queue_lane_init(&lane, 1);
    queue_park(q, m, 0, &lane);
    queue_release(q, m);
    check_int(state_of(&p, q, 0), QUEUE_ACTIVE);

    m = take(&p, q, 0);
    check(m->rcpts[0].due);
    struct queue_message *second = take(&p, q, 0);
    check(!second->rcpts[0].due);
    queue_release(q, second);
    check(queue_claim(q, now_ms) == NULL);
    check(queue_claim_lane(q, &lane, now_ms) == NULL);
    queue_outcome(q, m, 0, QUEUE_DISCARDED, SLICE("deleted"));
    check(queue_release(q, m));
    check(queue_find(q, p.ids[0]) == NULL);
    run(&p, q);
    queue_close(q);
    check_int(deliver_all(&p), 0);
    end(&p);
}

static void test_a_message_that_broke_cannot_be_taken(void **state)
{
    struct place p;
    char name[SEGMENT_NAME_SIZE];

    (void)state;
    begin(&p);
    put_all(&p);
    struct queue *q = open_queue(&p);
    damage(&p, name);
    check(queue_take(q, queue_find(q, p.ids[1])) == NULL);
    check(p.told > 0);
    check(queue_find(q, p.ids[1]) == NULL);
    check_int(queue_count(q), MESSAGES - 1);
    check_int(claim_all(&p, q), MESSAGES - 1);
    run(&p, q);
    queue_close(q);
    end(&p);
}

static bool hasten(struct place *p, struct queue *q, unsigned i)
{
    struct queue_message *m = queue_look(q, queue_find(q, p->ids[i]));

    check(m != NULL);
    bool done = queue_hasten(q, m, 0);
    queue_release(q, m);
    return done;
}

/* Whoever waits for his time, and nobody else, is made due. */
static void test_a_deferred_message_is_hastened(void **state)
{
    struct place p;

    (void)state;
    begin(&p);
    put_in(&p, SMALL);
    struct queue *q = open_queue(&p);
    uint64_t now_ms = clock_monotonic_ms(&p.clock.clock);

    check(!queue_defers(q, queue_find(q, p.ids[0]))); /* it was not tried yet */
    check(hasten(&p, q, 0));                          /* and is due anyway */
    struct queue_message *m = queue_claim(q, now_ms);
    check(!hasten(&p, q, 0)); /* it is being tried */
    queue_defer(q, m, 0, &(struct queue_retry){.at_ms = now_ms + HOUR_MS});
    queue_release(q, m);
    check(queue_claim(q, now_ms) == NULL);
    check(queue_defers(q, queue_find(q, p.ids[0])));
    check(hasten(&p, q, 0));
    check(!queue_defers(q, queue_find(q, p.ids[0])));

    m = queue_claim(q, now_ms);
    check(m != NULL && m->rcpts[0].due && m->rcpts[0].attempts == 1);
    queue_hold(q, m, 0, SLICE(""));
    queue_release(q, m);
    check(!queue_defers(q, queue_find(q, p.ids[0])));
    check(!hasten(&p, q, 0));
    check_int(state_of(&p, q, 0), QUEUE_HELD);
    check(queue_claim(q, now_ms) == NULL);
    run(&p, q);
    queue_close(q);
    end(&p);
}

enum { MINUTE_MS = 60 * 1000, DAY_S = 24 * 3600, TEN_YEARS_S = 3650 * DAY_S };

/* One life of the courier: is the message to go now? Else it is held back. */
static bool goes(struct place *p, struct queue *q)
{
    uint64_t now_ms = clock_monotonic_ms(&p->clock.clock);
    struct queue_message *m = queue_claim(q, now_ms);
    bool due = false;

    if (m != NULL) {
        queue_hold_back(q, m, now_ms);
        due = m->rcpts[0].due;
        queue_release(q, m);
    }
    return due;
}

static uint64_t later_ms(struct place *p, struct queue *q)
{
    struct queue_message *m = queue_look(q, queue_find(q, p->ids[0]));

    check(m != NULL);
    uint64_t ms = queue_later_ms(q, m, clock_monotonic_ms(&p->clock.clock));
    queue_release(q, m);
    return ms;
}

static uint64_t age_ms(struct place *p, struct queue *q)
{
    struct queue_message *m = queue_look(q, queue_find(q, p->ids[0]));

    check(m != NULL);
    uint64_t ms = queue_age_ms(m, clock_monotonic_ms(&p->clock.clock));
    queue_release(q, m);
    return ms;
}

static void step_wall(struct place *p, int64_t seconds)
{
    p->clock.wall_now_us += (uint64_t)(seconds * 1000000);
}

static struct queue *begin_later(struct place *p, uint32_t hold_for_s, int64_t hold_until_s)
{
    begin(p);
    step_wall(p, 2 * (int64_t)TEN_YEARS_S);
    p->wishes.hold_for_s = hold_for_s;
    if (hold_until_s != 0)
        p->wishes.hold_until_us = clock_wall_us(&p->clock.clock) + (uint64_t)hold_until_s * 1000000;
    put_in(p, SMALL);
    return open_queue(p);
}

/* RFC 4865: not earlier, whatever happens to the clock on the wall; then, with age 0. */
static void test_hold_for_is_counted_while_the_courier_lives(void **state)
{
    static const int64_t steps_s[] = {0, TEN_YEARS_S, -(int64_t)TEN_YEARS_S};

    (void)state;
    CHECK_ROWS (i, steps_s) {
        struct place p;
        struct queue *q = begin_later(&p, 7200, 0);

        check(!goes(&p, q));
        check_int(state_of(&p, q, 0), QUEUE_LATER);
        check_int(later_ms(&p, q) / 1000, 7200);
        check(!queue_defers(q, queue_find(q, p.ids[0])) && !hasten(&p, q, 0));
        step_wall(&p, steps_s[i]);
        fake_clock_advance(&p.clock, 2 * HOUR_MS * UINT64_C(1000) - 1);
        check(!goes(&p, q));
        fake_clock_advance(&p.clock, 1001);
        check(goes(&p, q));
        check_int(age_ms(&p, q), 0);
        fake_clock_advance(&p.clock, MINUTE_MS * UINT64_C(1000));
        check_int(age_ms(&p, q), MINUTE_MS);
        queue_close(q);
        end(&p);
    }
}

static void test_hold_for_in_the_next_life(void **state)
{
    /* Away so long, the wall's clock set meanwhile; then it waits still so long, or has an age. */
    static const struct {
        uint64_t away_s;
        int64_t step_s;
        uint64_t later_s, age_s;
    } rows[] = {
        {0,         0,                     7200, 0   },
        {3600,      0,                     3600, 0   },
        {7200 + 60, 0,                     0,    60  },
        {3 * DAY_S, 0,                     0,    3600},
        {60,        TEN_YEARS_S,           0,    3600},
        {60,        -(int64_t)TEN_YEARS_S, 7200, 0   },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct place p;
        struct queue *q = begin_later(&p, 7200, 0);

        check(!goes(&p, q));
        queue_close(q);
        fake_clock_advance(&p.clock, rows[i].away_s * 1000000);
        step_wall(&p, rows[i].step_s);
        q = open_queue(&p);
        check(goes(&p, q) == (rows[i].later_s == 0));
        check_int(later_ms(&p, q) / 1000, rows[i].later_s);
        check_int(age_ms(&p, q) / 1000, rows[i].age_s);
        queue_close(q);
        end(&p);
    }
}

/* The clock on the wall is what was meant, and it is set now and then. */
static void test_hold_until_looks_at_the_wall(void **state)
{
    struct place p;
    struct queue *q = begin_later(&p, 0, DAY_S);

    (void)state;
    check(!goes(&p, q));
    check_int(later_ms(&p, q) / 1000, DAY_S);
    step_wall(&p, -3600);
    fake_clock_advance(&p.clock, DAY_S * UINT64_C(1000000));
    check(!goes(&p, q));
    check_int(later_ms(&p, q) / 1000, 3600);
    check_int(state_of(&p, q, 0), QUEUE_LATER);
    fake_clock_advance(&p.clock, 30 * MINUTE_MS * UINT64_C(1000));
    check(!goes(&p, q));
    check_int(age_ms(&p, q), 0);
    queue_close(q);

    q = open_queue(&p);
    check(!goes(&p, q));
    step_wall(&p, 1800);
    fake_clock_advance(&p.clock, 10 * MINUTE_MS * UINT64_C(1000));
    check(goes(&p, q));
    check(age_ms(&p, q) <= 10 * MINUTE_MS);

    /* Who was tried once is not held again. */
    struct queue_message *m = queue_claim(q, clock_monotonic_ms(&p.clock.clock));
    queue_defer(q, m, 0, &(struct queue_retry){.at_ms = clock_monotonic_ms(&p.clock.clock)});
    queue_release(q, m);
    step_wall(&p, -(int64_t)TEN_YEARS_S);
    check(goes(&p, q));
    queue_close(q);
    end(&p);
}

/* One that waits for days does not keep the segment that it came in. */
static void test_what_goes_later_is_carried(void **state)
{
    struct place p;

    (void)state;
    begin(&p);
    p.wishes.hold_for_s = 2 * DAY_S;
    put_all(&p);
    struct queue *q = open_queue(&p);
    check(!goes(&p, q)); /* the oldest comes first */
    check_int(claim_all(&p, q), MESSAGES - 1);
    run_for(&p, q, 30);
    check_int(queue_carried(q), 1);
    check_int(state_of(&p, q, 0), QUEUE_LATER);
    queue_close(q);

    fake_clock_advance(&p.clock, DAY_S * UINT64_C(1000000));
    q = open_queue(&p);
    check(!goes(&p, q));
    check_int(state_of(&p, q, 0), QUEUE_LATER);
    check_int((later_ms(&p, q) + HOUR_MS / 2) / HOUR_MS, 24);
    run(&p, q);
    queue_close(q);

    fake_clock_advance(&p.clock, (DAY_S + 60) * UINT64_C(1000000));
    q = open_queue(&p);
    check(goes(&p, q));
    check(age_ms(&p, q) < 10 * MINUTE_MS); /* of which nothing was spent in the queue before */
    queue_close(q);
    end(&p);
}

/* Of two holds the administrator's ends first; what he lets go has gone, restarts or not. */
static void test_a_person_lets_it_go(void **state)
{
    struct place p;
    struct queue *q = begin_later(&p, 0, 7200);

    (void)state;
    check(!goes(&p, q));
    struct queue_message *m = take(&p, q, 0);
    queue_hold(q, m, 0, SLICE(""));
    queue_release(q, m);
    check_int(state_of(&p, q, 0), QUEUE_HELD);
    m = take(&p, q, 0);
    queue_unhold(q, m, 0);
    queue_release(q, m);
    check(!goes(&p, q));
    check_int(state_of(&p, q, 0), QUEUE_LATER);

    m = take(&p, q, 0);
    check_int(m->rcpts[0].state, QUEUE_LATER);
    queue_let_go(q, m, 0);
    queue_release(q, m);
    check(goes(&p, q));
    check_int(age_ms(&p, q), 0);
    run(&p, q);
    queue_close(q);
    q = open_queue(&p);
    check(goes(&p, q));
    queue_close(q);
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage_in_a_sealed_segment),
        cmocka_unit_test(test_outcomes_are_written_on_a_full_disk),
        cmocka_unit_test(test_courier_starts_on_a_full_disk),
        cmocka_unit_test(test_full_disk_leaves_no_draft),
        cmocka_unit_test(test_failed_sync_keeps_the_draft),
        cmocka_unit_test(test_put_off),
        cmocka_unit_test(test_header_is_read_at_the_next_mark),
        cmocka_unit_test(test_a_few_messages_keep_no_segments),
        cmocka_unit_test(test_deferrals_survive),
        cmocka_unit_test(test_a_start_short_of_something_delivers_nothing_twice),
        cmocka_unit_test(test_a_carried_message_keeps_its_body_file),
        cmocka_unit_test(test_a_carried_message_keeps_its_reason),
        cmocka_unit_test(test_a_walk_meets_every_message_once),
        cmocka_unit_test(test_two_walks),
        cmocka_unit_test(test_a_walk_meets_once_what_moves_meanwhile),
        cmocka_unit_test(test_a_message_on_its_way_is_what_it_was),
        cmocka_unit_test(test_nothing_moves_while_somebody_acts),
        cmocka_unit_test(test_a_held_message_waits_for_its_release),
        cmocka_unit_test(test_a_deferred_message_is_hastened),
        cmocka_unit_test(test_hold_for_is_counted_while_the_courier_lives),
        cmocka_unit_test(test_hold_for_in_the_next_life),
        cmocka_unit_test(test_hold_until_looks_at_the_wall),
        cmocka_unit_test(test_what_goes_later_is_carried),
        cmocka_unit_test(test_a_person_lets_it_go),
        cmocka_unit_test(test_a_message_in_hand_is_nobody_elses),
        cmocka_unit_test(test_a_message_that_broke_cannot_be_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
