/*
 * resolver_test.c - libunbound on our loop, without any network: opening, closing while requests
 * run, answers that come at once, deadlines. What servers answer is in tests/interop.
 */
#include "check.h"

#include "dns/resolver.h"

#include "base/fail.h"
#include "base/memory.h"

/* A name server that never answers: nobody listens there, and nothing is sent anywhere else. */
static const struct resolver_options silent = {
    .source = DNS_FROM_FORWARDER, .forwarder = SLICE_INIT("127.0.0.1@9"), .deadline_ms = 300};

struct world {
    struct net *net;
    struct loop *loop;
    struct resolver *resolver;
    unsigned told;
};

static void open_world(struct world *w, const struct resolver_options *options)
{
    *w = (struct world){.net = net_real_new()};
    w->loop = loop_new(w->net, clock_real());
    w->resolver = resolver_new(w->loop, options);
    check(w->resolver != NULL);
}

static void close_world(struct world *w)
{
    resolver_free(w->resolver);
    loop_free(w->loop);
    w->net->ops->free(w->net);
}

struct asking {
    struct resolver_request request;
    struct world *world;
    enum dns_outcome outcome;
    bool told, nested;
};

static bool inside_ask;

static void on_done(struct resolver_request *r)
{
    struct asking *a = LIST_ENTRY(r, struct asking, request);

    check(!inside_ask && !a->told && r->answer != NULL && r->running == NULL);
    a->told = true;
    a->outcome = r->answer->outcome;
    a->world->told++;
}

static void ask(struct world *w, struct asking *a, enum dns_type type, struct slice name)
{
    *a = (struct asking){
        .request = {.done = on_done, .question = {type, name}},
          .world = w
    };
    inside_ask = true;
    resolver_ask(w->resolver, &a->request);
    inside_ask = false;
}

static void run_until_told(struct world *w, unsigned count)
{
    while (w->told < count)
        check_int(loop_round(w->loop, true), 0);
}

/* libunbound knows localhost by itself and calls back before it returns. */
static void an_answer_at_once_is_told_later(void **state)
{
    struct world w;
    struct asking a;

    (void)state;
    open_world(&w, &silent);
    ask(&w, &a, DNS_A, SLICE("localhost"));
    check(!a.told);
    run_until_told(&w, 1);
    check_int(a.outcome, DNS_FOUND);
    close_world(&w);
}

static void silence_ends_with_the_deadline(void **state)
{
    struct world w;
    struct asking a;

    (void)state;
    open_world(&w, &silent);
    ask(&w, &a, DNS_MX, SLICE("example.org"));
    run_until_told(&w, 1);
    check_int(a.outcome, DNS_FAILED);
    close_world(&w);
}

static void cancelled_requests_are_not_told(void **state)
{
    struct world w;
    struct asking a, b, c;

    (void)state;
    open_world(&w, &silent);
    ask(&w, &a, DNS_MX, SLICE("example.org"));
    ask(&w, &b, DNS_MX, SLICE("example.org")); /* the same question */
    ask(&w, &c, DNS_A, SLICE("localhost"));    /* already answered, not yet told */
    resolver_cancel(w.resolver, &a.request);
    resolver_cancel(w.resolver, &a.request);
    resolver_cancel(w.resolver, &c.request);
    run_until_told(&w, 1);
    check(b.told && !a.told && !c.told);
    close_world(&w);
}

static void closing_forgets_what_runs(void **state)
{
    (void)state;
    for (unsigned rounds = 0; rounds < 4; rounds++) {
        struct world w;
        struct asking *asked = memory_new(20 * sizeof(*asked));
        struct arena arena = {0};

        open_world(&w, &silent);
        for (unsigned i = 0; i < 20; i++)
            ask(&w, &asked[i], i % 2 ? DNS_MX : DNS_TXT,
                i == 7 ? SLICE("localhost") : arena_printf(&arena, "h%u.example", i / 3));
        for (unsigned i = 0; i < rounds; i++)
            loop_round(w.loop, false);
        resolver_free(w.resolver);
        w.resolver = NULL;
        memory_free(asked); /* nobody looks at it any more */
        arena_done(&arena);
        loop_round(w.loop, false);
        close_world(&w);
    }
}

/* What done() may do: cancel others, ask again, free its owner. */
static void on_done_meddle(struct resolver_request *r)
{
    struct asking *a = LIST_ENTRY(r, struct asking, request), *other = a + 1;

    a->world->told++;
    if (a->nested) {
        memory_free(a);
        return;
    }
    resolver_cancel(a->world->resolver, &other->request);
    a->nested = true;
    resolver_ask(a->world->resolver, r);
}

static void done_may_do_what_it_likes(void **state)
{
    struct world w;

    (void)state;
    open_world(&w, &silent);
    struct asking *two = memory_new(2 * sizeof(*two));
    ask(&w, &two[0], DNS_A, SLICE("localhost"));
    ask(&w, &two[1], DNS_AAAA, SLICE("localhost"));
    two[0].request.done = on_done_meddle;
    run_until_told(&w, 2);
    close_world(&w);
}

static void names_with_backslashes(void **state)
{
    struct world w;
    struct asking a;

    (void)state;
    open_world(&w, &silent);
    ask(&w, &a, DNS_A, SLICE("a\\b\\.localhost"));
    run_until_told(&w, 1);
    close_world(&w);
}

static int failures;

static void count_failure(void *ctx, int code, const char *operation, struct slice name)
{
    (void)ctx;
    (void)operation;
    check(code < 0 && name.len > 0);
    failures++;
}

static void what_cannot_be_opened_is_told(void **state)
{
    static const struct resolver_setting wrong = {"no-such-setting:", "yes"};
    const struct resolver_options rows[] = {
        {.source = DNS_FROM_FORWARDER,        .forwarder = SLICE_INIT("not-an-address")},
        {                       .source = DNS_FROM_ROOT, .anchor_path = "/nowhere/root.key"                                         },
        { .source = DNS_FROM_ROOT,                 .settings = &wrong,                                                          .setting_count = 1},
    };
    struct net *net = net_real_new();
    struct loop *loop = loop_new(net, clock_real());

    (void)state;
    fail_set_sink(count_failure, NULL);
    CHECK_ROWS (i, rows) {
        failures = 0;
        check(resolver_new(loop, &rows[i]) == NULL);
        check_int(failures, 1);
    }
    fail_set_sink(NULL, NULL);
    loop_free(loop);
    net->ops->free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_at_once_is_told_later),
        cmocka_unit_test(silence_ends_with_the_deadline),
        cmocka_unit_test(cancelled_requests_are_not_told),
        cmocka_unit_test(closing_forgets_what_runs),
        cmocka_unit_test(done_may_do_what_it_likes),
        cmocka_unit_test(names_with_backslashes),
        cmocka_unit_test(what_cannot_be_opened_is_told),
    };

    return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
