/*
 * signals.c - signalfd(2) and waitpid(2).
 *
 * A handler could only set a variable that somebody must look at; a descriptor is one more watch.
 */
#include "loop/signals.h"

#include "base/fail.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static void signals_ready(struct watch *w, unsigned events)
{
    struct signals *s = LIST_ENTRY(w, struct signals, watch);
    struct net *net = loop_net(s->loop);
    struct signalfd_siginfo info;

    (void)events;
    while (w->handle >= 0 &&
           net->ops->read(net, w->handle, &info, sizeof(info)) == (int64_t)sizeof(info))
        s->on_signal(s, (int)info.ssi_signo);
}

static sigset_t signals_wanted(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    sigset_t wanted;

    sigemptyset(&wanted);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        sigaddset(&wanted, numbers[i]);
    return wanted;
}

int signals_open(struct signals *s, struct loop *loop,
                 void (*on_signal)(struct signals *s, int number))
{
    sigset_t wanted = signals_wanted();

    *s = (struct signals){
        .watch = {.ready = signals_ready, .handle = -1},
          .loop = loop, .on_signal = on_signal
    };
    if (sigprocmask(SIG_BLOCK, &wanted, &s->before) < 0)
        return fail_errno("block", SLICE("signals"));
    int handle = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
    if (handle < 0) {
        int code = fail_errno("open", SLICE("signalfd"));
        signals_restore(s);
        return code;
    }
    s->watch.handle = handle;
    int code = watch_set(loop, &s->watch, NET_READABLE);
    if (code < 0)
        signals_close(s);
    return code;
}

void signals_close(struct signals *s)
{
    if (s->loop == NULL || s->watch.handle < 0)
        return;
    watch_close(s->loop, &s->watch);
    signals_restore(s);
}

void signals_restore(const struct signals *s)
{
    (void)sigprocmask(SIG_SETMASK, &s->before, NULL);
}

bool signals_reap(pid_t *pid, int *status)
{
    pid_t got;

    do
        got = waitpid(-1, status, WNOHANG);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return false;
    *pid = got;
    return true;
}
