/*
 * cursor.c - bounded forward reading.
 *
 * Each function decides on a copy and moves the cursor only on success, so that a parser can
 * try one alternative after the other without saving positions.
 */
#include "base/cursor.h"

bool cursor_at_end(const struct cursor *c)
{
    return c->rest.len == 0;
}

int cursor_peek(const struct cursor *c)
{
    return c->rest.len == 0 ? -1 : (unsigned char)c->rest.data[0];
}

bool take_char(struct cursor *c, char wanted)
{
    if (c->rest.len == 0 || c->rest.data[0] != wanted)
        return false;
    c->rest = slice_skip(c->rest, 1);
    return true;
}

bool take_any(struct cursor *c, char *out)
{
    if (c->rest.len == 0)
        return false;
    *out = c->rest.data[0];
    c->rest = slice_skip(c->rest, 1);
    return true;
}

bool take_word(struct cursor *c, struct slice word)
{
    if (!slice_starts_nocase(c->rest, word))
        return false;
    c->rest = slice_skip(c->rest, word.len);
    return true;
}

bool take_bytes(struct cursor *c, size_t n, struct slice *out)
{
    if (c->rest.len < n)
        return false;
    *out = slice_head(c->rest, n);
    c->rest = slice_skip(c->rest, n);
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool take_digits(struct cursor *c, unsigned n, unsigned *out)
{
    unsigned value = 0;

    if (c->rest.len < n)
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (!is_digit(c->rest.data[i]))
            return false;
        value = value * 10 + (unsigned)(c->rest.data[i] - '0');
    }
    c->rest = slice_skip(c->rest, n);
    *out = value;
    return true;
}

bool take_number(struct cursor *c, uint64_t *out)
{
    uint64_t value = 0;
    size_t n = 0;

    for (; n < c->rest.len && is_digit(c->rest.data[n]); n++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(c->rest.data[n] - '0'), &value))
            return false;
    if (n == 0)
        return false;
    c->rest = slice_skip(c->rest, n);
    *out = value;
    return true;
}

bool take_until(struct cursor *c, char byte, struct slice *out)
{
    size_t at = slice_find(c->rest, byte);

    if (at == c->rest.len)
        return false;
    *out = slice_head(c->rest, at);
    c->rest = slice_skip(c->rest, at);
    return true;
}

struct slice take_while(struct cursor *c, bool (*is)(char))
{
    size_t n = 0;

    while (n < c->rest.len && is(c->rest.data[n]))
        n++;
    struct slice run = slice_head(c->rest, n);
    c->rest = slice_skip(c->rest, n);
    return run;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool take_blanks(struct cursor *c)
{
    return take_while(c, is_blank).len > 0;
}

static bool get_little(struct cursor *c, unsigned width, uint64_t *out)
{
    struct slice bytes;
    uint64_t value = 0;

    if (!take_bytes(c, width, &bytes))
        return false;
    for (unsigned i = width; i-- > 0;)
        value = value << 8 | (unsigned char)bytes.data[i];
    *out = value;
    return true;
}

bool get_u8(struct cursor *c, uint8_t *out)
{
    uint64_t v;

    if (!get_little(c, 1, &v))
        return false;
    *out = (uint8_t)v;
    return true;
}

bool get_u16(struct cursor *c, uint16_t *out)
{
    uint64_t v;

    if (!get_little(c, 2, &v))
        return false;
    *out = (uint16_t)v;
    return true;
}

bool get_u32(struct cursor *c, uint32_t *out)
{
    uint64_t v;

    if (!get_little(c, 4, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

bool get_u64(struct cursor *c, uint64_t *out)
{
    return get_little(c, 8, out);
}

bool get_bytes(struct cursor *c, size_t max, struct slice *out)
{
    struct cursor trial = *c;
    uint32_t len;

    if (!get_u32(&trial, &len) || len > max || !take_bytes(&trial, len, out))
        return false;
    *c = trial;
    return true;
}
