/*
 * unitext.c - addresses in UTF-8 as 7-bit text.
 *
 * Besides what is not ASCII, whatever xtext (RFC 3461 4) would have to encode is encoded here, so
 * that xtext leaves the result alone.
 */
#include "wire/unitext.h"

#include "base/buf.h"
#include "wire/chars.h"
#include "wire/utf8.h"

enum { ENCODED_MAX = sizeof("\\x{10FFFF}"), DIGITS_MIN = 2, DIGITS_MAX = 6 };

/* QCHAR */
static bool is_plain(uint32_t point)
{
    return point > ' ' && point < 0x7f && point != '\\' && point != '+' && point != '=';
}

struct slice unitext_encode(struct arena *arena, struct slice text)
{
    struct cursor c = {text};
    struct slice coded;
    struct buf out;

    buf_init(&out, text.len * ENCODED_MAX);
    while (!cursor_at_end(&c)) {
        uint32_t point = '?';

        if (!take_utf8(&c, &point))
            c.rest = slice_skip(c.rest, 1);
        if (is_plain(point))
            buf_append_char(&out, (char)point);
        else
            buf_printf(&out, "\\x{%02X}", point);
    }
    coded = arena_copy(arena, buf_slice(&out));
    buf_done(&out);
    return coded;
}

/* As UTF-8 has it; take_utf8() judges whether there is such a character. */
static void put_point(struct buf *out, uint32_t point)
{
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    char bytes[4];

    for (size_t i = len; i-- > 1; point >>= 6)
        bytes[i] = (char)(0x80 | (point & 0x3f));
    bytes[0] = (char)(marks[len] | point);
    buf_append(out, (struct slice){bytes, len});
}

static bool is_digit(char c)
{
    return char_is(c, CHAR_DIGIT) || (c >= 'A' && c <= 'F');
}

/* Behind the backslash: "x{F6}". */
static bool take_embedded(struct cursor *c, uint32_t *point)
{
    struct slice digits;

    if (!take_char(c, 'x') || !take_char(c, '{'))
        return false;
    digits = take_while(c, is_digit);
    if (digits.len < DIGITS_MIN || digits.len > DIGITS_MAX || !take_char(c, '}'))
        return false;
    *point = 0;
    for (size_t i = 0; i < digits.len; i++)
        *point = *point * 16 + (uint32_t)(digits.data[i] <= '9' ? digits.data[i] - '0'
                                                                : digits.data[i] - 'A' + 10);
    return *point <= 0x10ffff && !is_plain(*point);
}

static bool decode(struct cursor *c, struct buf *out)
{
    while (!cursor_at_end(c)) {
        uint32_t point;
        char byte;

        if (take_char(c, '\\')) {
            if (!take_embedded(c, &point))
                return false;
            put_point(out, point);
        } else if (take_any(c, &byte)) {
            buf_append_char(out, byte);
        }
    }
    return utf8_printable(buf_slice(out));
}

bool unitext_decode(struct arena *arena, struct slice text, struct slice *out)
{
    struct cursor c = {text};
    struct buf decoded;
    bool good;

    buf_init(&decoded, text.len);
    good = decode(&c, &decoded);
    if (good)
        *out = arena_copy(arena, buf_slice(&decoded));
    buf_done(&decoded);
    return good;
}
