/*
 * once_test.c - what the journal of submissions remembers, for how long, and after which deaths.
 */
#include "queue/once.h"

#include "base/fail.h"
#include "base/memory.h"
#include "check.h"
#include "fakes/clock.h"
#include "fakes/disk.h"
#include "fakes/random.h"
#include "fakes/worker.h"
#include "store/segment.h"

#include <errno.h>
#include <string.h>

enum { SEGMENT_BYTES = 4096, DAY_S = 24 * 3600 };

#define SECOND_US UINT64_C(1000000)

struct place {
    struct fake_clock clock;
    struct fake_random random;
    struct fake_worker worker;
    struct fake_disk *disk;
    struct disk_dir *dir;
    struct once *once;
    size_t max;
};

static void ignore(void *ctx, int code, const char *operation, struct slice name)
{
    (void)ctx, (void)code, (void)operation, (void)name;
}

static int try_open(struct place *p)
{
    struct commit_options o = {.dir = p->dir,
                               .mode = 0600,
                               .size = SEGMENT_BYTES,
                               .worker = &p->worker.worker,
                               .clock = &p->clock.clock,
                               .random = &p->random.random};
    uint64_t seed[2] = {1, 2};

    return once_open(&o, seed, p->max, &p->once);
}

static void begin(struct place *p)
{
    *p = (struct place){0};
    fail_set_sink(ignore, NULL);
    fake_clock_init(&p->clock);
    fake_random_init(&p->random, 1);
    fake_worker_init(&p->worker, &p->random.random);
    p->disk = fake_disk_new(&p->clock.clock);
    check_int(disk_dir_open(fake_disk(p->disk), "", &p->dir), 0);
    check_int(try_open(p), 0);
}

static void end(struct place *p)
{
    once_close(p->once);
    disk_dir_close(p->dir);
    check_int(fake_disk_open(p->disk), 0);
    fake_disk_free(p->disk);
    fail_set_sink(NULL, NULL);
}

static void start_again(struct place *p)
{
    once_close(p->once);
    check_int(try_open(p), 0);
}

/* Everything that is under way comes to its end. */
static void rest(struct place *p)
{
    for (unsigned i = 0; i < 4; i++) {
        once_flush(p->once);
        once_sync(p->once);
        while (fake_worker_step(&p->worker))
            worker_collect(&p->worker.worker);
        while (once_next_settled(p->once) != NULL)
            ;
        once_free_segments(p->once);
    }
}

static void power_cut(struct place *p, uint64_t seed)
{
    once_close(p->once);
    disk_dir_close(p->dir);
    fake_disk_crash(p->disk, seed);
    check_int(disk_dir_open(fake_disk(p->disk), "", &p->dir), 0);
    check_int(try_open(p), 0);
}

static void passes(struct place *p, uint64_t seconds)
{
    fake_clock_advance(&p->clock, seconds * SECOND_US);
}

static struct once_mail mail_number(unsigned n)
{
    struct once_mail mail = {.id = 1000 + n, .segment = 7, .offset = 64 * n, .receiver = 3};

    memcpy(mail.fingerprint, &n, sizeof(n));
    return mail;
}

static const struct once_mail *begun(struct place *p, unsigned n)
{
    struct once_mail mail = mail_number(n);

    return once_begin(p->once, &mail);
}

static const struct once_mail *find(struct place *p, unsigned n)
{
    struct once_mail mail = mail_number(n);

    return once_find(p->once, (struct slice){(char *)mail.fingerprint, sizeof(mail.fingerprint)});
}

static void settle(struct place *p, unsigned n)
{
    struct queue_entry *e = entry_new(1000 + n, 1, 0);

    once_settle(p->once, e);
    rest(p);
    check_int(e->unsynced, 0);
    entry_free(e);
}

static unsigned segments(struct place *p)
{
    uint64_t *numbers;
    size_t count;

    check_int(segment_list(p->dir, &numbers, &count), 0);
    memory_free(numbers);
    return (unsigned)count;
}

static void check_known(struct place *p, unsigned n, bool settled)
{
    const struct once_mail *m = find(p, n);

    assert_non_null(m);
    check(m->id == 1000 + n && m->segment == 7 && m->offset == 64 * n && m->receiver == 3);
    check_int(m->settled, settled);
    check(m->durable);
}

/* Whoever may go has been noted so that no power cut makes it forgotten. */
static void test_begun_and_settled_survive(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct place p;

        begin(&p);
        check(!begun(&p, 1)->durable);
        check_int(find(&p, 2) == NULL, true);
        rest(&p);
        (void)begun(&p, 2);
        rest(&p);
        check_known(&p, 1, false);
        power_cut(&p, seed);
        check(find(&p, 1) != NULL && !find(&p, 1)->durable); /* until it is written once more */
        rest(&p);
        check_known(&p, 1, false);
        settle(&p, 1);
        power_cut(&p, seed);
        rest(&p);
        check_known(&p, 1, true);
        check_known(&p, 2, false);
        end(&p);
    }
}

/* What is settled stays in the queue until that is durable. */
static void test_who_settles_waits(void **state)
{
    struct queue_entry *e = entry_new(1001, 1, 0), *stranger = entry_new(9, 1, 0);
    struct place p;

    (void)state;
    begin(&p);
    (void)begun(&p, 1);
    rest(&p);
    once_settle(p.once, e);
    once_settle(p.once, stranger);
    check_int(e->unsynced, 1);
    check_int(stranger->unsynced, 0);
    once_flush(p.once);
    check(once_wants_sync(p.once) || once_busy(p.once));
    check(once_next_settled(p.once) == NULL);
    once_sync(p.once);
    while (fake_worker_step(&p.worker))
        worker_collect(&p.worker.worker);
    check(once_next_settled(p.once) == e);
    check_int(e->unsynced, 0);
    check(!once_busy(p.once));
    entry_free(e);
    entry_free(stranger);
    end(&p);
}

