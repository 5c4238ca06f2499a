/*
 * clearing.h - what nothing needs any more goes: segments, body files, drafts of the dead.
 *
 * The second half of arrivals, whose struct it works on.
 */
#ifndef QUEUE_CLEARING_H
#define QUEUE_CLEARING_H

#include "queue/arrivals.h"

void clearing_init(struct arrivals *a);
void clearing_stop(struct arrivals *a); /* waits for a sync that is under way */

/* Every outcome of the message is durable: removes its body file, frees the entry. */
void clearing_entry_done(struct arrivals *a, struct queue_entry *e);

/* Its record is not whole any more: told; its files stay, it does not. */
void clearing_entry_lost(struct arrivals *a, struct queue_entry *e);

/* It lies in its segment no longer. */
void clearing_leave(struct arrivals *a, struct queue_entry *e);

/* Removes the drafts that no message can name, once all messages are known. */
void clearing_drafts(struct arrivals *a, struct receiver_dir *r);

/* Removes segments that nothing needs. */
void clearing_segments(struct arrivals *a);

/* Its file is gone for good, or nobody looks any more. */
void clearing_free(struct mail_segment *s);

#endif
