/*
 * accounts_test.c - one row, one line of a passwd-file, and who has an account by it.
 */
#include "mail/accounts.h"

#include "check.h"

struct told {
    struct arena arena;
    struct complaints complaints;
    struct buf text;
};

static struct accounts *parse(struct told *t, struct slice text)
{
    struct slice copy = guarded(text);
    struct accounts *a;

    *t = (struct told){0};
    t->complaints.arena = &t->arena;
    a = accounts_parse(copy, &t->complaints);
    buf_init(&t->text, 64 * 1024);
    complaints_write(&t->complaints, SLICE("f"), copy, &t->text);
    guarded_free(copy);
    return a;
}

static void told_done(struct told *t)
{
    buf_done(&t->text);
    arena_done(&t->arena);
}

static const struct {
    const char *text, *who;
    bool has;
} rows[] = {
    {"bob@example.org:{PLAIN}x:1:1::/home/bob::",                               "bob@example.org",           true },
    {"bob@example.org:{PLAIN}x",                                                "Bob@Example.ORG",           true },
    {"bob@example.org",                                                         "bob@example.org",           true },
    {"bob@example.org:x",                                                       "bob@example.net",           false},
    {"bob@example.org:x",                                                       "bo@example.org",            false},
    {"bob@example.org:x",                                                       "bob+list@example.org",      true },
    {"bob+list@example.org:x",                                                  "bob@example.org",           false},
    {"bob+list@example.org:x",                                                  "bob+list@example.org",      true },
    {"bob+list@example.org:x",                                                  "bob+other@example.org",     false},
 /* without @ it holds in every domain */
    {"bob:x",                                                                   "bob@example.net",           true },
    {"bob:x",                                                                   "bob+x@example.net",         true },
    {"BOB:x",                                                                   "bob@[192.0.2.1]",           true },
    {"bob:x",                                                                   "ann@example.net",           false},
 /* a "+" at the start begins no detail */
    {"bob:x",                                                                   "+bob@example.net",          false},
    {"+bob:x",                                                                  "+bob@example.net",          true },
 /* every domain has one form */
    {"ann@b\xc3\xbc"
     "cher.example:x",                                                     "ann@xn--bcher-kva.example", true },
    {"ann@xn--bcher-kva.example:x",                                             "ann@xn--bcher-kva.example", true },
    {"ann@[192.0.2.1]:x",                                                       "ann@[192.0.2.1]",           true },
    {"ann@[192.0.2.1]:x",                                                       "ann@192.0.2.1",             false},
    {"\"a b\"@example.org:x",                                                   "\"a b\"@example.org",       true },
    {"\"b@example.org\":x",                                                     "b@example.org",             false},
 /* comments, empty lines, line ends */
    {"# bob:x\n\n  \t\n#\nann:x\r\n",                                           "ann@example.org",           true },
    {"# bob:x\n\n  \t\n#\nann:x\r\n",                                           "bob@example.org",           false},
    {"\xef\xbb\xbf"
     "bob:x",                                                              "bob@example.org",           true },
 /* Dovecot's and our extra fields */
    {"bob:x:1:1::::allow_nets=::1,192.0.2.0/24 userdb_quota_rule=*:storage=1G", "bob@example.org",
     true                                                                                                         },
    {"bob:x::::::postroad_send=*@example.org postroad_console=view",            "bob@example.org",           true },
};

static void test_rows(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct told t;
        struct accounts *a = parse(&t, slice_of(rows[i].text));
        struct address who;

        check_slice(buf_slice(&t.text), SLICE(""));
        check(address_parse(slice_of(rows[i].who), &t.arena, &who));
        check_int(accounts_have(a, &who), rows[i].has);
        check_int(accounts_count(a), 1);
        accounts_free(a);
        told_done(&t);
    }
}

