/*
 * tables.c - a list in the order of the file.
 */
#include "config/tables.h"

#include "config/advice.h"

void tables_init(struct tables *t, struct settings *settings, struct desk *desk,
                 struct sources *sources)
{
    *t = (struct tables){settings, desk, sources, &settings->tables};
}

static struct settings_table *find(const struct tables *t, struct slice name)
{
    struct settings_table *one = t->settings->tables;

    while (one != NULL && !slice_equal(one->name, name))
        one = one->next;
    return one;
}

static struct settings_table *append(struct tables *t, struct slice name, unsigned line)
{
    struct settings_table *table = ARENA_NEW(&t->settings->arena, struct settings_table);

    table->name = arena_copy(&t->settings->arena, name);
    table->line = line;
    *t->last = table;
    t->last = &table->next;
    return table;
}

void tables_add_broken(struct tables *t, struct place word, struct slice name)
{
    if (find(t, name) == NULL)
        append(t, name, word.line)->broken = true;
}

static bool read_table(struct tables *t, struct settings_table *table, const struct value *path)
{
    struct source *source = sources_get(t->sources, path->text);

    if (source == NULL)
        return true; /* wanted; then all is read again */
    if ((source->flags & SOURCE_UNREADABLE) != 0)
        return desk_error(t->desk, path->place,
                          arena_printf(t->desk->scratch, "cannot read %.*s: %.*s",
                                       SLICE_PRINTF(path->text), SLICE_PRINTF(source->text)),
                          SLICE(""));
    switch (table->type) {
    case TABLE_ACCOUNTS:
        if ((source->flags & SOURCE_FOR_ALL) != 0)
            desk_error(
                t->desk, path->place, SLICE("everybody on this machine may read these passwords"),
                arena_printf(t->desk->scratch, "type: chmod o-r %.*s", SLICE_PRINTF(path->text)));
        table->accounts = accounts_parse(source->text, &source->complaints);
        break;
    case TABLE_ALIASES: table->aliases = aliases_parse(source, t->sources); break;
    }
    return true;
}

bool tables_add(struct tables *t, struct place word, const struct value *name,
                const struct value *type, const struct value *path)
{
    struct settings_table *table = find(t, name->text);

    if (table != NULL)
        return desk_error(t->desk, name->place,
                          arena_printf(t->desk->scratch,
                                       "table '%.*s' given twice, first at line %u",
                                       SLICE_PRINTF(name->text), table->line),
                          SLICE("give one of them another name"));
    table = append(t, name->text, word.line);
    table->type = (enum table_type)type->number;
    table->path = path->text;
    return read_table(t, table, path);
}

static struct slice advise(struct tables *t, const struct value *value)
{
    struct guess guess = {.written = value->text};

    for (const struct settings_table *one = t->settings->tables; one != NULL; one = one->next)
        guess_consider(&guess, one->name, t->desk->scratch);
    if (guess.nearest.len == 0)
        return SLICE("write in a line of its own: table NAME accounts|aliases PATH");
    const struct settings_table *near = find(t, guess.nearest);
    if (near != NULL && guess_is_typo(&guess))
        return arena_printf(t->desk->scratch, "did you mean '%.*s' (line %u)?",
                            SLICE_PRINTF(near->name), near->line);
    return guess_advice(&guess, t->desk->scratch);
}

struct settings_table *tables_take(struct tables *t, const struct value *value,
                                   enum table_type type)
{
    static const char *const names[] = {[TABLE_ACCOUNTS] = "accounts", [TABLE_ALIASES] = "aliases"};
    struct settings_table *table = find(t, value->text);

    if (table == NULL)
        desk_error(
            t->desk, value->place,
            arena_printf(t->desk->scratch, "no table named '%.*s'", SLICE_PRINTF(value->text)),
            advise(t, value));
    else if (!table->broken && table->type != type)
        desk_error(t->desk, value->place,
                   arena_printf(t->desk->scratch, "'%.*s' is a table of %s, not of %s",
                                SLICE_PRINTF(value->text), names[table->type], names[type]),
                   arena_printf(t->desk->scratch, "it stands in line %u", table->line));
    else if (!table->broken)
        return table;
    return NULL;
}

/* ---- what leaves the warden ---- */

static bool holds_accounts(const struct settings *s, struct slice path)
{
    for (const struct settings_table *one = s->tables; one != NULL; one = one->next)
        if (one->type == TABLE_ACCOUNTS && slice_equal(one->path, path))
            return true;
    return false;
}

static bool copy_source(const struct settings *s, const struct source *source, struct buf *out)
{
    struct buf text;
    bool fits;

    if (!holds_accounts(s, source->path))
        return bundle_add(out, source->path, source->flags, source->text);
    buf_init(&text, source->text.len + 2);
    fits = accounts_write_without_passwords(&text, source->text) &&
           bundle_add(out, source->path, source->flags, buf_slice(&text));
    buf_done(&text);
    return fits;
}

bool settings_bundle_without_passwords(const struct settings *s, struct slice bundle,
                                       struct buf *out)
{
    struct arena scratch = {0};
    struct sources sources;
    bool fits = sources_open(&sources, bundle, &scratch);

    for (const struct source *one = sources.first; fits && one != NULL; one = one->next)
        fits = copy_source(s, one, out);
    arena_done(&scratch);
    return fits;
}
