/*
 * mailbox_path_test.c - whatever the address, the path stays inside its root.
 */
#include "mail/mailbox_path.h"

#include "check.h"

static const struct {
    const char *path;
    const char *root; /* NULL: refused */
    const char *rest;
} templates[] = {
    {"/var/vmail/{domain}/{user}", "/var/vmail", "{domain}/{user}"},
    {"/var/vmail/x{user}/Maildir", "/var/vmail", "x{user}/Maildir"},
    {"/home/bob/Maildir",          "/home/bob",  "Maildir"        },
    {"/mail",                      "/",          "mail"           },
    {"/{user}",                    "/",          "{user}"         },
    {"",                           NULL,         NULL             },
    {"/",                          NULL,         NULL             },
    {"mail/{user}",                NULL,         NULL             },
    {"{user}",                     NULL,         NULL             },
    {"/var//{user}",               NULL,         NULL             },
    {"/var/{user}/",               NULL,         NULL             },
    {"/var/./{user}",              NULL,         NULL             },
    {"/var/../{user}",             NULL,         NULL             },
    {"/var/{user}/..",             NULL,         NULL             },
    {"/var/\n/{user}",             NULL,         NULL             },
};

static void test_templates(void **state)
{
    (void)state;
    CHECK_ROWS (i, templates) {
        struct slice path = guarded(slice_of(templates[i].path)), root, rest;

        check_int(mailbox_template_split(path, &root, &rest), templates[i].root != NULL);
        if (templates[i].root != NULL) {
            check_slice(root, slice_of(templates[i].root));
            check_slice(rest, slice_of(templates[i].rest));
        }
        guarded_free(path);
    }
}

static const struct {
    const char *rest;
    enum address_kind kind;
    const char *local;
    const char *domain;
    const char *path; /* NULL: refused */
} expansions[] = {
    {"{domain}/{user}",  ADDRESS_MAILBOX, "bob",              "example.org",      "example.org/bob"               },
    {"{domain}/{user}",  ADDRESS_MAILBOX, "Bob+Lists",        "example.org",      "example.org/bob"               },
    {"{domain}/{local}", ADDRESS_MAILBOX, "Bob+Lists",        "example.org",      "example.org/Bob+Lists"         },
    {"{user}",           ADDRESS_MAILBOX, "+x",               "example.org",      "+x"                            },
    {"{user}",           ADDRESS_MAILBOX, "..",               "example.org",      "%2E."                          },
    {"{user}",           ADDRESS_MAILBOX, ".",                "example.org",      "%2E"                           },
    {"{user}",           ADDRESS_MAILBOX, ".ssh",             "example.org",      "%2Essh"                        },
    {".{user}",          ADDRESS_MAILBOX, ".",                "example.org",      ".%2E"                          },
    {"{user}",           ADDRESS_MAILBOX, "../../etc/passwd", "example.org",      "%2E.%2F..%2Fetc%2Fpasswd"      },
    {"{user}",           ADDRESS_MAILBOX, "50%",              "example.org",      "50%25"                         },
    {"{user}",           ADDRESS_MAILBOX, "a b;`id`",         "example.org",      "a%20b%3B%60id%60"              },
    {"{user}",           ADDRESS_MAILBOX, "{domain}",         "example.org",      "%7Bdomain%7D"                  },
    {"{user}",           ADDRESS_MAILBOX, "j\xc3\xbc",        "example.org",      "j%C3%BC"                       },
    {"{domain}",         ADDRESS_MAILBOX, "a",
     "b\xc3\xbc"
     "cher.example",                                                              "xn--bcher-kva.example"         },
    {"{domain}",         ADDRESS_LITERAL, "a",                "192.0.2.1",        "%5B192.0.2.1%5D"               },
    {"{domain}",         ADDRESS_LITERAL, "a",                "IPv6:2001:DB8::1", "%5Bipv6%3A2001%3Adb8%3A%3A1%5D"},
    {"{domain}/{user}",  ADDRESS_MAILBOX, "",                 "example.org",      "example.org/%"                 },
    {"{user}/Maildir",   ADDRESS_MAILBOX, "a",                "b",                "a/Maildir"                     },
    {"{user",            ADDRESS_MAILBOX, "a",                "b",                NULL                            },
    {"user}",            ADDRESS_MAILBOX, "a",                "b",                NULL                            },
    {"{}",               ADDRESS_MAILBOX, "a",                "b",                NULL                            },
    {"{User}",           ADDRESS_MAILBOX, "a",                "b",                NULL                            },
    {"{home}",           ADDRESS_MAILBOX, "a",                "b",                NULL                            },
    {"../{user}",        ADDRESS_MAILBOX, "a",                "b",                NULL                            },
    {"{user}",           ADDRESS_NULL,    "",                 "",                 NULL                            },
    {"{user}",           ADDRESS_BARE,    "a",                "",                 NULL                            },
};

