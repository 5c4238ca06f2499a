/*
 * mechanism_test.c - names of mechanisms, and the one that a client takes.
 */
#include "check.h"

#include "sasl/mechanism.h"

enum {
    EXTERNAL = 1 << SASL_EXTERNAL,
    PLUS = 1 << SASL_SCRAM_SHA_256_PLUS,
    SCRAM = 1 << SASL_SCRAM_SHA_256,
    BEARER = 1 << SASL_OAUTHBEARER,
    XOAUTH2 = 1 << SASL_XOAUTH2,
    PLAIN = 1 << SASL_PLAIN,
    LOGIN = 1 << SASL_LOGIN,
    ALL = (1 << SASL_MECHANISM_COUNT) - 1,
};

static void names_go_there_and_back(void **state)
{
    enum sasl_mechanism got;

    (void)state;
    for (unsigned i = 0; i < SASL_MECHANISM_COUNT; i++) {
        check(sasl_mechanism_parse(sasl_mechanism_name((enum sasl_mechanism)i), &got));
        check_int(got, i);
    }
    check(sasl_mechanism_parse(SLICE("plain"), &got) && got == SASL_PLAIN);
    check(!sasl_mechanism_parse(SLICE("CRAM-MD5"), &got));
    check(!sasl_mechanism_parse(SLICE("PLAIN "), &got));
    check(!sasl_mechanism_parse(SLICE(""), &got));
}

static const struct {
    struct slice words;
    unsigned set;
    struct slice written;
} lists[] = {
    {SLICE_INIT(""),                                                                          0,             SLICE_INIT("")           },
    {SLICE_INIT("LOGIN PLAIN"),                                                               PLAIN | LOGIN, SLICE_INIT("PLAIN LOGIN")},
    {SLICE_INIT(" CRAM-MD5\tplain  DIGEST-MD5 "),                                             PLAIN,         SLICE_INIT("PLAIN")      },
    {SLICE_INIT("XOAUTH2 OAUTHBEARER SCRAM-SHA-256 LOGIN EXTERNAL SCRAM-SHA-256-PLUS PLAIN"), ALL,
     SLICE_INIT("EXTERNAL SCRAM-SHA-256-PLUS SCRAM-SHA-256 OAUTHBEARER XOAUTH2 PLAIN LOGIN")                                          },
};

static void lists_are_sets(void **state)
{
    struct buf out;

    (void)state;
    CHECK_ROWS (i, lists) {
        struct slice words = guarded(lists[i].words);

        buf_init(&out, 128);
        check_int(sasl_mechanisms_parse(words), lists[i].set);
        check(sasl_mechanisms_write(&out, lists[i].set));
        check_slice(buf_slice(&out), lists[i].written);
        guarded_free(words);
        buf_done(&out);
    }
    buf_init(&out, 10);
    check(buf_append(&out, SLICE("AUTH ")));
    check(!sasl_mechanisms_write(&out, PLAIN | LOGIN));
    check_slice(buf_slice(&out), SLICE("AUTH "));
    buf_done(&out);
}

/* Everything is there but what the row takes away. */
static const struct {
    unsigned offered;
    struct sasl_means means;
    bool some;
    enum sasl_mechanism best;
} choices[] = {
    {ALL,                     {true, false, false, true, true},   true,  SASL_SCRAM_SHA_256_PLUS},
    {ALL,                     {true, true, true, true, true},     true,  SASL_EXTERNAL          },
    {ALL,                     {true, false, false, true, false},  true,  SASL_SCRAM_SHA_256     },
    {ALL,                     {false, true, false, true, true},   true,  SASL_OAUTHBEARER       },
    {ALL & ~(unsigned)BEARER, {false, true, false, true, true},   true,  SASL_XOAUTH2           },
    {PLAIN | LOGIN,           {true, false, false, true, true},   true,  SASL_PLAIN             },
    {LOGIN,                   {true, false, false, true, true},   true,  SASL_LOGIN             },
 /* a list cut down to PLAIN gets no password where somebody may listen */
    {PLAIN | LOGIN,           {true, false, false, false, false}, false, SASL_PLAIN             },
    {BEARER | XOAUTH2,        {true, true, false, false, false},  false, SASL_PLAIN             },
    {PLAIN | LOGIN | SCRAM,   {true, false, false, false, false}, true,  SASL_SCRAM_SHA_256     },
    {ALL,                     {false, false, false, true, true},  false, SASL_PLAIN             },
    {0,                       {true, true, true, true, true},     false, SASL_PLAIN             },
    {EXTERNAL | PLUS,         {true, false, false, true, false},  false, SASL_PLAIN             },
};

static void the_best_is_chosen(void **state)
{
    (void)state;
    CHECK_ROWS (i, choices) {
        enum sasl_mechanism got = SASL_PLAIN;

        check_int(sasl_choose(choices[i].offered, &choices[i].means, &got), choices[i].some);
        check_int(got, choices[i].best);
        check_int(sasl_usable(choices[i].offered, &choices[i].means) & ~choices[i].offered, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_there_and_back),
        cmocka_unit_test(lists_are_sets),
        cmocka_unit_test(the_best_is_chosen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
