/*
 * trace_test.c - the exact bytes of Received and Return-Path.
 */
#include "mail/trace.h"

#include "wire/header.h"
#include "wire/received.h"

#include "check.h"

static const struct {
    const char *helo, *client_address, *proto, *rcpt, *final;
    bool smtputf8;
    const char *value; /* unfolded */
} received[] = {
    {"client.example.net", "192.0.2.1",   "ESMTP",    "<bob@example.org>",       NULL,                  false,
     "from client.example.net ([192.0.2.1]) by mx1.example.org (postroad) with ESMTP "
     "id 00000000000z for <bob@example.org>; Sun, 22 Nov 2026 03:14:22 +0100"      },
    {"[IPv6:2001:db8::1]", "2001:db8::1", "SMTP",     "<\"b b\"@example.org>",   NULL,                  false,
     "from [IPv6:2001:db8::1] ([IPv6:2001:db8::1]) by mx1.example.org (postroad) with SMTP "
     "id 00000000000z for <\"b b\"@example.org>; Sun, 22 Nov 2026 03:14:22 +0100"  },
    {"localhost",          "local",       "ESMTP",    "<bob@example.org>",       NULL,                  false,
     "from localhost (local) by mx1.example.org (postroad) with ESMTP "
     "id 00000000000z for <bob@example.org>; Sun, 22 Nov 2026 03:14:22 +0100"      },
    {"",                   "",            "",         "<bob@example.org>",       NULL,                  false,
     "from mx1.example.org (local) by mx1.example.org (postroad) "
     "id 00000000000z for <bob@example.org>; Sun, 22 Nov 2026 03:14:22 +0100"      },
    {"c",                  "192.0.2.1",   "ESMTP",    "<postmaster>",            "<admin@example.org>", false,
     "from c ([192.0.2.1]) by mx1.example.org (postroad) with ESMTP "
     "id 00000000000z for <admin@example.org>; Sun, 22 Nov 2026 03:14:22 +0100"    },
    {"c",                  "192.0.2.1",   "ESMTP",    "<sales@example.org>",     "<bob@example.org>",   false,
     "from c ([192.0.2.1]) by mx1.example.org (postroad) with ESMTP "
     "id 00000000000z for <sales@example.org>; Sun, 22 Nov 2026 03:14:22 +0100"    },
    {"b\xc3\xbc"
     "cher.example",  "192.0.2.1",   "UTF8SMTP", "<j\xc3\xbc@example.org>", NULL,                  true,
     "from b\xc3\xbc"
     "cher.example ([192.0.2.1]) by mx1.example.org (postroad) with UTF8SMTP "
     "id 00000000000z for <j\xc3\xbc@example.org>; Sun, 22 Nov 2026 03:14:22 +0100"},
    {"b\xc3\xbc"
     "cher.example",  "192.0.2.1",   "ESMTP",    "<j\xc3\xbc@example.org>", NULL,                  false,
     "from [192.0.2.1] ([192.0.2.1]) by mx1.example.org (postroad) with ESMTP "
     "id 00000000000z; Sun, 22 Nov 2026 03:14:22 +0100"                            },
 /* two recipients: the second must not learn of the first */
    {"c",                  "192.0.2.1",   "ESMTP",    NULL,                      NULL,                  false,
     "from c ([192.0.2.1]) by mx1.example.org (postroad) with ESMTP "
     "id 00000000000z; Sun, 22 Nov 2026 03:14:22 +0100"                            },
};

static struct address path_of(const char *text, struct arena *arena)
{
    struct cursor c = {slice_of(text)};
    struct address a = {0};

    check(address_take_path(&c, arena, &a));
    return a;
}

static void test_received(void **state)
{
    struct arena arena = {0};

    (void)state;
    CHECK_ROWS (i, received) {
        const char *rcpt = received[i].rcpt, *final = received[i].final;
        struct envelope_rcpt rcpts[2] = {{.original = path_of(rcpt ? rcpt : "<a@b>", &arena)}};
        struct envelope e = {.id = 51,
                             .arrival_us = 1795313662123456,
                             .helo = slice_of(received[i].helo),
                             .client_address = slice_of(received[i].client_address),
                             .proto = slice_of(received[i].proto),
                             .smtputf8 = received[i].smtputf8,
                             .rcpts = rcpts,
                             .rcpt_count = rcpt ? 1 : 2};
        struct header_field field;
        struct buf out;

        rcpts[0].final = final ? path_of(final, &arena) : rcpts[0].original;
        rcpts[1] = rcpts[0];
        buf_init(&out, 4096);
        check(trace_received_write(&out, &e, SLICE("mx1.example.org"), 60));
        struct cursor c = {buf_slice(&out)};
        check(header_take_field(&c, &field));
        check(cursor_at_end(&c));
        check(slice_ends(field.whole, SLICE("\r\n")));
        check_slice(field.name, SLICE("Received"));
        check_slice(header_unfold(&arena, field.value), slice_of(received[i].value));
        buf_done(&out);
    }
    arena_done(&arena);
}

