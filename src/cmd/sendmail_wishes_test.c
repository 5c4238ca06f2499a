/* What -N, -R and -V become, and what they may not be. */
#include "cmd/sendmail_wishes.h"

#include "check.h"

static const struct {
    const char *notify, *returned, *envid; /* NULL: no such flag */
    const char *mail, *rcpt;               /* NULL: refused */
} rows[] = {
    {NULL,              NULL,   NULL,   "",                         ""                       },
    {"never",           "hdrs", NULL,   " RET=hdrs",                " NOTIFY=never"          },
    {"success,failure", "FULL", "a b+", " RET=FULL ENVID=a+20b+2B", " NOTIFY=success,failure"},
    {"DELAY",           NULL,   "",     " ENVID=",                  " NOTIFY=DELAY"          },
    {"sometimes",       NULL,   NULL,   NULL,                       NULL                     },
    {"never,failure",   NULL,   NULL,   NULL,                       NULL                     },
    {NULL,              "some", NULL,   NULL,                       NULL                     },
};

static void test_wishes(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct sendmail_options o = {
            .notify = rows[i].notify, .returned = rows[i].returned, .envid = rows[i].envid};
        struct client_message m = {.rcpt_count = 2};
        struct arena arena = {0};
        const char *problem = sendmail_wishes_write(&o, &arena, &m);

        check_int(problem == NULL, rows[i].mail != NULL);
        if (problem == NULL) {
            check_slice(m.mail_params, slice_of(rows[i].mail));
            check_slice(m.rcpt_params[0], slice_of(rows[i].rcpt));
            check_slice(m.rcpt_params[1], slice_of(rows[i].rcpt));
        }
        arena_done(&arena);
    }
}

static void test_a_long_name(void **state)
{
    struct client_message m = {.rcpt_count = 1};
    char name[ENVID_MAX + 2] = "";
    struct sendmail_options o = {.envid = name};
    struct arena arena = {0};

    (void)state;
    for (size_t i = 0; i < ENVID_MAX; i++)
        name[i] = 'x';
    check(sendmail_wishes_write(&o, &arena, &m) == NULL);
    name[ENVID_MAX] = 'x';
    check(sendmail_wishes_write(&o, &arena, &m) != NULL);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_a_long_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
