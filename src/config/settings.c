/*
 * settings.c - what the words of the configuration mean.
 *
 * One table says everything: `rows` names each word, where it may stand, the shapes of its values
 * (values.c), whose words may follow it in the line or in its block, and the function that takes
 * the checked values. A row without a function belongs to a later version and is answered as such.
 * What rules name, they may name before it stands there: such statements are read first.
 * The table also answers what to write instead: the nearest word, or the list of those known.
 *
 * Checking never stops at the first error, so that one run tells everything; what concerns the
 * whole file (a missing word, postmaster's mailbox, rules that can never match) is looked at only
 * when it would not merely repeat an earlier error. Nothing is published unless all is right.
 */
#include "config/settings.h"

#include "base/memory.h"
#include "config/advice.h"
#include "config/settings_internal.h"
#include "mail/alias_check.h"

enum {
    ERRORS_TEXT_MAX = 512 * 1024,
    WANTED_MAX = SOURCES_MAX * (SYNTAX_WORD_MAX + 4),
    SMTP_PORT = 25,
};

#define MIB (1024ull * 1024)

static const uint64_t default_max_size = 50 * MIB;
static const uint64_t default_min_free = 320 * MIB; /* five segments */

/* ---- the table ---- */

enum context {
    IN_FILE = 1 << 0,
    IN_LISTEN = 1 << 1,
    IN_QUEUE = 1 << 2,
    IN_RELAY = 1 << 3,
    IN_SOURCE = 1 << 4,
    IN_LIMIT = 1 << 5,
    IN_RULE = 1 << 6, /* behind accept, hold, reject, discard in the same line */
    BEHIND_LIMIT = 1 << 7,
    IN_OAUTH = 1 << 8,
    IN_INTROSPECT = 1 << 9,
};

static apply_fn set_resolver, set_hostname, set_origin, set_postmaster, set_max_size, set_queue;
static apply_fn set_min_free, set_log, add_table, was_included;

struct row {
    struct slice word;
    unsigned where;
    apply_fn *apply; /* NULL: a word of a later version */
    enum shape shapes[2];
    unsigned clauses; /* context of the words that follow in the line */
    unsigned opens;   /* context of its block */
    bool repeats;
    const char *form; /* how it is written */
};

/* clang-format off */
#define NOT_YET(name, contexts) {.word = SLICE_INIT(name), .where = (contexts)}

