/*
 * report_test.c - delivery status notifications: one whole, and what hostile values make of one.
 */
#include "check.h"

#include "wire/header.h"
#include "wire/report.h"

#define ADDRESS(name, of)                                                                          \
    {                                                                                              \
        .kind = ADDRESS_MAILBOX, .local = SLICE_INIT(name), .domain = SLICE_INIT(of)               \
    }

enum { REPORT_MAX = 64 * 1024 };

static const struct report_rcpt bob = {
    .action = REPORT_FAILED,
    .original = SLICE_INIT("rfc822;robert@b.example"),
    .final = ADDRESS("bob", "b.example"),
    .status = SLICE_INIT("5.1.1"),
    .remote_mta = SLICE_INIT("mx.b.example"),
    .reply = SLICE_INIT("550 5.1.1 no such user\n5.1.1 here"),
    .tried_us = UINT64_C(1700000060000000),
};

static const struct report_rcpt eve = {
    .action = REPORT_DELAYED,
    .final = ADDRESS("eve", "e.example"),
    .status = SLICE_INIT("4.4.1"),
    .reply = SLICE_INIT("connection timed out"),
    .tried_us = UINT64_C(1700000060000000),
    .retry_until_us = UINT64_C(1700432000000000),
};

static struct report report_of(const struct report_rcpt *rcpts, unsigned count)
{
    return (struct report){
        .hostname = SLICE("mx.a.example"),
        .unique = SLICE("uniq1234"),
        .date_us = UINT64_C(1700000100000000),
        .to = ADDRESS("ann", "a.example"),
        .queue_id = SLICE("3bcdFGHjklmN"),
        .envid = SLICE("order 66"),
        .arrival_us = UINT64_C(1700000000000000),
        .rcpts = rcpts,
        .rcpt_count = count,
        .header = SLICE("Subject: hi\r\nFrom: ann@a.example\r\n"),
        .body = SLICE("hello\r\n"),
    };
}

static const char whole[] =
    "Date: Tue, 14 Nov 2023 22:15:00 +0000\r\n"
    "From: Mail Delivery System <MAILER-DAEMON@mx.a.example>\r\n"
    "To: <ann@a.example>\r\n"
    "Subject: Undelivered mail\r\n"
    "Message-ID: <uniq1234.report@mx.a.example>\r\n"
    "Auto-Submitted: auto-replied\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
    " boundary=\"=_uniq1234\"\r\n"
    "Content-Transfer-Encoding: 7bit\r\n"
    "\r\n"
    "--=_uniq1234\r\n"
    "Content-Type: text/plain; charset=us-ascii\r\n"
    "Content-Transfer-Encoding: 7bit\r\n"
    "\r\n"
    "This is the mail system at mx.a.example.\r\n"
    "\r\n"
    "Your message could not be delivered to these recipients. It will not be\r\n"
    "tried again.\r\n"
    "\r\n"
    "<bob@b.example>\r\n"
    "    mx.b.example said: 550 5.1.1 no such user 5.1.1 here\r\n"
    "    There is no such mailbox: check the spelling of the address.\r\n"
    "\r\n"
    "The message was accepted here for delivery and is now returned to you.\r\n"
    "\r\n"
    "Your message has not yet been delivered to these recipients.\r\n"
    "\r\n"
    "<eve@e.example>\r\n"
    "    connection timed out\r\n"
    "\r\n"
    "There is nothing you need to do: it is tried again by itself, and you will\r\n"
    "hear if that fails for good.\r\n"
    "\r\n"
    "The mail's queue id here was 3bcdFGHjklmN; the administrator of this host can look it up.\r\n"
    "\r\n"
    "--=_uniq1234\r\n"
    "Content-Type: message/delivery-status\r\n"
    "Content-Transfer-Encoding: 7bit\r\n"
    "\r\n"
    "Original-Envelope-Id: order 66\r\n"
    "Reporting-MTA: dns; mx.a.example\r\n"
    "X-Postroad-Queue-ID: 3bcdFGHjklmN\r\n"
    "Arrival-Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
    "\r\n"
    "Original-Recipient: rfc822; robert@b.example\r\n"
    "Final-Recipient: rfc822; bob@b.example\r\n"
    "Action: failed\r\n"
    "Status: 5.1.1\r\n"
    "Remote-MTA: dns; mx.b.example\r\n"
    "Diagnostic-Code: smtp; 550 5.1.1 no such user 5.1.1 here\r\n"
    "Last-Attempt-Date: Tue, 14 Nov 2023 22:14:20 +0000\r\n"
    "\r\n"
    "Final-Recipient: rfc822; eve@e.example\r\n"
    "Action: delayed\r\n"
    "Status: 4.4.1\r\n"
    "Diagnostic-Code: x-postroad; connection timed out\r\n"
    "Last-Attempt-Date: Tue, 14 Nov 2023 22:14:20 +0000\r\n"
    "Will-Retry-Until: Sun, 19 Nov 2023 22:13:20 +0000\r\n"
    "\r\n"
    "--=_uniq1234\r\n"
    "Content-Type: text/rfc822-headers\r\n"
    "Content-Transfer-Encoding: 7bit\r\n"
    "\r\n"
    "Subject: hi\r\n"
    "From: ann@a.example\r\n"
    "\r\n"
    "--=_uniq1234--\r\n";

