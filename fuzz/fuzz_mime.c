/*
 * fuzz_mime.c - the walk over a message, and its conversions.
 *
 * First character: the goal of the conversion. Every byte comes out once and in order, in the same
 * kinds of events however the input is cut; what is converted is the same too, and is what was
 * promised: strict lines, and for 7-bit hops no other byte and no line too long.
 */
#include "fuzz.h"

#include "wire/mime_convert.h"
#include "wire/utf8.h"

enum { OUT_MAX = 16 * 1024 * 1024 };

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
        size_t n = message.len == 0 ? 0
                   : chance == NULL ? message.len
                                    : fuzz_chunk(chance, message.len);
        struct cursor in = {slice_head(message, n)};
        struct slice bytes;

        message = slice_skip(message, n);
        if (n == 0) {
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

static bool convert(struct buf *out, enum mime_goal goal, struct slice message,
                    struct fuzz_chance *chance)
{
    struct mime_convert c;
    bool good = true, over = false;

    buf_init(out, OUT_MAX);
    mime_convert_init(&c, goal);
    while (message.len > 0 && good) {
        size_t n = chance == NULL ? message.len : fuzz_chunk(chance, message.len);
        struct cursor in = {slice_head(message, n)};

        message = slice_skip(message, n);
        good = mime_convert_step(&c, &in, out);
    }
    while (good && !over)
        good = mime_convert_end(&c, out, &over);
    mime_convert_done(&c);
    return good;
}

static void check_7bit(struct slice text)
{
    must(utf8_is_ascii(text));
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    enum mime_goal goal = fuzz_choice(&c) & 1 ? MIME_ONLY_7BIT : MIME_NO_BINARY;
    struct fuzz_chance chance = {fuzz_mix(input.len)};
    struct walked whole, pieces;
    struct buf at_once, cut;

    walk(&whole, c.rest, NULL);
    walk(&pieces, c.rest, &chance);
    must(slice_equal(buf_slice(&whole.bytes), c.rest));
    must(slice_equal(buf_slice(&pieces.bytes), c.rest));
    must(slice_equal(buf_slice(&whole.kinds), buf_slice(&pieces.kinds)));
    must(whole.doubtful == pieces.doubtful);
    walked_done(&whole);
    walked_done(&pieces);

    bool good = convert(&at_once, goal, c.rest, NULL);
    must(convert(&cut, goal, c.rest, &chance) == good);
    if (good) {
        must(slice_equal(buf_slice(&at_once), buf_slice(&cut)));
        if (goal == MIME_ONLY_7BIT)
            check_7bit(buf_slice(&at_once));
    }
    buf_done(&at_once);
    buf_done(&cut);
}
