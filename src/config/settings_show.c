/*
 * settings_show.c - what is written is shown as the tree of statements has it, what is not as the
 * schema's table says.
 *
 * Where a default depends on other words, it is taken from the settings: a small table names those
 * words. Behind a block that is shown, its statement is known by its turn (listeners) or its name
 * (relays), so the walk needs no memory of how it was parsed.
 */
#include "config/settings_show.h"

#include "config/choices.h"
#include "config/settings_internal.h"

#include <stdio.h>

enum { INDENT = 4 };

#define KIB 1024ull

/* Where the walk is; what is not around it is NULL. */
struct show {
    const struct settings *s;
    struct buf *out;
    struct arena *scratch;
    unsigned depth;
    size_t listeners_seen;
    const struct settings_listener *listener;
    const struct relay *relay;
    const struct allowance *usual;    /* of those whom a block of `limit from` is about */
    bool limits_any, limits_accounts; /* there was one of `from any`, `from authenticated` */
    bool full;
};

/* ---- defaults that depend ---- */

typedef struct slice effective_fn(const struct show *at);

static struct slice origin(const struct show *at)
{
    return at->s->rules.origin;
}

static struct slice postmaster(const struct show *at)
{
    return address_text(at->scratch, &at->s->rules.postmaster);
}

static struct slice size_text(struct arena *arena, uint64_t bytes)
{
    static const char units[] = "KMG";
    char unit[2] = "";

    for (size_t i = 0; i < 3 && bytes > 0 && bytes % KIB == 0; i++) {
        bytes /= KIB;
        unit[0] = units[i];
    }
    return arena_printf(arena, "%llu%s", (unsigned long long)bytes, unit);
}

static struct slice listener_max_size(const struct show *at)
{
    return size_text(at->scratch, at->listener->max_size);
}

static struct slice listener_line_ends(const struct show *at)
{
    return choice_word(SHAPE_LINE_ENDS, at->listener->line_ends);
}

static struct slice listener_tls(const struct show *at)
{
    return choice_word(SHAPE_LISTENER_TLS, at->listener->tls);
}

static struct slice relay_helo(const struct show *at)
{
    return at->s->hostname;
}

static struct slice relay_tls(const struct show *at)
{
    return choice_word(SHAPE_RELAY_TLS, at->relay->tls);
}

static struct slice oauth_authorize(const struct show *at)
{
    return at->relay->oauth->authorize;
}

static struct slice oauth_token(const struct show *at)
{
    return at->relay->oauth->token;
}

static struct slice oauth_scope(const struct show *at)
{
    return arena_printf(at->scratch, "\"%.*s\"", SLICE_PRINTF(at->relay->oauth->scope));
}

static struct slice count_text(const struct show *at, unsigned count)
{
    return count == 0 ? SLICE("unlimited") : arena_printf(at->scratch, "%u", count);
}

static struct slice rate_text(const struct show *at, struct rate rate)
{
    char unit = rate.per_s == 1 ? 's' : rate.per_s == 60 ? 'm' : rate.per_s == 3600 ? 'h' : 'd';

    return rate.count == 0 ? SLICE("unlimited")
                           : arena_printf(at->scratch, "%u/%c", rate.count, unit);
}

/* `limit to` leaves what it does not say as the destination bears it. */
static struct slice limit_connections(const struct show *at)
{
    return at->usual == NULL ? SLICE("") : count_text(at, at->usual->connections);
}

static struct slice limit_rate(const struct show *at)
{
    return at->usual == NULL ? SLICE("") : rate_text(at, at->usual->rate);
}

static struct slice limit_network_connections(const struct show *at)
{
    return at->usual != &allowance_usual_stranger ? SLICE("")
                                                  : count_text(at, at->usual->network_connections);
}

static struct slice limit_network_rate(const struct show *at)
{
    return at->usual != &allowance_usual_stranger ? SLICE("")
                                                  : rate_text(at, at->usual->network_rate);
}

static struct slice limit_recipients(const struct show *at)
{
    return at->usual == NULL ? SLICE("") : rate_text(at, at->usual->recipients);
}

static struct slice limit_messages(const struct show *at)
{
    return at->usual == NULL ? SLICE("") : rate_text(at, at->usual->messages);
}

