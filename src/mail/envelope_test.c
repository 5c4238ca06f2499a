/*
 * envelope_test.c - what is written is read again; what no honest receiver writes is refused.
 */
#include "mail/envelope.h"

#include "check.h"

static struct address mailbox(const char *local, const char *domain)
{
    struct address a = {ADDRESS_MAILBOX, slice_of(local), slice_of(domain), false};

    for (size_t i = 0; i < a.local.len; i++)
        a.utf8 |= (unsigned char)a.local.data[i] > 0x7f;
    for (size_t i = 0; i < a.domain.len; i++)
        a.utf8 |= (unsigned char)a.domain.data[i] > 0x7f;
    return a;
}

static struct envelope sample(struct envelope_rcpt *rcpts, unsigned rcpt_count)
{
    return (struct envelope){
        .id = 0x0102030405060708,
        .arrival_us = 1795313662123456,
        .sender = mailbox("alice", "example.org"),
        .body = BODY_8BITMIME,
        .smtputf8 = true,
        .helo = SLICE("client.example.org"),
        .client_address = SLICE("2001:db8::1"),
        .proto = SLICE("ESMTP"),
        .rcpts = rcpts,
        .rcpt_count = rcpt_count,
    };
}

static void check_address(const struct address *got, const struct address *want)
{
    check_int(got->kind, want->kind);
    check_slice(got->local, want->local);
    check_slice(got->domain, want->domain);
    check_int(got->utf8, want->utf8);
}

static void check_envelope(const struct envelope *got, const struct envelope *want)
{
    check(got->id == want->id);
    check(got->arrival_us == want->arrival_us);
    check_address(&got->sender, &want->sender);
    check_int(got->body, want->body);
    check_int(got->smtputf8, want->smtputf8);
    check_slice(got->helo, want->helo);
    check_slice(got->client_address, want->client_address);
    check_slice(got->proto, want->proto);
    check_slice(got->fingerprint, want->fingerprint);
    check_int(got->wishes.ret, want->wishes.ret);
    check_slice(got->wishes.envid, want->wishes.envid);
    check_int(got->wishes.priority, want->wishes.priority);
    check_int(got->wishes.by, want->wishes.by);
    check_int(got->wishes.by_trace, want->wishes.by_trace);
    check_int(got->wishes.by_s, want->wishes.by_s);
    check_slice(got->wishes.solicit, want->wishes.solicit);
    check_int(got->wishes.hold_for_s, want->wishes.hold_for_s);
    check(got->wishes.hold_until_us == want->wishes.hold_until_us);
    check_int(got->wishes.require_tls, want->wishes.require_tls);
    check_int(got->rcpt_count, want->rcpt_count);
    for (unsigned i = 0; i < want->rcpt_count; i++) {
        check_address(&got->rcpts[i].original, &want->rcpts[i].original);
        check_address(&got->rcpts[i].final, &want->rcpts[i].final);
        check_int(got->rcpts[i].notify, want->rcpts[i].notify);
        check_slice(got->rcpts[i].orcpt, want->rcpts[i].orcpt);
    }
}

/* Decoded from in front of a guard page. */
static bool decode(struct slice bytes, struct arena *arena, struct envelope *out)
{
    struct slice copy = guarded(bytes);
    bool whole = envelope_decode(copy, arena, out);

    guarded_free(copy);
    return whole;
}

