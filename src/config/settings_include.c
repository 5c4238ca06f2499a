/*
 * settings_include.c - a configuration in several files.
 *
 * The statements of a file stand where `include` names it, so the order of rules is the order in
 * which a person reads them. A path with * or ? is wanted as any other; whoever has the disk
 * supplies the names of the files that match, one a line, in their order. Each file is read once,
 * so that there is an end.
 */
#include "config/settings_internal.h"

/* NULL: not at hand yet, or it was told what is wrong. */
static struct source *read_source(struct parser *p, struct slice path, struct place where)
{
    struct source *source;

    if (slice_equal(path, p->desk.main->path)) {
        desk_error(&p->desk, where, SLICE("a file cannot include itself"), SLICE("remove it"));
        return NULL;
    }
    source = sources_get(&p->sources, path);
    if (source == NULL || (source->flags & SOURCE_UNREADABLE) == 0)
        return source;
    desk_error(&p->desk, where,
               arena_printf(p->desk.scratch, "cannot read %.*s: %.*s", SLICE_PRINTF(path),
                            SLICE_PRINTF(source->text)),
               SLICE(""));
    return NULL;
}

static bool is_read_already(struct parser *p, const struct source *source, struct place where)
{
    const struct included *one = p->included;

    while (one != NULL && one->source != source)
        one = one->next;
    if (one == NULL)
        return false;
    desk_error(&p->desk, where,
               arena_printf(p->desk.scratch, "%.*s is included twice, first at %.*s",
                            SLICE_PRINTF(source->path),
                            SLICE_PRINTF(desk_where(&p->desk, one->where, where))),
               SLICE("keep one of them"));
    return true;
}

/* Returns the last statement that now stands behind `at`. */
static struct syntax_statement *splice(struct syntax_statement *at, struct syntax_statement *first)
{
    struct syntax_statement *last = at, *next = at->next;

    at->next = first;
    while (last->next != NULL)
        last = last->next;
    last->next = next;
    return last;
}

static struct syntax_statement *include_file(struct parser *p, struct syntax_statement *at,
                                             struct slice path, struct place where, size_t *count)
{
    struct source *source = read_source(p, path, where);
    struct included *one;
    struct syntax_tree tree;

    if (source == NULL || is_read_already(p, source, where))
        return at;
    one = ARENA_NEW(p->desk.scratch, struct included);
    *one = (struct included){p->included, source, where};
    p->included = one;
    if (source->text.len > SETTINGS_TEXT_MAX) {
        desk_error(&p->desk, where, SLICE("the file is larger than 1 MiB"), SLICE(""));
        return at;
    }
    tree = syntax_parse(source, p->desk.scratch);
    *count += tree.count;
    return splice(at, tree.first);
}

static void include_matches(struct parser *p, struct syntax_statement *at, struct slice pattern,
                            struct place where, size_t *count)
{
    const struct source *names = read_source(p, pattern, where);
    struct slice rest = names == NULL ? SLICE("") : names->text, path;

    while (slice_cut(rest, '\n', &path, &rest))
        at = include_file(p, at, path, where, count);
}

/* What else is wrong with the statement is told when it is read. */
size_t parser_include(struct parser *p, struct syntax_statement *first)
{
    size_t count = 0;

    for (struct syntax_statement *s = first; s != NULL; s = s->next) {
        if (!slice_equal(s->word.text, SLICE("include")) || s->values == NULL ||
            !slice_starts(s->values->text, SLICE("/")))
            continue;
        if (sources_is_pattern(s->values->text))
            include_matches(p, s, s->values->text, s->values->place, &count);
        else
            (void)include_file(p, s, s->values->text, s->values->place, &count);
    }
    return count;
}
