/*
 * format.c - ids and record bodies.
 *
 * An id names a segment and not a time, although the segment's number is one: a clock can step
 * back, a directory's names cannot. The courier leaves the newest name of a directory in place
 * for exactly this reason (queue/arrivals.c).
 */
#include "queue/format.h"

#include <string.h>

uint64_t id_make(uint64_t segment, unsigned receiver, uint64_t counter)
{
    return segment << (ID_RECEIVER_BITS + ID_COUNTER_BITS) | (uint64_t)receiver << ID_COUNTER_BITS |
           counter;
}

uint64_t id_segment(uint64_t id)
{
    return id >> (ID_RECEIVER_BITS + ID_COUNTER_BITS);
}

unsigned id_receiver(uint64_t id)
{
    return (unsigned)(id >> ID_COUNTER_BITS) & RECEIVER_MAX;
}

bool message_record_front(struct buf *out, const struct envelope *e, size_t header_block_len)
{
    struct buf encoded;

    buf_init(&encoded, ENVELOPE_BYTES_MAX);
    bool good = envelope_encode(&encoded, e) && put_bytes(out, buf_slice(&encoded)) &&
                header_block_len <= UINT32_MAX && put_u32(out, (uint32_t)header_block_len);
    buf_done(&encoded);
    return good;
}

bool message_record_middle(struct buf *out, enum body_place place, uint64_t length)
{
    return put_u8(out, (uint8_t)place) && put_u64(out, length);
}

bool message_record_parse(struct slice body, struct message_record *out)
{
    struct cursor c = {body};
    struct message_record got = {0};
    uint8_t place;

    if (!get_bytes(&c, ENVELOPE_BYTES_MAX, &got.envelope) ||
        !get_bytes(&c, RECORD_BODY_MAX, &got.header_block) || !get_u8(&c, &place) ||
        !get_u64(&c, &got.length) || place > BODY_FILE)
        return false;
    got.place = (enum body_place)place;
    got.offset = body.len - c.rest.len;
    if (c.rest.len != (got.place == BODY_INLINE ? got.length : 0))
        return false;
    *out = got;
    return true;
}

uint32_t message_note(uint32_t rcpt_count, enum body_place place)
{
    return rcpt_count << 1 | (uint32_t)place;
}

uint32_t note_rcpt_count(uint32_t note)
{
    return note >> 1;
}

enum body_place note_place(uint32_t note)
{
    return (enum body_place)(note & 1);
}

bool outcome_record_write(struct buf *out, const struct outcome_record *o)
{
    return put_u32(out, o->receiver) && put_u64(out, o->segment) && put_u32(out, o->rcpt) &&
           put_u8(out, o->outcome) && put_bytes(out, slice_head(o->text, OUTCOME_TEXT_MAX));
}

bool outcome_record_parse(struct slice body, struct outcome_record *out)
{
    struct cursor c = {body};
    struct outcome_record got = {0};

    if (!get_u32(&c, &got.receiver) || !get_u64(&c, &got.segment) || !get_u32(&c, &got.rcpt) ||
        !get_u8(&c, &got.outcome) || !get_bytes(&c, OUTCOME_TEXT_MAX, &got.text) ||
        !cursor_at_end(&c))
        return false;
    *out = got;
    return true;
}

enum rest_flags {
    REST_OPEN = 1,
    REST_WARNED = 2,
    REST_HELD = 4,
    REST_AGED = 8,
    REST_RELEASED = 16,
    REST_PASSED = 32,
    REST_ALL = 63
};

bool rcpt_rest_write(struct buf *out, const struct rcpt_rest *r)
{
    unsigned flags = (r->open ? REST_OPEN : 0) | (r->warned ? REST_WARNED : 0) |
                     (r->held ? REST_HELD : 0) | (r->aged ? REST_AGED : 0) |
                     (r->released ? REST_RELEASED : 0) | (r->passed ? REST_PASSED : 0);

    return put_u8(out, (uint8_t)flags) && put_u16(out, r->attempts) && put_u32(out, r->wait_s) &&
           put_u64(out, r->due_wall_us) && (!r->aged || put_u32(out, r->age_s));
}

