/*
 * utf8.h - strict UTF-8, RFC 3629.
 */
#ifndef WIRE_UTF8_H
#define WIRE_UTF8_H

#include "base/cursor.h"

/* Takes one code point; false (nothing taken) at the end or at bytes that are not UTF-8
 * (overlong forms, surrogates, above U+10FFFF). */
bool take_utf8(struct cursor *c, uint32_t *out);

bool utf8_valid(struct slice s);

bool utf8_is_ascii(struct slice s);

/* Valid, and without control characters: C0 (tab and line ends too), DEL, C1. */
bool utf8_printable(struct slice s);

#endif
