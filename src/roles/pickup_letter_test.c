/*
 * pickup_letter_test.c - a file is said as it is, up to the end of one mail; and who is told what.
 */
#include "roles/pickup_letter.h"
#include "roles/pickup_order.h"

#include "check.h"
#include "fakes/disk.h"

#include <errno.h>
#include <string.h>

#define HEAD                                                                                       \
    "EHLO x\r\nMAIL FROM:<ann@a.example> RET=FULL\r\n"                                             \
    "RCPT TO:<bob@b.example>\r\nRCPT TO:<eve@b.example> NOTIFY=NEVER\r\nDATA\r\n"
#define CONTENT "Subject: x\r\n\r\n..dots\r\n"
#define END     ".\r\n"

struct world {
    struct fake_disk *disk;
    struct disk_dir *dir;
    struct letter letter;
    struct buf said;
};

static void begin(struct world *w, struct slice text)
{
    struct disk_file *file;

    w->disk = fake_disk_new(NULL);
    check_int(disk_dir_make_path(fake_disk(w->disk), SLICE("/drop"), 0700, &w->dir), 0);
    check_int(disk_open(w->dir, "f", DISK_CREATE_READ, 0600, &file), 0);
    check_int(disk_write(file, text, 0), 0);
    letter_init(&w->letter, file);
    buf_init(&w->said, 8 * 1024 * 1024);
}

static void done(struct world *w)
{
    letter_done(&w->letter);
    buf_done(&w->said);
    disk_dir_close(w->dir);
    check_int(fake_disk_open(w->disk), 0);
    fake_disk_free(w->disk);
}

/* Up to DATA, or the fault before it. */
static enum letter_fault say_commands(struct world *w)
{
    enum smtp_verb verb = VERB_UNKNOWN;
    enum letter_fault fault = LETTER_OK;

    while (fault == LETTER_OK && verb != VERB_DATA)
        fault = letter_command(&w->letter, &w->said, &verb);
    return fault;
}

static enum letter_fault say_content(struct world *w)
{
    enum letter_fault fault = LETTER_OK;

    while (fault == LETTER_OK && !w->letter.ended)
        fault = letter_content(&w->letter, &w->said);
    return fault;
}

static void test_what_is_said(void **state)
{
    static const struct {
        const char *label, *text;
        enum letter_fault commands, content;
        const char *rest; /* of the text, that is not said */
    } rows[] = {
        {"whole",             HEAD CONTENT END "QUIT\r\n",                      LETTER_OK,    LETTER_OK,    "QUIT\r\n"             },
        {"another behind it", HEAD CONTENT END HEAD CONTENT END,                LETTER_OK,    LETTER_OK,
         HEAD CONTENT END                                                                                                          },
        {"empty mail",        HEAD END,                                         LETTER_OK,    LETTER_OK,    ""                     },
        {"no end",            HEAD CONTENT,                                     LETTER_OK,    LETTER_WRONG, ""                     },
        {"half an end",       HEAD CONTENT ".\r",                               LETTER_OK,    LETTER_WRONG, ""                     },
        {"no content",        HEAD,                                             LETTER_OK,    LETTER_WRONG, ""                     },
        {"nothing",           "",                                               LETTER_WRONG, LETTER_OK,    ""                     },
        {"half a line",       "EHLO x\r",                                       LETTER_WRONG, LETTER_OK,    "EHLO x\r"             },
        {"bare LF",           "EHLO x\n",                                       LETTER_WRONG, LETTER_OK,    "EHLO x\n"             },
        {"empty line",        "\r\n" HEAD CONTENT END,                          LETTER_WRONG, LETTER_OK,    "\r\n" HEAD CONTENT END},
        {"other verb",        "EHLO x\r\nRSET\r\n",                             LETTER_WRONG, LETTER_OK,    "RSET\r\n"             },
        {"nobody",            "EHLO x\r\nMAIL FROM:<>\r\nDATA\r\n" CONTENT END, LETTER_WRONG, LETTER_OK,
         "DATA\r\n" CONTENT END                                                                                                    },
        {"from two",          "EHLO x\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n",     LETTER_WRONG, LETTER_OK,
         "MAIL FROM:<>\r\n"                                                                                                        },
        {"greets twice",      "EHLO x\r\nEHLO x\r\n",                           LETTER_WRONG, LETTER_OK,    "EHLO x\r\n"           },
        {"greets again",      "EHLO x\r\nMAIL FROM:<>\r\nEHLO x\r\n",           LETTER_WRONG, LETTER_OK,
         "EHLO x\r\n"                                                                                                              },
        {"no greeting",       "MAIL FROM:<>\r\n",                               LETTER_WRONG, LETTER_OK,    "MAIL FROM:<>\r\n"     },
        {"from nobody",       "EHLO x\r\nRCPT TO:<bob@b.example>\r\nDATA\r\n",  LETTER_WRONG, LETTER_OK,
         "RCPT TO:<bob@b.example>\r\nDATA\r\n"                                                                                     },
        {"bad address",       "EHLO x\r\nMAIL FROM:<a b>\r\nDATA\r\n",          LETTER_WRONG, LETTER_OK,
         "MAIL FROM:<a b>\r\nDATA\r\n"                                                                                             },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice text = slice_of(rows[i].text);
        struct world w = {0};

        begin(&w, text);
        check_int(say_commands(&w), rows[i].commands);
        if (rows[i].commands == LETTER_OK)
            check_int(say_content(&w), rows[i].content);
        check_slice(buf_slice(&w.said), slice_head(text, text.len - slice_of(rows[i].rest).len));
        done(&w);
    }
}

