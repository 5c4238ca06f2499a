/*
 * log_line_test.c - each kind of event and its line, as Postfix would write it; then hostile
 * bytes in every field: still one printable line that reads back to the same bytes.
 */
#include "check.h"

#include <stdlib.h>

#include "wire/log_line.h"
#include "wire/utf8.h"

/* One field of a row; `text` NULL: the number. */
struct value {
    enum event_field field;
    const char *text;
    uint64_t number;
};

enum { VALUES_MAX = 12 };

static struct event make_event(enum event_kind kind, const struct value *values)
{
    struct event e = {.kind = kind, .wall_us = 1795313662123456, .pid = 123};

    for (size_t i = 0; i < VALUES_MAX && values[i].field != 0; i++) {
        e.has[values[i].field] = true;
        e.number[values[i].field] = values[i].number;
        if (values[i].text != NULL)
            e.text[values[i].field] = slice_of(values[i].text);
    }
    return e;
}

#define CLIENT                                                                                     \
    {FIELD_CLIENT_NAME, "unknown", 0},                                                             \
    {                                                                                              \
        FIELD_CLIENT_ADDRESS, "127.0.0.1", 0                                                       \
    }
#define ROLE(name)                                                                                 \
    {                                                                                              \
        FIELD_ROLE, name, 0                                                                        \
    }
#define ID                                                                                         \
    {                                                                                              \
        FIELD_QUEUE_ID, "0BCD12345xyz", 0                                                          \
    }
#define TAG(name) "Nov 22 02:14:22 mx1 postroad/" name "[123]: "

