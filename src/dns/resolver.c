/*
 * resolver.c - what is the same for every resolver behind the door.
 */
#include "dns/resolver.h"

#include <assert.h>

void resolver_ask(struct resolver *resolver, struct resolver_request *r)
{
    assert(r->running == NULL && r->done != NULL);
    r->answer = NULL;
    resolver->ask(resolver, r);
}

void resolver_cancel(struct resolver *resolver, struct resolver_request *r)
{
    if (r->running != NULL)
        resolver->cancel(resolver, r);
}

void resolver_free(struct resolver *resolver)
{
    if (resolver != NULL)
        resolver->free(resolver);
}
