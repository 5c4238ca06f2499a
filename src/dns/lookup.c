/*
 * lookup.c - one request for each wanted question, all at once.
 *
 * The requests lie in memory of their own: the facts' arena may well be gone when a lookup is
 * cancelled, the requests never before the resolver forgot them.
 */
#include "dns/lookup.h"

#include "base/memory.h"

#include <assert.h>

struct asked {
    struct resolver_request request;
    struct list link;
    struct lookup *lookup;
};

static void asked_free(struct asked *a)
{
    list_remove(&a->link);
    a->lookup->running--;
    memory_free(a);
}

static void on_answer(struct resolver_request *r)
{
    struct asked *a = LIST_ENTRY(r, struct asked, request);
    struct lookup *l = a->lookup;

    facts_learn(l->facts, &r->question, r->answer);
    asked_free(a);
    if (l->running == 0)
        l->done(l);
}

void lookup_start(struct lookup *l, struct resolver *resolver, struct facts *facts)
{
    struct dns_question question;

    assert(l->running == 0 && facts->wanted > 0);
    l->resolver = resolver;
    l->facts = facts;
    list_init(&l->requests);
    for (size_t at = 0; facts_next_wanted(facts, &at, &question);) {
        struct asked *a = MEMORY_NEW(struct asked);

        a->request = (struct resolver_request){.done = on_answer, .question = question};
        a->lookup = l;
        list_append(&l->requests, &a->link);
        l->running++;
        resolver_ask(resolver, &a->request);
    }
}

void lookup_cancel(struct lookup *l)
{
    if (l->running == 0)
        return;
    LIST_EACH (node, &l->requests) {
        struct asked *a = LIST_ENTRY(node, struct asked, link);

        resolver_cancel(l->resolver, &a->request);
        asked_free(a);
    }
}