static const struct row rows[] = {
    {SLICE_INIT("hostname"), IN_FILE, set_hostname, {SHAPE_HOST}, 0, 0, false,
     "hostname NAME"},
    {SLICE_INIT("origin"), IN_FILE, set_origin, {SHAPE_HOST}, 0, 0, false,
     "origin NAME"},
    {SLICE_INIT("postmaster"), IN_FILE, set_postmaster, {SHAPE_MAILBOX}, 0, 0, false,
     "postmaster ADDRESS"},
    {SLICE_INIT("max-size"), IN_FILE, set_max_size, {SHAPE_SIZE}, 0, 0, false,
     "max-size SIZE"},
    {SLICE_INIT("listen"), IN_FILE, parser_add_listener, {SHAPE_LISTENER, SHAPE_SOCKET}, 0, IN_LISTEN, true,
     "listen mx|submission|lmtp ADDRESS:PORT"},
    {SLICE_INIT("queue"), IN_FILE, set_queue, {SHAPE_PATH}, 0, IN_QUEUE, false,
     "queue PATH"},
    {SLICE_INIT("resolver"), IN_FILE, set_resolver, {SHAPE_RESOLVER}, 0, 0, false,
     "resolver system|recursive|ADDRESS"},
    {SLICE_INIT("include"), IN_FILE, was_included, {SHAPE_PATH}, 0, 0, true,
     "include PATH, or include FOLDER/*.conf"},
    {SLICE_INIT("log"), IN_FILE, set_log, {SHAPE_LOG}, 0, 0, false,
     "log text|json"},
    {SLICE_INIT("table"), IN_FILE, add_table, {SHAPE_NAME, SHAPE_TABLE_TYPE}, 0, 0, true,
     "table NAME accounts|aliases PATH"},
    {SLICE_INIT("source"), IN_FILE, parser_begin_source, {SHAPE_NAME, SHAPE_IP}, 0, IN_SOURCE, true,
     "source NAME IP"},
    {SLICE_INIT("relay"), IN_FILE, parser_begin_relay, {SHAPE_NAME}, 0, IN_RELAY, true,
     "relay NAME { ... }"},
    {SLICE_INIT("limit"), IN_FILE, parser_begin_limit, {SHAPE_LIMIT, SHAPE_LIMITED}, BEHIND_LIMIT,
     IN_LIMIT, true, "limit to any|domain NAME|mx NAME [source NAME] { ... }, "
     "or limit from authenticated|user ADDRESS { ... }"},
    {SLICE_INIT("accept"), IN_FILE, parser_begin_accept, {SHAPE_NONE}, IN_RULE, 0, true,
     "accept [from ...] [sender ...] [to ...] [users TABLE] [aliases TABLE] deliver ...|relay NAME"},
    {SLICE_INIT("hold"), IN_FILE, parser_begin_hold, {SHAPE_NONE}, IN_RULE, 0, true,
     "hold [from ...] [sender ...] [to ...] [users TABLE] [aliases TABLE] deliver ...|relay NAME"},
    {SLICE_INIT("reject"), IN_FILE, parser_begin_reject, {SHAPE_NONE}, IN_RULE, 0, true,
     "reject [from ...] [sender ...] [to ...] \"5.7.1 text\""},
    {SLICE_INIT("discard"), IN_FILE, parser_begin_discard, {SHAPE_NONE}, IN_RULE, 0, true,
     "discard [from ...] [sender ...] [to ...]"},

    {SLICE_INIT("max-size"), IN_LISTEN, parser_set_listener_max_size, {SHAPE_SIZE}, 0, 0, false,
     "max-size SIZE"},
    {SLICE_INIT("line-ends"), IN_LISTEN, parser_set_line_ends, {SHAPE_LINE_ENDS}, 0, 0, false,
     "line-ends strict|repair"},
    {SLICE_INIT("faults"), IN_LISTEN, parser_set_faults, {SHAPE_YES_NO}, 0, 0, false,
     "faults yes|no"},
    {SLICE_INIT("etrn"), IN_LISTEN, parser_add_etrn, {SHAPE_DOMAINS, SHAPE_LIST}, 0, 0, false,
     "etrn DOMAIN,*.DOMAIN,..."},
    {SLICE_INIT("auth"), IN_LISTEN, parser_set_auth, {SHAPE_NAME}, 0, 0, false,
     "auth TABLE"},
    {SLICE_INIT("auth-cleartext"), IN_LISTEN, parser_set_auth_cleartext, {SHAPE_YES_NO}, 0, 0, false,
     "auth-cleartext yes|no"},
    {SLICE_INIT("hide-client"), IN_LISTEN, parser_set_hide_client, {SHAPE_YES_NO}, 0, 0, false,
     "hide-client yes|no"},
    {SLICE_INIT("introspect"), IN_LISTEN, parser_begin_introspect, {SHAPE_URL}, 0, IN_INTROSPECT, false,
     "introspect https://HOST/PATH { client ID file:PATH }"},
    {SLICE_INIT("tls"), IN_LISTEN, parser_set_listener_tls, {SHAPE_LISTENER_TLS}, 0, 0, false,
     "tls off|optional|required|implicit"},
    {SLICE_INIT("client-ca"), IN_LISTEN, parser_set_client_ca, {SHAPE_PATH}, 0, 0, false,
     "client-ca PATH"},
    /* Behind the listener's: in a block of it that is never closed, this one is known as well. */
    {SLICE_INIT("tls"), IN_FILE, parser_add_certificate, {SHAPE_CERTIFICATE, SHAPE_PATH}, 0, 0, true,
     "tls [NAME] CERTIFICATE KEY"},
    {SLICE_INIT("min-free"), IN_QUEUE, set_min_free, {SHAPE_SIZE}, 0, 0, false,
     "min-free SIZE"},

    {SLICE_INIT("host"), IN_RELAY, parser_add_host, {SHAPE_SERVER, SHAPE_MORE}, 0, 0, true,
     "host NAME:PORT ..."},
    {SLICE_INIT("source"), IN_RELAY, parser_add_source, {SHAPE_SOURCE, SHAPE_MORE}, 0, 0, true,
     "source NAME ..."},
    {SLICE_INIT("helo"), IN_RELAY, parser_set_relay_helo, {SHAPE_HOST}, 0, 0, false,
     "helo NAME"},
    {SLICE_INIT("tls"), IN_RELAY, parser_set_relay_tls, {SHAPE_RELAY_TLS}, 0, 0, false,
     "tls off|optional|required|verified|implicit"},
    {SLICE_INIT("user"), IN_RELAY, parser_set_user, {SHAPE_USER, SHAPE_SECRET_IF}, 0, 0, false,
     "user NAME file:PATH"},
    {SLICE_INIT("oauth2"), IN_RELAY, parser_begin_oauth, {SHAPE_OAUTH}, 0, IN_OAUTH, false,
     "oauth2 google|microsoft|custom { client ID file:PATH }"},
    {SLICE_INIT("client"), IN_OAUTH, parser_set_oauth_client, {SHAPE_CLIENT, SHAPE_SECRET_IF}, 0, 0, false,
     "client ID file:PATH"},
    {SLICE_INIT("authorize"), IN_OAUTH, parser_set_oauth_authorize, {SHAPE_URL}, 0, 0, false,
     "authorize https://HOST/PATH"},
    {SLICE_INIT("token"), IN_OAUTH, parser_set_oauth_token, {SHAPE_URL}, 0, 0, false,
     "token https://HOST/PATH"},
    {SLICE_INIT("scope"), IN_OAUTH, parser_set_oauth_scope, {SHAPE_SCOPE}, 0, 0, false,
     "scope \"WORD ...\""},
    {SLICE_INIT("ca"), IN_OAUTH, parser_set_oauth_ca, {SHAPE_PATH}, 0, 0, false,
     "ca PATH"},
    {SLICE_INIT("client"), IN_INTROSPECT, parser_set_introspect_client, {SHAPE_CLIENT, SHAPE_SECRET}, 0, 0,
     false, "client ID file:PATH"},
    {SLICE_INIT("ca"), IN_INTROSPECT, parser_set_introspect_ca, {SHAPE_PATH}, 0, 0, false,
     "ca PATH"},
    {SLICE_INIT("user"), IN_INTROSPECT, parser_set_introspect_user, {SHAPE_CLAIM}, 0, 0, false,
     "user username|email"},
    {SLICE_INIT("family"), IN_RELAY, parser_set_family, {SHAPE_FAMILY}, 0, 0, false,
     "family any|ipv4-first|ipv6-first|ipv4|ipv6"},
    {SLICE_INIT("retry"), IN_RELAY, parser_add_retry, {SHAPE_DURATION, SHAPE_MORE}, 0, 0, false,
     "retry 5m 15m 1h 4h"},
    {SLICE_INIT("give-up"), IN_RELAY, parser_set_give_up, {SHAPE_DURATION}, 0, 0, false,
     "give-up 5d"},
    {SLICE_INIT("delay-warning"), IN_RELAY, parser_set_delay_warning, {SHAPE_DELAY}, 0, 0, false,
     "delay-warning 4h"},
    {SLICE_INIT("report"), IN_RELAY, parser_set_report, {SHAPE_YES_NO}, 0, 0, false,
     "report yes|no"},
    {SLICE_INIT("helo"), IN_SOURCE, parser_set_source_helo, {SHAPE_HOST}, 0, 0, false,
     "helo NAME"},

    {SLICE_INIT("source"), BEHIND_LIMIT, parser_set_limit_source, {SHAPE_SOURCE}, 0, 0, false,
     "source NAME"},
    {SLICE_INIT("connections"), IN_LIMIT, parser_set_connections, {SHAPE_CONNECTIONS}, 0, 0, false,
     "connections 10"},
    {SLICE_INIT("recipients"), IN_LIMIT, parser_set_recipients, {SHAPE_RECIPIENTS}, 0, 0, false,
     "recipients 500/h, or recipients unlimited"},
    {SLICE_INIT("rate"), IN_LIMIT, parser_set_rate, {SHAPE_RATE}, 0, 0, false,
     "rate 600/m"},

    {SLICE_INIT("from"), IN_RULE, parser_set_from, {SHAPE_FROM, SHAPE_LIST}, 0, 0, false,
     "from any|local|authenticated|network CIDR|user ADDRESS"},
    {SLICE_INIT("sender"), IN_RULE, parser_set_sender, {SHAPE_SENDER}, 0, 0, false,
     "sender domain NAME|address ADDRESS"},
    {SLICE_INIT("to"), IN_RULE, parser_set_to, {SHAPE_TO}, 0, 0, false,
     "to any|local|domain NAME|address ADDRESS"},
    {SLICE_INIT("users"), IN_RULE, parser_set_users, {SHAPE_TABLE}, 0, 0, false,
     "users TABLE"},
    {SLICE_INIT("aliases"), IN_RULE, parser_set_aliases, {SHAPE_TABLE}, 0, 0, false,
     "aliases TABLE"},
    {SLICE_INIT("catch-all"), IN_RULE, parser_set_catch_all, {SHAPE_MAILBOX}, 0, 0, false,
     "catch-all ADDRESS"},
    {SLICE_INIT("copy"), IN_RULE, parser_set_copy, {SHAPE_MAILBOX}, 0, 0, false,
     "copy ADDRESS"},
    {SLICE_INIT("deliver"), IN_RULE, parser_set_action, {SHAPE_DELIVER}, 0, 0, false,
     "deliver maildir PATH|lmtp ADDRESS"},
    {SLICE_INIT("relay"), IN_RULE, parser_set_relay, {SHAPE_RELAY}, 0, 0, false,
     "relay NAME"},
    {SLICE_INIT("\"text\""), IN_RULE, parser_set_refusal, {SHAPE_REFUSAL}, 0, 0, false,
     "\"5.7.1 text\""},

    NOT_YET("acme", IN_FILE),
    NOT_YET("allow", IN_FILE),
    NOT_YET("cluster", IN_FILE),
    NOT_YET("console", IN_FILE),
    NOT_YET("deny", IN_FILE),
    NOT_YET("events", IN_FILE),
    NOT_YET("filter", IN_FILE),
    NOT_YET("lua", IN_FILE),
    NOT_YET("rewrite", IN_FILE),
    NOT_YET("sign", IN_FILE),
    NOT_YET("verify", IN_FILE),
    NOT_YET("dnsbl", IN_LISTEN),
    NOT_YET("greet-delay", IN_LISTEN),
    NOT_YET("proxy-from", IN_LISTEN),
    NOT_YET("xclient-from", IN_LISTEN),
    NOT_YET("dane", IN_RELAY),
    NOT_YET("mta-sts", IN_RELAY),
    NOT_YET("srs", IN_RELAY),
};

