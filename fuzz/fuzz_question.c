/*
 * fuzz_question.c - what a receiver that may be captured asks the courier, and the answer.
 */
#include "fuzz.h"

#include "roles/question.h"

void fuzz_input(struct slice input)
{
    struct arena arena = {0};
    struct cursor c = {input};
    struct question q;
    struct answer a;
    struct buf again;

    buf_init(&again, QUESTION_MAX);
    if (question_read(&c, &arena, &q)) {
        must(q.rcpt.kind != ADDRESS_NULL && question_write(&again, &q));
        must(slice_equal(buf_slice(&again), slice_head(input, input.len - c.rest.len)));
    } else {
        must(c.rest.len == input.len);
    }
    buf_clear(&again);
    c = (struct cursor){input};
    if (answer_read(&c, &a)) {
        must(a.text.len <= ANSWER_TEXT_MAX && answer_write(&again, &a));
        must(slice_equal(buf_slice(&again), slice_head(input, input.len - c.rest.len)));
    }
    buf_done(&again);
    arena_done(&arena);
}
