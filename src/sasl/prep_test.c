/*
 * prep_test.c - SASLprep: the examples of RFC 4013 3, and what is refused.
 */
#include "check.h"

#include "sasl/mechanism.h"
#include "sasl/prep.h"

#define LONG_64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG_512 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64

static const struct {
    struct slice in;
    bool query, stored;
    struct slice out;
} rows[] = {
    {SLICE_INIT("I\u00adX"),                                                                true,  true,  SLICE_INIT("IX")        },
    {SLICE_INIT("user"),                                                                    true,  true,  SLICE_INIT("user")      },
    {SLICE_INIT("USER"),                                                                    true,  true,  SLICE_INIT("USER")      },
    {SLICE_INIT("\u00aa"),                                                                  true,  true,  SLICE_INIT("a")         },
    {SLICE_INIT("\u2168"),                                                                  true,  true,  SLICE_INIT("IX")        },
    {SLICE_INIT("\x07"),                                                                    false, false, SLICE_INIT("")          },
    {SLICE_INIT("\u06271"),                                                                 false, false, SLICE_INIT("")          },
 /* ASCII is as it is, other spaces become one */
    {SLICE_INIT("a b~!"),                                                                   true,  true,  SLICE_INIT("a b~!")     },
    {SLICE_INIT("a\u00a0b"),                                                                true,  true,  SLICE_INIT("a b")       },
    {SLICE_INIT("\x7f"),                                                                    false, false, SLICE_INIT("")          },
    {SLICE_INIT("a\0b"),                                                                    false, false, SLICE_INIT("")          },
    {SLICE_INIT("\u00e4\0b"),                                                               false, false, SLICE_INIT("")          },
    {SLICE_INIT("a\xe4"),                                                                   false, false, SLICE_INIT("")          },
    {SLICE_INIT("\xc0\x80"),                                                                false, false, SLICE_INIT("")          },
    {SLICE_INIT(""),                                                                        false, false, SLICE_INIT("")          },
    {SLICE_INIT("\u00ad"),                                                                  false, false, SLICE_INIT("")          }, /* nothing is left */
    {SLICE_INIT("\ufffd"),                                                                  false, false, SLICE_INIT("")          },
 /* newer than Unicode 3.2 */
    {SLICE_INIT("\U0001f511"),                                                              true,  false, SLICE_INIT("\U0001f511")},
    {SLICE_INIT(LONG_512),                                                                  true,  true,  SLICE_INIT(LONG_512)    },
    {SLICE_INIT(LONG_512 "x"),                                                              false, false, SLICE_INIT("")          },
 /* 18 letters stand behind this one */
    {SLICE_INIT(LONG_64 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64 LONG_64 "0123456789abcdef0123456789"
                                                                        "abcd\ufdfa"),
     false,                                                                                        false, SLICE_INIT("")          },
};

static void check_one(struct slice in, enum prep_kind kind, bool good, struct slice want)
{
    struct secret out = {0};

    secret_set(&out, SLICE("untouched"));
    check_int(sasl_prep(in, kind, &out), good);
    check_slice(secret_slice(&out), good ? want : SLICE("untouched"));
    secret_wipe(&out);
    check_slice(secret_slice(&out), SLICE(""));
}

static void names_are_prepared(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice in = guarded(rows[i].in);

        check_one(in, PREP_QUERY, rows[i].query, rows[i].out);
        check_one(in, PREP_STORED, rows[i].stored, rows[i].out);
        guarded_free(in);
    }
}

static void a_secret_may_be_made_of_itself(void **state)
{
    struct secret s = {0};

    (void)state;
    secret_set(&s, SLICE("some bytes"));
    secret_set(&s, slice_skip(secret_slice(&s), 5));
    check_slice(secret_slice(&s), SLICE("bytes"));
    secret_set(&s, SLICE(""));
    check_int(s.len, 0);
    check(s.data == NULL);
    check(secret_equal(SLICE("a"), SLICE("a")));
    check(secret_equal(SLICE(""), secret_slice(&s)));
    check(!secret_equal(SLICE("a"), SLICE("b")));
    check(!secret_equal(SLICE("a"), SLICE("ab")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_prepared),
        cmocka_unit_test(a_secret_may_be_made_of_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
