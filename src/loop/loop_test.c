/*
 * loop_test.c - the order of a round, events of closed watches, wake-ups from threads.
 */
#include "loop/loop.h"

#include "base/memory.h"
#include "check.h"
#include "fakes/net.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

struct setup {
    struct fake_clock clock;
    struct net *net;
    struct loop *loop;
    char order[64];
    size_t steps;
};

struct probe {
    struct watch watch;
    struct setup *setup;
    struct probe **closes; /* three, itself included */
    unsigned events;
    unsigned calls;
    char name;
};

static void note(struct setup *s, char what)
{
    assert_true(s->steps < sizeof(s->order) - 1);
    s->order[s->steps++] = what;
}

static void probe_close(struct probe **p)
{
    if (*p == NULL)
        return;
    watch_close((*p)->setup->loop, &(*p)->watch);
    memory_free(*p);
    *p = NULL;
}

static void probe_ready(struct watch *w, unsigned events)
{
    struct probe *p = LIST_ENTRY(w, struct probe, watch);

    p->events = events;
    p->calls++;
    note(p->setup, p->name);
    struct probe **closes = p->closes; /* p is one of them */
    if (closes != NULL)
        for (int i = 0; i < 3; i++)
            probe_close(&closes[i]);
}

static void setup_init(struct setup *s)
{
    *s = (struct setup){.net = net_real_new()};
    assert_non_null(s->net);
    fake_clock_init(&s->clock);
    s->loop = loop_new(s->net, &s->clock.clock);
}

static void setup_done(struct setup *s)
{
    loop_free(s->loop);
    s->net->ops->free(s->net);
}

/* Watches one end of a pair that has something to read; *other is the far end. */
static struct probe *probe_new(struct setup *s, char name, int *other)
{
    struct probe *p = MEMORY_NEW(struct probe);
    int ends[2];

    assert_int_equal(s->net->ops->pair(s->net, ends), 0);
    *p = (struct probe){
        .watch = {.ready = probe_ready, .handle = ends[0]},
          .setup = s, .name = name
    };
    *other = ends[1];
    assert_int_equal(watch_set(s->loop, &p->watch, NET_READABLE), 0);
    assert_int_equal(s->net->ops->send(s->net, ends[1], SLICE("x"), NULL, -1), 1);
    return p;
}

/* Whichever of three comes first closes and frees all, itself included: nobody else is called. */
static void test_close_in_batch(void **state)
{
    struct setup s;
    struct probe *probes[3];
    int others[3];

    (void)state;
    setup_init(&s);
    for (int i = 0; i < 3; i++) {
        probes[i] = probe_new(&s, (char)('a' + i), &others[i]);
        probes[i]->closes = probes;
        s.net->ops->close(s.net, others[i]); /* a hangup, too: told whatever was wanted */
    }
    assert_int_equal(loop_round(s.loop, false), 0);
    assert_int_equal(s.steps, 1);
    assert_int_equal(loop_round(s.loop, false), 0);
    assert_int_equal(s.steps, 1);
    for (int i = 0; i < 3; i++)
        assert_null(probes[i]);
    setup_done(&s);
}

static void test_watch_set(void **state)
{
    struct setup s;
    int other;

    (void)state;
    setup_init(&s);
    struct probe *p = probe_new(&s, 'p', &other);
    assert_int_equal(loop_round(s.loop, false), 0);
    assert_int_equal(loop_round(s.loop, false), 0);
    assert_int_equal(p->calls, 2); /* level-triggered */
    assert_int_equal(p->events, NET_READABLE);
    assert_int_equal(watch_set(s.loop, &p->watch, NET_READABLE | NET_WRITABLE), 0);
    assert_int_equal(loop_round(s.loop, false), 0);
    assert_int_equal(p->events, NET_READABLE | NET_WRITABLE);
    assert_int_equal(watch_set(s.loop, &p->watch, NET_WRITABLE), 0);
    assert_int_equal(loop_round(s.loop, false), 0);
    assert_int_equal(p->events, NET_WRITABLE);
    s.net->ops->close(s.net, other);
    assert_int_equal(loop_round(s.loop, false), 0);
    assert_int_equal(p->events, NET_WRITABLE | NET_HANGUP);
    assert_int_equal(p->calls, 5);
    assert_int_equal(watch_set(s.loop, &p->watch, 0), 0);
    assert_int_equal(loop_round(s.loop, false), 0);
    assert_int_equal(p->calls, 5); /* not even a hangup */
    assert_int_equal(watch_set_exclusive(s.loop, &p->watch, NET_READABLE), 0);
    assert_int_equal(loop_round(s.loop, false), 0);
    assert_int_equal(p->events, NET_READABLE | NET_HANGUP);
    probe_close(&p);
    setup_done(&s);
}