static void test_a_long_mail(void **state)
{
    struct world w = {0};
    struct buf text;

    (void)state;
    buf_init(&text, 4 * 1024 * 1024);
    buf_append(&text, SLICE(HEAD));
    for (unsigned i = 0; buf_len(&text) < 3 * 1024 * 1024; i++)
        buf_printf(&text, "%u..%.*s\r\n", i, (int)(i % 70),
                   "......................................."
                   "................................");
    buf_append(&text, SLICE(END));
    begin(&w, buf_slice(&text));
    check_int(say_commands(&w), LETTER_OK);
    check_int(say_content(&w), LETTER_OK);
    check_slice(buf_slice(&w.said), buf_slice(&text));
    done(&w);
    buf_done(&text);
}

/* Whoever left it still holds it open, and writes. */
static void test_a_file_that_grows(void **state)
{
    struct slice text = SLICE(HEAD CONTENT);
    struct world w = {0};

    (void)state;
    begin(&w, text);
    check_int(say_commands(&w), LETTER_OK);
    check_int(disk_write(w.letter.file, SLICE(END), text.len), 0);
    check_int(say_content(&w), LETTER_WRONG);
    check_slice(buf_slice(&w.said), text);
    done(&w);
}

static void test_too_many(void **state)
{
    struct world w = {0};
    struct buf text;

    (void)state;
    buf_init(&text, 1024 * 1024);
    buf_append(&text, SLICE("EHLO x\r\nMAIL FROM:<ann@a.example>\r\n"));
    for (unsigned i = 0; i <= ENVELOPE_RCPTS_MAX; i++)
        buf_printf(&text, "RCPT TO:<u%u@b.example>\r\n", i);
    begin(&w, buf_slice(&text));
    check_int(say_commands(&w), LETTER_WRONG);
    check_int(w.letter.about.rcpt_count, ENVELOPE_RCPTS_MAX);
    done(&w);
    buf_done(&text);
}

/* Our report goes the same way as the mail. */
static struct slice report_of(struct world *w, struct letter *report, struct buf *out)
{
    enum smtp_verb verb = VERB_UNKNOWN;

    check_int(
        letter_report(&w->letter, SLICE("mx.a.example"), SLICE("0123456789abcdef"), 1, report),
        LETTER_OK);
    while (verb != VERB_DATA)
        check_int(letter_command(report, out, &verb), LETTER_OK);
    while (!report->ended)
        check_int(letter_content(report, out), LETTER_OK);
    return buf_slice(out);
}

static bool has(struct slice text, const char *what)
{
    return memmem(text.data, text.len, what, strlen(what)) != NULL;
}

