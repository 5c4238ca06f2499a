/*
 * signals.h - signals as events of the loop, and the exits of children.
 *
 * For the warden only. Signals belong to the machine, so this works on the real net only. While
 * open, TERM, INT, HUP and CHLD are blocked for the calling thread and those it makes: open it
 * before the first thread.
 */
#ifndef LOOP_SIGNALS_H
#define LOOP_SIGNALS_H

#include "loop/loop.h"

#include <signal.h>
#include <sys/types.h>

struct signals {
    struct watch watch;
    struct loop *loop;
    sigset_t before; /* the mask to go back to */
    void (*on_signal)(struct signals *s, int number);
};

/* on_signal may close it, but not free it. SIGCHLD is told once for any number of children. */
int signals_open(struct signals *s, struct loop *loop,
                 void (*on_signal)(struct signals *s, int number));
void signals_close(struct signals *s);

/* In a child, between fork and exec: a blocked signal would stay blocked. */
void signals_restore(const struct signals *s);

/* Takes one child that has ended; false when there is none (any more). status as of waitpid(2).
 * Never waits. */
bool signals_reap(pid_t *pid, int *status);

#endif
