/*
 * fuzz_token.c - what a courier that may be captured wishes of the vault, and the answer.
 */
#include "fuzz.h"

#include "roles/token.h"

static void read_wish(struct slice input, struct buf *again)
{
    struct cursor c = {input};
    struct token_wish w;

    if (!token_wish_read(&c, &w)) {
        must(c.rest.len == input.len);
        return;
    }
    must(token_wish_write(again, &w));
    must(slice_equal(buf_slice(again), slice_head(input, input.len - c.rest.len)));
}

static void read_answer(struct slice input, struct buf *again)
{
    struct cursor c = {input};
    struct token_answer a;

    if (!token_answer_read(&c, &a))
        return;
    must(a.text.len <= OAUTH_TOKEN_MAX && token_answer_write(again, &a));
    must(slice_equal(buf_slice(again), slice_head(input, input.len - c.rest.len)));
}

void fuzz_input(struct slice input)
{
    struct buf again;

    buf_init(&again, 2 * TOKEN_BODY_MAX);
    read_wish(input, &again);
    buf_clear(&again);
    read_answer(input, &again);
    buf_done(&again);
}
