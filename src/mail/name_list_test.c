/*
 * name_list_test.c - one row, one address: is it in the list?
 */
#include "mail/name_list.h"

#include "base/arena.h"
#include "check.h"

static const char list_text[] = "# who is not wanted\n"
                                "ann@example.org\n"
                                "  Bob+Lists@Example.ORG   # only his lists\n"
                                "b\xc3\xbc"
                                "cher.example\n"
                                "*.example.net\n"
                                "\n"
                                "postmaster@\n"
                                "<>\n"
                                "\"a b\"@example.com\n"
                                "root@[192.0.2.1]\n"
                                "#hash@example.com\n"
                                "x#y@example.com\n"
                                "localhost\n";

static struct name_list *parse(const char *text, struct complaints *c)
{
    struct slice copy = guarded(slice_of(text));
    struct name_list *l = name_list_parse(copy, c);

    guarded_free(copy);
    return l;
}

static void test_members(void **state)
{
    static const struct {
        const char *address;
        bool in;
    } rows[] = {
        {"ann@example.org",             true },
        {"ANN@EXAMPLE.org",             true },
        {"ann+detail@example.org",      true },
        {"anne@example.org",            false},
        {"ann@sub.example.org",         false},
        {"ann",                         false},
        {"bob@example.org",             false},
        {"bob+lists@example.org",       true },
        {"any@xn--bcher-kva.example",   true },
        {"any@a.xn--bcher-kva.example", false},
        {"any@example.net",             false},
        {"any@a.example.net",           true },
        {"any@b.a.example.net",         true },
        {"any@notexample.net",          false},
        {"postmaster@far.example",      true },
        {"Postmaster@[192.0.2.9]",      true },
        {"postmasters@far.example",     false},
        {"\"a b\"@example.com",         true },
        {"root@[192.0.2.1]",            true },
        {"root@[192.0.2.2]",            false},
        {"hash@example.com",            false},
        {"x#y@example.com",             true },
        {"me@localhost",                true },
    };
    struct arena arena = {0};
    struct complaints c = {.arena = &arena};
    struct name_list *l = parse(list_text, &c);
    const struct address nobody = {.kind = ADDRESS_NULL};

    (void)state;
    assert_int_equal(c.errors, 0);
    assert_int_equal(name_list_count(l), 10);
    assert_true(name_list_has(l, &nobody));
    CHECK_ROWS (i, rows) {
        struct address a;

        check(address_parse(slice_of(rows[i].address), &arena, &a));
        check_int(name_list_has(l, &a), rows[i].in);
    }
    name_list_free(l);
    arena_done(&arena);
}

static void test_faults(void **state)
{
    static const struct {
        const char *text;
        const char *told; /* the place; NULL: it is right */
    } rows[] = {
        {"",                           NULL                 },
        {"example.org\nexample.org\n", NULL                 }, /* twice is no harm */
        {"a@b@c.example\n",            "t:1:1: error: 'a@b@"},
        {"ok.example\n  bob@ ex\n",    "t:2:3: error: 'bob@"},
        {"-x-.example",                "t:1:1: error: '-x-."},
        {"@example.org\n@*.a.example", NULL                 },
        {"@@example.org",              "t:1:1: error: '@@ex"},
        {"*",                          "t:1:1: error: '*' i"},
        {"*.*.example.org",            "t:1:1: error: '*.*."},
        {"@",                          "t:1:1: error: '@' i"},
        {"example.org REJECT",         "t:1:1: error: 'exam"}, /* as Postfix's have */
        {"192.0.2.0/24",               "t:1:1: error: '192."},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct arena arena = {0};
        struct complaints c = {.arena = &arena};
        struct name_list *l = parse(rows[i].text, &c);
        struct buf told;

        buf_init(&told, 4096);
        complaints_write(&c, SLICE("t"), slice_of(rows[i].text), &told);
        check_int(c.errors, rows[i].told != NULL);
        check(rows[i].told == NULL || slice_starts(buf_slice(&told), slice_of(rows[i].told)));
        buf_done(&told);
        name_list_free(l);
        arena_done(&arena);
    }
}

static void test_large(void **state)
{
    enum { MANY = 100000 };

    struct arena arena = {0};
    struct complaints c = {.arena = &arena};
    struct buf text;
    struct address a;

    (void)state;
    buf_init(&text, 8 * 1024 * 1024);
    for (int i = 0; i < MANY; i++)
        assert_true(buf_printf(&text, i % 2 == 0 ? "user%d@example.org\n" : "d%d.example\n", i));
    struct name_list *l = name_list_parse(buf_slice(&text), &c);
    assert_int_equal(name_list_count(l), MANY);
    for (int i = 0; i < MANY; i++) {
        struct slice one = i % 2 == 0 ? arena_printf(&arena, "user%d@example.org", i)
                                      : arena_printf(&arena, "x@d%d.example", i);

        assert_true(address_parse(one, &arena, &a) && name_list_has(l, &a));
        a.local = SLICE("other");
        assert_int_equal(name_list_has(l, &a), i % 2);
    }
    name_list_free(l);
    buf_done(&text);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
