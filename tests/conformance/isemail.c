/*
 * isemail.c - addresses of all kinds; the envelope takes those that are valid for SMTP.
 *
 * Of the suite's categories that is VALID, DNSWARN (the resolver's affair) and RFC5321; the others
 * are for headers only, or for nothing.
 */
#include "suite.h"

#include "wire/address.h"
#include "wire/utf8.h"

enum { PICTURES = 0x2400, PICTURE_OF_DEL = 0x2421 };

/* Pictures of control characters (U+2400 and on) are what they show; the rest is UTF-8. */
static struct slice input_of(struct arena *arena, const json_t *test)
{
    struct cursor c = {suite_text(test, "address")}, from = c;
    char *bytes = arena_alloc(arena, c.rest.len + 1);
    size_t len = 0;
    uint32_t point;

    for (; take_utf8(&c, &point); from = c) {
        if (point >= PICTURES && point < PICTURES + 0x20)
            bytes[len++] = (char)(point - PICTURES);
        else if (point == PICTURE_OF_DEL)
            bytes[len++] = 0x7f;
        else
            for (size_t i = 0; i < from.rest.len - c.rest.len; i++)
                bytes[len++] = from.rest.data[i];
    }
    return (struct slice){bytes, len};
}

static bool is_for_smtp(struct slice category)
{
    return slice_equal(category, SLICE("ISEMAIL_VALID_CATEGORY")) ||
           slice_equal(category, SLICE("ISEMAIL_DNSWARN")) ||
           slice_equal(category, SLICE("ISEMAIL_RFC5321"));
}

static void run_case(const char *file, const json_t *test)
{
    struct arena arena = {0};
    struct slice input = input_of(&arena, test), diagnosis = suite_text(test, "diagnosis");
    struct slice shown = suite_escape(&arena, input), id = suite_text(test, "id");
    struct slice name =
        arena_printf(&arena, "%s %.*s %.*s", file, SLICE_PRINTF(id), SLICE_PRINTF(shown));
    bool want = is_for_smtp(suite_text(test, "category"));
    struct cursor path = {arena_printf(&arena, "<%.*s>", SLICE_PRINTF(shown))};
    struct address a, again;

    bool got = address_parse(input, &arena, &a) && a.kind != ADDRESS_BARE;
    /* Plain text stands in a path as it does alone. */
    bool as_path = slice_equal(input, shown) && address_take_path(&path, &arena, &again) &&
                   cursor_at_end(&path) && again.kind > ADDRESS_NULL && again.kind < ADDRESS_BARE;
    if (got != want)
        suite_fail(name, "%s, the suite says %.*s", got ? "taken" : "refused",
                   SLICE_PRINTF(diagnosis));
    else if (slice_equal(input, shown) && as_path != got)
        suite_fail(name, "%s as a path only", as_path ? "taken" : "refused");
    else
        suite_pass(name);
    arena_done(&arena);
}

static void run_file(const char *folder, const char *file)
{
    json_t *tests = suite_load(folder, file), *test;
    size_t i;

    json_array_foreach(tests, i, test) run_case(file, test);
    json_decref(tests);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".";

    run_file(folder, "tests.json");
    run_file(folder, "tests-original.json");
    return 0;
}