/* clang-format off */
static const struct {
    enum event_kind kind;
    struct value values[VALUES_MAX];
    const char *line;
} rows[] = {
    {EVENT_CONNECT, {ROLE("smtpd"), CLIENT}, TAG("smtpd") "connect from unknown[127.0.0.1]\n"},
    {EVENT_CONNECT, {ROLE("smtpd"), {FIELD_CLIENT_ADDRESS, "2001:db8::1", 0}},
     TAG("smtpd") "connect from unknown[2001:db8::1]\n"},
    {EVENT_DISCONNECT, {ROLE("smtpd"), CLIENT, {FIELD_TEXT, "ehlo=1 mail=1 quit=1 commands=3", 0}},
     TAG("smtpd") "disconnect from unknown[127.0.0.1] ehlo=1 mail=1 quit=1 commands=3\n"},
    {EVENT_CLIENT, {ROLE("smtpd"), ID, CLIENT},
     TAG("smtpd") "0BCD12345xyz: client=unknown[127.0.0.1]\n"},
    {EVENT_CLIENT, {ROLE("smtpd"), ID, CLIENT, {FIELD_NAME, "PLAIN", 0}, {FIELD_USER, "ann@example.org", 0}},
     TAG("smtpd") "0BCD12345xyz: client=unknown[127.0.0.1], sasl_method=PLAIN, "
                  "sasl_username=ann@example.org\n"},
    {EVENT_NO_LOGIN, {ROLE("smtpd"), CLIENT, {FIELD_NAME, "PLAIN", 0}, {FIELD_USER, "a b", 0}, {FIELD_TEXT, "wrong password", 0}},
     TAG("smtpd") "warning: unknown[127.0.0.1]: SASL PLAIN authentication failed: wrong password, "
                  "sasl_username=a\\x20b\n"},
    {EVENT_CLIENT, {ROLE("smtpd"), ID, CLIENT, {FIELD_TLS, "TLSv1.3/X, y", 0}},
     TAG("smtpd") "0BCD12345xyz: client=unknown[127.0.0.1], tls=TLSv1.3/X\\x2c\\x20y\n"},
    {EVENT_CLIENT, {ROLE("smtpd"), ID, CLIENT, {FIELD_ORIG_ID, "4Q1, x", 0}, {FIELD_ORIG_CLIENT, "a.example[2001:db8::1]", 0}},
     TAG("smtpd") "0BCD12345xyz: client=unknown[127.0.0.1], orig_queue_id=4Q1\\x2c\\x20x, "
                  "orig_client=a.example[2001:db8::1]\n"},
    {EVENT_MESSAGE_ID, {ROLE("cleanup"), ID, {FIELD_MESSAGE_ID, "<1@a.example>", 0}},
     TAG("cleanup") "0BCD12345xyz: message-id=<1@a.example>\n"},
    {EVENT_QUEUED, {ROLE("qmgr"), ID, {FIELD_SENDER, "a@b.example", 0}, {FIELD_SIZE, NULL, 123},
                    {FIELD_NRCPT, NULL, 1}},
     TAG("qmgr") "0BCD12345xyz: from=<a@b.example>, size=123, nrcpt=1 (queue active)\n"},
    {EVENT_QUEUED, {ROLE("qmgr"), ID, {FIELD_SENDER, "", 0}, {FIELD_SIZE, NULL, 1},
                    {FIELD_NRCPT, NULL, 2}},
     TAG("qmgr") "0BCD12345xyz: from=<>, size=1, nrcpt=2 (queue active)\n"},
    {EVENT_REJECT, {ROLE("smtpd"), CLIENT, {FIELD_STAGE, "RCPT", 0}, {FIELD_CODE, NULL, 554},
                    {FIELD_ENHANCED, "5.7.1", 0}, {FIELD_TEXT, "<x@y.example>: Relay access denied", 0},
                    {FIELD_SENDER, "a@b.example", 0}, {FIELD_RCPT, "x@y.example", 0},
                    {FIELD_PROTO, "ESMTP", 0}, {FIELD_HELO, "h", 0}},
     TAG("smtpd") "NOQUEUE: reject: RCPT from unknown[127.0.0.1]: 554 5.7.1 <x@y.example>: "
     "Relay access denied; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h>\n"},
    {EVENT_REJECT, {ROLE("smtpd"), CLIENT, {FIELD_STAGE, "CONNECT", 0}, {FIELD_CODE, NULL, 421},
                    {FIELD_TEXT, "busy", 0}, {FIELD_PROTO, "SMTP", 0}, {FIELD_RULE, "m.conf:3", 0}},
     TAG("smtpd") "NOQUEUE: reject: CONNECT from unknown[127.0.0.1]: 421 busy; proto=SMTP "
     "rule=m.conf:3\n"},
    {EVENT_PICKUP, {ROLE("pickup"), ID, {FIELD_USER, "1000", 0}, {FIELD_SENDER, "a@b.example", 0}},
     TAG("pickup") "0BCD12345xyz: uid=1000 from=<a@b.example>\n"},
    {EVENT_HELD, {ROLE("smtpd"), ID, CLIENT, {FIELD_SENDER, "a@b.example", 0},
                  {FIELD_RCPT, "x@y.example", 0}, {FIELD_PROTO, "ESMTP", 0}, {FIELD_HELO, "h", 0},
                  {FIELD_RULE, "m.conf:3", 0}},
     TAG("smtpd") "0BCD12345xyz: hold: RCPT from unknown[127.0.0.1]: <x@y.example>: Recipient address "
     "triggers HOLD action; from=<a@b.example> to=<x@y.example> proto=ESMTP helo=<h> rule=m.conf:3\n"},
    {EVENT_ATTEMPT, {ROLE("local"), ID, {FIELD_RCPT, "a@b.example", 0},
                     {FIELD_ORIG_RCPT, "root@b.example", 0}, {FIELD_RELAY, "local", 0},
                     {FIELD_DELAY_US, NULL, 50000}, {FIELD_DELAY_QUEUE_US, NULL, 20000},
                     {FIELD_DELAY_SEND_US, NULL, 30000}, {FIELD_ENHANCED, "2.0.0", 0},
                     {FIELD_STATUS, "sent", 0}, {FIELD_TEXT, "delivered to maildir", 0}},
     TAG("local") "0BCD12345xyz: to=<a@b.example>, orig_to=<root@b.example>, relay=local, "
     "delay=0.05, delays=0.02/0/0/0.03, dsn=2.0.0, status=sent (delivered to maildir)\n"},
    {EVENT_ATTEMPT, {ROLE("smtp"), ID, {FIELD_RCPT, "a@b.example", 0}, {FIELD_STATUS, "deferred", 0}},
     TAG("smtp") "0BCD12345xyz: to=<a@b.example>, status=deferred\n"},
    {EVENT_REMOVED, {ROLE("qmgr"), ID}, TAG("qmgr") "0BCD12345xyz: removed\n"},
    {EVENT_WARNING, {ROLE("smtpd"), CLIENT, {FIELD_TEXT, "SASL PLAIN authentication failed", 0}},
     TAG("smtpd") "warning: unknown[127.0.0.1]: SASL PLAIN authentication failed\n"},
    {EVENT_WARNING, {ROLE("qmgr"), {FIELD_TEXT, "x", 0}}, TAG("qmgr") "warning: x\n"},
    {EVENT_FAILURE, {ROLE("smtpd"), {FIELD_OPERATION, "datasync", 0}, {FIELD_NAME, "s 1", 0},
                     {FIELD_CODE, NULL, 5}},
     TAG("smtpd") "error: cannot datasync s 1: Input/output error\n"},
    {EVENT_FAILURE, {ROLE("smtpd"), {FIELD_OPERATION, "open", 0}, {FIELD_CODE, NULL, UINT64_MAX}},
     TAG("smtpd") "error: cannot open: error 18446744073709551615\n"},
    {EVENT_REJECT, {ROLE("smtpd"), CLIENT, {FIELD_STAGE, "RCPT", 0}, {FIELD_CODE, NULL, 554},
                    {FIELD_TEXT, "<\"x>: ok; from=<a> to=<b>\"@y>: no", 0}, {FIELD_SENDER, "", 0}},
     TAG("smtpd") "NOQUEUE: reject: RCPT from unknown[127.0.0.1]: 554 <\"x>: ok; from\\x3d<a> "
                  "to\\x3d<b>\"@y>: no; from=<>\n"},
    {EVENT_BROKEN, {ROLE("smtpd"), CLIENT, {FIELD_STAGE, "DATA", 0}, {FIELD_TEXT, "timeout", 0}},
     TAG("smtpd") "timeout after DATA from unknown[127.0.0.1]\n"},
    {EVENT_MESSAGE_ID, {ROLE("cleanup"), ID}, TAG("cleanup") "0BCD12345xyz: message-id=<>\n"},
    {EVENT_ROLE, {ROLE("warden"), {FIELD_TEXT, "started", 0}}, TAG("warden") "started\n"},
    {EVENT_ETRN, {ROLE("smtpd"), CLIENT, {FIELD_NAME, "@example.net", 0}},
     TAG("smtpd") "ETRN @example.net from unknown[127.0.0.1]\n"},
    {EVENT_ETRN, {ROLE("qmgr"), {FIELD_NAME, "example.net", 0}, {FIELD_COUNT, NULL, 7}},
     TAG("qmgr") "ETRN example.net: messages that go now: 7\n"},
    {EVENT_REWRITTEN, {ROLE("cleanup"), ID, {FIELD_SENDER, "root@a.local", 0}, {FIELD_NAME, "me@b.example", 0},
                       {FIELD_RULE, "/etc/p.conf:7", 0}},
     TAG("cleanup") "0BCD12345xyz: rewrite: sender=<root@a.local> is now <me@b.example>, by /etc/p.conf:7\n"},
    {EVENT_LOST, {ROLE("scribe"), {FIELD_COUNT, NULL, 7}}, TAG("scribe") "warning: events lost: 7\n"},
    /* a value cannot look like what stands around it */
    {EVENT_QUEUED, {ROLE("qmgr"), ID, {FIELD_SENDER, "\"a>, size=9\"@b", 0}},
     TAG("qmgr") "0BCD12345xyz: from=<\"a\\x3e, size=9\"@b>, size=0, nrcpt=0 (queue active)\n"},
    {EVENT_CONNECT, {ROLE("smtpd"), {FIELD_CLIENT_NAME, "a[192.0.2.1]: b", 0},
                     {FIELD_CLIENT_ADDRESS, "::1", 0}},
     TAG("smtpd") "connect from a\\x5b192.0.2.1\\x5d\\x3a\\x20b[::1]\n"},
    {EVENT_ATTEMPT, {ROLE("smtp"), ID, {FIELD_RCPT, "a@b", 0}, {FIELD_RELAY, "x, status=sent", 0}},
     TAG("smtp") "0BCD12345xyz: to=<a@b>, relay=x\\x2c\\x20status=sent\n"},
    {EVENT_MESSAGE_ID, {ROLE("cleanup"), ID, {FIELD_MESSAGE_ID, "<1>\r\n\x1b[2J\\x0a", 0}},
     TAG("cleanup") "0BCD12345xyz: message-id=<1>\\x0d\\x0a\\x1b[2J\\x5cx0a\n"},
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
        check(log_line_write(&out, &e, SLICE("mx1"), 0));
        check_slice(buf_slice(&out), want);
        buf_done(&out);

        buf_init(&out, want.len - 1); /* one byte less room */
        check(!log_line_write(&out, &e, SLICE("mx1"), 0));
        check_int(buf_len(&out), 0);
        buf_done(&out);
    }
}

