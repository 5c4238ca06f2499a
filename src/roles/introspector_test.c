/*
 * introspector_test.c - whose a token is: what is asked, what is remembered, and that everybody who
 * waits is answered.
 *
 * What is told: "ask TOKEN" when the courier is told, "good NAME", "bad", "unjudged WHY".
 */
#include "roles/introspector.h"

#include "check.h"
#include "fakes/net.h"

enum { STORY_MAX = 64 * 1024, WALL_S = 1800000000 };

struct world {
    struct fake_clock clock;
    struct fake_network *network;
    struct net *net;
    struct loop *loop;
    struct introspector *all;
    struct introspection provider, other;
    struct token_question ann, bob;
    uint64_t number; /* of the last question */
    bool away;
    struct buf story;
};

static struct world *the_world; /* of this test */

static bool on_send(void *ctx, const struct fetching *f)
{
    struct world *w = ctx;

    check(f->kind == FETCHING_INTROSPECTION);
    check_slice(f->listener, SLICE("*:465"));
    check_slice(f->url, w->provider.url);
    check(f->terms.claim == CLAIM_EMAIL);
    check_slice(f->terms.audience, SLICE("mail"));
    check_slice(f->header, SLICE("Authorization: Basic aWQ6c2VjcmV0")); /* id:secret */
    check(buf_printf(&w->story, "ask %.*s\n", SLICE_PRINTF(f->form)));
    w->number = f->number;
    return !w->away;
}

static void on_done(struct token_question *q, const struct token_judgement *j)
{
    static const char *const words[] = {"good", "bad", "unjudged"};

    (void)q;
    check(buf_printf(&the_world->story, "%s %.*s\n", words[j->verdict], SLICE_PRINTF(j->text)));
}

static void provider_init(struct introspection *i, struct slice url)
{
    *i = (struct introspection){
        .url = url, .client = SLICE("id"), .terms = {CLAIM_EMAIL, SLICE("mail")}
    };
    buf_init(&i->secret, 100);
    check(buf_append(&i->secret, SLICE("secret")));
}

static void begin(struct world *w)
{
    static const struct net_address host = {
        .ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}
    };

    *w = (struct world){0};
    the_world = w;
    fake_clock_init(&w->clock);
    w->clock.wall_now_us = WALL_S * 1000000ull;
    w->network = fake_network_new(&w->clock, &(struct fake_network_options){.seed = 1});
    w->net = fake_net_new(w->network, &host);
    w->loop = loop_new(w->net, &w->clock.clock);
    provider_init(&w->provider, SLICE("https://id.example/i"));
    provider_init(&w->other, SLICE("https://else.example/i"));
    buf_init(&w->story, STORY_MAX);
    w->all = introspector_new(&(struct introspector_options){
        .loop = w->loop, .clock = &w->clock.clock, .seed = {1, 2},
                .send = on_send, .ctx = w
    });
}

static void end(struct world *w)
{
    introspector_free(w->all);
    buf_done(&w->provider.secret);
    buf_done(&w->other.secret);
    buf_done(&w->story);
    loop_free(w->loop);
    w->net->ops->free(w->net);
    fake_network_free(w->network);
}

static void check_story(struct world *w, const char *want)
{
    check_slice(buf_slice(&w->story), slice_of(want));
    buf_clear(&w->story);
}

static void wait_ms(struct world *w, uint64_t ms)
{
    fake_clock_advance(&w->clock, ms * 1000);
    check_int(loop_round(w->loop, false), 0);
}

static void ask(struct world *w, struct token_question *q, const char *token)
{
    introspector_ask(w->all, q, SLICE("*:465"), &w->provider, slice_of(token), on_done);
}

static void answer(struct world *w, unsigned status, enum introspection_verdict verdict,
                   const char *user, uint64_t expires_s)
{
    struct fetched f = {
        .number = w->number,
        .kind = FETCHING_INTROSPECTION,
        .status = status,
        .why = SLICE("it is away"),
        .whose = {verdict, slice_of(user), expires_s}
    };

    introspector_answered(w->all, &f);
    introspector_answered(w->all, &f); /* it waits no more */
}

static bool knows(struct world *w, const struct introspection *provider, const char *token)
{
    struct slice user;

    return introspector_knows(w->all, provider, slice_of(token), &user) &&
           slice_equal(user, SLICE("ann"));
}

#define FORM(token) "ask token=" token "&token_type_hint=access_token\n"

