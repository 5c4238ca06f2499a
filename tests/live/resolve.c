/*
 * resolve.c - resolver, facts and route from end to end, for tests with real name servers.
 *
 *     resolve [--forwarder ADDR@PORT] [--anchor FILE] [--deadline MS] [--set NAME VALUE]...
 *             [--own NAME-OR-IP]... [--chance N] { TYPE NAME }...
 *
 * TYPE is a record's or "route". All questions are asked at once. Prints a line for each answer,
 * record and alternative; bytes that are not printable would end it with an assert.
 */
#include "base/memory.h"
#include "dns/lookup.h"
#include "mail/route.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETTINGS_MAX = 20, OWN_MAX = 10, TASKS_MAX = 20 };

struct program {
    struct resolver_options options;
    struct resolver_setting settings[SETTINGS_MAX];
    struct slice own_names[OWN_MAX];
    struct route_ip own_ips[OWN_MAX];
    struct route_options route;
    struct loop *loop;
    struct resolver *resolver;
    unsigned running;
};

struct task {
    struct program *program;
    const char *type, *name;
    struct arena arena;
    struct facts facts;
    struct lookup lookup;
};

static void show(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        assert(s.data[i] >= ' ' && s.data[i] < 0x7f);
    printf("%.*s", SLICE_PRINTF(s));
}

static void show_ip(const unsigned char ip[16])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (memcmp(ip, mapped, 12) == 0) {
        printf("%u.%u.%u.%u", ip[12], ip[13], ip[14], ip[15]);
        return;
    }
    for (int i = 0; i < 16; i += 2)
        printf("%s%x", i > 0 ? ":" : "", (unsigned)ip[i] << 8 | ip[i + 1]);
}

/* ---- records ---- */

static const struct {
    const char *name;
    enum dns_type type;
} types[] = {
    {"A",    DNS_A   },
    {"AAAA", DNS_AAAA},
    {"MX",   DNS_MX  },
    {"TXT",  DNS_TXT },
    {"TLSA", DNS_TLSA},
    {"PTR",  DNS_PTR },
};

static enum dns_type type_of(const char *name)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i].type;
    fprintf(stderr, "resolve: no such type: %s\n", name);
    exit(64);
}

static void show_record(enum dns_type type, const struct dns_record *r)
{
    printf("  ");
    switch (type) {
    case DNS_MX:
        printf("%u ", r->preference);
        show(r->data.len > 0 ? r->data : SLICE("."));
        break;
    case DNS_A:
    case DNS_AAAA: show_ip(r->ip); break;
    case DNS_PTR:
    case DNS_CNAME: show(r->data); break;
    case DNS_TXT:
        printf("%zu bytes, ", r->data.len); /* may hold anything */
        for (size_t i = 0; i < r->data.len && i < 40; i++)
            putchar(r->data.data[i] >= ' ' && r->data.data[i] < 0x7f ? r->data.data[i] : '?');
        break;
    case DNS_TLSA:
        printf("%u %u %u %zu bytes", r->usage, r->selector, r->matching, r->data.len);
        break;
    }
    printf("\n");
}

static const char *const outcomes[] = {"found", "none", "nxdomain", "failed", "bogus", "unknown"};

static bool show_question(struct task *t)
{
    const struct dns_answer *a;
    enum dns_type type = type_of(t->type);
    enum fact fact = facts_ask(&t->facts, type, slice_of(t->name), &a);

    if (fact == FACT_UNKNOWN)
        return false;
    printf("%s %s: %s%s, %zu records, %zu unusable%s", t->type, t->name, outcomes[fact],
           a->secure ? " secure" : "", a->count, a->unusable, a->cut ? ", cut" : "");
    if (fact == FACT_FOUND)
        printf(", ttl %" PRIu32, a->ttl_s);
    printf(", ");
    show(a->why.len > 0 ? a->why : a->canonical);
    printf("\n");
    for (size_t i = 0; i < a->count && i < 300; i++)
        show_record(type, &a->records[i]);
    return true;
}

/* ---- routes ---- */

