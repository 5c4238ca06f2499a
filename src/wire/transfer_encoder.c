/*
 * transfer_encoder.c - transfer encodings, a piece at a time.
 *
 * In quoted-printable a byte's form depends on the one behind it: a blank at the end of a line, a
 * CR without LF, the F of "From ". So at most two bytes wait. All else is written at once.
 *
 * To cut lines of what is quoted-printable already, a whole line is gathered, for lines that are
 * short enough must stay as they are, and "=XX" must not be torn.
 */
#include "wire/transfer_encoder.h"

#include "base/codec.h"

#include <string.h>

enum { BASE64_BYTES = TRANSFER_COLUMNS / 4 * 3, QUOTED_COLUMNS = TRANSFER_COLUMNS - 1 };

void transfer_encoder_begin(struct transfer_encoder *e, enum transfer_mode mode)
{
    *e = (struct transfer_encoder){.mode = mode};
}

/* --- base64 --- */

static void put_base64_line(struct transfer_encoder *e, struct buf *out, struct slice bytes)
{
    if (e->column > 0)
        buf_append(out, SLICE("\r\n"));
    base64_encode(out, bytes);
    e->column = 1;
}

static void put_base64(struct transfer_encoder *e, struct buf *out, struct slice bytes)
{
    while (bytes.len > 0) {
        struct slice part = slice_head(bytes, BASE64_BYTES - e->tail_len);

        memcpy(e->tail + e->tail_len, part.data, part.len);
        e->tail_len += (unsigned)part.len;
        bytes = slice_skip(bytes, part.len);
        if (e->tail_len < BASE64_BYTES)
            return;
        put_base64_line(e, out, (struct slice){e->tail, e->tail_len});
        e->tail_len = 0;
    }
}

static void cut_base64(struct transfer_encoder *e, struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        bool ends = bytes.data[i] == '\r' || bytes.data[i] == '\n';

        if (!ends && e->column == TRANSFER_COLUMNS) {
            buf_append(out, SLICE("\r\n"));
            e->column = 0;
        }
        buf_append_char(out, bytes.data[i]);
        e->column = ends ? 0 : e->column + 1;
    }
}

/* --- quoted-printable --- */

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static bool is_plain(char byte)
{
    return byte > ' ' && byte < 127 && byte != '=';
}

/* Where we broke a line: a dot, "From ", a delimiter. */
static bool is_risky(char byte)
{
    return byte == '.' || byte == 'F' || byte == '-';
}

static unsigned write_hex(char out[3], char byte)
{
    static const char digits[16] = "0123456789ABCDEF";

    out[0] = '=';
    out[1] = digits[(unsigned char)byte >> 4];
    out[2] = digits[(unsigned char)byte & 15];
    return 3;
}

/* True when the line was broken. */
static bool make_room(struct transfer_encoder *e, struct buf *out, unsigned columns)
{
    if (e->column + columns <= QUOTED_COLUMNS)
        return false;
    buf_append(out, SLICE("=\r\n"));
    e->column = 0;
    return true;
}

static void put_hex(struct transfer_encoder *e, struct buf *out, char byte)
{
    char text[3];

    (void)make_room(e, out, 3);
    buf_append(out, (struct slice){text, write_hex(text, byte)});
    e->column += 3;
}

static void put_plain(struct transfer_encoder *e, struct buf *out, char byte)
{
    if (make_room(e, out, 1) ? is_risky(byte) : e->column == 0 && byte == '.') {
        put_hex(e, out, byte);
        return;
    }
    buf_append_char(out, byte);
    e->column++;
}

/* `next` is behind what waits; '\n': the end of the line. */
static void put_waiting(struct transfer_encoder *e, struct buf *out, char next)
{
    for (unsigned i = 0; i < e->tail_len; i++) {
        char byte = e->tail[i], behind = i + 1 < e->tail_len ? e->tail[i + 1] : next;
        bool hex =
            byte == '\r' || (is_blank(byte) && behind == '\n') || (byte == 'F' && behind == 'r');

        if (hex)
            put_hex(e, out, byte);
        else
            put_plain(e, out, byte);
    }
    e->tail_len = 0;
}

