/*
 * line_watch.h - what is in content whose length is known: line ends, NULs, 8-bit bytes.
 *
 * RFC 5321 2.3.8. For chunks (RFC 3030), where no dot ends anything; wire/dots does the same for
 * DATA on its way. Any chunking gives the same result.
 */
#ifndef WIRE_LINE_WATCH_H
#define WIRE_LINE_WATCH_H

#include "base/slice.h"

struct line_watch {
    bool after_cr; /* the last byte was CR: bare unless LF follows */
    bool bare_cr;
    bool bare_lf;
    bool nul;
    bool eight_bit;
};

/* All zero is a watch at the beginning. */
void line_watch_feed(struct line_watch *w, struct slice bytes);

/* Nothing follows. */
void line_watch_end(struct line_watch *w);

#endif
