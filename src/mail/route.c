/*
 * route.c - by MX, by address, by a list of hosts.
 *
 * The order of the steps is that of RFC 5321 5.1, and each is a function: read the MX list, sort
 * it, look up the hosts, find ourselves among them and cut there, take addresses. Every question
 * that can be asked in one run is asked before the run gives up, so that a route needs two rounds
 * of questions and no more.
 *
 * What fails for now and what fails for good is kept apart: only when no host is left does it
 * matter, and then a single host that might come back makes the whole temporary.
 */
#include "mail/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const unsigned char mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* ---- chance: the same for every run over the same facts ---- */

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static uint64_t lot(const struct route_options *options, uint64_t a, uint64_t b)
{
    return mix(options->chance ^ mix(a << 32 | b));
}

/* ---- refusals ---- */

static enum route_outcome refuse(struct route *out, unsigned code, struct slice enhanced,
                                 struct slice text)
{
    out->refusal = (struct reply){code, enhanced, text};
    return code < 500 ? ROUTE_TEMPORARY : ROUTE_PERMANENT;
}

static struct slice why_of(enum fact fact, const struct dns_answer *answer)
{
    if (answer->why.len > 0)
        return answer->why;
    return fact == FACT_BOGUS ? SLICE("DNSSEC signatures are missing or wrong")
                              : SLICE("no answer");
}

static enum route_outcome refuse_for_now(struct route *out, struct arena *arena, struct slice name,
                                         struct slice type, struct slice why)
{
    return refuse(out, 451, SLICE("4.4.3"),
                  arena_printf(arena, "DNS look-up of %.*s %.*s failed: %.*s", SLICE_PRINTF(name),
                               SLICE_PRINTF(type), SLICE_PRINTF(why)));
}

/* ---- addresses ---- */

