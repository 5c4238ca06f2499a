/*
 * header_fields.c - values of header fields, as another mail parser reads them.
 *
 * Addresses, dates and unstructured text; the other files wait for who reads those fields.
 */
#include "suite.h"

#include "wire/address_list.h"
#include "wire/content_type.h"
#include "wire/date.h"
#include "wire/encoded_word.h"
#include "wire/header.h"

enum { TEXT_MAX = 1 << 16 };

/* As a message would have it: what looks like the next field or the body is not of this one. */
static struct slice value_of(struct arena *arena, const json_t *test)
{
    struct slice bytes = suite_bytes(arena, test, "header");
    struct header_field field = {0};
    struct buf text;

    buf_init(&text, bytes.len + 2);
    buf_append(&text, SLICE("X:"));
    buf_append(&text, bytes);
    struct cursor c = {arena_copy(arena, buf_slice(&text))};
    buf_done(&text);
    header_take_field(&c, &field);
    return field.value;
}

static void put_name(struct buf *out, struct slice name, struct slice comment)
{
    if (name.len > 0 && comment.len > 0)
        buf_printf(out, "%.*s (%.*s)", SLICE_PRINTF(name), SLICE_PRINTF(comment));
    else
        buf_append(out, name.len > 0 ? name : comment);
}

/* "name|address;", groups as "name{...}"; the suite counts comments to names. */
static void put_read(struct buf *out, struct arena *arena, struct slice value)
{
    struct address_list list;
    struct list_entry e;

    address_list_init(&list, arena, value);
    while (address_list_next(&list, &e)) {
        if (e.kind == ENTRY_GROUP_END) {
            buf_append_char(out, '}');
        } else if (e.kind == ENTRY_BROKEN) {
            buf_printf(out, "(broken)%.*s;", SLICE_PRINTF(e.text));
        } else {
            struct slice address = address_text(arena, &e.address);
            put_name(out, e.name, e.comment);
            if (e.kind == ENTRY_GROUP)
                buf_append_char(out, '{');
            else
                buf_printf(out, "|%.*s;", SLICE_PRINTF(address));
        }
    }
}

static void put_wanted_list(struct buf *out, const json_t *list)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        buf_append(out, suite_text(item, "name"));
        buf_append_char(out, '|');
        buf_append(out, suite_text(item, "address"));
        buf_append_char(out, ';');
    }
}

static void put_wanted(struct buf *out, const json_t *expected)
{
    const json_t *group;
    size_t i;

    put_wanted_list(out, json_object_get(expected, "List"));
    json_array_foreach(json_object_get(expected, "Group"), i, group)
    {
        bool named = suite_text(group, "name").len > 0;
        buf_append(out, suite_text(group, "name"));
        buf_append(out, named ? SLICE("{") : SLICE(""));
        put_wanted_list(out, json_object_get(group, "addresses"));
        buf_append(out, named ? SLICE("}") : SLICE(""));
    }
}

static void judge(struct arena *arena, struct slice name, bool same, struct slice got)
{
    struct slice shown = suite_escape(arena, got);

    if (same)
        suite_pass(name);
    else
        suite_fail(name, "read as '%.*s'", SLICE_PRINTF(shown));
}

static void run_address(struct arena *arena, struct slice name, const json_t *test)
{
    struct buf got, want;

    buf_init(&got, TEXT_MAX);
    buf_init(&want, TEXT_MAX);
    put_read(&got, arena, value_of(arena, test));
    put_wanted(&want, json_object_get(test, "expected"));
    judge(arena, name, slice_equal_nocase(buf_slice(&got), buf_slice(&want)), buf_slice(&got));
    buf_done(&got);
    buf_done(&want);
}

static void run_unstructured(struct arena *arena, struct slice name, const json_t *test)
{
    struct slice got = encoded_text_decode(arena, value_of(arena, test));

    judge(arena, name, slice_equal(got, suite_text(test, "expected")), got);
}

