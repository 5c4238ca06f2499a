/*
 * fuzz_event.c - events from other roles: hostile bytes give an event or nothing, and every event
 * gives one clean log line.
 */
#include "fuzz.h"

#include "wire/log_line.h"
#include "wire/utf8.h"

static bool within(struct slice part, struct slice whole)
{
    return part.len == 0 ||
           (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void check_log_line(const struct event *e)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    must(log_line_write(&out, e, SLICE("mx.example.org"), 60));
    struct slice line = buf_slice(&out);

    must(slice_find(line, '\n') == line.len - 1);
    must(utf8_printable(slice_head(line, line.len - 1)));
    buf_done(&out);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    struct event e;

    for (;;) {
        size_t before = c.rest.len;

        if (!event_parse(&c, &e)) {
            must(c.rest.len == before);
            return;
        }
        must(c.rest.len < before && e.kind >= EVENT_CONNECT && e.kind <= EVENT_REWRITTEN);
        for (int i = 0; i < FIELD_MAX; i++)
            must(e.has[i] ? within(e.text[i], input) : e.text[i].len == 0 && e.number[i] == 0);
        check_log_line(&e);
    }
}