/* clang-format on */

enum { ROW_COUNT = sizeof(rows) / sizeof(*rows) };

_Static_assert(sizeof(rows) / sizeof(*rows) <= PARSER_ROWS_MAX, "struct parser has room for each");

/* ---- statements ---- */

static struct slice home_of(struct parser *p, const struct row *stray)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if ((rows[i].opens & stray->where) != 0)
            return arena_printf(p->desk.scratch, "it stands in the block of '%.*s'",
                                SLICE_PRINTF(rows[i].word));
        if ((rows[i].clauses & stray->where) != 0)
            return rows[i].clauses == IN_RULE
                       ? SLICE("it stands in the line of accept, hold, reject or discard")
                       : arena_printf(p->desk.scratch, "it stands in the line of '%.*s'",
                                      SLICE_PRINTF(rows[i].word));
    }
    return SLICE("it stands in a line of its own, outside of blocks");
}

static void tell_unknown(struct parser *p, const struct syntax_word *word, unsigned where,
                         const struct guess *guess)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (slice_equal(rows[i].word, guess->written)) {
            desk_error(&p->desk, word->place,
                       arena_printf(p->desk.scratch, "'%.*s' does not belong here",
                                    SLICE_PRINTF(word->text)),
                       home_of(p, &rows[i]));
            return;
        }
        if (where == IN_FILE && guess_is_typo(guess) && slice_equal(rows[i].word, guess->nearest))
            p->meant[i] = true;
    }
    desk_error(&p->desk, word->place,
               arena_printf(p->desk.scratch, "unknown word '%.*s'", SLICE_PRINTF(word->text)),
               guess_advice(guess, p->desk.scratch));
}

