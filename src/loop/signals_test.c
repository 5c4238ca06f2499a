/*
 * signals_test.c - signals arrive on the loop, children are reaped, the mask comes back.
 */
#include "loop/signals.h"

#include "check.h"

#include <sys/wait.h>

struct seen {
    struct signals signals;
    unsigned counts[65];
    bool closes;
};

static void on_signal(struct signals *s, int number)
{
    struct seen *seen = LIST_ENTRY(s, struct seen, signals);

    seen->counts[number]++;
    if (seen->closes)
        signals_close(s);
}

static bool is_blocked(int number)
{
    sigset_t now;

    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &now), 0);
    return sigismember(&now, number);
}

static void test_signals(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    struct net *net = net_real_new();
    struct loop *loop = loop_new(net, clock_real());
    struct seen seen = {0};
    pid_t pid;
    int status;

    (void)state;
    assert_int_equal(signals_open(&seen.signals, loop, on_signal), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_true(is_blocked(numbers[i]));
        assert_int_equal(raise(numbers[i]), 0);
    }
    assert_int_equal(loop_round(loop, false), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(seen.counts[numbers[i]], 1);

    assert_false(signals_reap(&pid, &status));
    pid_t child = fork();
    if (child == 0) {
        signals_restore(&seen.signals);
        _exit(is_blocked(SIGTERM) ? 1 : 7);
    }
    while (seen.counts[SIGCHLD] == 0)
        assert_int_equal(loop_round(loop, true), 0);
    assert_true(signals_reap(&pid, &status));
    assert_int_equal(pid, child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_false(signals_reap(&pid, &status));

    seen.closes = true;
    assert_int_equal(raise(SIGHUP), 0);
    assert_int_equal(loop_round(loop, false), 0);
    assert_int_equal(seen.counts[SIGHUP], 2);
    assert_false(is_blocked(SIGTERM));
    signals_close(&seen.signals);
    loop_free(loop);
    net->ops->free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
