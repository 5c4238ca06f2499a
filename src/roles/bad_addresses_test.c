/*
 * bad_addresses_test.c - who behaves badly, and how.
 */
#include "roles/bad_addresses.h"

#include "check.h"
#include "fakes/clock.h"

static const struct address sender = {ADDRESS_MAILBOX, SLICE_INIT("a"), SLICE_INIT("b.example"),
                                      false};

static struct address to(const char *local)
{
    return (struct address){ADDRESS_MAILBOX, slice_of(local), SLICE("example.org"), false};
}

static void manners(void **state)
{
    static const struct {
        const char *local;
        unsigned code, delay_s;
        bool drop;
    } rows[] = {
        {"ann",             0,   0,   false},
        {"refuse",          550, 0,   false},
        {"Refuse",          550, 0,   false},
        {"refuse2",         0,   0,   false},
        {"refuse+x",        0,   0,   false},
        {"defer",           450, 0,   false},
        {"greylist",        450, 0,   false},
        {"delay-30s",       0,   30,  false},
        {"DELAY-1S",        0,   1,   false},
        {"delay-600s",      0,   600, false},
        {"delay-601s",      0,   0,   false},
        {"delay-0s",        0,   0,   false},
        {"delay-s",         0,   0,   false},
        {"delay-30",        0,   0,   false},
        {"delay-30sx",      0,   0,   false},
        {"delay-",          0,   0,   false},
        {"drop-after-data", 0,   0,   true },
    };
    struct fake_clock clock;
    struct arena arena = {0};

    (void)state;
    fake_clock_init(&clock);
    struct bad_addresses *b = bad_addresses_new(&clock.clock, random_real());

    CHECK_ROWS (i, rows) {
        struct address rcpt = to(rows[i].local);
        struct envelope_rcpt one = {.original = rcpt};
        struct envelope e = {.rcpts = &one, .rcpt_count = 1};
        struct bad_manners m = bad_addresses_at_rcpt(b, SLICE("192.0.2.1"), &sender, &rcpt, &arena);

        check_int(m.refusal.code, rows[i].code);
        check_int(m.delay_s, rows[i].delay_s);
        check_int(bad_addresses_drop(&e), rows[i].drop);
    }
    bad_addresses_free(b);
    arena_done(&arena);
}

static unsigned code_of(struct bad_addresses *b, const char *client, const struct address *rcpt)
{
    struct arena arena = {0};
    unsigned code = bad_addresses_at_rcpt(b, slice_of(client), &sender, rcpt, &arena).refusal.code;

    arena_done(&arena);
    return code;
}

static void greylisting(void **state)
{
    struct fake_clock clock;
    struct address rcpt = to("greylist");

    (void)state;
    fake_clock_init(&clock);
    struct bad_addresses *b = bad_addresses_new(&clock.clock, random_real());

    check_int(code_of(b, "192.0.2.1", &rcpt), 450);
    fake_clock_advance(&clock, BAD_GREY_S * UINT64_C(1000000) - 1000);
    check_int(code_of(b, "192.0.2.1", &rcpt), 450);
    fake_clock_advance(&clock, 1000);
    check_int(code_of(b, "192.0.2.1", &rcpt), 0);
    check_int(code_of(b, "192.0.2.2", &rcpt), 450); /* another client */
    /* It forgets rather than grow. */
    for (unsigned i = 0; i < BAD_GREY_MAX; i++) {
        char client[32];

        snprintf(client, sizeof(client), "client%u", i);
        check_int(code_of(b, client, &rcpt), 450);
    }
    check_int(code_of(b, "192.0.2.1", &rcpt), 450);
    bad_addresses_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(manners), cmocka_unit_test(greylisting)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