static const struct row *find_row(struct parser *p, const struct syntax_word *word, unsigned where)
{
    struct slice name = word->quoted ? SLICE("\"text\"") : word->text;
    struct guess guess = {.written = name};

    for (size_t i = 0; i < ROW_COUNT; i++) {
        if ((rows[i].where & where) == 0)
            continue;
        if (slice_equal(rows[i].word, name)) {
            if (rows[i].apply != NULL)
                return &rows[i];
            desk_not_yet(&p->desk, word);
            return NULL;
        }
        if (rows[i].apply != NULL)
            guess_consider(&guess, rows[i].word, p->desk.scratch);
    }
    tell_unknown(p, word, where, &guess);
    return NULL;
}

static bool check_first(struct parser *p, const struct row *row, const struct syntax_word *word,
                        struct place *seen)
{
    struct place *first = &seen[row - rows];

    if (first->line > 0 && !row->repeats)
        return desk_error(&p->desk, word->place,
                          arena_printf(p->desk.scratch, "'%.*s' given twice, first at %.*s",
                                       SLICE_PRINTF(word->text),
                                       SLICE_PRINTF(desk_where(&p->desk, *first, word->place))),
                          SLICE("keep one of them"));
    *first = word->place;
    return true;
}

/* Does what follows belong to the same word, too? `value` is the first that was taken last. */
static bool goes_on(const struct row *row, const struct syntax_word *value,
                    const struct syntax_word *next)
{
    if (row->shapes[1] != SHAPE_LIST)
        return row->shapes[1] == SHAPE_MORE;
    while (value->next != next)
        value = value->next;
    return value->more;
}

