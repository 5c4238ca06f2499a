/*
 * settings_oauth.c - `oauth2`: which provider gives the tokens that prove who a relay's user is.
 *
 * Of the two big ones everything is known but who we are to them. What their block says besides
 * counts instead: a company's own tenant has URLs of its own.
 */
#include "config/settings_internal.h"

bool parser_begin_oauth(struct parser *p, struct place word, const struct value *values)
{
    struct oauth *o = ARENA_NEW(&p->settings->arena, struct oauth);

    *o = oauth_preset((enum oauth_provider)values[0].number);
    o->next = p->settings->oauths;
    p->settings->oauths = o;
    p->draft.oauth = o;
    p->draft.oauth_word = word;
    p->draft.relay->oauth = o;
    return true;
}

/* The block of a line that is wrong is read for its errors. */
static struct oauth *oauth_of(struct parser *p)
{
    return p->draft.oauth != NULL ? p->draft.oauth : &p->no_oauth;
}

bool parser_set_oauth_client(struct parser *p, struct place word, const struct value *values)
{
    struct oauth *o = oauth_of(p);

    (void)word;
    o->client = values[0].text;
    o->secret_path = values[1].text;
    return values[1].text.len == 0 || o == &p->no_oauth ||
           parser_read_secret(p, &values[1], "secret", &o->secret);
}

bool parser_set_oauth_authorize(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    oauth_of(p)->authorize = values[0].text;
    return true;
}

bool parser_set_oauth_token(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    oauth_of(p)->token = values[0].text;
    return true;
}

bool parser_set_oauth_scope(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    oauth_of(p)->scope = values[0].text;
    return true;
}

bool parser_set_oauth_ca(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    return parser_read_authorities(
        p, &values[0], SLICE("it names who vouches for the provider's server"), &oauth_of(p)->ca);
}

/* ---- the block as a whole ---- */

static void check_given(struct parser *p, struct slice value, const char *word, const char *form)
{
    if (value.len == 0)
        desk_error(&p->desk, p->draft.oauth_word,
                   arena_printf(p->desk.scratch, "'%s' is missing in the block of oauth2", word),
                   arena_printf(p->desk.scratch, "write: %s", form));
}

void parser_finish_oauth(struct parser *p)
{
    const struct relay *relay = p->draft.relay;
    const struct oauth *o = p->draft.oauth;

    if (o == NULL || !parser_relay_is_whole(p))
        return;
    check_given(p, o->client, "client", "client ID file:PATH");
    check_given(p, o->authorize, "authorize", "authorize https://HOST/PATH");
    check_given(p, o->token, "token", "token https://HOST/PATH");
    if (relay->user.len == 0)
        desk_error(&p->desk, p->draft.oauth_word, SLICE("nobody is to log in at this relay"),
                   SLICE("write in its block: user NAME"));
    if (relay->login != NULL)
        desk_error(&p->desk, p->draft.oauth_word,
                   SLICE("this relay logs in with a password already"),
                   SLICE("write: user NAME, without a file, or remove the block"));
}

/* ---- read again ---- */

bool settings_is_client_secret(const struct settings *s, struct slice path)
{
    for (const struct oauth *one = s->oauths; one != NULL; one = one->next)
        if (one->secret_path.len > 0 && slice_equal(one->secret_path, path))
            return true;
    return false;
}

const struct relay *settings_relay(const struct settings *s, struct slice name)
{
    const struct relay *one = s->relays;

    while (one != NULL && !slice_equal(one->name, name))
        one = one->next;
    return one;
}
