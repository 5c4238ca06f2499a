/*
 * network_list_test.c - one row, one address: is it in one of the networks?
 */
#include "mail/network_list.h"

#include "base/arena.h"
#include "check.h"

static const char list_text[] = "# who is not wanted\n"
                                "192.0.2.0/24\n"
                                "192.0.2.128/25\n" /* in the one above */
                                "192.0.2.7 # and this\n"
                                "  10.0.0.0/8\n"
                                "198.51.100.7\n"
                                "198.51.100.7\n"
                                "2001:db8::/32\n"
                                "\n"
                                "2001:db8:1::/48\n"
                                "::1\n";

static struct network_list *parse(const char *text, struct complaints *c)
{
    struct slice copy = guarded(slice_of(text));
    struct network_list *l = network_list_parse(copy, c);

    guarded_free(copy);
    return l;
}

static void test_members(void **state)
{
    static const struct {
        const char *ip;
        bool in;
    } rows[] = {
        {"192.0.1.255",     false},
        {"192.0.2.0",       true },
        {"192.0.2.130",     true },
        {"192.0.2.255",     true },
        {"192.0.3.0",       false},
        {"10.0.0.0",        true },
        {"10.255.255.255",  true },
        {"11.0.0.0",        false},
        {"9.255.255.255",   false},
        {"198.51.100.6",    false},
        {"198.51.100.7",    true },
        {"198.51.100.8",    false},
        {"2001:db7:ffff::", false},
        {"2001:db8::",      true },
        {"2001:db8:1::5",   true },
        {"2001:db8:ff::5",  true },
        {"2001:db9::",      false},
        {"::1",             true },
        {"::2",             false},
        {"::",              false},
        {"255.255.255.255", false},
    };
    struct arena arena = {0};
    struct complaints c = {.arena = &arena};
    struct network_list *l = parse(list_text, &c), *empty = parse("# none\n", &c);
    struct network_list *world = parse("::/0\n192.0.2.0/24\n", &c);

    (void)state;
    assert_int_equal(c.errors, 0);
    assert_int_equal(network_list_count(l), 5);
    assert_int_equal(network_list_count(world), 1);
    CHECK_ROWS (i, rows) {
        unsigned char ip[16];

        check(ip_parse(slice_of(rows[i].ip), ip));
        check_int(network_list_has(l, ip), rows[i].in);
        check(!network_list_has(empty, ip) && network_list_has(world, ip));
    }
    network_list_free(l);
    network_list_free(empty);
    network_list_free(world);
    arena_done(&arena);
}

static void test_faults(void **state)
{
    static const char *const rows[] = {"example.org", "192.0.2.1/24", "192.0.2.0/24 REJECT",
                                       "192.0.2.0/33", "192.0.2.1,192.0.2.2"};

    (void)state;
    CHECK_ROWS (i, rows) {
        struct arena arena = {0};
        struct complaints c = {.arena = &arena};
        struct network_list *l = parse(rows[i], &c);

        check_int(c.errors, 1);
        network_list_free(l);
        arena_done(&arena);
    }
}

/* Many of all sizes, each address by the list and one by one. */
static void test_against_all(void **state)
{
    enum { MANY = 2000 };

    static struct network all[MANY];
    struct arena arena = {0};
    struct complaints c = {.arena = &arena};
    struct buf text;
    uint32_t chance = 1;

    (void)state;
    buf_init(&text, 1024 * 1024);
    for (int i = 0; i < MANY; i++) {
        chance = chance * 1664525 + 1013904223;
        unsigned bits = 12 + (chance >> 8) % 21;
        uint32_t at = bits == 0 ? 0 : (chance & 0xfffffff) >> (32 - bits) << (32 - bits);
        struct slice line = arena_printf(&arena, "%u.%u.%u.%u/%u", at >> 24, at >> 16 & 0xff,
                                         at >> 8 & 0xff, at & 0xff, bits);

        assert_true(network_parse(line, &all[i]));
        assert_true(buf_append(&text, line) && buf_append_char(&text, '\n'));
    }
    struct network_list *l = network_list_parse(buf_slice(&text), &c);
    unsigned inside = 0;
    for (int i = 0; i < 4 * MANY; i++) {
        unsigned char ip[16] = {[10] = 0xff, [11] = 0xff};
        bool in = false;

        chance = chance * 1664525 + 1013904223;
        for (int b = 0; b < 4; b++)
            ip[12 + b] = (unsigned char)((chance & 0xfffffff) >> (24 - 8 * b));
        for (int n = 0; n < MANY && !in; n++)
            in = network_has(&all[n], ip);
        check_int(network_list_has(l, ip), in);
        inside += in;
    }
    assert_in_range(inside, 100, 4 * MANY - 100);
    network_list_free(l);
    buf_done(&text);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_against_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
