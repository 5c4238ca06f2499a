/*
 * settings.c - what the words of the configuration mean.
 *
 * The parser goes by the table of all words (schema.c). What rules name, they may name before it
 * stands there: such statements are read first. The table also answers what to write instead: the
 * nearest word, or the list of those known.
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

/* ---- statements ---- */

static struct slice home_of(struct parser *p, const struct schema_row *stray)
{
    bool in_line;
    const struct schema_row *home = schema_home(stray, &in_line);

    if (home == NULL)
        return SLICE("it stands in a line of its own, outside of blocks");
    if (in_line && home->clauses == IN_RULE)
        return SLICE("it stands in the line of accept, hold, reject or discard");
    return arena_printf(p->desk.scratch, "it stands in the %s of '%.*s'",
                        in_line ? "line" : "block", SLICE_PRINTF(home->word));
}

static void tell_unknown(struct parser *p, const struct syntax_word *word, unsigned where,
                         const struct guess *guess)
{
    for (size_t i = 0; i < schema_count; i++) {
        if (slice_equal(schema[i].word, guess->written)) {
            desk_error(&p->desk, word->place,
                       arena_printf(p->desk.scratch, "'%.*s' does not belong here",
                                    SLICE_PRINTF(word->text)),
                       home_of(p, &schema[i]));
            return;
        }
        if (where == IN_FILE && guess_is_typo(guess) && slice_equal(schema[i].word, guess->nearest))
            p->meant[i] = true;
    }
    desk_error(&p->desk, word->place,
               arena_printf(p->desk.scratch, "unknown word '%.*s'", SLICE_PRINTF(word->text)),
               guess_advice(guess, p->desk.scratch));
}

static const struct schema_row *find_row(struct parser *p, const struct syntax_word *word,
                                         unsigned where)
{
    struct slice name = word->quoted ? SLICE("\"text\"") : word->text;
    struct guess guess = {.written = name};

    for (size_t i = 0; i < schema_count; i++) {
        if ((schema[i].where & where) == 0)
            continue;
        if (slice_equal(schema[i].word, name)) {
            if (schema[i].apply != NULL)
                return &schema[i];
            desk_not_yet(&p->desk, word);
            return NULL;
        }
        if (schema[i].apply != NULL)
            guess_consider(&guess, schema[i].word, p->desk.scratch);
    }
    tell_unknown(p, word, where, &guess);
    return NULL;
}

static bool check_first(struct parser *p, const struct schema_row *row,
                        const struct syntax_word *word, struct place *seen)
{
    struct place *first = &seen[row - schema];

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
static bool goes_on(const struct schema_row *row, const struct syntax_word *value,
                    const struct syntax_word *next)
{
    if (row->shapes[1] != SHAPE_LIST)
        return row->shapes[1] == SHAPE_MORE;
    while (value->next != next)
        value = value->next;
    return value->more;
}

/* Of a word: all its values, one after the other. */
static bool take_values(struct parser *p, const struct schema_row *row,
                        const struct syntax_word *word, const struct syntax_word **words)
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

static bool read_clauses(struct parser *p, const struct schema_row *row,
                         const struct syntax_word **words)
{
    struct place *seen = ARENA_ARRAY(p->desk.scratch, struct place, schema_count);

    while (*words != NULL) {
        const struct syntax_word *word = *words;
        const struct schema_row *clause = find_row(p, word, row->clauses);

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
static bool read_line(struct parser *p, const struct schema_row *row,
                      const struct syntax_statement *s)
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
static void read_own_block(struct parser *p, const struct schema_row *row,
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
        read_block(p, s->block, row->opens,
                   ARENA_ARRAY(p->desk.scratch, struct place, schema_count));
}

static bool is_named(const struct schema_row *row)
{
    return row->apply == parser_add_table || row->apply == parser_begin_source ||
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
    const struct schema_row *row = find_row(p, &s->word, where);
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
    if (usable && row->apply == parser_begin_rewrite)
        parser_finish_rewrite(p, s->word.place);
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

bool parser_set_hostname(struct parser *p, struct place word, const struct value *values)
{
    struct slice name = values[0].text;

    (void)word;
    if (slice_find(name, '.') == name.len && !slice_equal_nocase(name, SLICE("localhost")))
        desk_warning(&p->desk, values[0].place,
                     SLICE("many servers take no mail from who greets by a name without a domain"),
                     SLICE("write it whole, as DNS has it: mx1.example.org"));
    p->settings->hostname = name;
    return true;
}

bool parser_set_origin(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->rules.origin = values[0].text;
    return true;
}

bool parser_set_resolver(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->dns_source = (enum dns_source)values[0].number;
    p->settings->dns_forwarder = values[0].text;
    return true;
}

bool parser_set_postmaster(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->rules.postmaster = values[0].address;
    p->postmaster_place = values[0].place;
    return true;
}

/* Its files were read before: settings_include.c. */
bool parser_was_included(struct parser *p, struct place word, const struct value *values)
{
    (void)p, (void)word, (void)values;
    return true;
}

bool parser_set_log(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->log_form = (enum log_form)values[0].number;
    return true;
}

bool parser_set_max_size(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    parser_check_max_size(p, &values[0]);
    p->settings->max_size = values[0].number;
    return true;
}

bool parser_set_queue(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->queue_path = values[0].text;
    return true;
}

bool parser_set_min_free(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->settings->queue_min_free = values[0].number;
    return true;
}

bool parser_add_table(struct parser *p, struct place word, const struct value *values)
{
    return tables_add(&p->tables, word, &values[0], &values[1], &values[2]);
}

/* ---- the file as a whole ---- */

static bool was_seen(const struct parser *p, struct slice word)
{
    for (size_t i = 0; i < schema_count; i++) {
        if (schema[i].where == IN_FILE && slice_equal(schema[i].word, word))
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
    s->access = p->access;
    s->rules.rules = p->rules;
    s->rules.rewrites = p->rewrites;
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
    p->access = ARENA_ARRAY(&p->settings->arena, struct access, count);
    p->rewrites = ARENA_ARRAY(&p->settings->arena, struct rewrite, count);
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
    whole_check_accounts(&p->desk, p->settings, p->mentions);
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
        name_list_free(t->names);
        network_list_free(t->networks);
    }
    for (struct relay_login *l = s->logins; l != NULL; l = l->next)
        buf_wipe(&l->secret);
    for (struct introspection *i = s->introspections; i != NULL; i = i->next)
        buf_wipe(&i->secret);
    for (struct oauth *o = s->oauths; o != NULL; o = o->next)
        buf_wipe(&o->secret);
    buf_wipe(&s->srs.text);
    arena_done(&s->arena);
    memory_free(s);
}

void settings_free(const struct settings *s)
{
    if (s != NULL && --uncounted(s)->holders == 0)
        free_all(uncounted(s));
}
