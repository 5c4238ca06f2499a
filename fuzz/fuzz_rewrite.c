/*
 * fuzz_rewrite.c - whatever the pieces, the same comes out, and the body is not touched; what was
 * rewritten can be rewritten again.
 *
 * First byte: how large the pieces are.
 */
#include "fuzz.h"

#include "mail/rewrite.h"

static const struct rewrite some[] = {
    {.whose = REWRITE_SENDER,
     .match = {.match = MATCH_LOCAL},
     .to = {ADDRESS_MAILBOX, SLICE_INIT("me"), SLICE_INIT("b.example"), false}},
    { .whose = REWRITE_SENDER,
     .match = {.match = MATCH_DOMAIN, .domain = SLICE_INIT("*.example")},
     .local = REWRITE_KEEPS_LOCAL,
     .to = {ADDRESS_MAILBOX, SLICE_INIT(""), SLICE_INIT("c.test"), false}},
};

static const struct rules rules = {
    .hostname = SLICE_INIT("a"), .origin = SLICE_INIT("a"), .rewrites = some, .rewrite_count = 2};

static void rewrite(struct slice message, size_t size, struct buf *out)
{
    struct rewrite_reader r;
    struct slice run;

    rewrite_reader_init(&r, true);
    for (size_t at = 0; at < message.len; at += size) {
        struct cursor in = {slice_head(slice_skip(message, at), size)};

        while (rewrite_reader_next(&r, &rules, &in, &run))
            must(run.len > 0 && buf_append(out, run));
        must(cursor_at_end(&in));
    }
    must(buf_append(out, rewrite_reader_end(&r, &rules)));
    rewrite_reader_done(&r);
}

void fuzz_input(struct slice input)
{
    struct slice header, body, header_after, body_after;
    struct cursor c = {input};
    size_t size = 1u + fuzz_byte(&c);
    struct buf whole, pieces, again;

    buf_init(&whole, 1 << 22);
    buf_init(&pieces, 1 << 22);
    buf_init(&again, 1 << 22);
    rewrite(c.rest, c.rest.len + 1, &whole);
    rewrite(c.rest, size, &pieces);
    must(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
    rewrite(buf_slice(&whole), size, &again);
    if (header_split(c.rest, &header, &body)) {
        must(header_split(buf_slice(&whole), &header_after, &body_after));
        must(slice_equal(body, body_after));
    }
    buf_done(&whole);
    buf_done(&pieces);
    buf_done(&again);
}
