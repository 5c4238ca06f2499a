/*
 * fetching_test.c - what was written reads the same, and nothing else is read.
 */
#include "roles/fetching.h"

#include "check.h"

static const struct fetching questions[] = {
    {.number = 7,
     .kind = FETCHING_INTROSPECTION,
     .listener = SLICE_INIT("*:465"),
     .url = SLICE_INIT("https://id.example/i"),
     .terms = {CLAIM_EMAIL, SLICE_INIT("mail")},
     .header = SLICE_INIT("Authorization: Basic YTpi"),
     .form = SLICE_INIT("token=x")},
    {.number = UINT64_MAX,
     .kind = FETCHING_REFRESH,
     .relay = SLICE_INIT("gmail"),
     .url = SLICE_INIT("https://id.example/t"),
     .form = SLICE_INIT("grant_type=refresh_token&refresh_token=y")              },
};

static const struct fetched answers[] = {
    {.number = 7,                    .kind = FETCHING_INTROSPECTION, .why = SLICE_INIT("no answer within 60 s")},
    { .number = 8,
     .kind = FETCHING_INTROSPECTION,
     .status = 200,
     .whose = {INTROSPECTION_ACTIVE, SLICE_INIT("ann@example.org"), 1419356238}},
    {                                 .number = 12,
     .kind = FETCHING_INTROSPECTION,
     .status = 200,
     .whose = {INTROSPECTION_ELSEWHERE, SLICE_INIT("ann@example.org"), 0}},
    {                                       .number = 9,
     .kind = FETCHING_REFRESH,
     .status = 200,
     .token = {.status = 200,
               .access_token = SLICE_INIT("a"),
               .token_type = SLICE_INIT("Bearer"),
               .refresh_token = SLICE_INIT("r"),
               .expires_in_s = 3600}},
    {                                                                            .number = 10,
     .kind = FETCHING_REFRESH,
     .status = 400,
     .token = {.status = 400,
               .error = SLICE_INIT("invalid_grant"),
               .description = SLICE_INIT("it has ended")}},
};

static void check_same_token(const struct oauth_answer *got, const struct oauth_answer *want)
{
    check_slice(got->access_token, want->access_token);
    check_slice(got->token_type, want->token_type);
    check_slice(got->refresh_token, want->refresh_token);
    check_int(got->expires_in_s, want->expires_in_s);
}

static void check_same_whose(const struct introspection_answer *got,
                             const struct introspection_answer *want)
{
    check_int(got->verdict, want->verdict);
    check_slice(got->user, want->user);
    check_int(got->expires_s, want->expires_s);
}

/* Any piece of it is none, and memory ends behind it. */
static void check_question(struct slice whole, const struct fetching *want)
{
    struct slice text = guarded(whole);
    struct cursor c = {text};
    struct fetching got;

    check(fetching_read(&c, &got) && cursor_at_end(&c) && got.number == want->number);
    check(got.kind == want->kind);
    check_slice(got.listener, want->listener);
    check_slice(got.relay, want->relay);
    check_slice(got.url, want->url);
    check(got.terms.claim == want->terms.claim);
    check_slice(got.terms.audience, want->terms.audience);
    check_slice(got.header, want->header);
    check_slice(got.form, want->form);
    for (size_t len = 0; len < text.len; len++) {
        c = (struct cursor){slice_head(text, len)};
        check(!fetching_read(&c, &got));
    }
    guarded_free(text);
}

static void check_answer(struct slice whole, const struct fetched *want)
{
    struct slice text = guarded(whole);
    struct cursor c = {text};
    struct fetched got;

    check(fetched_read(&c, &got) && cursor_at_end(&c) && got.number == want->number);
    check(got.kind == want->kind && got.status == want->status);
    check_slice(got.why, want->why);
    check_same_whose(&got.whose, &want->whose);
    check_same_token(&got.token, &want->token);
    check_slice(got.token.error, want->token.error);
    check_slice(got.token.description, want->token.description);
    for (size_t len = 0; len < text.len; len++) {
        c = (struct cursor){slice_head(text, len)};
        check(!fetched_read(&c, &got));
    }
    guarded_free(text);
}

static void test_round_trip(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, FETCHING_BODY_MAX);
    CHECK_ROWS (i, questions) {
        buf_clear(&out);
        check(fetching_write(&out, &questions[i]));
        check_question(buf_slice(&out), &questions[i]);
    }
    CHECK_ROWS (i, answers) {
        buf_clear(&out);
        check(fetched_write(&out, &answers[i]));
        check_answer(buf_slice(&out), &answers[i]);
    }
    buf_done(&out);
}

/* A text is cut, a token is whole or not there; whatever comes, it fits. */
static void test_what_is_too_long(void **state)
{
    static char bytes[OAUTH_TOKEN_MAX + 1];
    struct slice most = {bytes, OAUTH_TOKEN_MAX}, more = {bytes, sizeof(bytes)};
    struct fetched f = {
        .kind = FETCHING_REFRESH,
        .why = more,
        .token = {.access_token = most,
                  .token_type = more,
                  .refresh_token = more,
                  .error = more,
                  .description = more}
    };
    struct fetched got;
    struct buf out;

    (void)state;
    buf_init(&out, FETCHED_BODY_MAX);
    assert_true(fetched_write(&out, &f));
    struct cursor c = {buf_slice(&out)};
    assert_true(fetched_read(&c, &got));
    check_int(got.token.access_token.len, OAUTH_TOKEN_MAX);
    check_int(got.token.refresh_token.len, 0);
    check_int(got.token.description.len, FETCHED_TEXT_MAX);
    check_int(got.why.len, FETCHED_TEXT_MAX);
    buf_clear(&out);
    f.token.refresh_token = most;
    assert_true(fetched_write(&out, &f));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_what_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
