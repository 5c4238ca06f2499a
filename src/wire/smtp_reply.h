/*
 * smtp_reply.h - reply text <-> code, enhanced code, lines.
 *
 * RFC 5321 4.2, RFC 2034, RFC 3463. Writing: the class of the enhanced code equals the first
 * digit (asserted), every line repeats it, and no text can emit CR, LF or another control
 * (they become "?"), 8-bit bytes only as valid UTF-8. Reading: tolerant as a client must be.
 */
#ifndef WIRE_SMTP_REPLY_H
#define WIRE_SMTP_REPLY_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"

/* A refusal or an acceptance as data. `enhanced` is "" where RFC 2034 wants none (greeting,
 * EHLO, 354). Text may hold several lines separated by '\n'. */
struct reply {
    unsigned code;
    struct slice enhanced;
    struct slice text;
};

#define REPLY(code, enhanced, text) ((struct reply){(code), SLICE(enhanced), SLICE(text)})

enum {
    REPLY_LINE_MAX = 512,  /* RFC 5321 4.5.3.1.5, CRLF included; longer text is wrapped */
    ENHANCED_CODE_MAX = 9, /* "5.999.999" */
};

/* Appends the reply's lines with CRLF; all or nothing. False when out is full. */
bool reply_write(struct buf *out, const struct reply *r);

struct reply_line {
    unsigned code;
    bool more;         /* "250-" */
    struct slice text; /* points into the line */
};

/* "250-text", "250 text" or "250"; without CRLF. *out is set only on success. */
bool reply_line_parse(struct slice line, struct reply_line *out);

/* "5.1.1" at the start of a reply's text, RFC 3463 2, and the blank behind it. */
bool enhanced_code_take(struct cursor *c, struct slice *out);

enum {
    REPLY_READ_LINE_MAX = 2048, /* longer lines lose their end; the input must hold one byte more */
    REPLY_READ_LINES_MAX = 1000,
};

/* Gathers the lines of one reply; reply_reader_reset() before the next one. */
struct reply_reader {
    struct buf text; /* lines joined by '\n', controls as "?"; the overflow is dropped and noted */
    unsigned code;
    unsigned lines;
    struct slice enhanced; /* of the first line, points into text; set with REPLY_COMPLETE */
    bool cut;
    bool in_long_line;  /* the rest of a line that was too long is still to come */
    bool more;          /* the last line began as "250-" */
    bool crlf, bare_lf; /* there were lines that ended so */
};

enum reply_progress {
    REPLY_MORE,     /* no whole reply yet */
    REPLY_COMPLETE, /* r holds one */
    REPLY_BROKEN,   /* the peer does not speak SMTP: bad line, code changed, no end of lines, or two
                     */
};

void reply_reader_init(struct reply_reader *r, size_t text_max);
void reply_reader_done(struct reply_reader *r);
void reply_reader_reset(struct reply_reader *r);

/* Eats whole lines from the cursor until a reply is complete. There are servers that end lines with
 * LF alone; one that ends some so and others not repeats what somebody else said, perhaps. What
 * follows the reply stays in the cursor. With REPLY_MORE the cursor holds at most
 * REPLY_READ_LINE_MAX bytes, to be given again with what comes next. */
enum reply_progress reply_read(struct reply_reader *r, struct cursor *in);

#endif
