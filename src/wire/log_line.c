/*
 * log_line.c - one event -> one Postfix-style log line.
 *
 * Log readers split lines with patterns, so a value must not be able to look like the text
 * around it: besides what a terminal or syslog would take amiss, a value inside <> or [] never
 * shows that bracket itself. The backslash is escaped too, so that every line can be read back
 * to the exact bytes.
 */
#include "wire/log_line.h"

#include "wire/date.h"
#include "wire/utf8.h"

#include <limits.h>
#include <string.h>

enum { VALUE_MAX = 1000 };

/* --- escaping --- */

/* Not C1, nor what changes the order or the lines of the text around it, Unicode UAX 9. */
static bool point_is_safe(uint32_t point)
{
    static const struct {
        uint32_t first, last;
    } unsafe[] = {
        {0x80,   0x9f  },
        {0x61c,  0x61c },
        {0x200e, 0x200f},
        {0x2028, 0x202e},
        {0x2066, 0x2069},
    };

    for (size_t i = 0; i < sizeof(unsafe) / sizeof(*unsafe); i++)
        if (point >= unsafe[i].first && point <= unsafe[i].last)
            return false;
    return true;
}

/* How many bytes at the front are printable ASCII and need no thought: nearly all of them. */
static size_t plain_run(struct slice s, struct slice hidden)
{
    size_t n = 0;

    while (n < s.len && s.data[n] >= 0x20 && s.data[n] < 0x7f && s.data[n] != '\\' &&
           slice_find(hidden, s.data[n]) == hidden.len)
        n++;
    return n;
}

/* Takes a character behind ASCII, or one byte of anything else; true when it may be shown. */
static bool take_shown(struct cursor *c, struct slice *out)
{
    struct slice before = c->rest;
    uint32_t point;
    char byte;
    bool shown = take_utf8(c, &point) && point >= 0x80 && point_is_safe(point);

    if (before.len == c->rest.len)
        take_any(c, &byte);
    *out = slice_head(before, before.len - c->rest.len);
    return shown;
}

static bool put_escaped(struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (!buf_printf(out, "\\x%02x", (unsigned)(unsigned char)bytes.data[i]))
            return false;
    return true;
}

/* log_escape() that also escapes the ASCII characters in `hidden`. */
static bool escape(struct buf *out, struct slice value, size_t max, struct slice hidden)
{
    struct cursor c = {slice_head(value, max)};
    size_t before = buf_len(out);

    while (!cursor_at_end(&c)) {
        size_t plain = plain_run(c.rest, hidden);
        struct slice part = slice_head(c.rest, plain);
        bool as_is = true;
        if (plain > 0)
            c.rest = slice_skip(c.rest, plain);
        else
            as_is = take_shown(&c, &part);
        if (!(as_is ? buf_append(out, part) : put_escaped(out, part)))
            goto full;
    }
    if (value.len <= max || buf_append(out, SLICE("...")))
        return true;

full:
    buf_truncate(out, before);
    return false;
}

bool log_escape(struct buf *out, struct slice value, size_t max)
{
    return escape(out, value, max, SLICE(""));
}

/* --- pieces of a line --- */

struct line {
    struct buf *out;
    const struct event *e;
    bool fits; /* false once out was full */
};

static void put(struct line *l, struct slice text)
{
    l->fits = l->fits && buf_append(l->out, text);
}

static void put_number(struct line *l, uint64_t number)
{
    l->fits = l->fits && buf_printf(l->out, "%llu", (unsigned long long)number);
}

static void put_text(struct line *l, enum event_field field)
{
    l->fits = l->fits && log_escape(l->out, l->e->text[field], VALUE_MAX);
}

/* A name that its reader ends at a blank, a colon or a bracket. */
static void put_word(struct line *l, struct slice word)
{
    l->fits = l->fits && escape(l->out, word, VALUE_MAX, SLICE(" :[]"));
}

