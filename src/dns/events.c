/*
 * events.c - libunbound's events are watches and timers of our loop.
 *
 * An event of libunbound is a descriptor, a time limit, or both. Without UB_EV_PERSIST it is over
 * when it was called. The descriptors are libunbound's: they are unwatched here, never closed. A
 * callback may free its own event, so nothing is touched behind it.
 */
#include "dns/events.h"

#include "base/memory.h"

typedef void callback(int fd, short bits, void *arg);

struct event {
    struct ub_event super;
    struct loop *loop;
    struct watch watch;
    struct timer timer;
    callback *call;
    void *arg;
    short bits;
    uint64_t limit_ms; /* with UB_EV_TIMEOUT among the bits */
};

static struct event *event_of(struct ub_event *super)
{
    return LIST_ENTRY(super, struct event, super);
}

static uint64_t in_ms(const struct timeval *tv)
{
    if (tv->tv_sec < 0)
        return 0;
    return (uint64_t)tv->tv_sec * 1000 + ((uint64_t)tv->tv_usec + 999) / 1000;
}

static unsigned wanted_events(short bits)
{
    return ((bits & UB_EV_READ) != 0 ? (unsigned)NET_READABLE : 0) |
           ((bits & UB_EV_WRITE) != 0 ? (unsigned)NET_WRITABLE : 0);
}

static void event_stop(struct event *e)
{
    timer_cancel(e->loop, &e->timer);
    if (e->watch.handle >= 0)
        watch_set(e->loop, &e->watch, 0);
}

static void event_call(struct event *e, short what)
{
    if ((e->bits & UB_EV_PERSIST) == 0)
        event_stop(e);
    else if (timer_is_set(&e->timer) || what == UB_EV_TIMEOUT)
        timer_set(e->loop, &e->timer, e->limit_ms);
    e->call(e->watch.handle, what, e->arg);
}

/* A hang-up is told as whatever is waited for: reading or writing will find out. */
static void on_ready(struct watch *w, unsigned events)
{
    struct event *e = LIST_ENTRY(w, struct event, watch);
    short what = 0;

    if ((events & (NET_READABLE | NET_HANGUP)) != 0)
        what |= UB_EV_READ;
    if ((events & (NET_WRITABLE | NET_HANGUP)) != 0)
        what |= UB_EV_WRITE;
    what = (short)(what & e->bits);
    if (what != 0)
        event_call(e, what);
}

static void on_time(struct timer *t)
{
    event_call(LIST_ENTRY(t, struct event, timer), UB_EV_TIMEOUT);
}

/* ---- what libunbound calls on an event ---- */

static void event_add_bits(struct ub_event *super, short bits)
{
    struct event *e = event_of(super);

    e->bits = (short)(e->bits | bits);
}

static void event_del_bits(struct ub_event *super, short bits)
{
    struct event *e = event_of(super);

    e->bits = (short)(e->bits & ~bits);
}

static void event_set_fd(struct ub_event *super, int fd)
{
    event_of(super)->watch.handle = fd;
}

static void event_free(struct ub_event *super)
{
    struct event *e = event_of(super);

    event_stop(e);
    memory_free(e);
}

static int event_add(struct ub_event *super, struct timeval *tv)
{
    struct event *e = event_of(super);

    if (e->watch.handle >= 0 && watch_set(e->loop, &e->watch, wanted_events(e->bits)) < 0)
        return -1;
    if ((e->bits & UB_EV_TIMEOUT) != 0 && tv != NULL) {
        e->limit_ms = in_ms(tv);
        timer_set(e->loop, &e->timer, e->limit_ms);
    }
    return 0;
}

static int event_del(struct ub_event *super)
{
    event_stop(event_of(super));
    return 0;
}

static int event_add_timer(struct ub_event *super, struct ub_event_base *base, callback *call,
                           void *arg, struct timeval *tv)
{
    struct event *e = event_of(super);

    (void)base;
    e->call = call;
    e->arg = arg;
    e->limit_ms = in_ms(tv);
    timer_set(e->loop, &e->timer, e->limit_ms);
    return 0;
}

static int event_del_timer(struct ub_event *super)
{
    timer_cancel(event_of(super)->loop, &event_of(super)->timer);
    return 0;
}

static int no_signal(struct ub_event *super, struct timeval *tv)
{
    (void)super;
    (void)tv;
    return -1;
}

static int no_del_signal(struct ub_event *super)
{
    (void)super;
    return -1;
}

/* ---- and on the base ---- */

static void base_free(struct ub_event_base *base)
{
    (void)base;
}

static int base_no_dispatch(struct ub_event_base *base)
{
    (void)base;
    return -1;
}

static int base_no_exit(struct ub_event_base *base, struct timeval *tv)
{
    (void)base;
    (void)tv;
    return -1;
}

static struct ub_event *base_new_event(struct ub_event_base *base, int fd, short bits,
                                       callback *call, void *arg)
{
    static struct ub_event_vmt calls = {
        .add_bits = event_add_bits,
        .del_bits = event_del_bits,
        .set_fd = event_set_fd,
        .free = event_free,
        .add = event_add,
        .del = event_del,
        .add_timer = event_add_timer,
        .del_timer = event_del_timer,
        .add_signal = no_signal,
        .del_signal = no_del_signal,
    };
    struct event *e = MEMORY_NEW(struct event);

    e->super = (struct ub_event){UB_EVENT_MAGIC, &calls};
    e->loop = LIST_ENTRY(base, struct events, base)->loop;
    e->watch = (struct watch){.ready = on_ready, .handle = fd};
    timer_init(&e->timer, on_time);
    e->call = call;
    e->arg = arg;
    e->bits = bits;
    return &e->super;
}

static struct ub_event *base_no_signal(struct ub_event_base *base, int fd, callback *call,
                                       void *arg)
{
    (void)base;
    (void)fd;
    (void)call;
    (void)arg;
    return NULL;
}

void events_init(struct events *e, struct loop *loop)
{
    /* Never written; libunbound's type merely forgot to say so. */
    static struct ub_event_base_vmt calls = {
        .free = base_free,
        .dispatch = base_no_dispatch,
        .loopexit = base_no_exit,
        .new_event = base_new_event,
        .new_signal = base_no_signal,
    };

    *e = (struct events){
        {UB_EVENT_MAGIC, &calls},
        loop
    };
}