static void an_answer_means_something(void **state)
{
    static const struct {
        unsigned status;
        enum introspection_verdict verdict;
        uint64_t expires_s;
        const char *told;
        bool known;
    } rows[] = {
        {200, INTROSPECTION_ACTIVE,    0,          "good ann\n",                                               true },
        {200, INTROSPECTION_ACTIVE,    WALL_S + 1, "good ann\n",                                               true },
        {200, INTROSPECTION_ACTIVE,    WALL_S,     "bad \n",                                                   false},
        {200, INTROSPECTION_ACTIVE,    1,          "bad \n",                                                   false},
        {200, INTROSPECTION_INACTIVE,  0,          "bad \n",                                                   false},
        {200, INTROSPECTION_ELSEWHERE, 0,          "bad the token was not given for this server\n",            false},
        {200, INTROSPECTION_GARBAGE,   0,          "unjudged its provider's answer is not that of RFC 7662\n",
         false                                                                                                      },
        {201, INTROSPECTION_ACTIVE,    0,          "unjudged its provider answered with status 201\n",         false},
        {401, INTROSPECTION_GARBAGE,   0,
         "unjudged its provider does not take our client name and secret: status 401\n",                       false},
        {500, INTROSPECTION_ACTIVE,    0,          "unjudged its provider answered with status 500\n",         false},
        {0,   INTROSPECTION_ACTIVE,    0,          "unjudged its provider cannot be asked: it is away\n",      false},
    };
    struct world w;

    (void)state;
    CHECK_ROWS (i, rows) {
        begin(&w);
        ask(&w, &w.ann, "t/1");
        check_story(&w, FORM("t%2F1"));
        answer(&w, rows[i].status, rows[i].verdict, "ann", rows[i].expires_s);
        check_story(&w, rows[i].told);
        check_int(knows(&w, &w.provider, "t/1"), rows[i].known);
        check(!knows(&w, &w.other, "t/1") && !knows(&w, &w.provider, "t/2"));
        end(&w);
    }
}

static void what_is_good_is_known_for_a_while(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    ask(&w, &w.ann, "long");
    answer(&w, 200, INTROSPECTION_ACTIVE, "ann", 0);
    ask(&w, &w.ann, "short");
    answer(&w, 200, INTROSPECTION_ACTIVE, "ann", WALL_S + 10);
    wait_ms(&w, 10 * 1000 - 1);
    assert_true(knows(&w, &w.provider, "long") && knows(&w, &w.provider, "short"));
    wait_ms(&w, 1);
    assert_true(knows(&w, &w.provider, "long") && !knows(&w, &w.provider, "short"));
    wait_ms(&w, INTROSPECTOR_KEEP_MS - 10 * 1000);
    assert_false(knows(&w, &w.provider, "long"));
    end(&w);
}

/* Several listeners may ask at one URL, each in its own words. */
static void what_one_asked_another_did_not(void **state)
{
    static const struct introspection rows[] = {
        {.url = SLICE_INIT("https://id.example/i"),
         .client = SLICE_INIT("id2"),
         .terms = {CLAIM_EMAIL, SLICE_INIT("mail")}   },
        {.url = SLICE_INIT("https://id.example/i"),
         .client = SLICE_INIT("id"),
         .terms = {CLAIM_USERNAME, SLICE_INIT("mail")}},
        {.url = SLICE_INIT("https://id.example/i"),
         .client = SLICE_INIT("id"),
         .terms = {CLAIM_EMAIL, SLICE_INIT("")}       },
        {.url = SLICE_INIT("https://id.example/i"),
         .client = SLICE_INIT("i"),
         .terms = {CLAIM_EMAIL, SLICE_INIT("dmail")}  },
        {.url = SLICE_INIT("https://id.example/ii"),
         .client = SLICE_INIT("d"),
         .terms = {CLAIM_EMAIL, SLICE_INIT("mail")}   },
    };
    struct world w;

    (void)state;
    begin(&w);
    ask(&w, &w.ann, "t");
    answer(&w, 200, INTROSPECTION_ACTIVE, "ann", 0);
    assert_true(knows(&w, &w.provider, "t"));
    CHECK_ROWS (i, rows)
        check(!knows(&w, &rows[i], "t"));
    end(&w);
}

static void everybody_is_answered(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    ask(&w, &w.ann, "a");
    wait_ms(&w, INTROSPECTOR_PATIENCE_MS - 1);
    check_story(&w, FORM("a"));
    wait_ms(&w, 1);
    check_story(&w, "unjudged its provider does not answer in time\n");
    answer(&w, 200, INTROSPECTION_ACTIVE, "ann", 0); /* too late */
    check_story(&w, "");
    assert_false(knows(&w, &w.provider, "a"));

    ask(&w, &w.ann, "a");
    ask(&w, &w.bob, "b");
    token_question_cancel(&w.ann);
    introspector_courier_gone(w.all);
    check_story(
        &w,
        FORM("a") FORM("b") "unjudged its provider's answer is lost: the courier has just ended\n");

    w.away = true;
    ask(&w, &w.ann, "c");
    check_story(&w, FORM("c") "unjudged its provider cannot be asked now\n");
    end(&w);
}

static void there_is_an_end_to_waiting_questions(void **state)
{
    static struct token_question many[INTROSPECTOR_WAITING_MAX + 1];
    struct world w;

    (void)state;
    begin(&w);
    for (unsigned i = 0; i < INTROSPECTOR_WAITING_MAX; i++)
        ask(&w, &many[i], "x");
    buf_clear(&w.story);
    ask(&w, &many[INTROSPECTOR_WAITING_MAX], "x");
    check_story(&w, "unjudged its provider is being asked about too many tokens\n");
    token_question_cancel(&many[3]);
    ask(&w, &w.ann, "y");
    check_story(&w, FORM("y"));
    end(&w); /* they wait */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_means_something),
        cmocka_unit_test(what_is_good_is_known_for_a_while),
        cmocka_unit_test(what_one_asked_another_did_not),
        cmocka_unit_test(everybody_is_answered),
        cmocka_unit_test(there_is_an_end_to_waiting_questions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
