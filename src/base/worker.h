/*
 * worker.h - the door to threads: blocking calls off the loop.
 *
 * A job is embedded in its owner and must stay valid until `done` was called for the last time.
 * `run` works on a thread; while it returns WORKER_AGAIN it is called again at once, without
 * asking the loop (a sync that starts the next sync). After each `run`, `done` is called on the
 * loop's side, from worker_collect(); several runs may be told by one `done`.
 *
 * Data shared between `run` and the loop must be atomic or untouched while the job is busy.
 * The fake (tests/fakes/worker.c) runs jobs in an order drawn from the seed.
 */
#ifndef BASE_WORKER_H
#define BASE_WORKER_H

#include "base/list.h"

enum worker_next { WORKER_IDLE, WORKER_AGAIN };

struct worker_job {
    enum worker_next (*run)(struct worker_job *job); /* on a thread */
    void (*done)(struct worker_job *job);            /* on the loop */
    /* the rest is the worker's */
    struct list link;
    struct list told;
    bool busy;  /* queued or running */
    bool rerun; /* submitted again while busy */
};

struct worker {
    void (*submit)(struct worker *w, struct worker_job *job);
    void (*collect)(struct worker *w);
    void (*forget)(struct worker *w, struct worker_job *job);
    void (*free)(struct worker *w);
};

/* `threads` threads; `wake` is called from them when something waits for worker_collect(). NULL
 * when the system has not so many. */
struct worker *worker_new(unsigned threads, void (*wake)(void *ctx), void *ctx);

/* Waits for running jobs, drops queued ones. Nobody may call worker_forget() any more. */
void worker_free(struct worker *w);

void worker_job_init(struct worker_job *job, enum worker_next (*run)(struct worker_job *),
                     void (*done)(struct worker_job *));

/* Submitting a job that is busy makes it run once more afterwards. */
void worker_submit(struct worker *w, struct worker_job *job);

/* Waits until the job rests; no `done` follows. Before its owner is freed. */
void worker_forget(struct worker *w, struct worker_job *job);

/* Calls `done` of every job that ran since the last call. Only from the loop's thread. */
void worker_collect(struct worker *w);

#endif
