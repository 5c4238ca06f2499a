/*
 * mime.c - a message's parts.
 *
 * A delimiter is a line, and the CRLF in front of it is its own. So a CRLF is held back until what
 * follows it is known to be no delimiter; that is seen at the second byte for nearly every line,
 * and no more than MIME_LINE_HELD_MAX bytes are ever held. Everything else passes as it comes.
 *
 * Delimiters of all enclosing levels count, the innermost first: a part that lacks its end does not
 * swallow the rest of the message.
 */
#include "wire/mime.h"

#include "wire/chars.h"
#include "wire/content_type.h"
#include "wire/header.h"

#include <string.h>

void mime_init(struct mime *m)
{
    *m = (struct mime){.state = MIME_IN_HEADER, .parts = 1};
    buf_init(&m->header, MIME_HEADER_MAX);
    buf_init(&m->held, MIME_LINE_HELD_MAX + 8);
    buf_init(&m->told, MIME_HEADER_MAX);
}

void mime_done(struct mime *m)
{
    buf_done(&m->header);
    buf_done(&m->held);
    buf_done(&m->told);
}

void mime_end(struct mime *m)
{
    m->ended = true;
}

/* --- what a header says --- */

static enum mime_encoding encoding_of(struct slice header, struct arena *arena)
{
    static const struct {
        struct slice name;
        enum mime_encoding encoding;
    } encodings[] = {
        {SLICE_INIT("7bit"),             MIME_7BIT  },
        {SLICE_INIT("8bit"),             MIME_8BIT  },
        {SLICE_INIT("binary"),           MIME_BINARY},
        {SLICE_INIT("quoted-printable"), MIME_QUOTED},
        {SLICE_INIT("base64"),           MIME_BASE64},
    };
    struct header_field field;
    struct content_type word;

    if (!header_find(header, SLICE("Content-Transfer-Encoding"), &field))
        return MIME_7BIT;
    if (!content_type_parse(field.value, arena, &word))
        return MIME_OTHER;
    for (size_t i = 0; i < sizeof(encodings) / sizeof(*encodings); i++)
        if (slice_equal(word.type, encodings[i].name))
            return encodings[i].encoding;
    return MIME_OTHER;
}

static bool is_identity(enum mime_encoding e)
{
    return e == MIME_7BIT || e == MIME_8BIT || e == MIME_BINARY;
}

/* Of the types made of parts or messages only those of RFC 6532 3.7 may be encoded. */
static bool is_encodable(const struct content_type *type)
{
    if (slice_equal(type->type, SLICE("message")))
        return slice_starts(type->subtype, SLICE("global"));
    return !slice_equal(type->type, SLICE("multipart"));
}

static bool is_message(const struct mime *m)
{
    return m->depth == 0 || m->levels[m->depth - 1].boundary_len == 0;
}

static bool is_inside_sealed(const struct mime *m)
{
    return m->depth > 0 && m->levels[m->depth - 1].sealed;
}

static bool push(struct mime *m, struct slice boundary, bool sealed, bool digest)
{
    struct mime_level *level;

    if (m->depth == MIME_DEPTH_MAX) {
        m->doubtful = true;
        return false;
    }
    level = &m->levels[m->depth++];
    *level = (struct mime_level){
        .boundary_len = (unsigned char)boundary.len, .sealed = sealed, .digest = digest};
    if (boundary.len > 0)
        memcpy(level->boundary, boundary.data, boundary.len);
    return true;
}

static bool push_multipart(struct mime *m, const struct content_type *type)
{
    const struct content_param *boundary = content_type_param(type, SLICE("boundary"));

    if (boundary == NULL || boundary->value.len == 0 || boundary->value.len > MIME_BOUNDARY_MAX ||
        slice_ends(boundary->value, SLICE(" "))) {
        m->doubtful = true;
        return false;
    }
    return push(m, boundary->value, m->part.sealed,
                content_type_is(type, SLICE("multipart"), SLICE("digest")));
}

