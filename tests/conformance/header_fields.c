/*
 * header_fields.c - values of header fields, as another mail parser reads them.
 */
#include "suite.h"
#include "suite_values.h"

#include "wire/encoded_word.h"
#include "wire/header.h"

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

static void judge(struct arena *arena, struct slice name, bool same, struct slice got)
{
    struct slice shown = suite_escape(arena, got);

    if (same)
        suite_pass(name);
    else
        suite_fail(name, "read as '%.*s'", SLICE_PRINTF(shown));
}

/* suite_same_... of the test's value. */
static void run_same(struct arena *arena, struct slice name, const json_t *test,
                     bool (*same)(struct arena *, struct slice, const json_t *, struct buf *))
{
    struct buf read;

    buf_init(&read, SUITE_READ_MAX);
    bool good = same(arena, value_of(arena, test), json_object_get(test, "expected"), &read);
    judge(arena, name, good, buf_slice(&read));
    buf_done(&read);
}

/* The suite reads the values of List- fields as addresses, among which they are. */
static void run_address(struct arena *arena, struct slice name, const json_t *test)
{
    run_same(arena, name, test,
             suite_is_list_field(arena, value_of(arena, test)) ? suite_same_urls
                                                               : suite_same_addresses);
}

static void run_unstructured(struct arena *arena, struct slice name, const json_t *test)
{
    struct slice got = encoded_text_decode(arena, value_of(arena, test));

    judge(arena, name, slice_equal(got, suite_text(test, "expected")), got);
}

static void run_date(struct arena *arena, struct slice name, const json_t *test)
{
    run_same(arena, name, test, suite_same_date);
}

static void run_content_type(struct arena *arena, struct slice name, const json_t *test)
{
    run_same(arena, name, test, suite_same_type);
}

static void run_id(struct arena *arena, struct slice name, const json_t *test)
{
    run_same(arena, name, test, suite_same_ids);
}

static void run_list(struct arena *arena, struct slice name, const json_t *test)
{
    run_same(arena, name, test, suite_same_phrases);
}

static void run_received(struct arena *arena, struct slice name, const json_t *test)
{
    run_same(arena, name, test, suite_same_hop);
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
        run(&arena, name, test);
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
    run_file(folder, "id", run_id);
    run_file(folder, "list", run_list);
    run_file(folder, "received", run_received);
    return 0;
}
