/*
 * settings_rewrite.c - what the words of `rewrite` mean.
 */
#include "config/settings_internal.h"

bool parser_begin_rewrite(struct parser *p, struct place word, const struct value *values)
{
    p->rewrite = &p->rewrites[p->settings->rules.rewrite_count];
    *p->rewrite = (struct rewrite){
        .whose = (enum rewrite_whose)values[0].number,
        .file = parser_file(p, word),
        .line = word.line,
    };
    return parser_take_target(p, &values[1], &p->rewrite->match);
}

bool parser_set_rewrite_to(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->rewrite->local = (enum rewrite_local)values[0].number;
    p->rewrite->to = values[0].address;
    return true;
}

/* The rewrite counts only from here on. */
void parser_finish_rewrite(struct parser *p, struct place word)
{
    if (p->rewrite->to.kind == ADDRESS_NULL)
        desk_error(&p->desk, word, SLICE("it does not say what the address becomes"),
                   SLICE("add: to ADDRESS, or to @DOMAIN"));
    else
        p->settings->rules.rewrite_count++;
}
