/*
 * local.h - mail for mailboxes: the courier's side of the postman.
 *
 * Deliveries go to the postman in batches, many in one message; the results come back the same way.
 * Only then is the mail durable in its mailbox. If the postman dies in between, the delivery is
 * repeated with the order to look first.
 */
#ifndef ROLES_LOCAL_H
#define ROLES_LOCAL_H

#include "mail/rules.h"
#include "roles/parcel.h"

struct local;

struct local *local_new(struct role *role, struct disk_dir *spool);
void local_free(struct local *l); /* before parcels_done(); NULL is fine */

/* The other end of the channel is a new postman. */
void local_meet(struct local *l, int handle);

/* There is a postman, and he is not hopelessly behind. */
bool local_has_room(const struct local *l);

/* A due recipient of the parcel, decided as DECIDE_MAILDIR; its address lives as long as the
 * message. The last one is followed by local_go(). */
void local_take(struct local *l, struct parcel *p, unsigned rcpt, const struct decision *d);
void local_go(struct local *l, struct parcel *p);

/* Once per round of the loop, before it sleeps. */
void local_flush(struct local *l);

#endif
