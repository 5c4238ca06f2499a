/*
 * route_test.c - zones as tables; a row is a sentence of RFC 5321 5.1 or RFC 7505.
 *
 * A zone is text: "NAME TYPE VALUE" separated by semicolons; what it does not name does not exist.
 * VALUE may be "nodata", "fail" or "bogus" for the whole question; "*" before a value: secure.
 */
#include "check.h"

#include "mail/route.h"

#include <string.h>

static struct arena arena;

static int release(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

/* ---- zones ---- */

static struct slice next_word(struct slice *rest)
{
    struct slice word = slice_trim(*rest);

    rest->len = 0;
    struct slice all = word;
    if (slice_cut(all, ' ', &word, rest))
        *rest = slice_trim(*rest);
    return word;
}

static enum dns_type type_of(struct slice word)
{
    if (slice_equal(word, SLICE("MX")))
        return DNS_MX;
    if (slice_equal(word, SLICE("A")))
        return DNS_A;
    check(slice_equal(word, SLICE("AAAA")));
    return DNS_AAAA;
}

static bool set_outcome(struct dns_answer *a, struct slice value)
{
    if (slice_equal(value, SLICE("nodata")))
        a->outcome = DNS_NODATA;
    else if (slice_equal(value, SLICE("fail")))
        a->outcome = DNS_FAILED;
    else if (slice_equal(value, SLICE("bogus")))
        a->outcome = DNS_BOGUS;
    else
        return false;
    return true;
}

static void set_value(struct dns_answer *a, enum dns_type type, struct slice value,
                      struct dns_record *r)
{
    uint64_t number;
    struct cursor c = {value};

    a->outcome = DNS_FOUND;
    if (type == DNS_MX) {
        check(take_number(&c, &number) && take_char(&c, '/'));
        r->preference = (uint16_t)number;
        r->data = slice_equal(c.rest, SLICE(".")) ? SLICE("") : c.rest;
    } else if (type == DNS_A) {
        r->ip[10] = r->ip[11] = 0xff;
        check(ipv4_parse(value, r->ip + 12));
    } else {
        check(ipv6_parse(value, r->ip));
    }
    a->count++;
}

/* The answer to one question from the zone's text. */
static struct dns_answer answer_from(struct slice zone, const struct dns_question *q)
{
    struct dns_answer a = {.outcome = DNS_NXDOMAIN, .canonical = q->name};
    struct dns_record *records = ARENA_ARRAY(&arena, struct dns_record, DNS_RECORDS_MAX);
    struct slice line, rest = zone;

    a.records = records;
    while (rest.len > 0) {
        if (!slice_cut(rest, ';', &line, &rest)) {
            line = rest;
            rest.len = 0;
        }
        struct slice name = next_word(&line), type = next_word(&line);
        if (!slice_equal(name, a.canonical))
            continue;
        if (a.outcome == DNS_NXDOMAIN)
            a.outcome = DNS_NODATA;
        if (slice_equal(type, SLICE("CNAME"))) { /* stands before its target */
            a.canonical = next_word(&line);
            a.outcome = DNS_NXDOMAIN;
            continue;
        }
        if (type_of(type) != q->type)
            continue;
        for (struct slice value = next_word(&line); value.len > 0; value = next_word(&line)) {
            if (slice_equal(value, SLICE("*")))
                a.secure = true;
            else if (!set_outcome(&a, value))
                set_value(&a, q->type, value, &records[a.count]);
        }
    }
    return a;
}

static const struct slice own_names[] = {SLICE_INIT("mx.us.example"), SLICE_INIT("us.example")};
static const struct route_ip own_ips[] = {
    {{[10] = 0xff, 0xff, 198, 51, 100, 7}},
    {{0x20, 0x01, 0x0d, 0xb8, [15] = 7}},
};

static const struct route_options usual = {
    .own_names = own_names, .own_name_count = 2, .own_ips = own_ips, .own_ip_count = 2, .port = 25};

static unsigned rounds, questions;

static void answer_wanted(struct facts *facts, const char *zone)
{
    struct dns_question q;

    for (size_t at = 0; facts_next_wanted(facts, &at, &q); questions++) {
        struct dns_answer a = answer_from(slice_of(zone), &q);
        facts_learn(facts, &q, &a);
    }
    rounds++;
}

static enum route_outcome route_to(const char *zone, const struct address *rcpt,
                                   const struct route_options *options, struct route *out)
{
    struct facts facts;
    enum route_outcome outcome;

    rounds = questions = 0;
    facts_init(&facts, &arena);
    while ((outcome = route_direct(&facts, rcpt, options, &arena, out)) == ROUTE_UNKNOWN)
        answer_wanted(&facts, zone);
    check(rounds <= 2);
    return outcome;
}

static struct slice ip_text(const unsigned char ip[16])
{
    if (ip[10] == 0xff && ip[11] == 0xff)
        return arena_printf(&arena, "%u.%u.%u.%u", ip[12], ip[13], ip[14], ip[15]);
    return arena_printf(&arena, "v6:%x", ip[15]);
}

/* "mx1 192.0.2.1, mx2 v6:1", or "550 5.1.2". */
static struct slice told(enum route_outcome outcome, const struct route *r)
{
    struct slice text = SLICE("");

    if (outcome != ROUTE_FOUND) {
        check(r->refusal.text.len > 0);
        check_int(outcome, r->refusal.code < 500 ? ROUTE_TEMPORARY : ROUTE_PERMANENT);
        return arena_printf(&arena, "%u %.*s", r->refusal.code, SLICE_PRINTF(r->refusal.enhanced));
    }
    for (size_t i = 0; i < r->hop_count; i++) {
        check_int(r->hops[i].port, 25);
        struct slice ip = ip_text(r->hops[i].ip);
        text = arena_printf(&arena, "%.*s%s%.*s %.*s", SLICE_PRINTF(text), i > 0 ? ", " : "",
                            SLICE_PRINTF(r->hops[i].host->name), SLICE_PRINTF(ip));
    }
    return text;
}

static const struct address to_d = {
    .kind = ADDRESS_MAILBOX, .local = SLICE_INIT("u"), .domain = SLICE_INIT("d.example")};

/* ---- RFC 5321 5.1, RFC 7505 ---- */

static void sentences(void **state)
{
    static const struct {
        const char *zone, *told;
    } rows[] = {
  /* "lower numbers are more preferred than higher ones" */
        {"d.example MX 20/b 10/a 30/c;a A 192.0.2.1;b A 192.0.2.2;c A 192.0.2.3",
         "a 192.0.2.1, b 192.0.2.2, c 192.0.2.3"                                                                        },
 /* both A and AAAA; the first two attempts are to different families */
        {"d.example MX 10/a;a A 192.0.2.1;a AAAA 2001:db8::1",                                     "a v6:1, a 192.0.2.1"},
        {"d.example MX 10/a;a AAAA 2001:db8::1",                                                   "a v6:1"             },
 /* "If an empty list of MXs is returned, [...] implicit MX" */
        {"d.example A 192.0.2.1",                                                                  "d.example 192.0.2.1"},
        {"d.example A nodata;d.example AAAA 2001:db8::1",                                          "d.example v6:1"     },
        {"d.example A nodata",                                                                     "550 5.1.2"          },
 /* "If a temporary error is returned, the message MUST be queued": no fallback to A */
        {"d.example MX fail;d.example A 192.0.2.1",                                                "451 4.4.3"          },
        {"d.example MX bogus;d.example A 192.0.2.1",                                               "451 4.4.3"          },
 /* "If a non-existent domain error is returned, this situation MUST be reported" */
        {"other.example A 192.0.2.1",                                                              "550 5.1.2"          },
 /* "the resulting name is processed as if it were the initial name" */
        {"d.example CNAME e.example;e.example MX 10/a;a A 192.0.2.1",                              "a 192.0.2.1"        },
        {"d.example CNAME e.example;e.example A 192.0.2.1",                                        "e.example 192.0.2.1"},
        {"d.example CNAME e.example",                                                              "550 5.1.2"          },
 /* "If MX records are present, but none of them are usable, [...] MUST be reported as an
  error": the A record is no way out */
        {"d.example MX 10/a;d.example A 192.0.2.1",                                                "550 5.4.4"          },
        {"d.example MX 10/a;a A nodata;d.example A 192.0.2.1",                                     "550 5.4.4"          },
        {"d.example MX 10/a 20/b;a A fail;d.example A 192.0.2.1",                                  "451 4.4.3"          },
        {"d.example MX 10/a 20/b;a A fail;b A 192.0.2.2",                                          "b 192.0.2.2"        },
        {"d.example MX 10/a;a A fail;a AAAA 2001:db8::1",                                          "a v6:1"             },
        {"d.example MX 10/a;a A bogus",                                                            "451 4.4.3"          },
 /* "those at that preference level and all lower preference [...] MUST be discarded" */
        {"d.example MX 10/a 20/mx.us.example 20/b 30/c;a A 192.0.2.1;b A 192.0.2.2;c A 192.0.2.3",
         "a 192.0.2.1"                                                                                                  },
        {"d.example MX 10/a 20/x;a A 192.0.2.1;x A 198.51.100.7",                                  "a 192.0.2.1"        },
        {"d.example MX 10/a 20/x 20/b;a A 192.0.2.1;b A 192.0.2.2;x A 203.0.113.1;x AAAA "
         "2001:db8::7",                                                                   "a 192.0.2.1"        },
 /* "If there are none left [...] it is an error condition" */
        {"d.example MX 10/mx.us.example 20/b;b A 192.0.2.2",                                       "554 5.4.6"          },
        {"d.example MX 10/MX.us.Example",                                                          "554 5.4.6"          },
        {"d.example MX 10/x 20/b;x A 198.51.100.7;b A 192.0.2.2",                                  "554 5.4.6"          },
        {"d.example A 198.51.100.7",                                                               "554 5.4.6"          },
        {"d.example MX 10/a 20/us.example;a A fail",                                               "451 4.4.3"          },
 /* RFC 7505 3: "0 ." alone; nothing more is asked for */
        {"d.example MX 0/.;d.example A 192.0.2.1",                                                 "556 5.1.10"         },
 /* "MUST NOT advertise both": an error, not a null MX */
        {"d.example MX 0/. 10/a;a A 192.0.2.1",                                                    "a 192.0.2.1"        },
        {"d.example MX 0/. 10/a",                                                                  "550 5.4.4"          },
 /* an MX host is no alias: used only where there is no other */
        {"d.example MX 10/x 20/b;x CNAME y;y A 192.0.2.1;b A 192.0.2.2",                           "b 192.0.2.2"        },
        {"d.example MX 10/x;x CNAME y;y A 192.0.2.1",                                              "x 192.0.2.1"        },
 /* servers that are this machine are none of another's */
        {"d.example MX 10/x;x A 127.0.0.1",                                                        "554 5.4.6"          },
        {"d.example MX 10/x;x A 127.9.9.9",                                                        "554 5.4.6"          },
        {"d.example MX 10/x;x A 0.0.0.0",                                                          "554 5.4.6"          },
        {"d.example MX 10/x;x AAAA ::1",                                                           "554 5.4.6"          },
        {"d.example MX 10/x;x AAAA ::",                                                            "554 5.4.6"          },
        {"d.example MX 10/x;x AAAA ::ffff:127.0.0.1",                                              "554 5.4.6"          },
        {"d.example MX 10/x 20/b;x A 127.0.0.1;b A 192.0.2.2",                                     "b 192.0.2.2"        },
        {"d.example MX 10/x;x A 127.0.0.1 192.0.2.1",                                              "x 192.0.2.1"        },
        {"d.example A 127.0.0.1",                                                                  "554 5.4.6"          },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct route r;
        enum route_outcome outcome = route_to(rows[i].zone, &to_d, &usual, &r);

        check_slice(told(outcome, &r), slice_of(rows[i].told));
    }
}

static void null_mx_asks_nothing_more(void **state)
{
    struct route r;

    (void)state;
    route_to("d.example MX 0/.", &to_d, &usual, &r);
    check_int(questions, 1);
}

static void literals_have_no_mx(void **state)
{
    static const struct {
        struct slice literal;
        const char *told;
    } rows[] = {
        {SLICE_INIT("192.0.2.1"),        "192.0.2.1 192.0.2.1"  },
        {SLICE_INIT("IPv6:2001:db8::9"), "IPv6:2001:db8::9 v6:9"},
        {SLICE_INIT("198.51.100.7"),     "554 5.4.6"            },
        {SLICE_INIT("127.0.0.1"),        "554 5.4.6"            },
        {SLICE_INIT("IPv6:::1"),         "554 5.4.6"            },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct address rcpt = {ADDRESS_LITERAL, SLICE("u"), rows[i].literal, false};
        struct route r;
        enum route_outcome outcome = route_to("", &rcpt, &usual, &r);

        check_int(questions, 0);
        check_slice(told(outcome, &r), slice_of(rows[i].told));
    }
}

static void u_labels_are_looked_up_as_a_labels(void **state)
{
    struct address rcpt = {ADDRESS_MAILBOX, SLICE("u"),
                           SLICE("b\xc3\xbc"
                                 "cher.example"),
                           true};
    struct route r;

    (void)state;
    enum route_outcome outcome =
        route_to("xn--bcher-kva.example MX 10/a;a A 192.0.2.1", &rcpt, &usual, &r);
    check_slice(told(outcome, &r), SLICE("a 192.0.2.1"));
    check_slice(r.domain, SLICE("xn--bcher-kva.example"));
}

static void families(void **state)
{
    static const char zone[] = "d.example MX 10/a;a A 192.0.2.1;a AAAA 2001:db8::1";

    static const struct {
        enum route_family family;
        const char *told;
    } rows[] = {
        {FAMILY_BOTH,       "a v6:1, a 192.0.2.1"},
        {FAMILY_IPV4_FIRST, "a 192.0.2.1, a v6:1"},
        {FAMILY_IPV6_FIRST, "a v6:1, a 192.0.2.1"},
        {FAMILY_IPV4_ONLY,  "a 192.0.2.1"        },
        {FAMILY_IPV6_ONLY,  "a v6:1"             },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct route_options options = usual;
        struct route r;

        options.family = rows[i].family;
        check_slice(told(route_to(zone, &to_d, &options, &r), &r), slice_of(rows[i].told));
    }

    struct route_options options = usual;
    struct route r;

    options.family = FAMILY_IPV6_ONLY;
    check_slice(told(route_to("d.example MX 10/a;a A 192.0.2.1", &to_d, &options, &r), &r),
                SLICE("550 5.4.4"));
    /* An address of ours tells that it is us, in whatever family. */
    check_slice(
        told(route_to("d.example MX 10/a;a A 198.51.100.7;a AAAA 2001:db8::1", &to_d, &options, &r),
             &r),
        SLICE("554 5.4.6"));
}

static void loopback_for_demonstrations(void **state)
{
    struct route_options options = usual;
    struct route r;

    (void)state;
    options.loopback_allowed = true;
    check_slice(told(route_to("d.example MX 10/a;a A 127.0.0.2", &to_d, &options, &r), &r),
                SLICE("a 127.0.0.2"));
}

/* "if there are multiple destinations with the same preference [...] the sender-SMTP MUST
 * randomize them": every order comes, and the better ones stay in front. */
static void equals_are_shuffled(void **state)
{
    static const char zone[] = "d.example MX 20/d 10/a 10/b 10/c;a A 192.0.2.1;b A 192.0.2.2;"
                               "c A 192.0.2.3;d A 192.0.2.4";
    unsigned first[3] = {0}, orders = 0;

    (void)state;
    for (uint64_t chance = 0; chance < 600; chance++) {
        struct route_options options = usual;
        struct route r;

        options.chance = chance;
        check_int(route_to(zone, &to_d, &options, &r), ROUTE_FOUND);
        check_int(r.hop_count, 4);
        check_slice(r.hops[3].host->name, SLICE("d"));
        first[r.hops[0].host->name.data[0] - 'a']++;
        orders |=
            1u << ((r.hops[0].host->name.data[0] - 'a') * 3 + (r.hops[1].host->name.data[0] - 'a'));
        arena_reset(&arena);
    }
    for (int i = 0; i < 3; i++)
        check(first[i] > 140 && first[i] < 260);
    check_int(__builtin_popcount(orders), 6);
}

/* For each further connection: equals take turns, a host's addresses stay together and in order,
 * and nobody comes before a better one. */
static void equals_take_turns(void **state)
{
    static const char zone[] = "d.example MX 10/a 20/b 20/c 20/d 30/e;a A 192.0.2.1;"
                               "b A 192.0.2.2 192.0.2.3;c A 192.0.2.4;d A 192.0.2.5;e A 192.0.2.6";
    unsigned first[3] = {0};
    struct route r;

    (void)state;
    check_int(route_to(zone, &to_d, &usual, &r), ROUTE_FOUND);
    check_int(r.hop_count, 6);
    for (uint64_t chance = 0; chance < 300; chance++) {
        route_turn(&r, chance);
        check_slice(r.hops[0].host->name, SLICE("a"));
        check_slice(r.hops[5].host->name, SLICE("e"));
        first[r.hops[1].host->name.data[0] - 'b']++;
        for (size_t i = 1, at = 0; i < 5; i++)
            if (slice_equal(r.hops[i].host->name, SLICE("b"))) {
                check(at == 0 || at == i - 1);
                at = i;
            }
    }
    for (int i = 0; i < 3; i++)
        check(first[i] > 60 && first[i] < 140);
}

/* The person who wrote the list of hosts meant its order; and where no hop is, none turns. */
static void only_equals_by_mx_take_turns(void **state)
{
    static const char *const names[] = {"192.0.2.1", "192.0.2.2"};
    struct route_target targets[2];
    struct facts facts;
    struct route r = {0};

    (void)state;
    route_turn(&r, 7);
    for (unsigned i = 0; i < 2; i++)
        check(route_target_parse(slice_of(names[i]), 25, &arena, &targets[i]));
    facts_init(&facts, &arena);
    check_int(route_targets(&facts, targets, 2, &usual, &arena, &r), ROUTE_FOUND);
    for (uint64_t chance = 0; chance < 20; chance++) {
        route_turn(&r, chance);
        check_slice(r.hops[0].host->name, SLICE("192.0.2.1"));
    }
}

static void addresses_are_shuffled_and_bounded(void **state)
{
    unsigned first[40] = {0};
    struct slice zone = SLICE("d.example MX 10/a;a A");

    (void)state;
    struct arena kept = {0};
    for (unsigned i = 0; i < 40; i++)
        zone = arena_printf(&kept, "%.*s 192.0.2.%u", SLICE_PRINTF(zone), i);
    const char *text = arena_string(&kept, zone);
    for (uint64_t chance = 0; chance < 400; chance++) {
        struct route_options options = usual;
        struct route r;

        options.chance = chance;
        check_int(route_to(text, &to_d, &options, &r), ROUTE_FOUND);
        check_int(r.hop_count, ROUTE_HOST_HOPS_MAX);
        for (size_t i = 0; i < r.hop_count; i++)
            for (size_t k = 0; k < i; k++)
                check(memcmp(r.hops[i].ip, r.hops[k].ip, 16) != 0);
        first[r.hops[0].ip[15]]++;
        arena_reset(&arena);
    }
    for (unsigned i = 0; i < 40; i++)
        check(first[i] > 0);
    arena_done(&kept);
}

/* 200 hosts of equal preference: 20 are asked for, 100 addresses at most are tried. */
static void a_long_list_is_bounded(void **state)
{
    struct slice zone = SLICE("d.example MX");
    struct route r;

    (void)state;
    for (unsigned i = 0; i < 200; i++)
        zone = arena_printf(&arena, "%.*s 10/h%u", SLICE_PRINTF(zone), i);
    for (unsigned i = 0; i < 200; i++)
        zone = arena_printf(&arena,
                            "%.*s;h%u A 192.0.%u.1 192.0.%u.2 192.0.%u.3 192.0.%u.4 "
                            "192.0.%u.5 192.0.%u.6",
                            SLICE_PRINTF(zone), i, i, i, i, i, i, i);
    check_int(route_to(arena_string(&arena, zone), &to_d, &usual, &r), ROUTE_FOUND);
    check_int(questions, 1 + 2 * ROUTE_HOSTS_MAX);
    check_int(r.hop_count, ROUTE_HOPS_MAX);
    check_int(r.host_count, 200);
    check_int(r.hosts[199].fate, HOST_TOO_MANY);
}

/* ---- why ---- */

static void every_alternative_is_told(void **state)
{
    static const char zone[] =
        "d.example MX * 5/. 10/a 20/b 30/c 35/l 40/x 45/z 50/mx.us.example 60/e;a A * 192.0.2.1;"
        "a AAAA nodata;b A nodata;c A fail;l A 127.0.0.1;x CNAME y;y A 192.0.2.4;z A 192.0.2.5";

    static const struct {
        const char *name;
        enum route_fate fate;
        bool secure;
    } rows[] = {
        {"",              HOST_IGNORED,    false},
        {"a",             HOST_USED,       true },
        {"b",             HOST_NO_ADDRESS, false},
        {"c",             HOST_FAILED,     false},
        {"l",             HOST_LOOPBACK,   false},
        {"x",             HOST_IGNORED,    false},
        {"z",             HOST_USED,       false},
        {"mx.us.example", HOST_OWN,        false},
        {"e",             HOST_BEHIND_OWN, false},
    };
    struct route r;

    (void)state;
    check_int(route_to(zone, &to_d, &usual, &r), ROUTE_FOUND);
    check(r.by_mx && r.mx_secure);
    check_int(r.host_count, 9);
    CHECK_ROWS (i, rows) {
        check_slice(r.hosts[i].name, slice_of(rows[i].name));
        check_int(r.hosts[i].fate, rows[i].fate);
        check_int(r.hosts[i].secure, rows[i].secure);
        check(route_fate_text(r.hosts[i].fate).len > 0);
    }
    check(r.hops[0].secure && !r.hops[1].secure);
}

static void what_failed_is_named(void **state)
{
    struct route r;

    (void)state;
    route_to("d.example MX bogus", &to_d, &usual, &r);
    check_slice(r.refusal.text, SLICE("DNS look-up of d.example MX failed: DNSSEC signatures are "
                                      "missing or wrong"));
    route_to("d.example MX 10/a;a A fail", &to_d, &usual, &r);
    check_slice(r.refusal.text, SLICE("DNS look-up of a A and AAAA failed: no answer"));
}

/* ---- targets ---- */

static void targets_as_written(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        enum route_target_kind kind;
        const char *name;
        unsigned port;
    } rows[] = {
        {"smtp.example.net:587",  true,  TARGET_NAME, "smtp.example.net",      587 },
        {"Smtp.Example.net",      true,  TARGET_NAME, "smtp.example.net",      24  },
        {"192.0.2.1:2525",        true,  TARGET_IP,   "192.0.2.1",             2525},
        {"192.0.2.1",             true,  TARGET_IP,   "192.0.2.1",             24  },
        {"[2001:db8::1]:26",      true,  TARGET_IP,   "2001:db8::1",           26  },
        {"[2001:db8::1]",         true,  TARGET_IP,   "2001:db8::1",           24  },
        {"unix:/run/lmtp",        true,  TARGET_PATH, "/run/lmtp",             0   },
        {"/run/lmtp",             true,  TARGET_PATH, "/run/lmtp",             0   },
        {"b\xc3\xbc"
         "cher.example", true,  TARGET_NAME, "xn--bcher-kva.example", 24  },
        {"",                      false, TARGET_NAME, "",                      0   },
        {":25",                   false, TARGET_NAME, "",                      0   },
        {"h:",                    false, TARGET_NAME, "",                      0   },
        {"h:0",                   false, TARGET_NAME, "",                      0   },
        {"h:65536",               false, TARGET_NAME, "",                      0   },
        {"h:25x",                 false, TARGET_NAME, "",                      0   },
        {"192.0.2.256",           false, TARGET_NAME, "",                      0   },
        {"[192.0.2.1]:25",        false, TARGET_NAME, "",                      0   },
        {"[2001:db8::1",          false, TARGET_NAME, "",                      0   },
        {"2001:db8::1",           false, TARGET_NAME, "",                      0   },
        {"unix:run",              false, TARGET_NAME, "",                      0   },
        {"/",                     false, TARGET_NAME, "",                      0   },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct route_target t = {0};

        check_int(route_target_parse(slice_of(rows[i].text), 24, &arena, &t), rows[i].valid);
        if (!rows[i].valid)
            continue;
        check_int(t.kind, rows[i].kind);
        check_slice(t.name, slice_of(rows[i].name));
        check_int(t.port, rows[i].port);
    }
    struct route_target t;
    check(!route_target_parse(SLICE("h"), 0, &arena, &t));
}

