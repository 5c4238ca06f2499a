/*
 * url_test.c - addresses of the web, good and bad.
 */
#include "wire/url.h"

#include "check.h"

static void test_good(void **state)
{
    static const struct {
        struct slice text, host;
        unsigned port;
        struct slice path;
    } rows[] = {
        {SLICE_INIT("https://id.example/token"),                       SLICE_INIT("id.example"), 443,
         SLICE_INIT("/token")                                                                                                         },
        {SLICE_INIT("HTTPS://id.example"),                             SLICE_INIT("id.example"), 443,  SLICE_INIT("")                 },
        {SLICE_INIT("https://id.example:8443/a/b?c=d&e=%20"),          SLICE_INIT("id.example"), 8443,
         SLICE_INIT("/a/b?c=d&e=%20")                                                                                                 },
        {SLICE_INIT("https://127.0.0.1:1/"),                           SLICE_INIT("127.0.0.1"),  1,    SLICE_INIT("/")                },
        {SLICE_INIT("https://xn--bcher-kva.example/!$'()*+,;=:@-._~"),
         SLICE_INIT("xn--bcher-kva.example"),                                                    443,  SLICE_INIT("/!$'()*+,;=:@-._~")},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice text = guarded(rows[i].text);
        struct url got;

        check(url_parse_https(text, &got));
        check_slice(got.host, rows[i].host);
        check_int(got.port, rows[i].port);
        check_slice(got.path, rows[i].path);
        guarded_free(text);
    }
}

static void test_bad(void **state)
{
    static const struct slice rows[] = {
        SLICE_INIT(""),
        SLICE_INIT("https://"),
        SLICE_INIT("https:///token"),
        SLICE_INIT("http://id.example/token"),
        SLICE_INIT("//id.example/token"),
        SLICE_INIT("https://me@id.example/"),
        SLICE_INIT("https://me:pw@id.example/"),
        SLICE_INIT("https://id.example:0/"),
        SLICE_INIT("https://id.example:65536/"),
        SLICE_INIT("https://id.example:/"),
        SLICE_INIT("https://id.example:8x/"),
        SLICE_INIT("https://id.example?x=1"),
        SLICE_INIT("https://.id.example/"),
        SLICE_INIT("https://id.example./"),
        SLICE_INIT("https://[::1]/"),
        SLICE_INIT("https://id_x.example/"),
        SLICE_INIT("https://b\xc3\xbc.example/"),
        SLICE_INIT("https://id.example/#top"),
        SLICE_INIT("https://id.example/a b"),
        SLICE_INIT("https://id.example/\r\nX: y"),
        SLICE_INIT("https://id.example/\x80"),
        SLICE_INIT("https://id.example/\\x"),
        SLICE_INIT("https://id.example/\0"),
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice text = guarded(rows[i]);
        struct url got;

        check(!url_parse_https(text, &got));
        guarded_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
