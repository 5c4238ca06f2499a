/*
 * explain.c - what would happen to a mail, and which line of the configuration says so.
 *
 * The same pure functions that a receiver asks at MAIL and RCPT (mail/expand, mail/accounts), over
 * the file as it is now: no server need run, nothing is sent, no name is looked up. What only the
 * world can tell - which servers a domain has, whom the next hop knows - is said to be open.
 */
#include "cmd/commands.h"
#include "cmd/load_settings.h"
#include "cmd/options.h"

#include "base/clock.h"
#include "mail/expand.h"
#include "mail/mailbox_path.h"
#include "mail/sources.h"
#include "roles/forwarding.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { EXPLAIN_TEXT_MAX = 16 * 1024 * 1024 };

/* What became of an address before the rules were asked. */
struct rewriting {
    const struct rewrite *by; /* NULL: nothing */
    const char *what;         /* "sender" */
    struct slice before, after;
};

struct question {
    const struct settings *settings;
    struct sources sources; /* the files of the configuration */
    struct rules_query query;
    struct address to;    /* the recipient, as a client would give it */
    struct address given; /* the sender, as it was before it was rewritten */
    struct rewriting sender, rcpt;
    const struct settings_listener *listener; /* where the account logs in, or NULL */
    struct arena arena;
    struct buf out;
};

static uint64_t now_us(void)
{
    return clock_wall_us(clock_real());
}

/* ---- words ---- */

/* A line of the configuration; number 0: none. */
struct line {
    struct slice file;
    unsigned number;
};

static struct line line_of_rule(const struct rule *rule)
{
    return rule == NULL ? (struct line){0} : (struct line){rule->file, rule->line};
}

static struct slice text_of(const struct question *q, struct line line)
{
    const struct source *source = q->sources.first;
    struct slice rest, row = SLICE("");

    while (source != NULL && !slice_equal(source->path, line.file))
        source = source->next;
    rest = source == NULL ? SLICE("") : source->text;
    for (unsigned i = 0; i < line.number && rest.len > 0; i++)
        if (!slice_cut(rest, '\n', &row, &rest)) {
            row = rest;
            rest = SLICE("");
        }
    return slice_trim(row);
}

static struct slice mailbox_of(struct question *q, const struct decision *d)
{
    struct slice root, rest, path;

    if (mailbox_template_split(d->path, &root, &rest) &&
        mailbox_path_expand(rest, &d->final, &q->arena, &path))
        return arena_printf(&q->arena, "the mailbox %.*s/%.*s", SLICE_PRINTF(root),
                            SLICE_PRINTF(path));
    return SLICE("a mailbox");
}

static struct slice hosts_of(struct question *q, const struct relay *relay)
{
    struct slice all = SLICE("");

    for (size_t i = 0; i < relay->host_count; i++) {
        const struct route_target *host = &relay->hosts[i];

        if (host->kind == TARGET_PATH)
            all = arena_printf(&q->arena, "%.*s%sunix:%.*s", SLICE_PRINTF(all),
                               i == 0 ? "" : ", else ", SLICE_PRINTF(host->name));
        else
            all = arena_printf(&q->arena, "%.*s%s%.*s:%u", SLICE_PRINTF(all),
                               i == 0 ? "" : ", else ", SLICE_PRINTF(host->name), host->port);
    }
    return all;
}

/* ", as SRS0=..." */
static struct slice sender_of(struct question *q, const struct decision *d)
{
    struct address sender = q->query.sender;

    if (forwarding_sender(q->settings, d->relay, &q->to, &d->final, now_us(), &q->arena, &sender) !=
        FORWARDING_AS)
        return SLICE("");
    return arena_printf(&q->arena, ", as %.*s", SLICE_PRINTF(address_text(&q->arena, &sender)));
}

static struct slice relay_of(struct question *q, const struct decision *d)
{
    struct slice as = sender_of(q, d);

    if (d->relay->host_count > 0)
        return arena_printf(&q->arena, "relay %.*s, by way of %.*s%.*s",
                            SLICE_PRINTF(d->relay->name), SLICE_PRINTF(hosts_of(q, d->relay)),
                            SLICE_PRINTF(as));
    return arena_printf(&q->arena, "relay %.*s, the servers that DNS names for %.*s%.*s",
                        SLICE_PRINTF(d->relay->name), SLICE_PRINTF(d->final.domain),
                        SLICE_PRINTF(as));
}

static struct slice lmtp_of(struct question *q, const struct route_target *to)
{
    if (to->kind == TARGET_PATH)
        return arena_printf(&q->arena, "LMTP to unix:%.*s", SLICE_PRINTF(to->name));
    return arena_printf(&q->arena, "LMTP to %.*s:%u", SLICE_PRINTF(to->name), to->port);
}

