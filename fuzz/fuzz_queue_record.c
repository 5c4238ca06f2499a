/*
 * fuzz_queue_record.c - bodies of queue records: message, outcome, carried message and begun
 * submission.
 */
#include "fuzz.h"

#include "queue/format.h"

static void check_message(struct slice body)
{
    struct message_record m;

    if (!message_record_parse(body, &m))
        return;
    must(m.offset <= body.len && m.place <= BODY_FILE);
    must(m.place == BODY_FILE ? m.offset == body.len : m.length == body.len - m.offset);

    struct buf middle;

    buf_init(&middle, 64);
    must(message_record_middle(&middle, m.place, m.length));
    must(slice_ends(slice_head(body, m.offset), buf_slice(&middle)));
    must(m.envelope.len + m.header_block.len + 8 + buf_len(&middle) == m.offset);
    buf_done(&middle);
}

static void check_outcome(struct slice body)
{
    struct outcome_record o;
    struct buf again;

    if (!outcome_record_parse(body, &o))
        return;
    buf_init(&again, OUTCOME_RECORD_MAX);
    must(outcome_record_write(&again, &o));
    must(slice_equal(buf_slice(&again), body));
    buf_done(&again);
}

static void check_carried(struct slice body)
{
    struct carried_record r;
    struct rcpt_rest rcpt;
    struct buf again;

    if (!carried_record_parse(body, &r))
        return;
    buf_init(&again, CARRIED_FRONT_MAX);
    must(carried_front_write(&again, r.receiver, r.segment, r.rcpt_count));
    for (uint32_t i = 0; i < r.rcpt_count; i++)
        must(rcpt_rest_read(&r.rcpts, &rcpt) && rcpt_rest_write(&again, &rcpt));
    must(buf_len(&again) == r.offset && r.offset + r.message.len == body.len);
    must(slice_starts(body, buf_slice(&again)));
    buf_done(&again);
}

static void check_deferred(struct slice body)
{
    struct deferred_record d;
    struct buf again;

    if (!deferred_record_parse(body, &d))
        return;
    buf_init(&again, DEFERRED_RECORD_MAX);
    must(deferred_record_write(&again, &d));
    must(slice_equal(buf_slice(&again), body));
    buf_done(&again);
}

static void check_begun(struct slice body)
{
    struct begun_record b;
    struct buf again;

    if (!begun_record_parse(body, &b))
        return;
    buf_init(&again, BEGUN_RECORD_LEN);
    must(begun_record_write(&again, &b));
    must(slice_equal(buf_slice(&again), body));
    buf_done(&again);
}

void fuzz_input(struct slice input)
{
    check_begun(input);
    check_deferred(input);
    check_carried(input);
    check_message(input);
    check_outcome(input);
}
