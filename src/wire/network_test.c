/*
 * network_test.c - what is a network, and what is in it.
 */
#include "wire/network.h"

#include "check.h"

static void test_parse(void **state)
{
    static const struct {
        struct slice text;
        bool is_one;
        unsigned bits;
        bool world;
    } rows[] = {
        {SLICE_INIT("192.0.2.0/24"),                 true,  120, false},
        {SLICE_INIT("192.0.2.1"),                    true,  128, false},
        {SLICE_INIT("192.0.2.1/32"),                 true,  128, false},
        {SLICE_INIT("10.0.0.0/8"),                   true,  104, false},
        {SLICE_INIT("8.0.0.0/7"),                    true,  103, true },
        {SLICE_INIT("128.0.0.0/1"),                  true,  97,  true },
        {SLICE_INIT("0.0.0.0/0"),                    true,  96,  true },
        {SLICE_INIT("::ffff:0:0/96"),                true,  96,  true }, /* the same */
        {SLICE_INIT("::/64"),                        true,  64,  false},
        {SLICE_INIT("::/0"),                         true,  0,   true },
        {SLICE_INIT("2000::/3"),                     true,  3,   true },
        {SLICE_INIT("fc00::/7"),                     true,  7,   false},
        {SLICE_INIT("2001:db8::/32"),                true,  32,  false},
        {SLICE_INIT("2001:db8::1"),                  true,  128, false},
        {SLICE_INIT("2001:DB8::1/128"),              true,  128, false},
        {SLICE_INIT("192.0.2.1/24"),                 false, 0,   false}, /* bits behind the prefix */
        {SLICE_INIT("2001:db8::1/64"),               false, 0,   false},
        {SLICE_INIT("192.0.2.0/33"),                 false, 0,   false},
        {SLICE_INIT("2001:db8::/129"),               false, 0,   false},
        {SLICE_INIT("192.0.2.0/"),                   false, 0,   false},
        {SLICE_INIT("192.0.2.0/24 "),                false, 0,   false},
        {SLICE_INIT("192.0.2.0/24/24"),              false, 0,   false},
        {SLICE_INIT("192.0.2/24"),                   false, 0,   false},
        {SLICE_INIT("[2001:db8::]/32"),              false, 0,   false},
        {SLICE_INIT("/24"),                          false, 0,   false},
        {SLICE_INIT(""),                             false, 0,   false},
        {SLICE_INIT("0.0.0.0/-1"),                   false, 0,   false},
        {SLICE_INIT("0.0.0.0/99999999999999999999"), false, 0,   false},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice text = guarded(rows[i].text);
        struct network n = {.bits = 0};

        check_int(network_parse(text, &n), rows[i].is_one);
        check_int(n.bits, rows[i].bits);
        if (rows[i].is_one)
            check_int(network_is_world(&n), rows[i].world);
        guarded_free(text);
    }
}

static void test_members(void **state)
{
    static const struct {
        struct slice network, address;
        bool in;
    } rows[] = {
        {SLICE_INIT("192.0.2.0/24"),  SLICE_INIT("192.0.2.0"),       true },
        {SLICE_INIT("192.0.2.0/24"),  SLICE_INIT("192.0.2.255"),     true },
        {SLICE_INIT("192.0.2.0/24"),  SLICE_INIT("192.0.3.0"),       false},
        {SLICE_INIT("192.0.2.0/24"),  SLICE_INIT("::c000:201"),      false}, /* not v4-mapped */
        {SLICE_INIT("192.0.2.0/24"),  SLICE_INIT("::ffff:c000:201"), true },
        {SLICE_INIT("192.0.2.64/27"), SLICE_INIT("192.0.2.95"),      true },
        {SLICE_INIT("192.0.2.64/27"), SLICE_INIT("192.0.2.96"),      false},
        {SLICE_INIT("192.0.2.7"),     SLICE_INIT("192.0.2.7"),       true },
        {SLICE_INIT("192.0.2.7"),     SLICE_INIT("192.0.2.6"),       false},
        {SLICE_INIT("0.0.0.0/0"),     SLICE_INIT("255.255.255.255"), true },
        {SLICE_INIT("0.0.0.0/0"),     SLICE_INIT("2001:db8::1"),     false},
        {SLICE_INIT("::/0"),          SLICE_INIT("192.0.2.1"),       true },
        {SLICE_INIT("2001:db8::/33"), SLICE_INIT("2001:db8:7fff::"), true },
        {SLICE_INIT("2001:db8::/33"), SLICE_INIT("2001:db8:8000::"), false},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct network n = {.bits = 0}, one;
        unsigned char ip[16];

        check(network_parse(rows[i].network, &n) && ip_parse(rows[i].address, ip));
        check_int(network_has(&n, ip), rows[i].in);
        one = network_around(ip, NETWORK_BITS_MAX);
        check_int(network_covers(&n, &one), rows[i].in);
        check(network_covers(&n, &n) && (n.bits == 128 || !network_covers(&one, &n)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
