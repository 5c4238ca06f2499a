/*
 * forwarded.h - for whom a client speaks: the attributes of XCLIENT and XFORWARD, two extensions
 * that Postfix began (its XCLIENT_README and XFORWARD_README): NAME=value NAME=value, values in
 * xtext.
 */
#ifndef WIRE_FORWARDED_H
#define WIRE_FORWARDED_H

#include "base/arena.h"

#include <stdint.h>

/* A set of them is a sum. */
enum forwarded_attribute {
    FORWARDED_NAME = 1 << 0,
    FORWARDED_ADDR = 1 << 1,
    FORWARDED_PORT = 1 << 2,
    FORWARDED_PROTO = 1 << 3,
    FORWARDED_HELO = 1 << 4,
    FORWARDED_LOGIN = 1 << 5,
    FORWARDED_DESTADDR = 1 << 6,
    FORWARDED_DESTPORT = 1 << 7,
    FORWARDED_REVERSE_NAME = 1 << 8,
    FORWARDED_IDENT = 1 << 9,
    FORWARDED_SOURCE = 1 << 10,
    FORWARDED_BY_XCLIENT = (1 << 9) - 1,
    FORWARDED_BY_XFORWARD = FORWARDED_NAME | FORWARDED_ADDR | FORWARDED_PORT | FORWARDED_PROTO |
                            FORWARDED_HELO | FORWARDED_IDENT | FORWARDED_SOURCE,
};

enum { FORWARDED_TEXT_MAX = 255 };

/* Other attributes are checked for their form, and not kept: nobody looks at them. */
struct forwarded {
    unsigned said;  /* attributes that were given ... */
    unsigned known; /* ... but for [UNAVAILABLE] and [TEMPUNAVAIL] */
    unsigned char ip[16];
    struct slice name, login, ident; /* printable, at most FORWARDED_TEXT_MAX; "" where not known */
};

/* Adds to *out what the argument of the command says; texts are copied into the arena. False, and
 * *out as it was: an attribute is not among `attributes`, comes twice, or is malformed. */
bool forwarded_read(struct slice argument, unsigned attributes, struct arena *arena,
                    struct forwarded *out);

/* " NAME ADDR PORT", for EHLO. */
extern const struct slice forwarded_words_xclient, forwarded_words_xforward;

#endif
