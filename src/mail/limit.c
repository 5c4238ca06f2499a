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

static bool matches(const struct limit *l, struct slice domain, struct slice mx)
{
    switch (l->match) {
    case LIMIT_ANY: return true;
    case LIMIT_DOMAIN: return name_matches(l->pattern, domain);
    case LIMIT_MX: break;
    }
    return name_matches(l->pattern, mx);
}

const struct limit *limit_find(const struct limit *limits, size_t count, struct slice domain,
                               struct slice mx)
{
    for (size_t i = 0; i < count; i++)
        if (matches(&limits[i], domain, mx))
            return &limits[i];
    return NULL;
}