static const struct {
    enum address_kind kind;
    const char *local;
    const char *domain;
    bool sound;
} addresses[] = {
    {ADDRESS_NULL,    "",              "",                 true },
    {ADDRESS_MAILBOX, "a",             "b",                true },
    {ADDRESS_MAILBOX, "two words",     "example.org",      true },
    {ADDRESS_MAILBOX, "quo\"te\\",     "example.org",      true },
    {ADDRESS_MAILBOX, "j\xc3\xbcrgen",
     "b\xc3\xbc"
     "cher.example",                                       true },
    {ADDRESS_MAILBOX, "",              "example.org",      true },
    {ADDRESS_LITERAL, "root",          "192.0.2.1",        true },
    {ADDRESS_LITERAL, "root",          "IPv6:2001:db8::1", true },
    {ADDRESS_BARE,    "postmaster",    "",                 true },
    {ADDRESS_NULL,    "a",             "",                 false},
    {ADDRESS_NULL,    "",              "b",                false},
    {ADDRESS_MAILBOX, "a",             "",                 false},
    {ADDRESS_MAILBOX, "a\r\nRCPT",     "b",                false},
    {ADDRESS_MAILBOX, "a\x7f",         "b",                false},
    {ADDRESS_MAILBOX, "a\xff",         "b",                false},
    {ADDRESS_MAILBOX, "a",             "b\n",              false},
    {ADDRESS_MAILBOX, "a",             "b/../c",           false},
    {ADDRESS_MAILBOX, "a",             "b..c",             false},
    {ADDRESS_MAILBOX, "a",             ".b",               false},
    {ADDRESS_MAILBOX, "a",             "b.",               false},
    {ADDRESS_MAILBOX, "a",             "b c",              false},
    {ADDRESS_MAILBOX, "a",             "b\xc3",            false},
    {ADDRESS_LITERAL, "a",             "",                 false},
    {ADDRESS_LITERAL, "a",             "192.0.2.1]",       false},
    {ADDRESS_LITERAL, "a",             "192.0.2.1 ",       false},
    {ADDRESS_BARE,    "",              "",                 false},
    {ADDRESS_BARE,    "a",             "b",                false},
};

/* The same check on both sides: what the writer takes, the reader takes. */
static void test_addresses(void **state)
{
    (void)state;
    CHECK_ROWS (i, addresses) {
        struct envelope_rcpt rcpt = {.original = mailbox("b", "c"), .final = mailbox("b", "c")};
        struct envelope e = sample(&rcpt, 1), got;
        struct arena arena = {0};
        struct buf out;

        e.sender = mailbox(addresses[i].local, addresses[i].domain);
        e.sender.kind = addresses[i].kind;
        buf_init(&out, ENVELOPE_BYTES_MAX);
        check_int(envelope_encode(&out, &e), addresses[i].sound);
        if (addresses[i].sound) {
            check(decode(buf_slice(&out), &arena, &got));
            check_envelope(&got, &e);
        } else {
            check_int(buf_len(&out), 0);
        }
        buf_done(&out);
        arena_done(&arena);
    }
}

static void test_limits_of_addresses(void **state)
{
    char local[LOCAL_PART_MAX + 1], domain[DOMAIN_MAX + 1];
    struct envelope_rcpt rcpt = {0};
    struct buf out;

    (void)state;
    memset(local, 'l', sizeof(local));
    memset(domain, 'd', sizeof(domain));
    rcpt.original = (struct address){
        ADDRESS_MAILBOX, {local,  LOCAL_PART_MAX},
         {domain, DOMAIN_MAX    },
         false
    };
    rcpt.final = rcpt.original;
    struct envelope e = sample(&rcpt, 1);
    buf_init(&out, ENVELOPE_BYTES_MAX);
    assert_true(envelope_encode(&out, &e));
    rcpt.final.local.len++;
    assert_false(envelope_encode(&out, &e));
    rcpt.final.local.len--;
    rcpt.final.domain.len++;
    assert_false(envelope_encode(&out, &e));
    buf_done(&out);
}

static void test_many_recipients(void **state)
{
    static char local[64], domain[255];
    struct arena arena = {0};
    struct envelope_rcpt *rcpts = ARENA_ARRAY(&arena, struct envelope_rcpt, ENVELOPE_RCPTS_MAX + 1);
    struct envelope got;
    struct buf out;

    (void)state;
    memset(local, 'l', sizeof(local));
    memset(domain, 'd', sizeof(domain));
    for (unsigned i = 0; i <= ENVELOPE_RCPTS_MAX; i++) {
        rcpts[i].original = mailbox("x", "example.org");
        rcpts[i].original.local = (struct slice){local, 1 + i % sizeof(local)};
        rcpts[i].original.domain = (struct slice){domain, sizeof(domain)};
        rcpts[i].final = i % 2 == 0 ? rcpts[i].original : mailbox("y", "example.net");
    }
    struct envelope e = sample(rcpts, ENVELOPE_RCPTS_MAX);
    buf_init(&out, ENVELOPE_BYTES_MAX);
    assert_true(envelope_encode(&out, &e));
    assert_true(decode(buf_slice(&out), &arena, &got));
    check_envelope(&got, &e);
    buf_clear(&out);
    e.rcpt_count++;
    assert_false(envelope_encode(&out, &e));
    e.rcpt_count = 0;
    assert_false(envelope_encode(&out, &e));
    buf_done(&out);
    arena_done(&arena);
}