static void a_list_of_hosts_in_its_order(void **state)
{
    static const struct {
        const char *zone, *told;
    } rows[] = {
        {"s1.example A 192.0.2.1;s1.example AAAA 2001:db8::1;s2.example A 127.0.0.1",
         "s1.example v6:1:587 s1.example 192.0.2.1:587 s2.example 127.0.0.1:25 10.0.0.9 "
         "10.0.0.9:26 /run/x "                                  },
        {"s1.example CNAME y;y A 192.0.2.1;s2.example A fail",
         "s1.example 192.0.2.1:587 10.0.0.9 10.0.0.9:26 /run/x "},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        static const char *const texts[] = {"s1.example:587", "s2.example", "10.0.0.9:26",
                                            "/run/x"};
        struct route_target targets[4];
        struct facts facts;
        struct route r;
        enum route_outcome outcome;
        struct slice text = SLICE("");

        for (size_t k = 0; k < 4; k++)
            check(route_target_parse(slice_of(texts[k]), 25, &arena, &targets[k]));
        facts_init(&facts, &arena);
        rounds = 0;
        while ((outcome = route_targets(&facts, targets, 4, &usual, &arena, &r)) == ROUTE_UNKNOWN)
            answer_wanted(&facts, rows[i].zone);
        check_int(outcome, ROUTE_FOUND);
        check_int(rounds, 1);
        for (size_t k = 0; k < r.hop_count; k++) {
            const struct route_hop *hop = &r.hops[k];
            struct slice ip = ip_text(hop->ip);

            if (hop->path.len > 0)
                text =
                    arena_printf(&arena, "%.*s%.*s ", SLICE_PRINTF(text), SLICE_PRINTF(hop->path));
            else
                text = arena_printf(&arena, "%.*s%.*s %.*s:%u ", SLICE_PRINTF(text),
                                    SLICE_PRINTF(hop->host->name), SLICE_PRINTF(ip), hop->port);
        }
        check_slice(text, slice_of(rows[i].told));
    }
}