/* What was read decides how to go on. */
static void enter_part(struct mime *m, struct slice header)
{
    struct arena arena = {0};
    struct content_type type = {.type = SLICE("text"), .subtype = SLICE("plain")};
    struct header_field field;
    bool digest = m->depth > 0 && m->levels[m->depth - 1].digest;

    if (digest)
        type = (struct content_type){.type = SLICE("message"), .subtype = SLICE("rfc822")};
    if (header_find(header, SLICE("Content-Type"), &field))
        (void)content_type_parse(field.value, &arena, &type);
    m->part = (struct mime_part){
        .leaf = true,
        .message = is_message(m),
        .encodable = is_encodable(&type),
        .text = slice_equal(type.type, SLICE("text")),
        .encoding = encoding_of(header, &arena),
        .depth = m->depth,
        .sealed = is_inside_sealed(m) ||
                  content_type_is(&type, SLICE("multipart"), SLICE("signed")) ||
                  content_type_is(&type, SLICE("multipart"), SLICE("encrypted")),
    };
    m->state = MIME_IN_CONTENT;
    m->line_start = true;
    if (is_identity(m->part.encoding) && slice_equal(type.type, SLICE("multipart"))) {
        m->part.leaf = !push_multipart(m, &type);
        m->state = m->part.leaf ? MIME_IN_CONTENT : MIME_IN_OUTSIDE;
    } else if (is_identity(m->part.encoding) &&
               (content_type_is(&type, SLICE("message"), SLICE("rfc822")) ||
                content_type_is(&type, SLICE("message"), SLICE("global")))) {
        m->part.leaf = !push(m, SLICE(""), m->part.sealed, false);
        m->state = m->part.leaf ? MIME_IN_CONTENT : MIME_IN_HEADER;
    }
    arena_done(&arena);
}

/* --- delimiters --- */

/* The level whose delimiter the line is (with or without its CRLF); -1: none. */
static int delimited_level(const struct mime *m, struct slice line, bool *last)
{
    if (!slice_starts(line, SLICE("--")))
        return -1;
    while (line.len > 2 && char_is(line.data[line.len - 1], CHAR_BLANK | CHAR_CTL))
        line.len--;
    line = slice_skip(line, 2);
    for (int k = (int)m->depth - 1; k >= 0; k--) {
        struct slice boundary = {m->levels[k].boundary, m->levels[k].boundary_len};
        struct slice rest = slice_skip(line, boundary.len);

        if (boundary.len == 0 || m->levels[k].closed || !slice_starts(line, boundary))
            continue;
        *last = slice_equal(rest, SLICE("--"));
        if (*last || rest.len == 0)
            return k;
    }
    return -1;
}

static void pass_delimiter(struct mime *m, int level, bool last)
{
    m->depth = (unsigned)level + 1;
    m->line_start = true;
    if (last || m->parts == MIME_PARTS_MAX) {
        m->doubtful = m->doubtful || !last;
        m->levels[level].closed = true;
        m->state = MIME_IN_OUTSIDE;
        return;
    }
    m->parts++;
    m->state = MIME_IN_HEADER;
}

/* --- headers --- */

static enum mime_event tell_header(struct mime *m, struct slice *bytes)
{
    buf_clear(&m->told);
    buf_append(&m->told, buf_slice(&m->header));
    buf_clear(&m->header);
    *bytes = buf_slice(&m->told);
    enter_part(m, *bytes);
    return MIME_HEADER;
}

/* The last line of the header so far, when it is whole. */
static struct slice last_line(const struct buf *header)
{
    struct slice text = buf_slice(header);
    struct slice before = slice_head(text, text.len == 0 ? 0 : text.len - 1);
    size_t lf = slice_rfind(before, '\n');

    return lf == before.len ? text : slice_skip(text, lf + 1);
}

/* True when the header is over. */
static bool end_of_line(struct mime *m)
{
    struct slice line = last_line(&m->header);
    bool last;

    if (slice_equal(line, SLICE("\r\n")))
        return true;
    if (delimited_level(m, line, &last) < 0)
        return false;
    /* A part that is over before its header is: the delimiter comes next. */
    buf_clear(&m->held);
    buf_append(&m->held, line);
    buf_truncate(&m->header, buf_len(&m->header) - line.len);
    return true;
}

/* False: more input is needed. */
static bool read_header(struct mime *m, struct cursor *in)
{
    while (!cursor_at_end(in)) {
        size_t len = slice_find(in->rest, '\n') + 1;
        struct slice piece = slice_head(in->rest, len);

        if (piece.len > buf_room(&m->header)) {
            m->doubtful = true;
            return true;
        }
        buf_append(&m->header, piece);
        in->rest = slice_skip(in->rest, piece.len);
        if (len == piece.len && slice_ends(piece, SLICE("\n")) && end_of_line(m))
            return true;
    }
    return false;
}

