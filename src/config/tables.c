/*
 * tables.c - a list in the order of the file.
 */
#include "config/tables.h"

void tables_init(struct tables *t, struct settings *settings, struct desk *desk,
                 struct sources *sources)
{
    *t = (struct tables){
        .settings = settings, .desk = desk, .sources = sources, .last = &settings->tables};
    named_init(&t->names, desk, "table", "table NAME accounts|aliases|list|cidr PATH");
}

/* The first account is added before there is a file of them. */
static bool was_read(struct tables *t, const struct settings_table *table, const struct value *path,
                     const struct source *source)
{
    if (table->type != TABLE_ACCOUNTS || (source->flags & SOURCE_UNREADABLE) == 0 ||
        !slice_equal(source->text, SLICE("No such file or directory")))
        return desk_was_read(t->desk, path->place, source, SLICE(""));
    return desk_error(
        t->desk, path->place,
        arena_printf(t->desk->scratch, "there is no file %.*s", SLICE_PRINTF(path->text)),
        arena_printf(t->desk->scratch, "type: postroad user add NAME --file %.*s",
                     SLICE_PRINTF(path->text)));
}

static bool read_table(struct tables *t, struct settings_table *table, const struct value *path)
{
    struct source *source = sources_get(t->sources, path->text);

    if (source == NULL)
        return true; /* wanted; then all is read again */
    if (!was_read(t, table, path, source))
        return false;
    switch (table->type) {
    case TABLE_ACCOUNTS:
        if ((source->flags & SOURCE_FOR_ALL) != 0)
            desk_error(
                t->desk, path->place, SLICE("everybody on this machine may read these passwords"),
                arena_printf(t->desk->scratch, "type: chmod o-r %.*s", SLICE_PRINTF(path->text)));
        table->accounts = accounts_parse(source->text, &source->complaints);
        break;
    case TABLE_ALIASES: table->aliases = aliases_parse(source, t->sources); break;
    case TABLE_LIST: table->names = name_list_parse(source->text, &source->complaints); break;
    case TABLE_CIDR: table->networks = network_list_parse(source->text, &source->complaints); break;
    }
    return true;
}

bool tables_add(struct tables *t, struct place word, const struct value *name,
                const struct value *type, const struct value *path)
{
    struct named *named = named_add(&t->names, word, name);
    struct settings_table *table;

    if (named == NULL)
        return false;
    table = ARENA_NEW(&t->settings->arena, struct settings_table);
    *table = (struct settings_table){
        .name = name->text, .path = path->text, .type = (enum table_type)type->number};
    named->thing = table;
    *t->last = table;
    t->last = &table->next;
    return read_table(t, table, path);
}

struct settings_table *tables_take(struct tables *t, const struct value *value,
                                   enum table_type type)
{
    static const char *const types[] = {[TABLE_ACCOUNTS] = "accounts",
                                        [TABLE_ALIASES] = "aliases",
                                        [TABLE_LIST] = "type list",
                                        [TABLE_CIDR] = "type cidr"};
    const struct named *named = named_take(&t->names, value);
    struct settings_table *table = named == NULL ? NULL : named->thing;

    if (table == NULL || table->type == type)
        return table;
    desk_error(t->desk, value->place,
               arena_printf(t->desk->scratch, "'%.*s' is a table of %s, not of %s",
                            SLICE_PRINTF(value->text), types[table->type], types[type]),
               arena_printf(t->desk->scratch, "it stands in %.*s",
                            SLICE_PRINTF(desk_where(t->desk, named->word, value->place))));
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

static bool holds_key(const struct settings *s, struct slice path)
{
    for (const struct settings_certificate *one = s->certificates; one != NULL; one = one->next)
        if (slice_equal(one->key_path, path))
            return true;
    return false;
}

/* Return paths are signed by the courier and known again by the receivers. What relays log in with
 * is the courier's; what the vault asks for tokens with is its own. */
static bool may_have_secret(const struct settings *s, struct slice path,
                            enum settings_secrets secrets)
{
    return (secrets == SETTINGS_WITH_LOGINS &&
            (settings_is_login_secret(s, path) || settings_is_srs_secret(s, path))) ||
           (secrets == SETTINGS_WITH_KEYS && settings_is_srs_secret(s, path)) ||
           (secrets == SETTINGS_WITH_PASSWORDS &&
            (settings_is_client_secret(s, path) || settings_is_introspection_secret(s, path)));
}

static bool copy_source(const struct settings *s, const struct source *source,
                        enum settings_secrets secrets, struct buf *out)
{
    struct buf text;
    bool fits;

    if (secrets != SETTINGS_WITH_KEYS && holds_key(s, source->path))
        return bundle_add(out, source->path, source->flags, SLICE(""));
    if (settings_is_secret_file(s, source->path) && !may_have_secret(s, source->path, secrets))
        return bundle_add(out, source->path, SOURCE_WITHHELD, SLICE(""));
    if (secrets == SETTINGS_WITH_PASSWORDS || !holds_accounts(s, source->path))
        return bundle_add(out, source->path, source->flags, source->text);
    buf_init(&text, source->text.len + 2);
    fits = accounts_write_without_passwords(&text, source->text) &&
           bundle_add(out, source->path, source->flags, buf_slice(&text));
    buf_done(&text);
    return fits;
}

bool settings_bundle_for_role(const struct settings *s, struct slice bundle,
                              enum settings_secrets secrets, struct buf *out)
{
    struct arena scratch = {0};
    struct sources sources;
    bool fits = sources_open(&sources, bundle, &scratch);

    for (const struct source *one = sources.first; fits && one != NULL; one = one->next)
        fits = copy_source(s, one, secrets, out);
    arena_done(&scratch);
    return fits;
}

bool settings_is_accounts_file(const struct settings *s, struct slice path)
{
    return holds_accounts(s, path);
}

bool settings_bundle_with_accounts(const struct settings *s, struct slice bundle, struct slice from,
                                   struct buf *out)
{
    struct arena scratch = {0};
    struct sources sources, others;
    bool fits = sources_open(&sources, bundle, &scratch) && sources_open(&others, from, &scratch);

    for (const struct source *one = sources.first; fits && one != NULL; one = one->next) {
        const struct source *other =
            holds_accounts(s, one->path) ? sources_get(&others, one->path) : NULL;

        if (other == NULL)
            other = one;
        fits = bundle_add(out, other->path, other->flags, other->text);
    }
    arena_done(&scratch);
    return fits;
}
