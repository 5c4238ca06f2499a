/*
 * limit.c - which limit holds for a destination.
 */
#include "mail/limit.h"

static bool name_matches(struct slice pattern, struct slice name)
{
    struct slice suffix = slice_skip(pattern, 1);

    if (!slice_starts(pattern, SLICE("*.")))
        return name.len > 0 && slice_equal_nocase(pattern, name);
    return name.len > suffix.len && slice_ends_nocase(name, suffix);
}

static bool source_matches(const struct limit *l, const struct limit_query *what)
{
    return l->source.len == 0 ||
           (what->relay != NULL && relay_slot_has(what->relay, what->slot, l->source));
}

static bool matches(const struct limit *l, const struct limit_query *what)
{
    if (!source_matches(l, what))
        return false;
    switch (l->match) {
    case LIMIT_ANY: return true;
    case LIMIT_DOMAIN: return name_matches(l->pattern, what->domain);
    case LIMIT_MX: break;
    }
    return name_matches(l->pattern, what->mx);
}

const struct limit *limit_find(const struct limit *limits, size_t count,
                               const struct limit_query *what)
{
    for (size_t i = 0; i < count; i++)
        if (matches(&limits[i], what))
            return &limits[i];
    return NULL;
}
