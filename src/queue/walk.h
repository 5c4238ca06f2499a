/*
 * walk.h - what the queue tells those who walk through it (queue.h).
 */
#ifndef QUEUE_WALK_H
#define QUEUE_WALK_H

#include "queue/arrivals.h"

/* The message is about to be moved to the end of the own journal. */
void walks_carried(struct arrivals *a, const struct queue_entry *e);

#endif
