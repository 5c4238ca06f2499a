/*
 * worker.c - a few threads that run blocking calls.
 *
 * One mutex guards both lists: jobs to run and jobs whose `done` is owed. A job that says AGAIN
 * is told to the loop and runs on without giving the thread back, so that the loop's answers and
 * the next sync overlap. The loop is woken once per told job, not once per list: the wake is an
 * eventfd write, and several of them collapse into one round.
 */
#include "base/worker.h"

#include "base/memory.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>

enum { WORKER_THREADS_MAX = 64 };

struct real_worker {
    struct worker worker;
    pthread_mutex_t lock;
    pthread_cond_t work;  /* something to run, or the end */
    pthread_cond_t rests; /* a job came to rest */
    struct list queue;    /* of worker_job.link */
    struct list told;     /* of worker_job.told */
    bool ending;
    void (*wake)(void *ctx);
    void *ctx;
    unsigned thread_count;
    pthread_t threads[WORKER_THREADS_MAX];
};

static struct real_worker *real(struct worker *w)
{
    return LIST_ENTRY(w, struct real_worker, worker);
}

/* Called and left with the lock held. */
static void run_job(struct real_worker *r, struct worker_job *job)
{
    enum worker_next next;

    do {
        job->rerun = false;
        pthread_mutex_unlock(&r->lock);
        next = job->run(job);
        pthread_mutex_lock(&r->lock);
        if (list_empty(&job->told))
            list_append(&r->told, &job->told);
        if (next == WORKER_IDLE && !job->rerun)
            job->busy = false;
        r->wake(r->ctx);
    } while (job->busy && !r->ending);
    job->busy = false;
    pthread_cond_broadcast(&r->rests);
}

static void *thread_main(void *arg)
{
    struct real_worker *r = arg;

    pthread_mutex_lock(&r->lock);
    while (!r->ending) {
        if (list_empty(&r->queue)) {
            pthread_cond_wait(&r->work, &r->lock);
            continue;
        }
        struct worker_job *job = LIST_ENTRY(r->queue.next, struct worker_job, link);
        list_remove(&job->link);
        run_job(r, job);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static void real_submit(struct worker *w, struct worker_job *job)
{
    struct real_worker *r = real(w);

    pthread_mutex_lock(&r->lock);
    if (job->busy) {
        job->rerun = true;
    } else {
        job->busy = true;
        list_append(&r->queue, &job->link);
        pthread_cond_signal(&r->work);
    }
    pthread_mutex_unlock(&r->lock);
}

static void real_collect(struct worker *w)
{
    struct real_worker *r = real(w);

    pthread_mutex_lock(&r->lock);
    while (!list_empty(&r->told)) {
        struct worker_job *job = LIST_ENTRY(r->told.next, struct worker_job, told);

        list_remove(&job->told);
        pthread_mutex_unlock(&r->lock);
        job->done(job);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
}

static void real_forget(struct worker *w, struct worker_job *job)
{
    struct real_worker *r = real(w);

    pthread_mutex_lock(&r->lock);
    if (!list_empty(&job->link)) { /* not begun: it never will */
        list_remove(&job->link);
        job->busy = false;
    }
    while (job->busy)
        pthread_cond_wait(&r->rests, &r->lock);
    list_remove(&job->told);
    pthread_mutex_unlock(&r->lock);
}

static void real_free(struct worker *w)
{
    struct real_worker *r = real(w);

    pthread_mutex_lock(&r->lock);
    r->ending = true;
    pthread_cond_broadcast(&r->work);
    pthread_mutex_unlock(&r->lock);
    for (unsigned i = 0; i < r->thread_count; i++)
        pthread_join(r->threads[i], NULL);
    pthread_cond_destroy(&r->work);
    pthread_cond_destroy(&r->rests);
    pthread_mutex_destroy(&r->lock);
    memory_free(r);
}

/* Signals belong to the loop's thread. */
static void start_thread(struct real_worker *r)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&r->threads[r->thread_count], NULL, thread_main, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0)
        r->thread_count++;
}

struct worker *worker_new(unsigned threads, void (*wake)(void *ctx), void *ctx)
{
    struct real_worker *r = MEMORY_NEW(struct real_worker);

    assert(threads > 0 && threads <= WORKER_THREADS_MAX);
    r->worker = (struct worker){real_submit, real_collect, real_forget, real_free};
    r->wake = wake;
    r->ctx = ctx;
    list_init(&r->queue);
    list_init(&r->told);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->work, NULL);
    pthread_cond_init(&r->rests, NULL);
    for (unsigned i = 0; i < threads; i++)
        start_thread(r);
    if (r->thread_count < threads) { /* with fewer, a job that runs on could keep out the others */
        real_free(&r->worker);
        return NULL;
    }
    return &r->worker;
}

void worker_free(struct worker *w)
{
    w->free(w);
}

void worker_job_init(struct worker_job *job, enum worker_next (*run)(struct worker_job *),
                     void (*done)(struct worker_job *))
{
    *job = (struct worker_job){.run = run, .done = done};
    list_init(&job->link);
    list_init(&job->told);
}

void worker_submit(struct worker *w, struct worker_job *job)
{
    w->submit(w, job);
}

void worker_collect(struct worker *w)
{
    w->collect(w);
}

void worker_forget(struct worker *w, struct worker_job *job)
{
    w->forget(w, job);
}
