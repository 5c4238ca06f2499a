/*
 * chars.c - one table of character classes for every grammar.
 *
 * The printable bytes share most classes, so each row names what it lacks: VISIBLE is 33-126
 * with every class that some grammar gives to nearly all of them, and a special character
 * subtracts the grammars that treat it as syntax. A grammar that asks this table cannot
 * disagree with its neighbour about what a letter or a control is, and no locale is involved.
 */
#include "wire/chars.h"

#define VISIBLE (CHAR_PRINT | CHAR_QTEXT | CHAR_ESMTP | CHAR_XCHAR | CHAR_FTEXT | CHAR_DTEXT)
#define ATOM    (VISIBLE | CHAR_ATEXT)
#define LETTER  (ATOM | CHAR_ALPHA | CHAR_LETDIG)

const uint16_t char_table[256] = {
    [0 ... 8] = CHAR_CTL,
    ['\t'] = CHAR_CTL | CHAR_BLANK,
    [10 ... 31] = CHAR_CTL,
    [' '] = CHAR_PRINT | CHAR_QTEXT | CHAR_BLANK,
    ['!'] = ATOM,
    ['"'] = VISIBLE & ~CHAR_QTEXT,
    ['#' ... '\''] = ATOM,
    ['(' ... ')'] = VISIBLE,
    ['*'] = ATOM,
    ['+'] = ATOM & ~CHAR_XCHAR,
    [','] = VISIBLE,
    ['-'] = ATOM,
    ['.'] = VISIBLE,
    ['/'] = ATOM,
    ['0' ... '9'] = ATOM | CHAR_DIGIT | CHAR_HEXDIG | CHAR_LETDIG,
    [':'] = VISIBLE & ~CHAR_FTEXT,
    [';' ... '<'] = VISIBLE,
    ['='] = ATOM & ~(CHAR_ESMTP | CHAR_XCHAR),
    ['>'] = VISIBLE,
    ['?'] = ATOM,
    ['@'] = VISIBLE,
    ['A' ... 'F'] = LETTER | CHAR_HEXDIG,
    ['G' ... 'Z'] = LETTER,
    ['['] = VISIBLE & ~CHAR_DTEXT,
    ['\\'] = VISIBLE & ~(CHAR_QTEXT | CHAR_DTEXT),
    [']'] = VISIBLE & ~CHAR_DTEXT,
    ['^' ... '`'] = ATOM,
    ['a' ... 'f'] = LETTER | CHAR_HEXDIG,
    ['g' ... 'z'] = LETTER,
    ['{' ... '~'] = ATOM,
    [127] = CHAR_CTL,
    [128 ... 255] = CHAR_HIGH,
};