/* --- content --- */

static enum mime_event kind_of(const struct mime *m)
{
    return m->state == MIME_IN_CONTENT ? MIME_CONTENT : MIME_OUTSIDE;
}

/* All that is held but for `keep` bytes. */
static enum mime_event tell_held(struct mime *m, size_t keep, struct slice *bytes)
{
    enum mime_event kind = kind_of(m);
    struct slice held = buf_slice(&m->held);

    buf_clear(&m->told);
    buf_append(&m->told, slice_head(held, held.len - keep));
    buf_consume(&m->held, held.len - keep);
    m->line_start = false;
    *bytes = buf_slice(&m->told);
    return kind;
}

/* What is held is a whole line, or all there is. */
static enum mime_event judge_line(struct mime *m, struct slice *bytes)
{
    struct slice held = buf_slice(&m->held), line = held;
    bool last, whole = slice_ends(held, SLICE("\r\n")) && held.len > 2;
    int level;

    if (slice_starts(line, SLICE("\r\n")))
        line = slice_skip(line, 2);
    level = delimited_level(m, line, &last);
    if (level < 0)
        return tell_held(m, whole ? 2 : 0, bytes);
    (void)tell_held(m, 0, bytes);
    pass_delimiter(m, level, last);
    return MIME_OUTSIDE;
}

enum hold { HOLD_MORE, HOLD_FLUSH, HOLD_LINE };

/* Does the next byte still belong to what may be a delimiter? */
static enum hold hold_byte(struct mime *m, char byte)
{
    struct slice held = buf_slice(&m->held), line = held;

    if (held.len == 1 && held.data[0] == '\r') {
        if (byte != '\n')
            return HOLD_FLUSH;
        buf_append_char(&m->held, byte);
        return HOLD_MORE;
    }
    if (slice_starts(held, SLICE("\r\n")))
        line = slice_skip(held, 2);
    if ((line.len < 2 && byte != '-') || held.len >= MIME_LINE_HELD_MAX)
        return HOLD_FLUSH;
    buf_append_char(&m->held, byte);
    return byte == '\n' ? HOLD_LINE : HOLD_MORE;
}

static enum mime_event read_held(struct mime *m, struct cursor *in, struct slice *bytes)
{
    while (!cursor_at_end(in)) {
        switch (hold_byte(m, in->rest.data[0])) {
        case HOLD_MORE: in->rest = slice_skip(in->rest, 1); break;
        case HOLD_LINE: in->rest = slice_skip(in->rest, 1); return judge_line(m, bytes);
        case HOLD_FLUSH:
            m->line_start = false;
            if (buf_len(&m->held) > 0)
                return tell_held(m, 0, bytes);
            return MIME_MORE; /* nothing was held: the line is an ordinary one */
        }
    }
    return MIME_MORE;
}

static enum mime_event read_run(struct mime *m, struct cursor *in, struct slice *bytes)
{
    size_t len = slice_find(in->rest, '\r');

    if (len == 0) {
        buf_append_char(&m->held, '\r');
        in->rest = slice_skip(in->rest, 1);
        return MIME_MORE;
    }
    *bytes = slice_head(in->rest, len);
    in->rest = slice_skip(in->rest, len);
    return kind_of(m);
}

static enum mime_event tell_rest(struct mime *m, struct slice *bytes)
{
    if (m->state == MIME_IN_HEADER && buf_len(&m->header) > 0)
        return tell_header(m, bytes);
    if (buf_len(&m->held) > 0)
        return judge_line(m, bytes);
    return MIME_END;
}

enum mime_event mime_next(struct mime *m, struct cursor *in, struct slice *bytes)
{
    *bytes = SLICE("");
    for (;;) {
        enum mime_event event = MIME_MORE;

        if (buf_len(&m->held) > 2 && slice_ends(buf_slice(&m->held), SLICE("\n")))
            return judge_line(m, bytes); /* the delimiter that cut a header off */
        if (cursor_at_end(in))
            return m->ended ? tell_rest(m, bytes) : MIME_MORE;
        if (m->state == MIME_IN_HEADER) {
            if (read_header(m, in))
                return tell_header(m, bytes);
            continue;
        }
        event = buf_len(&m->held) > 0 || m->line_start ? read_held(m, in, bytes)
                                                       : read_run(m, in, bytes);
        if (event != MIME_MORE)
            return event;
    }
}
