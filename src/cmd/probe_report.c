/*
 * probe_report.c - what was found out, as a table for people.
 *
 * The first line is the answer; the rest is for who wants to know why. Every value passes
 * log_escape(): most of it is the server's.
 */
#include "cmd/probe.h"

#include "wire/date.h"
#include "wire/log_line.h"

#include <inttypes.h>

enum { TRICK_WIDTH = 26, VALUE_MAX = 600, HOSTS_SHOWN = 30, DAY_S = 24 * 60 * 60 };

static void row(struct buf *out, const char *label, struct slice value)
{
    buf_printf(out, "%-12s ", label);
    log_escape(out, value, VALUE_MAX);
    buf_append_char(out, '\n');
}

static void tell_answer(struct probe *p, struct buf *out)
{
    static const char *const words[] = {
        [PROBE_NO] = "no: ", [PROBE_YES] = "yes (", [PROBE_UNKNOWN] = "unknown: "};

    buf_printf(out, "speaks SMTP: %s", words[p->speaks]);
    log_escape(out, p->why, VALUE_MAX);
    buf_append(out, p->speaks == PROBE_YES ? SLICE(")\n") : SLICE("\n"));
}

/* ---- where ---- */

static void tell_server(struct probe *p, struct buf *out)
{
    if (p->chosen != NULL)
        row(out, "server", probe_hop_text(p->chosen->hop, &p->arena));
    if (p->speaks == PROBE_YES)
        row(out, "says hello", probe_hello_name(&p->session));
}

static bool is_loopback(const unsigned char ip[16])
{
    struct net_address address = {0};

    for (size_t i = 0; i < sizeof(address.ip); i++)
        address.ip[i] = ip[i];
    return net_address_is_loopback(&address);
}

/* A server at a loopback address is here, whoever asks: a frequent slip in a zone. */
static struct slice addresses_of(struct probe *p, const struct route_host *host)
{
    struct slice text = SLICE("");
    bool home = false;

    for (size_t i = 0; i < p->route.hop_count; i++) {
        if (p->route.hops[i].host != host)
            continue;
        struct slice ip = probe_ip_text(p->route.hops[i].ip, &p->arena);
        text = arena_printf(&p->arena, "%.*s%s%.*s", SLICE_PRINTF(text), text.len > 0 ? ", " : "",
                            SLICE_PRINTF(ip));
        home = home || is_loopback(p->route.hops[i].ip);
    }
    if (home)
        text = arena_printf(&p->arena, "%.*s (leads back to whoever asks)", SLICE_PRINTF(text));
    return text;
}

static void tell_host(struct probe *p, const struct route_host *host, struct buf *out)
{
    struct slice addresses = addresses_of(p, host), fate = route_fate_text(host->fate);
    struct slice name = host->name.len > 0 ? host->name : SLICE(".");
    bool used = host->fate == HOST_USED;

    row(out, "",
        arena_printf(&p->arena, "%5u %.*s: %.*s%s%.*s", host->preference, SLICE_PRINTF(name),
                     SLICE_PRINTF(addresses), used || addresses.len == 0 ? "" : ", ",
                     used ? 0 : (int)fate.len, fate.data));
}

static void tell_mx(struct probe *p, struct buf *out)
{
    const struct route *route = &p->route;
    struct slice canonical = route->canonical;
    bool alias = canonical.len > 0 && !slice_equal(canonical, route->domain);

    if (p->request.kind != PROBE_DOMAIN || route->host_count == 0)
        return;
    row(out, "domain",
        arena_printf(&p->arena, "%.*s%s%.*s, %s%s", SLICE_PRINTF(route->domain),
                     alias ? ", an alias of " : "", alias ? (int)canonical.len : 0, canonical.data,
                     route->by_mx ? "by MX" : "no MX: the domain's own address",
                     route->mx_secure ? ", proved by DNSSEC" : ""));
    for (size_t i = 0; i < route->host_count && i < HOSTS_SHOWN; i++)
        tell_host(p, &route->hosts[i], out);
    if (route->host_count > HOSTS_SHOWN)
        row(out, "", arena_printf(&p->arena, "... and %zu more", route->host_count - HOSTS_SHOWN));
}