static void test_another_first(void **state)
{
    struct place p;

    (void)state;
    begin(&p);
    (void)begun(&p, 1);
    struct once_mail mail = mail_number(1);
    mail.id = 77;
    (void)once_begin(p.once, &mail);
    check_int(once_count(p.once), 1);
    rest(&p);
    settle(&p, 1); /* of the one that was forgotten: says nothing of the other */
    check(find(&p, 1)->id == 77 && !find(&p, 1)->settled);
    start_again(&p);
    rest(&p);
    check(find(&p, 1)->id == 77 && !find(&p, 1)->settled);
    end(&p);
}

static void test_a_day(void **state)
{
    struct place p;

    (void)state;
    begin(&p);
    (void)begun(&p, 1);
    rest(&p);
    passes(&p, DAY_S / 2);
    (void)begun(&p, 2);
    rest(&p);
    p.clock.wall_now_us += UINT64_C(365) * DAY_S * SECOND_US; /* somebody sets it */
    passes(&p, DAY_S / 2 - 1);
    check_known(&p, 1, false);
    passes(&p, 1);
    check(find(&p, 1) == NULL);
    check_known(&p, 2, false);
    passes(&p, DAY_S / 2);
    check(find(&p, 2) == NULL);
    check_int(once_count(p.once), 0);
    end(&p);
}

/* The clock on the wall tells of an absence, and is believed for an hour. */
static const struct {
    int64_t absence_s;
    uint64_t counted_s;
} absences[] = {
    {0,                    0   },
    {600,                  600 },
    {3600,                 3600},
    {INT64_C(86400) * 365, 3600},
    {-INT64_C(86400),      0   },
};

static void test_absences(void **state)
{
    (void)state;
    CHECK_ROWS (i, absences) {
        struct place p;

        begin(&p);
        (void)begun(&p, 1);
        rest(&p);
        p.clock.wall_now_us += (uint64_t)absences[i].absence_s * SECOND_US;
        start_again(&p);
        passes(&p, DAY_S - absences[i].counted_s - 1);
        check(find(&p, 1) != NULL);
        passes(&p, 1);
        check(find(&p, 1) == NULL);
        end(&p);
    }
}

/* The oldest go first; and after a start the same ones are known. */
static void test_a_million(void **state)
{
    enum { MAX = 100, ALL = 250 };
    struct place p;

    (void)state;
    begin(&p);
    p.max = MAX;
    start_again(&p);
    for (unsigned n = 0; n < ALL; n++) {
        (void)begun(&p, n);
        passes(&p, 1);
        if (n % 10 == 0)
            rest(&p);
    }
    for (unsigned life = 0; life < 2; life++) {
        rest(&p);
        for (unsigned n = 0; n < ALL; n++)
            check_int(find(&p, n) != NULL, n >= ALL - MAX);
        start_again(&p);
    }
    end(&p);
}

/* Files go with what they say. A segment holds about fifty. */
static void test_files_go(void **state)
{
    struct place p;
    unsigned most = 0;

    (void)state;
    begin(&p);
    for (unsigned n = 0; n < 2000; n++) {
        (void)begun(&p, n);
        settle(&p, n);
        passes(&p, DAY_S / 200);
        most = segments(&p) > most ? segments(&p) : most;
    }
    check_int(once_count(p.once), 200);
    check(most <= 10);
    passes(&p, DAY_S);
    rest(&p);
    check(segments(&p) <= 2);
    end(&p);
}

/* Who starts a thousand times leaves no thousand files. */
static void test_many_lives(void **state)
{
    struct place p;

    (void)state;
    begin(&p);
    for (unsigned n = 0; n < 100; n++) {
        (void)begun(&p, n);
        if (n % 2 == 0)
            settle(&p, n);
        rest(&p);
        start_again(&p);
        rest(&p);
        check(segments(&p) <= 5);
    }
    for (unsigned n = 0; n < 100; n++)
        check_known(&p, n, n % 2 == 0);
    end(&p);
}

/* On a full disk mail must go on. */
static void test_a_full_disk(void **state)
{
    struct place p;

    (void)state;
    begin(&p);
    fake_disk_set_space(p.disk, fake_disk_used(p.disk));
    (void)begun(&p, 1);
    rest(&p);
    check(find(&p, 1)->durable);
    settle(&p, 1);
    fake_disk_set_space(p.disk, UINT64_MAX);
    start_again(&p);
    check(find(&p, 1) == NULL);
    end(&p);
}

static void test_a_failed_sync(void **state)
{
    struct place p;

    (void)state;
    begin(&p);
    (void)begun(&p, 1);
    once_flush(p.once);
    fake_disk_fail_at(p.disk, fake_disk_calls(p.disk) + 1, -EIO);
    rest(&p);
    check_int(once_broken(p.once), -EIO);
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begun_and_settled_survive),
        cmocka_unit_test(test_who_settles_waits),
        cmocka_unit_test(test_another_first),
        cmocka_unit_test(test_a_day),
        cmocka_unit_test(test_absences),
        cmocka_unit_test(test_a_million),
        cmocka_unit_test(test_files_go),
        cmocka_unit_test(test_many_lives),
        cmocka_unit_test(test_a_full_disk),
        cmocka_unit_test(test_a_failed_sync),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