/* Nobody connected: there is no "from". */
static void test_received_of_a_local_program(void **state)
{
    struct arena arena = {0};
    struct envelope_rcpt rcpts[1] = {{.original = path_of("<root@a.example>", &arena)}};
    struct envelope e = {.id = 51,
                         .helo = SLICE("whatever"),
                         .client_address = SLICE("local"),
                         .local_user = SLICE("1000"),
                         .proto = SLICE("ESMTP"),
                         .rcpts = rcpts,
                         .rcpt_count = 1};
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    check(trace_received_write(&out, &e, SLICE("mx1.example.org"), 0));
    struct cursor c = {buf_slice(&out)};
    struct header_field field;
    check(header_take_field(&c, &field));
    check_slice(header_unfold(&arena, field.value),
                SLICE("by mx1.example.org (postroad, from userid 1000) id 00000000000z "
                      "for <root@a.example>; Thu, 1 Jan 1970 00:00:00 +0000"));
    buf_done(&out);
    arena_done(&arena);
}

static void test_received_under_tls(void **state)
{
    struct arena arena = {0};
    struct envelope_rcpt rcpts[2] = {{.original = path_of("<a@b>", &arena)}};
    struct envelope e = {
        .id = 51,
        .helo = SLICE("c"),
        .client_address = SLICE("192.0.2.1"),
        .proto = SLICE("ESMTPS"),
        .tls = {SLICE("TLSv1.2"), SLICE("ECDHE-RSA-AES128-GCM-SHA256"), 128, 128, SLICE("")},
        .rcpts = rcpts,
        .rcpt_count = 2
    };

    static const struct {
        struct slice client, told;
    } rows[] = {
        {SLICE_INIT(""),                SLICE_INIT("")                  },
        {SLICE_INIT("ann@example.org"),
         SLICE_INIT("(client certificate of ann@example.org verified) ")},
        {SLICE_INIT("ann)(using\"\\"),  SLICE_INIT("")                  },
        {SLICE_INIT("b\xc3\xbc-cher"),  SLICE_INIT("")                  },
    };
    struct header_field field;
    struct buf out;

    (void)state;
    CHECK_ROWS (i, rows) {
        e.tls.client = rows[i].client;
        buf_init(&out, 4096);
        assert_true(trace_received_write(&out, &e, SLICE("mx1.example.org"), 0));
        struct cursor c = {buf_slice(&out)};
        assert_true(header_take_field(&c, &field));
        check_slice(
            header_unfold(&arena, field.value),
            arena_printf(
                &arena,
                "from c ([192.0.2.1]) "
                "(using TLSv1.2 with cipher ECDHE-RSA-AES128-GCM-SHA256 (128/128 bits)) %.*s"
                "by mx1.example.org (postroad) with ESMTPS id 00000000000z; "
                "Thu, 1 Jan 1970 00:00:00 +0000",
                SLICE_PRINTF(rows[i].told)));
        buf_done(&out);
    }
    arena_done(&arena);
}

/* Neither its name, nor its address, nor its certificate. */
static void test_hidden_client(void **state)
{
    struct arena arena = {0};
    struct envelope_rcpt rcpts[2] = {{.original = path_of("<a@b>", &arena)}};
    struct envelope e = {
        .id = 51,
        .helo = SLICE("anns-laptop.example"),
        .client_address = SLICE("192.0.2.1"),
        .proto = SLICE("ESMTPSA"),
        .user = SLICE("ann@example.org"),
        .tls = {SLICE("TLSv1.3"), SLICE("TLS_AES_256_GCM_SHA384"), 256, 256,
                SLICE("ann@example.org")},
        .hides_client = true,
        .rcpts = rcpts,
        .rcpt_count = 2
    };
    struct header_field field;
    struct received hop;
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    assert_true(trace_received_write(&out, &e, SLICE("mx1.example.org"), 0));
    struct cursor c = {buf_slice(&out)};
    assert_true(header_take_field(&c, &field) && received_parse(field.value, &arena, &hop));
    check_slice(header_unfold(&arena, field.value),
                SLICE("from mx1.example.org (authenticated) "
                      "(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)) "
                      "by mx1.example.org (postroad) with ESMTPSA id 00000000000z; "
                      "Thu, 1 Jan 1970 00:00:00 +0000"));
    check_slice(hop.from_address, SLICE(""));
    buf_done(&out);
    arena_done(&arena);
}

