/*
 * maildir_test.c - deliveries into a temporary folder.
 */
#include "box/maildir.h"

#include "base/buf.h"
#include "base/fail.h"
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>

static const struct slice base_name = SLICE_INIT("1700000000.M5QABCR1.host");

struct setup {
    char path[64];
    int fd; /* of the root, to look at it from outside */
    struct disk_dir *root;
    struct disk_dir *spool;
    unsigned told;
};

static void count_failure(void *ctx, int code, const char *operation, struct slice name)
{
    (void)code;
    (void)operation;
    (void)name;
    ++*(unsigned *)ctx;
}

static void setup_init(struct setup *s)
{
    const char *tmp = getenv("TMPDIR");

    *s = (struct setup){0};
    (void)snprintf(s->path, sizeof(s->path), "%.40s/maildir.XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(s->path));
    s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(s->fd >= 0);
    assert_int_equal(mkdirat(s->fd, "spool", 0700), 0);
    assert_int_equal(mkdirat(s->fd, "mail", 0700), 0);
    struct disk_dir *at;
    assert_int_equal(disk_dir_open(disk_real(), s->path, &at), 0);
    assert_int_equal(disk_dir_open_at(at, "mail", &s->root), 0);
    assert_int_equal(disk_dir_open_at(at, "spool", &s->spool), 0);
    disk_dir_close(at);
    fail_set_sink(count_failure, &s->told);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static void setup_done(struct setup *s)
{
    fail_set_sink(NULL, NULL);
    disk_dir_close(s->root);
    disk_dir_close(s->spool);
    assert_int_equal(close(s->fd), 0);
    assert_int_equal(nftw(s->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* A spool file with something in front of and behind the message. */
static struct disk_file *spool_file(struct setup *s, struct slice message)
{
    struct disk_file *file;

    (void)disk_unlink(s->spool, "m");
    assert_int_equal(disk_open(s->spool, "m", DISK_CREATE_READ, 0600, &file), 0);
    assert_int_equal(disk_write(file, SLICE("before"), 0), 0);
    assert_int_equal(disk_write(file, message, 6), 0);
    assert_int_equal(disk_write(file, SLICE("behind"), 6 + message.len), 0);
    return file;
}

static struct maildir_delivery delivery(struct disk_file *file, struct slice message)
{
    return (struct maildir_delivery){
        .path = SLICE("example.org/ann"),
        .name = base_name,
        .prefix = SLICE("Return-Path: <bob@example.net>\r\nReceived: x\r\n"),
        .file = file,
        .offset = 6,
        .length = message.len,
        .result = 1,
    };
}

static int deliver_text(struct setup *s, struct slice message, bool repeat)
{
    struct disk_file *file = spool_file(s, message);
    struct maildir_delivery d = delivery(file, message);

    d.repeat = repeat;
    maildir_deliver(s->root, &d, 1);
    disk_close(file);
    return d.result;
}

/* How many entries a folder has, and the name of one. */
static unsigned entries(struct setup *s, const char *folder, char name[256])
{
    int fd = openat(s->fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unsigned count = 0;

    assert_true(fd >= 0);
    DIR *dir = fdopendir(fd);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        count++;
        (void)snprintf(name, 256, "%s", e->d_name);
    }
    (void)closedir(dir);
    return count;
}

static struct slice file_text(struct setup *s, const char *folder, const char *name,
                              struct buf *out)
{
    char path[600];
    ssize_t got;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = openat(s->fd, path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    buf_clear(out);
    do {
        got = read(fd, buf_reserve(out, 65536), 65536);
        assert_true(got >= 0);
        buf_commit(out, (size_t)got);
    } while (got > 0);
    assert_int_equal(close(fd), 0);
    return buf_slice(out);
}

static void file_put(struct setup *s, const char *path, struct slice text)
{
    int fd = openat(s->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.data, text.len), text.len);
    assert_int_equal(close(fd), 0);
}

static const char box_new[] = "mail/example.org/ann/new", box_tmp[] = "mail/example.org/ann/tmp",
                  box_cur[] = "mail/example.org/ann/cur";

static void test_deliver(void **state)
{
    static const struct {
        struct slice message, want; /* want: behind the prefix */
    } rows[] = {
        {SLICE_INIT("Subject: a\r\n\r\nbody\r\n"),                                       SLICE_INIT("Subject: a\n\nbody\n")      },
        {SLICE_INIT(""),                                                                 SLICE_INIT("")                          },
        {SLICE_INIT("\r\nbody\r\n"),                                                     SLICE_INIT("\nbody\n")                  },
        {SLICE_INIT("A: b\r\n\r\nno end"),                                               SLICE_INIT("A: b\n\nno end")            },
 /* RFC 5321 4.4: the older Return-Path goes, folded or spelled as it may be. */
        {SLICE_INIT("Return-Path: <x>\r\nA: b\r\n\r\n"),                                 SLICE_INIT("A: b\n\n")                  },
        {SLICE_INIT("A: b\r\nRETURN-path \t: <x>\r\n folded\r\n\tmore\r\nC: d\r\n\r\n"),
         SLICE_INIT("A: b\nC: d\n\n")                                                                                            },
        {SLICE_INIT("Return-Path:<a>\r\nReturn-Path:<b>\r\nA: b\r\n"),                   SLICE_INIT("A: b\n")                    },
        {SLICE_INIT("Return-Path: <x>\r\n\r\nbody\r\n"),                                 SLICE_INIT("\nbody\n")                  },
        {SLICE_INIT("A: b\r\n Return-Path: folded\r\n\r\n"),
         SLICE_INIT("A: b\n Return-Path: folded\n\n")                                                                            },
        {SLICE_INIT("Return-Path-Not: a\r\nReturn-Pat: b\r\nReturn: c\r\n\r\n"),
         SLICE_INIT("Return-Path-Not: a\nReturn-Pat: b\nReturn: c\n\n")                                                          },
        {SLICE_INIT("X-Return-Path: a\r\n\r\n"),                                         SLICE_INIT("X-Return-Path: a\n\n")      },
 /* In the body it stays, also where a line that is no field ends the header. */
        {SLICE_INIT("A: b\r\n\r\nReturn-Path: <x>\r\n"),                                 SLICE_INIT("A: b\n\nReturn-Path: <x>\n")},
        {SLICE_INIT("hello\r\nReturn-Path: <x>\r\n"),                                    SLICE_INIT("hello\nReturn-Path: <x>\n") },
        {SLICE_INIT("Return-Path\r\nReturn-Path: <x>\r\n"),
         SLICE_INIT("Return-Path\nReturn-Path: <x>\n")                                                                           },
        {SLICE_INIT("Return-Path"),                                                      SLICE_INIT("Return-Path")               },
 /* Only CRLF is a line end. */
        {SLICE_INIT("A: b\r\n\r\na\rb\r\r\nc\nd\r"),                                     SLICE_INIT("A: b\n\na\rb\r\nc\nd\r")    },
        {SLICE_INIT("A: \0b\r\n\r\n\0\r\n"),                                             SLICE_INIT("A: \0b\n\n\0\n")            },
    };
    static const struct slice prefix = SLICE_INIT("Return-Path: <bob@example.net>\nReceived: x\n");
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    CHECK_ROWS (i, rows) {
        struct setup s;
        char name[256], want_name[256];
        setup_init(&s);
        check_int(deliver_text(&s, rows[i].message, false), 0);
        check_int(entries(&s, box_tmp, name), 0);
        check_int(entries(&s, box_cur, name), 0);
        check_int(entries(&s, box_new, name), 1);
        struct slice got = file_text(&s, box_new, name, &text);
        check(slice_starts(got, prefix));
        check_slice(slice_skip(got, prefix.len), rows[i].want);
        (void)snprintf(want_name, sizeof(want_name), "%.*s,S=%zu", SLICE_PRINTF(base_name),
                       got.len);
        check_slice(slice_of(name), slice_of(want_name));
        check_int(s.told, 0);
        setup_done(&s);
    }
    buf_done(&text);
}

/* Whatever falls on the edge of a piece: the same text. */
static void test_pieces(void **state)
{
    static const struct slice tail =
        SLICE_INIT("\r\nReturn-Path: <x>\r\n y\r\nB: c\r\n\r\nbody\r\n");
    static const struct slice want = SLICE_INIT("\nB: c\n\nbody\n");
    struct setup s;
    struct buf message, text;

    (void)state;
    setup_init(&s);
    buf_init(&message, 1 << 20);
    buf_init(&text, 1 << 20);
    for (size_t pad = 65536 - 3 - tail.len; pad <= 65536; pad++) {
        char name[256], path[600];
        buf_clear(&message);
        assert_true(buf_append(&message, SLICE("A: ")));
        memset(buf_reserve(&message, pad), 'a', pad);
        buf_commit(&message, pad);
        assert_true(buf_append(&message, tail));
        assert_int_equal(deliver_text(&s, buf_slice(&message), false), 0);
        assert_int_equal(entries(&s, box_new, name), 1);
        struct slice got = file_text(&s, box_new, name, &text);
        got = slice_skip(got, sizeof("Return-Path: <bob@example.net>\nReceived: x\nA: ") - 1);
        check_slice(slice_skip(got, pad), want);
        (void)snprintf(path, sizeof(path), "%s/%s", box_new, name);
        assert_int_equal(unlinkat(s.fd, path, 0), 0);
    }
    buf_done(&message);
    buf_done(&text);
    setup_done(&s);
}

/* What lies there after a crash, or after a reader came by. */
static void test_repeat(void **state)
{
    static const struct {
        const char *path; /* under the mailbox; NULL: nothing there */
        struct slice text;
        bool repeat;
        unsigned in_new, in_cur; /* afterwards */
        bool delivered;          /* by this call */
    } rows[] = {
        {NULL,                                   SLICE_INIT(""),      true,  1, 0, true },
        {"new/1700000000.M5QABCR1.host,S=3",     SLICE_INIT("abc"),   true,  1, 0, true },
        {"cur/1700000000.M5QABCR1.host,S=3:2,S", SLICE_INIT("abc"),   true,  0, 1, false},
        {"cur/1700000000.M5QABCR1.host:2,",      SLICE_INIT("abc"),   true,  0, 1, false},
 /* a crash may have spoiled it: replaced */
        {"new/1700000000.M5QABCR1.host,S=4",     SLICE_INIT("abc"),   true,  1, 0, true },
 /* somebody else's */
        {"cur/1700000000.M5QABCR1.hostel,S=3",   SLICE_INIT("abc"),   true,  1, 1, true },
        {"tmp/1700000000.M5QABCR1.host.tmp",
         SLICE_INIT("stale, longer than the mail: "
                    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
         true,                                                               1, 0, true },
        {"tmp/1700000000.M5QABCR1.host.tmp",     SLICE_INIT("stale"), false, 1, 0, true },
 /* nobody asked to look */
        {"cur/1700000000.M5QABCR1.host,S=3:2,S", SLICE_INIT("abc"),   false, 1, 1, true },
    };

    static const char *const folders[] = {"mail/example.org", "mail/example.org/ann",
                                          "mail/example.org/ann/tmp", "mail/example.org/ann/new",
                                          "mail/example.org/ann/cur"};
    static const struct slice delivered =
        SLICE_INIT("Return-Path: <bob@example.net>\nReceived: x\nA: b\n\n");
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    CHECK_ROWS (i, rows) {
        struct setup s;
        char path[600], name[256];
        setup_init(&s);
        if (rows[i].path != NULL) {
            for (size_t f = 0; f < sizeof(folders) / sizeof(*folders); f++)
                check_int(mkdirat(s.fd, folders[f], 0700), 0);
            (void)snprintf(path, sizeof(path), "mail/example.org/ann/%s", rows[i].path);
            file_put(&s, path, rows[i].text);
        }
        check_int(deliver_text(&s, SLICE("A: b\r\n\r\n"), rows[i].repeat), 0);
        check_int(entries(&s, box_tmp, name), 0);
        check_int(entries(&s, box_cur, name), rows[i].in_cur);
        check_int(entries(&s, box_new, name), rows[i].in_new);
        if (rows[i].in_new > 0) {
            struct slice got = file_text(&s, box_new, name, &text);
            check_slice(got, rows[i].delivered ? delivered : rows[i].text);
        }
        setup_done(&s);
    }
    buf_done(&text);
}

/* SECURITY.md threat 23: hostile homes and names. */
static void test_hostile(void **state)
{
    static const char long_name[] = "12345678901234567890123456789012345678901234567890"
                                    "12345678901234567890123456789012345678901234567890"
                                    "12345678901234567890123456789012345678901234567890"
                                    "12345678901234567890123456789012345678901234567890"
                                    "12345678901234567890123456789012345678901234567890";

    static const struct {
        const char *link; /* becomes a symbolic link to an innocent folder */
        struct slice path, name;
    } rows[] = {
        {"mail/example.org", SLICE_INIT("example.org/ann"), SLICE_INIT("1.a")                 },
        {"mail/ann",         SLICE_INIT("ann"),             SLICE_INIT("1.a")                 },
        {"mail/box/new",     SLICE_INIT("box"),             SLICE_INIT("1.a")                 },
        {"mail/box/tmp",     SLICE_INIT("box"),             SLICE_INIT("1.a")                 },
        {"mail/box/cur",     SLICE_INIT("box"),             SLICE_INIT("1.a")                 },
        {NULL,               SLICE_INIT("../spool"),        SLICE_INIT("1.a")                 },
        {NULL,               SLICE_INIT(""),                SLICE_INIT("1.a")                 },
        {NULL,               SLICE_INIT("/box"),            SLICE_INIT("1.a")                 },
        {NULL,               SLICE_INIT("box//x"),          SLICE_INIT("1.a")                 },
        {NULL,               SLICE_INIT("box/"),            SLICE_INIT("1.a")                 },
        {NULL,               SLICE_INIT("a\0b"),            SLICE_INIT("1.a")                 },
        {NULL,               SLICE_INIT("box"),             SLICE_INIT("../1.a")              },
        {NULL,               SLICE_INIT("box"),             SLICE_INIT(".a")                  },
        {NULL,               SLICE_INIT("box"),             SLICE_INIT("")                    },
        {NULL,               SLICE_INIT("box"),             SLICE_INIT("a\0b")                },
        {NULL,               SLICE_INIT("box"),             {long_name, sizeof(long_name) - 1}},
        {NULL,               {long_name, 256 - 6},          {long_name, 255 - 23}             },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct setup s;
        char name[256];
        setup_init(&s);
        struct disk_file *file = spool_file(&s, SLICE("A: b\r\n"));
        struct maildir_delivery d = delivery(file, SLICE("A: b\r\n"));
        d.path = rows[i].path;
        d.name = rows[i].name;
        check_int(mkdirat(s.fd, "mail/box", 0700), 0);
        check_int(mkdirat(s.fd, "elsewhere", 0700), 0);
        if (rows[i].link != NULL)
            check_int(symlinkat("/proc/self/cwd", s.fd, rows[i].link), 0);
        maildir_deliver(s.root, &d, 1);
        check(d.result < 0);
        check_int(s.told, 1);
        check_int(entries(&s, "spool", name), 1);
        disk_close(file);
        setup_done(&s);
    }
}

/* A source that is shorter than said: nothing is left, and the others of the group arrive. */
static void test_group(void **state)
{
    enum { COUNT = 300 };
    static struct maildir_delivery items[COUNT];
    static char names[COUNT][40];
    struct setup s;
    char name[256];

    (void)state;
    setup_init(&s);
    struct slice message = SLICE("A: b\r\n\r\nbody\r\n");
    struct disk_file *file = spool_file(&s, message);
    for (size_t i = 0; i < COUNT; i++) {
        items[i] = delivery(file, message);
        (void)snprintf(names[i], sizeof(names[i]), "1.M1Q%zuR.h", i);
        items[i].name = slice_of(names[i]);
        if (i % 2 == 0)
            items[i].path = SLICE("bob");
        if (i == 7)
            items[i].length = 1000;
        if (i == 8)
            items[i].path = SLICE("..");
    }
    maildir_deliver(s.root, items, COUNT);
    CHECK_ROWS (i, items)
        check_int(items[i].result, i == 7 ? -EIO : i == 8 ? -EINVAL : 0);
    assert_int_equal(entries(&s, box_new, name), COUNT / 2 - 1);
    assert_int_equal(entries(&s, "mail/bob/new", name), COUNT / 2 - 1);
    assert_int_equal(entries(&s, box_tmp, name), 0);
    assert_int_equal(s.told, 2);
    disk_close(file);
    setup_done(&s);
}

/* After a crash all of a mailbox may come again: a third was read, a third lies in new, a third was
 * never there. Each is there once afterwards. */
static void test_repeated_group(void **state)
{
    enum { COUNT = 300 };
    static struct maildir_delivery items[COUNT];
    static char names[COUNT][40];
    struct setup s;
    char name[256], from[600], to[600];

    (void)state;
    setup_init(&s);
    struct slice message = SLICE("A: b\r\n\r\nbody\r\n");
    struct disk_file *file = spool_file(&s, message);
    for (size_t i = 0; i < COUNT; i++) {
        items[i] = delivery(file, message);
        (void)snprintf(names[i], sizeof(names[i]), "1.M1Q%zuR.h", i * 7919 % COUNT);
        items[i].name = slice_of(names[i]);
    }
    maildir_deliver(s.root, items, COUNT);
    assert_int_equal(entries(&s, box_new, name), COUNT);
    struct slice size = slice_skip(slice_of(name), slice_find(slice_of(name), ','));
    for (size_t i = 0; i < COUNT; i++) {
        (void)snprintf(from, sizeof(from), "%s/%.40s%.*s", box_new, names[i], SLICE_PRINTF(size));
        (void)snprintf(to, sizeof(to), "%s/%.40s%.*s:2,S", box_cur, names[i], SLICE_PRINTF(size));
        if (i % 3 == 0)
            assert_int_equal(renameat(s.fd, from, s.fd, to), 0);
        if (i % 3 == 1)
            assert_int_equal(unlinkat(s.fd, from, 0), 0);
        items[i].repeat = true;
    }
    file_put(&s, "mail/example.org/ann/cur/1.M1Q1R.hx,S=1:2,", SLICE("another's"));
    file_put(&s, "mail/example.org/ann/new/0", SLICE("another's"));
    maildir_deliver(s.root, items, COUNT);
    CHECK_ROWS (i, items)
        check_int(items[i].result, 0);
    assert_int_equal(entries(&s, box_new, name), COUNT - COUNT / 3 + 1);
    assert_int_equal(entries(&s, box_cur, name), COUNT / 3 + 1);
    assert_int_equal(entries(&s, box_tmp, name), 0);
    disk_close(file);
    setup_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deliver), cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_repeat),  cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_group),   cmocka_unit_test(test_repeated_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
