/*
 * forwarded_test.c - what XCLIENT and XFORWARD may say.
 */
#include "wire/forwarded.h"

#include "check.h"
#include "wire/network.h"

static void test_rows(void **state)
{
    static const struct {
        struct slice text;
        bool xforward, good;
        unsigned said, known;
        struct slice name, login, ident, ip;
    } rows[] = {
        {SLICE_INIT("NAME=spike.porcupine.org ADDR=168.100.189.2"),                       false, true,
         FORWARDED_NAME | FORWARDED_ADDR,                                                                                                   FORWARDED_NAME | FORWARDED_ADDR,
         SLICE_INIT("spike.porcupine.org"),                                                                                                                                                  SLICE_INIT(""), SLICE_INIT(""),
         SLICE_INIT("168.100.189.2")                                                                                                                                                                                                                        },
        {SLICE_INIT("addr=IPV6:2001:db8::1 port=40000 login=ann+40example.org"),          false, true,
         FORWARDED_ADDR | FORWARDED_PORT | FORWARDED_LOGIN,
         FORWARDED_ADDR | FORWARDED_PORT | FORWARDED_LOGIN,                                                                                                                  SLICE_INIT(""),
         SLICE_INIT("ann@example.org"),                                                                                                                                                                      SLICE_INIT(""),       SLICE_INIT("2001:db8::1")},
        {SLICE_INIT("ADDR=[UNAVAILABLE] NAME=[TEMPUNAVAIL] LOGIN=[unavailable]"),         false, true,
         FORWARDED_ADDR | FORWARDED_NAME | FORWARDED_LOGIN,                                                                                 0,                               SLICE_INIT(""), SLICE_INIT(""),
         SLICE_INIT(""),                                                                                                                                                                                                           SLICE_INIT("")           },
        {SLICE_INIT("PROTO=esmtp HELO=a DESTADDR=192.0.2.25 DESTPORT=25 REVERSE_NAME=b"), false,
         true,                                                                                          FORWARDED_PROTO | FORWARDED_HELO | FORWARDED_DESTADDR | FORWARDED_DESTPORT |
             FORWARDED_REVERSE_NAME,                                                                                          FORWARDED_PROTO | FORWARDED_HELO | FORWARDED_DESTADDR | FORWARDED_DESTPORT |
             FORWARDED_REVERSE_NAME,                                                                                       SLICE_INIT(""), SLICE_INIT(""), SLICE_INIT(""),       SLICE_INIT("")           },
        {SLICE_INIT("IDENT=4Q1x2y SOURCE=REMOTE"),                                        true,  true,  FORWARDED_IDENT | FORWARDED_SOURCE,
         FORWARDED_IDENT | FORWARDED_SOURCE,                                                                                                                                 SLICE_INIT(""), SLICE_INIT(""), SLICE_INIT("4Q1x2y"),
         SLICE_INIT("")                                                                                                                                                                                                                                     },
        {SLICE_INIT("LOGIN=ann"),                                                         true,  false, 0,                                  0,                               SLICE_INIT(""), SLICE_INIT(""), SLICE_INIT(""),
         SLICE_INIT("")                                                                                                                                                                                                                                     }, /* no identity by XFORWARD */
        {SLICE_INIT("IDENT=a"),                                                           false, false, 0,                                  0,                               SLICE_INIT(""), SLICE_INIT(""), SLICE_INIT(""),
         SLICE_INIT("")                                                                                                                                                                                                                                     },
    };
    struct arena arena = {0};

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice text = guarded(rows[i].text);
        struct forwarded got = {0};
        unsigned char ip[16] = {0};

        check_int(forwarded_read(text,
                                 rows[i].xforward ? FORWARDED_BY_XFORWARD : FORWARDED_BY_XCLIENT,
                                 &arena, &got),
                  rows[i].good);
        check_int(got.said, rows[i].said);
        check_int(got.known, rows[i].known);
        check_slice(got.name, rows[i].name);
        check_slice(got.login, rows[i].login);
        check_slice(got.ident, rows[i].ident);
        if (rows[i].ip.len > 0)
            check(ip_parse(rows[i].ip, ip));
        assert_memory_equal(got.ip, ip, sizeof(ip));
        guarded_free(text);
    }
    arena_done(&arena);
}

static void test_malformed(void **state)
{
    static const struct slice rows[] = {
        SLICE_INIT(""),
        SLICE_INIT("NAME"),
        SLICE_INIT("NAME="),
        SLICE_INIT("=a"),
        SLICE_INIT("COLOR=red"),
        SLICE_INIT("NAME=a NAME=b"),
        SLICE_INIT("NAME=a+0D+0A250"),
        SLICE_INIT("NAME=a+00b"),
        SLICE_INIT("NAME=a+20b"),
        SLICE_INIT("NAME=+FF"),
        SLICE_INIT("NAME=a+1b"),
        SLICE_INIT("NAME=a+"),
        SLICE_INIT("LOGIN=a+1B[31m"),
        SLICE_INIT("ADDR=2001:db8::1"),
        SLICE_INIT("ADDR=IPV6:192.0.2.1"),
        SLICE_INIT("ADDR=192.0.2.256"),
        SLICE_INIT("ADDR=192.0.2.1/24"),
        SLICE_INIT("ADDR=unknown"),
        SLICE_INIT("PORT=65536"),
        SLICE_INIT("PORT=-1"),
        SLICE_INIT("PROTO=LMTP"),
        SLICE_INIT("DESTADDR=mx"),
        SLICE_INIT("ADDR=192.0.2.1 PORT=x"),
    };
    struct arena arena = {0};

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice text = guarded(rows[i]);
        struct forwarded got = {.said = FORWARDED_SOURCE};

        check(!forwarded_read(text, FORWARDED_BY_XCLIENT, &arena, &got));
        check_int(got.said, FORWARDED_SOURCE); /* as it was */
        guarded_free(text);
    }
    arena_done(&arena);
}

/* As Postfix does it: what one line has no room for, the next one says. */
static void test_two_commands(void **state)
{
    struct arena arena = {0};
    struct forwarded got = {0};

    (void)state;
    check(forwarded_read(SLICE("NAME=a ADDR=192.0.2.1"), FORWARDED_BY_XFORWARD, &arena, &got));
    check(forwarded_read(SLICE("IDENT=x ADDR=[UNAVAILABLE]"), FORWARDED_BY_XFORWARD, &arena, &got));
    check_slice(got.name, SLICE("a"));
    check_slice(got.ident, SLICE("x"));
    check_int(got.said, FORWARDED_NAME | FORWARDED_ADDR | FORWARDED_IDENT);
    check_int(got.known, FORWARDED_NAME | FORWARDED_IDENT);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_two_commands),
    };

    return cmocka_run_group_tests_name("forwarded", tests, NULL, NULL);
}