/* What we write is what we read, whatever the client calls itself. */
static void test_received_is_read_back(void **state)
{
    static const char *const helos[] = {"c.example", "by",  "from", "with",       "id",
                                        "for",       "via", "tls",  "[192.0.2.9]"};

    (void)state;
    CHECK_ROWS (i, helos) {
        struct arena arena = {0};
        struct address rcpt = path_of("<\"by x; \"@b.example>", &arena);
        struct envelope_rcpt rcpts[1] = {
            {.original = rcpt, .final = rcpt}
        };
        struct envelope e = {
            .id = 51,
            .arrival_us = 1795313662000000,
            .helo = slice_of(helos[i]),
            .client_address = SLICE("2001:db8::1"),
            .proto = SLICE("ESMTPS"),
            .tls = {SLICE("TLSv1.3"), SLICE("TLS_AES_256_GCM_SHA384"), 256, 256, SLICE("")},
            .rcpts = rcpts,
            .rcpt_count = 1
        };
        struct header_field field;
        struct received hop;
        struct buf out;

        buf_init(&out, 4096);
        check(trace_received_write(&out, &e, SLICE("mx1.example.org"), 60));
        struct cursor c = {buf_slice(&out)};
        check(header_take_field(&c, &field) && received_parse(field.value, &arena, &hop));
        check_slice(hop.clauses[RECEIVED_FROM], e.helo);
        check_slice(hop.clauses[RECEIVED_BY], SLICE("mx1.example.org"));
        check_slice(hop.clauses[RECEIVED_WITH], e.proto);
        check_slice(hop.clauses[RECEIVED_ID], SLICE("00000000000z"));
        check_slice(hop.from_address, e.client_address);
        check_slice(hop.tls_version, e.tls.version);
        check_slice(hop.tls_cipher, e.tls.cipher);
        check(address_equal(&hop.rcpt, &rcpt));
        check(hop.has_date && hop.wall_us == e.arrival_us && hop.offset_min == 60);
        buf_done(&out);
        arena_done(&arena);
    }
}

static void test_received_when_full(void **state)
{
    struct arena arena = {0};
    struct envelope_rcpt rcpt = {.original = path_of("<a@b>", &arena),
                                 .final = path_of("<a@b>", &arena)};
    struct envelope e = {.id = 51, .rcpts = &rcpt, .rcpt_count = 1};
    struct buf out;

    (void)state;
    buf_init(&out, 40);
    assert_false(trace_received_write(&out, &e, SLICE("mx1.example.org"), 0));
    buf_done(&out);
    arena_done(&arena);
}

/* All clauses at their limits: still a header field, and no line over 998. */
static void test_received_at_the_limits(void **state)
{
    static char local[LOCAL_PART_MAX], domain[DOMAIN_MAX];
    struct envelope_rcpt rcpt;
    struct slice line, rest;
    struct buf out;

    (void)state;
    memset(local, '"', sizeof(local)); /* each needs a backslash */
    memset(domain, 'd', sizeof(domain));
    rcpt.original = (struct address){
        ADDRESS_MAILBOX, {local,  sizeof(local) },
         {domain, sizeof(domain)},
         false
    };
    rcpt.final = rcpt.original;
    struct envelope e = {
        .id = UINT64_MAX,
        .helo = {domain, sizeof(domain)},
        .client_address = SLICE("2001:db8:1111:2222:3333:4444:5555:6666"),
        .proto = SLICE("UTF8SMTPSA"),
        .tls = { SLICE("TLSv1.2"), SLICE("ECDHE-ECDSA-CHACHA20-POLY1305"), 256, 256, SLICE("")},
        .rcpts = &rcpt,
        .rcpt_count = 1
    };
    buf_init(&out, 4096);
    assert_true(trace_received_write(&out, &e, (struct slice){domain, sizeof(domain)}, 0));
    rest = buf_slice(&out);
    while (slice_cut(rest, '\n', &line, &rest))
        assert_true(line.len <= 999);
    buf_done(&out);
}

static const struct {
    const char *sender;
    struct slice field;
} return_paths[] = {
    {"<>",                    SLICE_INIT("Return-Path: <>\r\n")                   },
    {"<bob@example.org>",     SLICE_INIT("Return-Path: <bob@example.org>\r\n")    },
    {"<\"b b\"@[192.0.2.1]>", SLICE_INIT("Return-Path: <\"b b\"@[192.0.2.1]>\r\n")},
};

static void test_return_path(void **state)
{
    struct arena arena = {0};

    (void)state;
    CHECK_ROWS (i, return_paths) {
        struct address sender = path_of(return_paths[i].sender, &arena);
        struct buf out;

        buf_init(&out, 4096);
        check(trace_return_path_write(&out, &sender));
        check_slice(buf_slice(&out), return_paths[i].field);
        buf_done(&out);
    }
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_received),
        cmocka_unit_test(test_received_of_a_local_program),
        cmocka_unit_test(test_received_under_tls),
        cmocka_unit_test(test_hidden_client),
        cmocka_unit_test(test_received_is_read_back),
        cmocka_unit_test(test_received_when_full),
        cmocka_unit_test(test_received_at_the_limits),
        cmocka_unit_test(test_return_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