static long long member(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void run_date(struct arena *arena, struct slice name, const json_t *test)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const json_t *want = json_object_get(test, "expected");
    uint64_t got_us = 0, want_us = 0;
    int got_min = 0, want_min = 0;
    bool got = date_parse_rfc5322(value_of(arena, test), &got_us, &got_min);

    if (!got || !json_is_object(want)) {
        judge(arena, name, got == json_is_object(want), got ? SLICE("a date") : SLICE("no date"));
        return;
    }
    struct slice plain =
        arena_printf(arena, "%lld %.3s %lld %lld:%lld:%lld %c%02lld%02lld", member(want, "day"),
                     &months[3 * (member(want, "month") - 1)], member(want, "year"),
                     member(want, "hour"), member(want, "minute"), member(want, "second"),
                     json_is_true(json_object_get(want, "tz_before_gmt")) ? '-' : '+',
                     member(want, "tz_hour"), member(want, "tz_minute"));
    bool same =
        date_parse_rfc5322(plain, &want_us, &want_min) && got_us == want_us && got_min == want_min;
    judge(arena, name, same, SLICE("another date"));
}

static void put_pair(struct buf *out, struct slice name, const char *suffix, struct slice value)
{
    buf_printf(out, ";%.*s%s=", SLICE_PRINTF(name), suffix);
    buf_append(out, value);
}

static void put_type(struct buf *out, const struct content_type *t)
{
    buf_printf(out, "%.*s/%.*s", SLICE_PRINTF(t->type), SLICE_PRINTF(t->subtype));
    for (unsigned i = 0; i < t->param_count; i++) {
        const struct content_param *p = &t->params[i];

        if (p->language.len > 0)
            put_pair(out, p->name, "-language", p->language);
        put_pair(out, p->name, "", p->value);
    }
}

static bool holds(struct slice text, struct slice wanted)
{
    for (; text.len >= wanted.len; text = slice_skip(text, 1))
        if (slice_starts(text, wanted))
            return true;
    return false;
}

/* The suite's order of attributes says nothing: each must be there, and nothing else. */
static bool is_wanted_type(struct slice read, const json_t *want)
{
    const json_t *pair;
    struct buf part;
    size_t i, len;
    bool all;

    buf_init(&part, TEXT_MAX);
    buf_append(&part, suite_text(want, "c_type"));
    buf_append_char(&part, '/');
    buf_append(&part, suite_text(want, "c_subtype"));
    all = slice_starts(read, buf_slice(&part));
    len = buf_len(&part);
    json_array_foreach(json_object_get(want, "attributes"), i, pair)
    {
        const json_t *value = json_array_get(pair, 1);

        buf_clear(&part);
        put_pair(&part, slice_of(json_string_value(json_array_get(pair, 0))), "",
                 (struct slice){json_string_value(value), json_string_length(value)});
        all = all && holds(read, buf_slice(&part));
        len += buf_len(&part);
    }
    buf_done(&part);
    return all && len == read.len;
}

static void run_content_type(struct arena *arena, struct slice name, const json_t *test)
{
    const json_t *expected = json_object_get(test, "expected");
    struct content_type *got = ARENA_NEW(arena, struct content_type);
    struct buf read;

    buf_init(&read, TEXT_MAX);
    if (content_type_parse(value_of(arena, test), arena, got))
        put_type(&read, got);
    judge(arena, name,
          json_is_object(expected) ? is_wanted_type(buf_slice(&read), expected)
                                   : buf_len(&read) == 0,
          buf_slice(&read));
    buf_done(&read);
}

static void run_file(const char *folder, const char *file,
                     void (*run)(struct arena *, struct slice, const json_t *))
{
    struct arena path = {0};
    struct slice file_name = arena_printf(&path, "%s.json", file);
    json_t *tests = suite_load(folder, arena_string(&path, file_name)), *test;
    size_t i;

    json_array_foreach(tests, i, test)
    {
        struct arena arena = {0};
        struct slice name = arena_printf(&arena, "%s %zu", file, i);
        if (run != NULL)
            run(&arena, name, test);
        else
            suite_skip(name, "nobody reads these fields yet");
        arena_done(&arena);
    }
    json_decref(tests);
    arena_done(&path);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".";

    run_file(folder, "address", run_address);
    run_file(folder, "date", run_date);
    run_file(folder, "unstructured", run_unstructured);
    run_file(folder, "content_type", run_content_type);
    run_file(folder, "id", NULL);
    run_file(folder, "list", NULL);
    run_file(folder, "received", NULL);
    return 0;
}
