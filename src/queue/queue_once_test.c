/*
 * queue_once_test.c - which of two copies goes, and when the other one may be closed. What crashes
 * do to that is tested in tests/crash, which copies come in tests/sim.
 */
#include "queue/queue.h"

#include "base/fail.h"
#include "check.h"
#include "fakes/clock.h"
#include "fakes/disk.h"
#include "fakes/random.h"
#include "fakes/worker.h"
#include "queue/queue_in.h"
#include "store/segment.h"

#include <stdio.h>

enum { RECEIVERS = 2, PUTS = 4, SEGMENT_BYTES = 64 * 1024 };

static const struct slice one_mail = SLICE_INIT("0123456789abcdef"),
                          another_mail = SLICE_INIT("0123456789ABCDEF"), nameless = SLICE_INIT("");

struct place {
    struct fake_clock clock;
    struct fake_random random;
    struct fake_worker worker;
    struct fake_disk *disk;
    struct disk_dir *spool, *dirs[RECEIVERS];
    struct queue_in *in[RECEIVERS];
    struct queue *q;
    struct draft drafts[PUTS];
    struct queue_ticket puts[PUTS];
    unsigned count;
};

static void ignore(void *ctx, int code, const char *operation, struct slice name)
{
    (void)ctx, (void)code, (void)operation, (void)name;
}

static void open_receiver(struct place *p, unsigned receiver)
{
    struct queue_in_options o = {.dir = p->dirs[receiver],
                                 .receiver = receiver,
                                 .mode = 0600,
                                 .segment_size = SEGMENT_BYTES,
                                 .worker = &p->worker.worker,
                                 .clock = &p->clock.clock,
                                 .random = &p->random.random};

    check_int(queue_in_open(&o, &p->in[receiver]), 0);
}

static void publish(struct place *p, unsigned receiver)
{
    uint64_t segment, offset;

    queue_in_durable(p->in[receiver], &segment, &offset);
    queue_durable(p->q, receiver, segment, offset);
}

static void open_courier(struct place *p)
{
    struct queue_options o = {.spool = p->spool,
                              .mode = 0600,
                              .segment_size = SEGMENT_BYTES,
                              .worker = &p->worker.worker,
                              .clock = &p->clock.clock,
                              .random = &p->random.random};

    check_int(queue_open(&o, &p->q), 0);
    queue_receivers_are(p->q, RECEIVERS);
}

static void begin(struct place *p)
{
    struct disk_dir *in;
    char name[8];

    *p = (struct place){0};
    fail_set_sink(ignore, NULL);
    fake_clock_init(&p->clock);
    fake_random_init(&p->random, 1);
    fake_worker_init(&p->worker, &p->random.random);
    p->disk = fake_disk_new(&p->clock.clock);
    check_int(disk_dir_open(fake_disk(p->disk), "", &p->spool), 0);
    check_int(queue_make_dirs(p->spool, 0700), 0);
    for (unsigned i = 0; i < RECEIVERS; i++) {
        check_int(queue_in_make_dirs(p->spool, i, 0700), 0);
        check_int(disk_dir_open_at(p->spool, "in", &in), 0);
        (void)snprintf(name, sizeof(name), "%u", i);
        check_int(disk_dir_open_at(in, name, &p->dirs[i]), 0);
        disk_dir_close(in);
        open_receiver(p, i);
    }
    open_courier(p);
}

static void close_receiver(struct place *p, unsigned receiver)
{
    queue_in_close(p->in[receiver]);
    p->in[receiver] = NULL;
}

static void end(struct place *p)
{
    queue_close(p->q);
    for (unsigned i = 0; i < RECEIVERS; i++) {
        if (p->in[i] != NULL)
            close_receiver(p, i);
        disk_dir_close(p->dirs[i]);
    }
    for (unsigned i = 0; i < p->count; i++)
        draft_end(&p->drafts[i]);
    disk_dir_close(p->spool);
    fake_disk_free(p->disk);
    fail_set_sink(NULL, NULL);
}

static void work(struct place *p)
{
    while (fake_worker_step(&p->worker))
        worker_collect(&p->worker.worker);
}

