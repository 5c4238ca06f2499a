/*
 * cursor.h - bounded forward reading of a slice.
 *
 * A parser's only way to move. Every take_* either takes what it names and returns true, or
 * takes nothing and returns false; so `take_x(&c) && take_y(&c)` reads like the grammar. The
 * get_* family reads fixed binary fields, little-endian, for records and messages.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include "base/slice.h"

#include <stdint.h>

struct cursor {
    struct slice rest;
};

bool cursor_at_end(const struct cursor *c);

/* The next byte as 0..255, or -1 at the end. Takes nothing. */
int cursor_peek(const struct cursor *c);

bool take_char(struct cursor *c, char wanted);
bool take_any(struct cursor *c, char *out);

/* Takes the literal, ASCII case folded. */
bool take_word(struct cursor *c, struct slice word);

/* Takes exactly n bytes. */
bool take_bytes(struct cursor *c, size_t n, struct slice *out);

/* Takes exactly n decimal digits as a number (n <= 9). */
bool take_digits(struct cursor *c, unsigned n, unsigned *out);

/* Takes one or more decimal digits; false (nothing taken) when there is none or the number
 * does not fit. */
bool take_number(struct cursor *c, uint64_t *out);

/* Takes everything up to, not including, the byte; false when it does not occur. */
bool take_until(struct cursor *c, char byte, struct slice *out);

/* Takes the longest run of bytes for which `is` holds; may be empty. */
struct slice take_while(struct cursor *c, bool (*is)(char));

/* Takes spaces and tabs; true when there was at least one. */
bool take_blanks(struct cursor *c);

/* Fixed-width binary fields, little-endian. */
bool get_u8(struct cursor *c, uint8_t *out);
bool get_u16(struct cursor *c, uint16_t *out);
bool get_u32(struct cursor *c, uint32_t *out);
bool get_u64(struct cursor *c, uint64_t *out);

/* A u32 length and so many bytes; false when longer than max. */
bool get_bytes(struct cursor *c, size_t max, struct slice *out);

#endif
