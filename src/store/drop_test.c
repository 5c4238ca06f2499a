/* What is left is there whole or not at all, and nothing else is taken. */
#include "store/drop.h"

#include "check.h"
#include "fakes/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned char unique[16] = {1, 2, 3};

#define UNIQUE "01020300000000000000000000000000"

static void test_names(void **state)
{
    static const struct {
        const char *name;
        bool is;
    } rows[] = {
        {"new-" UNIQUE,                          true },
        {"tmp-" UNIQUE,                          false},
        {"bad-" UNIQUE,                          false},
        {"new-" UNIQUE "0",                      false},
        {"new-0102030000000000000000000000000",  false},
        {"new-0102030000000000000000000000000/", false},
        {"new-0102030000000000000000000000000A", false},
        {"",                                     false},
    };

    (void)state;
    CHECK_ROWS (i, rows)
        check_int(drop_is_name(slice_of(rows[i].name)), rows[i].is);
}

static int list(struct disk_dir *folder, char names[8][DROP_NAME_MAX])
{
    uint64_t position = 0;
    int count = drop_list(folder, &position, names, 8);

    check(position == 0);
    return count;
}

/* Whenever the power goes: whole and under its name once drop_put() said so, else perhaps not at
 * all, but never half under that name. */
static void test_power_cuts(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct fake_disk *disk = fake_disk_new(NULL);
        struct disk_dir *folder;
        struct disk_file *file;
        struct disk_facts facts;
        char names[8][DROP_NAME_MAX], text[16] = "";
        int put;

        check_int(disk_dir_make_path(fake_disk(disk), SLICE("/drop"), DROP_MODE, &folder), 0);
        fake_disk_cut_at(disk, seed % 8 == 0 ? 0 : fake_disk_calls(disk) + seed % 8);
        put = drop_put(folder, SLICE("some mail"), unique);
        disk_dir_close(folder);
        fake_disk_crash(disk, seed);
        check_int(disk_dir_open(fake_disk(disk), "/drop", &folder), 0);
        int count = list(folder, names);
        check(count == 1 || (put < 0 && count == 0));
        if (count == 1) {
            check_int(drop_open(folder, names[0], &file, &facts), 0);
            check_int(disk_read(file, text, sizeof(text), 0), 9);
            check_slice(slice_head(slice_of(text), 9), SLICE("some mail"));
            disk_close(file);
        }
        disk_dir_close(folder);
        fake_disk_free(disk);
    }
}

static bool count_name(void *ctx, struct slice name)
{
    (void)name;
    ++*(int *)ctx;
    return true;
}

/* Whatever call fails: who is told so finds nothing there, under no name. */
static void test_failures(void **state)
{
    int put = -1;

    (void)state;
    for (unsigned call = 1; put < 0; call++) {
        struct fake_disk *disk = fake_disk_new(NULL);
        struct disk_dir *folder;
        int count = 0;

        check(call < 20);
        check_int(disk_dir_make_path(fake_disk(disk), SLICE("/drop"), DROP_MODE, &folder), 0);
        fake_disk_fail_at(disk, fake_disk_calls(disk) + call, -EIO);
        put = drop_put(folder, SLICE("some mail"), unique);
        fake_disk_fail_at(disk, 0, 0);
        check_int(disk_dir_list(folder, count_name, &count), 0);
        check_int(count, put == 0);
        disk_dir_close(folder);
        fake_disk_free(disk);
    }
}

/* ---- on a real disk: links, pipes, what somebody planted ---- */

struct place {
    char path[64];
    struct disk_dir *folder;
};

static void begin(struct place *p)
{
    snprintf(p->path, sizeof(p->path), "/tmp/drop-test-XXXXXX");
    assert_non_null(mkdtemp(p->path));
    check_int(disk_dir_open(disk_real(), p->path, &p->folder), 0);
}

static bool remove_one(void *ctx, struct slice name)
{
    struct place *p = ctx;
    char text[DROP_NAME_MAX];

    snprintf(text, sizeof(text), "%.*s", SLICE_PRINTF(name));
    check_int(disk_unlink(p->folder, text), 0);
    return true;
}

static void end(struct place *p)
{
    check_int(disk_dir_list(p->folder, remove_one, p), 0);
    disk_dir_close(p->folder);
    check_int(rmdir(p->path), 0);
}

static const char *path_in(const struct place *p, char out[128], const char *kind, unsigned n)
{
    snprintf(out, 128, "%s/%s-%032x", p->path, kind, n);
    return out;
}

static void test_leave_and_take(void **state)
{
    struct place p;
    struct disk_dir *by_name;
    struct disk_file *file;
    struct disk_facts facts;
    char names[8][DROP_NAME_MAX];

    (void)state;
    begin(&p);
    check_int(disk_dir_enter(disk_real(), p.path, &by_name), 0);
    check_int(drop_put(by_name, SLICE("hello"), unique), 0);
    check_int(drop_put(by_name, SLICE("again"), unique), 0); /* the same name: the later one */
    disk_dir_close(by_name);
    check_int(list(p.folder, names), 1);
    check_slice(slice_of(names[0]), SLICE("new-" UNIQUE));
    check_int(drop_open(p.folder, names[0], &file, &facts), 0);
    check_int(facts.size, 5);
    check_int(facts.user, getuid());
    disk_close(file);
    check_int(drop_set_aside(p.folder, names[0]), 0);
    check_int(list(p.folder, names), 0);
    end(&p);
}

static void test_what_is_no_file(void **state)
{
    struct place p;
    struct disk_file *file;
    struct disk_facts facts;
    char names[8][DROP_NAME_MAX], path[128], other[128];

    (void)state;
    begin(&p);
    assert_int_equal(symlink("/etc/passwd", path_in(&p, path, "new", 1)), 0);
    assert_int_equal(mkfifo(path_in(&p, path, "new", 2), 0600), 0);
    check_int(drop_put(p.folder, SLICE("two names"), unique), 0);
    snprintf(other, sizeof(other), "%s/other", p.path);
    snprintf(path, sizeof(path), "%s/new-" UNIQUE, p.path);
    assert_int_equal(link(path, other), 0);
    int count = list(p.folder, names);
    check_int(count, 3);
    for (int i = 0; i < count; i++)
        check_int(drop_open(p.folder, names[i], &file, &facts), -EPERM);
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),           cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_failures),        cmocka_unit_test(test_leave_and_take),
        cmocka_unit_test(test_what_is_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
