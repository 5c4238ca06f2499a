/*
 * header.h - split, unfold, find and write header fields, RFC 5322 2.2.
 *
 * Reading is tolerant and never changes bytes; a field keeps its exact bytes with CRLF. Writing
 * goes through one encoder that cannot emit CR or LF inside a value: controls become "?", long
 * lines are folded at blanks.
 */
#ifndef WIRE_HEADER_H
#define WIRE_HEADER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"

struct header_field {
    struct slice name;  /* without the colon, trailing blanks trimmed */
    struct slice value; /* raw: folded, from behind the colon to before the last CRLF */
    struct slice whole; /* every byte of the field, CRLF included */
};

/* Takes the next field. False at the empty line (not taken), at the end, or at a line that is
 * no field: the header ends there. Lines may end with CRLF or LF. */
bool header_take_field(struct cursor *c, struct header_field *out);

/* Where the body begins: behind the empty line. True when there is one. */
bool header_split(struct slice message, struct slice *header, struct slice *body);

/* First field of that name, case folded. */
bool header_find(struct slice header, struct slice name, struct header_field *out);

/* The value on one line: folds become one blank, ends are trimmed. */
struct slice header_unfold(struct arena *arena, struct slice raw_value);

/* "Name: value\r\n", folded to 78 columns at blanks where possible, at most 998 always. */
bool header_write(struct buf *out, struct slice name, struct slice value);

/* The value for an unstructured or display-name position with bytes outside ASCII: RFC 2047
 * encoded words (UTF-8, base64). Pure ASCII comes back unchanged. */
struct slice header_encode_text(struct arena *arena, struct slice utf8);

/* Streaming count and search while a message arrives: feed the message in pieces. */
enum { HEADER_WATCH_VALUE_MAX = 256 };

struct header_watch {
    int state;
    bool ended;              /* the empty line was seen */
    unsigned received_count; /* "Received:" fields */
    uint64_t header_bytes;
    char name[12];
    unsigned name_len;
    char message_id[HEADER_WATCH_VALUE_MAX]; /* first Message-ID's value, cut at the bound */
    unsigned message_id_len;
    bool has_message_id, has_date, has_from;
};

void header_watch_init(struct header_watch *w);
void header_watch_feed(struct header_watch *w, struct slice bytes);
struct slice header_watch_message_id(const struct header_watch *w); /* trimmed */

#endif
