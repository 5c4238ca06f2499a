/*
 * disk_test.c - the real disk keeps its word where a test can see it.
 */
#include "base/disk.h"

#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct disk_dir *dir;
static char path[] = "/tmp/postroad-disk-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(path));
    return disk_dir_open(disk_real(), path, &dir);
}

static bool remove_name(void *ctx, struct slice name)
{
    (void)ctx;
    return disk_unlink(dir, name.data) == 0 || true;
}

static int tear_down(void **state)
{
    (void)state;
    disk_dir_list(dir, remove_name, NULL);
    disk_dir_close(dir);
    return rmdir(path);
}

static void writes_and_reads_whole(void **state)
{
    struct disk_file *file;
    char got[32];
    char text[] = "one, two, three";
    struct iovec parts[] = {
        {text,     5 },
        {text + 5, 0 },
        {text + 5, 10}
    };

    (void)state;
    check_int(disk_open(dir, "a", DISK_CREATE_READ, 0600, &file), 0);
    check_int(disk_writev(file, parts, 3, 7), 0);
    check_int(disk_read(file, got, sizeof(got), 7), 15);
    check_slice(((struct slice){got, 15}), SLICE("one, two, three"));
    check_int(disk_read(file, got, sizeof(got), 1000), 0);
    check_int(disk_datasync(file), 0);
    uint64_t size;
    check_int(disk_size(file, &size), 0);
    check_int(size, 22);
    disk_close(file);
    check_int(disk_open(dir, "a", DISK_CREATE, 0600, &file), -EEXIST);
    check_int(disk_unlink(dir, "a"), 0);
    check_int(disk_open(dir, "a", DISK_READ, 0, &file), -ENOENT);
}

static void follows_no_links(void **state)
{
    struct disk_file *file;
    struct disk_dir *sub;
    char link[64];

    (void)state;
    snprintf(link, sizeof(link), "%s/link", path);
    check_int(symlink("/etc", link), 0);
    check_int(disk_dir_open_at(dir, "link", &sub), -ENOTDIR);
    check_int(disk_unlink(dir, "link"), 0);
    check_int(symlink("/etc/passwd", link), 0);
    check_int(disk_open(dir, "link", DISK_READ, 0, &file), -ELOOP);
    check_int(disk_open(dir, "link", DISK_CREATE, 0600, &file), -EEXIST);
    check_int(disk_unlink(dir, "link"), 0);
    check_int(mkfifo(link, 0600), 0);
    check_int(disk_open(dir, "link", DISK_WRITE, 0, &file), -ENXIO); /* and does not hang */
    check_int(disk_unlink(dir, "link"), 0);
}

static bool count(void *ctx, struct slice name)
{
    check(name.len == 1);
    ++*(int *)ctx;
    return true;
}

static void lists_and_renames(void **state)
{
    struct disk_file *file;
    struct disk_stat st;
    int n = 0;

    (void)state;
    check_int(disk_open(dir, "b", DISK_CREATE, 0600, &file), 0);
    disk_close(file);
    check_int(disk_rename(dir, "b", dir, "c"), 0);
    check_int(disk_stat(dir, "c", &st), 0);
    check_int(st.size, 0);
    check_int(disk_stat(dir, "b", &st), -ENOENT);
    check_int(disk_sync_dir(dir), 0);
    check_int(disk_dir_list(dir, count, &n), 0);
    check_int(n, 1);
    check_int(disk_dir_list(dir, count, &n), 0); /* a second time from the start */
    check_int(n, 2);
    check_int(disk_unlink(dir, "c"), 0);
}

static void one_holds_a_lock(void **state)
{
    struct disk_file *first, *second;

    (void)state;
    check_int(disk_lock(dir, "lock", 0600, &first), 0);
    check_int(disk_lock(dir, "lock", 0600, &second), -EAGAIN);
    int copy = dup(disk_file_fd(first));
    disk_close(first);
    check_int(disk_lock(dir, "lock", 0600, &second), -EAGAIN); /* the copy still holds it */
    close(copy);
    check_int(disk_lock(dir, "lock", 0600, &second), 0);
    disk_close(second);
    check_int(disk_unlink(dir, "lock"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads_whole),
        cmocka_unit_test(follows_no_links),
        cmocka_unit_test(lists_and_renames),
        cmocka_unit_test(one_holds_a_lock),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
