/*
 * etrn.c - names of ETRN.
 *
 * "@example.net" asks for more than a list with "example.net" grants: it is refused rather than cut
 * down, so that a 250 means all that was asked for.
 */
#include "mail/etrn.h"

#include "base/cursor.h"
#include "wire/address.h"

enum etrn_argument etrn_parse(struct slice text, struct arena *arena, struct etrn_node *out)
{
    struct cursor c = {text};
    struct etrn_node got = {.below = take_char(&c, '@')};
    bool queue = !got.below && take_char(&c, '#');
    struct slice name, ascii;

    if (!domain_parse(c.rest, arena, &name) || !domain_to_ascii(name, arena, &ascii))
        return ETRN_MALFORMED;
    if (queue)
        return ETRN_QUEUE;
    got.domain = ascii;
    *out = got;
    return ETRN_NODE;
}

static bool is_below(struct slice name, struct slice top)
{
    return name.len > top.len + 1 && slice_ends_nocase(name, top) &&
           name.data[name.len - top.len - 1] == '.';
}

/* Of "*.example.net" the name that all are below; else nothing. */
static bool top_of(struct slice domains, struct slice *top)
{
    *top = slice_skip(domains, 2);
    return slice_starts(domains, SLICE("*."));
}

static bool holds(const struct etrn_list *list, struct slice domain)
{
    struct slice top;

    for (; list != NULL; list = list->next)
        if (top_of(list->domains, &top) ? is_below(domain, top)
                                        : slice_equal_nocase(domain, list->domains))
            return true;
    return false;
}

static bool holds_all_below(const struct etrn_list *list, struct slice domain)
{
    struct slice top;

    for (; list != NULL; list = list->next)
        if (top_of(list->domains, &top) &&
            (slice_equal_nocase(domain, top) || is_below(domain, top)))
            return true;
    return false;
}

bool etrn_allows(const struct etrn_list *list, const struct etrn_node *node)
{
    return holds(list, node->domain) && (!node->below || holds_all_below(list, node->domain));
}

bool etrn_wants(const struct etrn_node *node, struct slice domain)
{
    return slice_equal_nocase(node->domain, domain) ||
           (node->below && is_below(domain, node->domain));
}

struct slice etrn_text(const struct etrn_node *node, struct arena *arena)
{
    return arena_printf(arena, "%s%.*s", node->below ? "@" : "", SLICE_PRINTF(node->domain));
}
