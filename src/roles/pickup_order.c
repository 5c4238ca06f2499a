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
    return put_u32(out, o->listener) && put_u32(out, o->user) && buf_append(out, o->name);
}

bool pickup_order_read(struct slice body, struct pickup_order *out)
{
    struct cursor c = {body};

    return get_u32(&c, &out->listener) && get_u32(&c, &out->user) && read_name(&c, &out->name);
}

bool pickup_answer_write(struct buf *out, enum pickup_verdict verdict, struct slice name)
{
    return put_u8(out, (uint8_t)verdict) && buf_append(out, name);
}

bool pickup_answer_read(struct slice body, enum pickup_verdict *verdict, struct slice *name)
{
    struct cursor c = {body};
    uint8_t number;

    if (!get_u8(&c, &number) || number > PICKUP_LATER || !read_name(&c, name))
        return false;
    *verdict = (enum pickup_verdict)number;
    return true;
}
