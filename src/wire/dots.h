/*
 * dots.h - where a message ends, and dot-stuffing both ways.
 *
 * RFC 5321 4.1.1.4, 4.5.2. Only CRLF "." CRLF ends DATA. Reading yields runs of the message
 * that are borrowed from the input, as long as possible (a run ends where a stuffed dot is
 * removed or the input ends), so that nothing is copied on the way to the draft. Any chunking
 * of the input gives the same bytes.
 */
#ifndef WIRE_DOTS_H
#define WIRE_DOTS_H

#include "base/buf.h"
#include "base/cursor.h"

enum line_ends {
    LINE_ENDS_STRICT, /* a bare CR or LF spoils the message: 550 5.5.2 at the end */
    LINE_ENDS_REPAIR, /* a bare LF becomes CRLF; CRLF.CRLF is still the only end */
};

struct dots_reader {
    enum line_ends line_ends;
    int state;
    bool bare_cr; /* seen so far, outside the end */
    bool bare_lf;
    bool nul;            /* a NUL byte */
    bool eight_bit;      /* a byte above 0x7f */
    size_t line_len;     /* of the line so far, in bytes */
    size_t line_len_max; /* longest line seen, CRLF not counted */
};

enum dots_progress {
    DOTS_RUN,  /* *run holds bytes of the message; call again */
    DOTS_MORE, /* the input is used up */
    DOTS_END,  /* CRLF.CRLF was taken; what remains in the cursor is the next command */
};

void dots_reader_init(struct dots_reader *r, enum line_ends line_ends);

/* *run may also point at static bytes (CR, LF, dot) that were held back at a chunk's edge. */
enum dots_progress dots_read(struct dots_reader *r, struct cursor *in, struct slice *run);

/* The sender's side. Content must hold strict CRLF lines (it was checked at entry); a bare CR,
 * LF or NUL makes dots_write() return false with nothing more written: our client never sends
 * one (SMTP smuggling). */
struct dots_writer {
    int state;
};

void dots_writer_init(struct dots_writer *w);
bool dots_write(struct dots_writer *w, struct buf *out, struct slice content);

/* CRLF if the last line lacks one, then ".CRLF". */
bool dots_finish(struct dots_writer *w, struct buf *out);

#endif