/* label<value>, when the event has it. */
static void put_angle(struct line *l, struct slice label, enum event_field field)
{
    if (!l->e->has[field])
        return;
    put(l, label);
    put(l, SLICE("<"));
    l->fits = l->fits && escape(l->out, l->e->text[field], VALUE_MAX, SLICE("<>"));
    put(l, SLICE(">"));
}

/* label and free text, when the event has it. */
static void put_labelled(struct line *l, struct slice label, enum event_field field)
{
    if (!l->e->has[field])
        return;
    put(l, label);
    put_text(l, field);
}

/* The same for a value that its reader ends at a blank, comma or semicolon. */
static void put_labelled_word(struct line *l, struct slice label, enum event_field field)
{
    if (!l->e->has[field])
        return;
    put(l, label);
    l->fits = l->fits && escape(l->out, l->e->text[field], VALUE_MAX, SLICE(" ,;"));
}

/* "unknown[192.0.2.1]" */
static void put_client(struct line *l)
{
    bool named = l->e->has[FIELD_CLIENT_NAME];

    put_word(l, named ? l->e->text[FIELD_CLIENT_NAME] : SLICE("unknown"));
    put(l, SLICE("["));
    l->fits = l->fits && escape(l->out, l->e->text[FIELD_CLIENT_ADDRESS], VALUE_MAX, SLICE(" []"));
    put(l, SLICE("]"));
}

static void put_queue_id(struct line *l)
{
    put_word(l, l->e->has[FIELD_QUEUE_ID] ? l->e->text[FIELD_QUEUE_ID] : SLICE("NOQUEUE"));
    put(l, SLICE(": "));
}

/* Two significant digits, at most two behind the point: 0.05, 0.3, 1.2, 12, 3600. */
static void put_seconds(struct line *l, uint64_t us)
{
    uint64_t tenths = us / 100000 + (us % 100000 >= 50000);
    uint64_t hundredths = us / 10000 + (us % 10000 >= 5000);

    if (tenths >= 100 || hundredths % 100 == 0) {
        put_number(l, us / 1000000 + (us % 1000000 >= 500000));
        return;
    }
    if (hundredths >= 100 || hundredths % 10 == 0) {
        put_number(l, tenths / 10);
        if (tenths % 10 != 0) {
            put(l, SLICE("."));
            put_number(l, tenths % 10);
        }
        return;
    }
    put(l, hundredths < 10 ? SLICE("0.0") : SLICE("0."));
    put_number(l, hundredths);
}

/* Postfix's a/b/c/d: before the queue manager, in it, connecting, sending. Waiting is told as a,
 * the attempt as d. */
static void put_delays(struct line *l)
{
    if (!l->e->has[FIELD_DELAY_US])
        return;
    put(l, SLICE(", delay="));
    put_seconds(l, l->e->number[FIELD_DELAY_US]);
    put(l, SLICE(", delays="));
    put_seconds(l, l->e->number[FIELD_DELAY_QUEUE_US]);
    put(l, SLICE("/0/0/"));
    put_seconds(l, l->e->number[FIELD_DELAY_SEND_US]);
}

/* --- one function for each kind that has more than a few words --- */

static void put_queued(struct line *l)
{
    put_queue_id(l);
    put_angle(l, SLICE("from="), FIELD_SENDER);
    put(l, SLICE(", size="));
    put_number(l, l->e->number[FIELD_SIZE]);
    put(l, SLICE(", nrcpt="));
    put_number(l, l->e->number[FIELD_NRCPT]);
    put(l, SLICE(" (queue active)"));
}

/* The reply quotes what the client wrote: without "=" it cannot imitate the fields that follow. */
static void put_reply_text(struct line *l)
{
    if (!l->e->has[FIELD_TEXT])
        return;
    put(l, SLICE(" "));
    l->fits = l->fits && escape(l->out, l->e->text[FIELD_TEXT], VALUE_MAX, SLICE("="));
}

