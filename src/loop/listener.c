/*
 * listener.c - accepting.
 *
 * A listening socket stays readable while the process has no descriptor left to accept with, so a
 * level-triggered loop would spin. It looks away for a while instead; waiting connections stay in
 * the kernel's queue, where another receiver may take them.
 */
#include "loop/listener.h"

#include "base/fail.h"

#include <errno.h>

static struct listener *listener_of_watch(struct watch *w)
{
    return LIST_ENTRY(w, struct listener, watch);
}

static bool out_of_resources(int code)
{
    return code == -EMFILE || code == -ENFILE || code == -ENOBUFS || code == -ENOMEM;
}

static void listener_rest(struct listener *l)
{
    (void)watch_set_exclusive(l->loop, &l->watch, 0);
    timer_set(l->loop, &l->retry, LISTENER_RETRY_MS);
}

static void listener_retry(struct timer *t)
{
    struct listener *l = LIST_ENTRY(t, struct listener, retry);

    if (!l->paused && watch_set_exclusive(l->loop, &l->watch, NET_READABLE) < 0)
        timer_set(l->loop, &l->retry, LISTENER_RETRY_MS);
}

/* False: there is no other now. */
static bool accept_one(struct listener *l)
{
    struct net *net = loop_net(l->loop);
    struct net_address peer, own;
    int handle = net->ops->accept(net, l->watch.handle, &peer, &own);

    if (handle == -EAGAIN)
        return false;
    if (out_of_resources(handle)) {
        (void)fail_code(handle, "accept", SLICE("connection"));
        listener_rest(l);
        return false;
    }
    /* Any other error is that of one connection, which is gone already: accept(2). */
    if (handle >= 0)
        l->on_accept(l, handle, &peer, &own);
    return l->watch.handle >= 0;
}

static void listener_ready(struct watch *w, unsigned events)
{
    struct listener *l = listener_of_watch(w);

    (void)events;
    for (int i = 0; i < LISTENER_ACCEPTS_PER_ROUND && accept_one(l); i++)
        if (l->is_enough != NULL && l->is_enough(l))
            return;
}

int listener_open(struct listener *l, struct loop *loop, int handle,
                  void (*on_accept)(struct listener *, int, const struct net_address *,
                                    const struct net_address *))
{
    *l = (struct listener){
        .watch = {.ready = listener_ready, .handle = handle},
          .loop = loop, .on_accept = on_accept
    };
    timer_init(&l->retry, listener_retry);
    int code = watch_set_exclusive(loop, &l->watch, NET_READABLE);
    if (code < 0)
        listener_close(l);
    return code;
}

void listener_close(struct listener *l)
{
    if (l->loop == NULL)
        return;
    timer_cancel(l->loop, &l->retry);
    watch_close(l->loop, &l->watch);
}

static bool is_open(const struct listener *l)
{
    return l->loop != NULL && l->watch.handle >= 0;
}

void listener_pause(struct listener *l)
{
    l->paused = true;
    l->had_caller = false;
    if (is_open(l))
        (void)watch_set_exclusive(l->loop, &l->watch, 0);
}

void listener_resume(struct listener *l)
{
    l->paused = false;
    if (is_open(l) && !timer_is_set(&l->retry))
        listener_retry(&l->retry);
}

void listener_look(struct listener *l)
{
    struct net *net;

    if (!is_open(l))
        return;
    net = loop_net(l->loop);
    bool has = net->ops->has_caller(net, l->watch.handle);
    for (int i = 0; has && l->had_caller && i < LISTENER_ACCEPTS_PER_ROUND && accept_one(l); i++)
        ;
    l->had_caller = has;
}
