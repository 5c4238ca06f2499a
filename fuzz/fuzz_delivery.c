/*
 * fuzz_delivery.c - what the postman is asked to do, from a courier that may be hostile.
 */
#include "fuzz.h"

#include "roles/delivery.h"

static void check_component(struct slice s)
{
    must(s.len > 0 && s.len <= 255);
    must(!slice_equal(s, SLICE(".")) && !slice_equal(s, SLICE("..")));
    must(slice_find(s, '/') == s.len && slice_find(s, '\0') == s.len);
}

static void check_safe(const struct delivery *d)
{
    struct slice path = d->path, head;

    while (slice_cut(path, '/', &head, &path))
        check_component(head);
    check_component(path);
    check_component(d->name);
    must(d->prefix.len <= DELIVERY_PREFIX_MAX && d->root.len <= DELIVERY_PATH_MAX);
}

static void check_deliveries(struct cursor c)
{
    struct delivery d;
    struct buf again;

    buf_init(&again, 1 << 20);
    for (;;) {
        struct slice before = c.rest;

        if (!delivery_read(&c, &d)) {
            must(c.rest.len == before.len);
            break;
        }
        struct slice taken = slice_head(before, before.len - c.rest.len);

        check_safe(&d);
        buf_clear(&again);
        must(delivery_write(&again, &d) && buf_len(&again) == taken.len);
        /* The last byte may be any true. */
        must(slice_equal(slice_head(buf_slice(&again), taken.len - 1),
                         slice_head(taken, taken.len - 1)));
    }
    buf_done(&again);
}

static void check_results(struct cursor c)
{
    struct delivery_result r;
    struct buf again;

    buf_init(&again, 64);
    for (;;) {
        struct slice before = c.rest;

        if (!delivery_result_read(&c, &r))
            break;
        buf_clear(&again);
        must(r.result <= 0 && delivery_result_write(&again, &r));
        must(slice_equal(buf_slice(&again), slice_head(before, before.len - c.rest.len)));
    }
    buf_done(&again);
}

void fuzz_input(struct slice input)
{
    check_deliveries((struct cursor){input});
    check_results((struct cursor){input});
}
