/*
 * grants_test.c - which refresh token counts, whatever call fails and whenever the power goes.
 */
#include "roles/grants.h"

#include "base/fail.h"
#include "check.h"
#include "fakes/disk.h"

#include <errno.h>

static void ignore(void *ctx, int code, const char *operation, struct slice name)
{
    (void)ctx, (void)code, (void)operation, (void)name;
}

static struct grant make(const char *login, const char *token)
{
    return (struct grant){.login = slice_of(login),
                          .token = SLICE("https://id.example/token"),
                          .client = SLICE("app"),
                          .user = SLICE("me@example.org"),
                          .refresh_token = slice_of(token),
                          .made = SLICE("2026-11-28T07:00:00Z")};
}

static struct disk_dir *open_vault(struct fake_disk *disk)
{
    struct disk_dir *dir;

    check_int(grants_open(fake_disk(disk), SLICE("/spool"), &dir), 0);
    return dir;
}

static void check_counts(struct disk_dir *dir, const char *relay, const char *token)
{
    struct arena arena = {0};
    struct grant got;

    check_int(grants_read(dir, slice_of(relay), &arena, &got), 0);
    check_slice(got.refresh_token, slice_of(token));
    arena_done(&arena);
}

static void test_which_counts(void **state)
{
    struct fake_disk *disk = fake_disk_new(NULL);
    struct disk_dir *dir = open_vault(disk);
    struct grant first = make("1", "a"), renewed = make("1", "b"), second = make("2", "c");
    struct arena arena = {0};
    struct grant got;

    (void)state;
    check_int(grants_read(dir, SLICE("smart"), &arena, &got), -ENOENT);
    check_int(grants_login(dir, SLICE("smart"), &first), 0);
    check_counts(dir, "smart", "a");
    check_int(grants_renew(dir, SLICE("smart"), &renewed), 0);
    check_counts(dir, "smart", "b");
    check_int(grants_login(dir, SLICE("smart"), &second), 0);
    check_counts(dir, "smart", "c");
    /* What the vault still got for the login before changes nothing. */
    check_int(grants_renew(dir, SLICE("smart"), &renewed), 0);
    check_counts(dir, "smart", "c");
    check_int(grants_read(dir, SLICE("other"), &arena, &got), -ENOENT);
    arena_done(&arena);
    disk_dir_close(dir);
    fake_disk_free(disk);
}

static void test_none_of_ours(void **state)
{
    struct fake_disk *disk = fake_disk_new(NULL);
    struct disk_dir *dir = open_vault(disk);
    struct grant first = make("1", "a");
    struct arena arena = {0};
    struct grant got;

    (void)state;
    fail_set_sink(ignore, NULL);
    check_int(small_file_replace(dir, "smart.login", SLICE("rubbish"), 0600), 0);
    check_int(grants_read(dir, SLICE("smart"), &arena, &got), -EBADMSG);
    check_int(grants_login(dir, SLICE("smart"), &first), 0);
    check_int(small_file_replace(dir, "smart.renewed", SLICE("rubbish"), 0600), 0);
    check_counts(dir, "smart", "a");
    fail_set_sink(NULL, NULL);
    arena_done(&arena);
    disk_dir_close(dir);
    fake_disk_free(disk);
}

/* Never the token before, which its provider may take for a stolen one. */
static void test_one_that_cannot_be_read_now(void **state)
{
    struct fake_disk *disk = fake_disk_new(NULL);
    struct disk_dir *dir = open_vault(disk);
    struct grant first = make("1", "a"), renewed = make("1", "b");
    struct grant got;
    uint64_t calls;
    unsigned failed = 0;

    (void)state;
    fail_set_sink(ignore, NULL);
    check_int(grants_login(dir, SLICE("smart"), &first), 0);
    check_int(grants_renew(dir, SLICE("smart"), &renewed), 0);
    calls = fake_disk_calls(disk);
    check_counts(dir, "smart", "b");
    calls = fake_disk_calls(disk) - calls;
    for (uint64_t call = 1; call <= calls; call++) {
        struct arena arena = {0};

        fake_disk_fail_at(disk, fake_disk_calls(disk) + call, -EIO);
        int code = grants_read(dir, SLICE("smart"), &arena, &got);
        if (code == 0)
            check_slice(got.refresh_token, SLICE("b"));
        else
            check_int(code, -EIO);
        failed += code < 0;
        arena_done(&arena);
    }
    check(failed >= 4); /* an open and a read of both */
    fail_set_sink(NULL, NULL);
    disk_dir_close(dir);
    fake_disk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_which_counts),
                                       cmocka_unit_test(test_none_of_ours),
                                       cmocka_unit_test(test_one_that_cannot_be_read_now)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
