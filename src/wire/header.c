/*
 * header.c - split, unfold, find and write header fields.
 *
 * Reading never changes a byte: signatures cover the exact field. Writing has one door, so that
 * no value, wherever it came from, can begin a field of its own: a control becomes "?", and the
 * only line ends are the folds made here, each with a blank of the value behind it.
 *
 * The watch sees every byte of every message, so it looks at names only; values are skipped with
 * memchr, except the one Message-ID that the log wants.
 */
#include "wire/header.h"

#include "base/codec.h"
#include "wire/chars.h"
#include "wire/utf8.h"

#include <string.h>

enum {
    LINE_WANTED = 78, /* RFC 5322 2.1.1, without CRLF */
    LINE_MAX = 998,
    NAME_MAX_LEN = 76,
    ENCODED_WORD_BYTES = 39, /* 64 columns with its frame: fits behind "Subject: " */
};

static bool is_ftext(char c)
{
    return char_is(c, CHAR_FTEXT);
}

static bool is_blank(char c)
{
    return char_is(c, CHAR_BLANK);
}

static bool is_word(char c)
{
    return !is_blank(c);
}

/* --- reading --- */

/* Skips to behind the next LF, or to the end. */
static void skip_line(struct cursor *c)
{
    c->rest = slice_skip(c->rest, slice_find(c->rest, '\n') + 1);
}

static bool at_blank(const struct cursor *c)
{
    return c->rest.len > 0 && is_blank(c->rest.data[0]);
}

static struct slice without_line_end(struct slice s)
{
    if (slice_ends(s, SLICE("\r\n")))
        return slice_head(s, s.len - 2);
    return slice_head(s, s.len - slice_ends(s, SLICE("\n")));
}

bool header_take_field(struct cursor *c, struct header_field *out)
{
    struct cursor ahead = *c;
    struct header_field got;

    got.name = take_while(&ahead, is_ftext);
    take_blanks(&ahead);
    if (got.name.len == 0 || !take_char(&ahead, ':'))
        return false;
    struct slice behind_colon = ahead.rest;
    do
        skip_line(&ahead);
    while (at_blank(&ahead));

    got.value = without_line_end(slice_head(behind_colon, behind_colon.len - ahead.rest.len));
    got.whole = slice_head(c->rest, c->rest.len - ahead.rest.len);
    *out = got;
    *c = ahead;
    return true;
}

bool header_split(struct slice message, struct slice *header, struct slice *body)
{
    struct cursor c = {message};

    while (!cursor_at_end(&c)) {
        struct slice before = slice_head(message, message.len - c.rest.len);
        if (take_char(&c, '\n') || take_word(&c, SLICE("\r\n"))) {
            *header = before;
            *body = c.rest;
            return true;
        }
        skip_line(&c);
    }
    *header = message;
    *body = c.rest;
    return false;
}

bool header_find(struct slice header, struct slice name, struct header_field *out)
{
    struct cursor c = {header};
    struct header_field field;

    while (header_take_field(&c, &field)) {
        if (slice_equal_nocase(field.name, name)) {
            *out = field;
            return true;
        }
    }
    return false;
}

struct slice header_unfold(struct arena *arena, struct slice raw_value)
{
    struct cursor c = {raw_value};
    char *line = arena_alloc(arena, raw_value.len + 1);
    size_t n = 0;

    while (!cursor_at_end(&c)) {
        char byte;
        take_any(&c, &byte);
        if (byte != '\n') {
            line[n++] = byte;
            continue;
        }
        if (n > 0 && line[n - 1] == '\r')
            n--;
        while (n > 0 && is_blank(line[n - 1]))
            n--;
        take_blanks(&c);
        line[n++] = ' ';
    }
    return slice_trim((struct slice){line, n});
}

/* --- writing --- */

struct folder {
    struct buf *out;
    size_t column;
    bool fits; /* false once out was full */
};

static void put(struct folder *f, struct slice s)
{
    f->fits = f->fits && buf_append(f->out, s);
    f->column += s.len;
}

static void put_fold(struct folder *f)
{
    put(f, SLICE("\r\n"));
    f->column = 0;
}

static void put_clean(struct folder *f, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        put(f, char_is(s.data[i], CHAR_CTL) ? SLICE("?") : (struct slice){s.data + i, 1});
}

/* As much of the word as the line has room for, no UTF-8 character torn. */
static struct slice line_part(struct slice word, size_t room)
{
    size_t n = room;

