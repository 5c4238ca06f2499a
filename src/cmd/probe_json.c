/*
 * probe_json.c - what was found out, as one JSON object.
 *
 * The members are always there; what is not known is null or an empty list, so that a program need
 * not ask whether a member exists.
 */
#include "cmd/probe.h"

#include "wire/json.h"

static void put_hop(struct json *j, const struct route_hop *hop, struct arena *arena)
{
    json_text(j, "name", hop->host->name);
    json_text(j, "ip", probe_ip_text(hop->ip, arena));
    json_number(j, "port", hop->port);
}

static void put_server(struct json *j, struct probe *p)
{
    if (p->chosen == NULL) {
        json_null(j, "server");
        return;
    }
    json_open(j, "server", '{');
    put_hop(j, p->chosen->hop, &p->arena);
    json_close(j, '}');
}

static void put_host(struct json *j, struct probe *p, const struct route_host *host)
{
    json_open(j, NULL, '{');
    json_text(j, "name", host->name);
    json_number(j, "preference", host->preference);
    json_text(j, "fate", route_fate_text(host->fate));
    json_bool(j, "secure", host->secure);
    json_open(j, "addresses", '[');
    for (size_t i = 0; i < p->route.hop_count; i++)
        if (p->route.hops[i].host == host)
            json_text(j, NULL, probe_ip_text(p->route.hops[i].ip, &p->arena));
    json_close(j, ']');
    json_close(j, '}');
}

static void put_route(struct json *j, struct probe *p)
{
    const struct route *route = &p->route;

    if (p->request.kind != PROBE_DOMAIN) {
        json_null(j, "mx");
        return;
    }
    json_open(j, "mx", '{');
    json_text(j, "domain", route->domain);
    json_text(j, "canonical", route->canonical);
    json_bool(j, "by_mx", route->by_mx);
    json_bool(j, "secure", route->mx_secure);
    json_open(j, "hosts", '[');
    for (size_t i = 0; i < route->host_count; i++)
        put_host(j, p, &route->hosts[i]);
    json_close(j, ']');
    json_close(j, '}');
}

