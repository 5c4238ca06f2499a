/*
 * alias.c - one pass over the lines of a table, and over those of the files that it includes.
 *
 * An end of a line separates targets as a comma does. A left side stands only where a line of the
 * table itself begins without a blank; all else is a list of targets, which is why included files
 * are read by the same loop. They are a small stack: the text on top is read on, word by word.
 *
 * Targets are kept as text in one buffer and parsed when they are asked for: a struct address for
 * each of a million would be most of the memory.
 */
#include "mail/alias.h"

#include "base/cursor.h"
#include "base/memory.h"

#include <assert.h>

struct alias_target {
    uint32_t text; /* offset */
    uint32_t line;
    uint16_t column, width;
    uint16_t source; /* index into sources */
    uint16_t len;
};

struct aliases {
    struct names names; /* number: the entry */
    struct alias_entry *entries;
    struct alias_target *targets;
    struct source **sources; /* [0]: the table */
    size_t entry_count, entry_room, target_count, target_room;
    unsigned source_count;
    struct buf text;
};

/* A text that is being read: the table, or a file that it includes. */
struct level {
    struct source *source;
    struct table_reader reader;
    struct table_line line;
    struct cursor rest; /* of the line */
};

struct parser {
    struct aliases *a;
    struct sources *files;
    struct arena scratch; /* of one line */
    struct level levels[1 + ALIAS_INCLUDES_MAX];
    unsigned depth;
    bool in_entry;     /* a left side was read */
    bool lost;         /* but what stands behind it is only read for its faults */
    bool wrote;        /* something stands behind it */
    bool incomplete;   /* an include is wanted yet */
    uint64_t included; /* bytes, each time that they are */
};

static struct level *top(struct parser *p)
{
    return &p->levels[p->depth];
}

static struct place place_of(struct parser *p, struct slice part)
{
    return table_place(&top(p)->line, part);
}

/* An entry with a fault is only read on for further ones. */
static struct complaints *fault(struct parser *p)
{
    p->lost = true;
    return &top(p)->source->complaints;
}

static void tell(struct parser *p, struct slice part, const char *message, struct slice hint)
{
    complain(fault(p), SEVERITY_ERROR, place_of(p, part), slice_of(message), hint);
}

static void skip_line(struct parser *p)
{
    top(p)->rest.rest.len = 0;
}

/* ---- what is kept ---- */

static void *grown(void *array, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return array;
    *room = *room == 0 ? 64 : *room * 2;
    return memory_resize(array, *room * size);
}

static uint16_t capped(unsigned number)
{
    return (uint16_t)(number < UINT16_MAX ? number : UINT16_MAX);
}

static struct alias_entry *last_entry(struct aliases *a)
{
    return &a->entries[a->entry_count - 1];
}

static void add_entry(struct parser *p, struct slice name)
{
    struct aliases *a = p->a;
    struct place place = place_of(p, name);

    a->entries = grown(a->entries, a->entry_count, &a->entry_room, sizeof(*a->entries));
    a->entries[a->entry_count++] = (struct alias_entry){
        .first = (uint32_t)a->target_count, .line = place.line, .width = capped(place.width)};
}

static uint16_t source_number(struct aliases *a, struct source *source)
{
    unsigned i = 0;

    while (i < a->source_count && a->sources[i] != source)
        i++;
    if (i == a->source_count) {
        a->sources = memory_resize(a->sources, (i + 1) * sizeof(struct source *));
        a->sources[a->source_count++] = source;
    }
    return (uint16_t)i; /* there are at most SOURCES_MAX */
}

