/*
 * commit_test.c - when a ticket may say 0, call by call. The storms are in tests/crash.
 */
#include "store/commit.h"

#include "base/fail.h"
#include "base/memory.h"
#include "check.h"
#include "fakes/clock.h"
#include "fakes/disk.h"
#include "fakes/random.h"
#include "fakes/worker.h"
#include "store/segment.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SMALL = 4096 };

struct bench {
    struct fake_clock clock;
    struct fake_random random;
    struct fake_worker worker;
    struct fake_disk *disk;
    struct disk_dir *dir;
    struct commit *commit;
};

static void ignore(void *ctx, int code, const char *operation, struct slice name)
{
    (void)ctx, (void)code, (void)operation, (void)name;
}

static void begin(struct bench *b)
{
    fail_set_sink(ignore, NULL);
    fake_clock_init(&b->clock);
    fake_random_init(&b->random, 1);
    fake_worker_init(&b->worker, &b->random.random);
    b->disk = fake_disk_new(&b->clock.clock);
    check_int(disk_dir_open(fake_disk(b->disk), "", &b->dir), 0);
    struct commit_options o = {.dir = b->dir,
                               .mode = 0600,
                               .size = SMALL,
                               .worker = &b->worker.worker,
                               .clock = &b->clock.clock,
                               .random = &b->random.random};
    check_int(commit_open(&o, &b->commit), 0);
}

static void end(struct bench *b)
{
    struct list unfinished;

    list_init(&unfinished);
    commit_close(b->commit, &unfinished);
    disk_dir_close(b->dir);
    fake_disk_free(b->disk);
    fail_set_sink(NULL, NULL);
}

static void append(struct bench *b, struct ticket *t, struct slice body)
{
    commit_append(b->commit, t, RECORD_MESSAGE, 7, &body, 1);
}

static unsigned finished(struct bench *b)
{
    struct list list;
    unsigned count = 0;

    list_init(&list);
    worker_collect(&b->worker.worker);
    commit_collect(b->commit, &list);
    LIST_EACH (node, &list) {
        list_remove(node);
        count++;
    }
    return count;
}

static void flush(struct bench *b)
{
    commit_flush(b->commit);
    commit_sync(b->commit);
}

static void test_nothing_finishes_before_its_sync(void **state)
{
    struct bench b;
    struct ticket one, two;
    uint64_t segment, before, after;

    (void)state;
    begin(&b);
    commit_durable(b.commit, &segment, &before);
    append(&b, &one, SLICE("one"));
    check_int(finished(&b), 0);
    flush(&b);
    check_int(finished(&b), 0);
    append(&b, &two, SLICE("two")); /* staged, not flushed: not in this sync */
    check(fake_worker_step(&b.worker));
    check_int(finished(&b), 1);
    check_int(one.result, 0);
    commit_durable(b.commit, &segment, &after);
    check_int(after - before, record_size(3));
    check(commit_busy(b.commit));
    flush(&b);
    check(fake_worker_step(&b.worker));
    check_int(finished(&b), 1);
    check(!commit_busy(b.commit));
    end(&b);
}

static void test_many_share_one_sync(void **state)
{
    struct bench b;
    struct ticket tickets[20];

    (void)state;
    begin(&b);
    for (size_t i = 0; i < 20; i++) {
        append(&b, &tickets[i], SLICE("x"));
        flush(&b);
    }
    check(fake_worker_step(&b.worker));
    check(!fake_worker_step(&b.worker));
    check_int(finished(&b), 20);
    end(&b);
}

static void test_failed_write_fails_its_tickets_only(void **state)
{
    struct bench b;
    struct ticket one, two;
    uint64_t segment, offset;

    (void)state;
    begin(&b);
    append(&b, &one, SLICE("one"));
    fake_disk_fail_at(b.disk, fake_disk_calls(b.disk) + 1, -ENOSPC);
    flush(&b);
    check_int(finished(&b), 1);
    check_int(one.result, -ENOSPC);
    append(&b, &two, SLICE("two"));
    flush(&b);
    check(fake_worker_step(&b.worker));
    check_int(finished(&b), 1);
    check_int(two.result, 0);
    check_int(two.offset, SEGMENT_HEAD_SIZE); /* in the place of the failed one */
    commit_durable(b.commit, &segment, &offset);
    check_int(offset, SEGMENT_HEAD_SIZE + record_size(3));
    check_int(commit_broken(b.commit), 0);
    end(&b);
}

