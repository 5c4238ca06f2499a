/*
 * grant_test.c - what is kept of a login comes back, whole or not at all.
 */
#include "mail/grant.h"

#include "check.h"

static const struct grant grant = {.login = SLICE_INIT("07af"),
                                   .token = SLICE_INIT("https://id.example/token"),
                                   .client = SLICE_INIT("app"),
                                   .user = SLICE_INIT("me@example.org"),
                                   .refresh_token = SLICE_INIT("1//0e=&+"),
                                   .made = SLICE_INIT("2026-11-28T07:00:00Z")};

static void test_comes_back(void **state)
{
    struct arena arena = {0};
    struct grant got;
    struct buf out;

    (void)state;
    buf_init(&out, GRANT_TEXT_MAX);
    check(grant_write(&out, &grant));
    check(grant_read(buf_slice(&out), &arena, &got));
    check_slice(got.login, grant.login);
    check_slice(got.token, grant.token);
    check_slice(got.client, grant.client);
    check_slice(got.user, grant.user);
    check_slice(got.refresh_token, grant.refresh_token);
    check_slice(got.made, grant.made);
    buf_done(&out);
    arena_done(&arena);
}

/* However much of it is missing at its end. */
static void test_whole_or_not(void **state)
{
    struct arena arena = {0};
    struct grant got;
    struct buf out;

    (void)state;
    buf_init(&out, GRANT_TEXT_MAX);
    check(grant_write(&out, &grant));
    for (size_t len = 0; len < buf_len(&out); len++) {
        struct slice text = guarded(slice_head(buf_slice(&out), len));

        check(!grant_read(text, &arena, &got));
        guarded_free(text);
    }
    check(buf_append_char(&out, 'x'));
    check(!grant_read(buf_slice(&out), &arena, &got));
    buf_done(&out);
    arena_done(&arena);
}

static void test_each_field_counts(void **state)
{
    struct grant lacking[] = {grant, grant, grant, grant, grant, grant};

    (void)state;
    lacking[0].login = lacking[1].token = lacking[2].client = SLICE("");
    lacking[3].user = lacking[4].made = lacking[5].refresh_token = SLICE("");
    CHECK_ROWS (i, lacking) {
        struct arena arena = {0};
        struct grant got;
        struct buf out;

        buf_init(&out, GRANT_TEXT_MAX);
        check(grant_write(&out, &lacking[i]));
        check(!grant_read(buf_slice(&out), &arena, &got));
        buf_done(&out);
        arena_done(&arena);
    }
}

static void test_for_whom(void **state)
{
    struct oauth o = {.token = grant.token, .client = grant.client}, other = o, elsewhere = o;

    (void)state;
    other.client = SLICE("app2");
    elsewhere.token = SLICE("https://evil.example/token");
    check(grant_is_for(&grant, &o, grant.user));
    check(!grant_is_for(&grant, &o, SLICE("you@example.org")));
    check(!grant_is_for(&grant, &other, grant.user));
    check(!grant_is_for(&grant, &elsewhere, grant.user));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_back),
        cmocka_unit_test(test_whole_or_not),
        cmocka_unit_test(test_each_field_counts),
        cmocka_unit_test(test_for_whom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
