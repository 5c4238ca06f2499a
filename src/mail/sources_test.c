/*
 * sources_test.c - what was added to a bundle is at hand; what was not is wanted, once.
 */
#include "mail/sources.h"

#include "check.h"

static void test_round_trip(void **state)
{
    struct arena arena = {0};
    struct buf bundle;
    struct sources s;

    (void)state;
    buf_init(&bundle, BUNDLE_MAX);
    check(bundle_add(&bundle, SLICE("/etc/a.conf"), 0, SLICE("text")));
    check(bundle_add(&bundle, SLICE("/etc/b"), SOURCE_FOR_ALL, SLICE("")));
    check(bundle_add(&bundle, SLICE("/etc/c"), SOURCE_UNREADABLE, SLICE("No such file")));

    struct slice bytes = guarded(buf_slice(&bundle));
    check(sources_open(&s, bytes, &arena));
    check_int(s.count, 3);
    check_slice(s.first->path, SLICE("/etc/a.conf"));
    check_slice(s.first->text, SLICE("text"));
    check_int(sources_get(&s, SLICE("/etc/b"))->flags, SOURCE_FOR_ALL);
    check_slice(sources_get(&s, SLICE("/etc/c"))->text, SLICE("No such file"));
    check_int(s.wanted_count, 0);

    assert_null(sources_get(&s, SLICE("/etc/d")));
    assert_null(sources_get(&s, SLICE("/etc/d")));
    assert_null(sources_get(&s, SLICE("/etc/a.conf"))); /* as a table it is another file */
    check_int(s.wanted_count, 2);
    check_slice(s.wanted->path, SLICE("/etc/d"));

    for (size_t cut = 0; cut < bytes.len; cut++) /* never more than there is */
        if (sources_open(&s, slice_head(bytes, cut), &arena))
            check(s.count < 3);
    guarded_free(bytes);
    buf_done(&bundle);
    arena_done(&arena);
}

static void test_full(void **state)
{
    struct arena arena = {0};
    struct buf bundle;
    struct sources s;

    (void)state;
    buf_init(&bundle, 20);
    check(bundle_add(&bundle, SLICE("/a"), 0, SLICE("b")));
    check(!bundle_add(&bundle, SLICE("/a"), 0, SLICE("bb")));
    check(sources_open(&s, buf_slice(&bundle), &arena));
    check_int(s.count, 1);
    buf_done(&bundle);

    buf_init(&bundle, BUNDLE_MAX);
    for (int i = 0; i <= SOURCES_MAX; i++)
        check(bundle_add(&bundle, SLICE("/a"), 0, SLICE("b")));
    check(!sources_open(&s, buf_slice(&bundle), &arena));
    buf_done(&bundle);
    arena_done(&arena);
}

/* In the order of the files, and each file's in the order of its text. */
static void test_complaints(void **state)
{
    struct arena arena = {0};
    struct buf bundle, out;
    struct sources s;

    (void)state;
    buf_init(&bundle, BUNDLE_MAX);
    buf_init(&out, 4096);
    check(bundle_add(&bundle, SLICE("first"), 0, SLICE("one\ntwo\r\n")));
    check(bundle_add(&bundle, SLICE("second"), 0, SLICE("three")));
    check(sources_open(&s, buf_slice(&bundle), &arena));
    complain(&s.first->next->complaints, SEVERITY_WARNING,
             (struct place){.line = 1, .column = 1, .width = 5}, SLICE("w"), SLICE(""));
    for (int i = 0; i < 2; i++) /* told once */
        complain_printf(&s.first->complaints, SEVERITY_ERROR,
                        (struct place){.line = 2, .column = 2, .width = 1}, SLICE("h"), "%s", "b");
    complain(&s.first->complaints, SEVERITY_ERROR,
             (struct place){.line = 1, .column = 1, .width = 3}, SLICE("a"), SLICE(""));
    check_int(sources_errors(&s), 2);
    sources_write_complaints(&s, &out);
    check_slice(buf_slice(&out), SLICE("first:1:1: error: a\n   1 | one\n     | ^~~\n"
                                       "first:2:2: error: b\n   2 | two\n     |  ^   h\n"
                                       "second:1:1: warning: w\n   1 | three\n     | ^~~~~\n"));
    buf_done(&out);
    buf_done(&bundle);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_complaints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
