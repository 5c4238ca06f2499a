/*
 * mime_convert.h - a message in a form that the next hop or a mailbox can take. RFC 3030 3, RFC
 * 6152 3, RFC 2045 6.
 *
 * A stream: pieces in, pieces out, in bounded memory; any chunking of the input gives the same
 * output. Leaves get another transfer encoding, their headers say so, composite parts lose a label
 * that is no longer true. All else passes byte for byte.
 */
#ifndef WIRE_MIME_CONVERT_H
#define WIRE_MIME_CONVERT_H

#include "wire/mime.h"

enum mime_goal {
    MIME_NO_BINARY, /* whatever is not encoded yet becomes base64: lines are strict, no NUL is left
                     */
    MIME_ONLY_7BIT, /* and text quoted-printable: no byte above 127 is left, no line too long */
};

/* The most that `out` ever holds: a header is written whole. */
enum { MIME_CONVERT_OUT_MAX = MIME_HEADER_MAX + 256 * 1024 };

struct mime_convert {
    struct mime walk;
    enum mime_goal goal;
    bool cannot;     /* it must not be changed (signed, encrypted), or a header holds 8-bit bytes */
    bool encoding;   /* the part at hand is being encoded ... */
    bool quoted;     /* ... as quoted-printable, else base64 */
    bool any_header; /* the message's own header is behind us */
    char tail[64];   /* base64: bytes of the next line; quoted: a blank or CR that waits */
    unsigned tail_len;
    unsigned column; /* of the output line; base64: a line was written */
    bool over;
};

void mime_convert_init(struct mime_convert *c, enum mime_goal goal);
void mime_convert_done(struct mime_convert *c);

/* Eats of `in`, appends to `out`, until the input is used up or `out` has too little room. False:
 * it cannot be converted (5.6.3); what was written is worth nothing. */
bool mime_convert_step(struct mime_convert *c, struct cursor *in, struct buf *out);

/* The input is at its end: call until it says so in *over, emptying `out` between. */
bool mime_convert_end(struct mime_convert *c, struct buf *out, bool *over);

#endif
