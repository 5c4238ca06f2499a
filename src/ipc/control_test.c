/*
 * control_test.c - lines, there and back.
 */
#include "check.h"

#include "ipc/control.h"

static void test_there_and_back(void **state)
{
    static const struct slice values[] = {SLICE_INIT(""), SLICE_INIT("a b=c\nd+e"),
                                          SLICE_INIT("gr\xc3\xbc\xc3\x9f"), SLICE_INIT("\x7f\x01")};
    struct arena arena = {0};
    struct control_line line;
    struct slice text, rest;
    struct buf out;
    uint64_t number;

    (void)state;
    CHECK_ROWS (i, values) {
        buf_init(&out, 1000);
        control_begin(&out, SLICE("list"));
        control_text(&out, "from", values[i]);
        control_uint(&out, "limit", 100);
        control_end(&out);
        check(slice_cut(buf_slice(&out), '\n', &text, &rest) && rest.len == 0);
        check(control_parse(text, &arena, &line));
        check_slice(line.word, SLICE("list"));
        check_slice(control_value(&line, SLICE("from")), values[i]);
        check(control_number(&line, SLICE("limit"), &number) && number == 100);
        check_slice(control_value(&line, SLICE("to")), SLICE(""));
        buf_done(&out);
    }
    arena_done(&arena);
}

static void test_what_is_no_line(void **state)
{
    static const struct slice texts[] = {
        SLICE_INIT(""),       SLICE_INIT(" "),       SLICE_INIT("a b"),       SLICE_INIT("a =b"),
        SLICE_INIT("a b=+4"), SLICE_INIT("a b=+zz"), SLICE_INIT("a b=c  d=e")};
    struct arena arena = {0};
    struct control_line line;

    (void)state;
    CHECK_ROWS (i, texts)
        check(!control_parse(texts[i], &arena, &line));
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_what_is_no_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
