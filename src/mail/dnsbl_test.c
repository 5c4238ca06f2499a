/*
 * dnsbl_test.c - which answers of a list say that a client is on it.
 */
#include "mail/dnsbl.h"

#include "check.h"
#include "wire/network.h"

static struct dnsbl_zone second = {.name = SLICE_INIT("b.example")};
static struct dnsbl_zone zones = {&second, SLICE_INIT("a.example")};

/* What one zone answers: an address, or how it fails. */
struct zone_says {
    const char *ips[2];
    enum dns_outcome outcome;
    const char *text; /* NULL: it has no TXT */
};

#define NOT                                                                                        \
    {                                                                                              \
        {NULL}, DNS_NXDOMAIN, NULL                                                                 \
    }
#define FAILS                                                                                      \
    {                                                                                              \
        {NULL}, DNS_FAILED, NULL                                                                   \
    }
#define IS(ip)                                                                                     \
    {                                                                                              \
        {ip}, DNS_FOUND, NULL                                                                      \
    }

static void answer(struct facts *f, const struct dns_question *q, const struct zone_says *says)
{
    struct dns_record records[2] = {{0}};
    struct dns_answer a = {.outcome = says->outcome,
                           .canonical = q->name,
                           .records = records,
                           .why = says->outcome == DNS_FAILED ? SLICE("timeout") : SLICE("")};

    if (q->type == DNS_A && says->outcome == DNS_FOUND)
        for (; a.count < 2 && says->ips[a.count] != NULL; a.count++)
            check(ip_parse(slice_of(says->ips[a.count]), records[a.count].ip));
    if (q->type == DNS_TXT && says->text == NULL)
        a.outcome = DNS_NODATA;
    else if (q->type == DNS_TXT) {
        records[0].data = slice_of(says->text);
        a.count = 1;
    }
    facts_learn(f, q, &a);
}

/* Ask and rerun, as a role does it. */
static enum dnsbl_finding find(struct arena *arena, const unsigned char ip[16],
                               const struct zone_says says[2], struct dnsbl_result *out)
{
    struct facts f;
    enum dnsbl_finding finding;
    struct dns_question q;

    facts_init(&f, arena);
    while ((finding = dnsbl_find(&zones, ip, &f, arena, out)) == DNSBL_UNKNOWN) {
        check(f.wanted > 0);
        for (size_t at = 0; facts_next_wanted(&f, &at, &q);)
            answer(&f, &q, &says[slice_ends(q.name, second.name)]);
    }
    return finding;
}

static void test_answers(void **state)
{
    static const struct {
        struct zone_says says[2];
        enum dnsbl_finding finding;
        const char *zone, *text, *trouble;
    } rows[] = {
        {{NOT, NOT},                                                 DNSBL_NOT_LISTED, "",          "", ""                                                            },
        {{IS("127.0.0.2"), NOT},                                     DNSBL_LISTED,     "a.example", "", ""                                                            },
        {{NOT, IS("127.0.0.11")},                                    DNSBL_LISTED,     "b.example", "", ""                                                            },
        {{IS("127.0.0.2"), IS("127.0.0.3")},                         DNSBL_LISTED,     "a.example", "", ""                                                            },
        {{NOT, {{"127.0.0.4"}, DNS_FOUND, "see https://b.example"}},
         DNSBL_LISTED,                                                                 "b.example",
         "see https://b.example",                                                                       ""                                                            },
        {{{{"127.0.0.4"}, DNS_FOUND, "one\r\n250 Ok"}, NOT},
         DNSBL_LISTED,                                                                 "a.example",
         "one\r",                                                                                       ""                                                            },
        {{FAILS, NOT},                                               DNSBL_NOT_LISTED, "",          "", "a.example: timeout"                                          },
        {{FAILS, IS("127.0.0.2")},                                   DNSBL_LISTED,     "b.example", "", ""                                                            },
        {{{{NULL}, DNS_NODATA, NULL}, NOT},                          DNSBL_NOT_LISTED, "",          "", ""                                                            },
 /* RFC 5782 2.1 wants 127/8; 127.255.255.254 says: you ask by a public resolver. */
        {{IS("127.255.255.254"), NOT},
         DNSBL_NOT_LISTED,                                                             "",
         "",                                                                                            "a.example: it refuses to answer our resolver (127.255.255.x)"},
        {{IS("192.0.2.66"), NOT},
         DNSBL_NOT_LISTED,                                                             "",
         "",                                                                                            "a.example: it answers with an address outside of 127.0.0.0/8"},
        {{{{"127.0.0.2", "127.255.255.255"}, DNS_FOUND, NULL}, NOT},
         DNSBL_NOT_LISTED,                                                             "",
         "",                                                                                            "a.example: it refuses to answer our resolver (127.255.255.x)"},
        {{{{NULL}, DNS_FOUND, NULL}, NOT},
         DNSBL_NOT_LISTED,                                                             "",
         "",                                                                                            "a.example: its answer holds no address"                      },
    };
    struct arena arena = {0};
    unsigned char ip[16];

    (void)state;
    check(ip_parse(SLICE("192.0.2.1"), ip));
    CHECK_ROWS (i, rows) {
        struct dnsbl_result r = {0};

        check_int(find(&arena, ip, rows[i].says, &r), rows[i].finding);
        check_slice(r.zone, slice_of(rows[i].zone));
        check_slice(r.text, slice_of(rows[i].text));
        check_slice(r.trouble, slice_of(rows[i].trouble));
    }
    arena_done(&arena);
}

/* RFC 5782 2.1, 2.4. */
static void test_names(void **state)
{
    static const struct {
        struct slice ip, name;
    } rows[] = {
        {SLICE_INIT("192.0.2.99"),                SLICE_INIT("99.2.0.192.a.example")            },
        {SLICE_INIT("2001:db8:1:2:3:4:567:89ab"),
         SLICE_INIT("b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.a.example")},
    };
    struct arena arena = {0};

    (void)state;
    CHECK_ROWS (i, rows) {
        struct dnsbl_result r;
        struct dns_question q;
        unsigned char ip[16];
        struct facts f;
        size_t at = 0;

        facts_init(&f, &arena);
        check(ip_parse(rows[i].ip, ip));
        check_int(dnsbl_find(&zones, ip, &f, &arena, &r), DNSBL_UNKNOWN);
        check_int(f.wanted, 2); /* at once */
        check(facts_next_wanted(&f, &at, &q));
        check_int(q.type, DNS_A);
        check_slice(q.name, rows[i].name);
    }
    arena_done(&arena);
}

static void test_words(void **state)
{
    struct dnsbl_result r = {.zone = SLICE("a.example")};
    struct arena arena = {0};
    char longest[DNSBL_TEXT_MAX + 100];
    struct zone_says says[2] = {
        {{"127.0.0.2"}, DNS_FOUND, longest},
        NOT
    };
    unsigned char ip[16] = {0};

    (void)state;
    check_slice(dnsbl_refusal(&r, SLICE("192.0.2.1"), &arena).text,
                SLICE("Service unavailable; Client host [192.0.2.1] blocked using a.example"));
    r.text = SLICE("why");
    check_slice(dnsbl_refusal(&r, SLICE("192.0.2.1"), &arena).text,
                SLICE("Service unavailable; Client host [192.0.2.1] blocked using a.example; why"));
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = 0;
    check_int(find(&arena, ip, says, &r), DNSBL_LISTED);
    check_int(r.text.len, DNSBL_TEXT_MAX);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests_name("dnsbl", tests, NULL, NULL);
}
