/*
 * ehlo_test.c - what replies to EHLO offer.
 */
#include "check.h"

#include "wire/ehlo.h"

static const struct {
    struct slice text;
    struct ehlo_offers offers;
} rows[] = {
    {SLICE_INIT(""),                                            {0}                                         },
 /* the first line is a name and a greeting, RFC 5321 4.1.1.1 */
    {SLICE_INIT("SIZE 10"),                                     {0}                                         },
    {SLICE_INIT("mx\nSIZE 10"),                                 {.keywords = EHLO_SIZE, .size_max = 10}     },
    {SLICE_INIT("mx\nsize"),                                    {.keywords = EHLO_SIZE}                     },
    {SLICE_INIT("mx\nSIZE ten"),                                {.keywords = EHLO_SIZE}                     },
    {SLICE_INIT("mx\nSIZE 99999999999999999999"),               {.keywords = EHLO_SIZE}                     },
    {SLICE_INIT("mx\nSIZE\nSIZE 5 "),                           {.keywords = EHLO_SIZE, .size_max = 5}      },
    {SLICE_INIT("mx\nPipelining\n8bitmime\nDSN"),
     {.keywords = EHLO_PIPELINING | EHLO_8BITMIME | EHLO_DSN}                                               },
    {SLICE_INIT("mx\nXPIPELINING\nPIPELININGX\n\n "),           {0}                                         },
    {SLICE_INIT("mx\nAUTH=PLAIN"),                              {.keywords = EHLO_AUTH}                     },
    {SLICE_INIT("mx\nDELIVERBY 30"),                            {.keywords = EHLO_DELIVERBY, .by_min_s = 30}},
    {SLICE_INIT("mx\nLIMITS RCPTMAX=100 MAILMAX=7"),
     {.keywords = EHLO_LIMITS, .rcpt_max = 100, .mail_max = 7}                                              },
    {SLICE_INIT("mx\nLIMITS rcptdomainmax=1  OTHER=3 RCPTMAX"),
     {.keywords = EHLO_LIMITS, .rcpt_domain_max = 1}                                                        },
    {SLICE_INIT("mx\nLIMITS RCPTMAX=0 MAILMAX=-1"),             {.keywords = EHLO_LIMITS}                   },
    {SLICE_INIT("mx\nLIMITS RCPTMAX=4294967296"),               {.keywords = EHLO_LIMITS}                   },
};

static void offers_are_read(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice text = guarded(rows[i].text);
        struct ehlo_offers got = ehlo_offers_read(text), want = rows[i].offers;

        check_int(got.keywords, want.keywords);
        check_int(got.size_max, want.size_max);
        check_int(got.by_min_s, want.by_min_s);
        check_int(got.rcpt_max, want.rcpt_max);
        check_int(got.rcpt_domain_max, want.rcpt_domain_max);
        check_int(got.mail_max, want.mail_max);
        guarded_free(text);
    }
}

static void parameters_are_found(void **state)
{
    static const struct {
        const char *text, *params;
    } table[] = {
        {"",                                        ""            },
        {"AUTH PLAIN",                              ""            }, /* that is a name */
        {"mx\nAUTH PLAIN  LOGIN ",                  "PLAIN  LOGIN"},
        {"mx\nSIZE 5\nauth=LOGIN\nAUTH PLAIN\nDSN", "LOGIN"       },
        {"mx\nAUTHOR PLAIN\nAUTH",                  ""            },
        {"mx\nDSN\n",                               ""            },
    };

    (void)state;
    CHECK_ROWS (i, table) {
        struct slice text = guarded(slice_of(table[i].text));

        check_slice(ehlo_params(text, SLICE("AUTH")), slice_of(table[i].params));
        guarded_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(offers_are_read),
                                       cmocka_unit_test(parameters_are_found)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
