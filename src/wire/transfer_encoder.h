/*
 * transfer_encoder.h - content into base64 or quoted-printable, or either of them into lines that
 * are not too long. RFC 2045 6.7 and 6.8.
 *
 * A stream: any chunking gives the same output. Decoded, it is what was written, byte for byte.
 * Lines have at most 76 columns. None begins with a dot or with "From ", and where a line was
 * broken none begins with what could be a delimiter: RFC 2049 3.
 */
#ifndef WIRE_TRANSFER_ENCODER_H
#define WIRE_TRANSFER_ENCODER_H

#include "base/buf.h"

enum transfer_mode {
    TRANSFER_AS_IS,
    TRANSFER_BASE64,
    TRANSFER_QUOTED,
    TRANSFER_BASE64_LINES, /* it is base64 */
    TRANSFER_QUOTED_LINES, /* it is quoted-printable; bytes above 127 are encoded as well */
};

enum { TRANSFER_COLUMNS = 76, TRANSFER_GROWTH = 4 }; /* so many times as long at most, and a line */

struct transfer_encoder {
    enum transfer_mode mode;
    /* base64: bytes of the next line. Quoted: what waits for the byte behind it. Quoted lines: the
     * line at hand. */
    char tail[TRANSFER_COLUMNS + 8];
    unsigned tail_len;
    unsigned column; /* of the output line; base64: a line was written */
};

void transfer_encoder_begin(struct transfer_encoder *e, enum transfer_mode mode);

/* `out` has room for TRANSFER_GROWTH * bytes.len + 2 * TRANSFER_COLUMNS bytes. */
void transfer_encoder_write(struct transfer_encoder *e, struct buf *out, struct slice bytes);

/* The content is at its end; its last line has none, since a delimiter brings it. */
void transfer_encoder_end(struct transfer_encoder *e, struct buf *out);

/* Behind it, when no delimiter comes. */
void transfer_encoder_end_line(struct transfer_encoder *e, struct buf *out);

#endif
