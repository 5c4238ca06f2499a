/*
 * log_json_test.c - events and their lines; every field has a key of its own.
 */
#include "wire/log_json.h"

#include "check.h"

enum { OUT_MAX = 64 * 1024 };

#define HEAD(event)                                                                                \
    "{\"time\": \"2026-11-22T02:14:22.123456+00:00\", \"host\": \"mx1\", \"role\": \"smtpd\", "    \
    "\"pid\": 123, \"event\": \"" event "\""

struct value {
    enum event_field field;
    const char *text; /* NULL: the number */
    uint64_t number;
};

enum { VALUES_MAX = 10 };

static struct event make_event(enum event_kind kind, const struct value *values)
{
    struct event e = {.kind = kind, .wall_us = 1795313662123456, .pid = 123};

    e.has[FIELD_ROLE] = true;
    e.text[FIELD_ROLE] = SLICE("smtpd");
    for (size_t i = 0; i < VALUES_MAX && values[i].field != 0; i++) {
        e.has[values[i].field] = true;
        e.number[values[i].field] = values[i].number;
        if (values[i].text != NULL)
            e.text[values[i].field] = slice_of(values[i].text);
    }
    return e;
}

/* clang-format off */
static const struct {
    enum event_kind kind;
    struct value values[VALUES_MAX];
    const char *line;
} rows[] = {
    {EVENT_CONNECT, {{FIELD_CLIENT_ADDRESS, "127.0.0.1", 0}},
     HEAD("connect") ", \"client_address\": \"127.0.0.1\"}\n"},
    {EVENT_QUEUED, {{FIELD_QUEUE_ID, "0BCD12345xyz", 0}, {FIELD_SENDER, "", 0}, {FIELD_SIZE, NULL, 7}},
     HEAD("queued") ", \"id\": \"0BCD12345xyz\", \"from\": \"\", \"size\": 7}\n"},
    {EVENT_CLIENT, {{FIELD_NAME, "PLAIN", 0}, {FIELD_USER, "ann", 0}},
     HEAD("client") ", \"sasl_method\": \"PLAIN\", \"sasl_username\": \"ann\"}\n"},
    {EVENT_CLIENT, {{FIELD_ORIG_ID, "4Q1", 0}, {FIELD_ORIG_CLIENT, "a[192.0.2.1]", 0}},
     HEAD("client") ", \"orig_queue_id\": \"4Q1\", \"orig_client\": \"a[192.0.2.1]\"}\n"},
    {EVENT_REPORT, {{FIELD_NAME, "0BCD12345xyz", 0}}, HEAD("report") ", \"report\": \"0BCD12345xyz\"}\n"},
    {EVENT_ETRN, {{FIELD_NAME, "example.net", 0}, {FIELD_COUNT, NULL, 3}},
     HEAD("etrn") ", \"node\": \"example.net\", \"count\": 3}\n"},
    {EVENT_REWRITTEN, {{FIELD_SENDER, "a@b.local", 0}, {FIELD_NAME, "c@d.example", 0}},
     HEAD("rewrite") ", \"sender\": \"c@d.example\", \"from\": \"a@b.local\"}\n"},
    {EVENT_FAILURE, {{FIELD_OPERATION, "open", 0}, {FIELD_NAME, "x", 0}, {FIELD_CODE, NULL, 5}},
     HEAD("failure") ", \"name\": \"x\", \"code\": 5, \"operation\": \"open\"}\n"},
    {EVENT_ATTEMPT, {{FIELD_RCPT, "a@b", 0}, {FIELD_DELAY_US, NULL, UINT64_MAX}, {FIELD_STATUS, "sent", 0},
                     {FIELD_TEXT, "ok \"x\"\n\x1b\xff", 0}},
     HEAD("attempt") ", \"to\": \"a@b\", \"delay_us\": 9223372036854775807, \"status\": \"sent\", "
     "\"text\": \"ok \\u0022x\\u0022\\u000a\\u001b\\ufffd\"}\n"},
    {EVENT_REMOVED, {{0}}, HEAD("removed") "}\n"},
};

/* clang-format on */

static void each_kind(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct event e = make_event(rows[i].kind, rows[i].values);
        struct slice want = slice_of(rows[i].line);
        struct buf out;

        buf_init(&out, want.len);
        check(log_json_write(&out, &e, SLICE("mx1"), 0));
        check_slice(buf_slice(&out), want);
        buf_done(&out);

        buf_init(&out, want.len - 1); /* one byte less room */
        check(!log_json_write(&out, &e, SLICE("mx1"), 0));
        check_int(buf_len(&out), 0);
        buf_done(&out);
    }
}

/* Whoever adds a field must say what it is called. */
static void every_field_is_told(void **state)
{
    (void)state;
    for (int field = FIELD_ROLE + 1; field < FIELD_MAX; field++) {
        struct event with = make_event(EVENT_WARNING, (const struct value[]){{0}}), without = with;
        struct buf a, b;

        with.has[field] = true;
        with.text[field] = SLICE("x");
        buf_init(&a, OUT_MAX);
        buf_init(&b, OUT_MAX);
        check(log_json_write(&a, &with, SLICE("mx1"), 0));
        check(log_json_write(&b, &without, SLICE("mx1"), 0));
        if (buf_len(&a) <= buf_len(&b))
            fail_msg("field %d is not told", field);
        buf_done(&a);
        buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_kind),
                                       cmocka_unit_test(every_field_is_told)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
