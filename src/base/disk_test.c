/*
 * disk_test.c - the real disk keeps its word where a test can see it.
 */
#include "base/disk.h"

#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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
    check(st.changed_us >= st.mtime_us);
    check_int(st.size, 0);
    check_int(disk_stat(dir, "b", &st), -ENOENT);
    check_int(disk_sync_dir(dir), 0);
    check_int(disk_dir_list(dir, count, &n), 0);
    check_int(n, 1);
    check_int(disk_dir_list(dir, count, &n), 0); /* a second time from the start */
    check_int(n, 2);
    check_int(disk_unlink(dir, "c"), 0);
}

static bool note(void *ctx, struct slice name)
{
    uint64_t *seen = ctx;

    if (name.len == 2 && name.data[0] == 'p')
        *seen += 1ull << (8 * (unsigned)(name.data[1] - '0'));
    return true;
}

static void lists_in_pieces(void **state)
{
    char names[][3] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6"};
    uint64_t position = 0, seen = 0;
    struct disk_file *file;
    unsigned pieces = 0;

    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        check_int(disk_open(dir, names[i], DISK_CREATE, 0600, &file), 0);
        disk_close(file);
    }
    do
        check_int(disk_dir_list_some(dir, &position, 3, note, &seen), 0);
    while (++pieces < 10 && position != 0);
    check(pieces == 3 || pieces == 4); /* "a" is there, too; the last one may be empty */
    check(seen == 0x01010101010101);
    for (unsigned i = 0; i < 7; i++)
        check_int(disk_unlink(dir, names[i]), 0);
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

/* What is missing is made; what is there stays as it is. */
static void makes_paths(void **state)
{
    static const struct {
        const char *name; /* below our folder */
        const char *made; /* the deepest one that is new; "": none */
    } rows[] = {
        {"/a",          "/a"    },
        {"/a",          ""      },
        {"//b///c//d/", "/b/c/d"},
        {"/b/c/e",      "/b/c/e"},
        {"/",           ""      },
    };

    char whole[128], made[128];
    struct disk_dir *got;
    struct stat st;

    (void)state;
    CHECK_ROWS (i, rows) {
        (void)snprintf(whole, sizeof(whole), "%s%s", path, rows[i].name);
        (void)snprintf(made, sizeof(made), "%s%s", path, rows[i].made);
        check(rows[i].made[0] == '\0' || stat(made, &st) < 0);
        check_int(disk_dir_make_path(disk_real(), slice_of(whole), 0710, &got), 0);
        check_int(stat(made, &st), 0);
        check(rows[i].made[0] == '\0' || (st.st_mode & 07777) == 0710);
        disk_dir_close(got);
    }
    for (size_t i = 0; i < 4; i++) {
        static const char *const away[] = {"/b/c/e", "/b/c/d", "/b/c", "/b"};
        (void)snprintf(whole, sizeof(whole), "%s%s", path, away[i]);
        assert_int_equal(rmdir(whole), 0);
    }
    (void)snprintf(whole, sizeof(whole), "%s/a", path);
    assert_int_equal(rmdir(whole), 0);
    (void)snprintf(whole, sizeof(whole), "%s/file", path);
    struct disk_file *file;
    assert_int_equal(disk_open(dir, "file", DISK_CREATE, 0600, &file), 0);
    disk_close(file);
    assert_int_equal(disk_dir_make_path(disk_real(), slice_of(whole), 0700, &got), -ENOTDIR);
}

/* Links, hard links and folders keep their owner and mode, whatever their name. */
static void gives_files_only(void **state)
{
    const struct disk_owner to = {geteuid(), getegid(), 0240};
    struct disk_file *file;
    struct stat st;
    char whole[128];

    (void)state;
    assert_int_equal(disk_open(dir, "mine", DISK_CREATE, 0600, &file), 0);
    disk_close(file);
    assert_int_equal(disk_give(dir, "mine", &to), 0);
    (void)snprintf(whole, sizeof(whole), "%s/mine", path);
    assert_int_equal(stat(whole, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0240);

    char other[128];
    (void)snprintf(other, sizeof(other), "%s/other", path);
    assert_int_equal(symlink(whole, other), 0);
    assert_int_equal(disk_give(dir, "other", &(struct disk_owner){to.user, to.group, 0600}),
                     -ENOENT);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(chmod(whole, 0600), 0);
    assert_int_equal(link(whole, other), 0);
    assert_int_equal(disk_give(dir, "other", &to), -ENOENT);
    assert_int_equal(stat(whole, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(disk_give(dir, ".", &to), -ENOENT);
    assert_int_equal(disk_give(dir, "none", &to), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads_whole), cmocka_unit_test(follows_no_links),
        cmocka_unit_test(lists_and_renames),      cmocka_unit_test(lists_in_pieces),
        cmocka_unit_test(one_holds_a_lock),       cmocka_unit_test(makes_paths),
        cmocka_unit_test(gives_files_only),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
