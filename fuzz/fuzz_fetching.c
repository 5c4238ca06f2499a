/*
 * fuzz_fetching.c - what vault and courier, which distrust each other, say about the web.
 */
#include "fuzz.h"

#include "roles/fetching.h"

/* What was read is what is written. */
static void must_be_same(struct buf *again, struct slice input, const struct cursor *c)
{
    must(slice_equal(buf_slice(again), slice_head(input, input.len - c->rest.len)));
    buf_clear(again);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input}, d = {input};
    struct fetching f;
    struct fetched a;
    struct buf again;

    buf_init(&again, FETCHING_BODY_MAX);
    if (fetching_read(&c, &f)) {
        must(fetching_write(&again, &f));
        must_be_same(&again, input, &c);
    }
    if (fetched_read(&d, &a)) {
        must(fetched_write(&again, &a));
        must_be_same(&again, input, &d);
    }
    buf_done(&again);
}