/* Of a word: all its values, one after the other. */
static bool take_values(struct parser *p, const struct row *row, const struct syntax_word *word,
                        const struct syntax_word **words)
{
    const struct syntax_word *before;

    do {
        struct value values[VALUES_MAX] = {0};

        before = *words;
        if (!values_take(&p->desk, row->shapes, row->form, word, words, values) ||
            !row->apply(p, word->place, values))
            return false;
    } while (*words != NULL && goes_on(row, before, *words));
    return true;
}

static bool read_clauses(struct parser *p, const struct row *row, const struct syntax_word **words)
{
    struct place *seen = ARENA_ARRAY(p->desk.scratch, struct place, ROW_COUNT);

    while (*words != NULL) {
        const struct syntax_word *word = *words;
        const struct row *clause = find_row(p, word, row->clauses);

        if (clause == NULL || !check_first(p, clause, word, seen))
            return false;
        if (!word->quoted) /* a text is its own value */
            *words = word->next;
        if (!take_values(p, clause, word, words))
            return false;
    }
    return true;
}

/* The statement's own line; false when it is not to be used. */
static bool read_line(struct parser *p, const struct row *row, const struct syntax_statement *s)
{
    const struct syntax_word *words = s->values;

    if (!take_values(p, row, &s->word, &words))
        return false;
    if (row->clauses != 0)
        return read_clauses(p, row, &words);
    if (words != NULL)
        return desk_error(&p->desk, words->place,
                          arena_printf(p->desk.scratch, "'%.*s' is one value too many",
                                       SLICE_PRINTF(words->text)),
                          arena_printf(p->desk.scratch, "write: %s", row->form));
    return true;
}

static void read_block(struct parser *p, const struct syntax_statement *first, unsigned where,
                       struct place *seen);

/* NOLINTNEXTLINE(misc-no-recursion): at most SYNTAX_DEPTH_MAX deep */
static void read_own_block(struct parser *p, const struct row *row,
                           const struct syntax_statement *s)
{
    if (s->brace.line == 0 || (s->broken && row->opens == 0))
        return;
    if (row->opens == 0)
        desk_error(
            &p->desk, s->brace,
            arena_printf(p->desk.scratch, "'%.*s' takes no block", SLICE_PRINTF(s->word.text)),
            arena_printf(p->desk.scratch, "write: %s", row->form));
    else if (s->unclosed) /* the file goes on in it */
        read_block(p, s->block, row->opens | IN_FILE, p->seen);
    else
        read_block(p, s->block, row->opens, ARENA_ARRAY(p->desk.scratch, struct place, ROW_COUNT));
}

