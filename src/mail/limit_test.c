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
        struct limit_query what = {.domain = slice_of(rows[i].domain), .mx = slice_of(rows[i].mx)};
        const struct limit *got = limit_find(limits, sizeof(limits) / sizeof(*limits), &what);
        check_int(got == NULL ? 0 : got->line, rows[i].line);
    }
}

static void any_matches_all(void **state)
{
    static const struct limit any = {.match = LIMIT_ANY};

    (void)state;
    check(limit_find(&any, 1, &(struct limit_query){0}) == &any);
    check(limit_find(&any, 0, &(struct limit_query){0}) == NULL);
}

static void one_source_only(void **state)
{
    static const struct relay_source sources[] = {
        {.name = SLICE_INIT("out1"), .ip = {0x20}},
        {.name = SLICE_INIT("out2"), .ip = {0x20}}
    };
    static const struct relay relay = {.sources = sources, .source_count = 2};
    static const struct limit limits[] = {
        {.match = LIMIT_ANY, .source = SLICE_INIT("out2"), .line = 1},
        {.match = LIMIT_ANY,                  .line = 2                            }
    };

    (void)state;
    check_int(limit_find(limits, 2, &(struct limit_query){.relay = &relay, .slot = 0})->line, 2);
    check_int(limit_find(limits, 2, &(struct limit_query){.relay = &relay, .slot = 1})->line, 1);
    check_int(limit_find(limits, 2, &(struct limit_query){0})->line, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_first_that_matches_holds),
                                       cmocka_unit_test(any_matches_all),
                                       cmocka_unit_test(one_source_only)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
