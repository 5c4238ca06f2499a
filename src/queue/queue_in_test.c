/*
 * queue_in_test.c - ids, room and refusals of the receiver's side. What a 250 promises is tested
 * in tests/crash.
 */
#include "queue/queue_in.h"

#include "base/arena.h"
#include "base/fail.h"
#include "check.h"
#include "fakes/clock.h"
#include "fakes/disk.h"
#include "fakes/random.h"
#include "fakes/worker.h"
#include "queue/format.h"

#include <errno.h>

enum { RECEIVER = 7, SEGMENT_BYTES = 64 * 1024, MIN_FREE = 1000000 };

struct place {
    struct fake_clock clock;
    struct fake_random random;
    struct fake_worker worker;
    struct fake_disk *disk;
    struct disk_dir *spool, *dir;
    struct queue_in *q;
    unsigned told;
};

static void count(void *ctx, int code, const char *operation, struct slice name)
{
    (void)code, (void)operation, (void)name;
    ((struct place *)ctx)->told++;
}

static void begin(struct place *p)
{
    *p = (struct place){0};
    fail_set_sink(count, p);
    fake_clock_init(&p->clock);
    fake_random_init(&p->random, 1);
    fake_worker_init(&p->worker, &p->random.random);
    p->disk = fake_disk_new(&p->clock.clock);
    check_int(disk_dir_open(fake_disk(p->disk), "", &p->spool), 0);
}

static void open_in(struct place *p)
{
    struct disk_dir *in;

    check_int(queue_in_make_dirs(p->spool, RECEIVER, 0700), 0);
    check_int(disk_dir_open_at(p->spool, "in", &in), 0);
    check_int(disk_dir_open_at(in, "7", &p->dir), 0);
    disk_dir_close(in);

    struct queue_in_options o = {.dir = p->dir,
                                 .receiver = RECEIVER,
                                 .mode = 0600,
                                 .min_free = MIN_FREE,
                                 .segment_size = SEGMENT_BYTES,
                                 .worker = &p->worker.worker,
                                 .clock = &p->clock.clock,
                                 .random = &p->random.random};

    check_int(queue_in_open(&o, &p->q), 0);
}

static void close_in(struct place *p)
{
    queue_in_close(p->q);
    disk_dir_close(p->dir);
}

