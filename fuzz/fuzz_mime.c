/*
 * fuzz_mime.c - the walk over a message, the survey, and the conversions.
 *
 * First character: the goal of the conversion. Every byte comes out once and in order, in the same
 * kinds of events however the input is cut; so are the facts, and what is converted. That has
 * nothing that the goal bans, and the same parts, each of which decodes to what it was.
 */
#include "fuzz.h"

#include "base/codec.h"
#include "wire/mime_convert.h"

enum { OUT_MAX = 16 * 1024 * 1024 };

/* The next piece of what is left; empty: none is. */
static struct slice next_piece(struct slice *left, struct fuzz_chance *chance)
{
    size_t n = left->len == 0 ? 0 : chance == NULL ? left->len : fuzz_chunk(chance, left->len);
    struct slice piece = slice_head(*left, n);

    *left = slice_skip(*left, n);
    return piece;
}

/* --- the walk --- */

/* Bytes, and beside each the kind of its event. */
struct walked {
    struct buf bytes, kinds;
    bool doubtful;
};

static void take(struct walked *w, enum mime_event event, struct slice bytes)
{
    must(buf_append(&w->bytes, bytes));
    for (size_t i = 0; i < bytes.len; i++)
        must(buf_append_char(&w->kinds, (char)('0' + event)));
}

static void walk(struct walked *w, struct slice message, struct fuzz_chance *chance)
{
    enum mime_event event;
    struct mime m;
    bool ended = false;

    buf_init(&w->bytes, OUT_MAX);
    buf_init(&w->kinds, OUT_MAX);
    mime_init(&m);
    do {
        struct cursor in = {next_piece(&message, chance)};
        struct slice bytes;

        if (in.rest.len == 0) {
            mime_end(&m);
            ended = true;
        }
        while ((event = mime_next(&m, &in, &bytes)) != MIME_MORE && event != MIME_END) {
            must(m.depth <= MIME_DEPTH_MAX && m.parts <= MIME_PARTS_MAX);
            take(w, event, bytes);
        }
        must(cursor_at_end(&in));
    } while (!ended);
    must(event == MIME_END);
    w->doubtful = m.doubtful;
    mime_done(&m);
}

static void walked_done(struct walked *w)
{
    buf_done(&w->bytes);
    buf_done(&w->kinds);
}

static void check_walk(struct slice message, struct fuzz_chance *chance)
{
    struct walked whole, pieces;

    walk(&whole, message, NULL);
    walk(&pieces, message, chance);
    must(slice_equal(buf_slice(&whole.bytes), message));
    must(slice_equal(buf_slice(&pieces.bytes), message));
    must(slice_equal(buf_slice(&whole.kinds), buf_slice(&pieces.kinds)));
    must(whole.doubtful == pieces.doubtful);
    walked_done(&whole);
    walked_done(&pieces);
}

/* --- survey and conversion --- */

static void survey(struct mime_survey *s, struct slice message, struct fuzz_chance *chance)
{
    struct slice piece;

    mime_survey_init(s);
    while ((piece = next_piece(&message, chance)).len > 0)
        mime_survey_feed(s, piece);
    mime_survey_end(s);
    must((s->facts.fixed & ~s->facts.traits) == 0);
}

static void check_survey(const struct mime_survey *whole, struct slice message,
                         struct fuzz_chance *chance)
{
    struct mime_survey pieces;

    survey(&pieces, message, chance);
    must(pieces.facts.traits == whole->facts.traits && pieces.facts.fixed == whole->facts.fixed);
    must(pieces.facts.header_high == whole->facts.header_high);
    must(slice_equal(buf_slice(&pieces.parts), buf_slice(&whole->parts)));
    mime_survey_done(&pieces);
}

static void convert(struct buf *out, enum mime_goal goal, const struct mime_survey *s,
                    struct slice message, struct fuzz_chance *chance)
{
    struct mime_convert c;
    struct slice piece;

    buf_init(out, OUT_MAX);
    mime_convert_init(&c, goal, s);
    while ((piece = next_piece(&message, chance)).len > 0) {
        struct cursor in = {piece};

        mime_convert_step(&c, &in, out);
        must(cursor_at_end(&in));
    }
    must(mime_convert_end(&c, out));
    mime_convert_done(&c);
}

/* --- what the parts hold --- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

static void decode_base64(struct buf *out, struct slice content)
{
    struct buf digits;

    buf_init(&digits, OUT_MAX);
    for (size_t i = 0; i < content.len; i++)
        if (content.data[i] != '\r' && content.data[i] != '\n')
            buf_append_char(&digits, content.data[i]);
    if (!base64_decode(out, buf_slice(&digits)))
        buf_append(out, buf_slice(&digits));
    buf_done(&digits);
}

/* As the tolerant do: what is no escape is text. Blanks may be at the end of a line, where they are
 * nothing, or have been put there on the way; so they do not count. */
