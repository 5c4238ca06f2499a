/*
 * settings_introspect.c - `introspect`: who is asked whose a token is, that somebody logs in with.
 *
 * Accounts stay those of the table of `auth`: the provider says who it is, the table whether he has
 * mail here.
 */
#include "config/settings_internal.h"

bool parser_begin_introspect(struct parser *p, struct place word, const struct value *values)
{
    struct introspection *i = ARENA_NEW(&p->settings->arena, struct introspection);

    *i = (struct introspection){.url = values[0].text, .next = p->settings->introspections};
    p->settings->introspections = i;
    p->introspection = i;
    p->listener->introspection = i;
    if (p->listener != &p->nowhere)
        p->listener_introspect[p->listener - p->listeners] = word;
    return true;
}

/* The block of a line that is wrong is read for its errors. */
static struct introspection *introspection_of(struct parser *p)
{
    return p->introspection != NULL ? p->introspection : &p->no_introspection;
}

bool parser_set_introspect_client(struct parser *p, struct place word, const struct value *values)
{
    struct introspection *i = introspection_of(p);

    (void)word;
    i->client = values[0].text;
    i->secret_path = values[1].text;
    return i == &p->no_introspection || parser_read_secret(p, &values[1], "secret", &i->secret);
}

bool parser_set_introspect_ca(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    return parser_read_authorities(p, &values[0],
                                   SLICE("it names who vouches for the provider's server"),
                                   &introspection_of(p)->ca);
}

bool parser_set_introspect_user(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    introspection_of(p)->terms.claim = (enum introspection_claim)values[0].number;
    return true;
}

bool parser_set_introspect_audience(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    introspection_of(p)->terms.audience = values[0].text;
    return true;
}

/* ---- the file as a whole ---- */

void parser_check_introspect(struct parser *p, const struct settings_listener *l,
                             struct place where)
{
    if (l->introspection == NULL)
        return;
    if (l->introspection->client.len == 0)
        desk_error(&p->desk, where, SLICE("'client' is missing in the block of introspect"),
                   SLICE("write: client ID file:PATH"));
    if (l->auth == NULL)
        desk_error(&p->desk, where, SLICE("whose accounts do the tokens stand for?"),
                   SLICE("write beside it: auth TABLE, a table of accounts"));
}

/* ---- handed out ---- */

bool settings_is_introspection_secret(const struct settings *s, struct slice path)
{
    for (const struct introspection *one = s->introspections; one != NULL; one = one->next)
        if (slice_equal(one->secret_path, path))
            return true;
    return false;
}
