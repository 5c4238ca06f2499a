/*
 * certificates.c - from settings to contexts.
 *
 * Each listener has a context of its own, since what is agreed on at one must not be taken up at
 * another: whether the client was asked who it is, most of all. Their tickets are told apart by the
 * listener's address and by whom it trusts; the addresses stay when certificates change, so that
 * tickets of before hold on.
 *
 * Certificates were looked into before anything started, so that they suit here; if not, mail comes
 * in the clear, where it may.
 */
#include "roles/certificates.h"

static void no_tls(struct role *role, struct slice name, const char *why)
{
    struct arena scratch = {0};

    role_warn(role, SLICE("smtpd"),
              arena_printf(&scratch, "no TLS: the certificate for %.*s, or its key, %s",
                           SLICE_PRINTF(name.len > 0 ? name : SLICE("everybody")), why));
    arena_done(&scratch);
}

struct tls_context *certificates_for(struct role *role, const struct settings *settings,
                                     const struct settings_listener *listener,
                                     const struct tls_ticket_keys *keys)
{
    const struct settings_certificate *first = settings->certificates;
    struct arena scratch = {0};
    struct tls_context *tls;
    const char *why;

    if (first == NULL || listener->tls == LISTENER_TLS_OFF)
        return NULL;
    tls = tls_context_server(first->chain, first->key, &why);
    if (tls == NULL) {
        no_tls(role, first->name, why);
        return NULL;
    }
    for (const struct settings_certificate *c = first->next; c != NULL; c = c->next)
        if (!tls_context_add(tls, slice_equal(c->name, first->name) ? SLICE("") : c->name, c->chain,
                             c->key, &why))
            no_tls(role, c->name, why);
    if (listener->auth != NULL)
        tls_context_wipe(tls);
    if (listener->client_ca.len > 0)
        tls_context_ask_clients(tls, listener->client_ca);
    tls_context_give_tickets(tls,
                             arena_printf(&scratch, "%.*s\n%.*s", SLICE_PRINTF(listener->address),
                                          SLICE_PRINTF(listener->client_ca)),
                             keys);
    arena_done(&scratch);
    return tls;
}
