/*
 * unitext.h - addresses in UTF-8 as 7-bit text, RFC 6533 3: b<o umlaut>b as "b\x{F6}b".
 *
 * The form of addresses of type utf-8 in ORCPT and in reports wherever SMTPUTF8 cannot be had.
 */
#ifndef WIRE_UNITEXT_H
#define WIRE_UNITEXT_H

#include "base/arena.h"

/* utf-8-addr-xtext. What is no UTF-8 becomes "?". */
struct slice unitext_encode(struct arena *arena, struct slice text);

/* The text without its encoding; it may hold UTF-8 as it is, too. False when a backslash begins no
 * character of RFC 6533's, or the result holds a control. */
bool unitext_decode(struct arena *arena, struct slice text, struct slice *out);

#endif
