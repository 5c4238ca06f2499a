/*
 * listener.h - accepts connections from an inherited listening socket.
 *
 * Several receivers share one socket (EPOLLEXCLUSIVE). On EMFILE/ENFILE it stops accepting for
 * 100 ms instead of spinning.
 */
#ifndef LOOP_LISTENER_H
#define LOOP_LISTENER_H

#include "loop/loop.h"

struct listener {
    struct watch watch;
    struct loop *loop;
    struct timer retry;
    void (*on_accept)(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own);
};

enum { LISTENER_BACKLOG = 4096, LISTENER_ACCEPTS_PER_ROUND = 64, LISTENER_RETRY_MS = 100 };

/* Takes over the handle of a listening socket (closed on failure). on_accept owns each accepted
 * handle; it may close the listener, but not free it. */
int listener_open(struct listener *l, struct loop *loop, int handle,
                  void (*on_accept)(struct listener *, int, const struct net_address *,
                                    const struct net_address *));
void listener_close(struct listener *l);

#endif
