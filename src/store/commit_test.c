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

static void open_commit(struct bench *b, bool zero_filled)
{
    struct commit_options o = {.dir = b->dir,
                               .mode = 0600,
                               .size = SMALL,
                               .worker = &b->worker.worker,
                               .clock = &b->clock.clock,
                               .random = &b->random.random,
                               .zero_filled = zero_filled};

    check_int(commit_open(&o, &b->commit), 0);
}

static void begin_with(struct bench *b, bool zero_filled)
{
    fail_set_sink(ignore, NULL);
    fake_clock_init(&b->clock);
    fake_random_init(&b->random, 1);
    fake_worker_init(&b->worker, &b->random.random);
    b->disk = fake_disk_new(&b->clock.clock);
    check_int(disk_dir_open(fake_disk(b->disk), "", &b->dir), 0);
    open_commit(b, zero_filled);
}

static void begin(struct bench *b)
{
    begin_with(b, false);
}

static void close_commit(struct bench *b)
{
    struct list unfinished;

    list_init(&unfinished);
    commit_close(b->commit, &unfinished);
    LIST_EACH (node, &unfinished)
        list_remove(node);
}

static void end(struct bench *b)
{
    close_commit(b);
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
    check(one.written); /* in part, maybe */
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
    check(!t.written);
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

/* --- zeros, seals, old files --- */

static unsigned run(struct bench *b)
{
    unsigned count = 0;

    for (unsigned round = 0; round < 40; round++) {
        flush(b);
        while (fake_worker_step(&b->worker))
            continue;
        count += finished(b);
    }
    return count;
}

static uint64_t size_of(struct bench *b, uint64_t number)
{
    struct disk_stat stat;
    char name[SEGMENT_NAME_SIZE];

    segment_name(number, name);
    check_int(disk_stat(b->dir, name, &stat), 0);
    return stat.size;
}

static void test_records_wait_for_zeros(void **state)
{
    struct bench b;
    struct ticket t = {0};

    (void)state;
    begin_with(&b, true);
    append(&b, &t, SLICE("one"));
    flush(&b);
    check_int(size_of(&b, commit_segment(b.commit)), SEGMENT_HEAD_SIZE);
    check_int(run(&b), 1);
    check_int(t.result, 0);
    check_int(t.offset, SEGMENT_HEAD_SIZE);
    check(size_of(&b, commit_segment(b.commit)) > SEGMENT_HEAD_SIZE + record_size(3));
    check(size_of(&b, commit_segment(b.commit)) < SMALL); /* as much as is used, not more */
    end(&b);
}

static void test_no_zeros_no_record(void **state)
{
    struct bench b;
    struct ticket one = {0}, two = {0};

    (void)state;
    begin_with(&b, true);
    fake_disk_set_space(b.disk, fake_disk_used(b.disk) + 100);
    append(&b, &one, SLICE("one"));
    check_int(run(&b), 1);
    check_int(one.result, -ENOSPC);
    check(!one.written);
    fake_disk_set_space(b.disk, UINT64_MAX);
    append(&b, &two, SLICE("two"));
    check_int(run(&b), 1);
    check_int(two.result, 0);
    check(two.written);
    end(&b);
}

/* A piece of zeros could not be synced: no later sync of that file can be trusted. */
static void test_a_spoilt_next_segment_is_not_used(void **state)
{
    static const char body[700];
    struct bench b;
    struct ticket tickets[8] = {0};
    uint64_t first;
    unsigned failed = 0;

    (void)state;
    begin_with(&b, true);
    first = commit_segment(b.commit);
    for (size_t i = 0; i < 3; i++) {
        append(&b, &tickets[i], (struct slice){body, sizeof(body)});
        check_int(run(&b), 1);
    }
    append(&b, &tickets[3], (struct slice){body, 200});
    commit_flush(b.commit); /* not synced yet: the zeros of the next one are the only job */
    fake_disk_fail_sync(fake_disk(b.disk), -EIO);
    check(fake_worker_step(&b.worker));
    check_int(run(&b), 1);
    for (size_t i = 4; i < 8; i++) {
        append(&b, &tickets[i], (struct slice){body, sizeof(body)});
        check_int(run(&b), 1);
        failed += tickets[i].result == -EIO;
        check(tickets[i].result == 0 || tickets[i].result == -EIO);
    }
    check_int(failed, 1);
    check_int(tickets[7].result, 0);
    check_int(commit_broken(b.commit), 0);
    check(tickets[7].segment > first);
    end(&b);
}

/* Fills the first segment and a bit more. */
static void fill_one(struct bench *b, struct ticket tickets[8])
{
    static const char body[600];

    for (size_t i = 0; i < 8; i++) {
        tickets[i] = (struct ticket){.note = (uint32_t)i};
        append(b, &tickets[i], (struct slice){body, sizeof(body) - i});
        check_int(run(b), 1);
        check_int(tickets[i].result, 0);
    }
}

static void open_segment(struct bench *b, uint64_t number, struct disk_file **file,
                         struct segment_head *head)
{
    enum head_verdict verdict;
    char name[SEGMENT_NAME_SIZE];

    segment_name(number, name);
    check_int(disk_open(b->dir, name, DISK_READ, 0, file), 0);
    check_int(segment_read_head(*file, &verdict, head), 0);
    check_int(verdict, HEAD_GOOD);
}

static void test_a_seal_lists_the_messages(void **state)
{
    struct bench b;
    struct ticket tickets[8];
    struct segment_reader reader = {0};
    struct segment_head head;
    struct disk_file *file;
    struct seal_entry e;
    struct record record;
    struct cursor table;
    unsigned count = 0, scanned = 0;

    (void)state;
    begin_with(&b, true);
    fill_one(&b, tickets);
    open_segment(&b, tickets[0].segment, &file, &head);
    segment_reader_aim(&reader, file, head.generation, SEGMENT_HEAD_SIZE, SMALL, SEGMENT_ENDED);
    check(segment_reader_table(&reader, SMALL, &table));
    check_int(segment_reader_next(&reader, &record), SEGMENT_END);
    for (; seal_entry_read(&table, &e); count++) {
        check_int(e.offset, tickets[count].offset);
        check_int(e.body_len, 600 - count);
        check_int(e.id, 7);
        check_int(e.note, count);
    }
    check(count > 3 && tickets[count].segment > tickets[0].segment);

    segment_reader_aim(&reader, file, head.generation, SEGMENT_HEAD_SIZE, SMALL, SEGMENT_ENDED);
    while (segment_reader_next(&reader, &record) == SEGMENT_RECORD)
        scanned++;
    check(reader.sealed);
    check_int(scanned, count);

    segment_reader_aim(&reader, file, head.generation + 1, SEGMENT_HEAD_SIZE, SMALL, SEGMENT_ENDED);
    check(!segment_reader_table(&reader, SMALL, &table));
    segment_reader_aim(&reader, file, head.generation, SEGMENT_HEAD_SIZE, SMALL, SEGMENT_ENDED);
    check(!segment_reader_table(&reader, SMALL - 8, &table));
    check(!segment_reader_table(&reader, 0, &table));
    segment_reader_done(&reader);
    disk_close(file);
    end(&b);
}

static void test_an_old_file_is_used_again(void **state)
{
    struct bench b;
    struct ticket tickets[8], t = {0};
    struct segment_reader reader = {0};
    struct segment_head head;
    struct disk_file *file;
    struct record record;
    char name[SEGMENT_NAME_SIZE], free_name[SEGMENT_FREE_NAME_SIZE];

    (void)state;
    begin_with(&b, true);
    fill_one(&b, tickets);
    close_commit(&b);
    segment_name(tickets[0].segment, name);
    segment_free_name(tickets[0].segment, free_name);
    check_int(disk_rename(b.dir, name, b.dir, free_name), 0);
    open_commit(&b, true);
    check_int(size_of(&b, commit_segment(b.commit)), SMALL);
    append(&b, &t, SLICE("fresh"));
    flush(&b); /* nothing to wait for */
    check(fake_worker_step(&b.worker));
    check_int(finished(&b), 1);
    check_int(t.result, 0);

    open_segment(&b, t.segment, &file, &head);
    check_int(head.number, t.segment);
    segment_reader_aim(&reader, file, head.generation, SEGMENT_HEAD_SIZE, SMALL, SEGMENT_ENDED);
    check_int(segment_reader_next(&reader, &record), SEGMENT_RECORD);
    check_slice(record.body, SLICE("fresh"));
    check_int(segment_reader_next(&reader, &record), SEGMENT_END);
    segment_reader_done(&reader);
    disk_close(file);
    end(&b);
}

static void test_retire(void **state)
{
    struct bench b;
    struct ticket t = {0};
    uint64_t first;

    (void)state;
    begin(&b);
    first = commit_segment(b.commit);
    commit_retire(b.commit);
    append(&b, &t, SLICE("one"));
    check_int(run(&b), 1);
    check_int(t.result, 0);
    check(t.segment > first);
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
        cmocka_unit_test(test_records_wait_for_zeros),
        cmocka_unit_test(test_no_zeros_no_record),
        cmocka_unit_test(test_a_spoilt_next_segment_is_not_used),
        cmocka_unit_test(test_a_seal_lists_the_messages),
        cmocka_unit_test(test_an_old_file_is_used_again),
        cmocka_unit_test(test_retire),
        cmocka_unit_test(test_with_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
