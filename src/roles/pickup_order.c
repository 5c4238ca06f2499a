/*
 * pickup_order.c - bytes of MESSAGE_DROP and MESSAGE_DROPPED.
 */
#include "roles/pickup_order.h"

#include "store/drop.h"

static bool read_name(struct cursor *c, struct slice *out)
{
    *out = c->rest;
    return drop_is_name(*out);
}

bool pickup_order_write(struct buf *out, const struct pickup_order *o)
{
    return put_u32(out, o->listener) && put_u32(out, o->user) && put_u32(out, o->told) &&
           buf_append(out, o->name);
}

bool pickup_order_read(struct slice body, struct pickup_order *out)
{
    struct cursor c = {body};

    return get_u32(&c, &out->listener) && get_u32(&c, &out->user) && get_u32(&c, &out->told) &&
           read_name(&c, &out->name);
}

bool pickup_answer_write(struct buf *out, const struct pickup_answer *a)
{
    return put_u8(out, (uint8_t)a->verdict) && put_u32(out, a->reason) && buf_append(out, a->name);
}

bool pickup_answer_read(struct slice body, struct pickup_answer *out)
{
    struct cursor c = {body};
    uint8_t number;

    if (!get_u8(&c, &number) || number > PICKUP_LATER || !get_u32(&c, &out->reason) ||
        !read_name(&c, &out->name))
        return false;
    out->verdict = (enum pickup_verdict)number;
    return true;
}
