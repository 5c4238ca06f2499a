/*
 * warden.h - makes sockets and folders, starts the roles, starts them again, and ends them.
 *
 * The warden reads nothing that comes from the network. It hands the checked configuration, with
 * the tables that it names, to every role as a sealed file (that of the receivers has the keys of
 * certificates, that of the vault the passwords), listening sockets and the keys of session tickets
 * to the receivers, and both ends of a channel to each pair of roles that may talk
 * (ipc/messages.h). At SIGHUP the receivers get certificates that were read
 * again, and all roles the accounts; these also when `postroad user` says so to the courier.
 */
#ifndef ROLES_WARDEN_H
#define ROLES_WARDEN_H

#include "config/settings.h"

/* What the roles are handed: the receivers, the vault ("": there is none, since nobody logs in),
 * and all others. */
struct warden_bundles {
    struct slice receivers, vault, all;
};

struct warden_options {
    /* The configuration and its tables, which was parsed into `settings` without errors: for the
     * receivers, for the vault ("": there is none, since nobody logs in), and for all others. The
     * first and the last may be the same bytes. */
    struct slice receiver_bundle, vault_bundle, bundle;
    const struct settings *settings;
    unsigned receivers;
    void (*ready)(void *ctx); /* called once, when every role serves */
    void *ctx;
    /* At SIGHUP: the receivers' bundle, with certificates as they are now; borrowed until the next
     * call. Empty: they are not good, which was told. */
    struct slice (*renew)(void *ctx);
    void *renew_ctx;
    /* At SIGHUP, or when the courier was told: the same bundles with the accounts as they are now;
     * borrowed for the call. False: they are not good, which was told. NULL: there are none. */
    bool (*reread)(void *ctx, struct warden_bundles *out);
    void *reread_ctx;
};

/* Until SIGTERM or SIGINT: then every role drains in order. Returns the exit status: 0;
 * EX_UNAVAILABLE (a listening address cannot be had), EX_CANTCREAT (a folder cannot be made),
 * EX_TEMPFAIL (another system has the queue), EX_OSERR; each told on stderr. */
int warden_run(const struct warden_options *options);

#endif
