/*
 * worker.c - threads that run when the test says so.
 *
 * One step is one `run` of one job, so between two runs of an AGAIN job, and between a run and
 * its `done`, the test can do anything: that is where the races of real threads live.
 */
#include "fakes/worker.h"

#include "base/memory.h"

static struct fake_worker *fake(struct worker *w)
{
    return LIST_ENTRY(w, struct fake_worker, worker);
}

static void fake_submit(struct worker *w, struct worker_job *job)
{
    if (job->busy)
        return; /* it waits already, and will see everything when it runs */
    job->busy = true;
    list_append(&fake(w)->queue, &job->link);
}

static void fake_collect(struct worker *w)
{
    struct fake_worker *f = fake(w);

    while (!list_empty(&f->told)) {
        struct worker_job *job = LIST_ENTRY(f->told.next, struct worker_job, told);

        list_remove(&job->told);
        job->done(job);
    }
}

static void fake_forget(struct worker *w, struct worker_job *job)
{
    (void)w;
    list_remove(&job->link);
    list_remove(&job->told);
    job->busy = false;
}

/* As the real one: what waits is dropped. */
static void fake_free(struct worker *w)
{
    struct fake_worker *f = fake(w);

    LIST_EACH (node, &f->queue)
        list_remove(node);
    LIST_EACH (node, &f->told)
        list_remove(node);
    if (f->owned)
        memory_free(f);
}

void fake_worker_init(struct fake_worker *f, struct random *random)
{
    *f = (struct fake_worker){
        .worker = {fake_submit, fake_collect, fake_forget, fake_free},
          .random = random
    };
    list_init(&f->queue);
    list_init(&f->told);
}

struct fake_worker *fake_worker_new(struct random *random, void (*wake)(void *ctx), void *ctx)
{
    struct fake_worker *f = MEMORY_NEW(struct fake_worker);

    fake_worker_init(f, random);
    f->wake = wake;
    f->ctx = ctx;
    f->owned = true;
    return f;
}

bool fake_worker_has_work(const struct fake_worker *f)
{
    return !list_empty(&f->queue);
}

bool fake_worker_step(struct fake_worker *f)
{
    size_t count = 0;

    LIST_EACH (node, &f->queue)
        count++;
    if (count == 0)
        return false;
    struct list *chosen = f->queue.next;
    for (uint64_t skip = random_below(f->random, count); skip > 0; skip--)
        chosen = chosen->next;

    struct worker_job *job = LIST_ENTRY(chosen, struct worker_job, link);
    list_remove(&job->link);
    bool again = job->run(job) == WORKER_AGAIN;
    if (list_empty(&job->told))
        list_append(&f->told, &job->told);
    job->busy = again;
    if (again)
        list_append(&f->queue, &job->link);
    if (f->wake != NULL)
        f->wake(f->ctx);
    return true;
}

bool fake_worker_wakes(const struct fake_worker *f)
{
    return !list_empty(&f->told);
}
