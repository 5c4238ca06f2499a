/*
 * errand_test.c - errands into a web that is a table, by names that are one too.
 */
#include "roles/errand.h"

#include "check.h"
#include "fakes/clock.h"
#include "fakes/dns.h"
#include "fakes/fetch.h"
#include "fakes/net.h"
#include "fakes/random.h"

#include <limits.h>

struct world {
    struct fake_clock clock;
    struct fake_network *network;
    struct net *net;
    struct loop *loop;
    struct fake_random random;
    struct fake_dns *dns;
    struct resolver *resolver;
    struct fake_web *web;
    struct errand errand;
    unsigned done;
    struct fetch_answer answer;
    char text[200];
};

static const unsigned char address[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1};

static void on_done(struct errand *e)
{
    struct world *w = LIST_ENTRY(e, struct world, errand);
    struct slice text = e->answer->outcome == FETCH_ANSWERED ? e->answer->body : e->answer->why;

    w->done++;
    w->answer = *e->answer;
    (void)snprintf(w->text, sizeof(w->text), "%.*s", SLICE_PRINTF(text));
}

static void give_names(struct world *w)
{
    w->dns =
        fake_dns_new(w->loop, &w->random.random, &(struct fake_dns_options){.delay_max_ms = 500});
    w->resolver = fake_dns_resolver(w->dns);
    fake_dns_address(w->dns, SLICE("id.example"), address);
}

static void begin(struct world *w)
{
    static const struct net_address host = {
        .ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}
    };

    *w = (struct world){0};
    fake_clock_init(&w->clock);
    fake_random_init(&w->random, 1);
    w->network = fake_network_new(&w->clock, &(struct fake_network_options){.seed = 1});
    w->net = fake_net_new(w->network, &host);
    w->loop = loop_new(w->net, &w->clock.clock);
    give_names(w);
    w->web =
        fake_web_new(w->loop, &w->random.random, &(struct fake_web_options){.delay_max_ms = 500});
    w->errand = (struct errand){.done = on_done,
                                .loop = w->loop,
                                .resolver = w->resolver,
                                .fetcher = fake_web_fetcher(w->web)};
}

static void end(struct world *w)
{
    struct fetcher *fetcher = w->errand.fetcher;

    errand_cancel(&w->errand);
    fetcher_free(fetcher);
    resolver_free(w->resolver);
    loop_free(w->loop);
    w->net->ops->free(w->net);
    fake_network_free(w->network);
}

/* Until it is done, at most. */
static void go_rounds(struct world *w, unsigned rounds)
{
    for (unsigned i = 0; i < rounds && w->done == 0; i++)
        check_int(loop_round(w->loop, true), 0);
}

static void run(struct world *w, struct slice url)
{
    w->done = 0;
    w->errand.url = url;
    errand_start(&w->errand);
    check_int(w->done, 0); /* not from inside */
    go_rounds(w, UINT_MAX);
}

static void asks_and_is_answered(void **state)
{
    struct slice body = SLICE("a=b");
    struct world w;

    (void)state;
    begin(&w);
    fake_web_page(w.web, SLICE("id.example"), SLICE("/token"), SLICE("a=b"), 200, SLICE("yes"));
    fake_web_page(w.web, SLICE("10.0.0.1"), SLICE("/"), SLICE(""), 404, SLICE("no"));
    w.errand.body = &body;
    run(&w, SLICE("https://id.example/token"));
    check_int(w.answer.outcome, FETCH_ANSWERED);
    check_int(w.answer.status, 200);
    assert_string_equal(w.text, "yes");
    w.errand.body = NULL;
    run(&w, SLICE("https://10.0.0.1")); /* no name to look up, our own network, no path */
    check_int(w.answer.status, 404);
    assert_string_equal(w.text, "no");
    end(&w);
}

static void cannot_be_asked(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    run(&w, SLICE("https://nobody.example/token"));
    check_int(w.answer.outcome, FETCH_FAILED);
    check(w.text[0] != '\0');
    run(&w, SLICE("http://id.example/token"));
    check_int(w.answer.outcome, FETCH_FAILED);
    w.errand.resolver = NULL;
    run(&w, SLICE("https://id.example/token"));
    check_int(w.answer.outcome, FETCH_FAILED);
    check_int(fake_web_asked(w.web), 0);
    end(&w);
}

/* Whatever it was at when the resolver went. */
static void another_resolver(void **state)
{
    (void)state;
    for (unsigned rounds = 0; rounds < 6; rounds++) {
        struct world w;

        begin(&w);
        fake_web_page(w.web, SLICE("id.example"), SLICE("/token"), SLICE(""), 200, SLICE("yes"));
        w.errand.url = SLICE("https://id.example/token");
        errand_start(&w.errand);
        go_rounds(&w, rounds);
        errand_halt(&w.errand);
        resolver_free(w.resolver);
        give_names(&w);
        errand_go_on(&w.errand, w.resolver);
        go_rounds(&w, UINT_MAX);
        assert_string_equal(w.text, "yes");
        check_int(w.done, 1);
        check_int(fake_web_asked(w.web), 1);
        end(&w);
    }
}

static void a_call_that_is_taken_back(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    fake_web_page(w.web, SLICE("id.example"), SLICE("/token"), SLICE(""), 200, SLICE("yes"));
    errand_cancel(&w.errand); /* before it was ever started */
    w.errand.url = SLICE("https://id.example/token");
    for (unsigned rounds = 0; rounds < 6; rounds++) {
        errand_start(&w.errand);
        go_rounds(&w, rounds);
        errand_cancel(&w.errand);
        w.done = 0;
    }
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_and_is_answered),
        cmocka_unit_test(cannot_be_asked),
        cmocka_unit_test(another_resolver),
        cmocka_unit_test(a_call_that_is_taken_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
