/*
 * delivery_test.c - what the courier writes the postman reads, and nothing else.
 */
#include "roles/delivery.h"

#include "check.h"

static const struct delivery good = {.tag = 0x100000007,
                                     .root = SLICE_INIT("/var/vmail"),
                                     .path = SLICE_INIT("example.org/ann"),
                                     .name = SLICE_INIT("1.M2Q3R4.mx"),
                                     .prefix = SLICE_INIT("Return-Path: <>\r\n"),
                                     .offset = 64,
                                     .length = 1234,
                                     .repeat = true};

static void reads_what_was_written(void **state)
{
    struct buf out;
    struct delivery got;

    (void)state;
    buf_init(&out, 1024);
    check(delivery_write(&out, &good));
    struct slice bytes = guarded(buf_slice(&out));
    struct cursor c = {bytes};
    check(delivery_read(&c, &got));
    check(cursor_at_end(&c));
    check_int(got.tag, good.tag);
    check_slice(got.path, good.path);
    check_slice(got.prefix, good.prefix);
    check_int(got.length, good.length);
    check(got.repeat);
    for (size_t n = 0; n < bytes.len; n++) {
        struct slice part = guarded(slice_head(bytes, n));

        c = (struct cursor){part};
        check(!delivery_read(&c, &got));
        check_int(c.rest.len, n);
        guarded_free(part);
    }
    guarded_free(bytes);
    buf_done(&out);
}

static void believes_no_path(void **state)
{
    static const struct {
        struct slice path, name;
        bool fine;
    } rows[] = {
        {SLICE_INIT("a"),     SLICE_INIT("n"),   true },
        {SLICE_INIT("a/b/c"), SLICE_INIT("n"),   true },
        {SLICE_INIT(""),      SLICE_INIT("n"),   false},
        {SLICE_INIT("/a"),    SLICE_INIT("n"),   false},
        {SLICE_INIT("a/"),    SLICE_INIT("n"),   false},
        {SLICE_INIT("a//b"),  SLICE_INIT("n"),   false},
        {SLICE_INIT("../a"),  SLICE_INIT("n"),   false},
        {SLICE_INIT("a/./b"), SLICE_INIT("n"),   false},
        {SLICE_INIT("a\0b"),  SLICE_INIT("n"),   false},
        {SLICE_INIT("a"),     SLICE_INIT("x/y"), false},
        {SLICE_INIT("a"),     SLICE_INIT(".."),  false},
        {SLICE_INIT("a"),     SLICE_INIT(""),    false},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct delivery d = good, got;
        struct buf out;

        d.path = rows[i].path;
        d.name = rows[i].name;
        buf_init(&out, 1024);
        check(delivery_write(&out, &d));
        struct cursor c = {buf_slice(&out)};
        check_int(delivery_read(&c, &got), rows[i].fine);
        buf_done(&out);
    }
}

static void a_full_buffer_stays_whole(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 64);
    check(buf_append(&out, SLICE("before")));
    check(!delivery_write(&out, &good));
    check_slice(buf_slice(&out), SLICE("before"));
    buf_done(&out);
}

static void results_travel_back(void **state)
{
    struct delivery_result got;
    struct buf out;

    (void)state;
    buf_init(&out, 64);
    check(delivery_result_write(&out, &(struct delivery_result){7, 0}));
    check(delivery_result_write(&out, &(struct delivery_result){8, -28}));
    struct cursor c = {buf_slice(&out)};
    check(delivery_result_read(&c, &got));
    check_int(got.result, 0);
    check(delivery_result_read(&c, &got));
    check_int(got.tag, 8);
    check_int(got.result, -28);
    check(!delivery_result_read(&c, &got));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(believes_no_path),
        cmocka_unit_test(a_full_buffer_stays_whole),
        cmocka_unit_test(results_travel_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