/* All but the one that the first line speaks of. */
static void tell_tries(struct probe *p, struct buf *out)
{
    if (p->speaks == PROBE_UNKNOWN) /* whose name servers know nothing of DNSSEC, for one */
        row(out, "try", SLICE("--resolver recursive, or --resolver ADDR"));
    for (unsigned i = 0; i < p->try_count; i++) {
        const struct probe_try *try = &p->tries[i];

        if (try == p->chosen)
            continue;
        struct slice hop = probe_hop_text(try->hop, &p->arena);
        row(out, "tried",
            arena_printf(&p->arena, "%.*s: %.*s", SLICE_PRINTF(hop), SLICE_PRINTF(try->why)));
    }
}

/* ---- what it offers ---- */

static void tell_extensions(struct probe *p, struct buf *out)
{
    const struct probe_session *s = &p->session;
    size_t count, left_out;
    struct probe_extension *list = probe_extensions(s, &p->arena, &count, &left_out);
    bool both = s->secured && !s->implicit;

    for (size_t i = 0; i < count; i++) {
        const struct probe_extension *e = &list[i];
        const char *when = "";

        if (both && !e->clear)
            when = "   (under TLS only)";
        else if (both && !e->secured && !slice_equal_nocase(e->name, SLICE("STARTTLS")))
            when = "   (in the clear only)";
        row(out, i == 0 ? "extensions" : "",
            arena_printf(&p->arena, "%.*s%s%.*s%s", SLICE_PRINTF(e->name),
                         e->params.len > 0 ? " " : "", SLICE_PRINTF(e->params), when));
    }
    if (left_out > 0)
        row(out, "", arena_printf(&p->arena, "... and %zu more", left_out));
    if (count == 0)
        row(out, "extensions",
            heard_find(&s->heard, STEP_HELO, false) != NULL ? SLICE("none: it knows only HELO")
                                                            : SLICE("none"));
}

/* ---- TLS ---- */

static void tell_tls_state(struct probe *p, struct buf *out)
{
    const struct probe_session *s = &p->session;
    struct slice why, text = {0};

    switch (probe_tls_state(s, &p->arena, &why)) {
    case TLS_NOT_OFFERED: text = SLICE("not offered"); break;
    case TLS_NOT_TRIED: text = SLICE("offered, not tried"); break;
    case TLS_REFUSED:
        text = arena_printf(&p->arena, "offered, but STARTTLS is refused: %.*s", SLICE_PRINTF(why));
        break;
    case TLS_FAILED:
        text = arena_printf(&p->arena, "offered, but it fails: %.*s", SLICE_PRINTF(why));
        break;
    case TLS_ON:
        text = arena_printf(&p->arena, "%.*s, %.*s, %s", SLICE_PRINTF(s->tls_version),
                            SLICE_PRINTF(s->tls_cipher),
                            s->implicit ? "from the first byte" : "by STARTTLS");
        break;
    }
    row(out, "TLS", text);
}

static struct slice date_text(int64_t s, struct arena *arena)
{
    struct buf out;
    struct slice text;

    buf_init(&out, 64);
    date_write_iso(&out, s > 0 ? (uint64_t)s * 1000000 : 0, 0);
    text = arena_copy(arena, slice_head(buf_slice(&out), 10));
    buf_done(&out);
    return text;
}

static void tell_validity(struct probe *p, const struct tls_peer *peer, struct buf *out)
{
    struct slice from = date_text(peer->from_s, &p->arena);
    struct slice until = date_text(peer->until_s, &p->arena);
    int64_t now = (int64_t)p->now_s, days = (peer->until_s - now) / DAY_S;
    struct slice state;

    if (now < peer->from_s)
        state = SLICE("NOT YET VALID");
    else if (now > peer->until_s)
        state = SLICE("EXPIRED");
    else
        state = arena_printf(&p->arena, "%" PRId64 " days left", days);
    row(out, "  valid",
        arena_printf(&p->arena, "%.*s to %.*s: %.*s", SLICE_PRINTF(from), SLICE_PRINTF(until),
                     SLICE_PRINTF(state)));
}

static void tell_names(struct probe *p, const struct tls_peer *peer, struct buf *out)
{
    struct slice text = SLICE("");

    for (size_t i = 0; i < peer->name_count && text.len < VALUE_MAX; i++)
        text = arena_printf(&p->arena, "%.*s%s%.*s", SLICE_PRINTF(text), i > 0 ? ", " : "",
                            SLICE_PRINTF(peer->names[i]));
    if (text.len > 0)
        row(out, "  names", text);
}