static void test_failed_sync_breaks_it_for_good(void **state)
{
    struct bench b;
    struct ticket one, two, three;
    uint64_t segment, before, after;

    (void)state;
    begin(&b);
    commit_durable(b.commit, &segment, &before);
    append(&b, &one, SLICE("one"));
    flush(&b);
    fake_disk_fail_at(b.disk, fake_disk_calls(b.disk) + 1, -EIO);
    check(fake_worker_step(&b.worker));
    append(&b, &two, SLICE("two"));
    flush(&b); /* the loop has not heard of it yet */
    (void)fake_worker_step(&b.worker);
    check_int(finished(&b), 2);
    check_int(one.result, -EIO);
    check_int(two.result, -EIO);
    append(&b, &three, SLICE("three"));
    flush(&b);
    check_int(finished(&b), 1);
    check_int(three.result, -EIO);
    commit_durable(b.commit, &segment, &after);
    check_int(after, before);
    check_int(commit_broken(b.commit), -EIO);
    end(&b);
}

static void test_too_large_is_refused(void **state)
{
    static const char body[SMALL];
    struct bench b;
    struct ticket t;

    (void)state;
    begin(&b);
    append(&b, &t, (struct slice){body, SMALL});
    check_int(finished(&b), 1);
    check_int(t.result, -EMSGSIZE);
    end(&b);
}

static void test_next_segment_when_full(void **state)
{
    static const char body[1000];
    struct bench b;
    struct ticket tickets[8];
    uint64_t first, segment, offset;
    unsigned count = 0;

    (void)state;
    begin(&b);
    first = commit_segment(b.commit);
    for (size_t i = 0; i < 8; i++)
        append(&b, &tickets[i], (struct slice){body, sizeof(body)});
    for (unsigned round = 0; round < 20; round++) {
        flush(&b);
        (void)fake_worker_step(&b.worker);
        count += finished(&b);
    }
    check_int(count, 8);
    for (size_t i = 0; i < 8; i++)
        check_int(tickets[i].result, 0);
    check(commit_segment(b.commit) > first);
    commit_durable(b.commit, &segment, &offset);
    check_int(segment, commit_segment(b.commit));
    check_int(tickets[0].segment, first);
    end(&b);
}

/* --- real threads: for the thread sanitizer --- */

static void wake(void *ctx)
{
    atomic_fetch_add((atomic_uint *)ctx, 1);
}

static void test_with_threads(void **state)
{
    struct bench b;
    struct ticket tickets[200];
    struct commit *commit;
    struct disk_dir *dir;
    atomic_uint wakes = 0;
    char path[] = "/tmp/postroad-commit-XXXXXX";
    struct list list;
    unsigned done = 0;

    (void)state;
    begin(&b);
    assert_non_null(mkdtemp(path));
    check_int(disk_dir_open(disk_real(), path, &dir), 0);
    struct worker *worker = worker_new(2, wake, &wakes);
    struct commit_options o = {.dir = dir,
                               .mode = 0600,
                               .size = SMALL,
                               .worker = worker,
                               .clock = &b.clock.clock,
                               .random = &b.random.random,
                               .zero_filled = true};
    check_int(commit_open(&o, &commit), 0);
    list_init(&list);
    for (unsigned next = 0; done < 200;) {
        struct slice body = SLICE("some bytes");

        if (next < 200)
            commit_append(commit, &tickets[next++], RECORD_MESSAGE, 7, &body, 1);
        commit_flush(commit);
        commit_sync(commit);
        worker_collect(worker);
        commit_collect(commit, &list);
        LIST_EACH (node, &list) {
            check_int(LIST_ENTRY(node, struct ticket, link)->result, 0);
            list_remove(node);
            done++;
        }
    }
    commit_close(commit, &list);
    worker_free(worker);

    uint64_t *numbers;
    size_t count;
    check_int(segment_list(dir, &numbers, &count), 0);
    for (size_t i = 0; i < count; i++) {
        char name[SEGMENT_NAME_SIZE];

        segment_name(numbers[i], name);
        check_int(disk_unlink(dir, name), 0);
    }
    memory_free(numbers);
    disk_dir_close(dir);
    check_int(rmdir(path), 0);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_finishes_before_its_sync),
        cmocka_unit_test(test_many_share_one_sync),
        cmocka_unit_test(test_failed_write_fails_its_tickets_only),
        cmocka_unit_test(test_failed_sync_breaks_it_for_good),
        cmocka_unit_test(test_too_large_is_refused),
        cmocka_unit_test(test_next_segment_when_full),
        cmocka_unit_test(test_with_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
