/*
 * fuzz_content_type.c - Content-Type values: names are clean, nothing grows, the rest is bounded.
 */
#include "fuzz.h"

#include "wire/content_type.h"

static void check_lower(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        must(s.data[i] == byte_lower(s.data[i]));
}

void fuzz_input(struct slice input)
{
    struct arena arena;
    struct content_type t;

    arena_init(&arena);
    if (content_type_parse(input, &arena, &t)) {
        must(t.type.len > 0 && t.type.len <= input.len && t.subtype.len <= input.len);
        check_lower(t.type);
        check_lower(t.subtype);
        must(t.param_count <= CONTENT_PARAMS_MAX);
        for (unsigned i = 0; i < t.param_count; i++) {
            const struct content_param *p = &t.params[i];

            check_lower(p->name);
            must(p->name.len > 0 && slice_find(p->name, ';') == p->name.len);
            must(p->value.len <= 3 * input.len);
            must(content_type_param(&t, p->name) == p);
        }
    }
    arena_done(&arena);
}
