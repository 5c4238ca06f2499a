/*
 * inherited.h - listening sockets that a service manager opened for us (socket activation).
 *
 * Such a socket takes connections before we run and while we are started again. Which is which is
 * told by its address, never by its place, so the order in a unit does not matter.
 */
#ifndef ROLES_INHERITED_H
#define ROLES_INHERITED_H

#include "config/settings.h"
#include "loop/net.h"

enum { INHERITED_MAX = 64, INHERITED_FIRST = 3 };

struct inherited {
    struct net *net;
    int handles[INHERITED_MAX]; /* -1: taken */
    unsigned count;
};

/* The descriptors from INHERITED_FIRST on, so many; what does not listen is told and closed. */
void inherited_init(struct inherited *i, struct net *net, unsigned count);

/* The socket at the address of this listener, the caller's from now on; -1: there is none. */
int inherited_take(struct inherited *i, const struct settings_listener *l);

/* What nobody took is told, since mail would wait there for ever, and closed. */
void inherited_done(struct inherited *i);

#endif