static void alternatives_in_one_word(void **state)
{
    static const struct {
        const char *zone, *told;
        size_t size;
    } rows[] = {
        {"d.example MX 10/m1;m1 A 192.0.2.1",                      "",                            99},
        {"d.example A 192.0.2.1",                                  "",                            99},
        {"d.example MX 20/m2 10/m1;m1 A 192.0.2.1;m2 A 192.0.2.2", "10:m1/20:m2",                 99},
        {"d.example MX 20/m2 10/m1;m1 A 192.0.2.1;m2 A fail",      "10:m1/20:m2(look-up-failed)", 99},
        {"d.example MX 20/m2 10/m1;m1 A 192.0.2.1",                "10:m1/20:m2(no-address)",     99},
        {"d.example MX 10/m1",                                     "10:m1(no-address)",           99},
        {"d.example MX 20/m2 10/m1;m1 A 192.0.2.1;m2 A 192.0.2.2", "10:m1/20:m2",                 12},
        {"d.example MX 20/m2 10/m1;m1 A 192.0.2.1;m2 A 192.0.2.2", "10:m1",                       11},
        {"d.example MX 20/m2 10/m1;m1 A 192.0.2.1",                "10:m1",                       23},
        {"d.example MX 20/m2 10/m1;m1 A 192.0.2.1;m2 A 192.0.2.2", "",                            5 },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct address to = {.kind = ADDRESS_MAILBOX, .domain = SLICE("d.example")};
        struct route r;
        char *out = arena_alloc(&arena, rows[i].size);

        (void)route_to(rows[i].zone, &to, &usual, &r);
        check_slice(route_alternatives(&r, out, rows[i].size), slice_of(rows[i].told));
    }
}

