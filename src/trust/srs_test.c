/*
 * srs_test.c - what Mail::SRS writes with the same secret on the same day, and whom it stands for.
 */
#include "trust/srs.h"

#include "check.h"

enum { DAY_S = 24 * 60 * 60, NOW_S = 1790000000 /* day 237, "HN" */ };

static const struct slice list[] = {SLICE_INIT("hush"), SLICE_INIT("older")};
static const struct srs_secrets secrets = {list, 2}, old_secret = {list + 1, 1},
                                no_secret = {list, 0};

static struct address address_of(const char *text, struct arena *arena)
{
    struct address a = {0};

    check(address_parse(slice_of(text), arena, &a));
    return a;
}

/* Written by Mail::SRS 0.31, whose forward() and reverse() these are. */
static const struct {
    const char *sender, *ours; /* NULL: none */
} pairs[] = {
    {"ann@a.example",                        "SRS0=ZABA=HN=a.example=ann@us.example"     },
    {"Ann@a.example",                        "SRS0=ZABA=HN=a.example=Ann@us.example"     },
    {"ann+list@a.example",                   "SRS0=DhZf=HN=a.example=ann+list@us.example"},
    {"a=b@a.example",                        "SRS0=WLQ2=HN=a.example=a=b@us.example"     },
    {"SRS0=XXXX=TT=c.example=joe@b.example",
     "SRS1=r9E1=b.example==XXXX=TT=c.example=joe@us.example"                             },
    {"SRS0+XXXX=TT=c.example=joe@b.example",
     "SRS1=cLzU=b.example=+XXXX=TT=c.example=joe@us.example"                             },
};

static void test_there_and_back(void **state)
{
    (void)state;
    CHECK_ROWS (i, pairs) {
        struct arena arena = {0};
        struct address sender = address_of(pairs[i].sender, &arena), ours, back;

        check(srs_forward(&secrets, &sender, SLICE("us.example"), NOW_S, &arena, &ours));
        check_slice(address_text(&arena, &ours), slice_of(pairs[i].ours));
        check_int(srs_reverse(&secrets, &ours, NOW_S, &arena, &back), SRS_GOOD);
        check(address_equal(&back, &sender));
        arena_done(&arena);
    }
}

/* Past the servers between: they have signed nothing that the first one needs. */
static void test_a_third_hop(void **state)
{
    struct arena arena = {0};
    struct address ours,
        sender = address_of("srs1=YYYY=b.example==XXXX=TT=c.example=joe@d.example", &arena);

    (void)state;
    check(srs_forward(&secrets, &sender, SLICE("us.example"), NOW_S, &arena, &ours));
    check_slice(address_text(&arena, &ours),
                SLICE("SRS1=r9E1=b.example==XXXX=TT=c.example=joe@us.example"));
    arena_done(&arena);
}