static void test_expansions(void **state)
{
    struct arena arena = {0};

    (void)state;
    CHECK_ROWS (i, expansions) {
        struct address rcpt = {expansions[i].kind, slice_of(expansions[i].local),
                               slice_of(expansions[i].domain), false};
        struct slice rest = guarded(slice_of(expansions[i].rest)), path;

        check_int(mailbox_path_expand(rest, &rcpt, &arena, &path), expansions[i].path != NULL);
        if (expansions[i].path != NULL)
            check_slice(path, slice_of(expansions[i].path));
        guarded_free(rest);
    }
    arena_done(&arena);
}

static void check_components(struct slice path)
{
    bool last = false;

    while (!last) {
        struct slice component, rest;

        last = !slice_cut(path, '/', &component, &rest);
        if (last)
            component = path;
        path = rest;
        check(component.len > 0 && component.len <= 200);
        check(!slice_equal(component, SLICE(".")) && !slice_equal(component, SLICE("..")));
        check(slice_find(component, '\0') == component.len);
        check(component.data[0] != '.');
    }
}

/* The same numbers in each run; not meant to be good ones. */
static unsigned next_number(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

static void fill(char *out, size_t len, unsigned *seed)
{
    static const char hostile[] = {'.', '.', '/', '\0', '%', '{', '}', '+', '\\', '\n', 'A'};

    for (size_t i = 0; i < len; i++) {
        unsigned n = next_number(seed);
        out[i] = n % 3 == 0 ? (char)(n >> 3) : hostile[n % sizeof(hostile)];
    }
}

static void test_hostile_bytes_stay_inside(void **state)
{
    static const struct slice rests[] = {SLICE_INIT("{domain}/{user}"), SLICE_INIT("{local}"),
                                         SLICE_INIT("x{local}{domain}/y"),
                                         SLICE_INIT("{local}{local}{local}{local}@{domain}")};
    char local[LOCAL_PART_MAX], domain[DOMAIN_MAX];
    struct arena arena = {0};
    unsigned seed = 1;

    (void)state;
    for (size_t i = check_row = 0; i < 20000; check_row = ++i) {
        struct address rcpt = {.kind = i % 2 == 0 ? ADDRESS_MAILBOX : ADDRESS_LITERAL};
        struct slice path;

        rcpt.local = (struct slice){local, 1 + next_number(&seed) % sizeof(local)};
        rcpt.domain = (struct slice){domain, 1 + next_number(&seed) % sizeof(domain)};
        fill(local, rcpt.local.len, &seed);
        fill(domain, rcpt.domain.len, &seed);
        check(mailbox_path_expand(rests[i % 4], &rcpt, &arena, &path));
        check_components(path);
        arena_reset(&arena);
    }
    arena_done(&arena);
}

/* A long name goes on in a further component, and where it is cut makes no difference between
 * two names vanish. */
static void test_long_names_stay_apart(void **state)
{
    char domain[DOMAIN_MAX];
    struct address rcpt = {
        ADDRESS_MAILBOX, SLICE("a"), {domain, sizeof(domain)},
          false
    };
    struct arena arena = {0};
    struct slice first, second;

    (void)state;
    memset(domain, 'd', sizeof(domain));
    assert_true(mailbox_path_expand(SLICE("{domain}"), &rcpt, &arena, &first));
    assert_true(slice_cut(first, '/', &first, &second));
    assert_true(slice_ends(first, SLICE("d%")));
    assert_int_equal(first.len + second.len, sizeof(domain) + 1);
    for (size_t at = 0; at < sizeof(domain); at++) {
        memset(domain, '.', sizeof(domain));
        assert_true(mailbox_path_expand(SLICE("{domain}"), &rcpt, &arena, &first));
        check_components(first);
        domain[at] = '%';
        assert_true(mailbox_path_expand(SLICE("{domain}"), &rcpt, &arena, &second));
        check_components(second);
        assert_false(slice_equal(first, second));
        arena_reset(&arena);
    }
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_expansions),
        cmocka_unit_test(test_hostile_bytes_stay_inside),
        cmocka_unit_test(test_long_names_stay_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
