/*
 * loop.h - epoll rounds with a before-sleep hook.
 *
 * One loop per process (or per simulated role). A round: wait, call the handlers of what is
 * ready, the timers that are due, the wake hook if a worker called, then the before-sleep hook,
 * in which a role does once what many sessions asked for (append and sync, send events).
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/clock.h"
#include "loop/net.h"
#include "loop/timer.h"

struct loop;

/* A watched handle, embedded in its owner. */
struct watch {
    void (*ready)(struct watch *w, unsigned events);
    int handle;      /* -1: not open */
    unsigned events; /* wanted now */
    bool watched;
};

/* Both doors are borrowed. Watches and timers must be closed and cancelled before loop_free(). */
struct loop *loop_new(struct net *net, struct clock *clock);
void loop_free(struct loop *loop);

struct net *loop_net(struct loop *loop);
struct clock *loop_clock(struct loop *loop);

/* Monotonic milliseconds, read once per round. */
uint64_t loop_now_ms(struct loop *loop);

/* Hooks; at most one each. */
void loop_before_sleep(struct loop *loop, void (*hook)(void *ctx), void *ctx);
void loop_on_wake(struct loop *loop, void (*hook)(void *ctx), void *ctx);

/* From any thread: the wake hook runs soon. Several calls may become one. */
void loop_wake(struct loop *loop);

int loop_run(struct loop *loop);                   /* until loop_stop(); 0 or negative errno */
int loop_round(struct loop *loop, bool may_sleep); /* one round, for tests and the simulator */
void loop_stop(struct loop *loop);

/* For who runs several loops by rounds: was loop_stop() called, and when is the next timer due at
 * the earliest; false when none is set. */
bool loop_is_stopped(const struct loop *loop);
bool loop_next_ms(const struct loop *loop, uint64_t *at_ms);

/* Starts or changes watching w->handle; events 0 keeps it open but unwatched, then not even
 * NET_HANGUP is told. A handler may close any watch, its own included, and free its owner; no
 * event is delivered to a closed one. On failure nothing is watched. */
int watch_set(struct loop *loop, struct watch *w, unsigned events);
int watch_set_exclusive(struct loop *loop, struct watch *w, unsigned events);
void watch_close(struct loop *loop, struct watch *w); /* also closes the handle */

#endif
