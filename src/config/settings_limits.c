/*
 * settings_limits.c - what the words of `limit` mean: `limit to` is about servers elsewhere, `limit
 * from` about those who come here: addresses, networks, accounts.
 */
#include "config/settings_internal.h"

static bool begin_to(struct parser *p, struct place word, const struct value *values)
{
    if (values[1].number >= LIMITED_AUTHENTICATED)
        return desk_error(&p->desk, values[1].place,
                          SLICE("mail does not go to those who come here"),
                          SLICE("write: limit to any|domain NAME|mx NAME { ... }"));
    p->limit = &p->limits[p->settings->limit_count++];
    *p->limit = (struct limit){
        .match = (enum limit_match)values[1].number, .pattern = values[2].text, .line = word.line};
    return true;
}

static const struct allowance *usual_of(uint64_t limited)
{
    return limited == LIMITED_AUTHENTICATED || limited == LIMITED_USER ? &allowance_usual_account
                                                                       : &allowance_usual_stranger;
}

static bool begin_from(struct parser *p, const struct value *values)
{
    uint64_t limited = values[1].number;

    if (limited == LIMIT_DOMAIN || limited == LIMIT_MX)
        return desk_error(&p->desk, values[1].place,
                          SLICE("clients are known by their address or their account"),
                          SLICE("write: limit from any|network CIDR|authenticated|user NAME"));
    p->allowance = &p->allowances[p->settings->allowance_count++];
    *p->allowance = *usual_of(limited);
    switch (limited) {
    case LIMITED_NETWORK:
        p->allowance->of = ALLOWANCE_OF_NETWORK;
        p->allowance->network = values[2].network;
        break;
    case LIMITED_USER:
        p->allowance->of = ALLOWANCE_OF_USER;
        p->allowance->user = parser_take_account(p, &values[2]);
        break;
    case LIMITED_AUTHENTICATED: p->allowance->of = ALLOWANCE_OF_AUTHENTICATED; break;
    default: break;
    }
    return true;
}

bool parser_begin_limit(struct parser *p, struct place word, const struct value *values)
{
    return values[0].number == 0 ? begin_to(p, word, values) : begin_from(p, values);
}

/* ---- the words ---- */

/* False: it was told. */
static bool is_about_servers(struct parser *p, struct place word)
{
    return p->allowance == NULL ||
           desk_error(&p->desk, word, SLICE("this is for mail that goes to other servers"),
                      SLICE("it belongs to: limit to any|domain NAME|mx NAME"));
}

/* Whose it is: NULL, it was told, or its line is broken. */
static struct allowance *allowance_at(struct parser *p, struct place word)
{
    if (p->allowance == NULL && p->limit != &p->no_limit)
        desk_error(&p->desk, word, SLICE("this is for those who come here"),
                   SLICE("it belongs to: limit from any|network CIDR|authenticated|user NAME"));
    return p->allowance;
}

static struct allowance *strangers_at(struct parser *p, struct place word)
{
    struct allowance *a = allowance_at(p, word);

    if (a == NULL || (a->of != ALLOWANCE_OF_AUTHENTICATED && a->of != ALLOWANCE_OF_USER))
        return a;
    desk_error(&p->desk, word, SLICE("an account has no network: it may come from anywhere"),
               SLICE("it belongs to: limit from any|network CIDR"));
    return NULL;
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
    (void)word;
    if (p->allowance != NULL) {
        p->allowance->connections = (unsigned)values[0].number;
        return true;
    }
    if (values[0].number == 0 || values[0].number > LIMIT_CONNECTIONS_MAX)
        return desk_error(&p->desk, values[0].place,
                          SLICE("no other server is sent mail by so many connections"),
                          SLICE("write a number from 1 to 500"));
    p->limit->connections = (unsigned)values[0].number;
    return true;
}

bool parser_set_rate(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    if (p->allowance != NULL)
        p->allowance->rate = values[0].rate;
    else
        p->limit->rate = values[0].rate;
    return true;
}

bool parser_set_network_connections(struct parser *p, struct place word, const struct value *values)
{
    struct allowance *a = strangers_at(p, word);

    if (a != NULL)
        a->network_connections = (unsigned)values[0].number;
    return a != NULL;
}

bool parser_set_network_rate(struct parser *p, struct place word, const struct value *values)
{
    struct allowance *a = strangers_at(p, word);

    if (a != NULL)
        a->network_rate = values[0].rate;
    return a != NULL;
}

bool parser_set_recipients(struct parser *p, struct place word, const struct value *values)
{
    struct allowance *a = allowance_at(p, word);

    if (a != NULL)
        a->recipients = values[0].rate;
    return a != NULL;
}

bool parser_set_messages(struct parser *p, struct place word, const struct value *values)
{
    struct allowance *a = allowance_at(p, word);

    if (a != NULL)
        a->messages = values[0].rate;
    return a != NULL;
}

bool parser_set_errors(struct parser *p, struct place word, const struct value *values)
{
    struct allowance *a = allowance_at(p, word);

    if (a != NULL)
        a->errors = (unsigned)values[0].number;
    return a != NULL;
}

void parser_warn_of_limit(struct parser *p, struct place word)
{
    desk_warning(&p->desk, word, SLICE("this limit limits nothing"),
                 p->allowance == NULL ? SLICE("write: limit to any { connections 10; rate 600/m }")
                 : p->allowance->of == ALLOWANCE_OF_AUTHENTICATED ||
                         p->allowance->of == ALLOWANCE_OF_USER
                     ? SLICE("write: limit from authenticated { recipients 500/h }")
                     : SLICE("write: limit from any { connections 50; rate 600/m }"));
}