static const struct {
    const char *text, *told;
} faults[] = {
    {"bob:x\n@example.org:x",
     "f:2:1: error: '@example.org' is no address and no name\n"
     "   2 | @example.org:x\n"
     "     | ^~~~~~~~~~~~   a line begins with bob@example.org: or, for every domain, bob:\n"                                   },
    {":x",                             "f:1:1: error: '' is no address and no name\n   1 | :x\n"
           "     | ^   a line begins with bob@example.org: or, for every domain, bob:\n"                              },
    {" bob:x",                         "f:1:1: error: ' bob' is no address and no name\n   1 |  bob:x\n"
               "     | ^~~~   a line begins with bob@example.org: or, for every domain, bob:\n"                   },
    {"bob:x\nann:x\nBob:y",            "f:3:1: error: 'Bob' has an account already, in line 1\n   3 | Bob:y\n"
                            "     | ^~~   keep one of them\n"                                        },
    {"bob:x::::::a=b postroad_sent=*", "f:1:16: error: unknown field 'postroad_sent'\n"
                                       "   1 | bob:x::::::a=b postroad_sent=*\n"
                                       "     |                ^~~~~~~~~~~~~   known: "
                                       "postroad_send, postroad_console, postroad_scram\n"},
    {"bob:x\x01y",                     "f:1:6: error: a control character\n   1 | bob:x?y\n"
                   "     |      ^   write plain UTF-8 text\n"                                                 },
    {"\xef\xbb\xbf\xef\xbb\xbf"
     "bob:x",                     "f:1:1: error: a control character\n   1 | \xef\xbb\xbf\xef\xbb\xbf"
     "bob:x\n     | ^   write plain UTF-8 text\n"                                                             },
    {"b\xc3\xb6"
     "b:\xff",                    "f:1:5: error: bytes that are not UTF-8\n   1 | b\xc3\xb6"
     "b:?\n     |     ^   write plain UTF-8 text\n"                                                          },
};

static void test_faults(void **state)
{
    (void)state;
    CHECK_ROWS (i, faults) {
        struct told t;
        struct accounts *a = parse(&t, slice_of(faults[i].text));

        check_slice(buf_slice(&t.text), slice_of(faults[i].told));
        accounts_free(a);
        told_done(&t);
    }
}

/* A large site's table is read as a whole, and what is wrong with all of it is not kept. */
static void test_many(void **state)
{
    enum { COUNT = 100000 };

    struct told t;
    struct buf text;
    struct address who;

    (void)state;
    buf_init(&text, 16 * 1024 * 1024);
    for (int i = 0; i < COUNT; i++)
        buf_printf(&text, "user%d@example.org:{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuv:::::\n", i);
    struct accounts *a = parse(&t, buf_slice(&text));

    check_slice(buf_slice(&t.text), SLICE(""));
    check_int(accounts_count(a), COUNT);
    check(address_parse(SLICE("user99999@example.org"), &t.arena, &who));
    check(accounts_have(a, &who));
    accounts_free(a);
    told_done(&t);

    buf_clear(&text);
    for (int i = 0; i < COUNT; i++)
        buf_printf(&text, "user %d\n", i);
    a = parse(&t, buf_slice(&text));
    check_int(t.complaints.errors, COUNT);
    check_int(t.complaints.kept, COMPLAINTS_SHOWN_MAX);
    accounts_free(a);
    told_done(&t);
    buf_done(&text);
}

static void test_without_passwords(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1024);
    check(accounts_write_without_passwords(
        &out, SLICE("# c\nann:{PLAIN}secret:1:1::/home::x=a:b\r\n\nbob\ncid:secret\ndan:s:\n")));
    check_slice(buf_slice(&out), SLICE("ann::1:1::/home::x=a:b\nbob\ncid\ndan::\n"));
    buf_clear(&out);
    check(accounts_write_without_passwords(
        &out, SLICE("ann:{CRYPT}x::::::a=b:c postroad_scram={SCRAM-SHA-256}1,2 nologin\n"
                    "bob:{scram-sha-256}k:1\n")));
    check_slice(buf_slice(&out), SLICE("ann:::::::a=b:c postroad_scram={SCRAM-SHA-256} nologin\n"
                                       "bob:{SCRAM-SHA-256}:1\n"));
    buf_done(&out);
    buf_init(&out, 3);
    check(!accounts_write_without_passwords(&out, SLICE("ann:x")));
    buf_done(&out);
}

