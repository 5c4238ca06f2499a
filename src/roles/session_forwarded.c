/*
 * session_forwarded.c - the client speaks for another one (`xclient-from`): XCLIENT.
 *
 * From then on the session is that one's: limits, lists, rules, the log. Nobody becomes local by
 * it, and nobody an account that there is not.
 */
#include "roles/session_internal.h"

#include <string.h>

static bool has_account(const struct session *s, struct slice user)
{
    const struct accounts *accounts = session_accounts(s);
    struct arena scratch = {0};
    struct account account;
    bool has =
        accounts != NULL && accounts_login(accounts, user, &scratch, &account) && !account.disabled;

    arena_done(&scratch);
    return has;
}

/* [UNAVAILABLE]: it is in no network, and Received has the address of who speaks for it. */
static void take_address(struct session *s, const struct forwarded *f)
{
    struct net_address a = s->peer;

    s->has_ip = (f->known & FORWARDED_ADDR) != 0;
    if (s->has_ip) {
        memcpy(s->ip, f->ip, sizeof(s->ip));
        memcpy(a.ip, f->ip, sizeof(a.ip));
    }
    s->client_len = net_address_text(&a, s->client);
}

static void become(struct session *s, const struct forwarded *f)
{
    session_forget_lists(s);
    session_end_login(s);
    if ((f->said & FORWARDED_ADDR) != 0)
        take_address(s, f);
    if ((f->said & (FORWARDED_NAME | FORWARDED_ADDR)) != 0)
        s->client_name = arena_copy(&s->arena, f->name);
    s->local = false;
    s->xclients++;
    server_client_is(s->server, session_client(s), f->login);
    if (f->login.len > 0)
        session_becomes_known(s);
    session_tell_connect(s);
    session_ask_lists(s);
    server_answer(s->server, &REPLY(220, "", ""));
}

void session_answer_xclient(struct session *s)
{
    const struct forwarded *f = server_xclient(s->server);

    if (s->xclients == SESSION_XCLIENTS_MAX)
        server_answer(s->server, &REPLY(421, "4.7.0", "Error: too many clients in one session"));
    else if (f->login.len > 0 && !has_account(s, f->login))
        server_answer(s->server, &REPLY(550, "5.7.0", "Error: no such account may log in here"));
    else if ((f->known & FORWARDED_ADDR) != 0 && !session_may_become(s, f->ip))
        ; /* answered */
    else if (f->login.len == 0 || session_may_log_in(s, f->login))
        become(s, f);
}

bool session_may_speak_for_others(const struct session *s)
{
    for (const struct rule_network *n = s->offer->speakers; n != NULL; n = n->next)
        if (s->has_ip && network_has(&n->network, s->ip))
            return true;
    return false;
}