static bool is_ipv4(const unsigned char ip[16])
{
    return memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

/* This machine by every spelling: 127/8, 0/8, ::, ::1, and IPv4 inside of IPv6 likewise. */
static bool leads_home(const unsigned char ip[16])
{
    static const unsigned char zeros[15];

    if (is_ipv4(ip))
        return ip[12] == 127 || ip[12] == 0;
    return memcmp(ip, zeros, sizeof(zeros)) == 0 && ip[15] <= 1;
}

static bool is_own_ip(const struct route_options *options, const unsigned char ip[16])
{
    for (size_t i = 0; i < options->own_ip_count; i++)
        if (memcmp(options->own_ips[i].ip, ip, 16) == 0)
            return true;
    return false;
}

static bool is_own_name(const struct route_options *options, struct slice name)
{
    for (size_t i = 0; i < options->own_name_count; i++)
        if (slice_equal_nocase(options->own_names[i], name))
            return true;
    return false;
}

/* What is known of one host's addresses. */
struct found {
    const struct dns_answer *answers[2]; /* AAAA, A; NULL: not asked */
    bool unknown, failed, own, home, alias, secure;
    struct slice why;
    unsigned char ips[2][ROUTE_HOST_HOPS_MAX][16];
    bool proved[2];
    size_t counts[2];
};

static bool family_is_used(enum route_family family, unsigned which)
{
    return family != (which == 0 ? FAMILY_IPV4_ONLY : FAMILY_IPV6_ONLY);
}

static void keep_address(struct found *f, unsigned which, const struct dns_record *record,
                         const struct route_options *options, uint64_t draw)
{
    size_t *count = &f->counts[which];
    size_t at = *count;

    f->own = f->own || is_own_ip(options, record->ip);
    if (leads_home(record->ip) && !options->loopback_allowed) {
        f->home = true;
        return;
    }
    /* A place by lot: those before it stay a fair shuffle. When full, one of them goes. */
    if (*count < ROUTE_HOST_HOPS_MAX)
        (*count)++;
    else
        at--;
    size_t place = draw % (at + 1);
    memcpy(f->ips[which][at], f->ips[which][place], 16);
    memcpy(f->ips[which][place], record->ip, 16);
}

static void look_up(struct facts *facts, struct slice name, unsigned which, uint64_t number,
                    const struct route_options *options, struct found *f)
{
    const struct dns_answer *answer;
    enum fact fact = facts_ask(facts, which == 0 ? DNS_AAAA : DNS_A, name, &answer);

    switch (fact) {
    case FACT_UNKNOWN: f->unknown = true; return;
    case FACT_FAILED:
    case FACT_BOGUS:
        f->failed = true;
        f->why = why_of(fact, answer);
        return;
    case FACT_NONE:
    case FACT_NXDOMAIN: return;
    case FACT_FOUND: break;
    }
    f->alias = f->alias || !slice_equal_nocase(answer->canonical, name);
    f->proved[which] = answer->secure;
    for (size_t i = 0; i < answer->count; i++)
        keep_address(f, which, &answer->records[i], options, lot(options, number, i + which));
}

/* Both families are asked for whatever the preference is: an address of ours in the other one
 * tells that the host is us. */
static void find_host(struct facts *facts, struct slice name, uint64_t number,
                      const struct route_options *options, struct found *f)
{
    *f = (struct found){0};
    for (unsigned which = 0; which < 2; which++) {
        look_up(facts, name, which, number, options, f);
        if (!family_is_used(options->family, which))
            f->counts[which] = 0;
    }
    f->secure = (f->counts[0] == 0 || f->proved[0]) && (f->counts[1] == 0 || f->proved[1]) &&
                f->counts[0] + f->counts[1] > 0;
}

static void add_hop(struct route *out, const struct route_hop *hop)
{
    if (out->hop_count < ROUTE_HOPS_MAX)
        out->hops[out->hop_count++] = *hop;
}

/* Families in turns, or one behind the other. */
static void add_hops(struct route *out, const struct route_host *host, uint16_t port,
                     const struct found *f, enum route_family family)
{
    unsigned first = family == FAMILY_IPV4_FIRST ? 1 : 0;
    size_t at[2] = {0, 0};
    unsigned which = first;

    for (size_t n = 0; n < ROUTE_HOST_HOPS_MAX && at[0] + at[1] < f->counts[0] + f->counts[1];
         n++) {
        if (at[which] == f->counts[which])
            which = 1 - which;
        struct route_hop hop = {.host = host, .port = port, .secure = f->proved[which]};
        memcpy(hop.ip, f->ips[which][at[which]++], 16);
        add_hop(out, &hop);
        if (family == FAMILY_BOTH)
            which = 1 - which;
    }
}

/* The fate of a host that is not us. */
static enum route_fate fate_of(const struct found *f)
{
    if (f->counts[0] + f->counts[1] > 0)
        return f->alias ? HOST_LAST_RESORT : HOST_USED;
    if (f->failed)
        return HOST_FAILED;
    return f->home ? HOST_LOOPBACK : HOST_NO_ADDRESS;
}

static void begin(struct route *out, struct arena *arena, size_t host_count)
{
    *out = (struct route){
        .hosts = ARENA_ARRAY(arena, struct route_host, host_count),
        .hops = ARENA_ARRAY(arena, struct route_hop, ROUTE_HOPS_MAX),
    };
}

static bool has_fate(const struct route *route, enum route_fate fate)
{
    for (size_t i = 0; i < route->host_count; i++)
        if (route->hosts[i].fate == fate)
            return true;
    return false;
}

/* ---- the MX list ---- */

struct ordered {
    const struct dns_record *mx;
    uint64_t lot;
};

static int compare_ordered(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;

    if (x->mx->preference != y->mx->preference)
        return x->mx->preference < y->mx->preference ? -1 : 1;
    return x->lot < y->lot ? -1 : x->lot > y->lot;
}

/* Fills out->hosts by preference, equals by lot. */
static void sort_hosts(const struct dns_answer *answer, const struct route_options *options,
                       struct arena *arena, struct route *out)
{
    struct ordered *order = ARENA_ARRAY(arena, struct ordered, answer->count);

    for (size_t i = 0; i < answer->count; i++)
        order[i] = (struct ordered){&answer->records[i], lot(options, 0, i)};
    qsort(order, answer->count, sizeof(*order), compare_ordered);
    for (size_t i = 0; i < answer->count; i++)
        out->hosts[i] =
            (struct route_host){.name = order[i].mx->data, .preference = order[i].mx->preference};
    out->host_count = answer->count;
}

/* Alone it says: no mail here. RFC 7505 3: among others it is an error of the zone's owner. */
static bool is_null_mx(const struct dns_answer *answer)
{
    return answer->count == 1 && answer->unusable == 0 && answer->records[0].data.len == 0;
}

/* From this preference on we are no nearer to the destination than those behind us. */
static void cut_at(struct route *out, uint16_t preference)
{
    for (size_t i = 0; i < out->host_count; i++)
        if (out->hosts[i].preference >= preference && out->hosts[i].fate != HOST_OWN)
            out->hosts[i].fate = HOST_BEHIND_OWN;
}

/* RFC 5321 5.1: "the SMTP client MUST [...] discard" those as far as itself. By name first, over
 * the whole list; then by address, which needs the answers. */
static size_t cut_at_own_names(struct route *out, const struct route_options *options)
{
    for (size_t i = 0; i < out->host_count; i++) {
        if (!is_own_name(options, out->hosts[i].name))
            continue;
        out->hosts[i].fate = HOST_OWN;
        cut_at(out, out->hosts[i].preference);
        break;
    }

    size_t left = 0;

    for (size_t i = 0; i < out->host_count; i++) {
        struct route_host *host = &out->hosts[i];

        if (host->fate != HOST_USED)
            continue;
        if (host->name.len == 0)
            host->fate = HOST_IGNORED;
        else if (left == ROUTE_HOSTS_MAX)
            host->fate = HOST_TOO_MANY;
        else
            left++;
    }
    return left;
}

/* True when something is still unknown. */
static bool find_hosts(struct facts *facts, struct route *out, const struct route_options *options,
                       struct found *found)
{
    bool unknown = false;

    for (size_t i = 0, n = 0; i < out->host_count; i++) {
        if (out->hosts[i].fate != HOST_USED)
            continue;
        find_host(facts, out->hosts[i].name, i + 1, options, &found[n]);
        unknown = unknown || found[n].unknown;
        n++;
    }
    return unknown;
}

static void judge_hosts(struct route *out, const struct found *found)
{
    bool met_own = false;
    uint16_t own_preference = 0;

    for (size_t i = 0, n = 0; i < out->host_count; i++) {
        struct route_host *host = &out->hosts[i];

        if (host->fate != HOST_USED)
            continue;
        const struct found *f = &found[n++];
        host->fate = f->own ? HOST_OWN : fate_of(f);
        host->secure = f->secure;
        host->why = f->why;
        if (f->own && !met_own) {
            met_own = true;
            own_preference = host->preference;
        }
    }
    if (met_own)
        cut_at(out, own_preference);
}

static void take_hops(struct route *out, enum route_fate fate, const struct found *const *of_host,
                      const struct route_options *options)
{
    for (size_t i = 0; i < out->host_count; i++)
        if (out->hosts[i].fate == fate && of_host[i] != NULL)
            add_hops(out, &out->hosts[i], options->port, of_host[i], options->family);
}

/* Proper hosts by preference; aliases only where there is no other. */
static void take_all_hops(struct route *out, const struct found *const *of_host,
                          const struct route_options *options)
{
    take_hops(out, HOST_USED, of_host, options);
    if (out->hop_count == 0) {
        take_hops(out, HOST_LAST_RESORT, of_host, options);
        return;
    }
    for (size_t i = 0; i < out->host_count; i++)
        if (out->hosts[i].fate == HOST_LAST_RESORT)
            out->hosts[i].fate = HOST_IGNORED;
}

/* No hop is left: why. */
static enum route_outcome refuse_hosts(struct route *out, struct arena *arena)
{
    for (size_t i = 0; i < out->host_count; i++)
        if (out->hosts[i].fate == HOST_FAILED)
            return refuse_for_now(out, arena, out->hosts[i].name, SLICE("A and AAAA"),
                                  out->hosts[i].why);
    if (has_fate(out, HOST_OWN) || has_fate(out, HOST_LOOPBACK))
        return refuse(
            out, 554, SLICE("5.4.6"),
            arena_printf(arena, "Mail for %.*s loops back to myself", SLICE_PRINTF(out->domain)));
    if (!out->by_mx)
        return refuse(out, 550, SLICE("5.1.2"),
                      arena_printf(arena, "Domain %.*s has no mail server: no MX, A or AAAA record",
                                   SLICE_PRINTF(out->domain)));
    return refuse(out, 550, SLICE("5.4.4"),
                  arena_printf(arena, "None of the mail servers of %.*s has an address",
                               SLICE_PRINTF(out->domain)));
}

/* out->hosts is filled and sorted; the rest is alike for MX and for the domain's own address. */
static enum route_outcome route_hosts(struct facts *facts, const struct route_options *options,
                                      struct arena *arena, struct route *out)
{
    size_t left = cut_at_own_names(out, options);
    struct found *found = ARENA_ARRAY(arena, struct found, left);
    const struct found **of_host = ARENA_ARRAY(arena, const struct found *, out->host_count);

    for (size_t i = 0, n = 0; i < out->host_count; i++)
        if (out->hosts[i].fate == HOST_USED)
            of_host[i] = &found[n++];
    if (find_hosts(facts, out, options, found))
        return ROUTE_UNKNOWN;
    judge_hosts(out, found);
    take_all_hops(out, of_host, options);
    return out->hop_count > 0 ? ROUTE_FOUND : refuse_hosts(out, arena);
}

/* ---- direct delivery ---- */

static enum route_outcome route_literal(const struct address *rcpt,
                                        const struct route_options *options, struct arena *arena,
                                        struct route *out)
{
    struct cursor c = {rcpt->domain};
    struct route_hop hop = {.port = options->port};
    bool parsed;

    begin(out, arena, 1);
    out->domain = out->canonical = rcpt->domain;
    out->hosts[0] = (struct route_host){.name = rcpt->domain};
    out->host_count = 1;
    if (take_word(&c, SLICE("IPv6:"))) {
        parsed = ipv6_parse(c.rest, hop.ip);
    } else {
        memcpy(hop.ip, mapped_prefix, sizeof(mapped_prefix));
        parsed = ipv4_parse(c.rest, hop.ip + 12);
    }
    if (!parsed)
        return refuse(out, 550, SLICE("5.1.2"), SLICE("Address literal cannot be read"));
    if (is_own_ip(options, hop.ip))
        out->hosts[0].fate = HOST_OWN;
    else if (leads_home(hop.ip) && !options->loopback_allowed)
        out->hosts[0].fate = HOST_LOOPBACK;
    if (out->hosts[0].fate != HOST_USED)
        return refuse_hosts(out, arena);
    hop.host = &out->hosts[0];
    add_hop(out, &hop);
    return ROUTE_FOUND;
}

/* RFC 5321 5.1: "If an empty list of MXs is returned, the address is treated as if it was
 * associated with an implicit MX RR, with a preference of 0, pointing to that host." */
static enum route_outcome route_implicit(struct facts *facts, const struct dns_answer *answer,
                                         const struct route_options *options, struct arena *arena,
                                         struct route *out)
{
    struct slice domain = out->domain;

    begin(out, arena, 1);
    out->domain = domain;
    out->canonical = answer->canonical;
    out->mx_secure = answer->secure;
    /* Where the domain's aliases ended: an alias of a domain is proper, one of an MX host not. */
    out->hosts[0] = (struct route_host){.name = answer->canonical};
    out->host_count = 1;
    return route_hosts(facts, options, arena, out);
}

static enum route_outcome route_mx(struct facts *facts, const struct dns_answer *answer,
                                   const struct route_options *options, struct arena *arena,
                                   struct route *out)
{
    struct slice domain = out->domain;

    if (is_null_mx(answer))
        return refuse(
            out, 556, SLICE("5.1.10"),
            arena_printf(arena, "Domain %.*s takes no mail (null MX)", SLICE_PRINTF(domain)));
    begin(out, arena, answer->count);
    out->domain = domain;
    out->canonical = answer->canonical;
    out->by_mx = true;
    out->mx_secure = answer->secure;
    sort_hosts(answer, options, arena, out);
    return route_hosts(facts, options, arena, out);
}

static enum route_outcome route_domain(struct facts *facts, const struct route_options *options,
                                       struct arena *arena, struct route *out)
{
    const struct dns_answer *answer;
    enum fact fact = facts_ask(facts, DNS_MX, out->domain, &answer);

    switch (fact) {
    case FACT_UNKNOWN: return ROUTE_UNKNOWN;
    case FACT_FOUND: return route_mx(facts, answer, options, arena, out);
    case FACT_NONE: return route_implicit(facts, answer, options, arena, out);
    case FACT_NXDOMAIN: break;
    case FACT_FAILED: /* never the A record: there may be an MX list that says otherwise */
    case FACT_BOGUS:
        return refuse_for_now(out, arena, out->domain, SLICE("MX"), why_of(fact, answer));
    }
    return refuse(out, 550, SLICE("5.1.2"),
                  arena_printf(arena, "Domain %.*s does not exist", SLICE_PRINTF(out->domain)));
}

enum route_outcome route_direct(struct facts *facts, const struct address *rcpt,
                                const struct route_options *options, struct arena *arena,
                                struct route *out)
{
    *out = (struct route){0};
    if (rcpt->kind == ADDRESS_LITERAL)
        return route_literal(rcpt, options, arena, out);
    if (!domain_to_ascii(rcpt->domain, arena, &out->domain))
        return refuse(out, 550, SLICE("5.1.2"), SLICE("Domain cannot be looked up"));
    return route_domain(facts, options, arena, out);
}

/* ---- turns ---- */

static void reverse(struct route_hop *hops, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct route_hop kept = hops[i];

        hops[i] = hops[count - 1 - i];
        hops[count - 1 - i] = kept;
    }
}

