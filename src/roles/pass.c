/*
 * pass.c - password or token.
 *
 * Of the two mechanisms for tokens the older one is taken where both are offered: it is the one
 * that the big providers have always had.
 */
#include "roles/pass.h"

#include "sasl/mechanism.h"

static void show_token(struct pass *p, struct slice token)
{
    unsigned offered = sasl_mechanisms_parse(client_auth(p->remote->client)->mechanisms);

    remote_login(p->remote, &(struct credentials){.user = p->relay->user,
                                                  .secret = token,
                                                  .is_token = true,
                                                  .mechanisms = offered & 1u << SASL_XOAUTH2});
}

static void on_token(struct bearer *b, const struct token_answer *a)
{
    struct pass *p = LIST_ENTRY(b, struct pass, bearer);

    switch (a->result) {
    case TOKEN_GIVEN:
        p->shown = a->serial;
        show_token(p, a->text);
        break;
    case TOKEN_LOGIN_NEEDED:
    case TOKEN_WRONG: remote_no_login(p->remote, SLICE("4.7.8"), a->text); break;
    case TOKEN_LATER: remote_no_login(p->remote, SLICE("4.7.0"), a->text); break;
    }
}

void pass_show(struct pass *p, struct bearers *bearers, const struct relay *relay, struct remote *r)
{
    p->relay = relay;
    p->remote = r;
    if (relay->login != NULL)
        remote_login(r, &(struct credentials){.user = relay->user,
                                              .secret = buf_slice(&relay->login->secret)});
    else
        bearers_wish(bearers, &p->bearer, relay, p->refused, on_token);
}

bool pass_again(struct pass *p, const struct client_outcome *o)
{
    if (o->step != STEP_AUTH || o->code / 100 != 5 || p->shown == 0 || p->refused != 0)
        return false;
    p->refused = p->shown;
    return true;
}

bool pass_was_token(const struct pass *p)
{
    return p->shown != 0;
}

void pass_drop(struct pass *p)
{
    bearer_cancel(&p->bearer);
}