static void test_bare_names(void **state)
{
    static const struct {
        const char *text;
        bool have;
    } bare[] = {
        {"",                                                false},
        {"ann@example.org:x\n# bob:x\nann@[192.0.2.1]:x\n", false},
        {"ann@example.org:x\nbob:x\neve@example.org:x\n",   true },
        {"\"bob@example.org\":x\n",                         true },
    };

    (void)state;
    CHECK_ROWS (i, bare) {
        struct told t;
        struct accounts *a = parse(&t, slice_of(bare[i].text));

        check_int(accounts_have_bare_names(a), bare[i].have);
        accounts_free(a);
        told_done(&t);
    }
}

static void who_may_write_as_whom(void **state)
{
    static const char text[] =
        "ann@example.org:x:1:1::/h:/s:postroad_send=*@example.net,bob@c.example\n"
        "bob@example.org:{PLAIN}b\n"
        "dev:{PLAIN}dev\n"
        "root@example.org:x::::::postroad_send=*\n";

    static const struct {
        const char *user, *sender;
        bool may;
    } rights[] = {
        {"ann@example.org",  "ann@example.org",      true },
        {"ann@example.org",  "Ann+list@EXAMPLE.org", true },
        {"ann@example.org",  "bob@example.org",      false},
        {"ann@example.org",  "anybody@example.net",  true },
        {"ann@example.org",  "a@sub.example.net",    false},
        {"ann@example.org",  "bob@c.example",        true },
        {"ann@example.org",  "bob+x@c.example",      true },
        {"ann@example.org",  "carl@c.example",       false},
        {"bob@example.org",  "bob@example.net",      false},
        {"dev",              "dev@any.example",      true },
        {"dev",              "ann@any.example",      false},
        {"root@example.org", "x@y.example",          true },
        {"nobody",           "bob@example.org",      false},
    };
    struct arena arena = {0};
    struct complaints c = {.arena = &arena};
    struct accounts *a = accounts_parse(slice_of(text), &c);

    (void)state;
    check_int(c.errors, 0);
    CHECK_ROWS (i, rights) {
        struct address sender;

        check(address_parse(slice_of(rights[i].sender), &arena, &sender));
        check_int(accounts_may_send_as(a, slice_of(rights[i].user), &sender), rights[i].may);
    }
    accounts_free(a);
    arena_done(&arena);
}

static void rights_are_addresses(void **state)
{
    struct arena arena = {0};
    struct complaints c = {.arena = &arena};

    (void)state;
    accounts_free(
        accounts_parse(SLICE("a@b.example:x::::::postroad_send=*@,ann,*,x@y.example"), &c));
    check_int(c.errors, 2);
    arena_done(&arena);
}

