/*
 * header_drop.h - a message without its Bcc fields, while it arrives. RFC 5322 3.6.3: who was
 * written to blindly is not told to the others.
 *
 * Streaming: pieces of any size in, runs of what is kept out. Folded lines go with their field;
 * behind the empty line nothing is looked at any more.
 */
#ifndef WIRE_HEADER_DROP_H
#define WIRE_HEADER_DROP_H

#include "base/cursor.h"

enum { HEADER_DROP_HELD_MAX = 24 };

struct header_drop {
    char held[HEADER_DROP_HELD_MAX]; /* the beginning of a line, perhaps the name of such a field */
    unsigned held_len;
    bool in_line;  /* what the line is, is decided */
    bool dropping; /* this line, or the one before: a fold goes with it */
    bool ended;    /* the header is over */
    bool flushing; /* `held` is to be given out */
};

/* All zero is a message that begins. True: a run to keep, in `in` or in *d until the next call.
 * False: the piece is used up. */
bool header_drop_next(struct header_drop *d, struct cursor *in, struct slice *run);

/* Behind the last piece: what is still held. */
struct slice header_drop_end(struct header_drop *d);

#endif
