/*
 * fuzz_oauth.c - what a browser brings back: a code that can be sent on, or an error; and what is
 * kept of it.
 */
#include "fuzz.h"

#include "mail/grant.h"

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

/* What lies on the disk: what was read and is written again, reads as the same. */
static void check_grant(struct slice input, struct arena *arena)
{
    struct grant g, again;
    struct buf out;

    if (!grant_read(input, arena, &g))
        return;
    buf_init(&out, 4 * input.len + 100);
    must(grant_write(&out, &g) && grant_read(buf_slice(&out), arena, &again));
    must(slice_equal(g.refresh_token, again.refresh_token) && slice_equal(g.login, again.login));
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
    check_grant(input, &arena);
    arena_done(&arena);
}
