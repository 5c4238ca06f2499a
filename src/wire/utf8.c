/*
 * utf8.c - strict UTF-8.
 *
 * The first byte gives the length and the smallest code point that may be written with it; one
 * comparison then refuses every overlong form. Decoders that let these or surrogates through
 * turn one check into two different strings. RFC 3629 3 and 10.
 */
#include "wire/utf8.h"

static bool is_tail(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* How many bytes a sequence with this first byte has; 0 when none starts with it. */
static size_t sequence_len(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2)
        return 0;
    if (first < 0xe0)
        return 2;
    if (first < 0xf0)
        return 3;
    return first < 0xf5 ? 4 : 0;
}

bool take_utf8(struct cursor *c, uint32_t *out)
{
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};

    if (cursor_at_end(c))
        return false;
    unsigned char first = (unsigned char)c->rest.data[0];
    size_t len = sequence_len(first);
    if (len == 0 || len > c->rest.len)
        return false;

    uint32_t point = first & first_bits[len];
    for (size_t i = 1; i < len; i++) {
        unsigned char byte = (unsigned char)c->rest.data[i];
        if (!is_tail(byte))
            return false;
        point = point << 6 | (byte & 0x3f);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    if (point < smallest[len] || point > 0x10ffff || surrogate)
        return false;

    c->rest = slice_skip(c->rest, len);
    *out = point;
    return true;
}

bool utf8_valid(struct slice s)
{
    struct cursor c = {s};
    uint32_t point;

    while (take_utf8(&c, &point))
        ;
    return cursor_at_end(&c);
}

bool utf8_is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.data[i] >= 0x80)
            return false;
    return true;
}

bool utf8_printable(struct slice s)
{
    struct cursor c = {s};
    uint32_t point;

    while (take_utf8(&c, &point))
        if (point < 0x20 || (point >= 0x7f && point < 0xa0))
            return false;
    return cursor_at_end(&c);
}
