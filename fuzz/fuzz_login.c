/*
 * fuzz_login.c - what a receiver that may be captured tells the vault, and the answer.
 */
#include "fuzz.h"

#include "roles/login.h"

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    struct login l;
    struct login_answer a;
    struct buf again;

    buf_init(&again, 2 * LOGIN_BODY_MAX);
    if (login_read(&c, &l)) {
        must(l.response.len <= LOGIN_RESPONSE_MAX && login_write(&again, &l));
        must(slice_equal(buf_slice(&again), slice_head(input, input.len - c.rest.len)));
    } else {
        must(c.rest.len == input.len);
    }
    buf_clear(&again);
    c = (struct cursor){input};
    if (login_answer_read(&c, &a)) {
        must(a.text.len <= LOGIN_CHALLENGE_MAX && login_answer_write(&again, &a));
        must(slice_equal(buf_slice(&again), slice_head(input, input.len - c.rest.len)));
    }
    buf_done(&again);
}
