/* What programs have given to sendmail, and what is meant by it. */
#include "cmd/sendmail_options.h"

#include "check.h"

#include <string.h>

enum { ARGS = 10 };

static const struct {
    const char *argv[ARGS];
    enum sendmail_mode mode;
    bool from_header, dot_is_text;
    const char *sender, *full_name;
    const char *first; /* recipient, or NULL */
    int words;
} rows[] = {
    {{"ann@a.example"},                                                SENDMAIL_MAIL,    false, false, NULL,  NULL, "ann@a.example", 1},
 /* cron */
    {{"-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"},
     SENDMAIL_MAIL,                                                                      false,
     true,                                                                                             NULL,
     "CronDaemon",                                                                                                  "root",
     1                                                                                                                                },
 /* PHP, Python's mailbox tools, git send-email */
    {{"-t", "-i"},                                                     SENDMAIL_MAIL,    true,  true,  NULL,  NULL, NULL,            0},
    {{"-ti"},                                                          SENDMAIL_MAIL,    true,  true,  NULL,  NULL, NULL,            0},
    {{"-oi", "-t", "-fann"},                                           SENDMAIL_MAIL,    true,  true,  "ann", NULL, NULL,            0},
    {{"-i", "-f", "ann", "bob", "eve"},                                SENDMAIL_MAIL,    false, true,  "ann", NULL, "bob",           2},
    {{"-tif", "ann"},                                                  SENDMAIL_MAIL,    true,  true,  "ann", NULL, NULL,            0},
    {{"-r", "<>", "bob"},                                              SENDMAIL_MAIL,    false, false, "<>",  NULL, "bob",           1},
 /* mutt, s-nail */
    {{"-oem", "-oi", "--", "-bob"},                                    SENDMAIL_MAIL,    false, true,  NULL,  NULL, "-bob",          1},
    {{"-F", "Ann E.", "-i", "-N", "failure", "-R", "full", "-V", "x"},
     SENDMAIL_MAIL,                                                                      false,
     true,                                                                                             NULL,
     "Ann E.",                                                                                                      NULL,
     0                                                                                                                                },
    {{"-bs"},                                                          SENDMAIL_SMTP,    false, false, NULL,  NULL, NULL,            0},
    {{"-bp"},                                                          SENDMAIL_QUEUE,   false, false, NULL,  NULL, NULL,            0},
    {{"-bi"},                                                          SENDMAIL_ALIASES, false, false, NULL,  NULL, NULL,            0},
    {{"-I"},                                                           SENDMAIL_ALIASES, false, false, NULL,  NULL, NULL,            0},
    {{"-bv", "bob"},                                                   SENDMAIL_VERIFY,  false, false, NULL,  NULL, "bob",           1},
    {{"-bd"},                                                          SENDMAIL_DAEMON,  false, false, NULL,  NULL, NULL,            0},
    {{"-q"},                                                           SENDMAIL_RETRY,   false, false, NULL,  NULL, NULL,            0},
    {{"-q", "bob"},                                                    SENDMAIL_RETRY,   false, false, NULL,  NULL, "bob",           1},
    {{"-q15m"},                                                        SENDMAIL_MAIL,    false, false, NULL,  NULL, NULL,            0},
    {{"-qIabc"},                                                       SENDMAIL_RETRY,   false, false, NULL,  NULL, NULL,            0},
 /* taken, and left alone */
    {{"-Am", "-Ac", "-bh", "-bm", "-h", "10", "-L", "x"},
     SENDMAIL_MAIL,                                                                      false,
     false,                                                                                            NULL,
     NULL,                                                                                                          NULL,
     0                                                                                                                                },
    {{"-m", "-n", "-o7", "-o8", "-om", "-U", "-G", "-S", "bob"},
     SENDMAIL_MAIL,                                                                      false,
     false,                                                                                            NULL,
     NULL,                                                                                                          "bob",
     1                                                                                                                                },
    {{"-v", "-O", "DeliveryMode=b", "-oDb", "-em", "bob"},
     SENDMAIL_MAIL,                                                                      false,
     false,                                                                                            NULL,
     NULL,                                                                                                          "bob",
     1                                                                                                                                },
    {{"-", "bob"},                                                     SENDMAIL_MAIL,    false, false, NULL,  NULL, "-",             2},
};

static void check_text(size_t i, const char *got, const char *wanted)
{
    (void)i;
    check_slice(slice_of(got == NULL ? "(none)" : got),
                slice_of(wanted == NULL ? "(none)" : wanted));
}

static int count(const char *const *argv)
{
    int n = 0;

    while (n < ARGS && argv[n] != NULL)
        n++;
    return n;
}

static void test_flags(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        const char *argv[ARGS + 2] = {"sendmail"};
        const char *problem, *why;
        struct sendmail_options o;
        int argc = 1 + count(rows[i].argv);

        memcpy(argv + 1, rows[i].argv, sizeof(rows[i].argv));
        check(sendmail_options_parse(&o, argc, argv, &problem, &why));
        check_int(o.mode, rows[i].mode);
        check_int(o.from_header, rows[i].from_header);
        check_int(o.dot_is_text, rows[i].dot_is_text);
        check_text(i, o.sender, rows[i].sender);
        check_text(i, o.full_name, rows[i].full_name);
        check_int(o.word_count, rows[i].words);
        check_text(i, o.word_count > 0 ? o.words[0] : NULL, rows[i].first);
    }
}

static void test_wishes(void **state)
{
    const char *argv[] = {"sendmail", "-N", "never",        "-Rhdrs", "-Vx y",
                          "-C",       "/c", "-qRa.example", NULL};
    const char *problem, *why;
    struct sendmail_options o;

    (void)state;
    check(sendmail_options_parse(&o, 8, argv, &problem, &why));
    check_text(0, o.notify, "never");
    check_text(0, o.returned, "hdrs");
    check_text(0, o.envid, "x y");
    check_text(0, o.config, "/c");
    check_text(0, o.retry_domain, "a.example");
}

static void test_wrong_flags(void **state)
{
    static const char *const wrong[][ARGS] = {
        {"-z"    },
        {"-f"    },
        {"-bx"   },
        {"-B9BIT"},
        {"-tiz"  },
        {"-t",     "-N"},
        {"--help-me"       }
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        const char *argv[ARGS + 2] = {"sendmail"};
        const char *problem = NULL, *why = NULL;
        struct sendmail_options o;

        memcpy(argv + 1, wrong[i], sizeof(wrong[i]));
        check(!sendmail_options_parse(&o, 1 + count(wrong[i]), argv, &problem, &why));
        check(problem != NULL && why != NULL);
    }
}

static void test_flags_behind_addresses(void **state)
{
    const char *argv[] = {"sendmail", "-i", "ann", "-f", "bob"};
    const char *problem = NULL, *why = NULL;
    struct sendmail_options o;

    (void)state;
    check(sendmail_options_parse(&o, 3, argv, &problem, &why));
    check(!sendmail_options_parse(&o, 5, argv, &problem, &why));
    check_slice(slice_of(problem), SLICE("-f"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_wrong_flags),
        cmocka_unit_test(test_flags_behind_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
