/*
 * desk.c - what is told of a file lies with the file, so that it comes out in the order of lines.
 */
#include "config/desk.h"

static struct complaints *complaints_at(const struct desk *desk, struct place where)
{
    return where.source != NULL ? &where.source->complaints : &desk->main->complaints;
}

bool desk_error(struct desk *desk, struct place where, struct slice message, struct slice hint)
{
    complain(complaints_at(desk, where), SEVERITY_ERROR, where, message, hint);
    return false;
}

void desk_warning(struct desk *desk, struct place where, struct slice message, struct slice hint)
{
    complain(complaints_at(desk, where), SEVERITY_WARNING, where, message, hint);
}

unsigned desk_errors(const struct desk *desk, struct place where)
{
    return complaints_at(desk, where)->errors;
}

bool desk_was_read(struct desk *desk, struct place where, const struct source *source,
                   struct slice hint)
{
    return (source->flags & SOURCE_UNREADABLE) == 0 ||
           desk_error(desk, where,
                      arena_printf(desk->scratch, "cannot read %.*s: %.*s",
                                   SLICE_PRINTF(source->path), SLICE_PRINTF(source->text)),
                      hint);
}

struct slice desk_where(struct desk *desk, struct place where, struct place from)
{
    if (where.source == from.source || where.source == NULL)
        return arena_printf(desk->scratch, "line %u", where.line);
    return arena_printf(desk->scratch, "line %u of %.*s", where.line,
                        SLICE_PRINTF(where.source->path));
}

bool desk_not_yet(struct desk *desk, const struct syntax_word *word)
{
    return desk_error(
        desk, word->place,
        arena_printf(desk->scratch, "'%.*s' is not in this version", SLICE_PRINTF(word->text)),
        SLICE("remove it; a later version will know it"));
}
