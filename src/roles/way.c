/*
 * way.c - the envelope as the rules want to be asked.
 */
#include "roles/way.h"

#include "mail/rewrite.h"

/* Own clients are told apart as at RCPT: loopback is local. Our own reports are, too. */
static bool came_from_local(struct slice client)
{
    return slice_equal(client, SLICE("local")) || slice_equal(client, SLICE("::1")) ||
           slice_starts(client, SLICE("127."));
}

struct decision way_of(const struct rules *rules, const struct envelope *e, unsigned rcpt,
                       struct arena *arena)
{
    struct rules_query query = {came_from_local(e->client_address), e->sender,
                                e->rcpts[rcpt].original, e->user, e->client_address};

    (void)rewrite_address(rules, REWRITE_RCPT, &query.rcpt, arena);
    return rules_decide(rules, &query, &e->rcpts[rcpt].final, arena);
}
