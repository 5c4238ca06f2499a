/*
 * settings_limits.c - what the words of `limit` mean.
 */
#include "config/settings_internal.h"

bool parser_begin_limit(struct parser *p, struct place word, const struct value *values)
{
    struct settings *s = p->settings;

    p->limit = &p->limits[s->limit_count++];
    *p->limit = (struct limit){
        .match = (enum limit_match)values[1].number, .pattern = values[2].text, .line = word.line};
    return true;
}

bool parser_set_limit_source(struct parser *p, struct place word, const struct value *values)
{
    const struct named *named = named_take(&p->relay_sources, &values[0]);
    const struct relay_source *source;

    (void)word;
    if (named == NULL)
        return false;
    source = named->thing;
    p->limit->source = source->name;
    return true;
}

bool parser_set_connections(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->limit->connections = (unsigned)values[0].number;
    return true;
}

bool parser_set_rate(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->limit->rate = values[0].rate;
    return true;
}

void parser_warn_of_limit(struct parser *p, struct place word)
{
    desk_warning(&p->desk, word, SLICE("this limit limits nothing"),
                 SLICE("write: limit to any { connections 10; rate 600/m }"));
}
