/*
 * worker_test.c - jobs run, are told on the collector's side, and can be waited for.
 */
#include "base/worker.h"

#include "check.h"

#include <stdatomic.h>

static atomic_int woken;

struct counted {
    struct worker_job job;
    atomic_int runs;
    int told;
    int again; /* AGAIN so many times */
};

static void wake(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&woken, 1);
}

static enum worker_next run(struct worker_job *job)
{
    struct counted *c = LIST_ENTRY(job, struct counted, job);
    int runs = atomic_fetch_add(&c->runs, 1) + 1;

    return runs <= c->again ? WORKER_AGAIN : WORKER_IDLE;
}

static void done(struct worker_job *job)
{
    LIST_ENTRY(job, struct counted, job)->told++;
}

static void wait_until(struct worker *w, struct counted *c, int runs)
{
    while (atomic_load(&c->runs) < runs || c->told == 0) {
        worker_collect(w);
        usleep(100);
    }
}

static void runs_and_tells(void **state)
{
    struct worker *w = worker_new(2, wake, NULL);
    struct counted c = {.again = 3};

    (void)state;
    worker_job_init(&c.job, run, done);
    worker_submit(w, &c.job);
    wait_until(w, &c, 4);
    worker_forget(w, &c.job);
    check_int(c.runs, 4);
    check(c.told >= 1 && c.told <= 4);
    check(atomic_load(&woken) >= 1);
    worker_free(w);
}

static void a_busy_job_submitted_again_runs_again(void **state)
{
    struct worker *w = worker_new(1, wake, NULL);
    struct counted c = {.again = 0};
    int submitted = 1000;

    (void)state;
    worker_job_init(&c.job, run, done);
    for (int i = 0; i < submitted; i++)
        worker_submit(w, &c.job);
    /* However the submits collapse, one run begins after the last of them. */
    wait_until(w, &c, 1);
    worker_forget(w, &c.job);
    check(c.runs >= 1 && c.runs <= submitted);
    worker_free(w);
}

static void nothing_follows_forget(void **state)
{
    struct worker *w = worker_new(1, wake, NULL);
    struct counted c = {.again = 10};

    (void)state;
    worker_job_init(&c.job, run, done);
    worker_submit(w, &c.job);
    worker_forget(w, &c.job);
    int told = c.told;
    worker_collect(w);
    check_int(c.told, told);
    worker_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_and_tells),
        cmocka_unit_test(a_busy_job_submitted_again_runs_again),
        cmocka_unit_test(nothing_follows_forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