static void a_report_is_three_parts(void **state)
{
    const struct report_rcpt rcpts[] = {bob, eve};
    struct report r = report_of(rcpts, 2);
    struct buf out;

    (void)state;
    buf_init(&out, REPORT_MAX);
    check(report_write(&out, &r));
    check_slice(buf_slice(&out), slice_of(whole));
    buf_done(&out);
}

static void what_does_not_fit_leaves_nothing(void **state)
{
    struct report r = report_of(&bob, 1);

    (void)state;
    for (size_t max = 0; max < 1600; max++) {
        struct buf out;

        buf_init(&out, max);
        if (!report_write(&out, &r))
            check_int(buf_len(&out), 0);
        buf_done(&out);
    }
}

static bool holds(struct slice text, const char *wanted)
{
    struct slice word = slice_of(wanted);

    for (; text.len >= word.len; text = slice_skip(text, 1))
        if (slice_starts(text, word))
            return true;
    return false;
}

static void the_message_comes_back_as_asked(void **state)
{
    static const struct {
        bool full, utf8;
        struct slice body;
        const char *type;
        const char *encoding;
    } rows[] = {
        {false, false, SLICE_INIT("x\r\n"),        "Content-Type: text/rfc822-headers\r\n",
         "Content-Transfer-Encoding: 7bit\r\n"             },
        {true,  false, SLICE_INIT("x\r\n"),        "Content-Type: message/rfc822\r\n",
         "Content-Transfer-Encoding: 7bit\r\n"             },
        {true,  false, SLICE_INIT("\xc3\xbc\r\n"), "Content-Type: message/rfc822\r\n",
         "Content-Transfer-Encoding: 8bit\r\n"             },
        {true,  true,  SLICE_INIT("x\r\n"),        "report-type=global-delivery-status",
         "Content-Type: message/global-delivery-status\r\n"},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct report r = report_of(&bob, 1);
        struct buf out;

        r.full = rows[i].full;
        r.utf8 = rows[i].utf8;
        r.body = rows[i].body;
        buf_init(&out, REPORT_MAX);
        check(report_write(&out, &r));
        check(holds(buf_slice(&out), rows[i].type));
        check(holds(buf_slice(&out), rows[i].encoding));
        check(holds(buf_slice(&out), "ann@a.example\r\n\r\nx\r\n") ==
              (r.full && slice_equal(r.body, SLICE("x\r\n"))));
        buf_done(&out);
    }
}

