/*
 * fuzz_dots.c - where a message ends, against a plain definition of it.
 *
 * First character: line ends, and how the input is cut. The reader must agree with itself in any
 * chunking and, when strict, with the definition: behind an imagined CRLF, everything before the
 * first CRLF "." CRLF, less one dot where a line begins with one. What the writer wrote, the
 * reader must give back.
 */
#include "fuzz.h"

#include "wire/dots.h"

#include <string.h>

enum { BYTES_MAX = 4 * 1024 * 1024 };

struct result {
    struct buf message;
    struct dots_reader reader;
    bool ended;
    size_t eaten;
};

static void read_all(struct slice input, enum line_ends ends, struct fuzz_chance *chance,
                     struct result *out)
{
    enum dots_progress progress = DOTS_MORE;
    struct slice run;

    *out = (struct result){0};
    buf_init(&out->message, BYTES_MAX);
    dots_reader_init(&out->reader, ends);
    while (out->eaten < input.len && progress == DOTS_MORE) {
        struct slice left = slice_skip(input, out->eaten);
        size_t n = chance == NULL ? left.len : fuzz_chunk(chance, left.len);
        struct cursor in = {slice_head(left, n)};

        while ((progress = dots_read(&out->reader, &in, &run)) == DOTS_RUN) {
            must(run.len > 0);
            must(buf_append(&out->message, run));
        }
        must(progress == DOTS_END || cursor_at_end(&in));
        out->eaten += n - in.rest.len;
    }
    out->ended = progress == DOTS_END;
}

static void check_same(const struct result *a, const struct result *b)
{
    must(slice_equal(buf_slice(&a->message), buf_slice(&b->message)));
    must(a->ended == b->ended && a->eaten == b->eaten);
    must(a->reader.bare_cr == b->reader.bare_cr && a->reader.bare_lf == b->reader.bare_lf);
    must(a->reader.nul == b->reader.nul && a->reader.eight_bit == b->reader.eight_bit);
    must(a->reader.line_len_max == b->reader.line_len_max);
}

/* Of "\r\n" + input: where CRLF.CRLF begins, or the end. */
static size_t find_end(struct slice text)
{
    const char *end = text.len < 5 ? NULL : memmem(text.data, text.len, "\r\n.\r\n", 5);

    return end == NULL ? text.len : (size_t)(end - text.data);
}

static void check_definition(struct slice input, const struct result *got)
{
    struct buf text, want;

    buf_init(&text, BYTES_MAX);
    buf_init(&want, BYTES_MAX);
    must(buf_append(&text, SLICE("\r\n")) && buf_append(&text, input));
    struct slice all = buf_slice(&text);
    size_t end = find_end(all);

    must(got->ended == (end < all.len));
    if (got->ended) {
        must(got->eaten == end + 5 - 2);
        all = slice_head(all, end + 2); /* with the last line's end */
        for (size_t i = 2; i < all.len; i++)
            if (all.data[i] != '.' || all.data[i - 1] != '\n' || all.data[i - 2] != '\r')
                must(buf_append_char(&want, all.data[i]));
        must(slice_equal(buf_slice(&want), buf_slice(&got->message)));
    }
    buf_done(&text);
    buf_done(&want);
}

static bool is_clean(struct slice content)
{
    for (size_t i = 0; i < content.len; i++) {
        char byte = content.data[i];

        if (byte == '\0' || (byte == '\n' && (i == 0 || content.data[i - 1] != '\r')) ||
            (byte == '\r' && (i + 1 == content.len || content.data[i + 1] != '\n')))
            return false;
    }
    return true;
}

static bool write_all(struct slice content, struct fuzz_chance *chance, struct buf *wire)
{
    struct dots_writer w;

    dots_writer_init(&w);
    while (content.len > 0) {
        size_t n = fuzz_chunk(chance, content.len), before = buf_len(wire);

        if (!dots_write(&w, wire, slice_head(content, n))) {
            must(buf_len(wire) == before);
            return false;
        }
        content = slice_skip(content, n);
    }
    return dots_finish(&w, wire);
}

static void check_writer(struct slice content, struct fuzz_chance *chance)
{
    struct result back;
    struct buf wire;

    buf_init(&wire, BYTES_MAX);
    bool written = write_all(content, chance, &wire);

    must(written == is_clean(content));
    if (written) {
        read_all(buf_slice(&wire), LINE_ENDS_STRICT, chance, &back);
        must(back.ended && back.eaten == buf_len(&wire));
        must(!back.reader.bare_cr && !back.reader.bare_lf && !back.reader.nul);

        struct slice message = buf_slice(&back.message);

        must(slice_starts(message, content));
        must(message.len == content.len ||
             (!slice_ends(content, SLICE("\r\n")) && message.len == content.len + 2));
        buf_done(&back.message);
    }
    buf_done(&wire);
}

static void check_repaired(const struct result *got)
{
    struct slice m = buf_slice(&got->message);

    for (size_t i = 0; i < m.len; i++)
        must(m.data[i] != '\n' || (i > 0 && m.data[i - 1] == '\r'));
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    unsigned choice = fuzz_choice(&c);
    enum line_ends ends = choice & 1 ? LINE_ENDS_REPAIR : LINE_ENDS_STRICT;
    struct fuzz_chance chance = {fuzz_mix(choice)};
    struct result whole, pieces;

    read_all(c.rest, ends, NULL, &whole);
    read_all(c.rest, ends, &chance, &pieces);
    check_same(&whole, &pieces);
    if (ends == LINE_ENDS_STRICT)
        check_definition(c.rest, &whole);
    else
        check_repaired(&whole);
    check_writer(c.rest, &chance);
    buf_done(&whole.message);
    buf_done(&pieces.message);
}
