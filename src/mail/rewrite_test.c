/*
 * rewrite_test.c - one row, one address or header and what becomes of it.
 */
#include "mail/rewrite.h"

#include "check.h"

#define DOMAIN(name)                                                                               \
    {                                                                                              \
        .match = MATCH_DOMAIN, .domain = SLICE_INIT(name)                                          \
    }

static const struct rewrite some[] = {
    {.line = 1,
     .whose = REWRITE_SENDER,
     .match = {.match = MATCH_ADDRESS,
               .address = {ADDRESS_MAILBOX, SLICE_INIT("keep"), SLICE_INIT("a.example"), false}},
     .local = REWRITE_KEEPS_LOCAL,
     .to = {ADDRESS_MAILBOX, SLICE_INIT(""), SLICE_INIT("a.example"), false}},
    {.line = 2,
     .whose = REWRITE_SENDER,
     .match = DOMAIN("a.example"),
     .to = {ADDRESS_MAILBOX, SLICE_INIT("me"), SLICE_INIT("b.example"), false}                                                       },
    {.line = 3,
     .whose = REWRITE_SENDER,
     .match = DOMAIN("*.b.example"),
     .local = REWRITE_KEEPS_LOCAL,
     .to = {ADDRESS_MAILBOX, SLICE_INIT(""), SLICE_INIT("a.example"), false}},
    {.line = 4,
     .whose = REWRITE_RCPT,
     .match = DOMAIN("a.example"),
     .local = REWRITE_KEEPS_USER,
     .to = {ADDRESS_MAILBOX, SLICE_INIT(""), SLICE_INIT("c.example"), false}},
    {.line = 5,
     .whose = REWRITE_SENDER,
     .match = {.match = MATCH_LOCAL},
     .to = {ADDRESS_MAILBOX, SLICE_INIT("robot"), SLICE_INIT("b.example"), false}},
};

static const struct rules rules = {
    .hostname = SLICE_INIT("web1.example"),
    .origin = SLICE_INIT("web1.example"),
    .rewrites = some,
    .rewrite_count = sizeof(some) / sizeof(*some),
};

static const struct {
    enum rewrite_whose whose;
    const char *before; /* a path */
    unsigned line;      /* 0: none */
    const char *after;
} addresses[] = {
    {REWRITE_SENDER, "<bob@a.example>",         2, "me@b.example"     },
    {REWRITE_SENDER, "<Bob+x@A.EXAMPLE>",       2, "me@b.example"     },
 /* the first one that matches, also one that changes nothing */
    {REWRITE_SENDER, "<keep@a.example>",        1, "keep@a.example"   },
 /* once: what it yields is not rewritten */
    {REWRITE_SENDER, "<bob+x@sub.b.example>",   3, "bob+x@a.example"  },
    {REWRITE_SENDER, "<\"b b\"@sub.b.example>", 3, "\"b b\"@a.example"},
    {REWRITE_SENDER, "<bob@b.example>",         0, "bob@b.example"    },
 /* a sender's is not a recipient's */
    {REWRITE_RCPT,   "<bob@sub.b.example>",     0, "bob@sub.b.example"},
    {REWRITE_RCPT,   "<bob@a.example>",         4, "bob@c.example"    },
    {REWRITE_RCPT,   "<bob+list@a.example>",    4, "bob@c.example"    },
 /* nobody stays nobody; a bare name has the origin's domain */
    {REWRITE_SENDER, "<>",                      0, ""                 },
    {REWRITE_SENDER, "<root>",                  5, "robot@b.example"  },
    {REWRITE_SENDER, "<root@localhost>",        5, "robot@b.example"  },
    {REWRITE_RCPT,   "<root>",                  0, "root"             },
    {REWRITE_SENDER, "<root@[192.0.2.1]>",      0, "root@[192.0.2.1]" },
};

static void test_addresses(void **state)
{
    (void)state;
    CHECK_ROWS (i, addresses) {
        struct arena arena = {0};
        struct cursor c = {slice_of(addresses[i].before)};
        struct address a;

        check(address_take_path(&c, &arena, &a));
        const struct rewrite *r = rewrite_address(&rules, addresses[i].whose, &a, &arena);
        check_int(r == NULL ? 0 : r->line, addresses[i].line);
        check_slice(address_text(&arena, &a), slice_of(addresses[i].after));
        arena_done(&arena);
    }
}

