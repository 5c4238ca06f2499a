/*
 * grant.c - a login's fruit, written and read.
 */
#include "mail/grant.h"

#include "wire/form.h"

bool grant_write(struct buf *out, const struct grant *g)
{
    struct form f = {.out = out};

    form_add(&f, "login", g->login);
    form_add(&f, "token", g->token);
    form_add(&f, "client", g->client);
    form_add(&f, "user", g->user);
    form_add(&f, "made", g->made);
    form_add(&f, "refresh_token", g->refresh_token);
    return !f.full && buf_append_char(out, '\n');
}

static bool find(struct slice line, const char *name, struct arena *arena, struct slice *out)
{
    return form_find(line, slice_of(name), arena, out) && out->len > 0;
}

/* The line's end is the last that is written: without it the text is not whole. */
bool grant_read(struct slice text, struct arena *arena, struct grant *out)
{
    struct slice line, rest;
    struct grant g = {0};

    if (!slice_cut(text, '\n', &line, &rest) || rest.len > 0 ||
        !find(line, "login", arena, &g.login) || !find(line, "token", arena, &g.token) ||
        !find(line, "client", arena, &g.client) || !find(line, "user", arena, &g.user) ||
        !find(line, "made", arena, &g.made) ||
        !find(line, "refresh_token", arena, &g.refresh_token) ||
        g.refresh_token.len > OAUTH_TOKEN_MAX)
        return false;
    *out = g;
    return true;
}

bool grant_is_for(const struct grant *g, const struct oauth *o, struct slice user)
{
    return slice_equal(g->token, o->token) && slice_equal(g->client, o->client) &&
           slice_equal(g->user, user);
}
