/*
 * conversion_test.c - messages looked at and converted on a worker, from a disk that may fail.
 */
#include "check.h"

#include "fakes/disk.h"
#include "fakes/random.h"
#include "fakes/worker.h"
#include "roles/conversion.h"

#include <errno.h>

/* In front of the message and behind it lie other records. */
#define BEFORE "before\xff\n"

struct setup {
    struct fake_disk *disk;
    struct disk_dir *spool;
    struct disk_file *file;
    struct fake_random random;
    struct fake_worker worker;
    struct conversion_input input;
    struct conversion *conversion;
    unsigned dones;
};

static void setup_init(struct setup *s, struct slice message)
{
    *s = (struct setup){.disk = fake_disk_new(NULL)};
    fake_random_init(&s->random, 1);
    fake_worker_init(&s->worker, &s->random.random);
    check_int(disk_dir_open(fake_disk(s->disk), "/", &s->spool), 0);
    check_int(disk_open(s->spool, "message", DISK_CREATE_READ, 0600, &s->file), 0);
    check_int(disk_write(s->file, SLICE(BEFORE), 0), 0);
    check_int(disk_write(s->file, message, sizeof(BEFORE) - 1), 0);
    check_int(disk_write(s->file, SLICE("\n\0"), sizeof(BEFORE) - 1 + message.len), 0);
    s->input = (struct conversion_input){.spool = s->spool,
                                         .worker = &s->worker.worker,
                                         .file = s->file,
                                         .offset = sizeof(BEFORE) - 1,
                                         .length = message.len};
}

static void setup_done(struct setup *s)
{
    conversion_free(s->conversion);
    disk_close(s->file);
    disk_dir_close(s->spool);
    check_int(fake_disk_open(s->disk), 0);
    fake_disk_free(s->disk);
}

static void count_done(void *ctx)
{
    struct setup *s = ctx;

    s->dones++;
}

static void run(struct setup *s)
{
    while (fake_worker_step(&s->worker))
        worker_collect(&s->worker.worker);
}

static void check_file(struct setup *s, struct slice want)
{
    struct disk_file *file;
    uint64_t length;
    char *bytes;

    check_int(conversion_result(s->conversion, &file, &length), 0);
    check_int(length, want.len);
    bytes = test_malloc(want.len + 1);
    check_int(disk_read(file, bytes, want.len + 1, 0), want.len);
    check_slice(((struct slice){bytes, want.len}), want);
    test_free(bytes);
}

#define TEXT "S: x\r\n\r\n\xc3\xbc\r\n"

