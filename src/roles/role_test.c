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

/* Failures wait for the scribe; what does not fit is counted. */
static void test_failures(void **state)
{
    struct setup s;

    (void)state;
    setup_init(&s, 0);
    for (int i = 0; i < ROLE_FAILURES_MAX + 5; i++)
        role_tell_failure(&s.role, -1 - i, "sync", SLICE("journal"));
    round_once(&s);
    scribe_comes(&s);
    round_once(&s);
    struct told t = scribe_read(&s);
    assert_int_equal(t.failures, ROLE_FAILURES_MAX);
    assert_int_equal(t.code, ROLE_FAILURES_MAX);
    assert_int_equal(t.lost, 5);
    role_tell_failure(&s.role, -EIO, "write", SLICE("")); /* told by the end of the role */
    role_done(&s.role);
    t = scribe_read(&s);
    assert_int_equal(t.failures, 1);
    assert_int_equal(t.code, EIO);
    assert_int_equal(t.lost, 0);
    setup_free_net(&s);
}

/* Nobody takes them: they are freed. */
static void test_failures_untold(void **state)
{
    struct setup s;

    (void)state;
    setup_init(&s, 0);
    role_tell_failure(&s.role, -EIO, "write", (struct slice){NULL, 0});
    role_done(&s.role);
    setup_free_net(&s);
}

enum { JOBS = 4, FAILURES_PER_JOB = 1000 };

struct failing {
    struct worker_job job;
    struct role *role;
    bool done;
};

static enum worker_next fail_often(struct worker_job *job)
{
    struct failing *f = LIST_ENTRY(job, struct failing, job);

    for (int i = 0; i < FAILURES_PER_JOB; i++)
        role_tell_failure(f->role, -EIO, "sync", SLICE("journal"));
    return WORKER_IDLE;
}

static void fail_done(struct worker_job *job)
{
    LIST_ENTRY(job, struct failing, job)->done = true;
}

static bool all_done(const struct failing *jobs)
{
    for (int i = 0; i < JOBS; i++)
        if (!jobs[i].done)
            return false;
    return true;
}

/* Threads tell while the loop sends: every failure is told or counted, and the last one wakes a
 * loop that sleeps. */
static void test_failures_of_threads(void **state)
{
    struct failing jobs[JOBS];
    struct told sum = {0};
    struct setup s;

    (void)state;
    setup_init(&s, JOBS);
    scribe_comes(&s);
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct failing){.role = &s.role};
        worker_job_init(&jobs[i].job, fail_often, fail_done);
        worker_submit(s.role.worker, &jobs[i].job);
    }
    while (!all_done(jobs)) {
        assert_int_equal(loop_round(s.role.loop, true), 0);
        struct told t = scribe_read(&s);
        sum.failures += t.failures;
        sum.lost += t.lost;
    }
    warn(&s); /* brings the last mark along */
    role_done(&s.role);
    struct told t = scribe_read(&s);
    assert_int_equal(sum.failures + t.failures + sum.lost + t.lost, JOBS * FAILURES_PER_JOB);
    setup_free_net(&s);
}

/* A failure told outside of a round wakes the loop. */
static void test_failure_wakes(void **state)
{
    struct setup s;

    (void)state;
    setup_init(&s, 0);
    scribe_comes(&s);
    role_tell_failure(&s.role, -EIO, "sync", SLICE("journal"));
    assert_int_equal(loop_round(s.role.loop, true), 0); /* or it sleeps for ever */
    assert_int_equal(scribe_read(&s).failures, 1);
    role_done(&s.role);
    setup_free_net(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_mark),       cmocka_unit_test(test_failures),
        cmocka_unit_test(test_failures_untold), cmocka_unit_test(test_failures_of_threads),
        cmocka_unit_test(test_failure_wakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
