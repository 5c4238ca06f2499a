/*
 * guesses_test.c - how many guesses pass.
 */
#include "mail/guesses.h"

#include "check.h"

#include <stdio.h>

enum { HOUR = 3600 * 1000 };

static const uint64_t seed[2] = {1, 2};

static unsigned passed(struct guesses *g, const char *user, const char *address, unsigned tries,
                       uint64_t from_ms, uint64_t step_ms)
{
    struct guess_by by = {slice_of(user), slice_of(address)};
    unsigned count = 0;

    for (unsigned i = 0; i < tries; i++)
        count += guesses_take(g, &by, from_ms + i * step_ms);
    return count;
}

static void one_account_from_one_address(void **state)
{
    struct guesses *g = guesses_new(seed);

    (void)state;
    check_int(passed(g, "ann", "192.0.2.1", 1000, 1000, 0), GUESSES_USER_AT_ONCE);
    check_int(passed(g, "bob", "192.0.2.1", 1, 1000, 0), 0);    /* the address has none left */
    check_int(passed(g, "ANN", "198.51.100.1", 1, 1000, 0), 0); /* nor the account */
    check_int(passed(g, "bob", "198.51.100.1", 1, 1000, 0), 1);
    /* Ten times an hour's worth of guesses, evenly. */
    check_int(passed(g, "carl", "203.0.113.1", 36000, HOUR, 1000),
              GUESSES_USER_AT_ONCE + 10 * GUESSES_USER_PER_HOUR - 1);
    guesses_free(g);
}

/* SECURITY F11: a million guesses from 1,000 addresses at one account. */
static void many_addresses(void **state)
{
    struct guesses *g = guesses_new(seed);
    unsigned count = 0;
    char address[32];

    (void)state;
    for (unsigned i = 0; i < 1000000; i++) {
        (void)snprintf(address, sizeof(address), "10.%u.%u.7", i % 1000 / 250, i % 250);
        count += passed(g, "ann@example.org", address, 1, i * 3600ull / 1000, 0);
    }
    check(count <= GUESSES_USER_AT_ONCE + GUESSES_USER_PER_HOUR);
    guesses_free(g);
}

static void a_network(void **state)
{
    struct guesses *g = guesses_new(seed);
    unsigned v4 = 0, v6 = 0;
    char text[64], user[16];

    (void)state;
    for (unsigned i = 0; i < 250; i++) {
        (void)snprintf(user, sizeof(user), "user%u", i);
        (void)snprintf(text, sizeof(text), "192.0.2.%u", i);
        v4 += passed(g, user, text, 1, 0, 0);
        (void)snprintf(text, sizeof(text), "2001:db8:1:%x::1", i);
        v6 += passed(g, user, text, 1, 0, 0);
    }
    check_int(v4, GUESSES_NETWORK_AT_ONCE);
    check_int(v6, GUESSES_NETWORK_AT_ONCE);
    check_int(passed(g, "x", "192.0.3.1", 1, 0, 0), 1);
    /* 65 and 97 are one letter, were they text. */
    for (unsigned i = 0; i < 250; i++) {
        (void)snprintf(user, sizeof(user), "other%u", i);
        (void)snprintf(text, sizeof(text), "192.65.2.%u", i);
        (void)passed(g, user, text, 1, 0, 0);
    }
    check_int(passed(g, "y", "192.65.2.251", 1, 0, 0), 0);
    check_int(passed(g, "y", "192.97.2.1", 1, 0, 0), 1);
    guesses_free(g);
}

static void who_was_right_pays_nothing(void **state)
{
    struct guesses *g = guesses_new(seed);
    struct guess_by by = {SLICE("ann"), SLICE("192.0.2.1")};

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        check(guesses_take(g, &by, i));
        guesses_was_right(g, &by, i);
    }
    guesses_free(g);
}

static void strangers_lock_nobody_out(void **state)
{
    struct guesses *g = guesses_new(seed);
    struct guess_by home = {SLICE("ann"), SLICE("192.0.2.1")};
    struct guess_by neighbour = {SLICE("ann"), SLICE("192.0.2.99")};
    struct guess_by away = {SLICE("ann"), SLICE("203.0.113.5")};

    (void)state;
    check(guesses_take(g, &home, 0));
    guesses_was_right(g, &home, 0);
    (void)passed(g, "ann", "198.51.100.1", 100, 1, 0);
    (void)passed(g, "ann", "198.51.101.1", 100, 1, 0);
    check(!guesses_take(g, &away, 2));
    check(guesses_take(g, &home, 2));
    check(guesses_take(g, &neighbour, 2));
    check(!guesses_take(g, &away, 3));
    guesses_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_account_from_one_address),
        cmocka_unit_test(many_addresses),
        cmocka_unit_test(a_network),
        cmocka_unit_test(who_was_right_pays_nothing),
        cmocka_unit_test(strangers_lock_nobody_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
