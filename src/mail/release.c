/*
 * release.c - mail that is to go later.
 */
#include "mail/release.h"

#include "wire/date.h"

#define SECOND_US UINT64_C(1000000)

bool release_is_later(const struct envelope_wishes *w)
{
    return w->hold_for_s != 0 || w->hold_until_us != 0;
}

uint64_t release_us(const struct envelope *e)
{
    const struct envelope_wishes *w = &e->wishes;

    if (w->hold_until_us > e->arrival_us)
        return w->hold_until_us;
    return e->arrival_us + w->hold_for_s * SECOND_US;
}

int64_t release_by_s(const struct envelope *e)
{
    return e->wishes.by_s - (int64_t)((release_us(e) - e->arrival_us) / SECOND_US);
}

bool release_write_request(struct buf *out, const struct envelope_wishes *w)
{
    if (w->hold_for_s != 0)
        return buf_printf(out, "for;%u", w->hold_for_s);
    return w->hold_until_us == 0 ||
           (buf_append(out, SLICE("until;")) && date_write_rfc3339(out, w->hold_until_us));
}