static void decode_quoted(struct buf *out, struct slice content)
{
    struct cursor c = {content};
    struct slice digits;
    char byte;

    while (take_any(&c, &byte)) {
        if (byte == '=' && take_word(&c, SLICE("\r\n")))
            continue;
        digits = slice_head(c.rest, 2);
        if (byte == '=' && digits.len == 2 && is_hex(digits.data[0]) && is_hex(digits.data[1])) {
            char upper[2] = {digits.data[0], digits.data[1]};

            must(hex_decode(out, (struct slice){upper, 2}));
            c.rest = slice_skip(c.rest, 2);
        } else if (byte != ' ' && byte != '\t') {
            buf_append_char(out, byte);
        }
    }
}

static bool has_odd_escape(struct slice content)
{
    for (size_t i = 1; i < content.len; i++)
        if (content.data[i - 1] == '=' && (content.data[i] == ' ' || content.data[i] == '\t'))
            return true;
    return false;
}

/* Leaf after leaf. */
struct reader {
    struct mime walk;
    struct cursor in;
    bool in_leaf;
    enum mime_encoding encoding;
    struct buf content;
};

static void reader_init(struct reader *r, struct slice message)
{
    *r = (struct reader){.in = {message}};
    buf_init(&r->content, OUT_MAX);
    mime_init(&r->walk);
    mime_end(&r->walk);
}

static void reader_done(struct reader *r)
{
    mime_done(&r->walk);
    buf_done(&r->content);
}

/* The content of a part follows its header, up to the next event of another kind. */
static bool read_leaf(struct reader *r)
{
    struct slice bytes;
    bool had = false;

    buf_clear(&r->content);
    while (!had) {
        enum mime_event event = mime_next(&r->walk, &r->in, &bytes);

        if (event == MIME_CONTENT) {
            r->in_leaf = true;
            r->encoding = r->walk.part.encoding;
            must(buf_append(&r->content, bytes));
            continue;
        }
        had = r->in_leaf;
        r->in_leaf = false;
        if (event == MIME_END)
            break;
    }
    return had;
}

static void check_leaf(const struct reader *before, const struct reader *after)
{
    struct slice old = buf_slice(&before->content), new = buf_slice(&after->content);
    struct buf was, is;

    buf_init(&was, OUT_MAX);
    buf_init(&is, OUT_MAX);
    if (before->encoding == after->encoding && before->encoding == MIME_QUOTED) {
        decode_quoted(&was, old);
        decode_quoted(&is, new);
        must(has_odd_escape(old) || slice_equal(buf_slice(&was), buf_slice(&is)));
    } else if (before->encoding == after->encoding && before->encoding == MIME_BASE64) {
        decode_base64(&was, old);
        decode_base64(&is, new);
        must(slice_equal(buf_slice(&was), buf_slice(&is)));
    } else if (after->encoding == MIME_QUOTED) {
        must(qp_decode(&is, new) && slice_equal(old, buf_slice(&is)));
    } else if (after->encoding == MIME_BASE64) {
        decode_base64(&is, new);
        must(slice_equal(old, buf_slice(&is)));
    } else {
        must(slice_equal(old, new));
    }
    buf_done(&was);
    buf_done(&is);
}

static void check_leaves(struct slice message, struct slice converted)
{
    struct reader before, after;

    reader_init(&before, message);
    reader_init(&after, converted);
    while (read_leaf(&before)) {
        must(read_leaf(&after));
        check_leaf(&before, &after);
    }
    must(!read_leaf(&after));
    reader_done(&before);
    reader_done(&after);
}

static void check_conversion(enum mime_goal goal, const struct mime_survey *s, struct slice message,
                             struct fuzz_chance *chance)
{
    struct mime_survey again;
    struct buf whole, pieces;

    convert(&whole, goal, s, message, NULL);
    convert(&pieces, goal, s, message, chance);
    must(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
    survey(&again, buf_slice(&whole), NULL);
    must(mime_facts_fit(&again.facts, goal));
    mime_survey_done(&again);
    check_leaves(message, buf_slice(&whole));
    buf_done(&whole);
    buf_done(&pieces);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    enum mime_goal goal = (enum mime_goal)(fuzz_choice(&c) % 3);
    struct fuzz_chance chance = {fuzz_mix(input.len)};
    struct mime_survey s;

    check_walk(c.rest, &chance);
    survey(&s, c.rest, NULL);
    check_survey(&s, c.rest, &chance);
    if (mime_facts_can_fit(&s.facts, goal))
        check_conversion(goal, &s, c.rest, &chance);
    mime_survey_done(&s);
}
