/*
 * fuzz_config.c - a configuration is understood or its faults are told, in clean text; and what
 * was understood decides about every recipient. Lines "===NAME" begin the files that it may name.
 */
#include "fuzz.h"

#include "config/settings.h"
#include "config/syntax.h"
#include "mail/envelope.h"
#include "mail/expand.h"
#include "mail/mailbox_path.h"
#include "wire/url.h"
#include "wire/utf8.h"

static void check_told(const struct settings_errors *errors)
{
    struct slice rest = buf_slice(&errors->text), line;

    while (slice_cut(rest, '\n', &line, &rest))
        must(utf8_printable(line));
    must(rest.len == 0);
}

static void check_listeners(const struct settings *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        must(s->listeners[i].port != 0 && s->listeners[i].max_size > 0 && s->listeners[i].line > 0);
    for (size_t i = 0; i < s->listener_count; i++)
        must(s->listeners[i].tls == LISTENER_TLS_OFF || s->certificates != NULL);
    for (const struct settings_certificate *c = s->certificates; c != NULL; c = c->next)
        must(c->chain.len > 0 && c->key.len > 0 && (c == s->certificates || c->name.len > 0));
}

/* Where a mail goes must be a place that the postman would write to. */
static void check_path(struct slice template, const struct address *rcpt, struct arena *arena)
{
    struct slice root, rest, path;

    must(mailbox_template_split(template, &root, &rest));
    must(mailbox_path_expand(rest, rcpt, arena, &path) && path.len > 0);
}

static void check_server(const struct route_target *server)
{
    must(server->name.len > 0 && (server->port != 0) == (server->kind != TARGET_PATH));
}

static void check_proof(const struct relay *relay)
{
    const struct oauth *o = relay->oauth;
    struct url url;

    must((relay->login != NULL) != (o != NULL));
    must(o != NULL || buf_len(&relay->login->secret) > 0);
    if (o == NULL)
        return;
    must(o->client.len > 0);
    must(url_parse_https(o->authorize, &url) && url_parse_https(o->token, &url));
    must((buf_len(&o->secret) > 0) == (o->secret_path.len > 0));
}

/* What proves us goes nowhere in the clear, and to no strangers. */
static void check_login(const struct relay *relay)
{
    bool in_clear = relay->tls == RELAY_TLS_OFF || relay->tls == RELAY_TLS_OPTIONAL;

    if (relay->user.len == 0)
        return;
    must(relay->host_count > 0);
    check_proof(relay);
    for (size_t i = 0; i < relay->host_count; i++)
        must(!in_clear || route_target_is_here(&relay->hosts[i]));
}

/* A relay that the courier can follow, and that is not open to all. */
static void check_relay(const struct relay *relay, const struct decision *d,
                        const struct rules_query *query)
{
    const struct retry_plan *plan = &relay->retry;

    must(plan->step_count >= 1 && plan->step_count <= RETRY_STEPS_MAX && plan->give_up_s > 0);
    for (unsigned i = 0; i < plan->step_count; i++)
        must(plan->steps_s[i] > 0);
    must(relay->host_count <= RELAY_HOSTS_MAX && relay->source_count <= RELAY_SOURCES_MAX);
    for (size_t i = 0; i < relay->host_count; i++)
        check_server(&relay->hosts[i]);
    must(relay->tls != RELAY_TLS_IMPLICIT || relay->host_count > 0);
    check_login(relay);
    must(query->from_local || d->rule->from == FROM_LOCAL || d->rule->users != NULL ||
         d->rule->to.match != MATCH_ANY);
}

/* Somebody, or a refusal; and who was found has the same home when asked later. */
static void check_expansion(const struct settings *s, const struct rules_query *query,
                            struct arena *arena)
{
    struct expansion x = rules_expand(&s->rules, query, arena);

    must((x.refusal.code == 0) == (x.count > 0) && x.count <= ENVELOPE_RCPTS_MAX);
    must(x.count > 0 || (x.refusal.code >= 400 && x.refusal.code <= 599));
    for (unsigned i = 0; i < x.count; i++) {
        struct decision d = rules_decide(&s->rules, query, &x.finals[i], arena);

        must(d.kind == x.homes[i].kind && d.rule != NULL && d.rule == x.homes[i].rule);
        must(d.kind != DECIDE_REFUSE);
        switch (d.kind) {
        case DECIDE_MAILDIR: check_path(d.path, &d.final, arena); break;
        case DECIDE_LMTP: check_server(d.lmtp); break;
        case DECIDE_RELAY: check_relay(d.relay, &d, query); break;
        case DECIDE_DISCARD:
        case DECIDE_REFUSE: break;
        }
    }
}

