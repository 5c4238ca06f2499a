/*
 * smtp_reply.c - reply text <-> code, enhanced code, lines.
 *
 * Both directions guard a border. Written text may quote what a peer said, so it goes through
 * one filter that maps each unwanted byte to one "?": lengths are known before, and no text
 * can begin a line of its own. Read text is hostile: lines are taken whole or, when too long,
 * cut at a fixed place, so that the outcome never depends on how the bytes arrived.
 */
#include "wire/smtp_reply.h"
#include "wire/chars.h"
#include "wire/utf8.h"

#include <assert.h>

static bool append_clean(struct buf *out, struct slice text)
{
    struct cursor c = {text};
    uint32_t point;
    bool fits = true;

    while (fits && !cursor_at_end(&c)) {
        struct slice before = c.rest;
        bool valid = take_utf8(&c, &point);
        struct slice taken = slice_head(before, valid ? before.len - c.rest.len : 1);
        if (valid && utf8_printable(taken)) {
            fits = buf_append(out, taken);
        } else {
            fits = buf_append_char(out, '?');
            c.rest = slice_skip(before, 1);
        }
    }
    return fits;
}

static bool is_utf8_tail(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* How much of text goes on a line that has room for so much: up to the last blank, else
 * anywhere but inside a UTF-8 sequence. text is longer than room. */
static size_t wrap_at(struct slice text, size_t room)
{
    for (size_t i = room; i > 0; i--)
        if (char_is(text.data[i], CHAR_BLANK))
            return i;
    for (size_t i = room; i > room - 4; i--)
        if (!is_utf8_tail(text.data[i]))
            return i;
    return room;
}

/* The next line's text; what is left over stays in *text. False at the end. */
static struct slice take_line_text(struct slice *text, size_t room, bool *last)
{
    struct slice line = *text, rest = {NULL, 0};

    *last = !slice_cut(*text, '\n', &line, &rest);
    if (line.len > room) {
        line = slice_head(line, wrap_at(line, room));
        rest = slice_skip(*text, line.len);
        if (char_is(rest.data[0], CHAR_BLANK))
            rest = slice_skip(rest, 1);
        *last = false;
    }
    *text = rest;
    return line;
}

bool reply_write(struct buf *out, const struct reply *r)
{
    size_t before = buf_len(out), room = REPLY_LINE_MAX - (sizeof("250 \r\n") - 1);
    struct slice text = r->text;
    bool fits = true, last = false;

    assert(r->code >= 200 && r->code <= 599);
    assert(r->enhanced.len <= ENHANCED_CODE_MAX);
    if (r->enhanced.len > 0) {
        assert(r->enhanced.data[0] == (char)('0' + r->code / 100));
        room -= r->enhanced.len + 1;
    }
    while (fits && !last) {
        struct slice line = take_line_text(&text, room, &last);
        fits = buf_printf(out, "%03u%c", r->code, last ? ' ' : '-') &&
               append_clean(out, r->enhanced) &&
               (r->enhanced.len == 0 || line.len == 0 || buf_append_char(out, ' ')) &&
               append_clean(out, line) && buf_append(out, SLICE("\r\n"));
    }
    if (!fits)
        buf_truncate(out, before);
    return fits;
}

bool reply_line_parse(struct slice line, struct reply_line *out)
{
    struct cursor c = {line};
    struct reply_line got = {0};

    if (!take_digits(&c, 3, &got.code) || got.code < 200 || got.code > 599)
        return false;
    got.more = take_char(&c, '-');
    if (!got.more && !take_char(&c, ' ') && !cursor_at_end(&c))
        return false;
    got.text = c.rest;
    *out = got;
    return true;
}

static bool is_digit(char c)
{
    return char_is(c, CHAR_DIGIT);
}

/* "." and one to three digits. */
static bool take_detail(struct cursor *c)
{
    if (!take_char(c, '.'))
        return false;
    size_t digits = take_while(c, is_digit).len;
    return digits >= 1 && digits <= 3;
}

bool enhanced_code_take(struct cursor *c, struct slice *out)
{
    struct cursor at = *c;

    if (!take_char(&at, '2') && !take_char(&at, '4') && !take_char(&at, '5'))
        return false;
    /* Two of them. NOLINTNEXTLINE(misc-redundant-expression) */
    if (!take_detail(&at) || !take_detail(&at))
        return false;
    struct slice code = slice_head(c->rest, c->rest.len - at.rest.len);
    if (!cursor_at_end(&at) && !take_blanks(&at))
        return false;
    *out = code;
    *c = at;
    return true;
}

void reply_reader_init(struct reply_reader *r, size_t text_max)
{
    *r = (struct reply_reader){0};
    buf_init(&r->text, text_max);
}

void reply_reader_done(struct reply_reader *r)
{
    buf_done(&r->text);
}

void reply_reader_reset(struct reply_reader *r)
{
    struct buf text = r->text;

    buf_clear(&text);
    *r = (struct reply_reader){.text = text};
}

/* Bytes are kept as they are, since a reply may well be Latin-1; only controls go. */
static void keep_text(struct reply_reader *r, struct slice text)
{
    size_t kept = text.len < buf_room(&r->text) ? text.len : buf_room(&r->text);

    if (kept < text.len)
        r->cut = true;
    for (size_t i = 0; i < kept; i++)
        buf_append_char(&r->text, char_is(text.data[i], CHAR_CTL) ? '?' : text.data[i]);
}

static bool add_line(struct reply_reader *r, struct slice raw)
{
    struct reply_line line;

    while (raw.len > 0 && raw.data[raw.len - 1] == '\r')
        raw = slice_head(raw, raw.len - 1);
    if (!reply_line_parse(raw, &line) || r->lines == REPLY_READ_LINES_MAX)
        return false;
    if (r->lines > 0 && line.code != r->code)
        return false;
    if (r->lines > 0 && !buf_append_char(&r->text, '\n'))
        r->cut = true;
    keep_text(r, line.text);
    r->code = line.code;
    r->more = line.more;
    r->lines++;
    return true;
}

static enum reply_progress complete(struct reply_reader *r)
{
    struct cursor c = {buf_slice(&r->text)};
    struct slice code;

    /* A class that contradicts the reply is noise: RFC 2034 3. */
    if (enhanced_code_take(&c, &code) && (unsigned)(code.data[0] - '0') == r->code / 100)
        r->enhanced = code;
    return REPLY_COMPLETE;
}

enum line_progress { LINE_MORE, LINE_ENDED, LINE_BROKEN };

/* The rest of a line whose beginning was kept. */
static enum line_progress skip_line(struct reply_reader *r, struct cursor *in)
{
    size_t end = slice_find(in->rest, '\n');
    bool ended = end < in->rest.len;

    in->rest = slice_skip(in->rest, ended ? end + 1 : end);
    r->in_long_line = !ended;
    return ended ? LINE_ENDED : LINE_MORE;
}

/* False: two ways in one reply. */
static bool note_end(struct reply_reader *r, struct slice line)
{
    bool crlf = slice_ends(line, SLICE("\r"));

    r->crlf = r->crlf || crlf;
    r->bare_lf = r->bare_lf || !crlf;
    return !r->crlf || !r->bare_lf;
}

static enum line_progress read_line(struct reply_reader *r, struct cursor *in)
{
    if (r->in_long_line)
        return skip_line(r, in);

    struct slice window = slice_head(in->rest, REPLY_READ_LINE_MAX + 1);
    size_t end = slice_find(window, '\n');
    if (end == window.len && window.len <= REPLY_READ_LINE_MAX)
        return LINE_MORE;
    struct slice line = slice_head(window, end < REPLY_READ_LINE_MAX ? end : REPLY_READ_LINE_MAX);
    if (end < window.len && !note_end(r, slice_head(window, end)))
        return LINE_BROKEN;
    if (!add_line(r, line))
        return LINE_BROKEN;
    in->rest = slice_skip(in->rest, line.len);
    if (end == window.len)
        r->cut = true;
    return skip_line(r, in);
}

enum reply_progress reply_read(struct reply_reader *r, struct cursor *in)
{
    for (;;) {
        switch (read_line(r, in)) {
        case LINE_MORE: return REPLY_MORE;
        case LINE_BROKEN: return REPLY_BROKEN;
        case LINE_ENDED:
            if (!r->more)
                return complete(r);
            break;
        }
    }
}
