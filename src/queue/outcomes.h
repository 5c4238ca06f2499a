/*
 * outcomes.h - the courier's own journal: what became of each recipient.
 *
 * Lives in spool/out. A segment of it is removed only when every segment that its outcomes speak
 * of is gone for good: an outcome that vanished before its message would make the message come
 * back. Messages that were carried forward lie in it too (queue/carry): it holds their bytes and
 * knows who was found; the messages themselves are arrivals'.
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
void outcomes_close(struct outcomes *o); /* after every entry was freed */

/* A message that an earlier life carried into this journal; in the order of the journal. */
struct carried {
    struct list link;
    uint64_t id;
    uint32_t receiver; /* where it lay before: format.h */
    uint64_t segment;
    uint64_t at_segment; /* and where it lies */
    uint64_t at_generation;
    uint64_t at_offset;
    uint64_t size;
    enum body_place place;
    uint32_t rcpt_count;
    struct rcpt_rest *rcpts; /* owned */
};

/* The first that was found, to be given to outcomes_carried_free(); NULL: no more. */
struct carried *outcomes_take_carried(struct outcomes *o);
void outcomes_carried_free(struct carried *c);

/* A message lives in this own segment, or does no longer. While one does, or did, it is not
 * removed here: the owner of the messages does that when outcomes_are_over(), and says so. */
void outcomes_hold(struct outcomes *o, uint64_t segment);
void outcomes_release(struct outcomes *o, uint64_t segment);
bool outcomes_are_over(const struct outcomes *o, uint64_t segment);
void outcomes_forget(struct outcomes *o, uint64_t segment);

/* Nothing else keeps this finished own segment but the messages that live in it. */
bool outcomes_only_hold_mail(const struct outcomes *o, uint64_t segment);

/* The segment that is written to: older ones are finished. */
uint64_t outcomes_segment(const struct outcomes *o);

/* Writes a RECORD_CARRIED; the parts stay until outcomes_next_carried() returns the ticket. */
void outcomes_carry(struct outcomes *o, struct ticket *t, uint64_t id, const struct slice *parts,
                    unsigned part_count);
struct ticket *outcomes_next_carried(struct outcomes *o); /* NULL: no more for now */

/* What the segment with these refs holds moved into that own segment, which must outlive it. */
void outcomes_follow(struct outcomes *o, uint64_t segment, struct list *refs);

/* Closes the recipients that have an outcome from an earlier life, and writes these outcomes anew,
 * as outcome_add() does, for the place where the message lies now. Gives the others back the time
 * of their next attempt. `refs` is the list of that segment which remembers which outcome segments
 * speak of it. */
void outcomes_apply(struct outcomes *o, struct queue_entry *e, uint32_t receiver, uint64_t segment,
                    struct list *refs);

/* Forgets outcomes of earlier lives about messages that can no longer come. */
void outcomes_settle(struct outcomes *o,
                     bool (*may_come)(void *ctx, uint64_t id, uint32_t receiver, uint64_t segment),
                     void *ctx);

/* The segment with these refs is gone, durably. */
void outcomes_unref(struct list *refs);

/* e->unsynced counts it until outcomes_next_durable() returns e for it. */
void outcome_add(struct outcomes *o, struct queue_entry *e, struct list *refs,
                 const struct outcome_record *record);

/* The same for a recipient whose attempt failed; its entry says the rest. */
void outcome_defer(struct outcomes *o, struct queue_entry *e, uint32_t receiver, uint64_t segment,
                   struct list *refs, uint32_t rcpt);

/* The one that all deferrals share whose reason is this text; the caller's to drop. NULL: too many
 * different ones. */
struct reason *outcomes_reason(struct outcomes *o, struct slice text);

/* Everything that was added and deferred before the mark was taken is durable. */
uint64_t outcomes_mark(const struct outcomes *o);
bool outcomes_reached(const struct outcomes *o, uint64_t mark);

void outcomes_flush(struct outcomes *o);
bool outcomes_wants_sync(const struct outcomes *o);
void outcomes_sync(struct outcomes *o);
struct queue_entry *outcomes_next_durable(struct outcomes *o); /* NULL: no more for now */
int outcomes_broken(const struct outcomes *o);
bool outcomes_busy(const struct outcomes *o);

/* Unlinks own segments that nothing needs any more. After outcomes_next_durable() said NULL. */
void outcomes_free_segments(struct outcomes *o);

#endif