static const struct {
    struct slice helo, client_address, proto;
    bool sound;
} clients[] = {
    {SLICE_INIT(""),            SLICE_INIT(""),            SLICE_INIT(""),           true }, /* our own report */
    {SLICE_INIT("localhost"),   SLICE_INIT("local"),       SLICE_INIT("ESMTP"),      true },
    {SLICE_INIT("[192.0.2.1]"), SLICE_INIT("192.0.2.1"),   SLICE_INIT("SMTP"),       true },
    {SLICE_INIT("[IPv6:::1]"),  SLICE_INIT("::1"),         SLICE_INIT("UTF8SMTPSA"), true },
    {SLICE_INIT("my_host"),     SLICE_INIT("::1"),         SLICE_INIT("LMTP"),       true },
    {SLICE_INIT("a b"),         SLICE_INIT(""),            SLICE_INIT(""),           false},
    {SLICE_INIT("a\r\nX: y"),   SLICE_INIT(""),            SLICE_INIT(""),           false},
    {SLICE_INIT("a(b)"),        SLICE_INIT(""),            SLICE_INIT(""),           false},
    {SLICE_INIT("[]"),          SLICE_INIT(""),            SLICE_INIT(""),           false},
    {SLICE_INIT("["),           SLICE_INIT(""),            SLICE_INIT(""),           false},
    {SLICE_INIT("a"),           SLICE_INIT("somewhere"),   SLICE_INIT(""),           false},
    {SLICE_INIT("a"),           SLICE_INIT("192.0.2.1\n"), SLICE_INIT(""),           false},
    {SLICE_INIT("a"),           SLICE_INIT("::1"),         SLICE_INIT("ESMTP id x"), false},
};

static const struct {
    struct envelope_wishes wishes;
    unsigned notify;
    struct slice orcpt;
    bool sound;
} wishes[] = {
    {.sound = true                                                           },
    {.wishes = {.ret = RETURN_FULL, .envid = SLICE_INIT("order 66")},          .sound = true},
    {.wishes = {.ret = RETURN_HEADERS, .priority = -9},                                                                        .sound = true},
    {.wishes = {.priority = 9, .by = BY_NOTIFY, .by_s = -5, .by_trace = true},.sound = true},
    {.wishes = {.by = BY_RETURN, .by_s = BY_SECONDS_MAX, .require_tls = true}, .sound = true},
    {.wishes = {.solicit = SLICE_INIT("org.example:ADV"), .hold_for_s = 5},                                                                        .sound = true},
    {.wishes = {.hold_until_us = 1},                                                           .sound = true},
    {.notify = NOTIFY_NEVER,    .sound = true},
    {.notify = NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY,
     .orcpt = SLICE_INIT("rfc822;b\xc3\xb6@b"),
     .sound = true},
 /* RFC 3461 4.1: NEVER alone */
    {.notify = NOTIFY_NEVER | NOTIFY_DELAY},
    {.notify = 16                                                  },
    {.orcpt = SLICE_INIT("rfc822;x\r\ny")                                                                       },
    {.wishes = {.envid = SLICE_INIT("a\nb")}                               },
    {.wishes = {.priority = 10}                                                                       },
    {.wishes = {.by = BY_NOTIFY, .by_s = BY_SECONDS_MAX + 1}                                                                       },
    {.wishes = {.solicit = SLICE_INIT("\x7f")}                     },
    {.wishes = {.hold_for_s = 1, .hold_until_us = 1}},
};

