/*
 * warden.h - makes sockets and folders, starts the roles, starts them again, and ends them.
 *
 * The warden reads nothing that comes from the network. It hands the checked configuration, with
 * the tables that it names, to every role as a sealed file (that of the receivers has the keys of
 * certificates, that of the vault the passwords, that of the courier what relays log in with),
 * listening sockets and the keys of session tickets to the receivers, and both ends of a channel to
 * each pair of roles that may talk (ipc/messages.h). At SIGHUP, or when the courier is told so, all
 * of it is read again: what is wrong changes nothing; what is right serves from then on, and nobody
 * is refused meanwhile. Accounts can be read again alone, when `postroad user` has changed them.
 */
#ifndef ROLES_WARDEN_H
#define ROLES_WARDEN_H

#include "config/settings.h"
#include "roles/bundles.h"

struct warden_options {
    struct bundles bundles; /* parsed into `settings` without errors */
    const struct settings *settings;
    unsigned receivers;
    bool as_caller;           /* even if that is root: no users of their own for the roles */
    void *ctx;                /* of these calls */
    void (*ready)(void *ctx); /* once, when every role serves */
    /* The configuration as it is now; borrowed until the next of these calls. False: it is not
     * good, or cannot be taken without a restart, which was told. adopt(): it is the one that
     * counts. */
    bool (*reload)(void *ctx, struct bundles *out, const struct settings **settings);
    void (*adopt)(void *ctx);
    /* The bundles with the accounts as they are now; borrowed for the call. False: they are not
     * good, which was told, or there are none. */
    bool (*reread)(void *ctx, struct bundles *out);
};

/* Until SIGTERM or SIGINT: then every role drains in order. Returns the exit status: 0;
 * EX_UNAVAILABLE (a listening address cannot be had), EX_CANTCREAT (a folder cannot be made),
 * EX_TEMPFAIL (another system has the queue), EX_NOUSER (no users for the roles), EX_OSERR; each
 * told on stderr. */
int warden_run(const struct warden_options *options);

#endif
