/*
 * sockets.h - the listening sockets, made once by the warden and inherited by all receivers.
 *
 * Who connects while a receiver is gone, or while the settings change, waits in the socket: nobody
 * is refused.
 */
#ifndef ROLES_SOCKETS_H
#define ROLES_SOCKETS_H

#include "config/settings.h"
#include "loop/net.h"
#include "roles/inherited.h"

struct sockets {
    const struct settings *settings; /* held */
    int *handles;                    /* one for each of its listeners */
};

/* Fills *s, which is zeroed. Of `old` (or NULL) those at the same address are taken over: then
 * `old` is for sockets_pass_on() only; so are those that were `inherited`. 0 or a negative errno,
 * told; then nothing has happened, but for what was inherited. */
int sockets_open(struct sockets *s, struct net *net, const struct settings *settings,
                 const struct sockets *old, struct inherited *inherited);

/* Closes what `now` has not taken over. */
void sockets_pass_on(struct sockets *old, struct net *net, const struct sockets *now);

void sockets_close(struct sockets *s, struct net *net);

#endif
