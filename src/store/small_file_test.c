/*
 * small_file_test.c - whatever call fails or the power goes at: the old bytes or the new ones.
 */
#include "store/small_file.h"

#include "base/fail.h"
#include "check.h"
#include "fakes/disk.h"

#include <errno.h>

enum { CRASHES = 20, CALLS_MAX = 40 };

static void ignore(void *ctx, int code, const char *operation, struct slice name)
{
    (void)ctx, (void)code, (void)operation, (void)name;
}

static struct disk_dir *open_top(struct fake_disk *disk)
{
    struct disk_dir *dir;

    check_int(disk_dir_open(fake_disk(disk), "/", &dir), 0);
    return dir;
}

static bool holds(struct disk_dir *dir, struct slice wanted)
{
    struct buf got;

    buf_init(&got, SMALL_FILE_MAX);
    bool equal = small_file_read(dir, "pauses", &got) == 0 && slice_equal(buf_slice(&got), wanted);
    buf_done(&got);
    return equal;
}

static void replaces_and_reads(void **state)
{
    struct fake_disk *disk = fake_disk_new(NULL);
    struct disk_dir *dir = open_top(disk);
    struct buf got;

    (void)state;
    buf_init(&got, SMALL_FILE_MAX);
    check_int(small_file_read(dir, "pauses", &got), -ENOENT);
    buf_done(&got);
    check_int(small_file_replace(dir, "pauses", SLICE("one"), 0600), 0);
    assert_true(holds(dir, SLICE("one")));
    check_int(small_file_replace(dir, "pauses", SLICE(""), 0600), 0);
    assert_true(holds(dir, SLICE("")));
    disk_dir_close(dir);
    fake_disk_free(disk);
}

static void a_persons_file_is_kept_or_missing(void **state)
{
    struct fake_disk *disk = fake_disk_new(NULL);
    struct disk_dir *dir = open_top(disk);

    (void)state;
    fail_set_sink(ignore, NULL);
    check_int(small_file_replace_kept(dir, "pauses", SLICE("one")), -ENOENT);
    check_int(small_file_replace(dir, "pauses", SLICE("one"), 0600), 0);
    check_int(small_file_replace_kept(dir, "pauses", SLICE("two")), 0);
    assert_true(holds(dir, SLICE("two")));
    fail_set_sink(NULL, NULL);
    disk_dir_close(dir);
    fake_disk_free(disk);
}

/* False: the call was never reached. */
static bool power_goes_at(uint64_t call, uint64_t seed)
{
    struct fake_disk *disk = fake_disk_new(NULL);
    struct disk_dir *dir = open_top(disk);
    int rc;

    check_int(small_file_replace(dir, "pauses", SLICE("old"), 0600), 0);
    fake_disk_cut_at(disk, fake_disk_calls(disk) + call);
    rc = small_file_replace(dir, "pauses", SLICE("new"), 0600);
    bool reached = fake_disk_is_cut(disk);
    fake_disk_crash(disk, seed);
    disk_dir_close(dir);
    dir = open_top(disk);
    assert_true(holds(dir, SLICE("new")) || (rc < 0 && holds(dir, SLICE("old"))));
    check_int(small_file_replace(dir, "pauses", SLICE("newer"), 0600), 0);
    assert_true(holds(dir, SLICE("newer")));
    disk_dir_close(dir);
    fake_disk_free(disk);
    return reached;
}

static void a_crash_leaves_old_or_new(void **state)
{
    uint64_t call = 1;

    (void)state;
    for (; call < CALLS_MAX; call++) {
        bool reached = false;
        for (uint64_t seed = 1; seed <= CRASHES; seed++)
            reached = power_goes_at(call, seed);
        if (!reached)
            break;
    }
    assert_in_range(call, 5, CALLS_MAX - 1);
}

static void a_failed_call_leaves_the_old(void **state)
{
    (void)state;
    fail_set_sink(ignore, NULL);
    for (uint64_t call = 1; call <= 3; call++) {
        struct fake_disk *disk = fake_disk_new(NULL);
        struct disk_dir *dir = open_top(disk);

        check_int(small_file_replace(dir, "pauses", SLICE("old"), 0600), 0);
        fake_disk_fail_at(disk, fake_disk_calls(disk) + 1 + call, -ENOSPC);
        check_int(small_file_replace(dir, "pauses", SLICE("new"), 0600), -ENOSPC);
        assert_true(holds(dir, SLICE("old")));
        disk_dir_close(dir);
        fake_disk_free(disk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(replaces_and_reads),
                                       cmocka_unit_test(a_persons_file_is_kept_or_missing),
                                       cmocka_unit_test(a_crash_leaves_old_or_new),
                                       cmocka_unit_test(a_failed_call_leaves_the_old)};

    fail_set_sink(ignore, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
