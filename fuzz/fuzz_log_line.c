/*
 * fuzz_log_line.c - whatever an event's values hold, the log gets one printable line that can be
 * read back; as JSON one line of ASCII.
 *
 * First character: the kind. Then lines: a character that names the field, and its value.
 */
#include "fuzz.h"

#include "wire/log_json.h"
#include "wire/log_line.h"
#include "wire/utf8.h"

enum { OUT_MAX = 1 << 20 };

static bool is_number(enum event_field field)
{
    switch (field) {
    case FIELD_NRCPT:
    case FIELD_SIZE:
    case FIELD_CODE:
    case FIELD_DELAY_US:
    case FIELD_DELAY_QUEUE_US:
    case FIELD_DELAY_SEND_US:
    case FIELD_COUNT: return true;
    case FIELD_ROLE:
    case FIELD_QUEUE_ID:
    case FIELD_CLIENT_NAME:
    case FIELD_CLIENT_ADDRESS:
    case FIELD_HELO:
    case FIELD_PROTO:
    case FIELD_SENDER:
    case FIELD_RCPT:
    case FIELD_ORIG_RCPT:
    case FIELD_MESSAGE_ID:
    case FIELD_STAGE:
    case FIELD_ENHANCED:
    case FIELD_TEXT:
    case FIELD_RELAY:
    case FIELD_STATUS:
    case FIELD_RULE:
    case FIELD_OPERATION:
    case FIELD_NAME:
    case FIELD_TLS:
    case FIELD_USER:
    case FIELD_ORIG_ID:
    case FIELD_ORIG_CLIENT:
    case FIELD_ROUTE:
    case FIELD_MAX: break;
    }
    return false;
}

static void add_field(struct event_writer *w, struct slice line)
{
    struct cursor c = {line};
    enum event_field field = (enum event_field)(1 + fuzz_byte(&c) % (FIELD_MAX - 1));
    uint64_t number = 0;

    if (!is_number(field)) {
        event_text(w, field, c.rest);
        return;
    }
    (void)take_number(&c, &number);
    event_number(w, field, number);
}

/* The reader's side of log_escape(). False where a backslash begins no escape. */
static bool unescape(struct cursor *c, struct buf *out)
{
    char byte;

    while (take_any(c, &byte)) {
        unsigned value = 0;

        if (byte == '\\') {
            if (!take_char(c, 'x'))
                return false;
            for (int i = 0; i < 2; i++) {
                char digit;

                if (!take_any(c, &digit))
                    return false;
                value = value * 16 + (unsigned)(digit >= 'a' ? digit - 'a' + 10 : digit - '0');
            }
            byte = (char)(unsigned char)value;
        }
        must(buf_append_char(out, byte));
    }
    return true;
}

static void check_escape(struct slice value)
{
    struct buf line, back;

    buf_init(&line, OUT_MAX);
    buf_init(&back, OUT_MAX);
    must(log_escape(&line, value, value.len));
    must(utf8_printable(buf_slice(&line)));

    struct cursor c = {buf_slice(&line)};

    must(unescape(&c, &back) && slice_equal(buf_slice(&back), value));
    buf_clear(&line);
    must(log_escape(&line, value, 10) && utf8_printable(buf_slice(&line)));
    must(buf_len(&line) <= 40 + 3);
    buf_done(&line);
    buf_done(&back);
}

static bool is_ascii(char c)
{
    return c >= ' ' && c < 0x7f;
}

static void check_json(const struct event *e)
{
    struct buf line;

    buf_init(&line, OUT_MAX);
    must(log_json_write(&line, e, SLICE("mx.example.org"), -90));

    struct cursor c = {buf_slice(&line)};

    (void)take_while(&c, is_ascii);
    must(slice_equal(c.rest, SLICE("\n")));
    buf_done(&line);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    enum event_kind kind =
        (enum event_kind)(EVENT_CONNECT + fuzz_choice(&c) % (EVENT_LOST - EVENT_CONNECT + 1));
    struct buf bytes, line;
    struct event e;

    check_escape(c.rest);
    buf_init(&bytes, EVENT_LEN_MAX);
    buf_init(&line, OUT_MAX);
    struct event_writer w = event_begin(&bytes, kind, UINT64_C(1700000000000000));

    while (!cursor_at_end(&c))
        add_field(&w, fuzz_line(&c));
    if (event_end(&w)) {
        struct cursor in = {buf_slice(&bytes)};

        must(event_parse(&in, &e) && cursor_at_end(&in) && e.kind == kind);
        must(log_line_write(&line, &e, SLICE("mx.example.org"), -90));
        struct slice text = buf_slice(&line);

        must(slice_find(text, '\n') == text.len - 1);
        must(utf8_printable(slice_head(text, text.len - 1)));
        check_json(&e);
    } else {
        must(buf_len(&bytes) == 0);
    }
    buf_done(&bytes);
    buf_done(&line);
}
