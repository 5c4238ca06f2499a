/*
 * submission_test.c - what is missing, and what is not.
 */
#include "mail/submission.h"

#include "check.h"

static void complete(void **state)
{
    static const struct {
        const char *header, *sender, *user, *added;
    } rows[] = {
        {"Subject: x\r\n\r\n",                              "ann@example.org", "ann",
         "Date: Thu, 1 Jan 1970 01:00:07 +0100\r\n"
         "Message-ID: <000000000001.7@mx.example.org>\r\n"
         "From: ann@example.org\r\n"                                                                                 },
        {"date: y\r\nmessage-id: <a@b>\r\nFrom: z\r\n\r\n", "ann@example.org", "ann",         ""                     },
        {"From: z\r\nDate: y\r\n\r\nMessage-ID: <a@b>\r\n", "ann@example.org", "ann",
         "Message-ID: <000000000001.7@mx.example.org>\r\n"                                                           },
        {"Date: y\r\nMessage-ID: <a@b>\r\n\r\n",            "",                "b@c.example", "From: b@c.example\r\n"},
        {"Date: y\r\nMessage-ID: <a@b>\r\n\r\n",            "",                "dev",         ""                     },
    };
    struct arena arena = {0};

    (void)state;
    CHECK_ROWS (i, rows) {
        struct envelope e = {.id = 1, .arrival_us = 7000000, .user = slice_of(rows[i].user)};
        struct header_watch seen;
        struct buf out;

        if (rows[i].sender[0] != 0)
            check(address_parse(slice_of(rows[i].sender), &arena, &e.sender));
        header_watch_init(&seen);
        header_watch_feed(&seen, slice_of(rows[i].header));
        buf_init(&out, 1024);
        check(submission_complete(&out, &seen, &e, SLICE("mx.example.org"), 60));
        check_slice(buf_slice(&out), slice_of(rows[i].added));
        buf_done(&out);
        buf_init(&out, 10);
        check(submission_complete(&out, &seen, &e, SLICE("mx.example.org"), 60) ==
              (rows[i].added[0] == 0));
        check_int(buf_len(&out), 0);
        buf_done(&out);
    }
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(complete)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
