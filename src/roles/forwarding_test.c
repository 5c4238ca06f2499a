/*
 * forwarding_test.c - one row, one mail: does it leave with a sender of ours, and who is home?
 */
#include "roles/forwarding.h"

#include "check.h"

#define NOW_US (1790000000ull * 1000 * 1000) /* "HN" */

#define DOMAIN(name)                                                                               \
    {                                                                                              \
        .match = MATCH_DOMAIN, .domain = SLICE_INIT(name)                                          \
    }

static const struct relay out = {.srs = true}, plain = {.srs = false};

static const struct rule some[] = {
    {.to = DOMAIN("us.example"),     .action = ACTION_MAILDIR, .path = SLICE_INIT("/m")},
    {.to = DOMAIN("inside.example"), .action = ACTION_RELAY,   .relay = &out,            .asks = true},
    {.from = FROM_LOCAL,                              .to = DOMAIN("partner.example"),                                     .action = ACTION_RELAY, .relay = &out},
    {.verdict = RULE_REJECT,                 .to = DOMAIN("closed.example")                                        },
    {.from = FROM_LOCAL,                              .action = ACTION_RELAY,.relay = &out                                           },
};

static const struct settings settings = {
    .rules = {.rules = some,
              .count = sizeof(some) / sizeof(*some),
              .hostname = SLICE_INIT("mx.us.example"),
              .origin = SLICE_INIT("mx.us.example")},
    .srs = {.list = {SLICE_INIT("hush")}, .count = 1},
};

static struct address address_of(const char *text, struct arena *arena)
{
    struct address a = {0};

    check(text[0] == '\0' || address_parse(slice_of(text), arena, &a));
    return a;
}

static const struct {
    const struct relay *relay;
    const char *sender, *given, *final;
    enum forwarding as;
    const char *ours; /* FORWARDING_AS */
} senders[] = {
    {&out,   "ann@a.example",      "joe@us.example",     "joe@far.example",     FORWARDING_AS,
     "SRS0=ZABA=HN=a.example=ann@us.example"                                                         },
 /* a rule for local mail alone makes a domain not ours */
    {&out,   "ann@a.example",      "joe@us.example",     "joe@partner.example", FORWARDING_AS,
     "SRS0=ZABA=HN=a.example=ann@us.example"                                                         },
 /* where the recipient was named that stood for others, or else at the origin */
    {&out,   "ann@a.example",      "root",               "joe@far.example",     FORWARDING_AS,
     "SRS0=ZABA=HN=a.example=ann@mx.us.example"                                                      },
    {&out,   "ann@a.example",      "joe@inside.example", "joe@far.example",     FORWARDING_AS,
     "SRS0=ZABA=HN=a.example=ann@inside.example"                                                     },
    {&out,   "ann@a.example",      "joe@closed.example", "joe@far.example",     FORWARDING_AS,
     "SRS0=ZABA=HN=a.example=ann@mx.us.example"                                                      },
 /* the SPF record of who has users elsewhere may not know us */
    {&out,   "ann@inside.example", "joe@us.example",     "joe@far.example",     FORWARDING_AS,
     "SRS0=z3T0=HN=inside.example=ann@us.example"                                                    },
    {&plain, "ann@a.example",      "joe@us.example",     "joe@far.example",     FORWARDING_NOT,  NULL},
    {&out,   "",                   "joe@us.example",     "joe@far.example",     FORWARDING_NOT,  NULL},
    {&out,   "ann@us.example",     "joe@us.example",     "joe@far.example",     FORWARDING_NOT,  NULL},
    {&out,   "ann@localhost",      "joe@us.example",     "joe@far.example",     FORWARDING_NOT,  NULL},
    {&out,   "ann@a.example",      "joe@us.example",     "joe@inside.example",  FORWARDING_NOT,  NULL},
    {&out,   "ann@a.example",      "joe@far.example",    "joe@far.example",     FORWARDING_NOT,  NULL},
    {&out,   "ann@a.example",      "joe",                "joe@mx.us.example",   FORWARDING_NOT,  NULL},
    {&out,   "ann@[192.0.2.1]",    "joe@us.example",     "joe@far.example",     FORWARDING_LONG, NULL},
};