/* Whose mail to whom it was, and which rule decided. */
static void put_envelope(struct line *l)
{
    put_angle(l, SLICE(" from="), FIELD_SENDER);
    put_angle(l, SLICE(" to="), FIELD_RCPT);
    put_labelled_word(l, SLICE(" proto="), FIELD_PROTO);
    put_angle(l, SLICE(" helo="), FIELD_HELO);
    put_labelled_word(l, SLICE(" rule="), FIELD_RULE);
}

static void put_reject(struct line *l)
{
    put_queue_id(l);
    put(l, SLICE("reject: "));
    put_word(l, l->e->text[FIELD_STAGE]);
    put(l, SLICE(" from "));
    put_client(l);
    put(l, SLICE(": "));
    put_number(l, l->e->number[FIELD_CODE]);
    put_labelled_word(l, SLICE(" "), FIELD_ENHANCED);
    put_reply_text(l);
    put(l, SLICE(";"));
    put_envelope(l);
}

/* As Postfix tells what an access table does. */
static void put_held(struct line *l)
{
    put_queue_id(l);
    put(l, SLICE("hold: RCPT from "));
    put_client(l);
    put_angle(l, SLICE(": "), FIELD_RCPT);
    put(l, SLICE(": Recipient address triggers HOLD action;"));
    put_envelope(l);
}

static void put_rewritten(struct line *l)
{
    put_queue_id(l);
    put_angle(l, SLICE("rewrite: sender="), FIELD_SENDER);
    put_angle(l, SLICE(" is now "), FIELD_NAME);
    put_labelled_word(l, SLICE(", by "), FIELD_RULE);
}

static void put_attempt(struct line *l)
{
    put_queue_id(l);
    put_angle(l, SLICE("to="), FIELD_RCPT);
    put_angle(l, SLICE(", orig_to="), FIELD_ORIG_RCPT);
    put_labelled_word(l, SLICE(", relay="), FIELD_RELAY);
    put_delays(l);
    put_labelled_word(l, SLICE(", dsn="), FIELD_ENHANCED);
    put_labelled_word(l, SLICE(", status="), FIELD_STATUS);
    if (l->e->has[FIELD_TEXT]) {
        put_labelled(l, SLICE(" ("), FIELD_TEXT);
        put(l, SLICE(")"));
    }
    put_labelled_word(l, SLICE(" tls="), FIELD_TLS);
    put_labelled_word(l, SLICE(" mx="), FIELD_ROUTE);
}

static void put_warning(struct line *l)
{
    put(l, SLICE("warning: "));
    if (l->e->has[FIELD_QUEUE_ID])
        put_queue_id(l);
    if (l->e->has[FIELD_CLIENT_ADDRESS]) {
        put_client(l);
        put(l, SLICE(": "));
    }
    put_text(l, FIELD_TEXT);
}

static void put_failure(struct line *l)
{
    uint64_t code = l->e->number[FIELD_CODE];
    const char *told = code <= INT_MAX ? strerrordesc_np((int)code) : NULL;

    put(l, SLICE("error: cannot "));
    put_text(l, FIELD_OPERATION);
    put_labelled(l, SLICE(" "), FIELD_NAME);
    put(l, SLICE(": "));
    if (told != NULL) {
        put(l, slice_of(told));
        return;
    }
    put(l, SLICE("error "));
    put_number(l, code);
}

static void put_etrn(struct line *l)
{
    put_labelled_word(l, SLICE("ETRN "), FIELD_NAME);
    if (l->e->has[FIELD_CLIENT_ADDRESS]) {
        put(l, SLICE(" from "));
        put_client(l);
        return;
    }
    put(l, SLICE(": messages that go now: "));
    put_number(l, l->e->number[FIELD_COUNT]);
}

