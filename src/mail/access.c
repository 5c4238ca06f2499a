/*
 * access.c - allow before deny.
 */
#include "mail/access.h"

static bool is_in(const struct access *one, const struct rules_compared *q)
{
    switch (one->about) {
    case ACCESS_CLIENT: return q->has_ip && network_list_has(one->networks, q->ip);
    case ACCESS_SENDER: return name_list_has(one->names, &q->sender);
    case ACCESS_RCPT: return name_list_has(one->names, &q->rcpt);
    }
    return false;
}

/* The first of its kind in whose table it is. */
static const struct access *find(const struct access *list, size_t count, bool denies,
                                 enum access_about about, const struct rules_compared *q)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].denies == denies && list[i].about == about && is_in(&list[i], q))
            return &list[i];
    return NULL;
}

bool access_allows_client(const struct access *list, size_t count, const unsigned char ip[16])
{
    for (size_t i = 0; i < count; i++)
        if (!list[i].denies && list[i].about == ACCESS_CLIENT &&
            network_list_has(list[i].networks, ip))
            return true;
    return false;
}

static bool is_open(const struct access *list, size_t count, const struct rules *rules,
                    const struct rules_compared *q, struct arena *arena)
{
    return find(list, count, false, ACCESS_RCPT, q) != NULL ||
           rules_is_our_postmaster(rules, &q->rcpt, arena);
}

bool access_is_open(const struct access *list, size_t count, const struct rules *rules,
                    const struct rules_query *query, struct arena *arena)
{
    struct rules_compared q = rules_compare(rules, query, arena);

    return is_open(list, count, rules, &q, arena);
}

const struct access *access_denied(const struct access *list, size_t count,
                                   const struct rules *rules, const struct rules_query *query,
                                   struct arena *arena)
{
    static const enum access_about order[] = {ACCESS_CLIENT, ACCESS_SENDER, ACCESS_RCPT};
    struct rules_compared q;

    if (count == 0)
        return NULL;
    q = rules_compare(rules, query, arena);
    if (is_open(list, count, rules, &q, arena))
        return NULL;
    for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
        const struct access *by = find(list, count, true, order[i], &q);

        if (order[i] == ACCESS_CLIENT && q.user.len > 0)
            continue;
        if (by != NULL && find(list, count, false, order[i], &q) == NULL)
            return by;
    }
    return NULL;
}

struct reply access_refusal(const struct access *by, const struct rules_query *query,
                            struct arena *arena)
{
    struct reply r = REPLY(554, "5.7.1", "");

    switch (by->about) {
    case ACCESS_CLIENT:
        r.text = arena_printf(arena, "<unknown[%.*s]>: Client host rejected: Access denied",
                              SLICE_PRINTF(query->client));
        break;
    case ACCESS_SENDER:
        r.text = arena_printf(arena, "<%.*s>: Sender address rejected: Access denied",
                              SLICE_PRINTF(address_text(arena, &query->sender)));
        break;
    case ACCESS_RCPT:
        r.text = arena_printf(arena, "<%.*s>: Recipient address rejected: Access denied",
                              SLICE_PRINTF(address_text(arena, &query->rcpt)));
        break;
    }
    return r;
}
