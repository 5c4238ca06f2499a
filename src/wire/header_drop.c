/*
 * header_drop.c - a line is held as long as it may be the name of a field to drop.
 */
#include "wire/header_drop.h"

static const struct slice names[] = {SLICE_INIT("Bcc"), SLICE_INIT("Resent-Bcc")};

enum guess { IS_NOT, MAY_BE, IS };

/* Of the beginning of a line: "Bcc :" is one, too (RFC 5322 4.5). */
static enum guess guess_at(struct slice line)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct slice head = slice_head(line, names[i].len);

        if (!slice_equal_nocase(head, slice_head(names[i], head.len)))
            continue;
        struct slice behind = slice_skip(line, names[i].len);
        while (behind.len > 0 && (behind.data[0] == ' ' || behind.data[0] == '\t'))
            behind = slice_skip(behind, 1);
        if (behind.len > 0)
            return behind.data[0] == ':' ? IS : IS_NOT;
        return line.len < HEADER_DROP_HELD_MAX ? MAY_BE : IS_NOT;
    }
    return IS_NOT;
}

static struct slice held(const struct header_drop *d)
{
    return (struct slice){d->held, d->held_len};
}

static void decide(struct header_drop *d, bool drop)
{
    d->in_line = true;
    d->dropping = drop;
    d->flushing = !drop && d->held_len > 0;
    if (drop)
        d->held_len = 0;
}

/* One byte at the beginning of a line; false: it is not taken. */
static bool begin_line(struct header_drop *d, char byte)
{
    if (d->held_len == 0 && (byte == ' ' || byte == '\t')) {
        decide(d, d->dropping);
        return false;
    }
    if (d->held_len == 0 && (byte == '\r' || byte == '\n')) {
        decide(d, false);
        d->ended = true;
        return false;
    }
    d->held[d->held_len++] = byte;
    switch (guess_at(held(d))) {
    case MAY_BE: break;
    case IS: decide(d, true); break;
    case IS_NOT: decide(d, false); break;
    }
    return true;
}

/* Up to the end of the line, or all of it behind the header. */
static struct slice take_line(struct header_drop *d, struct cursor *in)
{
    size_t lf = d->ended ? in->rest.len : slice_find(in->rest, '\n');
    struct slice taken = slice_head(in->rest, lf + 1);

    in->rest = slice_skip(in->rest, taken.len);
    if (!d->ended && lf < taken.len)
        d->in_line = false;
    return taken;
}

bool header_drop_next(struct header_drop *d, struct cursor *in, struct slice *run)
{
    while (d->flushing || in->rest.len > 0) {
        if (d->flushing) {
            *run = held(d);
            d->flushing = false;
            d->held_len = 0;
            return true;
        }
        if (!d->in_line) {
            if (begin_line(d, in->rest.data[0]))
                in->rest = slice_skip(in->rest, 1);
            continue;
        }
        *run = take_line(d, in);
        if (!d->dropping)
            return true;
    }
    return false;
}

struct slice header_drop_end(struct header_drop *d)
{
    struct slice rest = held(d);

    d->held_len = 0;
    return rest;
}