/* As fail2ban knows it from Postfix. */
static void put_no_login(struct line *l)
{
    put(l, SLICE("warning: "));
    put_client(l);
    put_labelled_word(l, SLICE(": SASL "), FIELD_NAME);
    put(l, SLICE(" authentication failed"));
    put_labelled(l, SLICE(": "), FIELD_TEXT);
    put_labelled_word(l, SLICE(", sasl_username="), FIELD_USER);
}

static void put_body(struct line *l)
{
    switch (l->e->kind) {
    case EVENT_CONNECT:
        put(l, SLICE("connect from "));
        put_client(l);
        return;
    case EVENT_DISCONNECT:
        put(l, SLICE("disconnect from "));
        put_client(l);
        put_labelled(l, SLICE(" "), FIELD_TEXT);
        return;
    case EVENT_CLIENT:
        put_queue_id(l);
        put(l, SLICE("client="));
        put_client(l);
        put_labelled_word(l, SLICE(", sasl_method="), FIELD_NAME);
        put_labelled_word(l, SLICE(", sasl_username="), FIELD_USER);
        put_labelled_word(l, SLICE(", orig_queue_id="), FIELD_ORIG_ID);
        put_labelled_word(l, SLICE(", orig_client="), FIELD_ORIG_CLIENT);
        put_labelled_word(l, SLICE(", tls="), FIELD_TLS);
        return;
    case EVENT_NO_LOGIN: put_no_login(l); return;
    case EVENT_MESSAGE_ID:
        put_queue_id(l);
        put(l, SLICE("message-id="));
        if (l->e->text[FIELD_MESSAGE_ID].len == 0)
            put(l, SLICE("<>"));
        put_text(l, FIELD_MESSAGE_ID);
        return;
    case EVENT_QUEUED: put_queued(l); return;
    case EVENT_REJECT: put_reject(l); return;
    case EVENT_HELD: put_held(l); return;
    case EVENT_REWRITTEN: put_rewritten(l); return;
    case EVENT_PICKUP:
        put_queue_id(l);
        put_labelled_word(l, SLICE("uid="), FIELD_USER);
        put_angle(l, SLICE(" from="), FIELD_SENDER);
        return;
    case EVENT_ATTEMPT: put_attempt(l); return;
    case EVENT_REMOVED:
        put_queue_id(l);
        put(l, SLICE("removed"));
        return;
    case EVENT_WARNING: put_warning(l); return;
    case EVENT_FAILURE: put_failure(l); return;
    case EVENT_ROLE: put_text(l, FIELD_TEXT); return;
    case EVENT_BROKEN:
        put_text(l, FIELD_TEXT);
        put(l, SLICE(" after "));
        put_text(l, FIELD_STAGE);
        put(l, SLICE(" from "));
        put_client(l);
        return;
    case EVENT_REPORT:
        put_queue_id(l);
        put(l, SLICE("sender notification: "));
        put_text(l, FIELD_NAME);
        return;
    case EVENT_ETRN: put_etrn(l); return;
    case EVENT_LOST:
        put(l, SLICE("warning: events lost: "));
        put_number(l, l->e->number[FIELD_COUNT]);
        return;
    }
}

bool log_line_write(struct buf *out, const struct event *e, struct slice host, int utc_offset_min)
{
    size_t before = buf_len(out);
    struct line l = {.out = out, .e = e};

    l.fits = date_write_syslog(out, e->wall_us, utc_offset_min);
    put(&l, SLICE(" "));
    put_word(&l, host);
    put(&l, SLICE(" postroad/"));
    put_word(&l, e->has[FIELD_ROLE] ? e->text[FIELD_ROLE] : SLICE("unknown"));
    put(&l, SLICE("["));
    put_number(&l, e->pid);
    put(&l, SLICE("]: "));
    put_body(&l);
    put(&l, SLICE("\n"));
    if (!l.fits)
        buf_truncate(out, before);
    return l.fits;
}
