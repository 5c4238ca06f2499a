/*
 * record_syntax.c - local parts and addresses of the suite record-syntax (RFC 5321 4.1.2).
 *
 * Its records (SPF, DMARC, MTA-STS, TLSRPT) wait for who reads records.
 */
#include "suite.h"

#include "wire/address.h"

static struct slice with_domain(struct arena *arena, struct slice local)
{
    struct buf text;

    buf_init(&text, local.len + sizeof("@example.com"));
    buf_append(&text, local);
    buf_append(&text, SLICE("@example.com"));
    struct slice copy = arena_copy(arena, buf_slice(&text));
    buf_done(&text);
    return copy;
}

static void run_case(const json_t *test)
{
    struct arena arena = {0};
    struct slice kind = suite_text(test, "kind"), input = suite_bytes(&arena, test, "input");
    struct slice shown = suite_escape(&arena, input), text = input;
    struct slice name = arena_printf(&arena, "%.*s %.*s", SLICE_PRINTF(kind), SLICE_PRINTF(shown));
    bool want = json_is_true(json_object_get(test, "accept"));
    struct address address;

    if (slice_equal(kind, SLICE("localpart")))
        text = with_domain(&arena, input);
    bool got = address_parse(text, &arena, &address) && address.kind != ADDRESS_BARE;
    if (got == want)
        suite_pass(name);
    else
        suite_fail(name, "%s, the suite says %s", got ? "taken" : "refused",
                   want ? "taken" : "refused");
    arena_done(&arena);
}

int main(int argc, char **argv)
{
    json_t *tests = suite_load(argc > 1 ? argv[1] : ".", "cases.json"), *test;
    size_t i;

    json_array_foreach(tests, i, test)
    {
        struct slice kind = suite_text(test, "kind");
        if (slice_equal(kind, SLICE("localpart")) || slice_equal(kind, SLICE("address")))
            run_case(test);
    }
    json_decref(tests);
    return 0;
}
