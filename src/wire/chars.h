/*
 * chars.h - one table of character classes for every grammar.
 *
 * Names are the ABNF rules of RFC 5234 B.1, RFC 5321 4.1.2, RFC 5322 3.2 and RFC 3461 4. A
 * byte may be in many classes; the table is one 256-entry array of bits.
 */
#ifndef WIRE_CHARS_H
#define WIRE_CHARS_H

#include <stdbool.h>
#include <stdint.h>

enum char_class {
    CHAR_ALPHA = 1 << 0,
    CHAR_DIGIT = 1 << 1,
    CHAR_HEXDIG = 1 << 2, /* both cases */
    CHAR_ATEXT = 1 << 3,  /* RFC 5322 atext */
    CHAR_QTEXT = 1 << 4,  /* RFC 5321 qtextSMTP */
    CHAR_PRINT = 1 << 5,  /* 32-126 */
    CHAR_CTL = 1 << 6,    /* 0-31, 127 */
    CHAR_BLANK = 1 << 7,  /* space, tab */
    CHAR_LETDIG = 1 << 8, /* letters and digits */
    CHAR_ESMTP = 1 << 9,  /* esmtp-value: 33-60, 62-126 */
    CHAR_XCHAR = 1 << 10, /* xtext without "+" and "=" */
    CHAR_FTEXT = 1 << 11, /* header field name: 33-57, 59-126 */
    CHAR_DTEXT = 1 << 12, /* RFC 5321 dcontent: 33-90, 94-126 */
    CHAR_HIGH = 1 << 13,  /* 128-255 */
};

extern const uint16_t char_table[256];

static inline bool char_is(char c, unsigned classes)
{
    return (char_table[(unsigned char)c] & classes) != 0;
}

#endif