/* The hops before `first` go behind the others. */
static void turn_to(struct route_hop *hops, size_t count, size_t first)
{
    reverse(hops, first);
    reverse(hops + first, count - first);
    reverse(hops, count);
}

static bool begins_host(const struct route_hop *hops, size_t at)
{
    return at == 0 || hops[at].host != hops[at - 1].host;
}

static void turn_equals(struct route_hop *hops, size_t count, uint64_t chance)
{
    size_t hosts = 0, pick, at = 0;

    for (size_t i = 0; i < count; i++)
        hosts += begins_host(hops, i) ? 1 : 0;
    pick = (size_t)(chance % hosts);
    for (size_t i = 0, seen = 0; i < count; i++)
        if (begins_host(hops, i) && seen++ == pick)
            at = i;
    turn_to(hops, count, at);
}

void route_turn(struct route *route, uint64_t chance)
{
    /* A relay's hosts have an order of their own. */
    for (size_t i = 0, end; route->by_mx && i < route->hop_count; i = end) {
        for (end = i + 1; end < route->hop_count; end++)
            if (route->hops[end].host->preference != route->hops[i].host->preference)
                break;
        turn_equals(route->hops + i, end - i, mix(chance + i));
    }
}

struct slice route_fate_text(enum route_fate fate)
{
    switch (fate) {
    case HOST_USED: return SLICE("used");
    case HOST_LAST_RESORT: return SLICE("used though it is an alias, since there is no other");
    case HOST_IGNORED: return SLICE("ignored");
    case HOST_OWN: return SLICE("this server itself");
    case HOST_BEHIND_OWN: return SLICE("no nearer than this server itself");
    case HOST_NO_ADDRESS: return SLICE("no address");
    case HOST_FAILED: return SLICE("look-up failed");
    case HOST_LOOPBACK: return SLICE("its address leads back to this machine");
    case HOST_TOO_MANY: return SLICE("one too many");
    }
    return SLICE("");
}