static bool is_named(const struct row *row)
{
    return row->apply == add_table || row->apply == parser_begin_source ||
           row->apply == parser_begin_relay;
}

/* A statement of the file itself: what follows in blocks is no longer about the one before. */
static void forget_blocks(struct parser *p)
{
    p->listener = &p->nowhere;
    p->source = &p->no_source;
    p->limit = &p->no_limit;
    p->allowance = NULL;
    p->introspection = NULL;
    p->no_relay = (struct relay){0};
    p->draft = (struct relay_draft){.relay = &p->no_relay};
}

/* NOLINTNEXTLINE(misc-no-recursion): as above */
static void read_statement(struct parser *p, const struct syntax_statement *s, unsigned where,
                           struct place *seen)
{
    const struct row *row = find_row(p, &s->word, where);
    bool usable;

    if (row != NULL && is_named(row) && where == IN_FILE && p->named_read)
        return;
    if (row == NULL || !check_first(p, row, &s->word, seen))
        return;
    if ((row->where & IN_FILE) != 0)
        forget_blocks(p);
    usable = !s->broken && read_line(p, row, s);
    if (usable && row->clauses == IN_RULE)
        parser_finish_rule(p);
    read_own_block(p, row, s);
    if (usable && row->apply == parser_begin_relay && !s->unclosed)
        parser_finish_relay(p);
    if (usable && row->apply == parser_begin_limit && s->block == NULL)
        parser_warn_of_limit(p, s->word.place);
}

/* NOLINTNEXTLINE(misc-no-recursion): as above */
static void read_block(struct parser *p, const struct syntax_statement *first, unsigned where,
                       struct place *seen)
{
    for (const struct syntax_statement *s = first; s != NULL; s = s->next)
        read_statement(p, s, where, seen);
}

/* ---- what each word does ---- */

static bool set_hostname(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->hostname = values[0].text;
    return true;
}

static bool set_origin(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->rules.origin = values[0].text;
    return true;
}

static bool set_resolver(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->dns_source = (enum dns_source)values[0].number;
    p->settings->dns_forwarder = values[0].text;
    return true;
}

static bool set_postmaster(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->rules.postmaster = values[0].address;
    p->postmaster_place = values[0].place;
    return true;
}

/* Its files were read before: settings_include.c. */
static bool was_included(struct parser *p, struct place word, const struct value *values)
{
    (void)p, (void)word, (void)values;
    return true;
}

static bool set_log(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->log_form = (enum log_form)values[0].number;
    return true;
}

static bool set_max_size(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    parser_check_max_size(p, &values[0]);
    p->settings->max_size = values[0].number;
    return true;
}

static bool set_queue(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->queue_path = values[0].text;
    return true;
}

static bool set_min_free(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->queue_min_free = values[0].number;
    return true;
}

static bool add_table(struct parser *p, struct place word, const struct value *values)
{
    return tables_add(&p->tables, word, &values[0], &values[1], &values[2]);
}

/* ---- the file as a whole ---- */

static bool was_seen(const struct parser *p, struct slice word)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].where == IN_FILE && slice_equal(rows[i].word, word))
            return p->seen[i].line > 0 || p->meant[i];
    }
    return false;
}

static const struct {
    struct slice word;
    struct slice message;
    struct slice hint;
} required[] = {
    {SLICE_INIT("hostname"), SLICE_INIT("no 'hostname': by what name greets this server?"),
     SLICE_INIT("write: hostname mx1.example.org") },
    {SLICE_INIT("listen"),   SLICE_INIT("no 'listen': mail cannot come in"),
     SLICE_INIT("write: listen mx *:25")           },
    {SLICE_INIT("queue"),    SLICE_INIT("no 'queue': mail has no place to wait"),
     SLICE_INIT("write: queue /var/spool/postroad")},
};