static void test_wishes(void **state)
{
    (void)state;
    CHECK_ROWS (i, wishes) {
        struct envelope_rcpt rcpts[] = {
            {.original = mailbox("b", "c"), .final = mailbox("b", "c")},
            { .original = mailbox("d", "e"),
             .final = mailbox("f",                          "g"),
             .notify = wishes[i].notify,
             .orcpt = wishes[i].orcpt},
        };
        struct envelope e = sample(rcpts, 2), got;
        struct arena arena = {0};
        struct buf out;

        e.wishes = wishes[i].wishes;
        buf_init(&out, ENVELOPE_BYTES_MAX);
        check_int(envelope_encode(&out, &e), wishes[i].sound);
        if (wishes[i].sound) {
            check(decode(buf_slice(&out), &arena, &got));
            check_envelope(&got, &e);
        }
        buf_done(&out);
        arena_done(&arena);
    }
}

static void test_clients(void **state)
{
    (void)state;
    CHECK_ROWS (i, clients) {
        struct envelope_rcpt rcpt = {.original = mailbox("b", "c"), .final = mailbox("b", "c")};
        struct envelope e = sample(&rcpt, 1), got;
        struct arena arena = {0};
        struct buf out;

        e.helo = clients[i].helo;
        e.client_address = clients[i].client_address;
        e.proto = clients[i].proto;
        buf_init(&out, ENVELOPE_BYTES_MAX);
        check_int(envelope_encode(&out, &e), clients[i].sound);
        if (clients[i].sound) {
            check(decode(buf_slice(&out), &arena, &got));
            check_envelope(&got, &e);
        }
        buf_done(&out);
        arena_done(&arena);
    }
}

/* All of one, or none. Bytes of any value. */
static void test_fingerprints(void **state)
{
    static const char bytes[ENVELOPE_FINGERPRINT + 1] = "\0\r\n 0123456789ab\xff";
    static const size_t lengths[] = {0, 1, ENVELOPE_FINGERPRINT - 1, ENVELOPE_FINGERPRINT,
                                     ENVELOPE_FINGERPRINT + 1};

    (void)state;
    CHECK_ROWS (i, lengths) {
        struct envelope_rcpt rcpt = {.original = mailbox("b", "c"), .final = mailbox("b", "c")};
        struct envelope e = sample(&rcpt, 1), got;
        bool sound = lengths[i] == 0 || lengths[i] == ENVELOPE_FINGERPRINT;
        struct arena arena = {0};
        struct buf out;

        e.fingerprint = (struct slice){bytes, lengths[i]};
        buf_init(&out, ENVELOPE_BYTES_MAX);
        check_int(envelope_encode(&out, &e), sound);
        if (sound) {
            check(decode(buf_slice(&out), &arena, &got));
            check_envelope(&got, &e);
        }
        buf_done(&out);
        arena_done(&arena);
    }
}

static void test_encode_leaves_out_alone_when_full(void **state)
{
    struct envelope_rcpt rcpt = {.original = mailbox("b", "c"), .final = mailbox("d", "e")};
    struct envelope e = sample(&rcpt, 1);
    struct buf whole, out;

    (void)state;
    buf_init(&whole, ENVELOPE_BYTES_MAX);
    assert_true(envelope_encode(&whole, &e));
    for (size_t max = 3; max < buf_len(&whole) + 3; max++) {
        buf_init(&out, max);
        buf_append(&out, SLICE("abc"));
        assert_false(envelope_encode(&out, &e));
        check_slice(buf_slice(&out), SLICE("abc"));
        buf_done(&out);
    }
    buf_done(&whole);
}

/* No prefix of an envelope is one, save where it ends between two recipients; and no changed byte
 * makes the reader read outside or invent a control character. */