static struct slice limit_errors(const struct show *at)
{
    return at->usual == NULL ? SLICE("") : count_text(at, at->usual->errors);
}

/* Each relay that has the source says it for itself. */
static struct slice source_helo(const struct show *at)
{
    (void)at;
    return SLICE("");
}

static const struct {
    enum context where;
    struct slice word;
    effective_fn *effective; /* "": there is none here */
} depending[] = {
    {IN_FILE,   SLICE_INIT("origin"),              origin                   },
    {IN_FILE,   SLICE_INIT("postmaster"),          postmaster               },
    {IN_LISTEN, SLICE_INIT("max-size"),            listener_max_size        },
    {IN_LISTEN, SLICE_INIT("line-ends"),           listener_line_ends       },
    {IN_LISTEN, SLICE_INIT("tls"),                 listener_tls             },
    {IN_RELAY,  SLICE_INIT("helo"),                relay_helo               },
    {IN_RELAY,  SLICE_INIT("tls"),                 relay_tls                },
    {IN_SOURCE, SLICE_INIT("helo"),                source_helo              },
    {IN_OAUTH,  SLICE_INIT("authorize"),           oauth_authorize          },
    {IN_OAUTH,  SLICE_INIT("token"),               oauth_token              },
    {IN_OAUTH,  SLICE_INIT("scope"),               oauth_scope              },
    {IN_LIMIT,  SLICE_INIT("connections"),         limit_connections        },
    {IN_LIMIT,  SLICE_INIT("rate"),                limit_rate               },
    {IN_LIMIT,  SLICE_INIT("network-connections"), limit_network_connections},
    {IN_LIMIT,  SLICE_INIT("network-rate"),        limit_network_rate       },
    {IN_LIMIT,  SLICE_INIT("recipients"),          limit_recipients         },
    {IN_LIMIT,  SLICE_INIT("messages"),            limit_messages           },
    {IN_LIMIT,  SLICE_INIT("errors"),              limit_errors             },
};

static struct slice effective(const struct show *at, const struct schema_row *row)
{
    for (size_t i = 0; i < sizeof(depending) / sizeof(*depending); i++)
        if (row->where == (unsigned)depending[i].where && slice_equal(row->word, depending[i].word))
            return depending[i].effective(at);
    return slice_of(row->initial);
}

/* ---- writing ---- */

static void put(struct show *at, struct slice text)
{
    at->full = at->full || !buf_append(at->out, text);
}

static void begin_line(struct show *at)
{
    for (unsigned i = 0; i < at->depth * INDENT; i++)
        put(at, SLICE(" "));
}

static void put_word(struct show *at, const struct syntax_word *word)
{
    if (!word->quoted) {
        put(at, word->text);
        return;
    }
    put(at, SLICE("\""));
    for (size_t i = 0; i < word->text.len; i++) {
        if (word->text.data[i] == '"' || word->text.data[i] == '\\')
            put(at, SLICE("\\"));
        put(at, slice_head(slice_skip(word->text, i), 1));
    }
    put(at, SLICE("\""));
}

static void put_values(struct show *at, const struct syntax_word *word)
{
    bool more = false;

    for (; word != NULL; word = word->next) {
        put(at, more ? SLICE(",") : SLICE(" "));
        put_word(at, word);
        more = word->more;
    }
}

static bool is_written(const struct syntax_statement *first, struct slice word)
{
    while (first != NULL && !slice_equal(first->word.text, word))
        first = first->next;
    return first != NULL;
}

/* The first one from *i on that is not written and holds something; *i moves to it. */
static bool find_default(const struct show *at, const struct syntax_statement *first,
                         unsigned where, size_t *i)
{
    for (; *i < schema_count; ++*i) {
        const struct schema_row *row = &schema[*i];

        if ((row->where & where) != 0 && row->initial != NULL && !is_written(first, row->word) &&
            effective(at, row).len > 0)
            return true;
    }
    return false;
}

