/*
 * login_test.c - what one side writes the other reads, and nothing else.
 */
#include "roles/login.h"

#include "check.h"

static void check_every_head(struct slice whole, bool (*reads)(struct cursor *))
{
    struct slice bytes = guarded(whole);
    struct cursor c = {bytes};

    check(reads(&c) && cursor_at_end(&c));
    for (size_t n = 0; n < bytes.len; n++) {
        struct slice part = guarded(slice_head(bytes, n));

        c = (struct cursor){part};
        check(!reads(&c));
        check_int(c.rest.len, n);
        guarded_free(part);
    }
    guarded_free(bytes);
}

static bool reads_login(struct cursor *c)
{
    struct login l;

    return login_read(c, &l);
}

static bool reads_answer(struct cursor *c)
{
    struct login_answer a;

    return login_answer_read(c, &a);
}

static void logins(void **state)
{
    struct login l = {.number = 1ull << 40,
                      .word = LOGIN_BEGINS,
                      .response = SLICE("\0ann\0secret"),
                      .listener = SLICE("127.0.0.1:587"),
                      .mechanism = SLICE("PLAIN"),
                      .client = SLICE("2001:db8::1"),
                      .channel_binding = SLICE("0123456789abcdef0123456789abcdef"),
                      .certificate = SLICE("ann@example.org")};
    struct login got;
    struct buf out;

    (void)state;
    buf_init(&out, LOGIN_BODY_MAX);
    check(login_write(&out, &l));
    check_every_head(buf_slice(&out), reads_login);
    struct cursor c = {buf_slice(&out)};
    check(login_read(&c, &got));
    check_int(got.number, l.number);
    check_slice(got.listener, SLICE("127.0.0.1:587"));
    check_slice(got.response, l.response);
    check_slice(got.mechanism, l.mechanism);
    check_slice(got.client, l.client);
    check_slice(got.channel_binding, l.channel_binding);
    check_slice(got.certificate, l.certificate);

    buf_clear(&out);
    l.word = LOGIN_ENDS;
    check(login_write(&out, &l));
    check_every_head(buf_slice(&out), reads_login);
    buf_done(&out);
    buf_init(&out, 8);
    check(!login_write(&out, &l) && buf_len(&out) == 0);
    buf_done(&out);
}

static void answers(void **state)
{
    struct login_answer a = {
        .number = 7, .result = LOGIN_FAILED, .text = SLICE("wrong password"), .user = SLICE("ann")};
    struct login_answer got;
    struct buf out;

    (void)state;
    buf_init(&out, LOGIN_BODY_MAX);
    check(login_answer_write(&out, &a));
    check_every_head(buf_slice(&out), reads_answer);
    struct cursor c = {buf_slice(&out)};
    check(login_answer_read(&c, &got));
    check_int(got.number, 7);
    check_int(got.result, LOGIN_FAILED);
    check_slice(got.text, a.text);
    check_slice(got.user, a.user);
    buf_clear(&out);
    check(put_u64(&out, 1) && put_u8(&out, LOGIN_LATER + 1) && put_bytes(&out, SLICE("")) &&
          put_bytes(&out, SLICE("")));
    c = (struct cursor){buf_slice(&out)};
    check(!login_answer_read(&c, &got));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(logins), cmocka_unit_test(answers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
