/*
 * events.h - our loop as libunbound wants to see one: struct ub_event_base of unbound-event.h.
 */
#ifndef DNS_EVENTS_H
#define DNS_EVENTS_H

#include "loop/loop.h"

#include <sys/time.h>
#include <unbound.h>

#include <unbound-event.h>

struct events {
    struct ub_event_base base; /* given to ub_ctx_create_ub_event(); must outlive the context */
    struct loop *loop;
};

void events_init(struct events *e, struct loop *loop);

#endif
