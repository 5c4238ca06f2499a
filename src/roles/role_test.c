/*
 * role_test.c - how a role tells: its warden and its scribe are the bare other ends of two pairs.
 */
#include "roles/role.h"

#include "check.h"

#include <errno.h>
#include <string.h>

struct setup {
    struct role_doors doors;
    struct role role;
    int warden; /* our end of the channel */
    int scribe; /* the same; -1: no scribe was handed over */
};

/* What the scribe got. */
struct told {
    unsigned warnings;
    unsigned failures;
    unsigned marks;
    uint64_t lost; /* the sum of all marks */
    uint64_t code; /* of the last failure */
};

static void nothing(struct role *r)
{
    (void)r;
}

static const struct role_calls calls = {.before_sleep = nothing, .done = nothing};

static struct worker *threads_new(const struct role_doors *doors, unsigned threads,
                                  void (*wake)(void *ctx), void *ctx)
{
    (void)doors;
    return worker_new(threads, wake, ctx);
}

static void setup_init(struct setup *s, unsigned threads)
{
    int pair[2];

    *s = (struct setup){
        .doors = {.clock = clock_real(), .net = net_real_new(), .worker_new = threads_new},
        .scribe = -1,
    };
    assert_int_equal(s->doors.net->ops->pair(s->doors.net, pair), 0);
    s->warden = pair[1];
    role_init(&s->role, ROLE_COURIER, 0, &s->doors, &calls, threads, pair[0]);
}

static void scribe_close(struct setup *s)
{
    if (s->scribe >= 0)
        s->doors.net->ops->close(s->doors.net, s->scribe);
    s->scribe = -1;
}

static void setup_free_net(struct setup *s)
{
    scribe_close(s);
    s->doors.net->ops->close(s->doors.net, s->warden);
    s->doors.net->ops->free(s->doors.net);
}

static void round_once(struct setup *s)
{
    assert_int_equal(loop_round(s->role.loop, false), 0);
}

static void scribe_comes(struct setup *s)
{
    struct net *net = s->doors.net;
    struct buf message;
    int pair[2];

    buf_init(&message, 16);
    assert_true(put_u16(&message, MESSAGE_PEER) && put_u8(&message, ROLE_SCRIBE) &&
                put_u32(&message, 0));
    assert_int_equal(net->ops->pair(net, pair), 0);
    assert_true(net->ops->send(net, s->warden, buf_slice(&message), NULL, pair[0]) > 0);
    net->ops->close(net, pair[0]);
    buf_done(&message);
    s->scribe = pair[1];
    round_once(s);
    assert_true(channel_is_open(&s->role.scribe));
}

static void count(struct told *t, const struct event *e)
{
    t->warnings += e->kind == EVENT_WARNING;
    t->failures += e->kind == EVENT_FAILURE;
    t->marks += e->kind == EVENT_LOST;
    if (e->kind == EVENT_LOST)
        t->lost += e->number[FIELD_COUNT];
    if (e->kind == EVENT_FAILURE)
        t->code = e->number[FIELD_CODE];
}

static struct told scribe_read(struct setup *s)
{
    static char bytes[CHANNEL_MESSAGE_MAX];
    struct net *net = s->doors.net;
    struct disk_file *file = NULL;
    struct told t = {0};
    int handle = -1;
    int64_t got;

    while ((got = net->ops->receive(net, s->scribe, bytes, sizeof(bytes), &file, &handle)) > 0) {
        struct cursor c = {
            {bytes, (size_t)got}
        };
        struct event e;
        uint16_t kind;
        assert_true(get_u16(&c, &kind));
        assert_int_equal(kind, MESSAGE_EVENTS);
        while (!cursor_at_end(&c)) {
            assert_true(event_parse(&c, &e));
            count(&t, &e);
        }
    }
    return t;
}

static void warn(struct setup *s)
{
    role_warn(&s->role, SLICE("qmgr"), SLICE("something"));
}

/* A mark that told of three lost events is lost itself: four are missing, not two. */
static void test_lost_mark(void **state)
{
    struct setup s;

    (void)state;
    setup_init(&s, 0);
    for (int i = 0; i < 3; i++)
        warn(&s);
    round_once(&s);
    scribe_comes(&s);
    warn(&s);
    scribe_close(&s);
    round_once(&s);
    scribe_comes(&s);
    warn(&s);
    round_once(&s);
    struct told t = scribe_read(&s);
    assert_int_equal(t.warnings, 1);
    assert_int_equal(t.marks, 1);
    assert_int_equal(t.lost, 4);
    warn(&s);
    round_once(&s);
    t = scribe_read(&s);
    assert_int_equal(t.warnings, 1);
    assert_int_equal(t.marks, 0);
    role_done(&s.role);
    setup_free_net(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
