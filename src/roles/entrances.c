/*
 * entrances.c - from a listener of the settings to what its sessions are offered.
 */
#include "roles/entrances.h"

#include "base/fail.h"
#include "base/memory.h"
#include "loop/listener.h"
#include "mail/trace.h"
#include "roles/certificates.h"

#include <errno.h>

enum { WRONG_COMMANDS_MAX = 20 };

struct entrance {
    struct listener listener;
    struct entrances_common *common;
    struct session_offer offer;
};

static struct role *role_of(const struct entrances *e)
{
    return e->common->sessions->role;
}

static void on_accept(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own)
{
    struct entrance *e = LIST_ENTRY(l, struct entrance, listener);

    struct arrival arrival = {.handle = handle,
                              .peer = *peer,
                              .local =
                                  net_address_is_loopback(peer) && net_address_is_loopback(own)};

    if (e->offer.proxies != NULL)
        vestibule_enter(&e->common->vestibule, &e->offer, handle, peer);
    else
        session_open(e->common->sessions, &e->offer, &arrival);
}

static bool is_enough(struct listener *l)
{
    return sessions_others_have_more_room(
        LIST_ENTRY(l, struct entrance, listener)->common->sessions);
}

static unsigned offers_of(const struct settings_listener *l)
{
    unsigned offers = EHLO_CHUNKING | EHLO_BINARYMIME | EHLO_DSN | EHLO_DELIVERBY |
                      EHLO_MT_PRIORITY | EHLO_NO_SOLICITING;

    if (l->etrn != NULL)
        offers |= EHLO_ETRN;
    if (l->tls != LISTENER_TLS_OFF)
        offers |= EHLO_STARTTLS | EHLO_REQUIRETLS;
    if (l->speakers != NULL)
        offers |= EHLO_XCLIENT | EHLO_XFORWARD;
    if (l->auth != NULL)
        offers |= EHLO_AUTH;
    if (l->kind == LISTENER_SUBMISSION)
        offers |= EHLO_FUTURERELEASE; /* it is for submission only: RFC 4865 3 */
    return offers;
}

static bool all_have_scram(const struct settings_listener *l)
{
    return l->auth != NULL && accounts_all_have_scram(l->auth->accounts);
}

static struct server_settings server_settings_of(const struct entrances *e,
                                                 const struct settings_listener *l)
{
    return (struct server_settings){.protocol =
                                        l->kind == LISTENER_LMTP ? SERVER_LMTP : SERVER_SMTP,
                                    .offers = offers_of(l) | role_of(e)->doors->offers,
                                    .requires_tls = l->tls == LISTENER_TLS_REQUIRED,
                                    .auth_cleartext = l->auth_cleartext,
                                    .requires_auth = l->kind == LISTENER_SUBMISSION,
                                    .hostname = e->settings->hostname,
                                    .max_size = l->max_size,
                                    .line_ends = l->line_ends,
                                    .rcpt_max = ENVELOPE_RCPTS_MAX,
                                    .error_max = WRONG_COMMANDS_MAX,
                                    .received_max = RECEIVED_MAX};
}

static struct bad_addresses *faults_of(struct entrances *e)
{
    struct role *role = role_of(e);

    if (e->common->faults == NULL)
        e->common->faults = bad_addresses_new(role->doors->clock, role->doors->random);
    return e->common->faults;
}

static struct session_offer offer_of(struct entrances *e, uint32_t number)
{
    const struct settings_listener *l = &e->settings->listeners[number];

    return (struct session_offer){
        .server = server_settings_of(e, l),
        .tls = certificates_for(role_of(e), e->settings, l, &e->common->ticket_keys),
        .implicit_tls = l->tls == LISTENER_TLS_IMPLICIT,
        .listener = l->address,
        .submission = listener_is_beginning(l),
        .by_user = l->kind == LISTENER_LOCAL,
        .hide_client = l->hide_client,
        .scram = all_have_scram(l),
        .tokens = l->introspection != NULL,
        .people = l->auth,
        .etrn = l->etrn,
        .proxies = l->proxies,
        .speakers = l->speakers,
        .zones = l->zones,
        .resolver = e->resolver,
        .greet_delay_s = l->greet_delay_s,
        .faults = l->faults ? faults_of(e) : NULL};
}

/* NULL, too, when nobody has a list to ask. */
static struct resolver *resolver_for(struct role *role, const struct settings *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        if (s->listeners[i].zones != NULL && role->doors->resolver_new != NULL)
            return role->doors->resolver_new(role->doors, role->loop, s);
    return NULL;
}

struct entrances *entrances_new(struct role *role, struct entrances_common *common)
{
    struct entrances *e = MEMORY_NEW(struct entrances);
    const struct settings *s = settings_hold(role->settings);

    e->common = common;
    e->settings = s;
    e->resolver = resolver_for(role, s);
    e->of = memory_new(s->listener_count * sizeof(*e->of));
    for (size_t i = 0; i < s->listener_count; i++)
        e->of[i].listener.watch.handle = -1;
    list_init(&e->link);
    return e;
}

int entrances_listen(struct entrances *e, uint32_t number, int handle)
{
    struct role *role = role_of(e);
    struct entrance *one;

    if (number >= e->settings->listener_count || e->of[number].listener.watch.handle >= 0) {
        role->doors->net->ops->close(role->doors->net, handle);
        return -EBADMSG;
    }
    one = &e->of[number];
    one->common = e->common;
    one->offer = offer_of(e, number);
    int code = listener_open(&one->listener, role->loop, handle, on_accept);
    one->listener.is_enough = is_enough;
    return code < 0 ? fail_code(code, "listen on", e->settings->listeners[number].address) : 0;
}

struct session_offer *entrances_local(struct entrances *e, uint32_t number)
{
    struct session_offer *offer =
        number < e->settings->listener_count ? &e->of[number].offer : NULL;

    return offer != NULL && offer->by_user ? offer : NULL;
}

void entrances_close(struct entrances *e)
{
    for (size_t i = 0; i < e->settings->listener_count; i++)
        listener_close(&e->of[i].listener);
}

void entrances_pause(struct entrances *e)
{
    for (size_t i = 0; i < e->settings->listener_count; i++)
        listener_pause(&e->of[i].listener);
}

void entrances_resume(struct entrances *e)
{
    for (size_t i = 0; i < e->settings->listener_count; i++)
        listener_resume(&e->of[i].listener);
}

void entrances_look(struct entrances *e)
{
    for (size_t i = 0; i < e->settings->listener_count; i++)
        listener_look(&e->of[i].listener);
}

bool entrances_are_used(const struct entrances *e)
{
    for (size_t i = 0; i < e->settings->listener_count; i++)
        if (e->of[i].offer.sessions > 0)
            return true;
    return false;
}

void entrances_follow_accounts(struct entrances *e)
{
    for (size_t i = 0; i < e->settings->listener_count; i++)
        e->of[i].offer.scram = all_have_scram(&e->settings->listeners[i]);
}

void entrances_free(struct entrances *e)
{
    if (e == NULL)
        return;
    entrances_close(e);
    for (size_t i = 0; i < e->settings->listener_count; i++)
        tls_context_free(e->of[i].offer.tls);
    list_remove(&e->link);
    resolver_free(e->resolver);
    settings_free(e->settings);
    memory_free(e->of);
    memory_free(e);
}