static void check_required(struct parser *p)
{
    for (size_t i = 0; i < sizeof(required) / sizeof(*required); i++) {
        if (!was_seen(p, required[i].word))
            desk_error(&p->desk, (struct place){0}, required[i].message, required[i].hint);
    }
}

static void set_defaults(struct parser *p)
{
    struct settings *s = p->settings;

    s->listeners = p->listeners;
    s->limits = p->limits;
    s->allowances = p->allowances;
    s->rules.rules = p->rules;
    s->rules.hostname = s->hostname;
    if (s->rules.origin.len == 0)
        s->rules.origin = s->hostname;
    if (s->rules.postmaster.kind == ADDRESS_NULL)
        s->rules.postmaster =
            (struct address){ADDRESS_MAILBOX, SLICE("postmaster"), s->rules.origin, false};
    if (s->max_size == 0)
        s->max_size = default_max_size;
    if (s->queue_min_free == 0)
        s->queue_min_free = default_min_free;
    for (size_t i = 0; i < s->listener_count; i++) {
        if (p->listeners[i].max_size == 0)
            p->listeners[i].max_size = s->max_size;
    }
}

static void read_named(struct parser *p, const struct syntax_statement *first, struct slice word,
                       struct named_list *names)
{
    for (const struct syntax_statement *s = first; s != NULL; s = s->next)
        if (slice_equal(s->word.text, word)) {
            read_statement(p, s, IN_FILE, p->seen);
            if (s->values != NULL)
                named_add_broken(names, s->word.place, s->values->text);
        }
}

/* A rule may stand before the tables and relays that it names, a relay before its sources. */
static void read_all_named(struct parser *p, const struct syntax_statement *first)
{
    read_named(p, first, SLICE("table"), &p->tables.names);
    read_named(p, first, SLICE("source"), &p->relay_sources);
    read_named(p, first, SLICE("relay"), &p->relays);
    p->named_read = true;
}

struct slice parser_file(struct parser *p, struct place word)
{
    if (p->file_source != word.source) {
        p->file_source = word.source;
        p->file = arena_copy(&p->settings->arena, word.source->path);
    }
    return p->file;
}

static void parse(struct parser *p)
{
    struct syntax_tree tree = syntax_parse(p->desk.main, p->desk.scratch);
    size_t count = tree.count + parser_include(p, tree.first);
    bool readable = sources_errors(&p->sources) == 0 && p->sources.wanted_count == 0;

    count++; /* no more listeners, limits or rules than statements */

    p->listeners = ARENA_ARRAY(&p->settings->arena, struct settings_listener, count);
    p->listener_introspect = ARENA_ARRAY(p->desk.scratch, struct place, count);
    p->listener_tls = ARENA_ARRAY(p->desk.scratch, struct place, count);
    p->listener_words = ARENA_ARRAY(p->desk.scratch, struct place, count);
    p->limits = ARENA_ARRAY(&p->settings->arena, struct limit, count);
    p->allowances = ARENA_ARRAY(&p->settings->arena, struct allowance, count);
    p->rules = ARENA_ARRAY(&p->settings->arena, struct rule, count);
    p->rule_places = ARENA_ARRAY(p->desk.scratch, struct rule_places, count);
    read_all_named(p, tree.first);
    read_block(p, tree.first, IN_FILE, p->seen);
    if (readable)
        check_required(p);
    parser_finish_tls(p, was_seen(p, SLICE("tls")));
    parser_finish_listeners(p);
    set_defaults(p);
    if (sources_errors(&p->sources) > 0 || p->sources.wanted_count > 0)
        return;
    whole_check_postmaster(&p->desk, &p->settings->rules, p->postmaster_place);
    whole_check_queue(&p->desk, &p->settings->rules, p->settings->queue_path, p->rule_places);
    whole_check_dead_rules(&p->desk, &p->settings->rules, p->rule_places);
    whole_check_strangers(&p->desk, &p->settings->rules, p->rule_places);
    whole_check_recipients(&p->desk, &p->settings->rules, p->rule_places);
    alias_check(&p->settings->rules);
}

