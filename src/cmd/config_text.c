/*
 * config_text.c - the statements as they are written; nobody has checked them.
 */
#include "cmd/config_text.h"

#include "cmd/load_settings.h"

bool config_text_open(struct config_text *t, const char *file)
{
    unsigned flags;

    *t = (struct config_text){0};
    if (load_file(file, SETTINGS_TEXT_MAX, &t->text, &flags) < 0)
        return false;
    struct source source = {.text = buf_slice(&t->text), .complaints = {.arena = &t->arena}};
    t->first = syntax_parse(&source, &t->arena).first;
    t->includes = config_text_find(t->first, SLICE("include")) != NULL;
    return true;
}

void config_text_close(struct config_text *t)
{
    arena_done(&t->arena);
    buf_done(&t->text);
}

const struct syntax_statement *config_text_find(const struct syntax_statement *from,
                                                struct slice word)
{
    while (from != NULL && !slice_equal(from->word.text, word))
        from = from->next;
    return from;
}

struct slice config_text_value(const struct syntax_statement *s, unsigned n)
{
    const struct syntax_word *value = s->values;

    while (value != NULL && n-- > 0)
        value = value->next;
    return value != NULL ? value->text : SLICE("");
}
