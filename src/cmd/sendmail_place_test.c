/* Which words of a configuration sendmail looks at. */
#include "cmd/sendmail_place.h"

#include "check.h"

static const struct {
    const char *text, *hostname, *origin, *socket, *drop;
} rows[] = {
    {"hostname mx.a.example\nlisten local unix:/run/p { drop /var/drop }\n",                 "mx.a.example",
     "mx.a.example",                                                                                                      "/run/p", "/var/drop"},
    {"origin a.example; hostname mx.a.example",                                              "mx.a.example", "a.example", "",       ""         },
    {"hostname mx.a.example\norigin a.example\nlisten local unix:/run/p",                    "mx.a.example",
     "a.example",                                                                                                         "/run/p", ""         },
    {"listen mx *:25 { drop /no }\nlisten local unix:/a\nlisten local unix:/b { drop /no }", "own",
     "own",                                                                                                               "/a",     ""         },
    {"listen local 127.0.0.1:25\nlisten lmtp unix:/l\n",                                     "own",          "own",       "",       ""         },
    {"} hostname \"\n{ listen local",                                                        "own",          "own",       "",       ""         },
    {"",                                                                                     "own",          "own",       "",       ""         },
};

static void test_words(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct arena arena = {0};
        struct sendmail_place p = {.hostname = SLICE("own"), .origin = SLICE("own")};

        sendmail_place_read(slice_of(rows[i].text), &arena, &p);
        check_slice(p.hostname, slice_of(rows[i].hostname));
        check_slice(p.origin, slice_of(rows[i].origin));
        check_slice(p.socket, slice_of(rows[i].socket));
        check_slice(p.drop, slice_of(rows[i].drop));
        arena_done(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
