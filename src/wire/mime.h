/*
 * mime.h - a message's parts, one event after the other, in constant memory. RFC 2046.
 *
 * Pull: give input, ask for events until MIME_MORE. Every byte of the input comes out once, in its
 * order, in the slice of some event, so that whoever passes them on passes on the message. Any
 * chunking of the input gives the same bytes in the same kinds of events.
 *
 * Only CRLF ends a line. Bounded (threat 16): depth, parts and headers; beyond a bound, or where
 * readers may differ, the part is one leaf and `doubtful` is set.
 */
#ifndef WIRE_MIME_H
#define WIRE_MIME_H

#include "base/buf.h"
#include "base/cursor.h"

enum {
    MIME_DEPTH_MAX = 100,
    MIME_PARTS_MAX = 10000,
    MIME_HEADER_MAX = 1024 * 1024, /* bytes of one header */
    MIME_BOUNDARY_MAX = 70,        /* RFC 2046 5.1.1 */
    MIME_LINE_HELD_MAX = 256,      /* of what may be a delimiter */
};

enum mime_event {
    MIME_MORE,    /* the input is used up */
    MIME_HEADER,  /* a whole header with its empty line, if it has one; mime->part tells of it */
    MIME_CONTENT, /* bytes of a leaf */
    MIME_OUTSIDE, /* delimiters, and what stands before the first and behind the last one */
    MIME_END,     /* after mime_end(): nothing follows */
};

enum mime_encoding { MIME_7BIT, MIME_8BIT, MIME_BINARY, MIME_QUOTED, MIME_BASE64, MIME_OTHER };

/* The part whose header was just read. */
struct mime_part {
    bool leaf;      /* else parts or a message follow */
    bool message;   /* its header is a message's own */
    bool text;      /* text/..., or nothing said */
    bool encodable; /* its type may be quoted-printable or base64: RFC 2045 6.4, RFC 2046 5.2 */
    bool sealed;    /* it is, or lies in, multipart/signed or multipart/encrypted */
    enum mime_encoding encoding;
    unsigned depth; /* 0: the message itself */
};

struct mime_level {
    char boundary[MIME_BOUNDARY_MAX];
    unsigned char boundary_len; /* 0: a message within, it has none */
    bool closed;                /* its last delimiter was seen */
    bool sealed;
    bool digest; /* parts are messages unless they say otherwise, RFC 2046 5.1.5 */
};

enum mime_state { MIME_IN_HEADER, MIME_IN_CONTENT, MIME_IN_OUTSIDE };

struct mime {
    enum mime_state state;
    struct mime_part part;
    struct mime_level levels[MIME_DEPTH_MAX];
    unsigned depth; /* levels in use */
    unsigned parts;
    bool doubtful;
    bool ended;
    bool line_start;   /* in_line begins at the start of a line, with no CRLF in front of it */
    struct buf header; /* so far */
    struct buf held;   /* a CRLF and what may be a delimiter; not yet told */
    struct buf told;   /* what the last event's slice points to, when it is not the input */
};

void mime_init(struct mime *m);
void mime_done(struct mime *m);

/* *bytes is valid until the next call. */
enum mime_event mime_next(struct mime *m, struct cursor *in, struct slice *bytes);

/* No more input comes: mime_next() tells the rest and MIME_END. */
void mime_end(struct mime *m);

#endif
