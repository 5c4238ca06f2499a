/*
 * dns_answer_test.c - answers written by hand, good ones and hostile ones.
 */
#include "check.h"

#include "base/buf.h"
#include "wire/dns_answer.h"

#include <string.h>

/* ---- writing messages ---- */

static void put(struct buf *b, const char *bytes, size_t len)
{
    check(buf_append(b, (struct slice){bytes, len}));
}

static void put16(struct buf *b, unsigned v)
{
    char bytes[2] = {(char)(v >> 8), (char)v};

    put(b, bytes, 2);
}

/* "mx.example" in labels; "" is the root. */
static void put_name(struct buf *b, const char *text)
{
    struct slice rest = slice_of(text), label;

    while (rest.len > 0) {
        if (!slice_cut(rest, '.', &label, &rest)) {
            label = rest;
            rest.len = 0;
        }
        char len = (char)label.len;
        put(b, &len, 1);
        put(b, label.data, label.len);
    }
    put(b, "", 1);
}

static void begin(struct buf *b, enum dns_type type, unsigned flags, unsigned answers)
{
    buf_init(b, 70000);
    put16(b, 0);
    put16(b, flags);
    put16(b, 1);
    put16(b, answers);
    put16(b, 0);
    put16(b, 0);
    put_name(b, "example.org"); /* at offset 12 */
    put16(b, type);
    put16(b, 1);
}

static void put_record(struct buf *b, const char *owner, unsigned type, unsigned ttl_s,
                       const char *data, size_t len)
{
    put_name(b, owner);
    put16(b, type);
    put16(b, 1);
    put16(b, ttl_s >> 16);
    put16(b, ttl_s & 0xffff);
    put16(b, (unsigned)len);
    put(b, data, len);
}

static void put_mx(struct buf *b, const char *owner, unsigned preference, const char *host)
{
    struct buf data;

    buf_init(&data, 300);
    put16(&data, preference);
    put_name(&data, host);
    struct slice s = buf_slice(&data);
    put_record(b, owner, DNS_MX, 300, s.data, s.len);
    buf_done(&data);
}

static void put_alias(struct buf *b, const char *owner, const char *target)
{
    struct buf data;

    buf_init(&data, 300);
    put_name(&data, target);
    struct slice s = buf_slice(&data);
    put_record(b, owner, DNS_CNAME, 60, s.data, s.len);
    buf_done(&data);
}

enum { OK = 0x8180, SERVFAIL = 0x8182, NXDOMAIN = 0x8183 };

static struct arena arena;

static struct dns_answer answer_to(struct buf *b, enum dns_type type)
{
    struct slice message = guarded(buf_slice(b));
    struct dns_question question = {type, SLICE("example.org")};
    struct dns_answer got = dns_answer_read(message, &question, &arena);

    guarded_free(message);
    buf_done(b);
    return got;
}

/* ---- names ---- */

static void names_that_can_be_asked_for(void **state)
{
    static const struct {
        const char *text, *canonical; /* NULL: no name */
    } rows[] = {
        {"example.org",     "example.org"    },
        {"Example.ORG.",    "example.org"    },
        {"_dmarc.a-b.org",  "_dmarc.a-b.org" },
        {"a+b\\c.spf.test", "a+b\\c.spf.test"},
        {"",                NULL             },
        {".",               NULL             },
        {".example",        NULL             },
        {"a..b",            NULL             },
        {"a.b..",           NULL             },
        {"a b.org",         NULL             },
        {"a\nb.org",        NULL             },
        {"b\xc3\xbc.org",   NULL             },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct dns_question q;
        bool made = dns_question_make(DNS_MX, slice_of(rows[i].text), &arena, &q);

        check_int(made, rows[i].canonical != NULL);
        if (made)
            check_slice(q.name, slice_of(rows[i].canonical));
    }
}

static void names_have_bounds(void **state)
{
    char text[300];
    struct dns_question q;

    (void)state;
    memset(text, 'a', sizeof(text));
    check(dns_question_make(DNS_A, (struct slice){text, 63}, &arena, &q));
    check(!dns_question_make(DNS_A, (struct slice){text, 64}, &arena, &q));
    for (size_t i = 50; i < sizeof(text); i += 50)
        text[i] = '.';
    check(dns_question_make(DNS_A, (struct slice){text, DNS_NAME_MAX}, &arena, &q));
    check(!dns_question_make(DNS_A, (struct slice){text, DNS_NAME_MAX + 1}, &arena, &q));
}