static void add_target(struct parser *p, struct slice part, const struct address *to)
{
    struct aliases *a = p->a;
    struct place place = place_of(p, part);
    size_t at = buf_len(&a->text);

    if (last_entry(a)->count == ALIAS_TARGETS_MAX || a->target_count == ALIAS_ALL_TARGETS_MAX) {
        tell(p, part, "too many addresses for one alias",
             SLICE("a mail has at most 1000 recipients; larger lists need a list server"));
        return;
    }
    bool fits = address_write(&a->text, to);
    assert(fits);
    a->targets = grown(a->targets, a->target_count, &a->target_room, sizeof(*a->targets));
    a->targets[a->target_count++] =
        (struct alias_target){.text = (uint32_t)at,
                              .len = (uint16_t)(buf_len(&a->text) - at),
                              .line = place.line,
                              .column = capped(place.column),
                              .width = capped(place.width),
                              .source = source_number(a, top(p)->source)};
    last_entry(a)->count++;
}

/* ---- words ---- */

static bool is_blank(int c)
{
    return c == ' ' || c == '\t';
}

/* Takes "..." with its quotes; false when it has no end. */
static bool take_quoted(struct cursor *c)
{
    char byte;

    take_any(c, &byte);
    while (take_any(c, &byte)) {
        if (byte == '"')
            return true;
        if (byte == '\\')
            take_any(c, &byte);
    }
    return false;
}

/* Takes a word up to a blank or one of the ends; quotes and brackets protect them. */
static bool take_word_until(struct cursor *c, char end, struct slice *out)
{
    struct slice from = c->rest;
    bool bracket = false;
    char byte;

    while (!cursor_at_end(c)) {
        int next = cursor_peek(c);
        if (!bracket && (next == end || is_blank(next)))
            break;
        if (next == '"') {
            if (!take_quoted(c))
                return false;
            continue;
        }
        bracket = next == '[' || (bracket && next != ']');
        take_any(c, &byte);
    }
    *out = slice_head(from, from.len - c->rest.len);
    return true;
}

/* "|cmd args" -> |cmd args. A word with something outside of its quotes stays as it is. */
static struct slice unquoted(struct slice word, struct arena *arena)
{
    struct cursor c = {word};
    char *out, byte;
    size_t len = 0;

    if (!slice_starts(word, SLICE("\"")) || !take_quoted(&c) || !cursor_at_end(&c))
        return word;
    c.rest = slice_head(slice_skip(word, 1), word.len - 2);
    out = ARENA_ARRAY(arena, char, word.len);
    while (take_any(&c, &byte)) {
        if (byte == '\\')
            take_any(&c, &byte);
        out[len++] = byte;
    }
    return (struct slice){out, len};
}

/* ---- the right side ---- */

static bool is_being_read(const struct parser *p, const struct source *source)
{
    for (unsigned i = 0; i <= p->depth; i++)
        if (p->levels[i].source == source)
            return true;
    return false;
}

/* Its words come next, before the rest of this line. */
static void begin_source(struct parser *p, struct source *source)
{
    *top(p) = (struct level){.source = source,
                             .reader = table_reader_of(source->text, &source->complaints)};
}

static void include(struct parser *p, struct slice part, struct slice path)
{
    struct source *source;

    if (!slice_starts(path, SLICE("/"))) {
        tell(p, part, "an included file needs an absolute path", SLICE("begin it with '/'"));
        return;
    }
    if (p->depth == ALIAS_INCLUDES_MAX) {
        tell(p, part, "included files are nested too deeply",
             SLICE("at most 8, one within the other"));
        return;
    }
    source = sources_get(p->files, path);
    if (source == NULL) {
        p->incomplete = true;
    } else if (is_being_read(p, source)) {
        tell(p, part, "this file would include itself", SLICE("remove it"));
    } else if ((source->flags & SOURCE_UNREADABLE) != 0) {
        complain_printf(fault(p), SEVERITY_ERROR, place_of(p, part), SLICE(""),
                        "cannot read %.*s: %.*s", SLICE_PRINTF(path), SLICE_PRINTF(source->text));
    } else if ((p->included += source->text.len) > ALIAS_INCLUDED_MAX) {
        tell(p, part, "included files are too large in all", SLICE("at most 256 MiB"));
    } else {
        p->depth++;
        begin_source(p, source);
    }
}

