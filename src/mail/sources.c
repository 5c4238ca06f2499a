/*
 * sources.c - a list, searched from its start: there are few files.
 */
#include "mail/sources.h"

#include "base/cursor.h"

bool bundle_add(struct buf *bundle, struct slice path, unsigned flags, struct slice text)
{
    size_t before = buf_len(bundle);

    if (put_bytes(bundle, path) && put_u8(bundle, (uint8_t)flags) && put_bytes(bundle, text))
        return true;
    buf_truncate(bundle, before);
    return false;
}

static void append(struct source ***last, unsigned *count, struct source *new)
{
    **last = new;
    *last = &new->next;
    ++*count;
}

static bool take_source(struct sources *s, struct cursor *c)
{
    struct source *new = ARENA_NEW(s->arena, struct source);
    uint8_t flags;

    if (s->count == SOURCES_MAX || !get_bytes(c, BUNDLE_MAX, &new->path) || !get_u8(c, &flags) ||
        flags > SOURCE_FLAGS_MAX || !get_bytes(c, BUNDLE_MAX, &new->text))
        return false;
    new->flags = flags;
    new->complaints.arena = s->arena;
    append(&s->last, &s->count, new);
    return true;
}

bool sources_open(struct sources *s, struct slice bundle, struct arena *arena)
{
    struct cursor c = {bundle};

    *s = (struct sources){.arena = arena};
    s->last = &s->first;
    s->last_wanted = &s->wanted;
    while (!cursor_at_end(&c))
        if (!take_source(s, &c))
            return false;
    return s->count > 0;
}

static struct source *find(struct source *first, struct slice path)
{
    for (struct source *one = first; one != NULL; one = one->next)
        if (slice_equal(one->path, path))
            return one;
    return NULL;
}

struct source *sources_get(struct sources *s, struct slice path)
{
    struct source *found = find(s->first->next, path);

    if (found != NULL || find(s->wanted, path) != NULL)
        return found;
    if (s->count + s->wanted_count >= SOURCES_MAX) {
        complain(&s->first->complaints, SEVERITY_ERROR, (struct place){0},
                 SLICE("more than 256 files in all, tables and what they include"),
                 SLICE("put some of them together"));
        return NULL;
    }
    struct source *new = ARENA_NEW(s->arena, struct source);

    new->path = arena_copy(s->arena, path);
    append(&s->last_wanted, &s->wanted_count, new);
    return NULL;
}

bool sources_is_pattern(struct slice path)
{
    return slice_find(path, '*') < path.len || slice_find(path, '?') < path.len;
}

unsigned sources_errors(const struct sources *s)
{
    unsigned errors = 0;

    for (const struct source *one = s->first; one != NULL; one = one->next)
        errors += one->complaints.errors;
    return errors;
}

void sources_write_complaints(const struct sources *s, struct buf *out)
{
    for (const struct source *one = s->first; one != NULL; one = one->next)
        complaints_write(&one->complaints, one->path, one->text, out);
}