static void put_defaults(struct show *at, const struct syntax_statement *first, unsigned where)
{
    for (size_t i = 0; find_default(at, first, where, &i); i++) {
        begin_line(at);
        put(at, schema[i].word);
        put(at, SLICE(" "));
        put(at, effective(at, &schema[i]));
        put(at, SLICE("  # default\n"));
    }
}

/* ---- the walk ---- */

static const struct schema_row *row_of(struct slice word, unsigned where)
{
    for (size_t i = 0; i < schema_count; i++)
        if ((schema[i].where & where) != 0 && slice_equal(schema[i].word, word))
            return &schema[i];
    return NULL;
}

/* limit to|from WHOM: whom is the block about? */
static void enter_limit(struct show *at, const struct syntax_word *words)
{
    struct slice whom = words->next->text;
    bool of_accounts =
        slice_equal(whom, SLICE("authenticated")) || slice_equal(whom, SLICE("user"));

    at->usual = NULL;
    if (slice_equal(words->text, SLICE("to")))
        return;
    at->usual = of_accounts ? &allowance_usual_account : &allowance_usual_stranger;
    at->limits_any = at->limits_any || slice_equal(whom, SLICE("any"));
    at->limits_accounts = at->limits_accounts || slice_equal(whom, SLICE("authenticated"));
}

/* Whose block is to follow. */
static void enter(struct show *at, const struct schema_row *row, const struct syntax_statement *s)
{
    switch (row->opens) {
    case IN_LISTEN: at->listener = &at->s->listeners[at->listeners_seen++]; break;
    case IN_RELAY: at->relay = settings_relay(at->s, s->values->text); break;
    case IN_LIMIT: enter_limit(at, s->values); break;
    default: break;
    }
}

static void show_statement(struct show *at, const struct syntax_statement *s, unsigned where);

/* NOLINTNEXTLINE(misc-no-recursion): at most SYNTAX_DEPTH_MAX deep */
static void show_block(struct show *at, const struct syntax_statement *first, unsigned where)
{
    size_t any = 0;

    if (first == NULL && !find_default(at, first, where, &any))
        return;
    put(at, SLICE(" {\n"));
    at->depth++;
    for (const struct syntax_statement *s = first; s != NULL; s = s->next)
        show_statement(at, s, where);
    put_defaults(at, first, where);
    at->depth--;
    begin_line(at);
    put(at, SLICE("}"));
}

/* NOLINTNEXTLINE(misc-no-recursion): as above */
static void show_statement(struct show *at, const struct syntax_statement *s, unsigned where)
{
    const struct schema_row *row = row_of(s->word.text, where);

    if (row == NULL)
        return; /* never: the file is right */
    begin_line(at);
    if (slice_equal(row->word, SLICE("include")))
        put(at, SLICE("# "));
    put(at, row->word);
    put_values(at, s->values);
    if (row->opens != 0) {
        enter(at, row, s);
        show_block(at, s->block, row->opens);
    }
    put(at, SLICE("\n"));
}

static void show_usual_limit(struct show *at, const char *whom, const struct allowance *usual)
{
    at->usual = usual;
    put(at, SLICE("limit from "));
    put(at, slice_of(whom));
    show_block(at, NULL, IN_LIMIT);
    put(at, SLICE("\n"));
}

static void show_file(struct show *at, const struct syntax_statement *first)
{
    for (const struct syntax_statement *s = first; s != NULL; s = s->next)
        show_statement(at, s, IN_FILE);
    if (!at->limits_any)
        show_usual_limit(at, "any", &allowance_usual_stranger);
    if (!at->limits_accounts)
        show_usual_limit(at, "authenticated", &allowance_usual_account);
    put_defaults(at, first, IN_FILE);
}

bool settings_show(const struct settings *s, struct slice bundle, struct buf *out)
{
    struct arena scratch = {0};
    struct parser p = {
        .desk = {.keep = &scratch, .scratch = &scratch}
    };
    struct show at = {.s = s, .out = out, .scratch = &scratch};

    if (sources_open(&p.sources, bundle, &scratch)) {
        p.desk.main = p.sources.first;
        struct syntax_tree tree = syntax_parse(p.desk.main, &scratch);

        (void)parser_include(&p, tree.first);
        show_file(&at, tree.first);
    }
    arena_done(&scratch);
    return !at.full;
}
