/*
 * memory_test.c - what a message costs while it waits: at most 256 bytes with one recipient, also
 * when each was tried and deferred, and again behind a restart.
 */
#include "check.h"

#include "fakes/clock.h"
#include "fakes/disk.h"
#include "fakes/random.h"
#include "fakes/worker.h"
#include "queue/queue.h"
#include "queue/queue_in.h"
#include "sim/memory.h"

enum {
    MESSAGES = 5000,
    EACH_MAX = 256,
    SEGMENT_BYTES = 1024 * 1024,
    REASONS = 20,
    HOUR_MS = 3600000
};

struct place {
    struct fake_clock clock;
    struct fake_random random;
    struct fake_worker worker;
    struct fake_disk *disk;
    struct disk_dir *spool;
    struct memory_account account; /* of the queue */
};

static void work(struct place *p)
{
    while (fake_worker_step(&p->worker))
        worker_collect(&p->worker.worker);
}

/* ---- a receiver ---- */

static void put_one(struct queue_in *q, struct draft *draft, struct queue_ticket *put)
{
    static const struct address user = {ADDRESS_MAILBOX, SLICE_INIT("user"),
                                        SLICE_INIT("example.org"), false};
    struct envelope_rcpt rcpt = {.original = user, .final = user};
    struct envelope e = {.sender = user,
                         .helo = SLICE_INIT("client.example.org"),
                         .client_address = SLICE_INIT("192.0.2.1"),
                         .proto = SLICE_INIT("ESMTP"),
                         .rcpts = &rcpt,
                         .rcpt_count = 1};

    e.id = queue_in_next_id(q);
    queue_in_draft_init(q, draft);
    draft_begin(draft, e.id);
    check_int(draft_append(draft, SLICE("hello\r\n")), 0);
    queue_put(q, &e, SLICE("X: y\r\n"), draft, put);
}

static void put_all(struct place *p, struct queue_in *q)
{
    struct list finished;

    list_init(&finished);
    for (unsigned i = 0; i < MESSAGES; i++) {
        struct draft draft;
        struct queue_ticket put;

        put_one(q, &draft, &put);
        for (unsigned round = 0; list_empty(&finished) && round < 10; round++) {
            queue_in_flush(q);
            work(p);
            queue_in_collect(q, &finished);
        }
        check(!list_empty(&finished));
        check_int(put.ticket.result, 0);
        list_remove(&put.ticket.link);
        draft_end(&draft);
    }
}

static void receive(struct place *p)
{
    struct disk_dir *in, *dir;
    struct queue_in *q;

    check_int(queue_in_make_dirs(p->spool, 0, 0700), 0);
    check_int(disk_dir_open_at(p->spool, "in", &in), 0);
    check_int(disk_dir_open_at(in, "0", &dir), 0);
    struct queue_in_options o = {.dir = dir,
                                 .mode = 0600,
                                 .segment_size = SEGMENT_BYTES,
                                 .worker = &p->worker.worker,
                                 .clock = &p->clock.clock,
                                 .random = &p->random.random};
    check_int(queue_in_open(&o, &q), 0);
    put_all(p, q);
    queue_in_close(q);
    disk_dir_close(dir);
    disk_dir_close(in);
}

/* ---- the courier ---- */

static struct queue *open_queue(struct place *p)
{
    struct queue_options o = {.spool = p->spool,
                              .mode = 0600,
                              .segment_size = SEGMENT_BYTES,
                              .worker = &p->worker.worker,
                              .clock = &p->clock.clock,
                              .random = &p->random.random};
    struct queue *q;

    memory_charge(&p->account);
    check_int(queue_open(&o, &q), 0);
    queue_receivers_are(q, 0);
    return q;
}

static void close_queue(struct place *p, struct queue *q)
{
    queue_close(q);
    memory_charge(NULL);
    check_int(p->account.live, 0);
}

static void write_down(struct place *p, struct queue *q)
{
    for (unsigned round = 0; round < 10; round++) {
        queue_flush(q);
        queue_sync(q);
        work(p);
        queue_collect(q);
    }
}

static void defer_all(struct place *p, struct queue *q)
{
    uint64_t now_ms = clock_monotonic_ms(&p->clock.clock);
    struct queue_message *m;
    unsigned count = 0;

    for (; (m = queue_claim(q, now_ms)) != NULL; count++) {
        char reason[80];
        int len = snprintf(reason, sizeof(reason), "host mx%u.example said: 450 not now",
                           count % REASONS);

        queue_defer(q, m, 0,
                    &(struct queue_retry){
                        .at_ms = now_ms + HOUR_MS, .reason = {reason, (size_t)len}
        });
        check(!queue_release(q, m));
        if (count % 100 == 0)
            write_down(p, q);
    }
    write_down(p, q);
    check_int(count, MESSAGES);
}

static void check_cost(struct place *p, struct queue *q, size_t empty, const char *when)
{
    size_t each = (p->account.live - empty) / MESSAGES;

    check_int(queue_count(q), MESSAGES);
    if (each > EACH_MAX)
        fail_msg("%s a message takes %zu bytes", when, each);
    printf("# %s: %zu bytes\n", when, each);
}

static void test_what_a_message_takes(void **state)
{
    struct place p = {0};
    size_t empty;

    (void)state;
    fake_clock_init(&p.clock);
    fake_random_init(&p.random, 1);
    fake_worker_init(&p.worker, &p.random.random);
    p.disk = fake_disk_new(&p.clock.clock);
    check_int(disk_dir_open(fake_disk(p.disk), "", &p.spool), 0);
    check_int(queue_make_dirs(p.spool, 0700), 0);
    struct queue *q = open_queue(&p);
    empty = p.account.live;
    close_queue(&p, q);

    receive(&p);
    q = open_queue(&p);
    check_cost(&p, q, empty, "as it came");
    defer_all(&p, q);
    check_cost(&p, q, empty, "deferred");
    close_queue(&p, q);
    q = open_queue(&p);
    check_cost(&p, q, empty, "deferred, behind a restart");
    close_queue(&p, q);
    disk_dir_close(p.spool);
    check_int(fake_disk_open(p.disk), 0);
    fake_disk_free(p.disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_message_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
