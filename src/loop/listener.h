/*
 * listener.h - accepts connections from an inherited listening socket.
 *
 * Several receivers share one socket (EPOLLEXCLUSIVE). On EMFILE/ENFILE it stops accepting for
 * 100 ms instead of spinning. One may leave accepting to the others for as long as it likes.
 */
#ifndef LOOP_LISTENER_H
#define LOOP_LISTENER_H

#include "loop/loop.h"

struct listener {
    struct watch watch;
    struct loop *loop;
    struct timer retry;
    bool paused;
    bool had_caller; /* at the last look, who was not accepted */
    void (*on_accept)(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own);
    /* NULL: never. Behind an accepted one: the rest that waits is for others, or a later round. */
    bool (*is_enough)(struct listener *l);
};

enum { LISTENER_BACKLOG = 4096, LISTENER_ACCEPTS_PER_ROUND = 64, LISTENER_RETRY_MS = 100 };

/* Takes over the handle of a listening socket (closed on failure). on_accept owns each accepted
 * handle; it may close the listener, but not free it. */
int listener_open(struct listener *l, struct loop *loop, int handle,
                  void (*on_accept)(struct listener *, int, const struct net_address *,
                                    const struct net_address *));
void listener_close(struct listener *l);

/* The others accept. Before the loop sleeps, not from a handler: nobody else may have been woken
 * for a connection that waits. For one that is not open nothing happens. */
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);

/* Of a paused one, now and then: whoever was waiting at two looks in a row is accepted. */
void listener_look(struct listener *l);

#endif
