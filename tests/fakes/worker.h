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
};

/* Embedded: worker_free() does nothing. */
void fake_worker_init(struct fake_worker *f, struct random *random);

/* Runs one waiting job, once. False when none waits. */
bool fake_worker_step(struct fake_worker *f);

/* Something waits for worker_collect(). */
bool fake_worker_wakes(const struct fake_worker *f);

#endif