    if (word.len <= room)
        return word;
    while (n > 0 && ((unsigned char)word.data[n] & 0xc0) == 0x80)
        n--;
    return slice_head(word, n > 0 ? n : room);
}

/* Blanks and the word behind them; begins a new line when the word would pass `limit`. */
static void put_word(struct folder *f, struct slice blanks, struct slice word, size_t limit)
{
    /* a fold needs a short blank part, or the blanks themselves would fill lines */
    if (blanks.len > LINE_WANTED)
        blanks = SLICE(" ");
    if (f->column + blanks.len + word.len > limit)
        put_fold(f);
    put(f, blanks);
    for (;;) {
        struct slice part = line_part(word, LINE_MAX - f->column);
        put_clean(f, part);
        word = slice_skip(word, part.len);
        if (word.len == 0)
            return;
        put_fold(f);
        put(f, SLICE(" "));
    }
}

static bool is_field_name(struct slice name)
{
    struct cursor c = {name};

    take_while(&c, is_ftext);
    return name.len > 0 && name.len <= NAME_MAX_LEN && cursor_at_end(&c);
}

bool header_write(struct buf *out, struct slice name, struct slice value)
{
    size_t before = buf_len(out);
    struct cursor c = {slice_trim(value)};
    struct folder f = {.out = out, .fits = true};

    if (!is_field_name(name))
        return false;
    put(&f, name);
    put(&f, SLICE(":"));
    /* the first word stays beside the name: some readers do not look on the next line */
    if (!cursor_at_end(&c))
        put_word(&f, SLICE(" "), take_while(&c, is_word), LINE_MAX);
    while (!cursor_at_end(&c)) {
        struct slice blanks = take_while(&c, is_blank);
        put_word(&f, blanks, take_while(&c, is_word), LINE_WANTED);
    }
    put_fold(&f);
    if (!f.fits)
        buf_truncate(out, before);
    return f.fits;
}

/* The last blank within LINE_MAX that stands between words and not before `from`; 0: none. */
static size_t fold_place(struct slice line, size_t from)
{
    size_t last = line.len;

    while (last > 0 && char_is(line.data[last - 1], CHAR_BLANK | CHAR_CTL))
        last--;
    for (size_t i = LINE_MAX < last ? LINE_MAX : last; i > from; i--)
        if (i < last && is_blank(line.data[i]) && !is_blank(line.data[i - 1]))
            return i;
    return 0;
}

static bool fold_line(struct buf *out, struct slice line)
{
    /* A name is not torn from its colon. */
    size_t from = line.len > 0 && is_blank(line.data[0]) ? 0 : slice_find(line, ':');

    while (without_line_end(line).len > LINE_MAX) {
        size_t place = fold_place(line, from);

        if (place == 0 || !buf_append(out, slice_head(line, place)) ||
            !buf_append(out, SLICE("\r\n")))
            return false;
        line = slice_skip(line, place);
        from = 0;
    }
    return buf_append(out, line);
}

bool header_fold_long(struct buf *out, struct slice header)
{
    size_t before = buf_len(out);

    while (header.len > 0) {
        size_t len = slice_find(header, '\n') + 1;

        if (!fold_line(out, slice_head(header, len))) {
            buf_truncate(out, before);
            return false;
        }
        header = slice_skip(header, len);
    }
    return true;
}

static bool has_high(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (char_is(s.data[i], CHAR_HIGH))
            return true;
    return false;
}

/* The next character to encode; what cannot be shown is "?". */
static struct slice take_shown(struct cursor *c)
{
    struct slice before = c->rest;
    uint32_t point;
    char byte;

    if (!take_utf8(c, &point)) {
        take_any(c, &byte);
        return SLICE("?");
    }
    if (point < 0x20 || (point >= 0x7f && point < 0xa0))
        return SLICE("?");
    return slice_head(before, before.len - c->rest.len);
}

struct slice header_encode_text(struct arena *arena, struct slice utf8)
{
    struct cursor c = {utf8};
    struct buf words;