static void utf8_is_asked_for_by_addresses(void **state)
{
    struct report_rcpt rcpt = bob;
    struct report r = report_of(&rcpt, 1);

    (void)state;
    check(!report_needs_utf8(&r));
    rcpt.original = SLICE("utf-8;b\xc3\xb6"
                          "b@b.example");
    check(report_needs_utf8(&r));
    rcpt = bob;
    rcpt.final = (struct address)ADDRESS("b\xc3\xb6"
                                         "b",
                                         "b.example");
    check(report_needs_utf8(&r));
    rcpt = bob;
    r.to = (struct address)ADDRESS("\xc3\xa4nn", "a.example");
    check(report_needs_utf8(&r));
}

/* Nobody writes a field of ours, ends a part, or leaves ASCII without SMTPUTF8. */
static void hostile_words_stay_in_their_place(void **state)
{
    static const struct slice hostile[] = {
        SLICE_INIT("x\r\nAction: delivered\r\n"),
        SLICE_INIT("x\r\n\r\n--=_uniq1234--\r\n"),
        SLICE_INIT("\0\x1b[31m\x7f"),
        SLICE_INIT("\xc3\xbc\xff\xc2\x85"),
        SLICE_INIT("rfc822;a\nStatus: 2.0.0"),
    };

    (void)state;
    CHECK_ROWS (i, hostile) {
        struct report_rcpt rcpt = bob;
        struct report r = report_of(&rcpt, 1);
        struct slice line, rest;
        struct buf out;
        unsigned actions = 0, states = 0, ends = 0;

        rcpt.reply = rcpt.remote_mta = rcpt.original = hostile[i];
        r.envid = hostile[i];
        buf_init(&out, REPORT_MAX);
        check(report_write(&out, &r));
        rest = buf_slice(&out);
        while (slice_cut(rest, '\n', &line, &rest)) {
            check(slice_ends(line, SLICE("\r")) && line.len <= 999);
            for (size_t k = 0; k + 1 < line.len; k++)
                check(line.data[k] >= ' ' && line.data[k] < 127);
            actions += slice_starts(line, SLICE("Action:"));
            states += slice_starts(line, SLICE("Status:"));
            ends += slice_equal(line, SLICE("--=_uniq1234--\r"));
        }
        check_int(actions, 1);
        check_int(states, 1);
        check_int(ends, 1);
        buf_done(&out);
    }
}

static void no_line_is_too_long(void **state)
{
    static char said[2048];
    struct report_rcpt rcpt = bob;
    struct report r = report_of(&rcpt, 1);

    (void)state;
    memset(said, 'x', sizeof(said));
    for (size_t blank = 0; blank < sizeof(said); blank += 127) {
        struct slice line, rest;
        struct buf out;
        size_t letters = 0;

        said[blank] = ' ';
        rcpt.reply = (struct slice){said, sizeof(said)};
        buf_init(&out, REPORT_MAX);
        check(report_write(&out, &r));
        rest = buf_slice(&out);
        while (slice_cut(rest, '\n', &line, &rest)) {
            check(line.len <= 999);
            for (size_t i = 0; i < line.len; i++)
                letters += line.data[i] == 'x';
        }
        check(letters >= 2 * (sizeof(said) - blank / 127 - 2));
        said[blank] = 'x';
        buf_done(&out);
    }
}

static void nobody_sent_it(void **state)
{
    struct report r = report_of(&bob, 1);
    struct buf out;

    (void)state;
    r.to = (struct address){.kind = ADDRESS_NULL};
    buf_init(&out, REPORT_MAX);
    check(report_write(&out, &r));
    check(holds(buf_slice(&out), "To: <postmaster>\r\n"));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_three_parts),
        cmocka_unit_test(what_does_not_fit_leaves_nothing),
        cmocka_unit_test(the_message_comes_back_as_asked),
        cmocka_unit_test(utf8_is_asked_for_by_addresses),
        cmocka_unit_test(hostile_words_stay_in_their_place),
        cmocka_unit_test(no_line_is_too_long),
        cmocka_unit_test(nobody_sent_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