static void tell_trust(struct probe *p, const struct tls_peer *peer, struct buf *out)
{
    bool trusted = peer->mistrust.len == 0;
    struct slice name = p->session.options.tls_name;

    row(out, "  trusted",
        arena_printf(&p->arena, "%s%.*s", trusted ? "yes" : "no: ", SLICE_PRINTF(peer->mistrust)));
    if (peer->name_asked)
        row(out, "  name",
            arena_printf(&p->arena, "%s %.*s", peer->name_matches ? "fits" : "does NOT fit",
                         SLICE_PRINTF(name)));
}

static void tell_tls(struct probe *p, struct buf *out)
{
    const struct tls_peer *peer = &p->session.peer;

    tell_tls_state(p, out);
    if (!p->session.has_peer)
        return;
    row(out, "certificate", peer->subject);
    tell_names(p, peer, out);
    row(out, "  issuer", peer->issuer);
    row(out, "  key", peer->key);
    tell_validity(p, peer, out);
    tell_trust(p, peer, out);
}

/* ---- relaying ---- */

static void tell_relay(struct probe *p, struct buf *out)
{
    struct slice why, to = address_text(&p->arena, &p->request.to), text = {0};

    switch (probe_relay(probe_asker(p), &p->arena, &why)) {
    case RELAY_UNTESTED: text = SLICE("not tested:"); break;
    case RELAY_NO: text = SLICE("no:"); break;
    case RELAY_YES:
        text = SLICE("YES, unless it trusts this machine or that address is its own:");
        break;
    case RELAY_UNDECIDED: text = SLICE("undecided:"); break;
    }
    row(out, "open relay",
        arena_printf(&p->arena, "%.*s RCPT TO:<%.*s>: %.*s", SLICE_PRINTF(text), SLICE_PRINTF(to),
                     SLICE_PRINTF(why)));
}

/* ---- tricks ---- */

static void tell_trick(struct probe *p, const struct probe_trick *t, struct buf *out)
{
    static const char *const words[] = {[TRICK_UNTESTED] = "not tested: ",
                                        [TRICK_SAFE] = "",
                                        [TRICK_UNCLEAR] = "UNCLEAR: ",
                                        [TRICK_FOOLED] = "FOOLED: "};

    row(out, "",
        arena_printf(&p->arena, "%-*s %s%.*s", TRICK_WIDTH, t->name, words[t->verdict],
                     SLICE_PRINTF(t->why)));
}

static void tell_tricks(struct probe *p, const char *label, const struct probe_tricks *t,
                        const char *safe, const char *fooled, struct buf *out)
{
    struct slice text = {0};

    switch (probe_tricks_verdict(t)) {
    case TRICK_UNTESTED:
        row(out, label,
            arena_printf(&p->arena, "not tested: %.*s", SLICE_PRINTF(t->tricks[0].why)));
        return;
    case TRICK_SAFE: text = slice_of(safe); break;
    case TRICK_UNCLEAR: text = SLICE("unclear"); break;
    case TRICK_FOOLED:
        text = arena_printf(&p->arena, "YES, %s: %zu of %zu ways", fooled,
                            probe_tricks_count(t, TRICK_FOOLED), t->count);
        break;
    }
    row(out, label, text);
    for (size_t i = 0; i < t->count; i++)
        tell_trick(p, &t->tricks[i], out);
}

static void tell_intrusive(struct probe *p, struct buf *out)
{
    struct slice to = address_text(&p->arena, &p->request.receiver);

    if (p->smuggling.count == 0)
        return;
    row(out, "mail sent to", arena_printf(&p->arena, "<%.*s>", SLICE_PRINTF(to)));
    tell_tricks(p, "smuggling", &p->smuggling, "no: it knows where a message ends",
                "it can be fooled about where a message ends", out);
    if (p->downgrade.count == 0)
        row(out, "downgrade", SLICE("not tested: there is no STARTTLS"));
    else
        tell_tricks(p, "downgrade", &p->downgrade, "no: TLS begins with a clean slate",
                    "it answers under TLS what was said in the clear", out);
}

bool probe_report(struct probe *p, struct buf *out)
{
    tell_answer(p, out);
    tell_server(p, out);
    tell_mx(p, out);
    tell_tries(p, out);
    if (p->speaks == PROBE_YES) {
        tell_extensions(p, out);
        tell_tls(p, out);
        tell_relay(p, out);
        tell_intrusive(p, out);
    }
    return buf_room(out) > 0;
}
