/*
 * settings_limits.c - what the words of `limit` mean: `limit to` is about servers elsewhere, `limit
 * from` about people who send from here.
 */
#include "config/settings_internal.h"

static bool begin_to(struct parser *p, struct place word, const struct value *values)
{
    if (values[1].number >= LIMITED_AUTHENTICATED)
        return desk_error(&p->desk, values[1].place,
                          SLICE("mail does not go to those who log in here"),
                          SLICE("write: limit from authenticated { recipients 500/h }"));
    p->limit = &p->limits[p->settings->limit_count++];
    *p->limit = (struct limit){
        .match = (enum limit_match)values[1].number, .pattern = values[2].text, .line = word.line};
    return true;
}

static bool begin_from(struct parser *p, const struct value *values)
{
    if (values[1].number < LIMITED_AUTHENTICATED)
        return desk_error(&p->desk, values[1].place,
                          SLICE("only those who have logged in can be limited in this version"),
                          SLICE("write: limit from authenticated { recipients 500/h }"));
    p->allowance = &p->allowances[p->settings->allowance_count++];
    *p->allowance = allowance_usual;
    if (values[1].number == LIMITED_USER)
        p->allowance->user = address_text(&p->settings->arena, &values[2].address);
    return true;
}

bool parser_begin_limit(struct parser *p, struct place word, const struct value *values)
{
    return values[0].number == 0 ? begin_to(p, word, values) : begin_from(p, values);
}

/* False: it was told. */
static bool is_about_servers(struct parser *p, struct place word)
{
    return p->allowance == NULL ||
           desk_error(&p->desk, word, SLICE("this is for mail that goes to other servers"),
                      SLICE("it belongs to: limit to any|domain NAME|mx NAME"));
}

bool parser_set_limit_source(struct parser *p, struct place word, const struct value *values)
{
    const struct named *named = named_take(&p->relay_sources, &values[0]);
    const struct relay_source *source;

    if (named == NULL || !is_about_servers(p, word))
        return false;
    source = named->thing;
    p->limit->source = source->name;
    return true;
}

bool parser_set_connections(struct parser *p, struct place word, const struct value *values)
{
    p->limit->connections = (unsigned)values[0].number;
    return is_about_servers(p, word);
}

bool parser_set_rate(struct parser *p, struct place word, const struct value *values)
{
    p->limit->rate = values[0].rate;
    return is_about_servers(p, word);
}

bool parser_set_recipients(struct parser *p, struct place word, const struct value *values)
{
    if (p->allowance == NULL)
        return p->limit == &p->no_limit ||
               desk_error(&p->desk, word, SLICE("this is for people who send from here"),
                          SLICE("it belongs to: limit from authenticated|user ADDRESS"));
    p->allowance->recipients = values[0].rate; /* count 0 where there is none */
    return true;
}

void parser_warn_of_limit(struct parser *p, struct place word)
{
    desk_warning(&p->desk, word, SLICE("this limit limits nothing"),
                 p->allowance != NULL
                     ? SLICE("write: limit from authenticated { recipients 500/h }")
                     : SLICE("write: limit to any { connections 10; rate 600/m }"));
}
