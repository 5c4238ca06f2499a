/*
 * fetch.c - the table is a list of rows, of which the last that fits counts; answers are made when
 * asked, told by a timer.
 */
#include "fakes/fetch.h"

#include "base/arena.h"
#include "base/list.h"
#include "base/memory.h"

struct page {
    struct list link;
    struct slice host, path, asked;
    unsigned status;
    struct slice body;
};

struct fake_web {
    struct fetcher fetcher;
    struct loop *loop;
    struct random *random;
    struct fake_web_options options;
    struct arena arena;
    struct list pages; /* the newest first */
    struct list running;
    unsigned asked;
};

struct fake_fetch {
    struct list link;
    struct fake_web *web;
    struct fetch_request *request;
    struct timer timer;
    struct fetch_answer answer;
};

static struct fake_web *web_of(struct fetcher *f)
{
    return LIST_ENTRY(f, struct fake_web, fetcher);
}

void fake_web_page(struct fake_web *w, struct slice host, struct slice path, struct slice asked,
                   unsigned status, struct slice body)
{
    struct page *p = ARENA_NEW(&w->arena, struct page);

    p->host = arena_copy(&w->arena, host);
    p->path = arena_copy(&w->arena, path);
    p->asked = arena_copy(&w->arena, asked);
    p->status = status;
    p->body = arena_copy(&w->arena, body);
    list_init(&p->link);
    list_prepend(&w->pages, &p->link);
}

unsigned fake_web_asked(const struct fake_web *w)
{
    return w->asked;
}

/* ---- answers ---- */

static struct fetch_answer failed(struct slice why)
{
    return (struct fetch_answer){.outcome = FETCH_FAILED, .why = why};
}

static bool fits(const struct page *p, const struct fetch_request *r)
{
    return slice_equal_nocase(p->host, r->host) && slice_equal(p->path, r->path) &&
           (p->asked.len == 0 || (r->body != NULL && slice_equal(p->asked, *r->body)));
}

static struct fetch_answer answer(const struct fake_web *w, const struct fetch_request *r)
{
    struct slice fault = fetch_fault(r);

    if (fault.len > 0)
        return failed(fault);
    LIST_EACH (node, &w->pages) {
        const struct page *p = LIST_ENTRY(node, struct page, link);

        if (fits(p, r))
            return p->body.len > FETCH_BODY_MAX
                       ? failed(SLICE("the answer is too long"))
                       : (struct fetch_answer){.status = p->status, .body = p->body};
    }
    return failed(SLICE("connection refused"));
}

static void tell(struct timer *timer)
{
    struct fake_fetch *t = LIST_ENTRY(timer, struct fake_fetch, timer);
    struct fetch_request *r = t->request;

    list_remove(&t->link);
    r->running = NULL;
    r->answer = &t->answer;
    r->done(r);
    memory_free(t);
}

/* ---- the door's calls ---- */

static void fake_start(struct fetcher *fetcher, struct fetch_request *r)
{
    struct fake_web *w = web_of(fetcher);
    struct fake_fetch *t = MEMORY_NEW(struct fake_fetch);
    uint64_t delay_ms = random_below(w->random, (uint64_t)w->options.delay_max_ms + 1);
    bool calm = w->options.calm != NULL && *w->options.calm;

    w->asked++;
    t->web = w;
    t->request = r;
    t->answer = answer(w, r);
    if (random_below(w->random, 1000000) < w->options.faults_per_million && !calm) {
        t->answer = failed(SLICE("as chance will have it"));
        if (random_below(w->random, 2) == 0)
            delay_ms = r->limit_ms != 0 ? r->limit_ms : (uint64_t)FETCH_LIMIT_MS;
    }
    r->running = t;
    list_init(&t->link);
    list_append(&w->running, &t->link);
    timer_init(&t->timer, tell);
    timer_set(w->loop, &t->timer, delay_ms);
}

static void fake_cancel(struct fetcher *fetcher, struct fetch_request *r)
{
    struct fake_fetch *t = r->running;

    r->running = NULL;
    list_remove(&t->link);
    timer_cancel(web_of(fetcher)->loop, &t->timer);
    memory_free(t);
}

static void fake_free(struct fetcher *fetcher)
{
    struct fake_web *w = web_of(fetcher);

    LIST_EACH (node, &w->running)
        fake_cancel(fetcher, LIST_ENTRY(node, struct fake_fetch, link)->request);
    arena_done(&w->arena);
    memory_free(w);
}

struct fetcher *fake_web_fetcher(struct fake_web *w)
{
    return &w->fetcher;
}

struct fake_web *fake_web_new(struct loop *loop, struct random *random,
                              const struct fake_web_options *options)
{
    struct fake_web *w = MEMORY_NEW(struct fake_web);

    w->fetcher = (struct fetcher){fake_start, fake_cancel, fake_free};
    w->loop = loop;
    w->random = random;
    w->options = *options;
    list_init(&w->pages);
    list_init(&w->running);
    return w;
}
