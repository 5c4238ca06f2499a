/*
 * worker.h - threads that run when the test says so.
 *
 * Jobs wait until fake_worker_step() runs one of them, drawn by chance. A job that says AGAIN
 * waits again like any other; its `done` may come before or after that, as with real threads.
 */
#ifndef FAKES_WORKER_H
#define FAKES_WORKER_H

#include "base/random.h"
#include "base/worker.h"

struct fake_worker {
    struct worker worker;
    struct list queue; /* of worker_job.link */
    struct list told;  /* of worker_job.told */
    struct random *random;
    void (*wake)(void *ctx); /* NULL: who steps it also collects */
    void *ctx;
    bool owned; /* by who calls worker_free() */
};

/* Embedded: worker_free() does nothing. */
void fake_worker_init(struct fake_worker *f, struct random *random);

/* The same for who keeps it, with a call when something waits for worker_collect(). `threads` of
 * a real one say only how much may overlap; here everything may. worker_free() frees it. */
struct fake_worker *fake_worker_new(struct random *random, void (*wake)(void *ctx), void *ctx);

/* Something waits to be run. */
bool fake_worker_has_work(const struct fake_worker *f);

/* Runs one waiting job, once. False when none waits. */
bool fake_worker_step(struct fake_worker *f);

/* Something waits for worker_collect(). */
bool fake_worker_wakes(const struct fake_worker *f);

#endif
