/*
 * fuzz_json_object.c - what a server of the web answered, taken for a JSON object.
 */
#include "fuzz.h"

#include "wire/json_object.h"
#include "wire/utf8.h"

static void check_member(const struct json_member *m)
{
    must(m->kind <= JSON_IS_OTHER && utf8_valid(m->name) && utf8_valid(m->text));
    must(m->text.len <= JSON_OBJECT_TEXT_MAX && slice_find(m->text, '\0') == m->text.len);
    must(m->kind == JSON_IS_TEXT || m->text.len == 0);
    must(m->kind == JSON_IS_NUMBER || m->number == 0);
    must(m->number <= 1ull << 53);
}

static void check_texts(const struct json_member *m)
{
    must(m->kind == JSON_IS_TEXTS || m->text_count == 0);
    for (size_t i = 0; i < m->text_count; i++)
        must(utf8_valid(m->texts[i]) && slice_find(m->texts[i], '\0') == m->texts[i].len);
}

static void check_found(const struct json_object *o, const struct json_member *m)
{
    uint64_t number = 0;
    bool yes = false;

    must(slice_equal(json_object_text(o, m->name), m->text));
    must(m->kind != JSON_IS_TEXT || json_object_names(o, m->name, m->text));
    must(m->text_count == 0 || json_object_names(o, m->name, m->texts[m->text_count - 1]));
    must(json_object_bool(o, m->name, &yes) ==
         (m->kind == JSON_IS_TRUE || m->kind == JSON_IS_FALSE));
    must(yes == (m->kind == JSON_IS_TRUE));
    must(json_object_number(o, m->name, &number) == (m->kind == JSON_IS_NUMBER));
    must(number == m->number);
}

void fuzz_input(struct slice input)
{
    struct arena arena = {0};
    struct json_object o = {0};

    if (json_object_read(input, &arena, &o)) {
        must(input.len <= JSON_OBJECT_TEXT_MAX && o.count <= JSON_OBJECT_MEMBERS_MAX);
        for (size_t i = 0; i < o.count; i++) {
            check_member(&o.members[i]);
            check_texts(&o.members[i]);
            check_found(&o, &o.members[i]);
        }
    } else {
        must(o.count == 0);
    }
    arena_done(&arena);
}
