/*
 * utf8_test.c - every code point by an independent encoder, and the forms that are not UTF-8.
 */
#include "check.h"

#include "wire/utf8.h"

static size_t encode(uint32_t point, char out[4])
{
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

    for (size_t i = len; i-- > 1; point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(marks[len] | point);
    return len;
}

static void every_code_point(void **state)
{
    char bytes[4];

    (void)state;
    for (uint32_t point = 0; point < 0x120000; point++) {
        struct slice s = {bytes, encode(point, bytes)};
        struct cursor c = {s};
        uint32_t got = 0;
        bool legal = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        bool control = point < 0x20 || (point >= 0x7f && point <= 0x9f);
        if (take_utf8(&c, &got) != legal || (legal && got != point) || utf8_valid(s) != legal)
            fail_msg("U+%04X", point);
        check_int(c.rest.len, legal ? 0 : s.len);
        check_int(utf8_printable(s), legal && !control);
        check_int(utf8_is_ascii(s), point < 0x80);
    }
}

static const struct {
    struct slice text;
    bool valid;
} rows[] = {
    {SLICE_INIT(""),                             true },
    {SLICE_INIT("abc"),                          true },
    {SLICE_INIT("gr\xc3\xbc\xc3\x9f"),           true },
    {SLICE_INIT("\xe2\x82\xac\xf0\x9f\x93\xac"), true },
 /* overlong */
    {SLICE_INIT("\xc0\x80"),                     false},
    {SLICE_INIT("\xc1\xbf"),                     false},
    {SLICE_INIT("\xe0\x9f\xbf"),                 false},
    {SLICE_INIT("\xf0\x8f\xbf\xbf"),             false},
 /* cut short, also at the end of memory */
    {SLICE_INIT("\xc3"),                         false},
    {SLICE_INIT("a\xe2\x82"),                    false},
    {SLICE_INIT("\xf0\x9f\x93"),                 false},
 /* a tail alone, a tail missing */
    {SLICE_INIT("\x80"),                         false},
    {SLICE_INIT("\xc3("
                "a"),
     false                                            },
    {SLICE_INIT("\xe2\x28\xa1"),                 false},
 /* never in UTF-8 */
    {SLICE_INIT("\xf5\x80\x80\x80"),             false},
    {SLICE_INIT("\xfe"),                         false},
    {SLICE_INIT("\xff"),                         false},
};

static void broken_forms(void **state)
{
    (void)state;
    CHECK_ROWS(i, rows)
    {
        struct slice text = guarded(rows[i].text);
        check_int(utf8_valid(text), rows[i].valid);
        guarded_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point),
        cmocka_unit_test(broken_forms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