static void test_reports(void **state)
{
    static const struct {
        const char *label;
        bool last, all; /* who was refused: eve, then everybody else */
        bool told;      /* somebody who wants to hear of it was */
    } rows[] = {
        {"who does not want to hear of it", true,  false, false},
        {"everybody",                       false, true,  true },
        {"one, then everybody",             true,  true,  true },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct world w = {0};
        struct letter report;
        struct buf out;

        begin(&w, SLICE(HEAD CONTENT END));
        check_int(say_commands(&w), LETTER_OK);
        w.letter.about.id = 7;
        if (rows[i].last)
            letter_fail_last(&w.letter, SLICE("5.1.1"), SLICE("550 5.1.1 no eve"), 1);
        if (rows[i].all)
            letter_fail_all(&w.letter, SLICE("5.7.1"), SLICE("550 5.7.1 not at all"), 1);
        check_int(w.letter.failed_count, rows[i].all ? 2 : 1);
        buf_init(&out, 1024 * 1024);
        if (rows[i].told) {
            struct slice text = report_of(&w, &report, &out);

            check(has(text, "MAIL FROM:<>\r\nRCPT TO:<ann@a.example> NOTIFY=NEVER\r\nDATA\r\n"));
            check(has(text, "bob@b.example") && has(text, "550 5.7.1 not at all"));
            check(!has(text, "eve@b.example"));
            check(has(text, "\r\n..dots\r\n")); /* RET=FULL */
        } else {
            check_int(letter_report(&w.letter, SLICE("mx"), SLICE("0123456789abcdef"), 1, &report),
                      LETTER_WRONG);
        }
        letter_done(&report);
        buf_done(&out);
        done(&w);
    }
}

/* A mail larger than a report brings back comes as its header. */
static void test_a_large_one_is_not_brought_back(void **state)
{
    struct world w = {0};
    struct letter report;
    struct buf text, out;

    (void)state;
    buf_init(&text, 1024 * 1024);
    buf_append(&text, SLICE(HEAD CONTENT));
    while (buf_len(&text) < 200 * 1024)
        buf_append(&text, SLICE("much of it\r\n"));
    buf_append(&text, SLICE(END));
    begin(&w, buf_slice(&text));
    check_int(say_commands(&w), LETTER_OK);
    w.letter.about.id = 7;
    letter_fail_all(&w.letter, SLICE("5.7.1"), SLICE("550 5.7.1 no"), 1);
    buf_init(&out, 1024 * 1024);
    struct slice said = report_of(&w, &report, &out);
    check(has(said, "Subject: x") && !has(said, "much of it"));
    letter_done(&report);
    buf_done(&out);
    buf_done(&text);
    done(&w);
}

/* Whatever call fails, it is the disk's fault, and the mail is not set aside for it. */
static void test_a_disk_that_fails(void **state)
{
    enum letter_fault fault = LETTER_UNREADABLE;
    unsigned call = 0;

    (void)state;
    while (fault != LETTER_OK) {
        struct world w = {0};

        begin(&w, SLICE(HEAD CONTENT END));
        fake_disk_fail_at(w.disk, fake_disk_calls(w.disk) + ++call, -EIO);
        fault = say_commands(&w);
        if (fault == LETTER_OK)
            fault = say_content(&w);
        check_int(fault, call <= 2 ? LETTER_UNREADABLE : LETTER_OK); /* its size, its bytes */
        done(&w);
    }
}

static void test_orders(void **state)
{
    const struct slice file = SLICE("new-01020304050607080910111213141516");
    struct pickup_order order = {3, 1000, 77, file}, got;
    struct pickup_answer answer;
    struct buf out;

    (void)state;
    buf_init(&out, 128);
    check(pickup_order_write(&out, &order) && pickup_order_read(buf_slice(&out), &got));
    check_int(got.listener, 3);
    check_int(got.user, 1000);
    check_int(got.told, 77);
    check_slice(got.name, order.name);
    for (size_t n = 0; n < buf_len(&out); n++)
        check(!pickup_order_read(slice_head(buf_slice(&out), n), &got));
    buf_clear(&out);
    check(pickup_answer_write(&out, &(struct pickup_answer){PICKUP_LATER, 78, order.name}));
    check(pickup_answer_read(buf_slice(&out), &answer) && answer.verdict == PICKUP_LATER);
    check_int(answer.reason, 78);
    check_slice(answer.name, order.name);
    buf_clear(&out);
    check(put_u8(&out, PICKUP_LATER + 1) && put_u32(&out, 78) && buf_append(&out, order.name));
    check(!pickup_answer_read(buf_slice(&out), &answer));
    buf_clear(&out);
    check(put_u8(&out, PICKUP_BAD) && put_u32(&out, 78) &&
          buf_append(&out, SLICE("../../etc/passwd")));
    check(!pickup_answer_read(buf_slice(&out), &answer));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_said),
        cmocka_unit_test(test_a_long_mail),
        cmocka_unit_test(test_a_file_that_grows),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_a_large_one_is_not_brought_back),
        cmocka_unit_test(test_a_disk_that_fails),
        cmocka_unit_test(test_orders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
