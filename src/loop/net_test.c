/*
 * net_test.c - addresses, both families, and an accept that fails for want of descriptors.
 */
#include "loop/net.h"

#include "base/fail.h"
#include "check.h"
#include "loop/listener.h"

#include <errno.h>
#include <sys/resource.h>

#define V4(a, b, c, d)                                                                             \
    {                                                                                              \
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d                                       \
    }

static void test_address(void **state)
{
    static const struct {
        struct net_address address;
        struct slice text;
        bool loopback;
    } rows[] = {
        {{.ip = V4(192, 0, 2, 1), .port = 25},               SLICE_INIT("192.0.2.1"),       false},
        {{.ip = V4(127, 0, 0, 1), .port = 25},               SLICE_INIT("127.0.0.1"),       true },
        {{.ip = V4(127, 9, 9, 9), .port = 25},               SLICE_INIT("127.9.9.9"),       true },
        {{.ip = V4(255, 255, 255, 255), .port = 25},         SLICE_INIT("255.255.255.255"), false},
        {{.ip = {[15] = 1}, .port = 25},                     SLICE_INIT("::1"),             true },
        {{.ip = {0}, .port = 25},                            SLICE_INIT("::"),              false},
        {{.ip = {0x20, 1, 0xd, 0xb8, [15] = 1}, .port = 25}, SLICE_INIT("2001:db8::1"),     false},
        {{.ip = {[12] = 127, [15] = 1}, .port = 25},         SLICE_INIT("::127.0.0.1"),     false},
    };

    char text[64];

    (void)state;
    CHECK_ROWS (i, rows) {
        size_t len = net_address_text(&rows[i].address, text);
        check_slice(((struct slice){text, len}), rows[i].text);
        check(net_address_is_loopback(&rows[i].address) == rows[i].loopback);
    }
}

static int accept_soon(struct net *n, int h, struct net_address *peer, struct net_address *own)
{
    int got = -EAGAIN;

    for (int i = 0; i < 1000 && got == -EAGAIN; i++) {
        struct net_event event;
        if (i == 0)
            check_int(n->ops->watch(n, h, NET_READABLE, true, n), 0);
        check(n->ops->wait(n, &event, 1, 1000000) >= 0);
        got = n->ops->accept(n, h, peer, own);
    }
    n->ops->unwatch(n, h);
    return got;
}

/* Everywhere means both families, one address means that address. */
static void test_listen(void **state)
{
    static const struct {
        struct net_address at;
        bool any;
        struct net_address to;
        bool answers;
    } rows[] = {
        {{.port = 0},              true,  {.ip = V4(127, 0, 0, 1)}, true },
        {{.port = 0},              true,  {.ip = {[15] = 1}},       true },
        {{.ip = V4(127, 0, 0, 1)}, false, {.ip = V4(127, 0, 0, 1)}, true },
        {{.ip = V4(127, 0, 0, 1)}, false, {.ip = V4(127, 0, 0, 2)}, false},
        {{.ip = {[15] = 1}},       false, {.ip = {[15] = 1}},       true },
        {{.ip = {[15] = 1}},       false, {.ip = V4(127, 0, 0, 1)}, false},
    };
    struct net *n = net_real_new();

    (void)state;
    CHECK_ROWS (i, rows) {
        struct net_address own, peer, to = rows[i].to, client;
        int listener = n->ops->listen(n, &rows[i].at, rows[i].any, 8);
        if (listener == -EAFNOSUPPORT || listener == -EADDRNOTAVAIL)
            continue; /* a machine without IPv6 */
        check(listener >= 0);
        check_int(n->ops->own_address(n, listener, &own), 0);
        to.port = own.port;
        int h = n->ops->connect(n, &to, NULL);
        if (h == -EAFNOSUPPORT || h == -EADDRNOTAVAIL) {
            n->ops->close(n, listener);
            continue;
        }
        if (h >= 0 && rows[i].answers) {
            int got = accept_soon(n, listener, &peer, &own);
            check(got >= 0);
            check(memcmp(own.ip, to.ip, 16) == 0 && own.port == to.port);
            check_int(n->ops->own_address(n, h, &client), 0);
            check(memcmp(&peer, &client, sizeof(peer)) == 0);
            check_int(n->ops->connect_result(n, h), 0);
            n->ops->close(n, got);
        } else if (h >= 0) {
            check(n->ops->connect_result(n, h) == -ECONNREFUSED);
        }
        if (h >= 0)
            n->ops->close(n, h);
        n->ops->close(n, listener);
    }
    n->ops->free(n);
}

struct counted {
    struct listener listener;
    struct net *net;
    unsigned accepted;
};

static void on_accept(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own)
{
    struct counted *c = LIST_ENTRY(l, struct counted, listener);

    (void)peer;
    (void)own;
    c->accepted++;
    c->net->ops->close(c->net, handle);
}

static void count_failure(void *ctx, int code, const char *operation, struct slice name)
{
    (void)operation;
    (void)name;
    assert_int_equal(code, -EMFILE);
    ++*(unsigned *)ctx;
}

/* Without a descriptor to accept with: told once, no spinning, and later it goes on. */
static void test_no_descriptors(void **state)
{
    static const struct net_address at = {.ip = V4(127, 0, 0, 1)};
    struct counted c = {.net = net_real_new()};
    struct loop *loop = loop_new(c.net, clock_real());
    struct net_address own;
    struct rlimit before, none;
    unsigned told = 0;

    (void)state;
    int listener = c.net->ops->listen(c.net, &at, false, 8);
    assert_true(listener >= 0);
    assert_int_equal(listener_open(&c.listener, loop, listener, on_accept), 0);
    assert_int_equal(c.net->ops->own_address(c.net, listener, &own), 0);
    int h = c.net->ops->connect(c.net, &own, NULL);
    assert_true(h >= 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){(rlim_t)h + 1, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    fail_set_sink(count_failure, &told);
    for (int i = 0; i < 1000 && told == 0; i++)
        assert_int_equal(loop_round(loop, false), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(loop_round(loop, false), 0);
    fail_set_sink(NULL, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(told, 1);
    assert_int_equal(c.accepted, 0);
    assert_false(c.listener.watch.watched);
    while (c.accepted == 0)
        assert_int_equal(loop_round(loop, true), 0);
    assert_int_equal(c.accepted, 1);
    c.net->ops->close(c.net, h);
    listener_close(&c.listener);
    loop_free(loop);
    c.net->ops->free(c.net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_listen),
        cmocka_unit_test(test_no_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
