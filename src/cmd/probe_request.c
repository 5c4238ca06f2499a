/*
 * probe_request.c - what `postroad probe` was asked to look at.
 *
 * A bare name is a domain, since that is what stands behind an @; everything that looks like a host
 * (a port, brackets, an address) is one and asks no MX records.
 *
 * The question whether a server relays needs a sender and a recipient. The sender is <>, because
 * many servers look a sender up, and one refused for its sender tells nothing about relaying. The
 * recipient's domain is nobody's (RFC 2606), and no mail is ever sent to it.
 */
#include "cmd/probe_request.h"

#include "cmd/host_port.h"
#include "cmd/own_name.h"
#include "cmd/resolver_option.h"

#include <stdlib.h>
#include <sysexits.h>

enum { CONNECT_TIMEOUT_S = 10, TIMEOUT_S = 30, SMTP_PORT = 25 };

/* "[mx.example.org]:587" without its brackets; others as they are. */
static struct slice without_brackets(struct slice word, struct arena *arena)
{
    struct slice inner, rest;

    if (!slice_starts(word, SLICE("[")) || !slice_cut(slice_skip(word, 1), ']', &inner, &rest) ||
        (rest.len > 0 && rest.data[0] != ':'))
        return word;
    return arena_printf(arena, "%.*s%.*s", SLICE_PRINTF(inner), SLICE_PRINTF(rest));
}

static const char *parse_domain(struct probe_request *r, struct slice word)
{
    struct slice name = slice_ends(word, SLICE(".")) ? slice_head(word, word.len - 1) : word;

    r->kind = PROBE_DOMAIN;
    r->domain = (struct address){.kind = ADDRESS_MAILBOX};
    if (!domain_parse(name, &r->arena, &r->domain.domain))
        return "is no domain, host or address; write example.org, mx.example.org:25 or 192.0.2.1";
    return NULL;
}

/* A path, which a relay's host may be, is none here. */
static const char *parse_host(struct probe_request *r, struct slice word)
{
    r->kind = PROBE_HOST;
    if (!route_target_parse(without_brackets(word, &r->arena), r->port, &r->arena, &r->host) ||
        r->host.kind == TARGET_PATH)
        return "is no host; write mx.example.org:25, [mx.example.org] or 192.0.2.1:25";
    return NULL;
}

const char *probe_request_target(struct probe_request *r, struct slice word)
{
    struct net_address address;
    char text[64];

    r->what = word;
    switch (host_port_parse(word, r->port, &address)) {
    case HOST_PORT_OK:
        r->kind = PROBE_HOST;
        r->host = (struct route_target){.kind = TARGET_IP, .port = address.port};
        r->host.name =
            arena_copy(&r->arena, (struct slice){text, net_address_text(&address, text)});
        for (size_t i = 0; i < sizeof(r->host.ip); i++)
            r->host.ip[i] = address.ip[i];
        return NULL;
    case HOST_PORT_NO_PORT: return "has no port from 1 to 65535";
    case HOST_PORT_NO_ADDRESS: break;
    }
    if (slice_find(word, ':') < word.len || slice_starts(word, SLICE("[")) ||
        slice_starts(word, SLICE("/")))
        return parse_host(r, word);
    return parse_domain(r, word);
}

static int parse_what(struct probe_request *r)
{
    const struct option_list *list = &r->options.what;
    const char *why;

    if (list->count != 1)
        return command_wrong("probe", EX_USAGE,
                             list->count == 0 ? "what? Name a domain, HOST:PORT or an address"
                                              : "one at a time");
    why = probe_request_target(r, slice_of(list->values[0]));
    return why == NULL ? 0 : command_wrong("probe", EX_USAGE, "'%s' %s", list->values[0], why);
}

static bool number_between(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    struct cursor c = {slice_of(text)};

    return take_number(&c, out) && cursor_at_end(&c) && *out >= least && *out <= most;
}

static int parse_port(struct probe_request *r)
{
    uint64_t port = SMTP_PORT;

    if (r->options.port != NULL && !number_between(r->options.port, 1, UINT16_MAX, &port))
        return command_wrong("probe", EX_USAGE, "--port '%s' is no port from 1 to 65535",
                             r->options.port);
    r->port = (uint16_t)port;
    return 0;
}

static int parse_timeout(struct probe_request *r)
{
    uint64_t seconds;

    r->connect_timeout_s = CONNECT_TIMEOUT_S;
    r->timeout_s = TIMEOUT_S;
    if (r->options.timeout == NULL)
        return 0;
    if (!number_between(r->options.timeout, 1, 3600, &seconds))
        return command_wrong("probe", EX_USAGE,
                             "--timeout '%s' is no number of seconds from 1 to 3600",
                             r->options.timeout);
    r->connect_timeout_s = r->timeout_s = (unsigned)seconds;
    r->resolver.deadline_ms = seconds * 1000;
    return 0;
}

static int parse_tls(struct probe_request *r)
{
    static const struct {
        struct slice word;
        enum probe_tls tls;
    } words[] = {
        {SLICE_INIT("off"),      PROBE_TLS_OFF     },
        {SLICE_INIT("optional"), PROBE_TLS_OPTIONAL},
        {SLICE_INIT("implicit"), PROBE_TLS_IMPLICIT},
    };

    r->tls = PROBE_TLS_BY_PORT;
    if (r->options.tls == NULL)
        return 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (slice_equal(slice_of(r->options.tls), words[i].word)) {
            r->tls = words[i].tls;
            return 0;
        }
    return command_wrong("probe", EX_USAGE, "--tls '%s' is none of off, optional, implicit",
                         r->options.tls);
}

