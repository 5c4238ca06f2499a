/*
 * limit_test.c - the first limit that matches.
 */
#include "mail/limit.h"

#include "check.h"

static void the_first_that_matches_holds(void **state)
{
    static const struct limit limits[] = {
        {.match = LIMIT_MX,     .pattern = SLICE_INIT("*.google.com"), .line = 1},
        {.match = LIMIT_DOMAIN, .pattern = SLICE_INIT("b.example"),    .line = 2},
        {.match = LIMIT_DOMAIN, .pattern = SLICE_INIT("*.b.example"),  .line = 3},
        {.match = LIMIT_MX,     .pattern = SLICE_INIT("mx.c.example"), .line = 4},
    };

    static const struct {
        const char *domain, *mx;
        unsigned line; /* 0: none */
    } rows[] = {
        {"x.example",      "aspmx.l.google.com", 1},
        {"b.example",      "mx1.GOOGLE.com",     1},
        {"x.example",      "google.com",         0},
        {"x.example",      "notgoogle.com",      0},
        {"B.example",      "mx.b.example",       2},
        {"mail.b.example", "",                   3},
        {"",               "mx.c.example",       4},
        {"mx.c.example",   "",                   0},
        {"",               "",                   0},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        const struct limit *got = limit_find(limits, sizeof(limits) / sizeof(*limits),
                                             slice_of(rows[i].domain), slice_of(rows[i].mx));
        check_int(got == NULL ? 0 : got->line, rows[i].line);
    }
}

static void any_matches_all(void **state)
{
    static const struct limit any = {.match = LIMIT_ANY};

    (void)state;
    check(limit_find(&any, 1, SLICE(""), SLICE("")) == &any);
    check(limit_find(&any, 0, SLICE(""), SLICE("")) == NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_first_that_matches_holds),
                                       cmocka_unit_test(any_matches_all)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