static void hosts(void **state)
{
    static const struct {
        const char *name;
        bool valid;
    } rows[] = {
        {"mx.example.org",   true },
        {"mx_1.example.org", true },
        {"localhost",        true },
        {"1.2.example",      true },
        {"192.0.2.1",        false},
        {"1",                false},
        {"mx.example.1",     false},
        {"",                 false},
        {"a b",              false},
        {"a:b",              false},
        {"a/b",              false},
    };

    (void)state;
    CHECK_ROWS (i, rows)
        check_int(dns_host_is_valid(slice_of(rows[i].name)), rows[i].valid);
}

static void reverse_names(void **state)
{
    unsigned char v4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
    unsigned char v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x2f};

    (void)state;
    check_slice(dns_reverse_name(v4, &arena), SLICE("1.2.0.192.in-addr.arpa"));
    check_slice(dns_reverse_name(v6, &arena),
                SLICE("f.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"));
}

/* ---- each type ---- */

static void mx_records(void **state)
{
    struct buf b;

    (void)state;
    begin(&b, DNS_MX, OK, 5);
    put_mx(&b, "example.org", 10, "MX1.Example.org");
    put_mx(&b, "EXAMPLE.org", 20, "mx2.example.org");
    put_mx(&b, "example.org", 10, "mx1.example.org"); /* the same again */
    put_mx(&b, "other.org", 1, "mx.other.org");       /* not asked for */
    put_mx(&b, "example.org", 0, "");                 /* RFC 7505 */
    struct dns_answer a = answer_to(&b, DNS_MX);

    check_int(a.outcome, DNS_FOUND);
    check_int(a.count, 3);
    check_int(a.unusable, 0);
    check_int(a.ttl_s, 300);
    check_slice(a.canonical, SLICE("example.org"));
    check_int(a.records[0].preference, 10);
    check_slice(a.records[0].data, SLICE("mx1.example.org"));
    check_int(a.records[1].preference, 20);
    check_slice(a.records[1].data, SLICE("mx2.example.org"));
    check_slice(a.records[2].data, SLICE(""));
    check(!a.secure && !a.cut);
}

/* A target with other bytes than a name's is left out, and so is an address as a name. */
static void mx_targets_are_names(void **state)
{
    static const char bytes[] = {0, '\n', '\r', '.', '\\', (char)0xff, ' ', '/', ';'};

    (void)state;
    CHECK_ROWS (i, bytes) {
        char data[] = {0, 10, 3, 'a', bytes[i], 'b', 3, 'o', 'r', 'g', 0};
        struct buf b;

        begin(&b, DNS_MX, OK, 2);
        put_record(&b, "example.org", DNS_MX, 60, data, sizeof(data));
        put_mx(&b, "example.org", 20, "192.0.2.1");
        struct dns_answer a = answer_to(&b, DNS_MX);
        check_int(a.outcome, DNS_FOUND);
        check_int(a.count, 0);
        check_int(a.unusable, 2);
    }
}

static void addresses(void **state)
{
    struct buf b;

    (void)state;
    begin(&b, DNS_A, OK, 3);
    put_record(&b, "example.org", DNS_A, 60, "\xc0\x00\x02\x01", 4);
    put_record(&b, "example.org", DNS_A, 60, "\xc0\x00\x02", 3);
    put_record(&b, "example.org", DNS_A, 60, "\xc0\x00\x02\x01\x01", 5);
    struct dns_answer a = answer_to(&b, DNS_A);
    check_int(a.count, 1);
    check_int(a.unusable, 2);
    check(memcmp(a.records[0].ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16) == 0);

    begin(&b, DNS_AAAA, OK, 2);
    put_record(&b, "example.org", DNS_AAAA, 60, "0123456789abcdef", 16);
    put_record(&b, "example.org", DNS_AAAA, 60, "0123456789abcdef", 15);
    a = answer_to(&b, DNS_AAAA);
    check_int(a.count, 1);
    check_int(a.unusable, 1);
    check(memcmp(a.records[0].ip, "0123456789abcdef", 16) == 0);
}

static void texts(void **state)
{
    static const struct {
        const char *data;
        size_t len;
        bool usable;
        const char *joined;
    } rows[] = {
        {"\5hello",   6, true,  "hello"},
        {"\3v=s\2pf", 7, true,  "v=spf"}, /* joined without a blank */
        {"\0",        1, true,  ""     },
        {"\0\1a",     3, true,  "a"    },
        {"",          0, false, ""     },
        {"\6hello",   6, false, ""     },
        {"\5hello\1", 7, false, ""     },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct buf b;

        begin(&b, DNS_TXT, OK, 1);
        put_record(&b, "example.org", DNS_TXT, 60, rows[i].data, rows[i].len);
        struct dns_answer a = answer_to(&b, DNS_TXT);
        check_int(a.outcome, DNS_FOUND);
        check_int(a.count, rows[i].usable);
        check_int(a.unusable, !rows[i].usable);
        if (rows[i].usable)
            check_slice(a.records[0].data, slice_of(rows[i].joined));
    }
}