static void check_decisions(const struct settings *s, struct arena *arena)
{
    static const struct slice rcpts[] = {
        SLICE_INIT("postmaster"),
        SLICE_INIT("postmaster@example.org"),
        SLICE_INIT("ann@example.org"),
        SLICE_INIT("ann+list@sub.example.org"),
        SLICE_INIT("\"a b\"@[192.0.2.1]"),
        SLICE_INIT("\"\"@example.org"),
        SLICE_INIT(
            "\"//////////////////////////////////////////////////////////////\"@example.org"),
    };

    for (size_t i = 0; i < sizeof(rcpts) / sizeof(*rcpts); i++) {
        struct rules_query query = {.from_local = i % 2, .sender = {.kind = ADDRESS_NULL}};

        must(address_parse(rcpts[i], arena, &query.rcpt));
        check_expansion(s, &query, arena);
    }
}

/* The files that a configuration may name: what the input says behind "===NAME" lines; others
 * cannot be read. */
static void add_wanted(struct buf *bundle, struct slice path, struct slice files)
{
    struct cursor c = {files};
    const char *from = NULL;

    while (!cursor_at_end(&c)) {
        const char *at = c.rest.data;
        struct slice line = fuzz_line(&c);

        if (!slice_starts(line, SLICE("===")))
            continue;
        if (from != NULL) {
            must(bundle_add(bundle, path, 0, (struct slice){from, (size_t)(at - from)}));
            return;
        }
        if (slice_equal(slice_skip(line, 3), path))
            from = c.rest.data;
    }
    if (from == NULL)
        must(bundle_add(bundle, path, SOURCE_UNREADABLE, SLICE("No such file or directory")));
    else
        must(bundle_add(bundle, path, 0,
                        (struct slice){from, (size_t)(files.data + files.len - from)}));
}

static const char *chain_fault(struct slice chain)
{
    return chain.len == 0 ? "is empty" : NULL;
}

static const char *key_fault(struct slice chain, struct slice key)
{
    must(chain.len > 0);
    return key.len == 0 ? "is empty" : NULL;
}

static bool is_same_kind(struct slice chain, struct slice other)
{
    return chain.len % 2 == other.len % 2;
}

/* Asks and runs again until nothing is wanted. */
static struct settings *parse(struct buf *bundle, struct slice files,
                              struct settings_errors *errors)
{
    static const struct settings_judge judge = {chain_fault, key_fault, chain_fault, is_same_kind};

    for (unsigned runs = 0;; runs++) {
        struct settings *s = settings_parse(buf_slice(bundle), &judge, errors);
        struct cursor wanted = {buf_slice(&errors->wanted)};
        struct slice path;

        must((s == NULL) == (errors->count > 0 || wanted.rest.len > 0));
        if (cursor_at_end(&wanted))
            return s;
        must(runs <= SOURCES_MAX);
        while (get_bytes(&wanted, SYNTAX_WORD_MAX, &path))
            add_wanted(bundle, path, files);
        must(cursor_at_end(&wanted));
        settings_errors_done(errors);
    }
}

/* Up to the first line that begins with "===". */
static struct slice text_of(struct slice input)
{
    struct cursor c = {input};

    while (!cursor_at_end(&c)) {
        const char *at = c.rest.data;
        if (slice_starts(fuzz_line(&c), SLICE("===")))
            return slice_head(input, (size_t)(at - input.data));
    }
    return input;
}

void fuzz_input(struct slice input)
{
    struct slice text = text_of(input);
    struct settings_errors errors;
    struct buf bundle;

    buf_init(&bundle, BUNDLE_MAX);
    must(bundle_add(&bundle, SLICE("postroad.conf"), 0, text));
    struct settings *s = parse(&bundle, slice_skip(input, text.len), &errors);

    check_told(&errors);
    settings_errors_done(&errors);
    buf_done(&bundle);
    if (s == NULL)
        return;

    struct arena arena;

    arena_init(&arena);
    must(s->hostname.len > 0 && slice_starts(s->queue_path, SLICE("/")));
    check_listeners(s);
    check_decisions(s, &arena);
    arena_done(&arena);
    settings_free(s);
}