static struct slice way_of(struct question *q, const struct decision *d)
{
    switch (d->kind) {
    case DECIDE_MAILDIR: return mailbox_of(q, d);
    case DECIDE_LMTP: return lmtp_of(q, d->lmtp);
    case DECIDE_RELAY: return relay_of(q, d);
    case DECIDE_DISCARD: return SLICE("dropped, after the 250");
    case DECIDE_REFUSE: break;
    }
    return SLICE("nowhere");
}

static struct slice home_of(struct question *q, const struct decision *d)
{
    struct slice way = way_of(q, d);

    if (d->rule != NULL && d->rule->holds)
        way = arena_printf(&q->arena, "%.*s, once 'postroad queue release' lets it go",
                           SLICE_PRINTF(way));
    if (d->rule == NULL || !d->rule->asks)
        return way;
    return arena_printf(&q->arena, "%.*s, if that knows the address", SLICE_PRINTF(way));
}

/* ---- rewriting ---- */

static struct rewriting rewrite(struct question *q, enum rewrite_whose whose, struct address *a)
{
    struct rewriting w = {.what = whose == REWRITE_SENDER ? "sender" : "recipient",
                          .before = address_text(&q->arena, a)};

    w.by = rewrite_address(&q->settings->rules, whose, a, &q->arena);
    w.after = address_text(&q->arena, a);
    return w;
}

static struct line line_of_rewrite(const struct rewriting *w)
{
    return (struct line){w->by->file, w->by->line};
}

static void put_line(struct question *q, const char *indent, struct line line)
{
    (void)buf_printf(&q->out, "%s%.*s:%u: %.*s\n", indent, SLICE_PRINTF(line.file), line.number,
                     SLICE_PRINTF(text_of(q, line)));
}

/* ---- lists of bad clients ---- */

/* Would they be asked before this is taken? They are not asked here. */
static bool depends_on_lists(struct question *q, const struct reply *r)
{
    const struct settings *s = q->settings;
    unsigned char ip[16];

    if (r->code != 250 || q->query.user.len > 0 || q->query.from_local)
        return false;
    if (ip_parse(q->query.client, ip) && access_allows_client(s->access, s->access_count, ip))
        return false;
    return !access_is_open(s->access, s->access_count, &s->rules, &q->query, &q->arena);
}

static void put_lists(struct question *q, const struct reply *r)
{
    if (!depends_on_lists(q, r))
        return;
    for (size_t i = 0; i < q->settings->listener_count; i++) {
        const struct settings_listener *l = &q->settings->listeners[i];

        if (l->zones == NULL)
            continue;
        (void)buf_printf(&q->out, "  unless a list names the client, which is not asked here\n");
        put_line(q, "    ", (struct line){l->file, l->line});
    }
}

static void put_json_lists(struct question *q, struct json *j, const struct reply *r)
{
    if (!depends_on_lists(q, r))
        return;
    json_open(j, "unless_listed_by", '[');
    for (size_t i = 0; i < q->settings->listener_count; i++)
        for (const struct dnsbl_zone *z = q->settings->listeners[i].zones; z != NULL; z = z->next)
            json_text(j, NULL, z->name);
    json_close(j, ']');
}

/* ---- for people ---- */

static void put_reply(struct question *q, struct slice rcpt, const struct reply *r)
{
    (void)buf_printf(&q->out, "%.*s: %u %.*s %.*s\n", SLICE_PRINTF(rcpt), r->code,
                     SLICE_PRINTF(r->enhanced), SLICE_PRINTF(r->text));
}

static void put_homes(struct question *q, const struct expansion *x)
{
    for (unsigned i = 0; i < x->count; i++) {
        const struct decision *d = &x->homes[i];

        (void)buf_printf(&q->out, "  %.*s -> %.*s\n",
                         SLICE_PRINTF(address_text(&q->arena, &d->final)),
                         SLICE_PRINTF(home_of(q, d)));
        if (d->rule != NULL && d->rule != x->rule)
            put_line(q, "    ", line_of_rule(d->rule));
    }
}

static void put_rewriting(struct question *q, const struct rewriting *w)
{
    if (w->by == NULL)
        return;
    (void)buf_printf(&q->out, "  %s %.*s -> %.*s\n", w->what, SLICE_PRINTF(w->before),
                     SLICE_PRINTF(w->after));
    put_line(q, "    ", line_of_rewrite(w));
}

static void put_text(struct question *q, struct slice rcpt, const struct reply *r,
                     const struct expansion *x, struct line line)
{
    put_reply(q, rcpt, r);
    put_rewriting(q, &q->sender);
    put_rewriting(q, &q->rcpt);
    if (line.number > 0)
        put_line(q, "  ", line);
    else
        (void)buf_append(&q->out, SLICE("  no line is about it\n"));
    put_lists(q, r);
    put_homes(q, x);
}