/* All that a message can hold. */
static void a_text_of_64_kib(void **state)
{
    static char data[65280]; /* 255 strings of 255 bytes */
    struct buf b;

    (void)state;
    memset(data, 'x', sizeof(data));
    for (size_t i = 0; i < sizeof(data); i += 256)
        data[i] = (char)0xff;
    begin(&b, DNS_TXT, OK, 1);
    put_record(&b, "example.org", DNS_TXT, 60, data, sizeof(data));
    struct dns_answer a = answer_to(&b, DNS_TXT);
    check_int(a.count, 1);
    check_int(a.records[0].data.len, 65025);
}

/* RFC 6698 2.1; RFC 7672 2.2: unusable ones count as there. */
static void tlsa_records(void **state)
{
    static const struct {
        unsigned char matching;
        size_t len; /* of the whole data */
        bool usable;
    } rows[] = {
        {1, 0,      false},
        {1, 1,      false},
        {1, 2,      false},
        {1, 3,      false},
        {1, 4,      false},
        {1, 3 + 32, true },
        {1, 3 + 31, false},
        {1, 67,     false},
        {2, 67,     true },
        {0, 3,      false},
        {0, 4,      true },
        {0, 4096,   true },
        {3, 4,      true },
    };

    char data[4096] = {3, 1};

    (void)state;
    CHECK_ROWS (i, rows) {
        struct buf b;

        data[2] = (char)rows[i].matching;
        begin(&b, DNS_TLSA, OK, 1);
        put_record(&b, "example.org", DNS_TLSA, 60, data, rows[i].len);
        struct dns_answer a = answer_to(&b, DNS_TLSA);
        check_int(a.outcome, DNS_FOUND);
        check_int(a.count, rows[i].usable);
        check_int(a.unusable, !rows[i].usable);
        if (!rows[i].usable)
            continue;
        check_int(a.records[0].usage, 3);
        check_int(a.records[0].selector, 1);
        check_int(a.records[0].matching, rows[i].matching);
        check_int(a.records[0].data.len, rows[i].len - 3);
    }
}

static void ptr_records(void **state)
{
    struct buf b;

    (void)state;
    begin(&b, DNS_PTR, OK, 3);
    put_record(&b, "example.org", DNS_PTR, 60, "\4host\7example\0", 14);
    put_record(&b, "example.org", DNS_PTR, 60, "\0", 1);
    put_record(&b, "example.org", DNS_PTR, 60, "\4ho\nt\0", 6);
    struct dns_answer a = answer_to(&b, DNS_PTR);
    check_int(a.count, 1);
    check_int(a.unusable, 2);
    check_slice(a.records[0].data, SLICE("host.example"));
}

/* ---- outcomes ---- */

static void outcomes(void **state)
{
    static const struct {
        unsigned flags;
        enum dns_outcome outcome;
        const char *why;
    } rows[] = {
        {OK,           DNS_NODATA,   ""                                      },
        {NXDOMAIN,     DNS_NXDOMAIN, ""                                      },
        {SERVFAIL,     DNS_FAILED,   "SERVFAIL"                              },
        {0x8185,       DNS_FAILED,   "REFUSED"                               },
        {0x818f,       DNS_FAILED,   "rcode 15"                              },
        {OK | 0x0200,  DNS_FAILED,   "the answer is cut off"                 },
        {OK & ~0x8000, DNS_FAILED,   "the answer belongs to another question"},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct buf b;

        begin(&b, DNS_MX, rows[i].flags, 0);
        struct dns_answer a = answer_to(&b, DNS_MX);
        check_int(a.outcome, rows[i].outcome);
        check_slice(a.why, slice_of(rows[i].why));
        check_int(a.count, 0);
        check_int(a.ttl_s, 0);
    }
}

static void answers_to_other_questions(void **state)
{
    struct buf b;

    (void)state;
    begin(&b, DNS_A, OK, 0);
    check_int(answer_to(&b, DNS_MX).outcome, DNS_FAILED);
}

/* ---- aliases ---- */

