/*
 * facts_test.c - ask, fetch, ask again.
 */
#include "check.h"

#include "wire/facts.h"

static struct arena arena;

static int release(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static const struct dns_record mx = {.preference = 10, .data = SLICE_INIT("mx.example.org")};

static void unknown_until_learnt(void **state)
{
    struct facts f;
    const struct dns_answer *got;
    struct dns_question q;
    size_t at = 0;

    (void)state;
    facts_init(&f, &arena);
    check_int(facts_ask(&f, DNS_MX, SLICE("Example.org."), &got), FACT_UNKNOWN);
    check_int(facts_ask(&f, DNS_MX, SLICE("example.ORG"), &got), FACT_UNKNOWN); /* the same */
    check_int(facts_ask(&f, DNS_A, SLICE("example.org"), &got), FACT_UNKNOWN);  /* another */
    check_int(f.wanted, 2);
    check(facts_next_wanted(&f, &at, &q));
    check_int(q.type, DNS_MX);
    check_slice(q.name, SLICE("example.org"));

    struct dns_answer answer = {
        .outcome = DNS_FOUND, .canonical = q.name, .records = &mx, .count = 1, .secure = true};
    facts_learn(&f, &q, &answer);
    check_int(facts_ask(&f, DNS_MX, SLICE("EXAMPLE.org."), &got), FACT_FOUND);
    check(got->secure);
    check_int(got->count, 1);
    check(got->records != &mx);
    check_slice(got->records[0].data, SLICE("mx.example.org"));
    check_int(f.wanted, 1);
    at = 0;
    check(facts_next_wanted(&f, &at, &q));
    check_int(q.type, DNS_A);
    check(!facts_next_wanted(&f, &at, &q));
}

static void every_outcome_has_its_word(void **state)
{
    static const struct {
        enum dns_outcome outcome;
        enum fact fact;
    } rows[] = {
        {DNS_FOUND,    FACT_FOUND   },
        {DNS_NODATA,   FACT_NONE    },
        {DNS_NXDOMAIN, FACT_NXDOMAIN},
        {DNS_FAILED,   FACT_FAILED  },
        {DNS_BOGUS,    FACT_BOGUS   },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct facts f;
        struct dns_question q = {DNS_TXT, SLICE("example.org")};
        struct dns_answer answer = {.outcome = rows[i].outcome, .why = SLICE("because")};
        const struct dns_answer *got;

        facts_init(&f, &arena);
        facts_learn(&f, &q, &answer); /* before anybody asks */
        check_int(f.wanted, 0);
        check_int(facts_ask(&f, DNS_TXT, q.name, &got), rows[i].fact);
        check_slice(got->why, SLICE("because"));
    }
}

/* A second run must come to the same place as the first. */
static void the_first_answer_stays(void **state)
{
    struct facts f;
    struct dns_question q = {DNS_A, SLICE("example.org")};
    struct dns_answer first = {.outcome = DNS_NODATA}, second = {.outcome = DNS_NXDOMAIN};
    const struct dns_answer *got;

    (void)state;
    facts_init(&f, &arena);
    facts_learn(&f, &q, &first);
    facts_learn(&f, &q, &second);
    check_int(facts_ask(&f, DNS_A, q.name, &got), FACT_NONE);
}

static void no_name_is_no_question(void **state)
{
    struct facts f;
    const struct dns_answer *got;

    (void)state;
    facts_init(&f, &arena);
    check_int(facts_ask(&f, DNS_A, SLICE("a..b"), &got), FACT_NXDOMAIN);
    check_int(facts_ask(&f, DNS_A, SLICE("."), &got), FACT_NXDOMAIN);
    check_int(facts_ask(&f, DNS_A, SLICE(""), &got), FACT_NXDOMAIN);
    check_int(f.wanted, 0);
}

static void questions_have_a_bound(void **state)
{
    struct facts f;
    const struct dns_answer *got;

    (void)state;
    facts_init(&f, &arena);
    for (unsigned i = 0; i < FACTS_MAX; i++)
        check_int(facts_ask(&f, DNS_A, arena_printf(&arena, "h%u.example", i), &got), FACT_UNKNOWN);
    check_int(facts_ask(&f, DNS_A, SLICE("one-more.example"), &got), FACT_FAILED);
    check(got->why.len > 0);
    check_int(facts_ask(&f, DNS_A, SLICE("h0.example"), &got), FACT_UNKNOWN);
    check_int(f.wanted, FACTS_MAX);
}

static void bytes_have_a_bound(void **state)
{
    static char text[60000];
    struct facts f;
    struct dns_record record = {
        .data = {text, sizeof(text)}
    };
    struct dns_answer answer = {.outcome = DNS_FOUND, .records = &record, .count = 1};
    unsigned kept = 0;

    (void)state;
    facts_init(&f, &arena);
    for (unsigned i = 0; i < 30; i++) {
        struct dns_question q = {DNS_TXT, arena_printf(&arena, "t%u.example", i)};
        const struct dns_answer *got;

        facts_learn(&f, &q, &answer);
        if (facts_ask(&f, DNS_TXT, q.name, &got) == FACT_FOUND)
            kept++;
        else
            check_int(got->outcome, DNS_FAILED);
    }
    check_int(kept, FACTS_BYTES_MAX / (sizeof(text) + sizeof(record)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(unknown_until_learnt, release),
        cmocka_unit_test_teardown(every_outcome_has_its_word, release),
        cmocka_unit_test_teardown(the_first_answer_stays, release),
        cmocka_unit_test_teardown(no_name_is_no_question, release),
        cmocka_unit_test_teardown(questions_have_a_bound, release),
        cmocka_unit_test_teardown(bytes_have_a_bound, release),
    };

    return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