struct order_timer {
    struct timer timer;
    struct setup *setup;
};

static void order_due(struct timer *t)
{
    note(LIST_ENTRY(t, struct order_timer, timer)->setup, 't');
}

static void order_wake(void *ctx)
{
    note(ctx, 'w');
}

static void order_sleep(void *ctx)
{
    note(ctx, 's');
}

static void order_stop(void *ctx)
{
    struct setup *s = ctx;

    note(s, 's');
    if (s->steps >= 4)
        loop_stop(s->loop);
}

static void test_round_order(void **state)
{
    struct setup s;
    struct order_timer t = {.setup = &s};
    int other;

    (void)state;
    setup_init(&s);
    struct probe *p = probe_new(&s, 'e', &other);
    loop_before_sleep(s.loop, order_sleep, &s);
    loop_on_wake(s.loop, order_wake, &s);
    timer_init(&t.timer, order_due);
    timer_set(s.loop, &t.timer, 5);
    fake_clock_advance(&s.clock, 5000);
    loop_wake(s.loop);
    loop_wake(s.loop);
    assert_int_equal(loop_round(s.loop, true), 0);
    assert_string_equal(s.order, "etws");
    probe_close(&p);
    assert_int_equal(loop_round(s.loop, false), 0);
    assert_string_equal(s.order, "etwss");
    s.net->ops->close(s.net, other);

    /* loop_run() calls the hook before it first sleeps. */
    memset(s.order, 0, sizeof(s.order));
    s.steps = 0;
    loop_before_sleep(s.loop, order_stop, &s);
    loop_wake(s.loop);
    timer_set(s.loop, &t.timer, 0);
    assert_int_equal(loop_run(s.loop), 0);
    assert_string_equal(s.order, "stws");
    setup_done(&s);
}

struct waker {
    struct loop *loop;
    atomic_uint work;
};

enum { WAKES = 20000 };

static void *waker_run(void *arg)
{
    struct waker *w = arg;

    for (int i = 0; i < WAKES; i++) {
        atomic_fetch_add(&w->work, 1);
        loop_wake(w->loop);
    }
    return NULL;
}

struct woken {
    struct waker *waker;
    unsigned seen;
};

static void woken_hook(void *ctx)
{
    struct woken *w = ctx;

    w->seen = atomic_load(&w->waker->work);
    if (w->seen == 2 * WAKES)
        loop_stop(w->waker->loop);
}

/* No wake-up is lost between two threads and a loop that sleeps without limit. */
static void test_wake(void **state)
{
    struct net *net = net_real_new();
    struct waker waker = {.loop = loop_new(net, clock_real())};
    struct woken woken = {.waker = &waker};
    pthread_t threads[2];

    (void)state;
    atomic_init(&waker.work, 0);
    loop_on_wake(waker.loop, woken_hook, &woken);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, waker_run, &waker), 0);
    assert_int_equal(loop_run(waker.loop), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(woken.seen, 2 * WAKES);
    loop_free(waker.loop);
    net->ops->free(net);
}

/* Hours of virtual time pass in one round, and end exactly at the timer. */
static void test_sleep_until_timer(void **state)
{
    struct setup s = {0};
    struct fake_network_options options = {.seed = 1};
    struct net_address host = {.port = 0};
    struct order_timer t = {.setup = &s};

    (void)state;
    fake_clock_init(&s.clock);
    struct fake_network *network = fake_network_new(&s.clock, &options);
    s.net = fake_net_new(network, &host);
    s.loop = loop_new(s.net, &s.clock.clock);
    assert_int_equal(loop_round(s.loop, true), -EDEADLK); /* nothing can ever happen */
    uint64_t begin_ms = loop_now_ms(s.loop);
    timer_init(&t.timer, order_due);
    timer_set(s.loop, &t.timer, 5 * 3600 * 1000);
    int rounds = 0;
    for (; s.steps == 0 && rounds < 10; rounds++)
        assert_int_equal(loop_round(s.loop, true), 0);
    assert_int_equal(s.steps, 1);
    assert_int_equal(loop_now_ms(s.loop), begin_ms + 5 * 3600 * 1000);
    loop_free(s.loop);
    s.net->ops->free(s.net);
    fake_network_free(network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_close_in_batch),    cmocka_unit_test(test_watch_set),
        cmocka_unit_test(test_round_order),       cmocka_unit_test(test_wake),
        cmocka_unit_test(test_sleep_until_timer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