    if (!has_high(utf8))
        return utf8;
    /* each word holds 36 bytes or more, or is the last: 64 characters and a blank for 36 */
    buf_init(&words, utf8.len * 2 + 65);
    while (!cursor_at_end(&c)) {
        char bytes[ENCODED_WORD_BYTES];
        size_t n = 0;
        while (!cursor_at_end(&c)) {
            struct cursor before = c;
            struct slice shown = take_shown(&c);
            if (n + shown.len > sizeof(bytes)) {
                c = before;
                break;
            }
            memcpy(bytes + n, shown.data, shown.len);
            n += shown.len;
        }
        buf_append(&words, buf_len(&words) > 0 ? SLICE(" =?UTF-8?B?") : SLICE("=?UTF-8?B?"));
        base64_encode(&words, (struct slice){bytes, n});
        buf_append(&words, SLICE("?="));
    }
    struct slice encoded = arena_copy(arena, buf_slice(&words));
    buf_done(&words);
    return encoded;
}

/* --- watching --- */

void header_watch_init(struct header_watch *w)
{
    *w = (struct header_watch){.state = WATCH_LINE_START};
}

/* The colon was read: what is this field to us? */
static void watch_field(struct header_watch *w)
{
    struct slice name = {w->name, w->name_len};

    w->state = WATCH_SKIP;
    if (slice_equal(name, SLICE("received"))) {
        w->received_count++;
    } else if (slice_equal(name, SLICE("date"))) {
        w->has_date = true;
    } else if (slice_equal(name, SLICE("from"))) {
        w->has_from = true;
    } else if (slice_equal(name, SLICE("message-id")) && !w->has_message_id) {
        w->has_message_id = true;
        w->keeps = true;
        w->state = WATCH_MESSAGE_ID;
    }
}

static void watch_name(struct header_watch *w, char byte)
{
    if (byte == ':')
        watch_field(w);
    else if (byte == '\n')
        w->state = WATCH_LINE_START;
    else if (is_blank(byte))
        w->state = WATCH_NAME_BLANK;
    else if (w->state == WATCH_NAME_BLANK || w->name_len == sizeof(w->name))
        w->state = WATCH_SKIP;
    else
        w->name[w->name_len++] = byte_lower(byte);
}

/* Returns false when the byte belongs to the state just chosen. */
static bool watch_line_start(struct header_watch *w, char byte)
{
    if (byte == '\r') {
        w->state = WATCH_EMPTY_LINE;
        return true;
    }
    if (byte == '\n') {
        w->ended = true;
        return true;
    }
    if (is_blank(byte)) {
        w->state = w->keeps ? WATCH_MESSAGE_ID : WATCH_SKIP;
        return false;
    }
    w->keeps = false;
    w->name_len = 0;
    w->state = WATCH_NAME;
    return false;
}

static void watch_value(struct header_watch *w, struct slice part)
{
    for (size_t i = 0; i < part.len && w->message_id_len < sizeof(w->message_id); i++) {
        char byte = part.data[i];
        if (byte == '\r' || (w->message_id_len == 0 && is_blank(byte)))
            continue;
        w->message_id[w->message_id_len++] = byte;
    }
}

static void watch_step(struct header_watch *w, struct cursor *c)
{
    switch (w->state) {
    case WATCH_LINE_START:
        if (watch_line_start(w, c->rest.data[0]))
            c->rest = slice_skip(c->rest, 1);
        return;
    case WATCH_EMPTY_LINE:
        w->ended = take_char(c, '\n');
        w->keeps = false;
        w->state = WATCH_SKIP;
        return;
    case WATCH_NAME:
    case WATCH_NAME_BLANK:
        watch_name(w, c->rest.data[0]);
        c->rest = slice_skip(c->rest, 1);
        return;
    case WATCH_MESSAGE_ID:
    case WATCH_SKIP: break;
    }

    size_t lf = slice_find(c->rest, '\n');
    if (w->state == WATCH_MESSAGE_ID)
        watch_value(w, slice_head(c->rest, lf));
    if (lf < c->rest.len)
        w->state = WATCH_LINE_START;
    c->rest = slice_skip(c->rest, lf + 1);
}

void header_watch_feed(struct header_watch *w, struct slice bytes)
{
    struct cursor c = {bytes};

    if (!w->begun && bytes.len > 0) {
        w->begun = true;
        w->folded = char_is(bytes.data[0], CHAR_BLANK);
    }
    while (!w->ended && !cursor_at_end(&c))
        watch_step(w, &c);
    w->header_bytes += bytes.len - c.rest.len;
}

struct slice header_watch_message_id(const struct header_watch *w)
{
    return slice_trim((struct slice){w->message_id, w->message_id_len});
}