static void put_quoted_byte(struct transfer_encoder *e, struct buf *out, char byte)
{
    bool after_cr = e->tail_len > 0 && e->tail[e->tail_len - 1] == '\r';

    if (after_cr && byte == '\n') {
        e->tail_len--;
        put_waiting(e, out, '\n');
        buf_append(out, SLICE("\r\n"));
        e->column = 0;
        return;
    }
    if (byte == '\r' && !after_cr) {
        e->tail[e->tail_len++] = byte;
        return;
    }
    put_waiting(e, out, byte);
    if (is_blank(byte) || byte == '\r' || (byte == 'F' && e->column == 0))
        e->tail[e->tail_len++] = byte;
    else if (is_plain(byte))
        put_plain(e, out, byte);
    else
        put_hex(e, out, byte);
}

static void put_quoted(struct transfer_encoder *e, struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        put_quoted_byte(e, out, bytes.data[i]);
}

/* --- lines of what is quoted-printable --- */

static void put_tail(struct transfer_encoder *e, struct buf *out)
{
    buf_append(out, (struct slice){e->tail, e->tail_len});
    e->tail_len = 0;
}

/* The first byte of what is left is a risk no more. */
static void soften(struct transfer_encoder *e)
{
    char first = e->tail[0];

    if (e->tail_len == 0 || !is_risky(first))
        return;
    memmove(e->tail + 3, e->tail + 1, e->tail_len - 1);
    e->tail_len += write_hex(e->tail, first) - 1;
}

/* Breaks the line in front of what has no room, "=XX" as a whole. */
static void break_line(struct transfer_encoder *e, struct buf *out)
{
    unsigned place = QUOTED_COLUMNS;

    for (unsigned back = 1; back <= 2; back++)
        if (e->tail[QUOTED_COLUMNS - back] == '=')
            place = QUOTED_COLUMNS - back;
    buf_append(out, (struct slice){e->tail, place});
    buf_append(out, SLICE("=\r\n"));
    e->tail_len -= place;
    memmove(e->tail, e->tail + place, e->tail_len);
    soften(e);
}

static void cut_quoted_byte(struct transfer_encoder *e, struct buf *out, char byte)
{
    if (byte == '\r' || byte == '\n') {
        put_tail(e, out);
        buf_append_char(out, byte);
        return;
    }
    if ((unsigned char)byte > 127)
        e->tail_len += write_hex(e->tail + e->tail_len, byte);
    else
        e->tail[e->tail_len++] = byte;
    if (e->tail_len > TRANSFER_COLUMNS)
        break_line(e, out);
}

static void cut_quoted(struct transfer_encoder *e, struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        cut_quoted_byte(e, out, bytes.data[i]);
}

/* --- all of them --- */

void transfer_encoder_write(struct transfer_encoder *e, struct buf *out, struct slice bytes)
{
    switch (e->mode) {
    case TRANSFER_AS_IS: buf_append(out, bytes); break;
    case TRANSFER_BASE64: put_base64(e, out, bytes); break;
    case TRANSFER_QUOTED: put_quoted(e, out, bytes); break;
    case TRANSFER_BASE64_LINES: cut_base64(e, out, bytes); break;
    case TRANSFER_QUOTED_LINES: cut_quoted(e, out, bytes); break;
    }
}

void transfer_encoder_end(struct transfer_encoder *e, struct buf *out)
{
    switch (e->mode) {
    case TRANSFER_AS_IS:
    case TRANSFER_BASE64_LINES: break;
    case TRANSFER_BASE64:
        if (e->tail_len > 0)
            put_base64_line(e, out, (struct slice){e->tail, e->tail_len});
        e->tail_len = 0;
        break;
    case TRANSFER_QUOTED: put_waiting(e, out, '\n'); break;
    case TRANSFER_QUOTED_LINES: put_tail(e, out); break;
    }
}

void transfer_encoder_end_line(struct transfer_encoder *e, struct buf *out)
{
    if (e->column == 0)
        return;
    if (e->mode == TRANSFER_BASE64)
        buf_append(out, SLICE("\r\n"));
    else if (e->mode == TRANSFER_QUOTED)
        buf_append(out, SLICE("=\r\n"));
}
