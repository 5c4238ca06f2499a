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

/* Where the body begins: behind the empty line. True when there is one; else all is header. */
bool header_split(struct slice message, struct slice *header, struct slice *body);

/* First field of that name, case folded. */
bool header_find(struct slice header, struct slice name, struct header_field *out);

/* The value on one line: folds become one blank, ends are trimmed. */
struct slice header_unfold(struct arena *arena, struct slice raw_value);

/* "Name: value\r\n", folded to 78 columns at blanks where possible, at most 998 always. False, and
 * out unchanged, when it does not fit or the name is none (RFC 5322 2.2; 1 to 76 characters). */
bool header_write(struct buf *out, struct slice name, struct slice value);

/* The header as it came, but for lines of more than 998 bytes: these are folded at blanks. False,
 * and out unchanged, when one has no blank where it is needed, or it does not fit into
 * HEADER_FOLDED_MAX bytes. */
#define HEADER_FOLDED_MAX(len) ((len) + (len) / 499 * 2 + 2)

bool header_fold_long(struct buf *out, struct slice header);

/* The value for an unstructured or display-name position with bytes outside ASCII: RFC 2047
 * encoded words (UTF-8, base64). Pure ASCII comes back unchanged; otherwise controls and broken
 * UTF-8 become "?". */
struct slice header_encode_text(struct arena *arena, struct slice utf8);

/* Streaming count and search while a message arrives: feed the message in pieces. Costs nothing
 * once the header has ended. */
enum { HEADER_WATCH_VALUE_MAX = 256, HEADER_WATCH_NAME_MAX = 12 };

enum header_watch_state {
    WATCH_LINE_START,
    WATCH_EMPTY_LINE, /* its CR was seen */
    WATCH_NAME,
    WATCH_NAME_BLANK,
    WATCH_MESSAGE_ID, /* in a value that is kept */
    WATCH_SKIP,       /* to the end of the line */
};

struct header_watch {
    enum header_watch_state state;
    bool ended;                       /* the empty line was seen */
    bool begun;                       /* a byte was seen */
    bool folded;                      /* the first line continues a field that is not there */
    bool keeps;                       /* a continuation line belongs to message_id */
    unsigned received_count;          /* "Received:" fields */
    uint64_t header_bytes;            /* the empty line included */
    char name[HEADER_WATCH_NAME_MAX]; /* of the field at hand, lower case */
    unsigned name_len;
    char message_id[HEADER_WATCH_VALUE_MAX]; /* first Message-ID's value, cut at the bound */
    unsigned message_id_len;
    bool has_message_id, has_date, has_from;
};

void header_watch_init(struct header_watch *w);
void header_watch_feed(struct header_watch *w, struct slice bytes);
struct slice header_watch_message_id(const struct header_watch *w); /* trimmed */

#endif
