/*
 * report_test.c - delivery status notifications: one whole, and what hostile values make of one.
 */
#include "check.h"

#include "wire/header.h"
#include "wire/report.h"
#include "wire/utf8.h"

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
    "It was accepted here for delivery; now it, or its header, comes back to you\r\n"
    "with this report.\r\n"
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

static bool holds(struct slice text, const char *wanted)
{
    struct slice word = slice_of(wanted);

    for (; text.len >= word.len; text = slice_skip(text, 1))
        if (slice_starts(text, word))
            return true;
    return false;
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

/* A header with UTF-8 (RFC 6532), or with bytes that are none, or with what is no line. */
#define PLAIN  "Subject: hi\r\n"
#define UTF8   "Subject: h\xc3\xae\r\n"
#define LATIN1 "Subject: h\xee\r\n"

static const struct {
    struct slice header, body;
    bool full, utf8;
    const char *type, *encoding, *content;
} returns[] = {
    {SLICE_INIT(PLAIN),                 SLICE_INIT("x\r\n"),                  false, false, "text/rfc822-headers",    "7bit",             PLAIN                  },
    {SLICE_INIT(PLAIN),                 SLICE_INIT("x\r\n"),                  true,  false, "message/rfc822",         "7bit",
     PLAIN "\r\nx\r\n"                                                                                                                                           },
    {SLICE_INIT(PLAIN),                 SLICE_INIT("\xc3\xbc\r\n"),           true,  false, "message/rfc822",         "8bit",
     PLAIN "\r\n\xc3\xbc\r\n"                                                                                                                                    },
    {SLICE_INIT(PLAIN),                 SLICE_INIT("x\r\n"),                  true,  true,  "message/rfc822",         "7bit",
     PLAIN "\r\nx\r\n"                                                                                                                                           },
    {SLICE_INIT(PLAIN),                 SLICE_INIT("x"),                      true,  true,  "message/rfc822",         "7bit",             PLAIN "\r\nx"          },
    {SLICE_INIT(PLAIN),                 SLICE_INIT(""),                       true,  true,  "message/rfc822",         "7bit",             PLAIN "\r\n"           },
    {SLICE_INIT(PLAIN),                 SLICE_INIT("x"),                      false, true,  "text/rfc822-headers",    "7bit",             PLAIN                  },
    {SLICE_INIT(""),                    SLICE_INIT("x"),                      false, true,  "text/rfc822-headers",    "7bit",             ""                     },
 /* RFC 6533 4.5: encoded, unless there is SMTPUTF8 on the way back */
    {SLICE_INIT(UTF8),                  SLICE_INIT("x\r\n"),                  false, true,  "message/global-headers", "8bit",             UTF8                   },
    {SLICE_INIT(UTF8),                  SLICE_INIT("x\r\n"),                  true,  true,  "message/global",         "8bit",             UTF8 "\r\nx\r\n"       },
    {SLICE_INIT(UTF8),                  SLICE_INIT("x\r\n"),                  false, false, "message/global-headers",
     "quoted-printable",                                                                                                                  "Subject: h=C3=AE\r\n" },
    {SLICE_INIT(UTF8),                  SLICE_INIT("=\r\n"),                  true,  false, "message/global",         "quoted-printable",
     "Subject: h=C3=AE\r\n\r\n=3D\r\n"                                                                                                                           },
    {SLICE_INIT(LATIN1),                SLICE_INIT("x\r\n"),                  false, false, "text/rfc822-headers",
     "quoted-printable",                                                                                                                  "Subject: h=EE\r\n"    },
    {SLICE_INIT(LATIN1),                SLICE_INIT("x\r\n"),                  false, true,  "text/rfc822-headers",
     "quoted-printable",                                                                                                                  "Subject: h=EE\r\n"    },
    {SLICE_INIT(LATIN1),                SLICE_INIT("x\r\n"),                  true,  false, "message/rfc822",         "8bit",
     LATIN1 "\r\nx\r\n"                                                                                                                                          },
 /* what cannot go back as it is: its header does */
    {SLICE_INIT(PLAIN),                 SLICE_INIT("x\ny\r\n"),               true,  false, "text/rfc822-headers",    "7bit",             PLAIN                  },
    {SLICE_INIT(PLAIN),                 SLICE_INIT("x\ry\r\n"),               true,  false, "text/rfc822-headers",    "7bit",             PLAIN                  },
    {SLICE_INIT(PLAIN),                 SLICE_INIT("x\r"),                    true,  false, "text/rfc822-headers",    "7bit",             PLAIN                  },
    {SLICE_INIT(PLAIN),                 SLICE_INIT("x\n"),                    true,  false, "text/rfc822-headers",    "7bit",             PLAIN                  },
    {SLICE_INIT(PLAIN),                 SLICE_INIT("x\0\r\n"),                true,  false, "text/rfc822-headers",    "7bit",             PLAIN                  },
    {SLICE_INIT(PLAIN),                 SLICE_INIT("\r\n--=_uniq1234--\r\n"), true,  false, "text/rfc822-headers",
     "7bit",                                                                                                                              PLAIN                  },
    {SLICE_INIT(PLAIN),                 SLICE_INIT("--=_uniq1234"),           true,  false, "text/rfc822-headers",    "7bit",
     PLAIN                                                                                                                                                       },
    {SLICE_INIT(PLAIN),                 SLICE_INIT("--=_uniq123\r\n"),        true,  false, "message/rfc822",         "7bit",
     PLAIN "\r\n--=_uniq123\r\n"                                                                                                                                 },
    {SLICE_INIT("A: b\nc\r\n"),         SLICE_INIT("x\r\n"),                  true,  false, "text/rfc822-headers",
     "quoted-printable",                                                                                                                  "A: b=0Ac\r\n"         },
    {SLICE_INIT("--=_uniq1234: b\r\n"), SLICE_INIT("x\r\n"),                  true,  true,  "text/rfc822-headers",
     "quoted-printable",                                                                                                                  "--=3D_uniq1234: b\r\n"},
};

static void the_message_comes_back_as_it_can(void **state)
{
    (void)state;
    CHECK_ROWS (i, returns) {
        struct report r = report_of(&bob, 1);
        struct arena arena = {0};
        struct slice end;
        struct buf out;
        bool eight_bit;

        r.header = returns[i].header;
        r.body = returns[i].body;
        r.full = returns[i].full;
        r.utf8 = returns[i].utf8;
        end = arena_printf(&arena,
                           "\r\n--=_uniq1234\r\nContent-Type: %s\r\n"
                           "Content-Transfer-Encoding: %s\r\n\r\n%s\r\n--=_uniq1234--\r\n",
                           returns[i].type, returns[i].encoding, returns[i].content);
        buf_init(&out, REPORT_MAX);
        check(report_write(&out, &r));
        check(slice_ends(buf_slice(&out), end));
        eight_bit = r.utf8 || slice_equal(slice_of(returns[i].encoding), SLICE("8bit"));
        check(holds(buf_slice(&out), eight_bit ? "boundary=\"=_uniq1234\"\r\n"
                                                 "Content-Transfer-Encoding: 8bit\r\n"
                                               : "boundary=\"=_uniq1234\"\r\n"
                                                 "Content-Transfer-Encoding: 7bit\r\n"));
        check(eight_bit || utf8_is_ascii(buf_slice(&out)));
        check(holds(buf_slice(&out), r.utf8 ? "report-type=global-delivery-status;"
                                            : "report-type=delivery-status;"));
        buf_done(&out);
        arena_done(&arena);
    }
}

static void a_long_line_does_not_come_back(void **state)
{
    static char lines[998 + 1];
    struct report r = report_of(&bob, 1);

    (void)state;
    memset(lines, 'x', sizeof(lines));
    for (size_t len = 997; len <= 999; len++) {
        struct buf body;

        buf_init(&body, 1100);
        check(buf_append(&body, (struct slice){lines, len}));
        r.body = buf_slice(&body);
        check_int(report_can_return(&r), len <= 998);
        check(buf_append(&body, SLICE("\r\ny")));
        r.body = buf_slice(&body);
        check_int(report_can_return(&r), len <= 998);
        buf_done(&body);
    }
}

/* What others have in front of them need not be able to do more than to carry the address. */
static void utf8_is_asked_for_by_who_gets_it(void **state)
{
    struct report_rcpt rcpt = bob;
    struct report r = report_of(&rcpt, 1);

    (void)state;
    check(!report_needs_utf8(&r));
    rcpt.final = (struct address)ADDRESS("b\xc3\xb6"
                                         "b",
                                         "b.example");
    check(!report_needs_utf8(&r));
    r.to = (struct address)ADDRESS("\xc3\xa4nn", "a.example");
    check(report_needs_utf8(&r));
}

#define BOEB                                                                                       \
    "b\xc3\xb6"                                                                                    \
    "b@b.example"

static const struct {
    struct slice original;
    const char *seven_bit, *utf8; /* NULL: no field */
} originals[] = {
    {SLICE_INIT(""),                          NULL,                                NULL                    },
    {SLICE_INIT("rfc822;bob@b.example"),      "rfc822; bob@b.example",             "rfc822; bob@b.example" },
    {SLICE_INIT("rfc822;a+b@b.example"),      "rfc822; a+b@b.example",             "rfc822; a+b@b.example" },
    {SLICE_INIT("x400;/C=xx/"),               "x400; /C=xx/",                      "x400; /C=xx/"          },
    {SLICE_INIT("utf-8;b\\x{F6}b@b.example"), "utf-8; b\\x{F6}b@b.example",        "utf-8; " BOEB          },
    {SLICE_INIT("UTF-8;" BOEB),               "UTF-8; b\\x{F6}b@b.example",        "UTF-8; " BOEB          },
    {SLICE_INIT("rfc822;" BOEB),              "utf-8; b\\x{F6}b@b.example",        "utf-8; " BOEB          },
    {SLICE_INIT("utf-8;\\x{E4}" BOEB),        "utf-8; \\x{E4}b\\x{F6}b@b.example", "utf-8; \xc3\xa4" BOEB  },
 /* labelled so, but not so: as it came */
    {SLICE_INIT("utf-8;bob\\@b.example"),     "utf-8; bob\\@b.example",            "utf-8; bob\\@b.example"},
    {SLICE_INIT("utf-8;nobody\\x{F6}"),       "utf-8; nobody\\x{F6}",              "utf-8; nobody\xc3\xb6" },
    {SLICE_INIT("utf-8;\\x{F6}@"),            "utf-8; \\x{F6}@",                   "utf-8; \\x{F6}@"       },
    {SLICE_INIT("utf-8;a\\x{0A}b@b.example"), "utf-8; a\\x{0A}b@b.example",
     "utf-8; a\\x{0A}b@b.example"                                                                          },
    {SLICE_INIT("x-other;\xc3\xb6"),          "x-other; ?",                        "x-other; \xc3\xb6"     },
};

static void check_field(struct slice report, const char *name, const char *value)
{
    struct arena arena = {0};
    struct slice line = arena_printf(&arena, "\r\n%s: ", name);

    if (value != NULL)
        line = arena_printf(&arena, "\r\n%s: %s\r\n", name, value);
    check_int(holds(report, arena_string(&arena, line)), value != NULL);
    arena_done(&arena);
}

static void addresses_as_the_part_may_hold_them(void **state)
{
    (void)state;
    CHECK_ROWS (i, originals) {
        for (int utf8 = 0; utf8 < 2; utf8++) {
            struct report_rcpt rcpt = bob;
            struct report r = report_of(&rcpt, 1);
            struct buf out;

            r.utf8 = utf8 != 0;
            rcpt.original = originals[i].original;
            rcpt.final = (struct address)ADDRESS("b\xc3\xb6"
                                                 "b",
                                                 "b.example");
            buf_init(&out, REPORT_MAX);
            check(report_write(&out, &r));
            check_field(buf_slice(&out), "Original-Recipient",
                        utf8 ? originals[i].utf8 : originals[i].seven_bit);
            check_field(buf_slice(&out), "Final-Recipient",
                        utf8 ? "utf-8; " BOEB : "utf-8; b\\x{F6}b@b.example");
            check(holds(buf_slice(&out),
                        utf8 ? "\r\n<" BOEB ">\r\n" : "\r\n<b=C3=B6b@b.example>\r\n"));
            check(utf8 || utf8_is_ascii(buf_slice(&out)));
            buf_done(&out);
        }
    }
}

static const struct {
    enum report_action action;
    const char *status, *shown;
} statuses[] = {
    {REPORT_FAILED,    "5.1.1",       "5.1.1"    },
    {REPORT_FAILED,    "4.4.7",       "4.4.7"    }, /* the time ran out */
    {REPORT_FAILED,    "5.999.999",   "5.999.999"},
    {REPORT_FAILED,    "",            "5.0.0"    },
    {REPORT_FAILED,    "2.1.5",       "5.0.0"    },
    {REPORT_FAILED,    "5.1",         "5.0.0"    },
    {REPORT_FAILED,    "5.1.1 more",  "5.0.0"    },
    {REPORT_FAILED,    "5.1.1\r\nX:", "5.0.0"    },
    {REPORT_FAILED,    "nonsense",    "5.0.0"    },
    {REPORT_DELAYED,   "4.4.1",       "4.4.1"    },
    {REPORT_DELAYED,   "5.4.1",       "4.0.0"    },
    {REPORT_DELAYED,   "",            "4.0.0"    },
    {REPORT_DELIVERED, "2.1.5",       "2.1.5"    },
    {REPORT_DELIVERED, "5.1.5",       "2.0.0"    },
    {REPORT_RELAYED,   "",            "2.0.0"    },
    {REPORT_EXPANDED,  "",            "2.0.0"    },
};

static void a_status_fits_its_action(void **state)
{
    (void)state;
    CHECK_ROWS (i, statuses) {
        struct report_rcpt rcpt = bob;
        struct report r = report_of(&rcpt, 1);
        struct buf out;

        rcpt.action = statuses[i].action;
        rcpt.status = slice_of(statuses[i].status);
        buf_init(&out, REPORT_MAX);
        check(report_write(&out, &r));
        check_field(buf_slice(&out), "Status", statuses[i].shown);
        buf_done(&out);
    }
}

static const struct {
    const char *mta, *reply, *diagnostic, *words;
} replies[] = {
    {"mx.b.example", "550 no",           "smtp; 550 no",              "\r\n    mx.b.example said: 550 no\r\n"     },
    {"mx.b.example", "550-no\nno",       "smtp; 550-no no",           "\r\n    mx.b.example said: 550-no no\r\n"  },
    {"mx.b.example", "550",              "smtp; 550",                 "\r\n    mx.b.example said: 550\r\n"        },
    {"mx.b.example", "timed out",        "x-postroad; timed out",     "\r\n    mx.b.example: timed out\r\n"       },
    {"mx.b.example", "55 mails",         "x-postroad; 55 mails",      "\r\n    mx.b.example: 55 mails\r\n"        },
    {"",             "550 our words",    "x-postroad; 550 our words", "\r\n    550 our words\r\n"                 },
    {"mx.b.example", "550 h\xc3\xb6",    "smtp; 550 h?",              "\r\n    mx.b.example said: 550 h=C3=B6\r\n"},
    {"mx.b.example", "550 \xff\xc2\x85", "smtp; 550 ??",              "\r\n    mx.b.example said: 550 ??\r\n"     },
    {"mx.b.example", "",                 NULL,                        "\r\n<bob@b.example>\r\n    There is"       },
};

/* A diagnostic of type smtp is a reply, RFC 3464 2.3.6. */
static void what_a_server_said(void **state)
{
    (void)state;
    CHECK_ROWS (i, replies) {
        struct report_rcpt rcpt = bob;
        struct report r = report_of(&rcpt, 1);
        struct buf out;

        rcpt.remote_mta = slice_of(replies[i].mta);
        rcpt.reply = slice_of(replies[i].reply);
        buf_init(&out, REPORT_MAX);
        check(report_write(&out, &r));
        check_field(buf_slice(&out), "Diagnostic-Code", replies[i].diagnostic);
        check(holds(buf_slice(&out), replies[i].words));
        buf_done(&out);
    }
}

static void the_sender_knows_another_address(void **state)
{
    struct report_rcpt rcpt = bob;
    struct report r = report_of(&rcpt, 1);
    struct buf out;

    (void)state;
    rcpt.given = (struct address)ADDRESS("sales", "a.example");
    buf_init(&out, REPORT_MAX);
    check(report_write(&out, &r));
    check(holds(buf_slice(&out), "<bob@b.example>\r\n    (you wrote to <sales@a.example>)\r\n"));
    buf_done(&out);
}

static const struct {
    struct slice header;
    const char *id; /* NULL: none */
} ids[] = {
    {SLICE_INIT("A: b\r\n"),                             NULL           },
    {SLICE_INIT("message-id: <1@a.example>\r\n"),        "<1@a.example>"},
    {SLICE_INIT("Message-ID:\r\n <1@a.example>\r\n"),    "<1@a.example>"},
    {SLICE_INIT("Message-ID: 1@a.example\r\n"),          NULL           },
    {SLICE_INIT("Message-ID: <1@a.example> <2@x>\r\n"),  NULL           },
    {SLICE_INIT("Message-ID: <1\x01@a.example>\r\n"),    NULL           },
    {SLICE_INIT("Message-ID: <\xc3\xbc@a.example>\r\n"), NULL           },
    {SLICE_INIT("Message-ID: <1\r@a.example>\r\n"),      NULL           },
};

static void it_refers_to_the_message(void **state)
{
    (void)state;
    CHECK_ROWS (i, ids) {
        struct report r = report_of(&bob, 1);
        struct slice head, body;
        struct buf out;

        r.header = ids[i].header;
        buf_init(&out, REPORT_MAX);
        check(report_write(&out, &r));
        check(header_split(buf_slice(&out), &head, &body));
        check_field(head, "In-Reply-To", ids[i].id);
        check_field(head, "References", ids[i].id);
        buf_done(&out);
    }
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

static const struct {
    struct address to;
    const char *shown;
} receivers[] = {
    {ADDRESS("ann", "a.example"),                                                                "To: <ann@a.example>\r\n"},
    {{.kind = ADDRESS_NULL},             "To: <postmaster@mx.a.example>\r\n"                                                                  },
    {{.kind = ADDRESS_BARE, .local = SLICE_INIT("root")},             "To: <root@mx.a.example>\r\n"},
    {{.kind = ADDRESS_MAILBOX, .local = SLICE_INIT("a b"), .domain = SLICE_INIT("a.example")},
     "To: <\"a b\"@a.example>\r\n"                             },
};

static void who_gets_it(void **state)
{
    (void)state;
    CHECK_ROWS (i, receivers) {
        struct report r = report_of(&bob, 1);
        struct buf out;

        r.to = receivers[i].to;
        buf_init(&out, REPORT_MAX);
        check(report_write(&out, &r));
        check(holds(buf_slice(&out), receivers[i].shown));
        buf_done(&out);
    }
}

static void a_notice_does_not_speak_to_the_sender(void **state)
{
    struct report r = report_of(&bob, 1);
    struct buf out;

    (void)state;
    r.to_postmaster = true;
    buf_init(&out, REPORT_MAX);
    check(report_write(&out, &r));
    check(holds(buf_slice(&out), "Subject: Undelivered report (notice for postmaster)\r\n"));
    check(holds(buf_slice(&out), "A report of this mail system could not be delivered"));
    check(!holds(buf_slice(&out), "Your message") && !holds(buf_slice(&out), "your message"));
    check(!holds(buf_slice(&out), "check the spelling"));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_three_parts),
        cmocka_unit_test(what_does_not_fit_leaves_nothing),
        cmocka_unit_test(the_message_comes_back_as_it_can),
        cmocka_unit_test(a_long_line_does_not_come_back),
        cmocka_unit_test(utf8_is_asked_for_by_who_gets_it),
        cmocka_unit_test(addresses_as_the_part_may_hold_them),
        cmocka_unit_test(a_status_fits_its_action),
        cmocka_unit_test(what_a_server_said),
        cmocka_unit_test(the_sender_knows_another_address),
        cmocka_unit_test(it_refers_to_the_message),
        cmocka_unit_test(hostile_words_stay_in_their_place),
        cmocka_unit_test(no_line_is_too_long),
        cmocka_unit_test(who_gets_it),
        cmocka_unit_test(a_notice_does_not_speak_to_the_sender),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