static void test_damage(void **state)
{
    struct envelope_rcpt rcpts[] = {
        {.original = mailbox("b", "c"), .final = mailbox("d", "e")},
        {.original = mailbox("f", "g"), .final = mailbox("f", "g")},
    };
    struct envelope e = sample(rcpts, 2), got;
    struct arena arena = {0};
    unsigned whole_prefixes = 0;
    struct buf out;

    (void)state;
    buf_init(&out, ENVELOPE_BYTES_MAX);
    assert_true(envelope_encode(&out, &e));
    for (size_t len = 0; len < buf_len(&out); len++)
        whole_prefixes += decode(slice_head(buf_slice(&out), len), &arena, &got);
    assert_int_equal(whole_prefixes, 1);

    for (size_t at = 0; at < buf_len(&out); at++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            char *byte = &out.data[out.start + at];
            *byte = (char)(*byte ^ (char)flip);
            if (decode(buf_slice(&out), &arena, &got)) {
                struct buf again;
                buf_init(&again, ENVELOPE_BYTES_MAX);
                assert_true(envelope_encode(&again, &got));
                buf_done(&again);
            }
            *byte = (char)(*byte ^ (char)flip);
            arena_reset(&arena);
        }
    }
    buf_done(&out);
    arena_done(&arena);
}

static void test_tags(void **state)
{
    struct envelope_rcpt rcpt = {.original = mailbox("b", "c"), .final = mailbox("b", "c")};
    struct envelope e = sample(&rcpt, 1), got;
    struct arena arena = {0};
    struct buf out;

    (void)state;
    buf_init(&out, ENVELOPE_BYTES_MAX);
    put_u16(&out, 777); /* of a newer writer */
    put_bytes(&out, SLICE("whatever"));
    assert_true(envelope_encode(&out, &e));
    assert_true(decode(buf_slice(&out), &arena, &got));
    check_envelope(&got, &e);
    put_u16(&out, 9); /* a recipient, and a byte more */
    put_bytes(&out, SLICE("\1\1b\1\0c\1\1d\1\0e!"));
    assert_false(decode(buf_slice(&out), &arena, &got));
    buf_truncate(&out, buf_len(&out) - 1);
    out.data[out.end - 16]--; /* its length, now of 12 bytes */
    assert_true(decode(buf_slice(&out), &arena, &got));
    check_int(got.rcpt_count, 2);
    put_u16(&out, 1); /* a second id */
    put_u32(&out, 8);
    put_u64(&out, 1);
    assert_false(decode(buf_slice(&out), &arena, &got));
    buf_done(&out);
    arena_done(&arena);
}

static const struct {
    uint64_t id;
    const char *text;
} ids[] = {
    {1,                   "000000000001"},
    {51,                  "00000000000z"},
    {52,                  "000000000010"},
    {UINT64_MAX,          NULL          },
    {0x0102030405060708,  NULL          },
    {1795313662123456ULL, NULL          },
};

static void test_queue_id(void **state)
{
    (void)state;
    CHECK_ROWS (i, ids) {
        char text[QUEUE_ID_LEN];
        uint64_t back = 0;

        queue_id_write(ids[i].id, text);
        if (ids[i].text != NULL)
            check_slice(((struct slice){text, sizeof(text)}), slice_of(ids[i].text));
        check(queue_id_parse((struct slice){text, sizeof(text)}, &back));
        check(back == ids[i].id);
    }
}

static void test_queue_id_order(void **state)
{
    char low[QUEUE_ID_LEN], high[QUEUE_ID_LEN];
    uint64_t id = 1;

    (void)state;
    for (unsigned i = 0; i < 4000; i++, id += 1 + id / 97) {
        queue_id_write(id, low);
        queue_id_write(id + 1, high);
        assert_true(memcmp(low, high, sizeof(low)) < 0);
    }
}

static const char *const bad_ids[] = {
    "",
    "1",
    "00000000001",
    "0000000000001",
    "000000000000", /* never 0 */
    "00000000000A", /* a vowel */
    "00000000000e",
    "00000000000-",
    "zzzzzzzzzzzz", /* above 64 bits */
    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
};

static void test_bad_queue_id(void **state)
{
    (void)state;
    CHECK_ROWS (i, bad_ids) {
        uint64_t id = 7;
        struct slice text = guarded(slice_of(bad_ids[i]));

        check(!queue_id_parse(text, &id));
        check_int(id, 7);
        guarded_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_limits_of_addresses),
        cmocka_unit_test(test_many_recipients),
        cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_clients),
        cmocka_unit_test(test_fingerprints),
        cmocka_unit_test(test_encode_leaves_out_alone_when_full),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_queue_id),
        cmocka_unit_test(test_queue_id_order),
        cmocka_unit_test(test_bad_queue_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
