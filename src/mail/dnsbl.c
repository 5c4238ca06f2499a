/*
 * dnsbl.c - ask all, judge in the order of the file.
 *
 * A zone that fails lets the client through, and is told: a list that is down must not stop the
 * mail of everybody.
 */
#include "mail/dnsbl.h"

#include <string.h>

/* The name that a zone has for this client: that of its PTR record, with the zone for the end. */
static struct slice name_in(struct slice zone, const unsigned char ip[16], struct arena *arena)
{
    static const struct slice ends[] = {SLICE_INIT("in-addr.arpa"), SLICE_INIT("ip6.arpa")};
    struct slice name = dns_reverse_name(ip, arena);

    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        if (slice_ends(name, ends[i]))
            name = slice_head(name, name.len - ends[i].len);
    return arena_printf(arena, "%.*s%.*s", SLICE_PRINTF(name), SLICE_PRINTF(zone));
}

static bool starts(const struct dns_record *r, const unsigned char *bytes, size_t count)
{
    return memcmp(r->ip + 12, bytes, count) == 0; /* v4-mapped */
}

/* One address that is no listing is enough: who says so says nothing of the client. */
static const char *not_a_listing(const struct dns_answer *a)
{
    static const unsigned char listed[] = {127}, refused[] = {127, 255, 255};

    for (size_t i = 0; i < a->count; i++) {
        if (starts(&a->records[i], refused, sizeof(refused)))
            return "it refuses to answer our resolver (127.255.255.x)";
        if (!starts(&a->records[i], listed, sizeof(listed)))
            return "it answers with an address outside of 127.0.0.0/8";
    }
    return a->count == 0 ? "its answer holds no address" : NULL;
}

struct zone_answer {
    enum dnsbl_finding finding;
    struct slice trouble;
};

static struct zone_answer ask(struct slice zone, struct slice name, struct facts *facts,
                              struct arena *arena)
{
    const struct dns_answer *a;
    const char *why;
    enum fact fact = facts_ask(facts, DNS_A, name, &a);

    switch (fact) {
    case FACT_UNKNOWN: return (struct zone_answer){DNSBL_UNKNOWN, SLICE("")};
    case FACT_NONE:
    case FACT_NXDOMAIN: return (struct zone_answer){DNSBL_NOT_LISTED, SLICE("")};
    case FACT_FAILED:
    case FACT_BOGUS:
        return (struct zone_answer){
            DNSBL_NOT_LISTED,
            arena_printf(arena, "%.*s: %.*s", SLICE_PRINTF(zone), SLICE_PRINTF(a->why))};
    case FACT_FOUND: break;
    }
    why = not_a_listing(a);
    if (why == NULL)
        return (struct zone_answer){DNSBL_LISTED, SLICE("")};
    return (struct zone_answer){DNSBL_NOT_LISTED,
                                arena_printf(arena, "%.*s: %s", SLICE_PRINTF(zone), why)};
}

/* A list may have no words. */
static enum dnsbl_finding listed(struct slice zone, struct slice name, struct facts *facts,
                                 struct arena *arena, struct dnsbl_result *out)
{
    const struct dns_answer *a;
    enum fact fact = facts_ask(facts, DNS_TXT, name, &a);

    if (fact == FACT_UNKNOWN)
        return DNSBL_UNKNOWN;
    *out = (struct dnsbl_result){.zone = zone};
    if (fact == FACT_FOUND && a->count > 0) {
        struct slice text = slice_head(a->records[0].data, DNSBL_TEXT_MAX);

        out->text = arena_copy(arena, slice_head(text, slice_find(text, '\n')));
    }
    return DNSBL_LISTED;
}

enum dnsbl_finding dnsbl_find(const struct dnsbl_zone *zones, const unsigned char ip[16],
                              struct facts *facts, struct arena *arena, struct dnsbl_result *out)
{
    struct slice trouble = SLICE("");
    bool waits = false;

    for (const struct dnsbl_zone *z = zones; z != NULL; z = z->next) {
        struct slice name = name_in(z->name, ip, arena);
        struct zone_answer a = ask(z->name, name, facts, arena);

        if (a.finding == DNSBL_LISTED && !waits)
            return listed(z->name, name, facts, arena, out);
        waits = waits || a.finding == DNSBL_UNKNOWN;
        if (a.trouble.len > 0)
            trouble = a.trouble;
    }
    if (waits)
        return DNSBL_UNKNOWN;
    *out = (struct dnsbl_result){.trouble = trouble};
    return DNSBL_NOT_LISTED;
}

struct reply dnsbl_refusal(const struct dnsbl_result *r, struct slice client, struct arena *arena)
{
    struct reply reply = REPLY(554, "5.7.1", "");

    reply.text =
        arena_printf(arena, "Service unavailable; Client host [%.*s] blocked using %.*s%s%.*s",
                     SLICE_PRINTF(client), SLICE_PRINTF(r->zone), r->text.len > 0 ? "; " : "",
                     SLICE_PRINTF(r->text));
    return reply;
}