static void test_senders(void **state)
{
    (void)state;
    CHECK_ROWS (i, senders) {
        struct arena arena = {0};
        struct address sender = address_of(senders[i].sender, &arena), before = sender;
        struct address given = address_of(senders[i].given, &arena);
        struct address final = address_of(senders[i].final, &arena);

        check_int(
            forwarding_sender(&settings, senders[i].relay, &given, &final, NOW_US, &arena, &sender),
            senders[i].as);
        if (senders[i].ours != NULL)
            check_slice(address_text(&arena, &sender), slice_of(senders[i].ours));
        else
            check(address_equal(&sender, &before));
        arena_done(&arena);
    }
}

static const struct {
    const char *rcpt;
    enum srs_verdict verdict;
    const char *home;
} rcpts[] = {
    {"SRS0=ZABA=HN=a.example=ann@us.example",     SRS_GOOD,   "ann@a.example"                         },
    {"SRS0=ZABA=HN=a.example=ann@inside.example", SRS_GOOD,   "ann@a.example"                         },
    {"SRS0=ZABB=HN=a.example=ann@us.example",     SRS_FORGED, "SRS0=ZABB=HN=a.example=ann@us.example" },
 /* another's, that a client here sends to */
    {"SRS0=ZABA=HN=a.example=ann@far.example",    SRS_NONE,   "SRS0=ZABA=HN=a.example=ann@far.example"},
    {"SRS0=ZABA=HN=a.example=ann@closed.example", SRS_NONE,
     "SRS0=ZABA=HN=a.example=ann@closed.example"                                                      },
    {"ann@us.example",                            SRS_NONE,   "ann@us.example"                        },
};

static void test_rcpts(void **state)
{
    struct settings none = settings;

    (void)state;
    none.srs.count = 0;
    CHECK_ROWS (i, rcpts) {
        struct arena arena = {0};
        struct rules_query q = {.rcpt = address_of(rcpts[i].rcpt, &arena)}, other = q;

        check_int(forwarding_back(&settings, &q, NOW_US, &arena), rcpts[i].verdict);
        check_slice(address_text(&arena, &q.rcpt), slice_of(rcpts[i].home));
        check_int(q.from_local, rcpts[i].verdict == SRS_GOOD);
        check_int(forwarding_back(&none, &other, NOW_US, &arena), SRS_NONE);
        check(!other.from_local);
        arena_done(&arena);
    }
}

/* Of two servers that forward to each other. */
static void test_a_path_in_a_path(void **state)
{
    struct arena arena = {0};
    struct address theirs = address_of("SRS0=ZABA=HN=a.example=ann@us.example", &arena), ours;
    struct srs_secrets secrets = {settings.srs.list, 1};
    struct rules_query q = {0};

    (void)state;
    check(srs_forward(&secrets, &theirs, SLICE("us.example"), NOW_US / 1000000, &arena, &ours));
    check(slice_starts(ours.local, SLICE("SRS1=")));
    q.rcpt = ours;
    check_int(forwarding_back(&settings, &q, NOW_US, &arena), SRS_GOOD);
    check_slice(address_text(&arena, &q.rcpt), SLICE("ann@a.example"));
    q.rcpt = ours; /* that one has a day */
    check_int(forwarding_back(&settings, &q, NOW_US + 30 * 86400 * 1000000ull, &arena),
              SRS_EXPIRED);
    arena_done(&arena);
}

static const struct {
    enum srs_verdict verdict;
    unsigned code;
    const char *text;
} refusals[] = {
    {SRS_NONE,    550, "no"                                                                     },
    {SRS_GOOD,    550, "no"                                                                     },
    {SRS_FORGED,  451, "no"                                                                     },
    {SRS_FORGED,  0,   "no"                                                                     },
    {SRS_FORGED,  550,
     "<a@b.example>: Recipient address rejected: This server gave no such return path"          },
    {SRS_EXPIRED, 550, "<a@b.example>: Recipient address rejected: This return path has expired"},
};

static void test_refusals(void **state)
{
    (void)state;
    CHECK_ROWS (i, refusals) {
        struct arena arena = {0};
        struct rules_query q = {.rcpt = address_of("a@b.example", &arena)};
        struct reply r = {refusals[i].code, SLICE("5.1.1"), SLICE("no")};

        r = forwarding_refusal(refusals[i].verdict, &q, r, &arena);
        check_int(r.code, refusals[i].code);
        check_slice(r.text, slice_of(refusals[i].text));
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_senders),
        cmocka_unit_test(test_rcpts),
        cmocka_unit_test(test_a_path_in_a_path),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
