/*
 * fuzz_oauth.c - what a browser brings back: a code that can be sent on, or an
 * error.
 */
#include "fuzz.h"

#include "mail/oauth.h"

static void check_sent_on(const struct oauth_return *got)
{
    struct oauth o = oauth_preset(OAUTH_CUSTOM);
    struct buf out;

    buf_init(&out, got->code.len * 3 + 200);
    must(oauth_write_first(&out, &o, got->code, SLICE("r"), SLICE("v")));
    for (size_t i = 0; i < buf_len(&out); i++)
        must(buf_slice(&out).data[i] > ' ' && buf_slice(&out).data[i] < 0x7f);
    buf_done(&out);
}

void fuzz_input(struct slice input)
{
    struct arena arena = {0};
    struct oauth_return got;
    struct slice target;

    if (oauth_read_return(input, &arena, &got)) {
        must((got.code.len > 0) != (got.error.len > 0));
        check_sent_on(&got);
    }
    if (oauth_read_request(input, &target))
        must(target.len < input.len && target.data[0] == '/');
    arena_done(&arena);
}
