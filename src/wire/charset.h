/*
 * charset.h - text in other people's character sets, as UTF-8.
 */
#ifndef WIRE_CHARSET_H
#define WIRE_CHARSET_H

#include "base/buf.h"

/* A name of RFC 2047 or MIME, case folded, that charset_to_utf8() reads. */
bool charset_is_known(struct slice name);

/* Appends the text as UTF-8; what is no character becomes "?". False, and out unchanged, when the
 * set is not known or out is full; a byte becomes three at most. */
bool charset_to_utf8(struct buf *out, struct slice name, struct slice bytes);

#endif