static void read_target(struct parser *p, struct slice part)
{
    struct slice text = unquoted(part, &p->scratch);
    struct address to;

    if (slice_starts(text, SLICE("|")))
        tell(p, part, "commands are off", SLICE("an alias yields addresses only"));
    else if (slice_starts(text, SLICE("/")))
        tell(p, part, "files are off",
             SLICE("an alias yields addresses only; a rule delivers into a Maildir"));
    else if (slice_starts_nocase(text, SLICE(":include:")))
        include(p, part, slice_skip(text, SLICE(":include:").len));
    else if (!address_parse(part, &p->scratch, &to))
        complain_printf(fault(p), SEVERITY_ERROR, place_of(p, part),
                        SLICE("write bob@example.org, or bob alone"), "'%.*s' is no address",
                        SLICE_PRINTF(part));
    else if (!p->lost)
        add_target(p, part, &to);
}

/* "|/usr/bin/vacation bob" without quotes is one thing, which is told once. */
static bool take_target(struct parser *p, struct slice *part)
{
    struct cursor *c = &top(p)->rest;
    struct slice from = c->rest;

    if (cursor_peek(c) == '|') {
        *part = from;
        skip_line(p);
        return true;
    }
    if (take_word_until(c, ',', part))
        return true;
    tell(p, slice_head(from, 1), "a quote without its end", SLICE("end it with \""));
    skip_line(p);
    return false;
}

/* One word of a list, or the blanks and commas before it. */
static void read_list(struct parser *p)
{
    struct cursor *c = &top(p)->rest;
    struct table_line line = top(p)->line;
    struct slice part, next;

    if (take_blanks(c) || take_char(c, ','))
        return;
    if (cursor_peek(c) == '#') {
        tell(p, c->rest, "a comment behind something else", SLICE("give it a line of its own"));
        skip_line(p);
        return;
    }
    if (!take_target(p, &part))
        return;
    p->wrote = true;
    take_blanks(c);
    next = slice_head(c->rest, slice_find(c->rest, ' '));
    if (next.len > 0 && next.data[0] != ',' && next.data[0] != '#') {
        complain(fault(p), SEVERITY_ERROR, table_place(&line, next),
                 SLICE("a comma is missing before this"), SLICE("write a, b, c"));
        skip_line(p);
    }
    read_target(p, part);
}

/* ---- the left side ---- */

static void finish_entry(struct parser *p)
{
    struct aliases *a = p->a;

    if (!p->in_entry || p->lost || p->incomplete || last_entry(a)->count > 0)
        return;
    /* All of an empty file is a list that is empty for now; nothing at all is a mistake. */
    complain(
        &p->levels[0].source->complaints, p->wrote ? SEVERITY_WARNING : SEVERITY_ERROR,
        (struct place){.line = last_entry(a)->line, .column = 1, .width = last_entry(a)->width},
        SLICE("this alias yields nobody"), SLICE("mail to it will be refused"));
}

static bool key_of(struct parser *p, struct slice name, struct table_key *key)
{
    struct address who = {.kind = ADDRESS_MAILBOX};

    if (!slice_starts(name, SLICE("@")))
        return address_parse(name, &p->scratch, &who) && table_key_of(key, &who, &p->scratch);
    if (!domain_parse(slice_skip(name, 1), &p->scratch, &who.domain) ||
        !domain_to_ascii(who.domain, &p->scratch, &who.domain))
        return false;
    table_key_of_domain(key, &who);
    return true;
}

static void begin_entry(struct parser *p, struct slice name)
{
    uint32_t number = (uint32_t)p->a->entry_count;
    struct table_key key;

    p->wrote = p->lost = false;
    if (!key_of(p, name, &key)) {
        complain_printf(fault(p), SEVERITY_ERROR, place_of(p, name),
                        SLICE("write bob:, bob@example.org: or @example.org:"),
                        "'%.*s' is no name for an alias", SLICE_PRINTF(name));
    } else if (!names_add(&p->a->names, table_key_slice(&key), &number)) {
        complain_printf(fault(p), SEVERITY_ERROR, place_of(p, name),
                        SLICE("make one of them: name: a, b"),
                        "'%.*s' is an alias already, in line %u", SLICE_PRINTF(name),
                        p->a->entries[number].line);
    } else {
        add_entry(p, name);
    }
}

