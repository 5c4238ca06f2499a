/*
 * question_test.c - what one side writes the other reads, and nothing else.
 */
#include "roles/question.h"

#include "check.h"

static struct arena arena;

static int release(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static void questions(void **state)
{
    struct question q = {.number = 0x100000007, .rule = 3, .rcpt = {.kind = ADDRESS_MAILBOX}}, got;
    struct buf out;

    (void)state;
    q.rcpt.local = SLICE("ann");
    q.rcpt.domain = SLICE("example.org");
    buf_init(&out, QUESTION_MAX);
    check(question_write(&out, &q));
    struct slice bytes = guarded(buf_slice(&out));
    struct cursor c = {bytes};
    check(question_read(&c, &arena, &got) && cursor_at_end(&c));
    check_int(got.number, q.number);
    check_int(got.rule, 3);
    check(address_equal(&got.rcpt, &q.rcpt));
    for (size_t n = 0; n < bytes.len; n++) {
        struct slice part = guarded(slice_head(bytes, n));

        c = (struct cursor){part};
        check(!question_read(&c, &arena, &got));
        check_int(c.rest.len, n);
        guarded_free(part);
    }
    guarded_free(bytes);
    buf_done(&out);
    buf_init(&out, 16);
    check(!question_write(&out, &q) && buf_len(&out) == 0);
    buf_done(&out);
}

static void nobody_is_asked_for(void **state)
{
    struct question q = {.rcpt = {.kind = ADDRESS_NULL}}, got;
    struct buf out;

    (void)state;
    buf_init(&out, QUESTION_MAX);
    check(question_write(&out, &q));
    struct cursor c = {buf_slice(&out)};
    check(!question_read(&c, &arena, &got));
    buf_done(&out);
}

static void answers(void **state)
{
    char long_text[ANSWER_TEXT_MAX + 1] = {0};
    struct answer a = {
        .number = 9, .kind = ANSWER_LATER, .text = {long_text, sizeof(long_text)}
    };
    struct answer got;
    struct buf out;

    (void)state;
    buf_init(&out, QUESTION_MAX);
    check(answer_write(&out, &a));
    struct slice bytes = guarded(buf_slice(&out));
    struct cursor c = {bytes};
    check(answer_read(&c, &got) && cursor_at_end(&c));
    check_int(got.number, 9);
    check_int(got.kind, ANSWER_LATER);
    check_int(got.text.len, ANSWER_TEXT_MAX);
    for (size_t n = 0; n < bytes.len; n++) {
        struct slice part = guarded(slice_head(bytes, n));

        c = (struct cursor){part};
        check(!answer_read(&c, &got));
        guarded_free(part);
    }
    guarded_free(bytes);
    buf_clear(&out);
    check(put_u64(&out, 1) && put_u8(&out, ANSWER_LATER + 1) && put_bytes(&out, SLICE("x")));
    c = (struct cursor){buf_slice(&out)};
    check(!answer_read(&c, &got));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(questions, release),
        cmocka_unit_test_teardown(nobody_is_asked_for, release),
        cmocka_unit_test_teardown(answers, release),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