static void delays(void **state)
{
    static const struct {
        uint64_t us;
        const char *text;
    } seconds[] = {
        {0,            "0"             },
        {4999,         "0"             },
        {5000,         "0.01"          },
        {20000,        "0.02"          },
        {100000,       "0.1"           },
        {110000,       "0.11"          },
        {994999,       "0.99"          },
        {995000,       "1"             },
        {1000000,      "1"             },
        {1040000,      "1"             },
        {1050000,      "1.1"           },
        {1200000,      "1.2"           },
        {9949999,      "9.9"           },
        {9950000,      "10"            },
        {10400000,     "10"            },
        {12500000,     "13"            },
        {354223000000, "354223"        },
        {UINT64_MAX,   "18446744073710"},
    };

    (void)state;
    CHECK_ROWS (i, seconds) {
        struct event e = {.kind = EVENT_ATTEMPT};
        struct buf out;

        e.has[FIELD_DELAY_US] = true;
        e.number[FIELD_DELAY_US] = seconds[i].us;
        buf_init(&out, 1000);
        check(log_line_write(&out, &e, SLICE("h"), 0));
        struct slice line = buf_slice(&out), head, tail, digits = {0};
        check(slice_cut(line, '=', &head, &tail) && slice_cut(tail, ',', &digits, &tail));
        check_slice(digits, slice_of(seconds[i].text));
        buf_done(&out);
    }
}

