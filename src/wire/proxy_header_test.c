/*
 * proxy_header_test.c - for whom a proxy speaks, and that nothing behind its header is read.
 */
#include "wire/proxy_header.h"

#include "check.h"
#include "wire/network.h"

#define START "\r\n\r\n\0\r\nQUIT\n"
#define IPV4  "\300\0\002\001" /* 192.0.2.1 */
#define OWN4  "\306\063\144\031"
#define IPV6  "\040\001\015\270\0\0\0\0\0\0\0\0\0\0\0\001" /* 2001:db8::1 */
#define PORTS "\234\100\0\031"                             /* 40000, 25 */

static const struct {
    struct slice text;
    enum proxy_speaks speaks;
    struct slice ip;
    unsigned port;
} rows[] = {
  /* 2.1, version 1 */
    {SLICE_INIT("PROXY TCP4 192.0.2.1 198.51.100.25 40000 25\r\n"),               PROXY_FOR_CLIENT,
     SLICE_INIT("192.0.2.1"),                                                                                                                                40000},
    {SLICE_INIT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),    PROXY_FOR_CLIENT,
     SLICE_INIT("255.255.255.255"),                                                                                                                          65535},
    {SLICE_INIT("PROXY TCP6 2001:db8::1 ::1 0 25\r\n"),                           PROXY_FOR_CLIENT,   SLICE_INIT("2001:db8::1"),
     0                                                                                                                                                            },
    {SLICE_INIT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     PROXY_FOR_CLIENT,                                                                                SLICE_INIT("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 65535},
    {SLICE_INIT("PROXY UNKNOWN\r\n"),                                             PROXY_FOR_NOBODY,   SLICE_INIT(""),                                        0    },
    {SLICE_INIT("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), PROXY_FOR_NOBODY,
     SLICE_INIT(""),                                                                                                                                         0    },
    {SLICE_INIT("PROXY UNKNOWNS\r\n"),                                            PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),                        PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"),                        PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT("PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n"),                      PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"),                        PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n"),                      PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT("PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n"),                       PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"),                          PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n"),                    PROXY_IS_MALFORMED, SLICE_INIT(""),
     0                                                                                                                                                            },
    {SLICE_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"),                       PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"),                       PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n\n"),                        PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rX"),                         PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT(
         "PROXY UNKNOWN ---------------------------------------------------------------------"
         "-----------------------"),
     PROXY_IS_MALFORMED,                                                                              SLICE_INIT(""),                                        0    }, /* 107 */

  /* 2.2, version 2 */
    {SLICE_INIT(START "\041\021\0\014" IPV4 OWN4 PORTS),                          PROXY_FOR_CLIENT,   SLICE_INIT("192.0.2.1"),
     40000                                                                                                                                                        },
    {SLICE_INIT(START "\041\041\0\044" IPV6 IPV6 PORTS),                          PROXY_FOR_CLIENT,
     SLICE_INIT("2001:db8::1"),                                                                                                                              40000},
    {SLICE_INIT(START "\041\021\0\027" IPV4 OWN4 PORTS "\002\0\001a"
                      "\040\0\004abcd"),
     PROXY_FOR_CLIENT,                                                                                SLICE_INIT("192.0.2.1"),                               40000}, /* two TLVs */
    {SLICE_INIT(START "\041\021\0\020" IPV4 OWN4 PORTS "\002\0\002a"),            PROXY_IS_MALFORMED,
     SLICE_INIT(""),                                                                                                                                         0    }, /* one that ends too late */
    {SLICE_INIT(START "\041\021\0\016" IPV4 OWN4 PORTS "\002\0"),                 PROXY_IS_MALFORMED,
     SLICE_INIT(""),                                                                                                                                         0    },
    {SLICE_INIT(START "\041\021\0\013" IPV4 OWN4 "\234\100\0"),                   PROXY_IS_MALFORMED, SLICE_INIT(""),
     0                                                                                                                                                            }, /* too short for its family */
    {SLICE_INIT(START "\040\0\0\0"),                                              PROXY_FOR_NOBODY,   SLICE_INIT(""),                                        0    }, /* LOCAL */
    {SLICE_INIT(START "\040\021\0\014" IPV4 OWN4 PORTS),                          PROXY_FOR_NOBODY,   SLICE_INIT(""),                                        0    },
    {SLICE_INIT(START "\041\0\0\0"),                                              PROXY_FOR_NOBODY,   SLICE_INIT(""),                                        0    }, /* UNSPEC */
    {SLICE_INIT(START "\041\061\0\003abc"),                                       PROXY_FOR_NOBODY,   SLICE_INIT(""),                                        0    }, /* UNIX */
    {SLICE_INIT(START "\042\021\0\014" IPV4 OWN4 PORTS),                          PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT(START "\021\021\0\014" IPV4 OWN4 PORTS),                          PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT(START "\041\021\377\377"),                                        PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },

 /* neither */
    {SLICE_INIT("EHLO client.example\r\n"),                                       PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
    {SLICE_INIT("\026\003\001\002\0\001\0\001\374\003\003\0\0"),                  PROXY_IS_MALFORMED, SLICE_INIT(""),
     0                                                                                                                                                            }, /* TLS */
    {SLICE_INIT("\r\n\r\n\0\r\nQUIT "),                                           PROXY_IS_MALFORMED, SLICE_INIT(""),                                        0    },
};

/* As a reader does it: so many bytes as are wanted, no more. */
static void test_steps(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice text = guarded(rows[i].text);
        struct proxy_header got = {0};
        unsigned char ip[16];
        size_t len = 0;
        enum proxy_speaks speaks;

        while ((speaks = proxy_header_read(slice_head(text, len), &got)) == PROXY_MORE) {
            check(got.wants > 0 && got.wants <= text.len - len);
            len += got.wants;
        }
        check_int(speaks, rows[i].speaks);
        if (speaks != PROXY_IS_MALFORMED)
            check_int(len, text.len);
        if (speaks == PROXY_FOR_CLIENT) {
            check(ip_parse(rows[i].ip, ip));
            assert_memory_equal(got.ip, ip, sizeof(ip));
            check_int(got.port, rows[i].port);
        }
        guarded_free(text);
    }
}

/* Whatever is cut off, it is no other header. */
static void test_cut(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct proxy_header got;

        if (rows[i].speaks == PROXY_IS_MALFORMED)
            continue;
        for (size_t len = 0; len < rows[i].text.len; len++) {
            struct slice text = guarded(slice_head(rows[i].text, len));

            check_int(proxy_header_read(text, &got), PROXY_MORE);
            check(len + got.wants <= rows[i].text.len);
            guarded_free(text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests_name("proxy_header", tests, NULL, NULL);
}