static void who_logs_in(void **state)
{
    static const struct {
        const char *said, *name, *password; /* name NULL: nobody */
    } logins[] = {
        {"ann@example.org",           "ann@example.org",           "{PLAIN}a"},
        {"ANN@Example.ORG",           "ann@example.org",           "{PLAIN}a"},
        {"ann+x@example.org",         NULL,                        NULL      },
        {"dev",                       "dev",                       "{PLAIN}d"},
        {"dev@example.org",           "dev",                       "{PLAIN}d"},
        {"bob@example.org",           "bob@example.org",           ""        },
        {"Eve@B\xc3\xbc"
         "cher.example",     "eve@xn--bcher-kva.example", "{PLAIN}e"},
        {"eve@xn--bcher-kva.example", "eve@xn--bcher-kva.example", "{PLAIN}e"},
        {"ann",                       NULL,                        NULL      },
        {"",                          NULL,                        NULL      },
        {"@example.org",              NULL,                        NULL      },
    };
    struct arena arena = {0};
    struct complaints c = {.arena = &arena};
    struct accounts *a =
        accounts_parse(SLICE("ann@example.org:{PLAIN}a:1\ndev:{PLAIN}d\nbob@example.org\n"
                             "eve@b\xc3\xbc"
                             "cher.example:{PLAIN}e\n"),
                       &c);
    struct account got;

    (void)state;
    CHECK_ROWS (i, logins) {
        check_int(accounts_login(a, slice_of(logins[i].said), &arena, &got),
                  logins[i].name != NULL);
        if (logins[i].name == NULL)
            continue;
        check_slice(got.name, slice_of(logins[i].name));
        check_slice(got.password, slice_of(logins[i].password));
    }
    accounts_free(a);
    arena_done(&arena);
}

/* Keys beside a hash, keys alone, and what is left of them for those who may not have them. */
static void who_has_scram(void **state)
{
    static const struct {
        const char *text;
        bool all;
    } scram[] = {
        {"",                                                                          false},
        {"ann:{SCRAM-SHA-256}k\n",                                                    true },
        {"ann:{CRYPT}x::::::postroad_scram={SCRAM-SHA-256}k\n",                       true },
        {"ann:::::::postroad_scram={SCRAM-SHA-256}\n",                                true },
        {"ann:{CRYPT}x::::::postroad_scram={SCRAM-SHA-256}k\nbob:{SCRAM-SHA-256}k\n", true },
        {"ann:{CRYPT}x::::::postroad_scram={SCRAM-SHA-256}k\nbob:{CRYPT}x\n",         false},
        {"ann:{CRYPT}x\n",                                                            false},
    };

    (void)state;
    CHECK_ROWS (i, scram) {
        struct told t;
        struct accounts *a = parse(&t, slice_of(scram[i].text));

        check_slice(buf_slice(&t.text), SLICE(""));
        check_int(accounts_all_have_scram(a), scram[i].all);
        accounts_free(a);
        told_done(&t);
    }
}

static void keys_and_who_is_disabled(void **state)
{
    struct told t, other;
    struct accounts *a = parse(&t, SLICE("ann:{CRYPT}x::::::postroad_scram={SCRAM-SHA-256}k\n"
                                         "bob:{SCRAM-SHA-256}b::::::nologin\n"
                                         "eve:::::::nologin=no x=1\n"));
    struct accounts *b = parse(&other, SLICE("eve:{PLAIN}e\n"));
    struct account got;

    (void)state;
    check(accounts_login(a, SLICE("ann"), &t.arena, &got));
    check_slice(got.password, SLICE("{CRYPT}x"));
    check_slice(got.scram, SLICE("{SCRAM-SHA-256}k"));
    check(!got.disabled);
    check(accounts_login(a, SLICE("bob"), &t.arena, &got));
    check_slice(got.scram, SLICE("{SCRAM-SHA-256}b"));
    check(got.disabled);
    check(accounts_login(a, SLICE("eve"), &t.arena, &got));
    check(got.disabled && got.scram.len == 0);
    accounts_swap(a, b);
    check(accounts_login(a, SLICE("eve"), &t.arena, &got));
    check(!got.disabled);
    check(!accounts_login(a, SLICE("ann"), &t.arena, &got));
    accounts_free(a);
    accounts_free(b);
    told_done(&t);
    told_done(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bare_names),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_without_passwords),
        cmocka_unit_test(who_may_write_as_whom),
        cmocka_unit_test(rights_are_addresses),
        cmocka_unit_test(who_logs_in),
        cmocka_unit_test(who_has_scram),
        cmocka_unit_test(keys_and_who_is_disabled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
