/*
 * dots.h - where a message ends, and dot-stuffing both ways.
 *
 * RFC 5321 4.1.1.4, 4.5.2. Only CRLF "." CRLF ends DATA. Reading yields runs of the message
 * that are borrowed from the input, as long as possible (a run ends where a stuffed dot is
 * removed, a line end repaired, or the input ends), so that nothing is copied on the way to the
 * draft. Any chunking of the input gives the same bytes.
 */
#ifndef WIRE_DOTS_H
#define WIRE_DOTS_H

#include "base/buf.h"
#include "base/cursor.h"

enum line_ends {
    LINE_ENDS_STRICT, /* a bare CR or LF spoils the message: 550 5.5.2 at the end */
    LINE_ENDS_REPAIR, /* a bare LF becomes CRLF; CRLF.CRLF is still the only end, and a dot behind
                         a bare LF is kept */
};

enum dots_state {
    DOTS_LINE_START,
    DOTS_IN_LINE,
    DOTS_AFTER_CR,     /* in a line */
    DOTS_AFTER_DOT,    /* the first of a line, held back */
    DOTS_AFTER_DOT_CR, /* both held back */
};

struct dots_reader {
    enum line_ends line_ends;
    enum dots_state state;
    bool bare_cr; /* seen in the runs so far */
    bool bare_lf;
    bool nul;            /* a NUL byte */
    bool eight_bit;      /* a byte above 0x7f */
    size_t line_len;     /* of the line so far, in bytes */
    size_t line_len_max; /* longest line, neither CRLF nor stuffed dot counted */
};

enum dots_progress {
    DOTS_RUN,  /* *run holds bytes of the message; call again */
    DOTS_MORE, /* the input is used up */
    DOTS_END,  /* CRLF.CRLF was taken; what remains in the cursor is the next command */
};

void dots_reader_init(struct dots_reader *r, enum line_ends line_ends);

/* *run, set with DOTS_RUN only and never empty, may also point at static bytes: a CR that was
 * held back behind a dot, or a repaired line end. After DOTS_END the reader is to be made anew. */
enum dots_progress dots_read(struct dots_reader *r, struct cursor *in, struct slice *run);

/* The sender's side. Content must hold strict CRLF lines (it was checked at entry); a bare CR,
 * LF or NUL makes dots_write() return false with nothing more written: our client never sends
 * one (SMTP smuggling). A full out is false as well, so leave room for 2 * content.len + 2. On
 * false, writer and out are as they were before. */
struct dots_writer {
    enum dots_state state; /* after a CR: it is held back until its LF is there */
};

void dots_writer_init(struct dots_writer *w);
bool dots_write(struct dots_writer *w, struct buf *out, struct slice content);

/* CRLF if the last line lacks one, then ".CRLF". False also when the content ended with a CR. */
bool dots_finish(struct dots_writer *w, struct buf *out);

#endif