static void goals_are_reached(void **state)
{
    static const struct {
        enum mime_goal goal;
        struct slice message;
        int code;
        struct slice result;
    } rows[] = {
        {MIME_FOR_MAILBOX, SLICE_INIT("S: x\r\n\r\n\0"),           0,
         SLICE_INIT("S: x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                    "AA==\r\n")                                                             },
        {MIME_FOR_MAILBOX, SLICE_INIT(TEXT),                       0,       SLICE_INIT(TEXT)},
        {MIME_FOR_8BIT,    SLICE_INIT(TEXT),                       0,       SLICE_INIT(TEXT)},
        {MIME_FOR_7BIT,    SLICE_INIT(TEXT),                       0,
         SLICE_INIT("S: x\r\nMIME-Version: 1.0\r\n"
                    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=BC\r\n")        },
        {MIME_FOR_7BIT,    SLICE_INIT("S: \xc3\xbc\r\n\r\nx\r\n"), -EILSEQ, SLICE_INIT("")  },
        {MIME_FOR_7BIT,    SLICE_INIT(""),                         0,       SLICE_INIT("")  },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct disk_file *file;
        struct setup s;
        uint64_t length;

        setup_init(&s, rows[i].message);
        s.input.goal = rows[i].goal;
        check_int(conversion_start(&s.input, count_done, &s, &s.conversion), 0);
        run(&s);
        check_int(s.dones, 1);
        check_int(conversion_result(s.conversion, &file, &length), rows[i].code);
        if (rows[i].code == 0)
            check_file(&s, rows[i].result);
        setup_done(&s);
    }
}

/* More than one piece, so that others get their turn; the name is gone at once. */
static void large_messages_are_converted(void **state)
{
    enum { LINES = 50000 };

    struct buf message, want;
    struct disk_file *file;
    struct setup s;

    (void)state;
    buf_init(&message, 1 << 20);
    buf_init(&want, 1 << 20);
    buf_append(&message, SLICE("S: x\r\n\r\n"));
    buf_append(&want, SLICE("S: x\r\nMIME-Version: 1.0\r\n"
                            "Content-Transfer-Encoding: quoted-printable\r\n\r\n"));
    for (unsigned i = 0; i < LINES; i++) {
        buf_append(&message, SLICE("line \xff\r\n"));
        buf_append(&want, SLICE("line =FF\r\n"));
    }
    setup_init(&s, buf_slice(&message));
    s.input.goal = MIME_FOR_7BIT;
    check_int(conversion_start(&s.input, count_done, &s, &s.conversion), 0);
    check_int(disk_open(s.spool, "converted", DISK_READ, 0, &file), -ENOENT);
    check(fake_worker_step(&s.worker));
    worker_collect(&s.worker.worker);
    check_int(s.dones, 0);
    run(&s);
    check_file(&s, buf_slice(&want));
    setup_done(&s);
    buf_done(&message);
    buf_done(&want);
}

static void a_look_makes_no_file(void **state)
{
    const struct mime_facts *facts;
    struct setup s;

    (void)state;
    setup_init(&s, SLICE(TEXT));
    uint64_t used = fake_disk_used(s.disk);
    s.input.spool = NULL;
    conversion_look(&s.input, count_done, &s, &s.conversion);
    run(&s);
    check_int(s.dones, 1);
    check_int(conversion_facts(s.conversion, &facts), 0);
    check_int(facts->traits, MIME_HIGH);
    check_int(facts->fixed, 0);
    check_int(fake_disk_used(s.disk), used);
    setup_done(&s);
}

/* Each call in turn. */
static void failures_are_told(void **state)
{
    (void)state;
    for (uint64_t n = check_row = 1;; check_row = ++n) {
        struct disk_file *file;
        struct setup s;
        uint64_t length, before;
        int code;

        setup_init(&s, SLICE(TEXT));
        s.input.goal = MIME_FOR_7BIT;
        before = fake_disk_calls(s.disk);
        fake_disk_fail_at(s.disk, before + n, -EIO);
        code = conversion_start(&s.input, count_done, &s, &s.conversion);
        run(&s);
        check_int(s.dones, code == 0);
        if (code == 0)
            code = conversion_result(s.conversion, &file, &length);
        bool reached = fake_disk_calls(s.disk) >= before + n;
        check_int(code, reached ? -EIO : 0);
        setup_done(&s);
        if (!reached)
            break;
    }
    check(check_row > 4);
}

static void a_file_that_is_too_short_is_a_failure(void **state)
{
    const struct mime_facts *facts;
    struct setup s;

    (void)state;
    setup_init(&s, SLICE(TEXT));
    s.input.length += 100;
    conversion_look(&s.input, count_done, &s, &s.conversion);
    run(&s);
    check_int(s.dones, 1);
    check_int(conversion_facts(s.conversion, &facts), -EIO);
    setup_done(&s);
}

static void it_may_be_given_up(void **state)
{
    struct setup s;

    (void)state;
    for (unsigned steps = 0; steps < 4; steps++) {
        setup_init(&s, SLICE(TEXT));
        check_int(conversion_start(&s.input, count_done, &s, &s.conversion), 0);
        for (unsigned i = 0; i < steps && fake_worker_step(&s.worker); i++)
            worker_collect(&s.worker.worker);
        setup_done(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goals_are_reached),
        cmocka_unit_test(large_messages_are_converted),
        cmocka_unit_test(a_look_makes_no_file),
        cmocka_unit_test(failures_are_told),
        cmocka_unit_test(a_file_that_is_too_short_is_a_failure),
        cmocka_unit_test(it_may_be_given_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
