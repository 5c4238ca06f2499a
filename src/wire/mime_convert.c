/*
 * mime_convert.c - other transfer encodings for the leaves of a message.
 *
 * What a leaf holds is not known before it comes, so it is not asked: everything that is not yet in
 * an encoding of 7-bit text gets one. Plain ASCII in quoted-printable stays readable.
 *
 * The CRLF in front of a delimiter belongs to the delimiter, so encoded content has none at its
 * end; a message without parts gets one.
 */
#include "wire/mime_convert.h"

#include "base/codec.h"
#include "wire/header.h"
#include "wire/utf8.h"

#include <string.h>

enum {
    BASE64_BYTES = 57,
    QUOTED_COLUMNS = 75,
    PIECE_MAX = 8 * 1024,
    LINE_MAX = 998,
    OUT_ROOM = 64 * 1024
};

void mime_convert_init(struct mime_convert *c, enum mime_goal goal)
{
    *c = (struct mime_convert){.goal = goal};
    mime_init(&c->walk);
}

void mime_convert_done(struct mime_convert *c)
{
    mime_done(&c->walk);
}

/* --- base64 --- */

static void put_base64_line(struct mime_convert *c, struct buf *out, struct slice bytes)
{
    if (c->column > 0)
        buf_append(out, SLICE("\r\n"));
    base64_encode(out, bytes);
    c->column = 1;
}

static void put_base64(struct mime_convert *c, struct buf *out, struct slice bytes)
{
    while (bytes.len > 0) {
        size_t room = BASE64_BYTES - c->tail_len;
        struct slice part = slice_head(bytes, room);

        memcpy(c->tail + c->tail_len, part.data, part.len);
        c->tail_len += (unsigned)part.len;
        bytes = slice_skip(bytes, part.len);
        if (c->tail_len < BASE64_BYTES)
            return;
        put_base64_line(c, out, (struct slice){c->tail, c->tail_len});
        c->tail_len = 0;
    }
}

/* --- quoted-printable: RFC 2045 6.7 --- */

static void make_room(struct mime_convert *c, struct buf *out, unsigned columns)
{
    if (c->column + columns <= QUOTED_COLUMNS)
        return;
    buf_append(out, SLICE("=\r\n"));
    c->column = 0;
}

static void put_hex(struct mime_convert *c, struct buf *out, char byte)
{
    make_room(c, out, 3);
    buf_printf(out, "=%02X", (unsigned char)byte);
    c->column += 3;
}

static void put_plain(struct mime_convert *c, struct buf *out, char byte)
{
    make_room(c, out, 1);
    buf_append_char(out, byte);
    c->column++;
}

/* What waited does not stand at the end of a line: a blank is one, a CR was bare. */
static void put_waiting(struct mime_convert *c, struct buf *out, bool at_line_end)
{
    for (unsigned i = 0; i < c->tail_len; i++) {
        bool hex = at_line_end ? true : c->tail[i] == '\r';

        if (hex)
            put_hex(c, out, c->tail[i]);
        else
            put_plain(c, out, c->tail[i]);
    }
    c->tail_len = 0;
}

static bool is_plain(char byte)
{
    return byte > ' ' && byte < 127 && byte != '=';
}

/* At most a blank and a CR behind it wait: "\r" for a CRLF, " " for the end of a line. */
static void put_quoted_byte(struct mime_convert *c, struct buf *out, char byte)
{
    bool after_cr = c->tail_len > 0 && c->tail[c->tail_len - 1] == '\r';

    if (after_cr && byte == '\n') {
        c->tail_len--;
        put_waiting(c, out, true);
        buf_append(out, SLICE("\r\n"));
        c->column = 0;
        return;
    }
    if (byte == '\r' && !after_cr) {
        c->tail[c->tail_len++] = byte;
        return;
    }
    put_waiting(c, out, false);
    if (byte == ' ' || byte == '\t' || byte == '\r')
        c->tail[c->tail_len++] = byte;
    else if (is_plain(byte))
        put_plain(c, out, byte);
    else
        put_hex(c, out, byte);
}

static void put_quoted(struct mime_convert *c, struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        put_quoted_byte(c, out, bytes.data[i]);
}

/* --- parts --- */

static void end_encoding(struct mime_convert *c, struct buf *out)
{
    if (!c->encoding)
        return;
    if (c->quoted)
        put_waiting(c, out, true);
    else if (c->tail_len > 0)
        put_base64_line(c, out, (struct slice){c->tail, c->tail_len});
    c->tail_len = 0;
    c->encoding = false;
}

static bool has_long_line(struct slice text)
{
    struct slice line;

    while (slice_cut(text, '\n', &line, &text))
        if (line.len > LINE_MAX + 1)
            return true;
    return text.len > LINE_MAX;
}