static bool show_route(struct task *t)
{
    struct address rcpt = {ADDRESS_MAILBOX, SLICE("u"), slice_of(t->name), false};
    struct route r;
    enum route_outcome outcome = route_direct(&t->facts, &rcpt, &t->program->route, &t->arena, &r);

    if (outcome == ROUTE_UNKNOWN)
        return false;
    printf("route %s: ", t->name);
    if (outcome == ROUTE_FOUND) {
        printf("%zu hops%s%s\n", r.hop_count, r.by_mx ? ", by MX" : "",
               r.mx_secure ? ", secure" : "");
    } else {
        printf("%u ", r.refusal.code);
        show(r.refusal.enhanced);
        printf(" ");
        show(r.refusal.text);
        printf("\n");
    }
    for (size_t i = 0; i < r.hop_count; i++) {
        printf("  hop ");
        show(r.hops[i].host->name);
        printf(" ");
        show_ip(r.hops[i].ip);
        printf("%s\n", r.hops[i].secure ? " secure" : "");
    }
    for (size_t i = 0; i < r.host_count; i++) {
        printf("  host %u ", r.hosts[i].preference);
        show(r.hosts[i].name);
        printf(": ");
        show(route_fate_text(r.hosts[i].fate));
        printf("\n");
    }
    return true;
}

/* ---- asking and rerunning ---- */

static void run(struct task *t)
{
    bool finished = strcmp(t->type, "route") == 0 ? show_route(t) : show_question(t);

    if (!finished) {
        lookup_start(&t->lookup, t->program->resolver, &t->facts);
        return;
    }
    arena_done(&t->arena);
    if (--t->program->running == 0)
        loop_stop(t->program->loop);
}

static void on_lookup(struct lookup *l)
{
    run(LIST_ENTRY(l, struct task, lookup));
}

static void add_own(struct program *p, const char *text)
{
    unsigned char ip[16] = {[10] = 0xff, [11] = 0xff};

    if (ipv4_parse(slice_of(text), ip + 12) || ipv6_parse(slice_of(text), ip)) {
        assert(p->route.own_ip_count < OWN_MAX);
        memcpy(p->own_ips[p->route.own_ip_count++].ip, ip, 16);
    } else {
        assert(p->route.own_name_count < OWN_MAX);
        p->own_names[p->route.own_name_count++] = slice_of(text);
    }
}

/* Returns how many words were taken. */
static int take_option(struct program *p, char **words, int count)
{
    const char *name = words[0];

    if (count > 2 && strcmp(name, "--set") == 0) {
        assert(p->options.setting_count < SETTINGS_MAX);
        p->settings[p->options.setting_count++] = (struct resolver_setting){words[1], words[2]};
        return 3;
    }
    if (count < 2) {
        fprintf(stderr, "resolve: what about %s?\n", name);
        exit(64);
    }
    if (strcmp(name, "--forwarder") == 0) {
        p->options.source = DNS_FROM_FORWARDER;
        p->options.forwarder = slice_of(words[1]);
    } else if (strcmp(name, "--anchor") == 0) {
        p->options.anchor_path = words[1];
    } else if (strcmp(name, "--deadline") == 0) {
        p->options.deadline_ms = strtoul(words[1], NULL, 10);
    } else if (strcmp(name, "--chance") == 0) {
        p->route.chance = strtoul(words[1], NULL, 10);
    } else if (strcmp(name, "--own") == 0) {
        add_own(p, words[1]);
    } else {
        fprintf(stderr, "resolve: no such option: %s\n", name);
        exit(64);
    }
    return 2;
}

int main(int argc, char **argv)
{
    struct program p = {.options.source = DNS_FROM_ROOT, .route.port = 25};
    struct task tasks[TASKS_MAX] = {0};
    struct net *net = net_real_new();
    int at = 1;

    p.options.settings = p.settings;
    p.route.own_names = p.own_names;
    p.route.own_ips = p.own_ips;
    while (at < argc && argv[at][0] == '-')
        at += take_option(&p, argv + at, argc - at);
    p.loop = loop_new(net, clock_real());
    p.resolver = resolver_new(p.loop, &p.options);
    if (p.resolver == NULL)
        return 78;
    for (; at + 1 < argc && p.running < TASKS_MAX; at += 2) {
        struct task *t = &tasks[p.running++];

        *t = (struct task){.program = &p, .type = argv[at], .name = argv[at + 1]};
        t->lookup.done = on_lookup;
        facts_init(&t->facts, &t->arena);
    }
    unsigned count = p.running;
    for (unsigned i = 0; i < count; i++)
        run(&tasks[i]);
    if (p.running > 0 && loop_run(p.loop) < 0)
        return 70;
    resolver_free(p.resolver);
    loop_free(p.loop);
    net->ops->free(net);
    return 0;
}