static void put_tries(struct json *j, struct probe *p)
{
    json_open(j, "tried", '[');
    for (unsigned i = 0; i < p->try_count; i++) {
        json_open(j, NULL, '{');
        put_hop(j, p->tries[i].hop, &p->arena);
        json_bool(j, "speaks_smtp", p->tries[i].speaks);
        json_text(j, "why", p->tries[i].why);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void put_extensions(struct json *j, struct probe *p)
{
    size_t count, left_out;
    struct probe_extension *list = probe_extensions(&p->session, &p->arena, &count, &left_out);

    json_open(j, "extensions", '[');
    for (size_t i = 0; i < count; i++) {
        json_open(j, NULL, '{');
        json_text(j, "name", list[i].name);
        json_text(j, "parameters", list[i].params);
        json_bool(j, "in_clear", list[i].clear);
        json_bool(j, "under_tls", list[i].secured);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_number(j, "extensions_left_out", (int64_t)left_out);
}

static void put_certificate(struct json *j, const struct tls_peer *peer)
{
    json_open(j, "certificate", '{');
    json_text(j, "subject", peer->subject);
    json_text(j, "issuer", peer->issuer);
    json_text(j, "key", peer->key);
    json_open(j, "names", '[');
    for (size_t i = 0; i < peer->name_count; i++)
        json_text(j, NULL, peer->names[i]);
    json_close(j, ']');
    json_number(j, "valid_from", peer->from_s);
    json_number(j, "valid_until", peer->until_s);
    json_bool(j, "trusted", peer->mistrust.len == 0);
    json_text(j, "mistrust", peer->mistrust);
    if (peer->name_asked)
        json_bool(j, "name_fits", peer->name_matches);
    else
        json_null(j, "name_fits");
    json_close(j, '}');
}

static void put_tls(struct json *j, struct probe *p)
{
    static const struct slice words[] = {
        [TLS_NOT_OFFERED] = SLICE_INIT("not offered"),
        [TLS_NOT_TRIED] = SLICE_INIT("not tried"),
        [TLS_REFUSED] = SLICE_INIT("refused"),
        [TLS_FAILED] = SLICE_INIT("failed"),
        [TLS_ON] = SLICE_INIT("on"),
    };
    const struct probe_session *s = &p->session;
    struct slice why;
    enum probe_tls_state state = probe_tls_state(s, &p->arena, &why);

    json_open(j, "tls", '{');
    json_text(j, "state", words[state]);
    json_bool(j, "implicit", s->implicit);
    json_text(j, "why", why);
    json_text(j, "version", s->tls_version);
    json_text(j, "cipher", s->tls_cipher);
    if (s->has_peer)
        put_certificate(j, &s->peer);
    else
        json_null(j, "certificate");
    json_close(j, '}');
}

static void put_relay(struct json *j, struct probe *p)
{
    static const struct slice words[] = {
        [RELAY_UNTESTED] = SLICE_INIT("untested"),
        [RELAY_NO] = SLICE_INIT("no"),
        [RELAY_YES] = SLICE_INIT("yes"),
        [RELAY_UNDECIDED] = SLICE_INIT("undecided"),
    };
    struct slice why;
    enum probe_relay relay = probe_relay(probe_asker(p), &p->arena, &why);

    json_open(j, "open_relay", '{');
    json_text(j, "answer", words[relay]);
    json_text(j, "sender", address_text(&p->arena, &p->request.from));
    json_text(j, "recipient", address_text(&p->arena, &p->request.to));
    json_text(j, "why", why);
    json_close(j, '}');
}

static struct slice trick_word(enum probe_trick_verdict v)
{
    static const struct slice words[] = {
        [TRICK_UNTESTED] = SLICE_INIT("untested"),
        [TRICK_SAFE] = SLICE_INIT("safe"),
        [TRICK_UNCLEAR] = SLICE_INIT("unclear"),
        [TRICK_FOOLED] = SLICE_INIT("fooled"),
    };

    return words[v];
}

static void put_tricks(struct json *j, const char *name, const struct probe_tricks *t)
{
    if (t->count == 0) {
        json_null(j, name);
        return;
    }
    json_open(j, name, '{');
    json_text(j, "answer", trick_word(probe_tricks_verdict(t)));
    json_open(j, "tried", '[');
    for (size_t i = 0; i < t->count; i++) {
        json_open(j, NULL, '{');
        json_text(j, "name", slice_of(t->tricks[i].name));
        json_text(j, "answer", trick_word(t->tricks[i].verdict));
        json_text(j, "why", t->tricks[i].why);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_close(j, '}');
}

/* Null: not asked for, or of the downgrade, there is no STARTTLS. */
static void put_intrusive(struct json *j, struct probe *p)
{
    put_tricks(j, "smuggling", &p->smuggling);
    put_tricks(j, "downgrade", &p->downgrade);
    if (p->smuggling.count > 0)
        json_text(j, "mail_sent_to", address_text(&p->arena, &p->request.receiver));
    else
        json_null(j, "mail_sent_to");
}

static void put_dialog(struct json *j, struct probe *p)
{
    if (p->speaks != PROBE_YES) {
        json_open(j, "extensions", '[');
        json_close(j, ']');
        json_number(j, "extensions_left_out", 0);
        json_null(j, "hello");
        json_null(j, "tls");
        json_null(j, "open_relay");
        put_intrusive(j, p);
        return;
    }
    put_extensions(j, p);
    json_text(j, "hello", probe_hello_name(&p->session));
    put_tls(j, p);
    put_relay(j, p);
    put_intrusive(j, p);
}

bool probe_json(struct probe *p, struct buf *out)
{
    struct json j = {.out = out};

    json_open(&j, NULL, '{');
    json_text(&j, "probed", p->request.what);
    if (p->speaks == PROBE_UNKNOWN)
        json_null(&j, "speaks_smtp");
    else
        json_bool(&j, "speaks_smtp", p->speaks == PROBE_YES);
    json_text(&j, "why", p->why);
    put_server(&j, p);
    put_route(&j, p);
    put_tries(&j, p);
    put_dialog(&j, p);
    json_close(&j, '}');
    return !j.full && buf_append_char(out, '\n');
}
