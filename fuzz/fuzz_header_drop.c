/*
 * fuzz_header_drop.c - whatever the pieces, the same is kept; no Bcc field remains, and the body is
 * not touched.
 *
 * First byte: how large the pieces are.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "wire/header.h"
#include "wire/header_drop.h"

static void drop(struct slice message, size_t size, struct buf *out)
{
    struct header_drop d = {0};

    for (size_t at = 0; at < message.len; at += size) {
        struct cursor in = {slice_head(slice_skip(message, at), size)};
        struct slice run;

        while (header_drop_next(&d, &in, &run))
            must(run.len > 0 && buf_append(out, run));
        must(cursor_at_end(&in));
    }
    must(buf_append(out, header_drop_end(&d)));
}

static void check_header(struct slice message)
{
    struct cursor c = {message};
    struct header_field f;

    while (header_take_field(&c, &f))
        must(!slice_equal_nocase(f.name, SLICE("Bcc")) || f.name.len + 20 < f.whole.len);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    size_t size = 1u + fuzz_byte(&c);
    struct buf whole, pieces;

    buf_init(&whole, 1 << 22);
    buf_init(&pieces, 1 << 22);
    drop(c.rest, c.rest.len + 1, &whole);
    drop(c.rest, size, &pieces);
    must(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
    must(buf_len(&whole) <= c.rest.len);
    check_header(buf_slice(&whole));
    buf_done(&whole);
    buf_done(&pieces);
}
