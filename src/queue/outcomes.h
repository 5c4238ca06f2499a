/*
 * outcomes.h - the courier's own journal: what became of each recipient.
 *
 * Lives in spool/out. A segment of it is removed only when every arrival segment that its
 * outcomes speak of is gone for good: an outcome that vanished before its message would make the
 * message come back.
 */
#ifndef QUEUE_OUTCOMES_H
#define QUEUE_OUTCOMES_H

#include "queue/format.h"
#include "queue/index.h"
#include "store/commit.h"

struct outcomes;

/* Reads what earlier lives left, then starts a new segment. Blocks. Errors are told;
 * -EPROTONOSUPPORT: written by a later version. */
int outcomes_open(const struct commit_options *options, const uint64_t seed[2],
                  struct outcomes **out);
void outcomes_close(struct outcomes *o);

/* Closes the recipients that have an outcome from an earlier life, and writes these outcomes anew,
 * as outcome_add() does. `refs` is the list of the
 * message's segment that remembers which outcome segments speak of it. */
void outcomes_apply(struct outcomes *o, struct queue_entry *e, struct list *refs);

/* Forgets outcomes of earlier lives whose arrival segment is gone. */
void outcomes_settle(struct outcomes *o,
                     bool (*exists)(void *ctx, unsigned receiver, uint64_t segment), void *ctx);

/* The arrival segment with these refs is gone, durably. */
void outcomes_unref(struct list *refs);

/* e->unsynced counts it until outcomes_next_durable() returns e for it. */
void outcome_add(struct outcomes *o, struct queue_entry *e, struct list *refs,
                 const struct outcome_record *record);

void outcomes_flush(struct outcomes *o);
bool outcomes_wants_sync(const struct outcomes *o);
void outcomes_sync(struct outcomes *o);
struct queue_entry *outcomes_next_durable(struct outcomes *o); /* NULL: no more for now */
int outcomes_broken(const struct outcomes *o);
bool outcomes_busy(const struct outcomes *o);

/* Unlinks own segments that nothing needs any more. After outcomes_next_durable() said NULL. */
void outcomes_free_segments(struct outcomes *o);

#endif