/* ---- for programs ---- */

static const char *kind_word(enum decision_kind kind)
{
    switch (kind) {
    case DECIDE_MAILDIR: return "maildir";
    case DECIDE_LMTP: return "lmtp";
    case DECIDE_RELAY: return "relay";
    case DECIDE_DISCARD: return "discard";
    case DECIDE_REFUSE: break;
    }
    return "refuse";
}

static void put_json_line(struct json *j, struct line line)
{
    json_text(j, "file", line.file);
    json_number(j, "line", line.number);
}

static void put_json_rewriting(struct json *j, const struct rewriting *w)
{
    if (w->by == NULL)
        return;
    json_open(j, w->what, '{');
    json_text(j, "is", w->after);
    put_json_line(j, line_of_rewrite(w));
    json_close(j, '}');
}

static void put_object(struct question *q, struct slice rcpt, const struct reply *r,
                       const struct expansion *x, struct line line)
{
    struct json j = {.out = &q->out};

    json_open(&j, NULL, '{');
    json_text(&j, "rcpt", rcpt);
    json_number(&j, "code", r->code);
    json_text(&j, "enhanced", r->enhanced);
    json_text(&j, "text", r->text);
    put_json_line(&j, line);
    put_json_rewriting(&j, &q->sender);
    put_json_rewriting(&j, &q->rcpt);
    put_json_lists(q, &j, r);
    json_open(&j, "to", '[');
    for (unsigned i = 0; i < x->count; i++) {
        const struct decision *d = &x->homes[i];

        json_open(&j, NULL, '{');
        json_text(&j, "rcpt", address_text(&q->arena, &d->final));
        json_text(&j, "action", slice_of(kind_word(d->kind)));
        json_text(&j, "where", home_of(q, d));
        put_json_line(&j, line_of_rule(d->rule));
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    (void)buf_append_char(&q->out, '\n');
}

/* ---- what is asked ---- */

struct explain_options {
    const char *config, *client, *from, *auth;
    struct option_list to;
    bool json;
};

static const struct reply reply_taken = {250, SLICE_INIT("2.1.5"), SLICE_INIT("Ok")};

static bool may_send(const struct question *q)
{
    return q->listener == NULL || q->given.kind == ADDRESS_NULL ||
           accounts_may_send_as(q->listener->auth->accounts, q->query.user, &q->given);
}

static struct reply not_owned(struct question *q)
{
    return (struct reply){553, SLICE("5.7.1"),
                          arena_printf(&q->arena,
                                       "<%.*s>: Sender address rejected: not owned by user %.*s",
                                       SLICE_PRINTF(address_text(&q->arena, &q->given)),
                                       SLICE_PRINTF(q->query.user))};
}

static void explain_rcpt(struct question *q, bool json)
{
    const struct settings *s = q->settings;
    struct slice rcpt = address_text(&q->arena, &q->query.rcpt);
    struct expansion x = {0};
    struct reply r = reply_taken;
    struct line line = {0};
    enum srs_verdict srs;

    q->to = q->query.rcpt;
    q->rcpt = rewrite(q, REWRITE_RCPT, &q->query.rcpt);
    srs = forwarding_back(s, &q->query, now_us(), &q->arena);
    const struct access *by =
        access_denied(s->access, s->access_count, &s->rules, &q->query, &q->arena);
    if (!may_send(q)) {
        line = (struct line){q->listener->file, q->listener->line};
        r = not_owned(q);
    } else if (by != NULL) {
        line = (struct line){by->file, by->line};
        r = access_refusal(by, &q->query, &q->arena);
    } else {
        x = rules_expand(&q->settings->rules, &q->query, &q->arena);
        line = line_of_rule(x.rule);
        if (x.refusal.code != 0)
            r = forwarding_refusal(srs, &q->query, x.refusal, &q->arena);
    }
    if (json)
        put_object(q, rcpt, &r, &x, line);
    else
        put_text(q, rcpt, &r, &x, line);
}

static bool is_loopback(const char *client, bool *local)
{
    static const unsigned char one[16] = {[15] = 1};
    unsigned char ip[16];

    *local = false;
    if (client == NULL)
        return true;
    if (ipv4_parse(slice_of(client), ip)) {
        *local = ip[0] == 127;
        return true;
    }
    if (!ipv6_parse(slice_of(client), ip))
        return false;
    *local =
        slice_equal((struct slice){(const char *)ip, 16}, (struct slice){(const char *)one, 16});
    return true;
}

static int take_sender(struct question *q, const char *from)
{
    struct slice text = slice_of(from == NULL ? "" : from);

    if (text.len == 0 || slice_equal(text, SLICE("<>")) ||
        address_parse(text, &q->arena, &q->query.sender))
        return EXIT_SUCCESS;
    return command_wrong("explain", EX_USAGE, "--from %s is no address", from);
}

/* The first listener that has such an account. */
static int take_account(struct question *q, const char *auth)
{
    const struct settings *s = q->settings;
    struct account found;

    if (auth == NULL)
        return EXIT_SUCCESS;
    for (size_t i = 0; i < s->listener_count; i++) {
        const struct settings_table *table = s->listeners[i].auth;

        if (table == NULL || !accounts_login(table->accounts, slice_of(auth), &q->arena, &found))
            continue;
        if (found.disabled)
            return command_wrong("explain", EX_NOUSER, "%s is disabled: it cannot log in", auth);
        q->listener = &s->listeners[i];
        q->query.user = found.name;
        return EXIT_SUCCESS;
    }
    return command_wrong("explain", EX_NOUSER, "no listener of the configuration knows %s", auth);
}

/* Of mail that begins here. */
static void rewrite_sender(struct question *q)
{
    q->given = q->query.sender;
    if (q->query.from_local || q->query.user.len > 0)
        q->sender = rewrite(q, REWRITE_SENDER, &q->query.sender);
}

static int explain_all(struct question *q, const struct explain_options *o)
{
    int status = take_sender(q, o->from);

    if (status == EXIT_SUCCESS)
        status = take_account(q, o->auth);
    if (status == EXIT_SUCCESS)
        rewrite_sender(q);
    for (unsigned i = 0; i < o->to.count && status == EXIT_SUCCESS; i++) {
        if (!address_parse(slice_of(o->to.values[i]), &q->arena, &q->query.rcpt))
            status = command_wrong("explain", EX_USAGE, "--to %s is no address", o->to.values[i]);
        else
            explain_rcpt(q, o->json);
    }
    if (status == EXIT_SUCCESS)
        fwrite(buf_slice(&q->out).data, 1, buf_len(&q->out), stdout);
    return status;
}

static int explain(const struct explain_options *o)
{
    struct question q = {0};
    struct settings *settings = NULL;
    struct buf bundle;
    int status;

    if (!is_loopback(o->client, &q.query.from_local))
        return command_wrong("explain", EX_USAGE, "--client %s is no address", o->client);
    q.query.client = slice_of(o->client == NULL ? "" : o->client);
    status = load_settings_to_use(o->config, &bundle, &settings);
    if (status == EXIT_SUCCESS && sources_open(&q.sources, buf_slice(&bundle), &q.arena)) {
        q.settings = settings;
        buf_init(&q.out, EXPLAIN_TEXT_MAX);
        status = explain_all(&q, o);
        buf_done(&q.out);
    }
    arena_done(&q.arena);
    settings_free(settings);
    buf_wipe(&bundle);
    return status;
}

int cmd_explain(int argc, char **argv)
{
    struct explain_options o = {.config = "/etc/postroad/postroad.conf"};
    int status;
    const struct option options[] = {
        {"--to",     NULL, OPTION_LIST, &o.to,     "ADDRESS", "who it is for; may be given several times",
         NULL                                                                                                  },
        {"--from",   NULL, OPTION_TEXT, &o.from,   "ADDRESS", "who it is from; default <>, a report",
         NULL                                                                                                  },
        {"--client", NULL, OPTION_TEXT, &o.client, "IP",
         "who brings it; a loopback address is local; default: some stranger",                             NULL},
        {"--auth",   NULL, OPTION_TEXT, &o.auth,   "USER",    "who has logged in",                         NULL},
        {"--config", "-c", OPTION_TEXT, &o.config, "FILE",
         "the configuration; default /etc/postroad/postroad.conf",                                         NULL},
        {"--json",   NULL, OPTION_FLAG, &o.json,   NULL,      "one object a line",                         NULL},
    };
    const struct usage usage = {
        "explain",
        "--to ADDRESS [OPTION...]",
        "Says what would happen to a mail, and which line of the configuration makes it so. Sends\n"
        "nothing and asks nobody: no server need run.\n\n"
        "Exit status: 0 it was explained, also when the mail would be refused; 64 usage; 66 the\n"
        "file cannot be read; 67 no such account; 78 the configuration is wrong.",
        "  postroad explain --to bob@example.org --from ann@example.net --client 192.0.2.7\n"
        "  postroad explain --auth ann@example.org --from ann@example.org --to joe@example.com\n"
        "  postroad explain -c new.conf --to root --client 127.0.0.1 --json\n",
        options,
        sizeof(options) / sizeof(*options)};

    if (!options_parse(&usage, argc, argv, &status))
        return status;
    if (o.to.count == 0)
        return command_wrong("explain", EX_USAGE, "who is it for? --to ADDRESS");
    return explain(&o);
}