bool rcpt_rest_read(struct cursor *c, struct rcpt_rest *out)
{
    struct rcpt_rest got = {0};
    uint8_t flags;

    if (!get_u8(c, &flags) || flags > REST_ALL || !get_u16(c, &got.attempts) ||
        !get_u32(c, &got.wait_s) || !get_u64(c, &got.due_wall_us))
        return false;
    got.aged = (flags & REST_AGED) != 0;
    if (got.aged && !get_u32(c, &got.age_s))
        return false;
    got.open = (flags & REST_OPEN) != 0;
    got.warned = (flags & REST_WARNED) != 0;
    got.held = (flags & REST_HELD) != 0;
    got.released = (flags & REST_RELEASED) != 0;
    got.passed = (flags & REST_PASSED) != 0;
    *out = got;
    return true;
}

bool deferred_record_write(struct buf *out, const struct deferred_record *d)
{
    return put_u32(out, d->receiver) && put_u64(out, d->segment) && put_u32(out, d->rcpt) &&
           rcpt_rest_write(out, &d->rest) && put_bytes(out, slice_head(d->reason, REASON_MAX));
}

bool deferred_record_parse(struct slice body, struct deferred_record *out)
{
    struct cursor c = {body};
    struct deferred_record got = {0};

    if (!get_u32(&c, &got.receiver) || !get_u64(&c, &got.segment) || !get_u32(&c, &got.rcpt) ||
        !rcpt_rest_read(&c, &got.rest) || !get_bytes(&c, REASON_MAX, &got.reason) ||
        !cursor_at_end(&c))
        return false;
    *out = got;
    return true;
}

bool carried_front_write(struct buf *out, uint32_t receiver, uint64_t segment, uint32_t rcpt_count)
{
    return put_u32(out, receiver) && put_u64(out, segment) && put_u32(out, rcpt_count);
}

bool carried_record_parse(struct slice body, struct carried_record *out)
{
    struct cursor c = {body};
    struct carried_record got = {0};
    struct rcpt_rest rcpt;

    if (!get_u32(&c, &got.receiver) || got.receiver > PLACE_OUT || !get_u64(&c, &got.segment) ||
        !get_u32(&c, &got.rcpt_count) || got.rcpt_count == 0 || got.rcpt_count > ENVELOPE_RCPTS_MAX)
        return false;
    got.rcpts = c;
    for (uint32_t i = 0; i < got.rcpt_count; i++) {
        if (!rcpt_rest_read(&c, &rcpt))
            return false;
    }
    got.offset = body.len - c.rest.len;
    got.message = c.rest;
    *out = got;
    return true;
}

bool begun_record_write(struct buf *out, const struct begun_record *b)
{
    struct slice fingerprint = {(const char *)b->fingerprint, sizeof(b->fingerprint)};

    return buf_append(out, fingerprint) && put_u32(out, b->receiver) && put_u64(out, b->segment) &&
           put_u32(out, b->offset) && put_u64(out, b->at_s) && put_u64(out, b->wall_us);
}

bool begun_record_parse(struct slice body, struct begun_record *out)
{
    struct cursor c = {body};
    struct begun_record got;
    struct slice fingerprint;

    if (!take_bytes(&c, sizeof(got.fingerprint), &fingerprint) || !get_u32(&c, &got.receiver) ||
        got.receiver > PLACE_OUT || !get_u64(&c, &got.segment) || !get_u32(&c, &got.offset) ||
        !get_u64(&c, &got.at_s) || !get_u64(&c, &got.wall_us) || !cursor_at_end(&c))
        return false;
    memcpy(got.fingerprint, fingerprint.data, sizeof(got.fingerprint));
    *out = got;
    return true;
}