/* The mail is not to blame for a relay that cannot be found. */
static void a_missing_relay_is_temporary(void **state)
{
    static const struct {
        const char *zone, *enhanced;
    } rows[] = {
        {"",                  "4.4.4"},
        {"s1.example A fail", "4.4.3"},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct route_target target;
        struct facts facts;
        struct route r;
        enum route_outcome outcome;

        check(route_target_parse(SLICE("s1.example"), 25, &arena, &target));
        facts_init(&facts, &arena);
        while ((outcome = route_targets(&facts, &target, 1, &usual, &arena, &r)) == ROUTE_UNKNOWN)
            answer_wanted(&facts, rows[i].zone);
        check_int(outcome, ROUTE_TEMPORARY);
        check_slice(r.refusal.enhanced, slice_of(rows[i].enhanced));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(sentences, release),
        cmocka_unit_test_teardown(null_mx_asks_nothing_more, release),
        cmocka_unit_test_teardown(literals_have_no_mx, release),
        cmocka_unit_test_teardown(u_labels_are_looked_up_as_a_labels, release),
        cmocka_unit_test_teardown(families, release),
        cmocka_unit_test_teardown(loopback_for_demonstrations, release),
        cmocka_unit_test_teardown(equals_are_shuffled, release),
        cmocka_unit_test_teardown(equals_take_turns, release),
        cmocka_unit_test_teardown(only_equals_by_mx_take_turns, release),
        cmocka_unit_test_teardown(addresses_are_shuffled_and_bounded, release),
        cmocka_unit_test_teardown(a_long_list_is_bounded, release),
        cmocka_unit_test_teardown(every_alternative_is_told, release),
        cmocka_unit_test_teardown(what_failed_is_named, release),
        cmocka_unit_test_teardown(alternatives_in_one_word, release),
        cmocka_unit_test_teardown(targets_as_written, release),
        cmocka_unit_test_teardown(a_list_of_hosts_in_its_order, release),
        cmocka_unit_test_teardown(a_missing_relay_is_temporary, release),
    };

    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