/* What the courier has to write is written. */
static void rest(struct place *p)
{
    for (unsigned i = 0; i < 5; i++) {
        queue_flush(p->q);
        queue_sync(p->q);
        work(p);
        queue_collect(p->q);
    }
}

/* Its id; written, and with `acked` durable and published. */
static uint64_t put(struct place *p, unsigned receiver, struct slice fingerprint, bool acked)
{
    static const struct address user = {ADDRESS_MAILBOX, SLICE_INIT("user"),
                                        SLICE_INIT("example.org"), false};
    struct envelope_rcpt rcpt = {.original = user, .final = user};
    struct envelope e = {
        .sender = user, .fingerprint = fingerprint, .rcpts = &rcpt, .rcpt_count = 1};
    struct draft *draft = &p->drafts[p->count];
    struct list finished;

    list_init(&finished);
    e.id = queue_in_next_id(p->in[receiver]);
    e.arrival_us = p->clock.wall_now_us;
    queue_in_draft_init(p->in[receiver], draft);
    draft_begin(draft, e.id);
    check_int(draft_append(draft, SLICE("hello")), 0);
    queue_put(p->in[receiver], &e, SLICE("X: y\r\n"), draft, &p->puts[p->count++]);
    for (unsigned i = 0; i < 3; i++) {
        queue_in_flush(p->in[receiver]);
        if (i < 2 || acked) /* zeros first, then the sync of the record */
            work(p);
    }
    queue_in_collect(p->in[receiver], &finished);
    if (acked)
        publish(p, receiver);
    return e.id;
}

/* What comes next, once all is written; NULL: nothing. */
static struct queue_message *claim(struct place *p)
{
    struct queue_message *m = NULL;

    for (unsigned i = 0; i < 3 && m == NULL; i++) {
        m = queue_claim(p->q, clock_monotonic_ms(&p->clock.clock));
        if (m == NULL)
            rest(p);
    }
    return m;
}

static void check_next(struct place *p, uint64_t id, uint64_t duplicate_of)
{
    struct queue_message *m = claim(p);

    assert_non_null(m);
    check(m->envelope.id == id);
    check(m->duplicate_of == duplicate_of);
    queue_outcome(p->q, m, 0, duplicate_of == 0 ? QUEUE_DELIVERED : QUEUE_DISCARDED, SLICE(""));
    (void)queue_release(p->q, m);
}

static void check_nothing(struct place *p)
{
    check(claim(p) == NULL);
}

/* It waits for its next attempt. */
static void defer(struct place *p, uint64_t id, uint64_t in_ms)
{
    struct queue_message *m = claim(p);

    assert_non_null(m);
    check(m->envelope.id == id && m->duplicate_of == 0);
    queue_defer(p->q, m, 0,
                &(struct queue_retry){.at_ms = clock_monotonic_ms(&p->clock.clock) + in_ms,
                                      .reason = SLICE("busy")});
    (void)queue_release(p->q, m);
    rest(p);
}

static void test_the_second_is_closed(void **state)
{
    struct place p;
    uint64_t first, second, third, other, plain[2];

    (void)state;
    begin(&p);
    first = put(&p, 0, one_mail, true);
    second = put(&p, 1, one_mail, true);
    check_next(&p, second, first); /* which need not have gone: it is not lost any more */
    check_next(&p, first, 0);
    rest(&p);
    check_int(queue_count(p.q), 0);
    other = put(&p, 0, another_mail, true);
    third = put(&p, 0, one_mail, true);
    check_next(&p, third, first);
    check_next(&p, other, 0);
    end(&p);

    begin(&p);
    for (unsigned i = 0; i < 2; i++)
        plain[i] = put(&p, 0, nameless, true);
    for (unsigned i = 0; i < 2; i++)
        check_next(&p, plain[i], 0);
    end(&p);
}