static void aliases_are_followed_in_any_order(void **state)
{
    struct buf b;

    (void)state;
    begin(&b, DNS_MX, OK, 3);
    put_mx(&b, "c.example", 10, "mx.c.example");
    put_alias(&b, "b.example", "C.example");
    put_alias(&b, "example.org", "b.example");
    struct dns_answer a = answer_to(&b, DNS_MX);
    check_int(a.outcome, DNS_FOUND);
    check_slice(a.canonical, SLICE("c.example"));
    check_int(a.ttl_s, 60); /* the smallest */
    check_slice(a.records[0].data, SLICE("mx.c.example"));

    begin(&b, DNS_MX, NXDOMAIN, 1);
    put_alias(&b, "example.org", "gone.example");
    a = answer_to(&b, DNS_MX);
    check_int(a.outcome, DNS_NXDOMAIN);
    check_slice(a.canonical, SLICE("gone.example"));
}

static struct dns_answer after_aliases(unsigned count)
{
    struct buf b;
    char from[32] = "example.org", to[32];

    begin(&b, DNS_A, OK, count + 1);
    for (unsigned i = 0; i < count; i++) {
        snprintf(to, sizeof(to), "a%u.example", i);
        put_alias(&b, from, to);
        memcpy(from, to, sizeof(from));
    }
    put_record(&b, from, DNS_A, 60, "\xc0\x00\x02\x01", 4);
    return answer_to(&b, DNS_A);
}

static void aliases_have_a_bound(void **state)
{
    (void)state;
    check_int(after_aliases(DNS_ALIASES_MAX).outcome, DNS_FOUND);
    check_int(after_aliases(DNS_ALIASES_MAX + 1).outcome, DNS_FAILED);
}

static void aliases_in_a_circle(void **state)
{
    struct buf b;

    (void)state;
    begin(&b, DNS_MX, OK, 2);
    put_alias(&b, "example.org", "B.example");
    put_alias(&b, "b.EXAMPLE", "Example.ORG");
    check_int(answer_to(&b, DNS_MX).outcome, DNS_FAILED);
    begin(&b, DNS_MX, OK, 1);
    put_alias(&b, "example.org", "example.org");
    check_int(answer_to(&b, DNS_MX).outcome, DNS_FAILED);
}

/* What can neither be shown nor asked for is no target. */
static void alias_to_no_name(void **state)
{
    struct buf b;

    (void)state;
    begin(&b, DNS_MX, OK, 1);
    put_record(&b, "example.org", DNS_CNAME, 60, "\3a\nb\0", 5);
    check_int(answer_to(&b, DNS_MX).outcome, DNS_FAILED);
    begin(&b, DNS_MX, OK, 1);
    put_alias(&b, "example.org", "");
    check_int(answer_to(&b, DNS_MX).outcome, DNS_FAILED);
}

/* ---- compression ---- */

static struct dns_answer mx_with_data(const char *data, size_t len)
{
    struct buf b;

    begin(&b, DNS_MX, OK, 1);
    put_record(&b, "example.org", DNS_MX, 60, data, len);
    return answer_to(&b, DNS_MX);
}

static void pointers_lead_backwards(void **state)
{
    /* The record's owner is written out: its data begin at 12 + 13 + 4 + 13 + 10. */
    enum { DATA_AT = 52 };

    static const struct {
        const char *data;
        size_t len;
        const char *host; /* NULL: unusable */
    } rows[] = {
        {"\0\12\3mx1\xc0\x0c", 8, "mx1.example.org"},
        {"\0\12\xc0\x0c",      4, "example.org"    },
        {"\0\12\xc0\x14",      4, "org"            },
        {"\0\12\xc0\x36",      4, NULL             }, /* itself (DATA_AT + 2) */
        {"\0\12\xc0\x38",      4, NULL             }, /* forward */
        {"\0\12\xff\xff",      4, NULL             },
        {"\0\12\xc0",          3, NULL             },
        {"\0\12\3mx1\xc0\x36", 8, NULL             }, /* a circle */
        {"\0\12\x40mx",        5, NULL             }, /* reserved kinds of labels */
        {"\0\12\x80mx",        5, NULL             },
        {"\0\12\3mx",          5, NULL             },
        {"\0\12\3mx1",         6, NULL             }, /* no end */
        {"\0\12\3mx1\0\0",     8, NULL             }, /* too much */
        {"\0",                 1, NULL             },
        {"",                   0, NULL             },
    };

    (void)state;
    check_int(DATA_AT + 2, 0x36);
    CHECK_ROWS (i, rows) {
        struct dns_answer a = mx_with_data(rows[i].data, rows[i].len);

        check_int(a.outcome, DNS_FOUND);
        check_int(a.count, rows[i].host != NULL);
        if (a.count == 1)
            check_slice(a.records[0].data, slice_of(rows[i].host));
    }
}

