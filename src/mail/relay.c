/*
 * relay.c - which of its own addresses a relay sends from.
 *
 * A slot is an IPv4 and an IPv6 source that go together. The families are numbered each for
 * itself: with one source of each there is one slot, whatever family the next hop has.
 */
#include "mail/relay.h"

#include <string.h>

static bool is_v4(const struct relay_source *s)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(s->ip, mapped, sizeof(mapped)) == 0;
}

static unsigned count_of(const struct relay *relay, bool v4)
{
    unsigned count = 0;

    for (size_t i = 0; i < relay->source_count; i++)
        count += is_v4(&relay->sources[i]) == v4;
    return count;
}

unsigned relay_slot(const struct relay *relay, uint64_t id)
{
    unsigned v4 = count_of(relay, true), v6 = count_of(relay, false);
    unsigned slots = v4 > v6 ? v4 : v6;

    return slots == 0 ? 0 : (unsigned)(id % slots);
}

const struct relay_source *relay_source(const struct relay *relay, unsigned slot, bool v4)
{
    unsigned count = count_of(relay, v4), left = count == 0 ? 0 : slot % count;

    for (size_t i = 0; i < relay->source_count; i++)
        if (is_v4(&relay->sources[i]) == v4 && left-- == 0)
            return &relay->sources[i];
    return NULL;
}

bool relay_slot_has(const struct relay *relay, unsigned slot, struct slice name)
{
    const struct relay_source *v4 = relay_source(relay, slot, true);
    const struct relay_source *v6 = relay_source(relay, slot, false);

    return (v4 != NULL && slice_equal(v4->name, name)) ||
           (v6 != NULL && slice_equal(v6->name, name));
}
