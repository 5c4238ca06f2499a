/*
 * token_test.c - what one side writes the other reads, and nothing else.
 */
#include "roles/token.h"

#include "check.h"

static void check_every_head(struct slice whole, bool (*reads)(struct cursor *))
{
    for (size_t n = 0; n <= whole.len; n++) {
        struct slice part = guarded(slice_head(whole, n));
        struct cursor c = {part};

        check_int(reads(&c), n == whole.len);
        check_int(c.rest.len, n == whole.len ? 0 : n);
        guarded_free(part);
    }
}

static bool reads_wish(struct cursor *c)
{
    struct token_wish w;

    return token_wish_read(c, &w);
}

static bool reads_answer(struct cursor *c)
{
    struct token_answer a;

    return token_answer_read(c, &a);
}

static void wishes(void **state)
{
    struct token_wish w = {1ull << 40,   SLICE("smart"),          SLICE("https://id.example/t"),
                           SLICE("app"), SLICE("me@example.org"), 1ull << 50},
                      got;
    struct buf out;

    (void)state;
    buf_init(&out, TOKEN_BODY_MAX);
    check(token_wish_write(&out, &w));
    check_every_head(buf_slice(&out), reads_wish);
    struct cursor c = {buf_slice(&out)};
    check(token_wish_read(&c, &got));
    check_int(got.number, w.number);
    check_int(got.refused, w.refused);
    check_slice(got.relay, w.relay);
    check_slice(got.provider, w.provider);
    check_slice(got.client, w.client);
    check_slice(got.user, w.user);
    buf_done(&out);
}

static void answers(void **state)
{
    char token[OAUTH_TOKEN_MAX] = "ya29";
    struct token_answer a = {
        7, TOKEN_GIVEN, 9, {token, sizeof(token)}
    };
    struct token_answer got;
    struct buf out;

    (void)state;
    buf_init(&out, TOKEN_BODY_MAX);
    check(token_answer_write(&out, &a));
    struct cursor c = {buf_slice(&out)};
    check(token_answer_read(&c, &got));
    check_int(got.result, TOKEN_GIVEN);
    check_int(got.serial, 9);
    check_slice(got.text, a.text);
    buf_done(&out);
}

/* As anything but a token so long a text is cut. */
static void reasons(void **state)
{
    char text[OAUTH_TOKEN_MAX] = "because";
    struct token_answer a = {
        7, TOKEN_LATER, 0, {text, sizeof(text)}
    };
    struct token_answer got;
    struct buf out;

    (void)state;
    buf_init(&out, TOKEN_BODY_MAX);
    check(token_answer_write(&out, &a));
    struct cursor c = {buf_slice(&out)};
    check(token_answer_read(&c, &got));
    check_int(got.text.len, TOKEN_TEXT_MAX);
    buf_clear(&out);
    a.text = SLICE("why");
    check(token_answer_write(&out, &a));
    check_every_head(buf_slice(&out), reads_answer);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(wishes), cmocka_unit_test(answers),
                                       cmocka_unit_test(reasons)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
