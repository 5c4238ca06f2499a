/*
 * loop.c - rounds of waiting and calling.
 *
 * A round takes a batch of events from the net and calls their handlers one by one. A handler may
 * close any watch whose event still lies in the batch, and the memory may be a new session's by
 * then; so closing (and unwatching) crosses the watch out of the batch. That costs a walk over
 * the rest of the batch and needs no generations in handles.
 *
 * Threads touch two things only: `woken` and the net's wake(). A thread makes its work visible,
 * then sets woken; the loop clears woken, then looks for work; so no call is lost even when
 * several become one.
 */
#include "loop/loop.h"

#include "base/memory.h"

#include <assert.h>
#include <stdatomic.h>

enum { BATCH_MAX = 256 };

struct hook {
    void (*call)(void *ctx);
    void *ctx;
};

struct loop {
    struct net *net;
    struct clock *clock;
    struct timer_wheel timers;
    uint64_t now_ms;
    struct hook before_sleep;
    struct hook on_wake;
    struct net_event batch[BATCH_MAX];
    int batch_at;    /* the next event to deliver */
    int batch_count; /* 0 outside of delivering */
    bool stopping;
    atomic_bool woken;
};

static void hook_call(const struct hook *hook)
{
    if (hook->call != NULL)
        hook->call(hook->ctx);
}

struct loop *loop_new(struct net *net, struct clock *clock)
{
    struct loop *loop = MEMORY_NEW(struct loop);

    loop->net = net;
    loop->clock = clock;
    loop->now_ms = clock_monotonic_ms(clock);
    timer_wheel_init(&loop->timers, loop->now_ms);
    atomic_init(&loop->woken, false);
    return loop;
}

void loop_free(struct loop *loop)
{
    memory_free(loop);
}

struct net *loop_net(struct loop *loop)
{
    return loop->net;
}

struct clock *loop_clock(struct loop *loop)
{
    return loop->clock;
}

uint64_t loop_now_ms(struct loop *loop)
{
    return loop->now_ms;
}

void loop_before_sleep(struct loop *loop, void (*hook)(void *ctx), void *ctx)
{
    loop->before_sleep = (struct hook){hook, ctx};
}

void loop_on_wake(struct loop *loop, void (*hook)(void *ctx), void *ctx)
{
    loop->on_wake = (struct hook){hook, ctx};
}

void loop_wake(struct loop *loop)
{
    if (!atomic_exchange(&loop->woken, true))
        loop->net->ops->wake(loop->net);
}

void loop_stop(struct loop *loop)
{
    loop->stopping = true;
}

bool loop_is_stopped(const struct loop *loop)
{
    return loop->stopping;
}

bool loop_next_ms(const struct loop *loop, uint64_t *at_ms)
{
    return timer_wheel_next(&loop->timers, at_ms);
}

void timer_set(struct loop *loop, struct timer *t, uint64_t in_ms)
{
    uint64_t at_ms;

    if (__builtin_add_overflow(loop->now_ms, in_ms, &at_ms))
        at_ms = UINT64_MAX;
    timer_wheel_set(&loop->timers, t, at_ms);
}

void timer_cancel(struct loop *loop, struct timer *t)
{
    timer_wheel_cancel(&loop->timers, t);
}

/* Rounds */

/* How long the net may wait, in us; -1: until something happens. */
static int64_t sleep_limit_us(struct loop *loop)
{
    uint64_t at_ms, now_us = clock_monotonic_us(loop->clock);

    if (!timer_wheel_next(&loop->timers, &at_ms))
        return -1;
    if (at_ms <= now_us / 1000)
        return 0;
    if (at_ms > (uint64_t)INT64_MAX / 1000)
        return INT64_MAX;
    return (int64_t)(at_ms * 1000 - now_us);
}

static void deliver(struct loop *loop, int count)
{
    loop->batch_count = count;
    for (loop->batch_at = 0; loop->batch_at < loop->batch_count;) {
        struct net_event event = loop->batch[loop->batch_at++];
        struct watch *w = event.ctx;
        if (w == NULL)
            continue; /* crossed out */
        unsigned events = event.events & (w->events | NET_HANGUP);
        if (events != 0)
            w->ready(w, events);
    }
    loop->batch_count = 0;
}

/* A handler that changes its mind about a watch must not meet the event it no longer wants. */
static void cross_out(struct loop *loop, const struct watch *w)
{
    for (int i = loop->batch_at; i < loop->batch_count; i++)
        if (loop->batch[i].ctx == w)
            loop->batch[i].ctx = NULL;
}

int loop_round(struct loop *loop, bool may_sleep)
{
    int64_t limit_us = may_sleep ? sleep_limit_us(loop) : 0;
    int count = loop->net->ops->wait(loop->net, loop->batch, BATCH_MAX, limit_us);

    assert(loop->batch_count == 0); /* a handler must not run rounds */
    if (count < 0)
        return count;
    loop->now_ms = clock_monotonic_ms(loop->clock);
    deliver(loop, count);
    timer_wheel_advance(&loop->timers, loop->now_ms);
    if (atomic_exchange(&loop->woken, false))
        hook_call(&loop->on_wake);
    hook_call(&loop->before_sleep);
    return 0;
}

int loop_run(struct loop *loop)
{
    int code = 0;

    loop->stopping = false;
    loop->now_ms = clock_monotonic_ms(loop->clock);
    hook_call(&loop->before_sleep);
    while (!loop->stopping && code == 0)
        code = loop_round(loop, true);
    return code;
}

/* Watches */

static int watch_start(struct loop *loop, struct watch *w, unsigned events, bool exclusive)
{
    int code = loop->net->ops->watch(loop->net, w->handle, events, exclusive, w);

    if (code < 0)
        return code;
    w->watched = true;
    w->events = events;
    return 0;
}

static void watch_stop(struct loop *loop, struct watch *w)
{
    cross_out(loop, w);
    if (w->watched)
        loop->net->ops->unwatch(loop->net, w->handle);
    w->watched = false;
    w->events = 0;
}

int watch_set(struct loop *loop, struct watch *w, unsigned events)
{
    if (w->watched && events == w->events)
        return 0;
    if (events == 0) {
        watch_stop(loop, w);
        return 0;
    }
    if (!w->watched)
        return watch_start(loop, w, events, false);
    int code = loop->net->ops->rewatch(loop->net, w->handle, events, w);
    if (code < 0) {
        watch_stop(loop, w);
        return code;
    }
    w->events = events;
    return 0;
}

/* An exclusive watch cannot be changed (epoll_ctl(2)): it is made anew. */
int watch_set_exclusive(struct loop *loop, struct watch *w, unsigned events)
{
    if (w->watched && events == w->events)
        return 0;
    watch_stop(loop, w);
    return events != 0 ? watch_start(loop, w, events, true) : 0;
}

void watch_close(struct loop *loop, struct watch *w)
{
    if (w->handle < 0)
        return;
    watch_stop(loop, w);
    loop->net->ops->close(loop->net, w->handle);
    w->handle = -1;
}
