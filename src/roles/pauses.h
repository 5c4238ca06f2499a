/*
 * pauses.h - domains to which nothing is sent for a while, because a person said so.
 *
 * Due recipients of such a domain wait in the pause's own lane, wherever their mail would go: to
 * another server or into a mailbox. They are due again when the pause is over. Pauses are durable
 * before they are confirmed; their ends are told by the clock on the wall, since a restart does not
 * prolong them. What is under way when one begins still ends.
 */
#ifndef ROLES_PAUSES_H
#define ROLES_PAUSES_H

#include "queue/queue.h"

enum { PAUSES_MAX = 100 };

struct role;
struct pauses;

struct pause {
    struct slice domain; /* as A-labels, lower case */
    uint64_t until_s;    /* on the wall; 0: until a person ends it */
    size_t waiting;      /* messages */
};

/* Reads those of earlier lives. `spool` is borrowed. */
struct pauses *pauses_new(struct role *role, struct queue *queue, struct disk_dir *spool);
void pauses_free(struct pauses *all); /* before queue_close(); NULL is fine */

/* Of a claimed message, due recipients whose domain is paused go to wait. True: a due one is
 * left. */
bool pauses_take(struct pauses *all, struct queue_message *m);

/* Is it paused? */
bool pauses_has(const struct pauses *all, struct slice domain, struct arena *scratch,
                struct pause *out);

/* In the order in which they began; false: there is none with that number. */
bool pauses_at(const struct pauses *all, size_t number, struct pause *out);

/* For so long (0: until it is ended), or anew. -EINVAL: that is no domain. -ENOSPC: there are
 * PAUSES_MAX. Else 0, or what the disk said (told): then it is as before. Blocks for a sync, since
 * people are slow. */
int pauses_begin(struct pauses *all, struct slice domain, uint64_t for_s, struct arena *scratch);

/* -ENOENT: it is not paused. *out is how it was; the domain in the arena. */
int pauses_end(struct pauses *all, struct slice domain, struct arena *scratch, struct pause *out);

#endif
