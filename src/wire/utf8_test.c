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

#define VALID(bytes)                                                                               \
    {                                                                                              \
        SLICE_INIT(bytes), true                                                                    \
    }
#define BROKEN(bytes)                                                                              \
    {                                                                                              \
        SLICE_INIT(bytes), false                                                                   \
    }

static const struct {
    struct slice text;
    bool valid;
} rows[] = {
    VALID(""),
    VALID("abc"),
    VALID("gr\xc3\xbc\xc3\x9f"),
    VALID("\xe2\x82\xac\xf0\x9f\x93\xac"),
    /* overlong */
    BROKEN("\xc0\x80"),
    BROKEN("\xc1\xbf"),
    BROKEN("\xe0\x9f\xbf"),
    BROKEN("\xf0\x8f\xbf\xbf"),
    /* cut short, also at the end of memory */
    BROKEN("\xc3"),
    BROKEN("a\xe2\x82"),
    BROKEN("\xf0\x9f\x93"),
    /* a tail alone, a tail missing */
    BROKEN("\x80"),
    BROKEN("\xc3(a"),
    BROKEN("\xe2\x28\xa1"),
    /* never in UTF-8 */
    BROKEN("\xf5\x80\x80\x80"),
    BROKEN("\xfe"),
    BROKEN("\xff"),
};

static void broken_forms(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
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
