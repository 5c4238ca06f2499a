/*
 * fuzz_form.c - forms: what was read and is written again, reads as the same.
 */
#include "fuzz.h"

#include "wire/form.h"

static void check_written(struct slice value, struct arena *arena)
{
    struct buf out;
    struct form f = {.out = &out};
    struct slice again;

    buf_init(&out, value.len * 3 + 8);
    form_add(&f, "a", value);
    must(!f.full);
    must(form_find(buf_slice(&out), SLICE("a"), arena, &again) && slice_equal(again, value));
    buf_done(&out);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    struct arena arena = {0};
    struct form_pair pair;
    size_t before = input.len;

    while (form_take(&c, &arena, &pair)) {
        must(c.rest.len < before);
        before = c.rest.len;
        check_written(pair.value, &arena);
        check_written(pair.name, &arena);
    }
    check_written(input, &arena);
    arena_done(&arena);
}