/* Nothing is sent before it is durable that it is. */
static void test_it_waits_for_its_note(void **state)
{
    struct place p;
    struct queue_message *m;
    uint64_t first, at_ms;

    (void)state;
    begin(&p);
    first = put(&p, 0, one_mail, true);
    check(queue_claim(p.q, clock_monotonic_ms(&p.clock.clock)) == NULL);
    queue_flush(p.q);
    queue_collect(p.q);
    check(queue_claim(p.q, clock_monotonic_ms(&p.clock.clock)) == NULL);
    check(queue_busy(p.q));
    work(&p);
    queue_collect(p.q);
    check(queue_next_due(p.q, &at_ms) && at_ms == 0); /* somebody is to look */
    m = queue_claim(p.q, clock_monotonic_ms(&p.clock.clock));
    assert_non_null(m);
    check(m->envelope.id == first);
    (void)queue_release(p.q, m);
    end(&p);
}

/* While the first one waits for hours its copy is closed; a restart does not change that. */
static void test_the_first_is_deferred(void **state)
{
    struct place p;
    uint64_t first, copy;

    (void)state;
    begin(&p);
    first = put(&p, 0, one_mail, true);
    defer(&p, first, 3600 * 1000);
    copy = put(&p, 1, one_mail, true);
    check_next(&p, copy, first);
    rest(&p);
    queue_close(p.q);
    open_courier(&p);
    publish(&p, 0);
    publish(&p, 1);
    copy = put(&p, 1, one_mail, true);
    check_next(&p, copy, first);
    fake_clock_advance(&p.clock, UINT64_C(3601) * 1000000);
    check_next(&p, first, 0);
    end(&p);
}

/* The receiver that took it has not said anything since the courier started. */
static void test_the_first_is_not_read_yet(void **state)
{
    struct place p;
    uint64_t first, copy;

    (void)state;
    begin(&p);
    first = put(&p, 0, one_mail, true);
    defer(&p, first, 0);
    queue_close(p.q);
    open_courier(&p);
    copy = put(&p, 1, one_mail, true);
    check_nothing(&p);
    publish(&p, 0);
    check_next(&p, first, 0);
    fake_clock_advance(&p.clock, 5000000);
    check_next(&p, copy, first);
    end(&p);
}

/* The receiver died before its sync: the client heard nothing, and what was read may be in the page
 * cache only. The copy was acknowledged: it is not to be closed for the sake of that. */
static void test_the_first_may_vanish(void **state)
{
    struct place p;
    uint64_t first, copy;

    (void)state;
    begin(&p);
    publish(&p, 0);
    first = put(&p, 0, one_mail, false);
    close_receiver(&p, 0);
    queue_receiver_ended(p.q, 0);
    defer(&p, first, 3600 * 1000);
    copy = put(&p, 1, one_mail, true);
    check_nothing(&p);
    fake_clock_advance(&p.clock, UINT64_C(3601) * 1000000);
    check_next(&p, first, 0);
    fake_clock_advance(&p.clock, 5000000);
    check_next(&p, copy, first);
    end(&p);
}

static bool unlink_segment(void *dir, struct slice name)
{
    char text[SEGMENT_NAME_SIZE];

    if (segment_is_free_name(name) || !slice_starts(name, SLICE("s-")))
        return true;
    (void)snprintf(text, sizeof(text), "%.*s", SLICE_PRINTF(name));
    check_int(disk_unlink(dir, text), 0);
    return true;
}

/* It is noted that it was begun, and it is nowhere: it never was, or it was lost. */
static void test_the_first_is_lost(void **state)
{
    struct place p;
    uint64_t first, copies[2];

    (void)state;
    begin(&p);
    first = put(&p, 0, one_mail, true);
    defer(&p, first, 3600 * 1000);
    queue_close(p.q);
    close_receiver(&p, 0);
    check_int(disk_dir_list(p.dirs[0], unlink_segment, p.dirs[0]), 0);
    fake_clock_advance(&p.clock, 5000000); /* no name comes twice */
    open_receiver(&p, 0);
    open_courier(&p);
    for (unsigned i = 0; i < 2; i++)
        copies[i] = put(&p, 1, one_mail, true);
    check_next(&p, copies[1], copies[0]);
    check_next(&p, copies[0], 0);
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_second_is_closed),
        cmocka_unit_test(test_it_waits_for_its_note),
        cmocka_unit_test(test_the_first_is_deferred),
        cmocka_unit_test(test_the_first_is_not_read_yet),
        cmocka_unit_test(test_the_first_may_vanish),
        cmocka_unit_test(test_the_first_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
