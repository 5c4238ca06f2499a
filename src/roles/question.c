/*
 * question.c - questions and answers as bytes.
 */
#include "roles/question.h"

#include "mail/envelope.h"

bool question_write(struct buf *out, const struct question *q)
{
    size_t before = buf_len(out);

    if (put_u64(out, q->number) && put_u32(out, q->rule) && envelope_put_address(out, &q->rcpt))
        return true;
    buf_truncate(out, before);
    return false;
}

bool question_read(struct cursor *c, struct arena *arena, struct question *out)
{
    struct cursor at = *c;
    struct question q;

    if (!get_u64(&at, &q.number) || !get_u32(&at, &q.rule) ||
        !envelope_get_address(&at, arena, &q.rcpt) || q.rcpt.kind == ADDRESS_NULL)
        return false;
    *c = at;
    *out = q;
    return true;
}

bool answer_write(struct buf *out, const struct answer *a)
{
    size_t before = buf_len(out);

    if (put_u64(out, a->number) && put_u8(out, (uint8_t)a->kind) &&
        put_bytes(out, slice_head(a->text, ANSWER_TEXT_MAX)))
        return true;
    buf_truncate(out, before);
    return false;
}

bool answer_read(struct cursor *c, struct answer *out)
{
    struct cursor at = *c;
    struct answer a;
    uint8_t kind;

    if (!get_u64(&at, &a.number) || !get_u8(&at, &kind) || kind > ANSWER_LATER ||
        !get_bytes(&at, ANSWER_TEXT_MAX, &a.text))
        return false;
    a.kind = (enum answer_kind)kind;
    *c = at;
    *out = a;
    return true;
}