static const struct {
    int days; /* later */
    const char *rcpt;
    enum srs_verdict verdict;
    const char *back;
} returns[] = {
  /* somebody on the way made it lower case */
    {0,    "srs0=zaba=hn=a.example=ann@us.example",                 SRS_GOOD,    "ann@a.example"},
    {0,    "srs1=R9e1=B.example==XXXX=TT=c.example=joe@us.example", SRS_GOOD,
     "SRS0=XXXX=TT=c.example=joe@b.example"                                                     },
    {0,    "SRS0-ZABA=HN=a.example=ann@us.example",                 SRS_GOOD,    "ann@a.example"},
 /* for 21 days, or one day before on a machine whose clock is late */
    {21,   "SRS0=ZABA=HN=a.example=ann@us.example",                 SRS_GOOD,    "ann@a.example"},
    {22,   "SRS0=ZABA=HN=a.example=ann@us.example",                 SRS_EXPIRED, NULL           },
    {-1,   "SRS0=ZABA=HN=a.example=ann@us.example",                 SRS_GOOD,    "ann@a.example"},
    {-2,   "SRS0=ZABA=HN=a.example=ann@us.example",                 SRS_EXPIRED, NULL           },
    {1023, "SRS0=ZABA=HN=a.example=ann@us.example",                 SRS_GOOD,    "ann@a.example"},
    {1000, "SRS1=r9E1=b.example==XXXX=TT=c.example=joe@us.example", SRS_GOOD,
     "SRS0=XXXX=TT=c.example=joe@b.example"                                                     },
 /* another hash, day, domain, name: none is ours */
    {0,    "SRS0=ZABB=HN=a.example=ann@us.example",                 SRS_FORGED,  NULL           },
    {0,    "SRS0=ZAB=HN=a.example=ann@us.example",                  SRS_FORGED,  NULL           },
    {0,    "SRS0==HN=a.example=ann@us.example",                     SRS_FORGED,  NULL           },
    {22,   "SRS0=ZABA=IB=a.example=ann@us.example",                 SRS_FORGED,  NULL           },
    {0,    "SRS0=ZABA=HN=b.example=ann@us.example",                 SRS_FORGED,  NULL           },
    {0,    "SRS0=ZABA=HN=a.example=anne@us.example",                SRS_FORGED,  NULL           },
    {0,    "SRS0=ZABA=HN=a.example@us.example",                     SRS_FORGED,  NULL           },
    {0,    "SRS0=ZABA@us.example",                                  SRS_FORGED,  NULL           },
    {0,    "SRS0=@us.example",                                      SRS_FORGED,  NULL           },
    {0,    "SRS1=r9E2=b.example==XXXX=TT=c.example=joe@us.example", SRS_FORGED,  NULL           },
    {0,    "SRS1=r9E1=b.example@us.example",                        SRS_FORGED,  NULL           },
    {0,    "SRS1=ZABA=HN=a.example=ann@us.example",                 SRS_FORGED,  NULL           },
 /* people may be called what they like */
    {0,    "SRS0@us.example",                                       SRS_NONE,    NULL           },
    {0,    "SRS00=ZABA=HN=a.example=ann@us.example",                SRS_NONE,    NULL           },
    {0,    "ann@us.example",                                        SRS_NONE,    NULL           },
    {0,    "SRS0=ZABA=HN=a.example=ann",                            SRS_NONE,    NULL           },
};

static void test_back(void **state)
{
    (void)state;
    CHECK_ROWS (i, returns) {
        struct arena arena = {0};
        struct address a = address_of(returns[i].rcpt, &arena), back;
        uint64_t now_s = (uint64_t)(NOW_S + returns[i].days * (int64_t)DAY_S);

        check_int(srs_reverse(&secrets, &a, now_s, &arena, &back), returns[i].verdict);
        if (returns[i].back != NULL)
            check_slice(address_text(&arena, &back), slice_of(returns[i].back));
        arena_done(&arena);
    }
}

/* All verify, the first one signs. */
static void test_secrets(void **state)
{
    struct arena arena = {0};
    struct address sender = address_of("ann@a.example", &arena), ours, back;

    (void)state;
    check(srs_forward(&old_secret, &sender, SLICE("us.example"), NOW_S, &arena, &ours));
    check_int(srs_reverse(&secrets, &ours, NOW_S, &arena, &back), SRS_GOOD);
    check(srs_forward(&secrets, &sender, SLICE("us.example"), NOW_S, &arena, &ours));
    check_int(srs_reverse(&old_secret, &ours, NOW_S, &arena, &back), SRS_FORGED);
    check_int(srs_reverse(&no_secret, &ours, NOW_S, &arena, &back), SRS_NONE);
    check(!srs_forward(&no_secret, &sender, SLICE("us.example"), NOW_S, &arena, &ours));
    arena_done(&arena);
}

/* RFC 5321 4.5.3.1.1: 64 bytes, as they are written. */
static const struct {
    const char *sender;
    bool fits;
} lengths[] = {
    {"abcdefghijklmnopqrstuvwxyzabcdefghijklmn@a.example",      true },
    {"abcdefghijklmnopqrstuvwxyzabcdefghijklmno@a.example",     true },
    {"abcdefghijklmnopqrstuvwxyzabcdefghijklmnop@a.example",    false},
    {"\"abcdefghijklmnopqrstuvwxyzabcdefghijkl \"@a.example",   true },
    {"\"abcdefghijklmnopqrstuvwxyzabcdefghijklmn \"@a.example", false},
    {"ann@[192.0.2.1]",                                         false},
    {"ann",                                                     false},
};

static void test_lengths(void **state)
{
    (void)state;
    CHECK_ROWS (i, lengths) {
        struct arena arena = {0};
        struct address a = address_of(lengths[i].sender, &arena), ours;

        check_int(srs_forward(&secrets, &a, SLICE("us.example"), NOW_S, &arena, &ours),
                  lengths[i].fits);
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_a_third_hop),
        cmocka_unit_test(test_back),           cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