static struct settings_file *file_of(struct parser *p, const struct source *source,
                                     struct settings_file *next)
{
    struct arena *arena = &p->settings->arena;
    struct settings_file *file = ARENA_NEW(arena, struct settings_file);

    *file = (struct settings_file){next, arena_copy(arena, source->path),
                                   arena_copy(arena, source->text)};
    return file;
}

/* Those that were included were noted last first. */
static void keep_files(struct parser *p)
{
    struct settings_file *files = NULL;

    for (const struct included *one = p->included; one != NULL; one = one->next)
        files = file_of(p, one->source, files);
    p->settings->files = file_of(p, p->desk.main, files);
}

/* Whoever may write to it may send as anybody, and read everybody's mail. */
static void check_who_writes(struct parser *p)
{
    for (struct source *one = p->sources.first; one != NULL; one = one->next)
        if ((one->flags & SOURCE_CHANGEABLE) != 0)
            desk_error(
                &p->desk, (struct place){.source = one},
                SLICE("everybody on this machine may change this file"),
                arena_printf(p->desk.scratch, "type: chmod o-w %.*s", SLICE_PRINTF(one->path)));
}

static void parse_sources(struct parser *p)
{
    p->desk.main = p->sources.first;
    p->settings->file = arena_copy(&p->settings->arena, p->desk.main->path);
    p->last_certificate = &p->settings->certificates;
    tables_init(&p->tables, p->settings, &p->desk, &p->sources);
    named_init(&p->relay_sources, &p->desk, "source", "source NAME IP");
    named_init(&p->relays, &p->desk, "relay", "relay NAME { ... }");
    if (p->desk.main->text.len > SETTINGS_TEXT_MAX)
        desk_error(&p->desk, (struct place){0}, SLICE("the file is larger than 1 MiB"), SLICE(""));
    else
        parse(p);
    keep_files(p);
    check_who_writes(p);
}

static struct settings *settings_new(void)
{
    struct settings *s = MEMORY_NEW(struct settings);

    list_init(&s->link);
    s->holders = 1;
    return s;
}

struct settings *settings_parse(struct slice bundle, const struct settings_judge *judge,
                                struct settings_errors *errors)
{
    struct settings *s = settings_new();
    struct arena scratch = {0};
    struct parser p = {
        .settings = s, .judge = judge, .desk = {.keep = &s->arena, .scratch = &scratch}
    };

    buf_init(&errors->text, ERRORS_TEXT_MAX);
    buf_init(&errors->wanted, WANTED_MAX);
    errors->count = 1;
    if (sources_open(&p.sources, bundle, &scratch)) {
        parse_sources(&p);
        errors->count = sources_errors(&p.sources);
        sources_write_complaints(&p.sources, &errors->text);
        for (const struct source *one = p.sources.wanted; one != NULL; one = one->next)
            put_bytes(&errors->wanted, one->path);
    }
    arena_done(&scratch);
    if (errors->count == 0 && buf_len(&errors->wanted) == 0)
        return s;
    settings_free(s);
    return NULL;
}

void settings_errors_done(struct settings_errors *errors)
{
    buf_done(&errors->text);
    buf_done(&errors->wanted);
}

/* What is counted is no setting: whoever reads them need not know. */
static struct settings *uncounted(const struct settings *s)
{
    return (struct settings *)(uintptr_t)s;
}

const struct settings *settings_hold(const struct settings *s)
{
    uncounted(s)->holders++;
    return s;
}

static void free_all(struct settings *s)
{
    list_remove(&s->link);
    for (struct settings_table *t = s->tables; t != NULL; t = t->next) {
        accounts_free(t->accounts);
        aliases_free(t->aliases);
    }
    for (struct relay_login *l = s->logins; l != NULL; l = l->next)
        buf_wipe(&l->secret);
    for (struct introspection *i = s->introspections; i != NULL; i = i->next)
        buf_wipe(&i->secret);
    for (struct oauth *o = s->oauths; o != NULL; o = o->next)
        buf_wipe(&o->secret);
    arena_done(&s->arena);
    memory_free(s);
}

void settings_free(const struct settings *s)
{
    if (s != NULL && --uncounted(s)->holders == 0)
        free_all(uncounted(s));
}
