/*
 * allowance_test.c - one row, one client: which limit of the list is his.
 */
#include "mail/allowance.h"

#include "check.h"

static const struct allowance list[] = {
    {.of = ALLOWANCE_OF_USER,                 .user = SLICE_INIT("bob@example.org"), .connections = 1},
    {.of = ALLOWANCE_OF_NETWORK,
     .network = {{[10] = 0xff, [11] = 0xff, [12] = 10}, 104},
     .connections = 2                                                                                },
    {.of = ALLOWANCE_OF_AUTHENTICATED,        .connections = 3                     },
    {.of = ALLOWANCE_OF_USER, .user = SLICE_INIT("late@example.org"),                      .connections = 4                },
    {.of = ALLOWANCE_OF_ANY,                       .connections = 5                                     },
    {.of = ALLOWANCE_OF_NETWORK,
     .network = {{[10] = 0xff, [11] = 0xff, [12] = 127}, 104},
     .connections = 6},
};

static void test_who(void **state)
{
    static const struct {
        const char *user, *client; /* one of the two */
        size_t count;              /* of the list */
        unsigned connections;
    } rows[] = {
        {"Bob@example.org",  NULL,          6, 1  },
        {"ann@example.org",  NULL,          6, 3  },
        {"late@example.org", NULL,          6, 3  }, /* the first that matches */
        {"ann@example.org",  NULL,          2, 100},
        {NULL,               "10.1.2.3",    6, 2  },
        {NULL,               "192.0.2.1",   6, 5  },
        {NULL,               "2001:db8::1", 6, 5  },
        {NULL,               "192.0.2.1",   4, 50 },
        {NULL,               "127.0.0.1",   5, 0  }, /* 'any' is not for who is here already */
        {NULL,               "::1",         6, 0  },
        {NULL,               "127.0.0.1",   6, 6  }, /* but its network may be named */
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        unsigned char ip[16];

        if (rows[i].user != NULL)
            check_int(allowance_for(list, rows[i].count, slice_of(rows[i].user))->connections,
                      rows[i].connections);
        else
            check(ip_parse(slice_of(rows[i].client), ip) &&
                  allowance_for_client(list, rows[i].count, ip)->connections ==
                      rows[i].connections);
    }
}

static void test_around(void **state)
{
    static const struct {
        struct slice one, other;
        bool same_address, same_network;
    } rows[] = {
        {SLICE_INIT("192.0.2.1"),         SLICE_INIT("192.0.2.1"),            true,  true },
        {SLICE_INIT("192.0.2.1"),         SLICE_INIT("192.0.2.2"),            false, true },
        {SLICE_INIT("192.0.2.1"),         SLICE_INIT("192.0.3.1"),            false, false},
        {SLICE_INIT("2001:db8:0:1::1"),   SLICE_INIT("2001:db8:0:1:2:3:4:5"), true,  true },
        {SLICE_INIT("2001:db8:0:1::1"),   SLICE_INIT("2001:db8:0:ff::1"),     false, true },
        {SLICE_INIT("2001:db8:0:100::1"), SLICE_INIT("2001:db8:0:200::1"),    false, false},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        unsigned char ip[16], other[16];

        check(ip_parse(rows[i].one, ip) && ip_parse(rows[i].other, other));
        struct network address = allowance_address(ip), network = allowance_network(ip);
        check_int(network_has(&address, other), rows[i].same_address);
        check_int(network_has(&network, other), rows[i].same_network);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who),
        cmocka_unit_test(test_around),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
