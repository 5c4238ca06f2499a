/*
 * maildir_crash_test.c - deliveries on a disk that forgets what was not synced.
 *
 * The power goes at every call in turn. What had the result 0 is there, whole; and after all are
 * delivered again as repeats, each is there exactly once and whole, and stays.
 */
#include "box/maildir.h"

#include "base/buf.h"
#include "base/fail.h"
#include "check.h"
#include "fakes/disk.h"

#include <errno.h>

enum { MAILS = 3, SEEDS = 12, MESSAGE_LEN = 3000 };

static const char *const names[MAILS] = {"1.M1QaR1.h", "1.M1QaR2.h", "1.M1QbR1.h"};

static const char *const boxes[MAILS] = {"ann", "bob", "ann"};

struct setup {
    struct fake_disk *disk;
    struct disk_dir *top, *root;
    struct disk_file *spool;
    struct buf message, want; /* as sent, and as it must lie in the mailbox */
    int results[MAILS];
};

static void ignore_failure(void *ctx, int code, const char *operation, struct slice name)
{
    (void)ctx;
    (void)code;
    (void)operation;
    (void)name;
}

static void open_all(struct setup *s)
{
    assert_int_equal(disk_dir_open(fake_disk(s->disk), "/", &s->top), 0);
    assert_int_equal(disk_dir_open_at(s->top, "mail", &s->root), 0);
    assert_int_equal(disk_open(s->top, "spool", DISK_READ, 0, &s->spool), 0);
}

static void close_all(struct setup *s)
{
    disk_close(s->spool);
    disk_dir_close(s->root);
    disk_dir_close(s->top);
}

static void setup_init(struct setup *s)
{
    *s = (struct setup){.disk = fake_disk_new(NULL)};
    buf_init(&s->message, 2 * MESSAGE_LEN);
    buf_init(&s->want, 2 * MESSAGE_LEN);
    assert_true(buf_append(&s->want, SLICE("Return-Path: <>\nA: b\n\n")));
    assert_true(buf_append(&s->message, SLICE("A: b\r\n\r\n")));
    while (buf_len(&s->message) < MESSAGE_LEN) {
        size_t line = buf_len(&s->message);
        assert_true(buf_printf(&s->message, "line at %zu\r\n", line));
        assert_true(buf_printf(&s->want, "line at %zu\n", line));
    }
    assert_int_equal(disk_dir_open(fake_disk(s->disk), "/", &s->top), 0);
    assert_int_equal(disk_dir_make(s->top, "mail", 0700), 0);
    assert_int_equal(disk_open(s->top, "spool", DISK_CREATE, 0600, &s->spool), 0);
    assert_int_equal(disk_write(s->spool, buf_slice(&s->message), 0), 0);
    assert_int_equal(disk_syncfs(s->top), 0);
    disk_close(s->spool);
    disk_dir_close(s->top);
    open_all(s);
}

static void setup_done(struct setup *s)
{
    close_all(s);
    fake_disk_free(s->disk);
    buf_done(&s->message);
    buf_done(&s->want);
}

static void crash(struct setup *s, uint64_t seed)
{
    fake_disk_crash(s->disk, seed);
    close_all(s);
    open_all(s);
}

static void deliver(struct setup *s, bool repeat)
{
    struct maildir_delivery items[MAILS];

    for (size_t i = 0; i < MAILS; i++)
        items[i] = (struct maildir_delivery){
            .path = slice_of(boxes[i]),
            .name = slice_of(names[i]),
            .prefix = SLICE("Return-Path: <>\r\n"),
            .file = s->spool,
            .length = buf_len(&s->message),
            .repeat = repeat,
        };
    maildir_deliver(s->root, items, MAILS);
    for (size_t i = 0; i < MAILS; i++)
        s->results[i] = items[i].result;
}

struct found {
    struct slice base;
    unsigned count;
    char name[256];
};

static bool find_each(void *ctx, struct slice name)
{
    struct found *f = ctx;

    if (slice_starts(name, f->base)) {
        f->count++;
        (void)snprintf(f->name, sizeof(f->name), "%.*s", SLICE_PRINTF(name));
    }
    return true;
}

static bool file_is_whole(struct setup *s, struct disk_dir *dir, const char *name)
{
    static char text[2 * MESSAGE_LEN];
    struct disk_file *file;

    if (disk_open(dir, name, DISK_READ, 0, &file) < 0)
        return false;
    int64_t got = disk_read(file, text, sizeof(text), 0);
    disk_close(file);
    return got >= 0 && slice_equal((struct slice){text, (size_t)got}, buf_slice(&s->want));
}

