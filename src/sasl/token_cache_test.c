/*
 * token_cache_test.c - what is remembered of a token, for how long, and whose word it was.
 */
#include "sasl/token_cache.h"

#include "check.h"

static const uint64_t seed[2] = {1, 2};

static void test_known(void **state)
{
    struct token_cache *c = token_cache_new(seed);
    struct slice user = SLICE("");

    static const struct {
        struct slice issuer, token;
        uint64_t now_ms;
        bool known;
        struct slice user;
    } rows[] = {
        {SLICE_INIT("a"),  SLICE_INIT("bc"),  0,   true,  SLICE_INIT("ann")},
        {SLICE_INIT("a"),  SLICE_INIT("bc"),  99,  true,  SLICE_INIT("ann")},
        {SLICE_INIT("ab"), SLICE_INIT("c"),   0,   false, SLICE_INIT("")   },
        {SLICE_INIT("b"),  SLICE_INIT("bc"),  0,   true,  SLICE_INIT("bob")},
        {SLICE_INIT("a"),  SLICE_INIT("bcd"), 0,   false, SLICE_INIT("")   },
        {SLICE_INIT("a"),  SLICE_INIT("bc"),  100, false, SLICE_INIT("")   },
        {SLICE_INIT("a"),  SLICE_INIT("bc"),  0,   false, SLICE_INIT("")   }, /* forgotten */
    };

    (void)state;
    token_cache_put(c, SLICE("a"), SLICE("bc"), SLICE("eve"), 100);
    token_cache_put(c, SLICE("a"), SLICE("bc"), SLICE("ann"), 100);
    token_cache_put(c, SLICE("b"), SLICE("bc"), SLICE("bob"), 100);
    CHECK_ROWS (i, rows) {
        check_int(token_cache_get(c, rows[i].issuer, rows[i].token, rows[i].now_ms, &user),
                  rows[i].known);
        if (rows[i].known)
            check_slice(user, rows[i].user);
    }
    token_cache_free(c);
}

static void test_the_oldest_go(void **state)
{
    struct token_cache *c = token_cache_new(seed);
    struct slice user;
    char text[16];

    (void)state;
    for (unsigned i = 0; i < TOKEN_CACHE_MAX + 2; i++) {
        size_t len = (size_t)snprintf(text, sizeof(text), "t%u", i);

        token_cache_put(c, SLICE(""), (struct slice){text, len}, SLICE("ann"), 1);
    }
    assert_false(token_cache_get(c, SLICE(""), SLICE("t1"), 0, &user));
    assert_true(token_cache_get(c, SLICE(""), SLICE("t2"), 0, &user));
    assert_true(token_cache_get(c, SLICE(""), (struct slice){text, strlen(text)}, 0, &user));
    token_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_the_oldest_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
