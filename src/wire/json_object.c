/*
 * json_object.c - jansson reads, we copy what can be used.
 *
 * What comes is bounded before it is read, and jansson nests 2048 deep at most. Its own tree is
 * gone when we return.
 */
#include "wire/json_object.h"

#include <jansson.h>

static const double number_max = 9007199254740992.0; /* 2^53: here doubles begin to skip numbers */

static struct slice copy_text(struct arena *arena, const char *text, size_t len)
{
    return arena_copy(arena, (struct slice){text, len});
}

static void take_number(const json_t *value, struct json_member *out)
{
    double number = json_number_value(value);

    if (!(number >= 0 && number <= number_max)) /* also when it is none */
        return;
    out->kind = JSON_IS_NUMBER;
    out->number = (uint64_t)number;
}

static void take_texts(const json_t *value, struct arena *arena, struct json_member *out)
{
    size_t count = json_array_size(value);
    struct slice *texts = ARENA_ARRAY(arena, struct slice, count + 1);

    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_array_get(value, i);

        if (!json_is_string(one))
            return;
        texts[i] = copy_text(arena, json_string_value(one), json_string_length(one));
    }
    out->kind = JSON_IS_TEXTS;
    out->texts = texts;
    out->text_count = count;
}

static void take_value(const json_t *value, struct arena *arena, struct json_member *out)
{
    out->kind = JSON_IS_OTHER;
    switch (json_typeof(value)) {
    case JSON_STRING:
        out->kind = JSON_IS_TEXT;
        out->text = copy_text(arena, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
    case JSON_REAL: take_number(value, out); break;
    case JSON_TRUE: out->kind = JSON_IS_TRUE; break;
    case JSON_FALSE: out->kind = JSON_IS_FALSE; break;
    case JSON_ARRAY: take_texts(value, arena, out); break;
    case JSON_OBJECT:
    case JSON_NULL: break;
    }
}

static bool take_members(json_t *root, struct arena *arena, struct json_object *out)
{
    size_t count = json_object_size(root);
    struct json_member *members, *at;
    const char *name;
    json_t *value;

    if (!json_is_object(root) || count > JSON_OBJECT_MEMBERS_MAX)
        return false;
    members = at = ARENA_ARRAY(arena, struct json_member, count + 1);
    json_object_foreach(root, name, value)
    {
        at->name = arena_copy(arena, slice_of(name));
        take_value(value, arena, at++);
    }
    *out = (struct json_object){members, count};
    return true;
}

bool json_object_read(struct slice text, struct arena *arena, struct json_object *out)
{
    json_t *root = text.len == 0 || text.len > JSON_OBJECT_TEXT_MAX
                       ? NULL
                       : json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    bool good = root != NULL && take_members(root, arena, out);

    json_decref(root);
    return good;
}

static const struct json_member *find(const struct json_object *o, struct slice name,
                                      enum json_kind kind)
{
    for (size_t i = 0; i < o->count; i++)
        if (o->members[i].kind == kind && slice_equal(o->members[i].name, name))
            return &o->members[i];
    return NULL;
}

struct slice json_object_text(const struct json_object *o, struct slice name)
{
    const struct json_member *m = find(o, name, JSON_IS_TEXT);

    return m != NULL ? m->text : SLICE("");
}

bool json_object_names(const struct json_object *o, struct slice name, struct slice text)
{
    const struct json_member *one = find(o, name, JSON_IS_TEXT);
    const struct json_member *many = find(o, name, JSON_IS_TEXTS);

    for (size_t i = 0; many != NULL && i < many->text_count; i++)
        if (slice_equal(many->texts[i], text))
            return true;
    return one != NULL && slice_equal(one->text, text);
}

bool json_object_number(const struct json_object *o, struct slice name, uint64_t *out)
{
    const struct json_member *m = find(o, name, JSON_IS_NUMBER);

    if (m != NULL)
        *out = m->number;
    return m != NULL;
}

bool json_object_bool(const struct json_object *o, struct slice name, bool *out)
{
    bool is_true = find(o, name, JSON_IS_TRUE) != NULL;

    if (!is_true && find(o, name, JSON_IS_FALSE) == NULL)
        return false;
    *out = is_true;
    return true;
}
