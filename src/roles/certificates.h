/*
 * certificates.h - how the listeners of a receiver do TLS.
 */
#ifndef ROLES_CERTIFICATES_H
#define ROLES_CERTIFICATES_H

#include "loop/tls.h"
#include "roles/role.h"

/* For one listener of `settings`. The ticket keys are borrowed
 * as tls_context_give_tickets() says. NULL: it does no TLS, or there is no certificate that can be
 * used (told). */
struct tls_context *certificates_for(struct role *role, const struct settings *settings,
                                     const struct settings_listener *listener,
                                     const struct tls_ticket_keys *keys);

#endif