static int parse_addresses(struct probe_request *r)
{
    const char *from = r->options.from, *to = r->options.to;

    r->from = (struct address){.kind = ADDRESS_NULL};
    r->to = (struct address){
        .kind = ADDRESS_MAILBOX, .local = SLICE("postroad-probe"), .domain = SLICE("example.com")};
    if (from != NULL && !slice_equal(slice_of(from), SLICE("<>")) &&
        (!address_parse(slice_of(from), &r->arena, &r->from) || r->from.kind == ADDRESS_BARE))
        return command_wrong("probe", EX_USAGE,
                             "--from '%s' is no address; write user@domain or <>", from);
    if (to != NULL &&
        (!address_parse(slice_of(to), &r->arena, &r->to) || r->to.kind == ADDRESS_BARE))
        return command_wrong("probe", EX_USAGE, "--to '%s' is no address; write user@domain", to);
    return 0;
}

/* RFC 5321 4.5.1: every server knows postmaster, with or without a domain. */
static int choose_receiver(struct probe_request *r)
{
    struct address postmaster = {.kind = ADDRESS_BARE, .local = SLICE("postmaster")};
    struct slice ascii;

    if (r->options.to != NULL) {
        r->receiver = r->to;
        return 0;
    }
    if (r->kind == PROBE_DOMAIN && domain_to_ascii(r->domain.domain, &r->arena, &ascii)) {
        postmaster.kind = ADDRESS_MAILBOX;
        postmaster.domain = ascii;
    }
    r->receiver = postmaster;
    return 0;
}

static int parse_ehlo(struct probe_request *r)
{
    if (r->options.ehlo == NULL)
        r->ehlo = own_name(&r->arena);
    else if (!ehlo_name_parse(slice_of(r->options.ehlo), &r->arena, &r->ehlo))
        return command_wrong("probe", EX_USAGE, "--ehlo '%s' is neither a domain nor an [address]",
                             r->options.ehlo);
    return 0;
}

static int parse_resolver(struct probe_request *r)
{
    r->resolver.anchor_path = r->options.anchor;
    return resolver_option_parse("probe", r->options.resolver, &r->resolver);
}

static int understand(struct probe_request *r)
{
    int (*const steps[])(struct probe_request *) = {parse_port,      parse_timeout,  parse_tls,
                                                    parse_addresses, parse_ehlo,     parse_resolver,
                                                    parse_what,      choose_receiver};
    int status = 0;

    for (size_t i = 0; status == 0 && i < sizeof(steps) / sizeof(*steps); i++)
        status = steps[i](r);
    return status;
}

static bool parse_options(struct probe_options *o, int argc, char **argv, int *status)
{
    const struct option options[] = {
        {"NAME",        NULL, OPTION_WORDS, &o->what,      NULL,
         "a domain (by its MX), HOST:PORT, [HOST] or an address",                                           NULL},
        {"--json",      NULL, OPTION_FLAG,  &o->json,      NULL,      "one JSON object instead of a table", NULL},
        {"--tls",       NULL, OPTION_TEXT,  &o->tls,       "WORD",
         "off, optional, implicit (default implicit on port 465)",                                          NULL},
        {"--port",      NULL, OPTION_TEXT,  &o->port,      "PORT",    "where none is named (default 25)",   NULL},
        {"--to",        NULL, OPTION_TEXT,  &o->to,        "ADDRESS",
         "whom to ask for: is it an open relay? (default postroad-probe@example.com)",                      NULL},
        {"--from",      NULL, OPTION_TEXT,  &o->from,      "ADDRESS",
         "the sender of that question (default <>)",                                                        NULL},
        {"--ehlo",      NULL, OPTION_TEXT,  &o->ehlo,      "NAME",    "our name (default this host's)",     NULL},
        {"--timeout",   NULL, OPTION_TEXT,  &o->timeout,   "SECONDS",
         "for every wait (default 30, 10 to connect)",                                                      NULL},
        {"--resolver",  NULL, OPTION_TEXT,  &o->resolver,  "WORD",
         "system, recursive, or a name server ADDR[@PORT]",                                                 NULL},
        {"--anchor",    NULL, OPTION_TEXT,  &o->anchor,    "FILE",
         "what DNSSEC is trusted from (default the root's key)",                                            NULL},
        {"--intrusive", NULL, OPTION_FLAG,  &o->intrusive, NULL,
         "send mail to --to (default postmaster) that asks whether the server can be fooled",               NULL},
        {"--verbose",   "-v", OPTION_FLAG,  &o->verbose,   NULL,      "show the dialog",                    NULL},
    };
    const struct usage usage = {
        "probe",
        "NAME [OPTION...]",
        "Looks at a mail server: does it speak SMTP, what does it offer, how good is its TLS, does "
        "it\n"
        "relay for everybody? No message is sent: RCPT is asked once and taken back.\n"
        "--intrusive sends some 15 messages, which say what they are: use it on servers of your "
        "own.",
        "  postroad probe example.org                        the domain, by its MX records\n"
        "  postroad probe mx1.example.org:25                 that host\n"
        "  postroad probe '[mx1.example.org]' --json\n"
        "  postroad probe 127.0.0.1:1025 -v\n"
        "  postroad probe example.org --intrusive --to me@example.org\n"
        "Exit: 0 it speaks SMTP, 69 it does not or takes no mail, 64 usage, 68 no such domain or\n"
        "host, 75 DNS does not answer.\n",
        options,
        sizeof(options) / sizeof(*options)};

    return options_parse(&usage, argc, argv, status);
}

bool probe_request_parse(struct probe_request *r, int argc, char **argv, int *status)
{
    if (!parse_options(&r->options, argc, argv, status))
        return false;
    *status = understand(r);
    return *status == EXIT_SUCCESS;
}

void probe_request_done(struct probe_request *r)
{
    arena_done(&r->arena);
}