static void escapes(void **state)
{
    static const struct {
        struct slice value;
        size_t max;
        struct slice shown;
    } values[] = {
        {SLICE_INIT(""),                                     9, SLICE_INIT("")                              },
        {SLICE_INIT("a <b> [c]"),                            9, SLICE_INIT("a <b> [c]")                     },
        {SLICE_INIT("\0\t\n\x1f\x7f\\"),                     9, SLICE_INIT("\\x00\\x09\\x0a\\x1f\\x7f\\x5c")},
        {SLICE_INIT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), 9,
         SLICE_INIT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")                                                 },
 /* C1, bidi controls, line separators */
        {SLICE_INIT("\xc2\x9b\xc2\xa0"),                     9, SLICE_INIT("\\xc2\\x9b\xc2\xa0")            },
        {SLICE_INIT("\xe2\x80\xae"),                         9, SLICE_INIT("\\xe2\\x80\\xae")               },
        {SLICE_INIT("\xe2\x81\xa6"),                         9, SLICE_INIT("\\xe2\\x81\\xa6")               },
        {SLICE_INIT("\xd8\x9c"),                             9, SLICE_INIT("\\xd8\\x9c")                    },
        {SLICE_INIT("\xe2\x80\xa8"),                         9, SLICE_INIT("\\xe2\\x80\\xa8")               },
 /* broken UTF-8 */
        {SLICE_INIT("\xc3"),                                 9, SLICE_INIT("\\xc3")                         },
        {SLICE_INIT("\x80\xff"),                             9, SLICE_INIT("\\x80\\xff")                    },
        {SLICE_INIT("\xc0\x8a"),                             9, SLICE_INIT("\\xc0\\x8a")                    },
        {SLICE_INIT("\xed\xa0\x80"),                         9, SLICE_INIT("\\xed\\xa0\\x80")               },
 /* cut */
        {SLICE_INIT("0123456789"),                           9, SLICE_INIT("012345678...")                  },
        {SLICE_INIT("012345678"),                            9, SLICE_INIT("012345678")                     },
        {SLICE_INIT("0\xc3\xa4"),                            2, SLICE_INIT("0\\xc3...")                     },
        {SLICE_INIT("a"),                                    0, SLICE_INIT("...")                           },
    };

    (void)state;
    CHECK_ROWS (i, values) {
        struct slice value = guarded(values[i].value);
        struct buf out;

        buf_init(&out, values[i].shown.len);
        check(log_escape(&out, value, values[i].max));
        check_slice(buf_slice(&out), values[i].shown);
        check(values[i].shown.len == 0 || !log_escape(&out, value, values[i].max)); /* full */
        check_slice(buf_slice(&out), values[i].shown);
        buf_done(&out);
        guarded_free(value);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 16;
}

static void check_one_printable_line(struct slice line)
{
    struct cursor c = {slice_head(line, line.len - 1)};
    uint32_t point;

    check(slice_ends(line, SLICE("\n")));
    while (!cursor_at_end(&c)) {
        check(take_utf8(&c, &point));
        check(point >= 0x20 && !(point >= 0x7f && point < 0xa0));
        check(point != 0x61c && point != 0x200e && point != 0x200f);
        check(!(point >= 0x2028 && point <= 0x202e) && !(point >= 0x2066 && point <= 0x2069));
    }
}

static void check_reads_back(struct slice shown, struct slice value)
{
    struct cursor c = {shown};
    size_t at = 0;

    while (!cursor_at_end(&c)) {
        unsigned byte;
        char plain, digits[3] = {0};
        check(take_any(&c, &plain));
        byte = (unsigned char)plain;
        if (plain == '\\') {
            check(take_char(&c, 'x') && take_any(&c, &digits[0]) && take_any(&c, &digits[1]));
            byte = (unsigned)strtoul(digits, NULL, 16);
        }
        check(at < value.len && (unsigned char)value.data[at] == byte);
        at++;
    }
    check_int(at, value.len);
}

/* Where the fields of a kind stand, in their order: what a reader splits a line by. */
struct part {
    enum event_kind kind;
    const char *label;
    enum event_field field; /* 0: digits, dots and slashes, of the field before */
    const char *ends;       /* the bytes that end its value */
};

static const struct part parts[] = {
    {EVENT_CLIENT,  "client=",          FIELD_CLIENT_NAME,    " :[]" },
    {EVENT_CLIENT,  "[",                FIELD_CLIENT_ADDRESS, " []"  },
    {EVENT_CLIENT,  "], sasl_method=",  FIELD_NAME,           " ,;\n"},
    {EVENT_CLIENT,  ", sasl_username=", FIELD_USER,           " ,;\n"},
    {EVENT_CLIENT,  ", orig_queue_id=", FIELD_ORIG_ID,        " ,;\n"},
    {EVENT_CLIENT,  ", orig_client=",   FIELD_ORIG_CLIENT,    " ,;\n"},
    {EVENT_CLIENT,  ", tls=",           FIELD_TLS,            " ,;\n"},
    {EVENT_QUEUED,  "from=<",           FIELD_SENDER,         "<>"   },
    {EVENT_ATTEMPT, "to=<",             FIELD_RCPT,           "<>"   },
    {EVENT_ATTEMPT, ">, orig_to=<",     FIELD_ORIG_RCPT,      "<>"   },
    {EVENT_ATTEMPT, ">, relay=",        FIELD_RELAY,          " ,;"  },
    {EVENT_ATTEMPT, ", delay=",         0,                    NULL   },
    {EVENT_ATTEMPT, ", delays=",        0,                    NULL   },
    {EVENT_ATTEMPT, ", dsn=",           FIELD_ENHANCED,       " ,;"  },
    {EVENT_ATTEMPT, ", status=",        FIELD_STATUS,         " ,;"  },
    {EVENT_REJECT,  "reject: ",         FIELD_STAGE,          " :[]" },
    {EVENT_REJECT,  " from ",           FIELD_CLIENT_NAME,    " :[]" },
    {EVENT_REJECT,  "[",                FIELD_CLIENT_ADDRESS, " []"  },
};

static bool is_delay(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == '/';
}

/* Every field is there, so each can be found by the label before it; a value of at most 1000 bytes
 * is whole. */
static void check_parses(const struct event *e, struct slice line)
{
    struct cursor c = {line};
    struct slice before, value;

    /* "Nov 22 02:14:22 HOST postroad/ROLE[1]: ID: " */
    check(take_until(&c, '[', &before) && take_word(&c, SLICE("[1]: ")));
    check(take_until(&c, ':', &value) && take_word(&c, SLICE(": ")));
    check_reads_back(value, e->text[FIELD_QUEUE_ID]);
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        size_t len = 0;

        if (parts[i].kind != e->kind)
            continue;
        check(take_word(&c, slice_of(parts[i].label)));
        if (parts[i].field == 0) {
            (void)take_while(&c, is_delay);
            continue;
        }
        while (len < c.rest.len && strchr(parts[i].ends, c.rest.data[len]) == NULL)
            len++;
        check_reads_back(slice_head(c.rest, len), e->text[parts[i].field]);
        c.rest = slice_skip(c.rest, len);
    }
}