bool route_host_is_used(const struct route_host *host)
{
    return host->fate == HOST_USED || host->fate == HOST_LAST_RESORT;
}

/* Its length; more than `size`: it did not fit. */
static size_t write_alternative(const struct route_host *host, bool by_mx, char *out, size_t size)
{
    int len = by_mx ? snprintf(out, size, "%u:%.*s", host->preference, SLICE_PRINTF(host->name))
                    : snprintf(out, size, "%.*s", SLICE_PRINTF(host->name));
    size_t used = len < 0 ? size : (size_t)len;

    if (route_host_is_used(host) || used >= size)
        return used;
    len = snprintf(out + used, size - used, "(%.*s)", SLICE_PRINTF(route_fate_text(host->fate)));
    for (size_t i = used; i < size && out[i] != 0; i++)
        if (out[i] == ' ')
            out[i] = '-';
    return len < 0 ? size : used + (size_t)len;
}

struct slice route_alternatives(const struct route *route, char *out, size_t size)
{
    struct slice text = {out, 0};

    if (route->host_count == 1 && route_host_is_used(&route->hosts[0]))
        return text;
    for (size_t i = 0; i < route->host_count; i++) {
        size_t start = i > 0 ? text.len + 1 : 0;
        size_t len = start < size ? write_alternative(&route->hosts[i], route->by_mx, out + start,
                                                      size - start)
                                  : size;

        if (start + len >= size)
            break;
        if (i > 0)
            out[text.len] = '/';
        text.len = start + len;
    }
    return text;
}

