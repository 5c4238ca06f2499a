/*
 * cursor_test.c - every take_* takes what it names or nothing.
 */
#include "check.h"

#include "base/buf.h"
#include "base/cursor.h"

#define S SLICE_INIT

static bool is_x(char c)
{
    return c == 'x';
}

static void takes_bytes(void **state)
{
    struct slice in = guarded(SLICE("aBc\xff"));
    struct cursor c = {in};
    struct slice taken = {0};
    char byte;

    (void)state;
    check_int(cursor_peek(&c), 'a');
    check(!take_char(&c, 'b'));
    check(take_char(&c, 'a'));
    check(!take_bytes(&c, 4, &taken));
    check(!take_word(&c, SLICE("bd")) && !take_word(&c, SLICE("bc\xff\xff")));
    check(take_word(&c, SLICE("")));
    check(take_word(&c, SLICE("bC")));
    check_int(cursor_peek(&c), 0xff);
    check(!cursor_at_end(&c));
    check(take_any(&c, &byte) && byte == '\xff');
    check(cursor_at_end(&c));
    check_int(cursor_peek(&c), -1);
    check(!take_any(&c, &byte) && !take_char(&c, 'a') && !take_blanks(&c));
    check(take_bytes(&c, 0, &taken) && taken.len == 0);
    guarded_free(in);
}

static void takes_numbers(void **state)
{
    static const struct {
        struct slice in;
        bool ok;
        uint64_t number;
        size_t left;
    } rows[] = {
        {S("0"),                     true,  0,          0 },
        {S("007x"),                  true,  7,          1 },
        {S("18446744073709551615"),  true,  UINT64_MAX, 0 },
        {S("18446744073709551616"),  false, 99,         20},
        {S("184467440737095516150"), false, 99,         21},
        {S("-1"),                    false, 99,         2 },
        {S(" 1"),                    false, 99,         2 },
        {S(""),                      false, 99,         0 },
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice in = guarded(rows[i].in);
        struct cursor c = {in};
        uint64_t number = 99;
        check_int(take_number(&c, &number), rows[i].ok);
        check(number == rows[i].number);
        check_int(c.rest.len, rows[i].left);
        guarded_free(in);
    }
}

static void takes_digits(void **state)
{
    struct slice in = guarded(SLICE("250x999999999"));
    struct cursor c = {in};
    unsigned n = 0;

    (void)state;
    check(!take_digits(&c, 4, &n) && n == 0);
    check(take_digits(&c, 3, &n) && n == 250);
    check(!take_digits(&c, 1, &n) && take_char(&c, 'x'));
    check(take_digits(&c, 9, &n) && n == 999999999);
    check(!take_digits(&c, 1, &n) && n == 999999999);
    guarded_free(in);
}

static void takes_runs(void **state)
{
    struct slice in = guarded(SLICE("xx \t=ab"));
    struct cursor c = {in};
    struct slice run = SLICE("-");

    (void)state;
    check_slice(take_while(&c, is_x), SLICE("xx"));
    check_slice(take_while(&c, is_x), SLICE(""));
    check(!take_until(&c, 'z', &run));
    check_slice(run, SLICE("-"));
    check(take_blanks(&c));
    check(!take_blanks(&c));
    check(take_until(&c, '=', &run) && run.len == 0);
    check(take_until(&c, 'b', &run));
    check_slice(run, SLICE("=a"));
    check_slice(c.rest, SLICE("b"));
    guarded_free(in);
}

/* put_* of buf.h and get_* are two sides of one format: little-endian, and never half taken. */
static void binary_fields(void **state)
{
    struct buf b;
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    struct slice bytes;

    (void)state;
    buf_init(&b, 100);
    check(put_u8(&b, 0xf1) && put_u16(&b, 0xf102) && put_u32(&b, 0xf1020304));
    check(put_u64(&b, 0xf102030405060708) && put_bytes(&b, SLICE("abc")));
    check_slice(buf_slice(&b), SLICE("\xf1\x02\xf1\x04\x03\x02\xf1\x08\x07\x06\x05\x04\x03\x02\xf1"
                                     "\x03\0\0\0abc"));

    struct slice in = guarded(buf_slice(&b));
    struct cursor c = {in};
    check(get_u8(&c, &u8) && u8 == 0xf1);
    check(get_u16(&c, &u16) && u16 == 0xf102);
    check(get_u32(&c, &u32) && u32 == 0xf1020304);
    check(get_u64(&c, &u64) && u64 == 0xf102030405060708);
    check(!get_bytes(&c, 2, &bytes));
    check_int(c.rest.len, 7);
    struct cursor cut = {slice_head(c.rest, 6)};
    check(!get_bytes(&cut, 3, &bytes));
    check_int(cut.rest.len, 6);
    check(!get_u64(&cut, &u64));
    check_int(cut.rest.len, 6);
    check(get_bytes(&c, 3, &bytes));
    check_slice(bytes, SLICE("abc"));
    check(!get_u8(&c, &u8) && !get_u16(&c, &u16) && !get_u32(&c, &u32) && !get_u64(&c, &u64));
    guarded_free(in);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_bytes),   cmocka_unit_test(takes_numbers),
        cmocka_unit_test(takes_digits),  cmocka_unit_test(takes_runs),
        cmocka_unit_test(binary_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
