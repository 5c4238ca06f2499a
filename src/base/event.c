/*
 * event.c - one typed event for every thing worth telling.
 *
 * A field's name decides whether it is text or a number (one table), so an event cannot say
 * "size=hello", and the renderers never ask. Text is cut at a bound instead of refused: an
 * event with a shortened value is worth more than none. The writer notes the first thing that
 * did not fit and goes on doing nothing; one check at the end is enough.
 */
#include "base/event.h"

#include <assert.h>
#include <unistd.h>

static const bool field_is_number[FIELD_MAX] = {
    [FIELD_NRCPT] = true,    [FIELD_SIZE] = true,           [FIELD_CODE] = true,
    [FIELD_DELAY_US] = true, [FIELD_DELAY_QUEUE_US] = true, [FIELD_DELAY_SEND_US] = true,
    [FIELD_COUNT] = true,
};

enum { LENGTH_BYTES = 4 };

struct event_writer event_begin(struct buf *out, enum event_kind kind, uint64_t wall_us)
{
    struct event_writer w = {.out = out, .start = buf_len(out)};

    /* the length is known, and written, at the end */
    w.whole = put_u32(out, 0) && put_u16(out, (uint16_t)kind) && put_u64(out, wall_us) &&
              put_u64(out, (uint64_t)getpid());
    return w;
}

void event_text(struct event_writer *w, enum event_field field, struct slice text)
{
    assert(!field_is_number[field]);
    w->whole = w->whole && put_u8(w->out, (uint8_t)field) &&
               put_bytes(w->out, slice_head(text, EVENT_TEXT_MAX));
}

void event_number(struct event_writer *w, enum event_field field, uint64_t number)
{
    assert(field_is_number[field]);
    w->whole = w->whole && put_u8(w->out, (uint8_t)field) && put_u32(w->out, sizeof(number)) &&
               put_u64(w->out, number);
}

bool event_end(struct event_writer *w)
{
    size_t len = buf_len(w->out) - w->start;

    if (!w->whole || len > EVENT_LEN_MAX) {
        buf_truncate(w->out, w->start);
        return false;
    }
    len -= LENGTH_BYTES;
    char *at = w->out->data + w->out->start + w->start;
    for (unsigned i = 0; i < LENGTH_BYTES; i++)
        at[i] = (char)(unsigned char)(len >> 8 * i & 0xff);
    return true;
}

static bool take_field(struct cursor *c, struct event *e)
{
    uint8_t name;
    struct slice value;

    if (!get_u8(c, &name) || !get_bytes(c, EVENT_LEN_MAX, &value))
        return false;
    if (name == 0 || name >= FIELD_MAX)
        return true;
    if (field_is_number[name]) {
        struct cursor number = {value};
        if (!get_u64(&number, &e->number[name]) || !cursor_at_end(&number))
            return false;
    } else {
        e->text[name] = value;
    }
    e->has[name] = true;
    return true;
}

bool event_parse(struct cursor *c, struct event *out)
{
    struct cursor ahead = *c, body;
    struct event got = {0};
    uint16_t kind;

    if (!get_bytes(&ahead, EVENT_LEN_MAX, &body.rest))
        return false;
    if (!get_u16(&body, &kind) || !get_u64(&body, &got.wall_us) || !get_u64(&body, &got.pid))
        return false;
    if (kind < EVENT_CONNECT || kind > EVENT_KIND_MAX)
        return false;
    got.kind = (enum event_kind)kind;
    while (!cursor_at_end(&body))
        if (!take_field(&body, &got))
            return false;
    *out = got;
    *c = ahead;
    return true;
}