static bool has_parts(enum event_kind kind)
{
    return kind == EVENT_CLIENT || kind == EVENT_QUEUED || kind == EVENT_ATTEMPT ||
           kind == EVENT_REJECT;
}

/* Random bytes, and random pieces of what is dangerous, in all fields at once. */
static void hostile_fields(void **state)
{
    static const struct slice pieces[] = {
        SLICE_INIT("\r\n"),         SLICE_INIT("\\x"),     SLICE_INIT("\xe2\x80\xae"),
        SLICE_INIT("\xc2\x85"),     SLICE_INIT("\x1b[2J"), SLICE_INIT("\xe2"),
        SLICE_INIT("\xc3\xa4"),     SLICE_INIT(">, ("),    SLICE_INIT("\0"),
        SLICE_INIT("\xef\xbb\xbf"), SLICE_INIT("%n%s"),    SLICE_INIT("]: "),
    };
    uint32_t seed = 11;
    struct buf out, value;

    (void)state;
    buf_init(&out, 200000);
    buf_init(&value, 200000);
    for (int run = 0; run < 100000; run++) {
        struct event e = {.kind = (enum event_kind)(1 + run % EVENT_KIND_MAX), .pid = 1};

        bool whole = has_parts(e.kind) && next_random(&seed) % 2 == 0;

        check_row = (size_t)run;
        buf_clear(&value);
        for (uint32_t n = next_random(&seed) % 16; n > 0; n--) {
            if (run % 2 == 0)
                buf_append_char(&value, (char)next_random(&seed));
            else
                buf_append(&value, pieces[next_random(&seed) % 12]);
        }
        for (size_t field = 1; field < FIELD_MAX; field++) {
            e.has[field] = whole || next_random(&seed) % 4 != 0;
            e.number[field] = next_random(&seed);
            e.text[field] = e.has[field] ? buf_slice(&value) : (struct slice){0};
        }
        buf_clear(&out);
        check(log_line_write(&out, &e, buf_slice(&value), 0));
        check_one_printable_line(buf_slice(&out));
        if (whole)
            check_parses(&e, buf_slice(&out));

        buf_clear(&out);
        check(log_escape(&out, buf_slice(&value), 1000));
        check_reads_back(buf_slice(&out), buf_slice(&value));
    }
    buf_done(&out);
    buf_done(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind),
        cmocka_unit_test(delays),
        cmocka_unit_test(escapes),
        cmocka_unit_test(hostile_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