static void names_on_the_wire_have_bounds(void **state)
{
    char data[2 + 256] = {0, 10};

    (void)state;
    /* Four labels: 63 + 63 + 63 + 61 and their lengths, and the root: 255 bytes. */
    memset(data + 2, 'a', sizeof(data) - 2);
    data[2] = data[66] = data[130] = 63;
    data[194] = 61;
    data[256] = 0;
    struct dns_answer a = mx_with_data(data, 2 + 255);
    check_int(a.count, 1);
    check_int(a.records[0].data.len, DNS_NAME_MAX);
    data[194] = 62;
    data[256] = 'a';
    data[257] = 0;
    check_int(mx_with_data(data, 2 + 256).unusable, 1);
}

/* ---- broken and too large ---- */

/* Cut anywhere, a message says nothing; it never says less than it did. */
static void cut_anywhere(void **state)
{
    struct buf b;
    struct dns_question question = {DNS_MX, SLICE("example.org")};

    (void)state;
    begin(&b, DNS_MX, OK, 2);
    put_mx(&b, "example.org", 10, "mx1.example.org");
    put_mx(&b, "example.org", 20, "mx2.example.org");
    for (size_t len = 0; len < buf_len(&b); len++) {
        struct slice part = guarded(slice_head(buf_slice(&b), len));

        check_int(dns_answer_read(part, &question, &arena).outcome, DNS_FAILED);
        guarded_free(part);
    }
    check_int(answer_to(&b, DNS_MX).count, 2);
}

static void a_thousand_records(void **state)
{
    struct buf b;

    (void)state;
    begin(&b, DNS_MX, OK, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        char host[32];

        snprintf(host, sizeof(host), "mx%u.example.org", i);
        put_mx(&b, "example.org", 10, host);
    }
    struct dns_answer a = answer_to(&b, DNS_MX);
    check_int(a.count, DNS_RECORDS_MAX);
    check(a.cut);
}

static void copies_stand_alone(void **state)
{
    struct arena first = {0}, second = {0};
    struct dns_question question = {DNS_MX, SLICE("example.org")};
    struct buf b;

    (void)state;
    begin(&b, DNS_MX, OK, 1);
    put_mx(&b, "example.org", 10, "mx1.example.org");
    struct dns_answer a = dns_answer_read(buf_slice(&b), &question, &first);
    struct dns_answer copy = dns_answer_copy(&second, &a);
    arena_done(&first);
    buf_done(&b);
    check_int(copy.count, 1);
    check_slice(copy.canonical, SLICE("example.org"));
    check_slice(copy.records[0].data, SLICE("mx1.example.org"));
    arena_done(&second);
}

static int release(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(names_that_can_be_asked_for, release),
        cmocka_unit_test_teardown(names_have_bounds, release),
        cmocka_unit_test_teardown(hosts, release),
        cmocka_unit_test_teardown(reverse_names, release),
        cmocka_unit_test_teardown(mx_records, release),
        cmocka_unit_test_teardown(mx_targets_are_names, release),
        cmocka_unit_test_teardown(addresses, release),
        cmocka_unit_test_teardown(texts, release),
        cmocka_unit_test_teardown(a_text_of_64_kib, release),
        cmocka_unit_test_teardown(tlsa_records, release),
        cmocka_unit_test_teardown(ptr_records, release),
        cmocka_unit_test_teardown(outcomes, release),
        cmocka_unit_test_teardown(answers_to_other_questions, release),
        cmocka_unit_test_teardown(aliases_are_followed_in_any_order, release),
        cmocka_unit_test_teardown(aliases_have_a_bound, release),
        cmocka_unit_test_teardown(aliases_in_a_circle, release),
        cmocka_unit_test_teardown(alias_to_no_name, release),
        cmocka_unit_test_teardown(pointers_lead_backwards, release),
        cmocka_unit_test_teardown(names_on_the_wire_have_bounds, release),
        cmocka_unit_test_teardown(cut_anywhere, release),
        cmocka_unit_test_teardown(a_thousand_records, release),
        cmocka_unit_test_teardown(copies_stand_alone, release),
    };

    return cmocka_run_group_tests_name("dns_answer", tests, NULL, NULL);
}