/* ---- targets ---- */

/* One target; true when something is still unknown. */
static bool route_target(struct facts *facts, const struct route_target *target, size_t number,
                         const struct route_options *options, struct route *out)
{
    struct route_host *host = &out->hosts[number];
    struct route_hop hop = {.host = host, .port = target->port};
    struct found found;

    *host = (struct route_host){.name = target->name};
    switch (target->kind) {
    case TARGET_PATH: hop.path = target->name; break;
    case TARGET_IP: memcpy(hop.ip, target->ip, 16); break;
    case TARGET_NAME:
        find_host(facts, target->name, number + 1, options, &found);
        host->fate = fate_of(&found);
        host->secure = found.secure;
        host->why = found.why;
        if (host->fate == HOST_LAST_RESORT)
            host->fate = HOST_USED; /* a configured name may well be an alias */
        add_hops(out, host, target->port, &found, options->family);
        return found.unknown;
    }
    add_hop(out, &hop);
    return false;
}

enum route_outcome route_targets(struct facts *facts, const struct route_target *targets,
                                 size_t count, const struct route_options *options,
                                 struct arena *arena, struct route *out)
{
    struct route_options as_told = *options;
    bool unknown = false;

    as_told.loopback_allowed = true;
    if (count > ROUTE_HOSTS_MAX)
        count = ROUTE_HOSTS_MAX;
    begin(out, arena, count);
    for (size_t i = 0; i < count; i++) {
        unknown = route_target(facts, &targets[i], i, &as_told, out) || unknown;
        out->host_count++;
    }
    if (unknown)
        return ROUTE_UNKNOWN;
    if (out->hop_count > 0)
        return ROUTE_FOUND;
    for (size_t i = 0; i < count; i++)
        if (out->hosts[i].fate == HOST_FAILED)
            return refuse_for_now(out, arena, out->hosts[i].name, SLICE("A and AAAA"),
                                  out->hosts[i].why);
    /* Somebody's configuration is wrong, and the mail is not to blame. */
    return refuse(out, 451, SLICE("4.4.4"),
                  count == 0 ? SLICE("The relay has no host")
                             : arena_printf(arena, "Relay host %.*s has no address",
                                            SLICE_PRINTF(out->hosts[0].name)));
}