static const struct {
    const char *before, *after; /* NULL: as before */
} headers[] = {
    {"From: bob@a.example\r\n\r\n",                                                                 "From: me@b.example\r\n\r\n"                       },
    {"from : Bob <bob@a.example>\r\nSubject: bob@a.example\r\n\r\n",
     "from: Bob <me@b.example>\r\nSubject: bob@a.example\r\n\r\n"                                                                                      },
 /* what cron writes */
    {"From: root (Cron Daemon)\r\nTo: root\r\n\r\n",
     "From: Cron Daemon <robot@b.example>\r\nTo: root\r\n\r\n"                                                                                         },
    {"From: \"(Cron Daemon)\" <root>\r\n\r\n",                                                      "From: \"(Cron Daemon)\" <robot@b.example>\r\n\r\n"},
    {"Sender: root\r\n\r\n",                                                                        "Sender: robot@b.example\r\n\r\n"                  },
    {"Reply-To: x@y.example,\r\n  =?utf-8?q?B=C3=BCro?= <b@a.example>, (c) keep@a.example\r\n\r\n",
     "Reply-To: x@y.example, =?UTF-8?B?QsO8cm8=?= <me@b.example>, (c) keep@a.example\r\n\r\n"                                                          },
    {"Resent-From: b@a.example\r\n\r\n",                                                            "Resent-From: me@b.example\r\n\r\n"                },
 /* not a byte, where nothing is to be done */
    {"From:  keep@a.example  (me)\r\n\r\n",                                                         NULL                                               },
    {"From: x@y.example\r\nTo: b@a.example\r\nDKIM-Signature: d=a.example\r\n\r\n",                 NULL                                               },
    {"From: Us: b@a.example, c@a.example;\r\n\r\n",                                                 NULL                                               },
    {"From: undisclosed sender (hidden)\r\n\r\n",                                                   NULL                                               },
    {"From: b@a.example@c\r\n\r\n",                                                                 NULL                                               },
    {" From: b@a.example\r\n\r\n",                                                                  NULL                                               },
    {"From b@a.example\r\nFrom: b@a.example\r\n\r\n",                                               NULL                                               },
    {"",                                                                                            NULL                                               },
 /* no body */
    {"From: b@a.example",                                                                           "From: me@b.example\r\n"                           },
    {"From: b@a.example\n\n",                                                                       "From: me@b.example\r\n\n"                         },
};

static void check_in_pieces(struct slice message, size_t size, struct slice wanted)
{
    struct rewrite_reader r;
    struct slice run;
    struct buf out;

    buf_init(&out, 4096);
    rewrite_reader_init(&r, true);
    for (size_t at = 0; at < message.len; at += size) {
        struct cursor in = {slice_head(slice_skip(message, at), size)};

        while (rewrite_reader_next(&r, &rules, &in, &run))
            buf_append(&out, run);
        check(cursor_at_end(&in));
    }
    buf_append(&out, rewrite_reader_end(&r, &rules));
    check_slice(buf_slice(&out), wanted);
    rewrite_reader_done(&r);
    buf_done(&out);
}

static void test_headers(void **state)
{
    (void)state;
    CHECK_ROWS (i, headers) {
        struct arena arena = {0};
        struct slice before = slice_of(headers[i].before);
        struct slice after = headers[i].after == NULL ? before : slice_of(headers[i].after);
        const char *body = slice_ends(before, SLICE("\n")) ? "From: b@a.example\r\n" : "";
        struct slice message = arena_printf(&arena, "%.*s%s", SLICE_PRINTF(before), body);
        struct slice wanted = arena_printf(&arena, "%.*s%s", SLICE_PRINTF(after), body);

        for (size_t size = 1; size <= message.len + 1; size++)
            check_in_pieces(message, size, wanted);
        arena_done(&arena);
    }
}

/* What is not to be looked at, or is too much to be held, passes. */
static void test_it_passes(void **state)
{
    static char large[REWRITE_HEADER_MAX + 64];
    struct slice text = {large, sizeof(large)};
    struct rewrite_reader r;
    struct cursor in = {text};
    struct slice run;
    size_t passed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = i % 64 == 63 ? '\n' : 'a';
    rewrite_reader_init(&r, true);
    while (rewrite_reader_next(&r, &rules, &in, &run)) {
        check_slice(run, slice_head(slice_skip(text, passed), run.len));
        passed += run.len;
    }
    check_int(passed, sizeof(large));
    check_slice(rewrite_reader_end(&r, &rules), SLICE(""));
    rewrite_reader_done(&r);
    rewrite_reader_init(&r, false);
    in.rest = SLICE("From: b@a.example\r\n\r\n");
    check(rewrite_reader_next(&r, &rules, &in, &run));
    check_slice(run, SLICE("From: b@a.example\r\n\r\n"));
    check(!rewrite_reader_next(&r, &rules, &in, &run));
    rewrite_reader_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_it_passes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
