/*
 * draft_test.c - small in memory, large in a file, and no file of an abandoned message.
 */
#include "store/draft.h"

#include "base/fail.h"
#include "check.h"
#include "fakes/disk.h"

#include <errno.h>

enum { CHUNK = 1000 };

static void ignore(void *ctx, int code, const char *operation, struct slice name)
{
    (void)ctx, (void)code, (void)operation, (void)name;
}

static bool count(void *ctx, struct slice name)
{
    (void)name;
    ++*(unsigned *)ctx;
    return true;
}

static unsigned files(struct disk_dir *dir)
{
    unsigned n = 0;

    check_int(disk_dir_list(dir, count, &n), 0);
    return n;
}

static char byte_at(uint64_t at)
{
    return (char)(at * 7 + at / 251);
}

static int fill(struct draft *d, uint64_t length, size_t chunk)
{
    char piece[CHUNK];

    while (d->size < length) {
        size_t n = 0;

        for (; n < chunk && d->size + n < length; n++)
            piece[n] = byte_at(d->size + n);
        int rc = draft_append(d, (struct slice){piece, n});
        if (rc < 0)
            return rc;
    }
    return draft_finish(d);
}

static const struct {
    uint64_t length;
    size_t chunk;
    bool file;
} sizes[] = {
    {0,                        CHUNK, false},
    {1,                        1,     false},
    {DRAFT_MEMORY_MAX,         CHUNK, false},
    {DRAFT_MEMORY_MAX + 1,     CHUNK, true },
    {DRAFT_MEMORY_MAX + 1,     1,     true },
    {3 * DRAFT_MEMORY_MAX,     CHUNK, true },
    {3 * DRAFT_MEMORY_MAX + 5, 999,   true },
};

static void check_bytes(struct draft *d, struct disk_dir *dir, uint64_t length)
{
    char name[DRAFT_NAME_SIZE], byte;
    struct disk_file *file;

    draft_file_name(d->id, name);
    check_int(disk_open(dir, name, DISK_READ, 0, &file), 0);
    for (uint64_t at = 0; at < length; at += 97) {
        check_int(disk_read(file, &byte, 1, at), 1);
        check_int(byte, byte_at(at));
    }
    check_int(disk_read(file, &byte, 1, length), 0);
    disk_close(file);
}

static void test_sizes(void **state)
{
    struct fake_disk *disk = fake_disk_new(NULL);
    struct disk_dir *dir;
    struct draft d;

    (void)state;
    check_int(disk_dir_open(fake_disk(disk), "", &dir), 0);
    draft_init(&d, dir, 0600);
    CHECK_ROWS (i, sizes) {
        draft_begin(&d, i + 1);
        check_int(fill(&d, sizes[i].length, sizes[i].chunk), 0);
        check_int(d.size, sizes[i].length);
        check_int(draft_is_file(&d), sizes[i].file);
        check_int(files(dir), sizes[i].file);
        if (sizes[i].file)
            check_bytes(&d, dir, sizes[i].length);
        else
            check_int(buf_len(&d.memory), sizes[i].length);
        draft_end(&d);
        check_int(files(dir), 0);
    }
    disk_dir_close(dir);
    fake_disk_free(disk);
}

static void test_named_file_stays(void **state)
{
    struct fake_disk *disk = fake_disk_new(NULL);
    struct disk_dir *dir;
    struct draft d;

    (void)state;
    check_int(disk_dir_open(fake_disk(disk), "", &dir), 0);
    draft_init(&d, dir, 0600);
    draft_begin(&d, 1);
    check_int(fill(&d, DRAFT_MEMORY_MAX + 1, CHUNK), 0);
    draft_name(&d);
    draft_end(&d);
    draft_end(&d);
    check_int(files(dir), 1);
    disk_dir_close(dir);
    fake_disk_free(disk);
}

static void test_unnamed_file_goes(void **state)
{
    struct fake_disk *disk = fake_disk_new(NULL);
    struct disk_dir *dir;
    struct draft d;

    (void)state;
    check_int(disk_dir_open(fake_disk(disk), "", &dir), 0);
    draft_init(&d, dir, 0600);
    draft_begin(&d, 1);
    check_int(fill(&d, DRAFT_MEMORY_MAX + 1, CHUNK), 0);
    draft_name(&d);
    draft_unname(&d);
    draft_end(&d);
    check_int(files(dir), 0);
    disk_dir_close(dir);
    fake_disk_free(disk);
}

static void test_full_disk(void **state)
{
    struct fake_disk *disk = fake_disk_new(NULL);
    struct disk_dir *dir;
    struct draft d;

    (void)state;
    fail_set_sink(ignore, NULL);
    fake_disk_set_space(disk, DRAFT_MEMORY_MAX + 10);
    check_int(disk_dir_open(fake_disk(disk), "", &dir), 0);
    draft_init(&d, dir, 0600);
    draft_begin(&d, 1);
    check_int(fill(&d, 3 * DRAFT_MEMORY_MAX, CHUNK), -ENOSPC);
    draft_end(&d);
    check_int(files(dir), 0);
    disk_dir_close(dir);
    fake_disk_free(disk);
    fail_set_sink(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_named_file_stays),
        cmocka_unit_test(test_unnamed_file_goes),
        cmocka_unit_test(test_full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