static void read_left_side(struct parser *p)
{
    struct cursor *c = &top(p)->rest;
    struct slice name;

    finish_entry(p);
    p->in_entry = p->lost = true; /* what follows belongs to it, whatever it is */
    if (!take_word_until(c, ':', &name)) {
        tell(p, slice_head(top(p)->line.text, 1), "a quote without its end",
             SLICE("end it with \""));
        skip_line(p);
        return;
    }
    take_blanks(c);
    if (!take_char(c, ':')) {
        tell(p, name, "no ':' behind this name", SLICE("an alias looks like: name: a, b"));
        skip_line(p);
        return;
    }
    begin_entry(p, name);
}

static void begin_line(struct parser *p)
{
    struct level *l = top(p);

    arena_reset(&p->scratch);
    l->rest = (struct cursor){l->line.text};
    if (p->depth > 0)
        return;
    if (!is_blank(cursor_peek(&l->rest))) {
        read_left_side(p);
    } else if (!p->in_entry) {
        tell(p, slice_trim(l->line.text), "this line goes on, but nothing precedes it",
             SLICE("an alias begins without a blank before it"));
        skip_line(p);
    }
}

static void read_all(struct parser *p)
{
    for (;;) {
        if (!cursor_at_end(&top(p)->rest))
            read_list(p);
        else if (table_next_line(&top(p)->reader, &top(p)->line))
            begin_line(p);
        else if (p->depth > 0)
            p->depth--;
        else
            break;
    }
    finish_entry(p);
}

struct aliases *aliases_parse(struct source *table, struct sources *sources)
{
    struct aliases *a = MEMORY_NEW(struct aliases);
    struct parser p = {.a = a, .files = sources};

    names_init(&a->names, table->text);
    buf_init(&a->text, UINT32_MAX - 1);
    source_number(a, table);
    begin_source(&p, table);
    read_all(&p);
    arena_done(&p.scratch);
    return a;
}

void aliases_free(struct aliases *a)
{
    if (a == NULL)
        return;
    names_done(&a->names);
    buf_done(&a->text);
    memory_free(a->entries);
    memory_free(a->targets);
    memory_free(a->sources);
    memory_free(a);
}

/* ---- asking ---- */

const struct alias_entry *aliases_entries(const struct aliases *a, size_t *count)
{
    *count = a->entry_count;
    return a->entries;
}

const struct alias_entry *aliases_find(const struct aliases *a, const struct address *who)
{
    uint32_t number;

    return table_find(&a->names, who, &number) ? &a->entries[number] : NULL;
}

const struct alias_entry *aliases_find_domain(const struct aliases *a, const struct address *who)
{
    struct table_key key;
    uint32_t number;

    table_key_of_domain(&key, who);
    return names_find(&a->names, table_key_slice(&key), &number) ? &a->entries[number] : NULL;
}

struct address aliases_target(const struct aliases *a, uint32_t i, struct arena *arena)
{
    const struct alias_target *t = &a->targets[i];
    struct slice text = slice_head(slice_skip(buf_slice(&a->text), t->text), t->len);
    struct address to;
    bool parsed = address_parse(text, arena, &to);

    assert(parsed); /* what address_write() wrote */
    return to;
}

struct source *aliases_target_place(const struct aliases *a, uint32_t i, struct place *out)
{
    const struct alias_target *t = &a->targets[i];

    *out = (struct place){.line = t->line, .column = t->column, .width = t->width};
    return a->sources[t->source];
}

struct source *aliases_entry_place(const struct aliases *a, const struct alias_entry *entry,
                                   struct place *out)
{
    *out = (struct place){.line = entry->line, .column = 1, .width = entry->width};
    return a->sources[0];
}
