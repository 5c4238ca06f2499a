/*
 * delivery.c - deliveries as bytes.
 *
 * A path component that could leave the mailbox root is refused here once more, although the
 * courier made it safe: the postman believes nobody.
 */
#include "roles/delivery.h"

static bool write_fields(struct buf *out, const struct delivery *d)
{
    return put_u64(out, d->tag) && put_bytes(out, d->root) && put_bytes(out, d->path) &&
           put_bytes(out, d->name) && put_bytes(out, d->prefix) && put_u64(out, d->offset) &&
           put_u64(out, d->length) && put_u8(out, d->repeat);
}

bool delivery_write(struct buf *out, const struct delivery *d)
{
    size_t before = buf_len(out);

    if (write_fields(out, d))
        return true;
    buf_truncate(out, before);
    return false;
}

static bool component_safe(struct slice s)
{
    return s.len > 0 && s.len <= 255 && !slice_equal(s, SLICE(".")) &&
           !slice_equal(s, SLICE("..")) && slice_find(s, '\0') == s.len &&
           slice_find(s, '/') == s.len;
}

static bool path_safe(struct slice path)
{
    struct slice head;

    while (slice_cut(path, '/', &head, &path))
        if (!component_safe(head))
            return false;
    return component_safe(path);
}

bool delivery_read(struct cursor *c, struct delivery *out)
{
    struct cursor at = *c;
    struct delivery d = {0};
    uint8_t repeat;

    if (!get_u64(&at, &d.tag) || !get_bytes(&at, DELIVERY_PATH_MAX, &d.root) ||
        !get_bytes(&at, DELIVERY_PATH_MAX, &d.path) || !get_bytes(&at, 255, &d.name) ||
        !get_bytes(&at, DELIVERY_PREFIX_MAX, &d.prefix) || !get_u64(&at, &d.offset) ||
        !get_u64(&at, &d.length) || !get_u8(&at, &repeat) || !path_safe(d.path) ||
        !component_safe(d.name))
        return false;
    d.repeat = repeat != 0;
    *c = at;
    *out = d;
    return true;
}

bool delivery_result_write(struct buf *out, const struct delivery_result *r)
{
    return buf_room(out) >= 12 && put_u64(out, r->tag) && put_u32(out, (uint32_t)-r->result);
}

bool delivery_result_read(struct cursor *c, struct delivery_result *out)
{
    struct cursor at = *c;
    uint64_t tag;
    uint32_t code;

    if (!get_u64(&at, &tag) || !get_u32(&at, &code) || code > 4095)
        return false;
    *c = at;
    *out = (struct delivery_result){tag, -(int)code};
    return true;
}