/* How often a mail lies in new/; *whole: the one there is as it must be. */
static unsigned count_in_new(struct setup *s, size_t i, bool *whole)
{
    struct found found = {.base = slice_of(names[i])};
    struct disk_dir *box, *new;

    *whole = false;
    if (disk_dir_open_at(s->root, boxes[i], &box) < 0)
        return 0;
    if (disk_dir_open_at(box, "new", &new) == 0) {
        assert_int_equal(disk_dir_list(new, find_each, &found), 0);
        *whole = found.count == 1 && file_is_whole(s, new, found.name);
        disk_dir_close(new);
    }
    disk_dir_close(box);
    return found.count;
}

static void check_all_delivered(struct setup *s)
{
    for (size_t i = 0; i < MAILS; i++) {
        bool whole;
        check_int(s->results[i], 0);
        check_int(count_in_new(s, i, &whole), 1);
        check(whole);
    }
}

static uint64_t calls_of_a_delivery(void)
{
    struct setup s;

    setup_init(&s);
    uint64_t before = fake_disk_calls(s.disk);
    deliver(&s, false);
    uint64_t calls = fake_disk_calls(s.disk) - before;
    check_all_delivered(&s);
    setup_done(&s);
    return calls;
}

static void test_power_cut(void **state)
{
    uint64_t calls = calls_of_a_delivery();

    (void)state;
    assert_true(calls > 20);
    fail_set_sink(ignore_failure, NULL);
    for (uint64_t call = 1; call <= calls + 1; call++) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct setup s;
            bool whole;
            check_row = (size_t)(call * 100 + seed);
            setup_init(&s);
            fake_disk_cut_at(s.disk, fake_disk_calls(s.disk) + call);
            deliver(&s, false);
            crash(&s, seed);
            for (size_t i = 0; i < MAILS; i++) {
                check(s.results[i] < 0 || call > calls);
                if (s.results[i] == 0)
                    check(count_in_new(&s, i, &whole) == 1 && whole);
            }
            deliver(&s, true);
            check_all_delivered(&s);
            crash(&s, seed + 1);
            check_all_delivered(&s);
            setup_done(&s);
        }
    }
    fail_set_sink(NULL, NULL);
}

/* Any one call fails: a mail has the result 0 and is whole, or nothing of it is in new/. */
static void test_one_failure(void **state)
{
    static const int codes[] = {-EIO, -ENOSPC, -EDQUOT, -EMFILE, -ENOMEM, -EINTR};
    uint64_t calls = calls_of_a_delivery();

    (void)state;
    fail_set_sink(ignore_failure, NULL);
    for (uint64_t call = 1; call <= calls; call++) {
        for (size_t c = 0; c < sizeof(codes) / sizeof(*codes); c++) {
            struct setup s;
            unsigned failed = 0;
            bool whole;
            check_row = (size_t)(call * 100 + c);
            setup_init(&s);
            fake_disk_fail_at(s.disk, fake_disk_calls(s.disk) + call, codes[c]);
            deliver(&s, false);
            for (size_t i = 0; i < MAILS; i++) {
                unsigned count = count_in_new(&s, i, &whole);
                failed += s.results[i] != 0;
                check(s.results[i] == 0 || s.results[i] == codes[c]);
                check(s.results[i] == 0 ? count == 1 && whole : count == 0);
            }
            check(failed > 0);
            deliver(&s, true);
            crash(&s, call);
            check_all_delivered(&s);
            setup_done(&s);
        }
    }
    fail_set_sink(NULL, NULL);
}

static void test_disk_full(void **state)
{
    (void)state;
    fail_set_sink(ignore_failure, NULL);
    for (size_t room = 0; room < MAILS * MESSAGE_LEN; room += 500) {
        struct setup s;
        bool whole;
        check_row = room;
        setup_init(&s);
        fake_disk_set_space(s.disk, buf_len(&s.message) + room);
        deliver(&s, false);
        for (size_t i = 0; i < MAILS; i++) {
            unsigned count = count_in_new(&s, i, &whole);
            check(s.results[i] == 0 || s.results[i] == -ENOSPC);
            check(s.results[i] == 0 ? count == 1 && whole : count == 0);
        }
        check_int(s.results[0], room < buf_len(&s.want) ? -ENOSPC : 0);
        fake_disk_set_space(s.disk, UINT64_MAX);
        deliver(&s, true);
        check_all_delivered(&s);
        setup_done(&s);
    }
    fail_set_sink(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cut),
        cmocka_unit_test(test_one_failure),
        cmocka_unit_test(test_disk_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
