/*
 * compose.h - build a new MIME message; bring outside text into the form that is sent.
 *
 * RFC 5322, RFC 2045-2047, RFC 2183, RFC 2231, RFC 2387. What is built holds strict CRLF lines
 * of at most 998 bytes, and its body is ASCII whatever goes in. Time and chance are passed in.
 */
#ifndef WIRE_COMPOSE_H
#define WIRE_COMPOSE_H

#include "wire/address.h"

#include <stdint.h>

struct compose_mailbox {
    struct slice display; /* "" when there is none; UTF-8 */
    struct address address;
};

struct compose_file {
    struct slice name; /* without folders; UTF-8 */
    struct slice bytes;
};

struct compose_field {
    struct slice name; /* characters of CHAR_FTEXT only */
    struct slice value;
};

/* Everything is borrowed. */
struct compose {
    uint64_t date_us; /* wall clock */
    int utc_offset_min;
    struct slice unique;    /* 8-40 random letters and digits: Message-ID and boundaries */
    struct slice id_domain; /* right side of the Message-ID */
    struct compose_mailbox from;
    const struct compose_mailbox *to;
    unsigned to_count;
    const struct compose_mailbox *cc;
    unsigned cc_count;
    struct slice subject; /* no field when empty */
    struct slice text;    /* any line ends; no part when data == NULL */
    struct slice html;    /* as text; with both, alternatives */
    const struct compose_file *attachments;
    unsigned attachment_count;
    const struct compose_file *inlines; /* the html names them "cid:NAME"; only with html */
    unsigned inline_count;
    const struct compose_field *fields; /* instead of a generated field of that name, or more */
    unsigned field_count;
};

/* Appends the message. False when out is full. */
bool compose_write(struct buf *out, struct arena *arena, const struct compose *m);

/* "Ann <ann@example.org>". False when out is full. */
bool compose_write_mailbox(struct buf *out, struct arena *arena, const struct compose_mailbox *m);

/* What a part named so is called after "cid:"; bytes that have no place there become "_". */
struct slice compose_content_id(struct arena *arena, struct slice name);

/* Outside text on its way in: LF becomes CRLF, once, in pieces of any size. What cannot be sent
 * at all (a CR without LF, a NUL) is passed on and noted, for the caller to refuse. */
struct line_repair {
    bool after_cr; /* the last byte was CR */
    bool in_line;  /* the last byte did not end a line */
    bool bare_cr;
    bool nul;
    bool eight_bit;
    uint64_t size; /* bytes written so far */
};

void line_repair_init(struct line_repair *r);
bool line_repair_write(struct line_repair *r, struct buf *out, struct slice piece);

/* Ends the last line if that is missing. */
bool line_repair_finish(struct line_repair *r, struct buf *out);

#endif
