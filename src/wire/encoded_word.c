/*
 * encoded_word.c - RFC 2047: text outside ASCII in a header, decoded.
 *
 * Neighbours in one character set are decoded together: writers tear multi-byte characters
 * although section 5 forbids it. Words longer than 75 columns are read too. A set that is not
 * known leaves its words as they stand, which loses nothing and pretends nothing.
 */
#include "wire/encoded_word.h"

#include "base/codec.h"
#include "base/cursor.h"
#include "wire/chars.h"
#include "wire/charset.h"
#include "wire/header.h"
#include "wire/utf8.h"

struct word {
    struct slice charset;
    char encoding; /* 'b' or 'q' */
    struct slice text;
};

static bool is_not_blank(char c)
{
    return c != ' ' && c != '\t';
}

/* "=?" charset ["*" language] "?" encoding "?" text "?=", the whole of it. */
static bool word_parse(struct slice s, struct word *out)
{
    struct cursor c = {s};
    struct word got;
    struct slice language;

    if (!take_word(&c, SLICE("=?")) || !take_until(&c, '?', &got.charset) || !take_char(&c, '?'))
        return false;
    if (!take_any(&c, &got.encoding) || !take_char(&c, '?') || !take_until(&c, '?', &got.text))
        return false;
    slice_cut(got.charset, '*', &got.charset, &language); /* RFC 2231 5 */
    got.encoding = byte_lower(got.encoding);
    if (got.text.len == 0 || !slice_equal(c.rest, SLICE("?=")))
        return false;
    *out = got;
    return got.encoding == 'b' || got.encoding == 'q';
}

static bool q_decode(struct buf *out, struct slice text)
{
    struct cursor c = {text};
    struct slice hex;
    char byte;

    while (take_any(&c, &byte)) {
        bool good = true;
        if (byte == '=')
            good = take_bytes(&c, 2, &hex) && hex_decode(out, hex);
        else
            good = char_is(byte, CHAR_PRINT) && buf_append_char(out, byte == '_' ? ' ' : byte);
        if (!good)
            return false;
    }
    return true;
}

/* The bytes of a word in a set that we can read, behind what is in out. */
static bool word_decode(struct buf *out, struct slice s, struct slice *charset)
{
    size_t before = buf_len(out);
    struct word word;

    if (!word_parse(s, &word) || !charset_is_known(word.charset))
        return false;
    if (word.encoding == 'b' ? base64_decode(out, word.text) : q_decode(out, word.text)) {
        *charset = word.charset;
        return true;
    }
    buf_truncate(out, before);
    return false;
}

struct decoder {
    struct buf text;      /* done */
    struct buf bytes;     /* of the words just read, not yet converted */
    struct slice charset; /* of those bytes */
    struct slice words;   /* as they stand in the line */
};

static void flush(struct decoder *d)
{
    if (d->words.len > 0 && !charset_to_utf8(&d->text, d->charset, buf_slice(&d->bytes)))
        buf_append(&d->text, d->words);
    buf_clear(&d->bytes);
    d->words = (struct slice){NULL, 0};
}

/* Blanks and the word behind them. */
static void decode_next(struct decoder *d, struct slice blanks, struct slice s)
{
    size_t before = buf_len(&d->bytes);
    struct slice charset;

    if (!word_decode(&d->bytes, s, &charset)) {
        flush(d);
        buf_append(&d->text, blanks);
        buf_append(&d->text, s);
        return;
    }
    if (d->words.len > 0 && slice_equal_nocase(charset, d->charset)) {
        d->words.len += blanks.len + s.len;
        return;
    }
    /* Another set, or the first word: what came before ends here. */
    bool follows_word = d->words.len > 0;
    if (follows_word) {
        buf_truncate(&d->bytes, before);
        flush(d);
        word_decode(&d->bytes, s, &charset);
    } else {
        buf_append(&d->text, blanks);
    }
    d->charset = charset;
    d->words = s;
}

struct slice text_clean(struct arena *arena, struct slice s)
{
    struct cursor c = {s}, from = c;
    char *copy = arena_alloc(arena, s.len + 1);
    size_t len = 0;
    uint32_t point;

    for (; !cursor_at_end(&c); from = c) {
        bool whole = take_utf8(&c, &point);
        if (!whole)
            c.rest = slice_skip(c.rest, 1);
        struct slice shown = slice_head(from.rest, from.rest.len - c.rest.len);
        if (whole && point == '\t')
            shown = SLICE(" ");
        else if (!whole || !utf8_printable(shown))
            shown = SLICE("?");
        for (size_t i = 0; i < shown.len; i++)
            copy[len++] = shown.data[i];
    }
    return (struct slice){copy, len};
}

struct slice encoded_text_decode(struct arena *arena, struct slice raw)
{
    struct slice line = header_unfold(arena, raw);
    struct cursor c = {line};
    struct decoder d = {
        .words = {NULL, 0}
    };

    buf_init(&d.text, 3 * line.len + 1);
    buf_init(&d.bytes, line.len + 1);
    while (!cursor_at_end(&c)) {
        struct slice blanks = c.rest;
        take_blanks(&c);
        blanks.len -= c.rest.len;
        decode_next(&d, blanks, take_while(&c, is_not_blank));
    }
    flush(&d);
    struct slice text = text_clean(arena, slice_trim(buf_slice(&d.text)));
    buf_done(&d.text);
    buf_done(&d.bytes);
    return text;
}
