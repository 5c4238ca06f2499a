/*
 * fuzz_header.c - header fields: reading loses no byte, writing makes one field and no more.
 *
 * First character: how the input is cut. A first line of the rest is a name, what follows a value
 * to write; and all of it is a message to read.
 */
#include "fuzz.h"

#include "wire/header.h"
#include "wire/utf8.h"

enum { OUT_MAX = 4 * 1024 * 1024, LINE_MAX = 998 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_ctl(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static void check_field(const struct header_field *f, struct arena *arena)
{
    struct slice line = header_unfold(arena, f->value);

    must(f->name.len > 0 && f->whole.data == f->name.data);
    must(f->value.data + f->value.len <= f->whole.data + f->whole.len);
    must(slice_find(line, '\n') == line.len);
    must(line.len == 0 || (!is_blank(line.data[0]) && !is_blank(line.data[line.len - 1])));
}

static void check_reading(struct slice message, struct arena *arena)
{
    struct slice header, body;
    bool split = header_split(message, &header, &body);
    struct cursor c = {header};
    struct header_field f;
    const char *at = header.data;

    must(header.data == message.data && header.len + body.len <= message.len);
    must(split ? message.len - header.len - body.len <= 2 : body.len == 0);
    while (header_take_field(&c, &f)) {
        must(f.whole.data == at && f.whole.len > 0);
        at += f.whole.len;
        check_field(&f, arena);
        struct header_field first;

        must(header_find(header, f.name, &first) && first.whole.data <= f.whole.data);
    }
    must(c.rest.len == 0 || c.rest.data == at);
}

static void check_watch(struct slice message, struct fuzz_chance *chance)
{
    struct header_watch whole, pieces;
    struct slice left = message;

    header_watch_init(&whole);
    header_watch_init(&pieces);
    header_watch_feed(&whole, message);
    while (left.len > 0) {
        size_t n = fuzz_chunk(chance, left.len);

        header_watch_feed(&pieces, slice_head(left, n));
        left = slice_skip(left, n);
    }
    must(whole.ended == pieces.ended && whole.header_bytes == pieces.header_bytes);
    must(whole.received_count == pieces.received_count);
    must(whole.has_message_id == pieces.has_message_id && whole.has_date == pieces.has_date &&
         whole.has_from == pieces.has_from);
    must(slice_equal(header_watch_message_id(&whole), header_watch_message_id(&pieces)));
    must(whole.header_bytes <= message.len);
    must(whole.ended || whole.header_bytes == message.len);
}

/* Blanks and folds apart, the value is all there, its controls as "?". */
static void check_same_words(struct slice written, struct slice value)
{
    struct cursor got = {written}, want = {value};
    char a, b;

    for (;;) {
        while (cursor_peek(&got) == ' ' || cursor_peek(&got) == '\t' || cursor_peek(&got) == '\r' ||
               cursor_peek(&got) == '\n')
            (void)take_any(&got, &a);
        (void)take_blanks(&want);
        if (!take_any(&want, &b))
            break;
        must(take_any(&got, &a));
        must(a == (is_ctl(b) ? '?' : b));
    }
    must(cursor_at_end(&got));
}

static void check_writing(struct slice name, struct slice value)
{
    struct buf out;
    struct header_field f;
    struct slice rest, line;

    buf_init(&out, OUT_MAX);
    must(buf_append(&out, SLICE("A: b\r\n")));
    if (!header_write(&out, name, value)) {
        must(buf_len(&out) == 6);
        buf_done(&out);
        return;
    }
    struct slice whole = slice_skip(buf_slice(&out), 6);
    struct cursor c = {whole};

    must(header_take_field(&c, &f) && cursor_at_end(&c));
    must(slice_equal(f.name, name) && slice_equal(f.whole, whole));
    check_same_words(f.value, value);
    rest = whole;
    while (slice_cut(rest, '\n', &line, &rest)) {
        must(slice_ends(line, SLICE("\r")) && line.len - 1 <= LINE_MAX);
        line = slice_head(line, line.len - 1);
        must(line.len > 0 && slice_find(line, '\r') == line.len);
        /* A line of blanks only ends the header for some readers. */
        must(slice_trim(line).len > 0);
    }
    buf_done(&out);
}

static void check_encoding(struct slice text, struct arena *arena)
{
    struct slice encoded = header_encode_text(arena, text);

    must(utf8_is_ascii(encoded));
    if (utf8_is_ascii(text))
        must(slice_equal(encoded, text));
    else
        must(utf8_printable(encoded));
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    struct fuzz_chance chance = {fuzz_mix(fuzz_choice(&c))};
    struct arena arena;

    arena_init(&arena);
    check_reading(c.rest, &arena);
    check_watch(c.rest, &chance);

    struct slice name = fuzz_line(&c);

    check_writing(name, c.rest);
    check_writing(SLICE("Subject"), c.rest);
    check_encoding(c.rest, &arena);
    arena_done(&arena);
}
