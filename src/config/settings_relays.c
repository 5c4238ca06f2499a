/*
 * settings_relays.c - what the words of `relay` and `source` mean.
 *
 * A relay is filled in while its block is read; what depends on several of its words is looked at
 * when the block is over, since they may stand in any order.
 */
#include "config/settings_internal.h"

#include <string.h>

enum {
    SMTP_PORT = 25,
    SUBMISSIONS_PORT = 465, /* RFC 8314 7.3 */
    SUBMISSION_PORT = 587,  /* RFC 6409 3.1 */
};

/* ---- sources ---- */

bool parser_begin_source(struct parser *p, struct place word, const struct value *values)
{
    struct named *named = named_add(&p->relay_sources, word, &values[0]);

    if (named == NULL)
        return false;
    p->source = ARENA_NEW(&p->settings->arena, struct relay_source);
    p->source->name = values[0].text;
    memcpy(p->source->ip, values[1].server.ip, sizeof(p->source->ip));
    named->thing = p->source;
    return true;
}

bool parser_set_source_helo(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->source->helo = values[0].text;
    return true;
}

/* ---- relays ---- */

bool parser_begin_relay(struct parser *p, struct place word, const struct value *values)
{
    struct named *named = named_add(&p->relays, word, &values[0]);
    struct relay *relay;

    if (named == NULL)
        return false;
    relay = ARENA_NEW(&p->settings->arena, struct relay);
    *relay = (struct relay){.name = values[0].text,
                            .family = FAMILY_BOTH,
                            .tls = RELAY_TLS_OPTIONAL,
                            .retry = retry_plan_default,
                            .report = true,
                            .srs = true,
                            .next = p->settings->relays,
                            .line = word.line};
    named->thing = relay;
    p->settings->relays = relay;
    p->draft =
        (struct relay_draft){.relay = relay, .word = word, .errors = desk_errors(&p->desk, word)};
    return true;
}

static bool too_many(struct parser *p, const struct value *value, unsigned max, const char *what)
{
    return desk_error(&p->desk, value->place,
                      arena_printf(p->desk.scratch, "more than %u %s", max, what),
                      SLICE("leave some out"));
}

bool parser_add_host(struct parser *p, struct place word, const struct value *values)
{
    struct relay_draft *d = &p->draft;

    (void)word;
    if (d->relay->host_count == RELAY_HOSTS_MAX)
        return too_many(p, values, RELAY_HOSTS_MAX, "hosts");
    if (d->hosts == NULL) {
        d->hosts = ARENA_ARRAY(&p->settings->arena, struct route_target, RELAY_HOSTS_MAX);
        d->relay->hosts = d->hosts;
    }
    d->hosts[d->relay->host_count++] = values[0].server;
    return true;
}

bool parser_add_source(struct parser *p, struct place word, const struct value *values)
{
    struct relay_draft *d = &p->draft;
    const struct named *named = named_take(&p->relay_sources, &values[0]);
    const struct relay_source *source;

    (void)word;
    if (named == NULL)
        return true; /* told; the next ones are looked at nevertheless */
    if (d->relay->source_count == RELAY_SOURCES_MAX)
        return too_many(p, values, RELAY_SOURCES_MAX, "sources");
    if (d->sources == NULL) {
        d->sources = ARENA_ARRAY(&p->settings->arena, struct relay_source, RELAY_SOURCES_MAX);
        d->relay->sources = d->sources;
    }
    source = named->thing;
    d->sources[d->relay->source_count++] = *source;
    return true;
}

bool parser_set_relay_helo(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->draft.relay->helo = values[0].text;
    return true;
}

bool parser_set_family(struct parser *p, struct place word, const struct value *values)
{
    p->draft.family = word;
    p->draft.relay->family = (enum route_family)values[0].number;
    return true;
}

bool parser_set_relay_tls(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->draft.tls = values[0].place;
    p->draft.relay->tls = (enum relay_tls)values[0].number;
    return true;
}

bool parser_add_retry(struct parser *p, struct place word, const struct value *values)
{
    struct relay_draft *d = &p->draft;
    struct retry_plan *plan = &d->relay->retry;

    (void)word;
    if (d->retries == RETRY_STEPS_MAX)
        return desk_error(
            &p->desk, values[0].place,
            arena_printf(p->desk.scratch, "more than %u times to wait", RETRY_STEPS_MAX),
            SLICE("the last one repeats until give-up"));
    plan->steps_s[d->retries++] = (uint32_t)values[0].number;
    plan->step_count = d->retries;
    return true;
}

bool parser_set_give_up(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->draft.relay->retry.give_up_s = (uint32_t)values[0].number;
    return true;
}

bool parser_set_delay_warning(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->draft.delay_warning = values[0].place;
    p->draft.relay->retry.delay_warning_s = (uint32_t)values[0].number;
    return true;
}

bool parser_set_report(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->draft.relay->report = values[0].number != 0;
    return true;
}

bool parser_set_relay_srs(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->draft.relay->srs = values[0].number != 0;
    return true;
}

/* ---- the block as a whole ---- */

static bool is_ipv4(const unsigned char ip[16])
{
    static const unsigned char v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

    return memcmp(ip, v4_mapped, sizeof(v4_mapped)) == 0;
}

/* A relay that may use one family only needs a source of it, if it has any. */
static void check_family(struct parser *p)
{
    const struct relay *relay = p->draft.relay;
    bool only_ipv4 = relay->family == FAMILY_IPV4_ONLY;

    if ((!only_ipv4 && relay->family != FAMILY_IPV6_ONLY) || relay->source_count == 0)
        return;
    for (size_t i = 0; i < relay->source_count; i++)
        if (is_ipv4(relay->sources[i].ip) == only_ipv4)
            return;
    desk_error(&p->desk, p->draft.family,
               arena_printf(p->desk.scratch, "no source of this relay has an %s address",
                            only_ipv4 ? "IPv4" : "IPv6"),
               SLICE("add one, or remove 'family'"));
}

/* Where no port is written. Who logs in does not send as a mail server, but as a user of one. */
static uint16_t usual_port(const struct relay *relay)
{
    if (relay->tls == RELAY_TLS_IMPLICIT)
        return SUBMISSIONS_PORT;
    return relay->user.len > 0 ? SUBMISSION_PORT : SMTP_PORT;
}

static void set_ports(struct parser *p)
{
    struct relay_draft *d = &p->draft;

    for (size_t i = 0; i < d->relay->host_count; i++)
        if (d->hosts[i].kind != TARGET_PATH && d->hosts[i].port == 0)
            d->hosts[i].port = usual_port(d->relay);
}

void parser_finish_relay(struct parser *p)
{
    const struct relay *relay = p->draft.relay;
    const struct retry_plan *plan = &relay->retry;

    parser_finish_login(p);
    set_ports(p);
    check_family(p);
    if (relay->tls == RELAY_TLS_IMPLICIT && relay->host_count == 0)
        desk_error(&p->desk, p->draft.tls,
                   SLICE("servers found by MX begin without TLS: nothing could be delivered"),
                   SLICE("add 'host NAME', or write: tls required"));
    if (p->draft.delay_warning.line > 0 && plan->delay_warning_s >= plan->give_up_s)
        desk_warning(&p->desk, p->draft.delay_warning,
                     SLICE("never sent: the mail is given up before"),
                     SLICE("take a shorter time than that of give-up, or write: never"));
}
