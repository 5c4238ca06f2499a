/*
 * lookup_test.c - ask and rerun from one end to the other, over a resolver that is slow and
 * sometimes fails.
 */
#include "check.h"

#include "dns/lookup.h"

#include "fakes/clock.h"
#include "fakes/dns.h"
#include "fakes/net.h"
#include "fakes/random.h"

struct world {
    struct fake_clock clock;
    struct fake_network *network;
    struct net *net;
    struct loop *loop;
    struct fake_random random;
    struct fake_dns *dns;
    struct resolver *resolver;
    struct arena arena;
    struct facts facts;
    struct lookup lookup;
    unsigned rounds;
    bool finished;
    enum fact last;
    struct slice found;
};

/* A TXT record whose text names where the next one is: straight-line code, two rounds. */
static enum fact follow(struct world *w)
{
    const struct dns_answer *first, *second;
    enum fact fact = facts_ask(&w->facts, DNS_TXT, SLICE("start.example"), &first);

    if (fact != FACT_FOUND)
        return fact;
    fact = facts_ask(&w->facts, DNS_TXT, first->records[0].data, &second);
    if (fact == FACT_FOUND)
        w->found = second->records[0].data;
    return fact;
}

static void step(struct world *w)
{
    w->last = follow(w);
    if (w->last == FACT_UNKNOWN) {
        w->rounds++;
        lookup_start(&w->lookup, w->resolver, &w->facts);
    } else {
        w->finished = true;
    }
}

static void on_lookup(struct lookup *l)
{
    step(LIST_ENTRY(l, struct world, lookup));
}

static void open_world(struct world *w, uint64_t seed, const struct fake_dns_options *options)
{
    static const struct net_address here = {
        .ip = {[10] = 0xff, 0xff, 10, 0, 0, 1}
    };
    struct fake_network_options calm = {.seed = seed};

    *w = (struct world){.lookup = {.done = on_lookup}};
    fake_clock_init(&w->clock);
    w->network = fake_network_new(&w->clock, &calm);
    w->net = fake_net_new(w->network, &here);
    w->loop = loop_new(w->net, &w->clock.clock);
    fake_random_init(&w->random, seed);
    w->dns = fake_dns_new(w->loop, &w->random.random, options);
    w->resolver = fake_dns_resolver(w->dns);
    facts_init(&w->facts, &w->arena);
    fake_dns_txt(w->dns, SLICE("start.example"), SLICE("next.example"));
    fake_dns_txt(w->dns, SLICE("next.example"), SLICE("end"));
}

static void close_world(struct world *w)
{
    resolver_free(w->resolver);
    loop_free(w->loop);
    w->net->ops->free(w->net);
    fake_network_free(w->network);
    arena_done(&w->arena);
}

static void run(struct world *w)
{
    step(w);
    while (!w->finished)
        check_int(loop_round(w->loop, true), 0);
}

static void two_rounds_for_two_questions(void **state)
{
    struct fake_dns_options slow = {.delay_max_ms = 500};

    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world w;

        open_world(&w, seed, &slow);
        run(&w);
        check_int(w.last, FACT_FOUND);
        check_slice(w.found, SLICE("end"));
        check_int(w.rounds, 2);
        check_int(fake_dns_asked(w.dns), 2);
        close_world(&w);
    }
}

static void faults_end_in_failed(void **state)
{
    struct fake_dns_options bad = {.delay_max_ms = 10, .faults_per_million = 500000};
    unsigned failed = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct world w;

        open_world(&w, seed, &bad);
        run(&w);
        check(w.last == FACT_FOUND || w.last == FACT_FAILED);
        failed += w.last == FACT_FAILED;
        close_world(&w);
    }
    check(failed > 10 && failed < 50);
}

static void several_questions_are_asked_at_once(void **state)
{
    struct world w;
    const struct dns_answer *answer;
    struct fake_dns_options slow = {.delay_max_ms = 100};

    (void)state;
    open_world(&w, 1, &slow);
    for (unsigned i = 0; i < 10; i++)
        facts_ask(&w.facts, DNS_A, arena_printf(&w.arena, "h%u.example", i), &answer);
    run(&w);
    check_int(w.rounds, 2);
    check_int(facts_ask(&w.facts, DNS_A, SLICE("h3.example"), &answer), FACT_NXDOMAIN);
    close_world(&w);
}

static void cancelled_it_is_not_told(void **state)
{
    struct world w;
    struct fake_dns_options slow = {.delay_max_ms = 100};

    (void)state;
    open_world(&w, 1, &slow);
    lookup_cancel(&w.lookup);
    step(&w);
    lookup_cancel(&w.lookup);
    lookup_cancel(&w.lookup);
    check_int(w.lookup.running, 0);
    fake_clock_advance(&w.clock, 1000000);
    check_int(loop_round(w.loop, false), 0);
    check_int(w.rounds, 1);
    close_world(&w);
}

/* The fake answers as the real one would. */
static void the_fake_table(void **state)
{
    static const unsigned char ip[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};

    static const struct {
        enum dns_type type;
        const char *name;
        enum fact fact;
        const char *canonical;
        bool secure;
    } rows[] = {
        {DNS_MX,  "d.example",     FACT_FOUND,    "d.example",     true },
        {DNS_A,   "d.example",     FACT_NONE,     "d.example",     true },
        {DNS_A,   "mx.example",    FACT_FOUND,    "mx.example",    false},
        {DNS_MX,  "alias.example", FACT_FOUND,    "d.example",     true },
        {DNS_MX,  "round.example", FACT_FAILED,   "round.example", false},
        {DNS_MX,  "none.example",  FACT_NXDOMAIN, "none.example",  false},
        {DNS_TXT, "bad.example",   FACT_BOGUS,    "bad.example",   false},
    };
    struct world w;
    struct fake_dns_options usual = {0};

    (void)state;
    open_world(&w, 1, &usual);
    fake_dns_mx(w.dns, SLICE("d.example"), 10, SLICE("mx.example"));
    fake_dns_address(w.dns, SLICE("mx.example"), ip);
    fake_dns_alias(w.dns, SLICE("alias.example"), SLICE("d.example"));
    fake_dns_alias(w.dns, SLICE("round.example"), SLICE("round2.example"));
    fake_dns_alias(w.dns, SLICE("round2.example"), SLICE("round.example"));
    fake_dns_txt(w.dns, SLICE("bad.example"), SLICE("x"));
    fake_dns_outcome(w.dns, DNS_TXT, SLICE("bad.example"), DNS_BOGUS);
    fake_dns_secure(w.dns, SLICE("d.example"));
    CHECK_ROWS (i, rows) {
        const struct dns_answer *answer;

        facts_ask(&w.facts, rows[i].type, slice_of(rows[i].name), &answer);
    }
    run(&w);
    CHECK_ROWS (i, rows) {
        const struct dns_answer *answer;

        check_int(facts_ask(&w.facts, rows[i].type, slice_of(rows[i].name), &answer), rows[i].fact);
        check_slice(answer->canonical, slice_of(rows[i].canonical));
        check_int(answer->secure, rows[i].secure);
    }
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_rounds_for_two_questions),
        cmocka_unit_test(faults_end_in_failed),
        cmocka_unit_test(several_questions_are_asked_at_once),
        cmocka_unit_test(cancelled_it_is_not_told),
        cmocka_unit_test(the_fake_table),
    };

    return cmocka_run_group_tests_name("lookup", tests, NULL, NULL);
}
