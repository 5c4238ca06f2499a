/*
 * bearers_test.c - wishes find their answers, whatever becomes of the vault.
 */
#include "roles/bearers.h"

#include "check.h"
#include "fakes/net.h"

static const struct oauth oauth = {.token = SLICE_INIT("https://id.example/t"),
                                   .client = SLICE_INIT("app")};
static const struct relay smart = {
    .name = SLICE_INIT("smart"), .user = SLICE_INIT("me@example.org"), .oauth = &oauth};

struct world {
    struct fake_clock clock;
    struct fake_network *network;
    struct net *net;
    struct loop *loop;
    struct bearers all;
    struct bearer ann, bob;
    uint64_t sent[8];
    unsigned sent_count, answers;
    enum token_result result;
    char text[TOKEN_TEXT_MAX];
    bool away;
};

static bool send_wish(void *ctx, const struct token_wish *wish)
{
    struct world *w = ctx;

    if (w->away)
        return false;
    check_slice(wish->relay, smart.name);
    check_slice(wish->provider, oauth.token);
    check_slice(wish->client, oauth.client);
    check_slice(wish->user, smart.user);
    w->sent[w->sent_count++] = wish->number;
    return true;
}

static struct world *the_world; /* of this test */

static void on_done(struct bearer *b, const struct token_answer *a)
{
    struct world *w = the_world;

    (void)b;
    w->answers++;
    w->result = a->result;
    (void)snprintf(w->text, sizeof(w->text), "%.*s", SLICE_PRINTF(a->text));
}

static void begin(struct world *w)
{
    static const struct net_address host = {
        .ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}
    };

    *w = (struct world){0};
    the_world = w;
    fake_clock_init(&w->clock);
    w->network = fake_network_new(&w->clock, &(struct fake_network_options){.seed = 1});
    w->net = fake_net_new(w->network, &host);
    w->loop = loop_new(w->net, &w->clock.clock);
    bearers_init(&w->all, w->loop, send_wish, w);
}

static void end(struct world *w)
{
    bearers_done(&w->all);
    loop_free(w->loop);
    w->net->ops->free(w->net);
    fake_network_free(w->network);
}

static void each_gets_its_own(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    bearers_wish(&w.all, &w.ann, &smart, 0, on_done);
    bearers_wish(&w.all, &w.bob, &smart, 5, on_done);
    check_int(w.sent_count, 2);
    bearers_answered(&w.all, &(struct token_answer){w.sent[1], TOKEN_GIVEN, 6, SLICE("b")});
    check_int(w.answers, 1);
    assert_string_equal(w.text, "b");
    bearers_answered(&w.all, &(struct token_answer){w.sent[1], TOKEN_GIVEN, 6, SLICE("again")});
    bearers_answered(&w.all, &(struct token_answer){99, TOKEN_GIVEN, 6, SLICE("nobody's")});
    check_int(w.answers, 1);
    bearer_cancel(&w.ann);
    bearers_answered(&w.all, &(struct token_answer){w.sent[0], TOKEN_GIVEN, 6, SLICE("a")});
    check_int(w.answers, 1);
    end(&w);
}

static void a_new_vault_is_asked_again(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    w.away = true;
    bearers_wish(&w.all, &w.ann, &smart, 0, on_done);
    check_int(w.sent_count, 0);
    w.away = false;
    bearers_vault_is_back(&w.all);
    check_int(w.sent_count, 1);
    bearers_answered(&w.all, &(struct token_answer){w.sent[0], TOKEN_GIVEN, 6, SLICE("a")});
    check_int(w.answers, 1);
    bearers_vault_is_back(&w.all);
    check_int(w.sent_count, 1);
    end(&w);
}

static void nobody_waits_for_ever(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    bearers_wish(&w.all, &w.ann, &smart, 0, on_done);
    while (w.answers == 0)
        check_int(loop_round(w.loop, true), 0);
    check_int(w.result, TOKEN_LATER);
    check(w.clock.now_us >= 60 * 1000000ull);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gets_its_own),
        cmocka_unit_test(a_new_vault_is_asked_again),
        cmocka_unit_test(nobody_waits_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
