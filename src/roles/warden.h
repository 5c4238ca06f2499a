/*
 * warden.h - makes sockets and folders, starts the roles, starts them again, and ends them.
 *
 * The warden reads nothing that comes from the network. It hands the checked configuration, with
 * the tables that it names, to every role as a sealed file (that of the receivers has the keys of
 * certificates, that of the vault the passwords, that of the courier what relays log in with),
 * listening sockets and the keys of session tickets to the receivers, and both ends of a channel to
 * each pair of roles that may talk (ipc/messages.h). At SIGHUP the receivers get certificates that
 * were read again, the courier what relays log in with, and all roles the accounts; these also when
 * `postroad user` says so to the courier.
 */
#ifndef ROLES_WARDEN_H
#define ROLES_WARDEN_H

#include "config/settings.h"
#include "roles/bundles.h"

struct warden_options {
    struct bundles bundles; /* parsed into `settings` without errors */
    const struct settings *settings;
    unsigned receivers;
    void *ctx;                /* of these calls */
    void (*ready)(void *ctx); /* once, when every role serves */
    /* At SIGHUP: the receivers' bundle, with certificates as they are now; borrowed until the next
     * call. Empty: they are not good, which was told. NULL: there are none. */
    struct slice (*renew)(void *ctx);
    /* At SIGHUP, or when the courier was told: the same bundles with accounts and logins as they
     * are; borrowed for the call. False: they are not good, which was told. NULL: there are none.
     */
    bool (*reread)(void *ctx, struct bundles *out);
};

/* Until SIGTERM or SIGINT: then every role drains in order. Returns the exit status: 0;
 * EX_UNAVAILABLE (a listening address cannot be had), EX_CANTCREAT (a folder cannot be made),
 * EX_TEMPFAIL (another system has the queue), EX_OSERR; each told on stderr. */
int warden_run(const struct warden_options *options);

#endif
