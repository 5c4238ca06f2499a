/*
 * event_test.c - what was written is read back; damaged bytes are refused or skipped whole.
 */
#include "check.h"

#include "base/event.h"

static bool write_sample(struct buf *out)
{
    struct event_writer w = event_begin(out, EVENT_REJECT, 1234567);

    event_text(&w, FIELD_STAGE, SLICE("RCPT"));
    event_number(&w, FIELD_CODE, 550);
    event_text(&w, FIELD_SENDER, SLICE(""));
    event_text(&w, FIELD_RCPT, SLICE("a\r\n\0b"));
    return event_end(&w);
}

static void reads_what_was_written(void **state)
{
    struct buf out;
    struct event e;

    (void)state;
    buf_init(&out, 1000);
    check(write_sample(&out));
    check(write_sample(&out));

    struct cursor c = {buf_slice(&out)};
    check(event_parse(&c, &e));
    check_int(c.rest.len, buf_len(&out) / 2);
    check_int(e.kind, EVENT_REJECT);
    check_int(e.wall_us, 1234567);
    check_int(e.pid, getpid());
    check_slice(e.text[FIELD_STAGE], SLICE("RCPT"));
    check_int(e.number[FIELD_CODE], 550);
    check(e.has[FIELD_SENDER] && e.text[FIELD_SENDER].len == 0);
    check_slice(e.text[FIELD_RCPT], SLICE("a\r\n\0b"));
    check(!e.has[FIELD_HELO] && !e.has[FIELD_SIZE]);
    check(event_parse(&c, &e));
    check(cursor_at_end(&c));
    check(!event_parse(&c, &e));
    buf_done(&out);
}

static void full_buffer_keeps_what_it_had(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    check(write_sample(&out));
    size_t len = buf_len(&out);
    buf_done(&out);

    for (size_t max = 0; max <= len; max++) {
        check_row = max;
        buf_init(&out, max + 3);
        check(buf_append(&out, SLICE("abc")));
        check_int(write_sample(&out), max == len);
        if (max < len)
            check_slice(buf_slice(&out), SLICE("abc"));
        buf_done(&out);
    }
}

/* Also with a start other than 0: a buffer whose front was consumed. */
static void length_lands_in_its_place(void **state)
{
    struct buf out;
    struct event e;

    (void)state;
    buf_init(&out, 1000);
    check(buf_append(&out, SLICE("0123456789")));
    buf_consume(&out, 7);
    check(write_sample(&out));
    struct cursor c = {buf_slice(&out)};
    struct slice before;
    check(take_bytes(&c, 3, &before) && event_parse(&c, &e));
    check_slice(before, SLICE("789"));
    check(cursor_at_end(&c));
    buf_done(&out);
}

static void long_text_is_cut(void **state)
{
    static const char text[EVENT_TEXT_MAX + 1] = "x";
    struct buf out;
    struct event e;

    (void)state;
    buf_init(&out, EVENT_LEN_MAX * 2);
    struct event_writer w = event_begin(&out, EVENT_WARNING, 0);
    event_text(&w, FIELD_TEXT, (struct slice){text, sizeof(text)});
    check(event_end(&w));
    struct cursor c = {buf_slice(&out)};
    check(event_parse(&c, &e));
    check_int(e.text[FIELD_TEXT].len, EVENT_TEXT_MAX);

    /* and a flood of fields is no event at all */
    buf_clear(&out);
    w = event_begin(&out, EVENT_WARNING, 0);
    for (int i = 0; i < 20; i++)
        event_text(&w, FIELD_TEXT, (struct slice){text, sizeof(text)});
    check(!event_end(&w));
    check_int(buf_len(&out), 0);
    buf_done(&out);
}

#define HEAD(kind)                                                                                 \
    kind "\0"                                                                                      \
         "\0\0\0\0\0\0\0\0"                                                                        \
         "\0\0\0\0\0\0\0\0"

static void strange_bytes(void **state)
{
    static const struct {
        struct slice in;
        bool ok;
        struct slice text; /* FIELD_TEXT */
    } rows[] = {
        {SLICE_INIT(""),                                                   false, SLICE_INIT("") },
        {SLICE_INIT("\x12\0\0"),                                           false, SLICE_INIT("") },
        {SLICE_INIT("\x12\0\0\0" HEAD("\1")),                              true,  SLICE_INIT("") },
        {SLICE_INIT("\x11\0\0\0" HEAD("\1")),                              false, SLICE_INIT("") },
        {SLICE_INIT("\x13\0\0\0" HEAD("\1")),                              false, SLICE_INIT("") },
        {SLICE_INIT("\xff\xff\xff\xff" HEAD("\1")),                        false, SLICE_INIT("") },
 /* kinds that do not exist */
        {SLICE_INIT("\x12\0\0\0" HEAD("\0")),                              false, SLICE_INIT("") },
        {SLICE_INIT("\x12\0\0\0" HEAD("\x63")),                            false, SLICE_INIT("") },
 /* an unknown field is skipped, a field that ends too early is not */
        {SLICE_INIT("\x19\0\0\0" HEAD("\1") "\xff\2\0\0\0xy"),             true,  SLICE_INIT("") },
        {SLICE_INIT("\x19\0\0\0" HEAD("\1") "\xff\3\0\0\0xy"),             false, SLICE_INIT("") },
        {SLICE_INIT("\x16\0\0\0" HEAD("\1") "\x10\0\0\0"),                 false, SLICE_INIT("") },
 /* the later one counts */
        {SLICE_INIT("\x1e\0\0\0" HEAD("\1") "\x10\1\0\0\0x\x10\1\0\0\0y"), true,  SLICE_INIT("y")},
 /* a number is 8 bytes */
        {SLICE_INIT("\x18\0\0\0" HEAD("\1") "\x0e\1\0\0\0x"),              false, SLICE_INIT("") },
        {SLICE_INIT("\x20\0\0\0" HEAD("\1") "\x0e\x9\0\0\0xxxxxxxxx"),     false, SLICE_INIT("") },
    };

    (void)state;
    assert_int_equal(FIELD_TEXT, 0x10);
    assert_int_equal(FIELD_CODE, 0x0e);
    CHECK_ROWS (i, rows) {
        struct slice in = guarded(rows[i].in);
        struct cursor c = {in};
        struct event e;
        check_int(event_parse(&c, &e), rows[i].ok);
        check_int(c.rest.len, rows[i].ok ? 0 : in.len);
        if (rows[i].ok)
            check_slice(e.text[FIELD_TEXT], rows[i].text);
        guarded_free(in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(full_buffer_keeps_what_it_had),
        cmocka_unit_test(length_lands_in_its_place),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(strange_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