static bool wants_encoding(const struct mime_convert *c)
{
    const struct mime_part *part = &c->walk.part;

    return part->leaf && part->encoding != MIME_QUOTED && part->encoding != MIME_BASE64 &&
           part->encoding != MIME_OTHER;
}

static void put_label(struct mime_convert *c, struct buf *out)
{
    if (c->encoding)
        header_write(out, SLICE("Content-Transfer-Encoding"),
                     c->quoted ? SLICE("quoted-printable") : SLICE("base64"));
    else if (!c->walk.part.leaf && c->walk.part.encoding != MIME_7BIT && c->goal == MIME_NO_BINARY)
        header_write(out, SLICE("Content-Transfer-Encoding"), SLICE("8bit"));
}

/* The fields but for the label, then ours, then the empty line if there was one. */
static void put_relabelled(struct mime_convert *c, struct slice header, bool outermost,
                           struct buf *out)
{
    struct cursor in = {header};
    struct header_field field;
    bool versioned = !outermost;

    while (header_take_field(&in, &field)) {
        versioned = versioned || slice_equal_nocase(field.name, SLICE("MIME-Version"));
        if (!slice_equal_nocase(field.name, SLICE("Content-Transfer-Encoding")))
            buf_append(out, field.whole);
    }
    if (!versioned)
        header_write(out, SLICE("MIME-Version"), SLICE("1.0"));
    put_label(c, out);
    buf_append(out, in.rest);
}

/* False: it must stay as it is, and cannot. */
static bool take_header(struct mime_convert *c, struct slice header, struct buf *out)
{
    const struct mime_part *part = &c->walk.part;
    bool outermost = !c->any_header, relabel;

    c->any_header = true;
    c->encoding = wants_encoding(c);
    c->quoted = c->encoding && c->goal == MIME_ONLY_7BIT && part->text;
    c->column = 0;
    relabel = c->encoding ||
              (!part->leaf && (part->encoding == MIME_BINARY ||
                               (part->encoding == MIME_8BIT && c->goal == MIME_ONLY_7BIT)));
    if (c->goal == MIME_ONLY_7BIT && (!utf8_is_ascii(header) || has_long_line(header)))
        return false;
    if (c->walk.doubtful || (relabel && part->sealed))
        return false;
    if (relabel)
        put_relabelled(c, header, outermost, out);
    else
        buf_append(out, header);
    return true;
}

/* What stays as it is has to be fit for the goal: a label may lie. */
static bool keep(struct mime_convert *c, struct slice bytes, struct buf *out)
{
    buf_append(out, bytes);
    return c->goal != MIME_ONLY_7BIT || utf8_is_ascii(bytes);
}

static bool take_content(struct mime_convert *c, struct slice bytes, struct buf *out)
{
    if (!c->encoding)
        return keep(c, bytes, out);
    if (c->quoted)
        put_quoted(c, out, bytes);
    else
        put_base64(c, out, bytes);
    return true;
}

/* One event; false when it cannot be. */
static bool take_event(struct mime_convert *c, enum mime_event event, struct slice bytes,
                       struct buf *out)
{
    bool was_encoding = c->encoding;

    if (event != MIME_CONTENT && event != MIME_MORE)
        end_encoding(c, out);
    switch (event) {
    case MIME_MORE: return true;
    case MIME_HEADER: return take_header(c, bytes, out);
    case MIME_CONTENT: return take_content(c, bytes, out);
    case MIME_OUTSIDE: return keep(c, bytes, out);
    case MIME_END:
        if (was_encoding && c->column > 0)
            buf_append(out, SLICE("\r\n"));
        c->over = true;
        return true;
    }
    return true;
}

/* A header comes whole and is written with a little more; content in pieces, each three times as
 * long at most and its line ends. */
static bool has_room(const struct buf *out)
{
    return buf_room(out) >= MIME_HEADER_MAX + OUT_ROOM;
}

static bool run(struct mime_convert *c, struct cursor *in, struct buf *out)
{
    while (!c->cannot && !c->over && has_room(out)) {
        struct cursor piece = {slice_head(in->rest, PIECE_MAX)};
        size_t offered = piece.rest.len;
        struct slice bytes;
        enum mime_event event = mime_next(&c->walk, &piece, &bytes);

        in->rest = slice_skip(in->rest, offered - piece.rest.len);
        c->cannot = !take_event(c, event, bytes, out);
        if (event == MIME_MORE && cursor_at_end(in))
            break;
    }
    return !c->cannot;
}

bool mime_convert_step(struct mime_convert *c, struct cursor *in, struct buf *out)
{
    return run(c, in, out);
}

bool mime_convert_end(struct mime_convert *c, struct buf *out, bool *over)
{
    struct cursor nothing = {{0}};

    mime_end(&c->walk);
    bool good = run(c, &nothing, out);
    *over = c->over;
    return good;
}