static void end(struct place *p)
{
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

/* Ids rise, and name the receiver: also in its next life, whatever the clock says by then. */
static void test_ids(void **state)
{
    struct place p;
    uint64_t last = 0;

    (void)state;
    begin(&p);
    for (unsigned life = 0; life < 3; life++) {
        open_in(&p);
        for (unsigned i = 0; i < 100; i++) {
            uint64_t id = queue_in_next_id(p.q);

            check(id > last);
            check_int(id_receiver(id), RECEIVER);
            last = id;
        }
        close_in(&p);
        p.clock.wall_now_us /= 2;
    }
    end(&p);
}

/* Two servers that start in the same second, and one that starts twice in it. */
static void test_ids_of_the_same_second(void **state)
{
    struct place one, two;
    uint64_t ids[3];

    (void)state;
    begin(&one);
    begin(&two);
    fake_random_init(&two.random, 2);
    open_in(&one);
    open_in(&two);
    ids[0] = queue_in_next_id(one.q);
    ids[1] = queue_in_next_id(two.q);
    close_in(&one);
    open_in(&one);
    ids[2] = queue_in_next_id(one.q);
    check_int(id_segment(ids[0]), id_segment(ids[1]));
    check(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
    close_in(&one);
    close_in(&two);
    end(&two);
    end(&one);
}

/* Many sessions that bring no mail use up the ids of a segment: they are answered 451 until the
 * next one is there, and never get an id for the second time. */
static void test_ids_of_a_segment_run_out(void **state)
{
    struct place p;
    uint64_t id = 0, next;

    (void)state;
    begin(&p);
    open_in(&p);
    uint64_t segment = id_segment(queue_in_next_id(p.q));
    uint64_t count = 1;
    for (; (id & ID_COUNTER_MAX) != ID_COUNTER_MAX; count++)
        id = queue_in_next_id(p.q);
    check(count >= ID_COUNTER_MAX - ID_START_MAX);
    check_int(id_segment(id), segment);

    fake_disk_set_space(p.disk, 0);
    for (unsigned i = 0; i < 3; i++) {
        check_int(queue_in_next_id(p.q), 0);
        work(&p);
    }
    check(p.told > 0);
    fake_disk_set_space(p.disk, UINT64_MAX);
    fake_clock_advance(&p.clock, 60 * 1000000);
    for (unsigned i = 0; i < 10 && (next = queue_in_next_id(p.q)) == 0; i++)
        work(&p);
    check(next > id);
    check(id_segment(next) > segment);
    check(queue_in_next_id(p.q) > next);
    close_in(&p);
    end(&p);
}

static void test_room(void **state)
{
    static const struct {
        uint64_t free;
        unsigned wait_ms; /* since the row before */
        bool fails, room;
        unsigned told;
    } rows[] = {
        {MIN_FREE,     0,   false, true,  0},
        {MIN_FREE - 1, 99,  false, true,  0}, /* it was asked a moment ago */
        {MIN_FREE - 1, 1,   false, false, 0},
        {MIN_FREE,     99,  false, false, 0},
        {MIN_FREE,     1,   false, true,  0},
        {MIN_FREE,     100, true,  false, 1}, /* who cannot say how much has none */
        {MIN_FREE,     100, false, true,  0},
    };
    struct place p;

    (void)state;
    begin(&p);
    open_in(&p);
    CHECK_ROWS (i, rows) {
        p.told = 0;
        fake_clock_advance(&p.clock, rows[i].wait_ms * UINT64_C(1000));
        fake_disk_set_space(p.disk, fake_disk_used(p.disk) + rows[i].free);
        if (rows[i].fails)
            fake_disk_fail_at(p.disk, fake_disk_calls(p.disk) + 1, -EIO);
        check(queue_in_has_room(p.q) == rows[i].room);
        check_int(p.told, rows[i].told);
    }
    close_in(&p);
    end(&p);
}

/* The ticket that is under way, to its end. */
static int result_of(struct place *p, struct queue_ticket *put)
{
    struct list finished;

    list_init(&finished);
    for (unsigned round = 0; round < 50 && list_empty(&finished); round++) {
        queue_in_flush(p->q);
        work(p);
        queue_in_collect(p->q, &finished);
    }
    check(finished.next == &put->ticket.link);
    list_remove(finished.next);
    return put->ticket.result;
}

static int put_for(struct place *p, const struct address *rcpt, unsigned rcpt_count)
{
    struct arena arena = {0};
    struct envelope_rcpt *rcpts = ARENA_ARRAY(&arena, struct envelope_rcpt, rcpt_count);
    struct envelope e = {.id = queue_in_next_id(p->q),
                         .sender = *rcpt,
                         .proto = SLICE_INIT("ESMTP"),
                         .rcpts = rcpts,
                         .rcpt_count = rcpt_count};
    struct queue_ticket put;
    struct draft draft;
    int result;

    for (unsigned i = 0; i < rcpt_count; i++)
        rcpts[i] = (struct envelope_rcpt){.original = *rcpt, .final = *rcpt};
    queue_in_draft_init(p->q, &draft);
    draft_begin(&draft, e.id);
    check_int(draft_append(&draft, SLICE("A: b\r\n\r\nhello\r\n")), 0);
    queue_put(p->q, &e, SLICE("X: y\r\n"), &draft, &put);
    result = result_of(p, &put);
    draft_end(&draft);
    arena_done(&arena);
    return result;
}

/* The parsers let no address through that is so long; if one did, nothing of it would reach the
 * journal, and who comes next is not hurt. */
static void test_envelope_too_large(void **state)
{
    static const struct address bob = {ADDRESS_MAILBOX, SLICE_INIT("bob"),
                                       SLICE_INIT("example.org"), false};
    static char local[600], domain[600];
    const struct address longest = {
        ADDRESS_MAILBOX, {local,  sizeof(local) },
         {domain, sizeof(domain)},
         false
    };
    struct place p;
    uint64_t segment, before, after;

    (void)state;
    memset(local, 'l', sizeof(local));
    memset(domain, 'd', sizeof(domain));
    begin(&p);
    open_in(&p);
    queue_in_durable(p.q, &segment, &before);
    check_int(put_for(&p, &longest, ENVELOPE_RCPTS_MAX), -EMSGSIZE);
    queue_in_durable(p.q, &segment, &after);
    check_int(after, before);
    check_int(put_for(&p, &bob, 2), 0);
    queue_in_durable(p.q, &segment, &after);
    check(after > before);
    close_in(&p);
    end(&p);
}

/* Whatever call fails is told, and leaves nothing open; the next try finds what is there. */
static void test_make_dirs(void **state)
{
    struct place p;
    uint64_t calls;

    (void)state;
    begin(&p);
    calls = fake_disk_calls(p.disk);
    check_int(queue_in_make_dirs(p.spool, RECEIVER, 0700), 0);
    calls = fake_disk_calls(p.disk) - calls;
    end(&p);
    for (uint64_t n = check_row = 1; n <= calls; check_row = ++n) {
        begin(&p);
        fake_disk_fail_at(p.disk, fake_disk_calls(p.disk) + n, -EIO);
        check_int(queue_in_make_dirs(p.spool, RECEIVER, 0700), -EIO);
        check_int(p.told, 1);
        open_in(&p);
        close_in(&p);
        end(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_ids_of_the_same_second),
        cmocka_unit_test(test_ids_of_a_segment_run_out),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_envelope_too_large),
        cmocka_unit_test(test_make_dirs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
