/*
 * inquiry.h - `users ask`: the next hop is asked by RCPT whether it knows a recipient.
 *
 * MAIL FROM:<>, RCPT, QUIT; no mail is sent. What a server said of an address is remembered for an
 * hour, that it could not be asked for some seconds. Who asks the same meanwhile waits for the same
 * answer.
 */
#ifndef ROLES_INQUIRY_H
#define ROLES_INQUIRY_H

#include "roles/outbound.h"
#include "roles/question.h"

struct inquiries;

struct inquiries *inquiries_new(struct outbound *outbound);
void inquiries_free(struct inquiries *all); /* before the outbound; NULL is fine */

/* The settings change, by whose rules was asked: what is known is forgotten, and who waits hears
 * "later". */
void inquiries_forget(struct inquiries *all);

/* It waits for nothing any more. What it asked may be answered for others. */
void inquiries_receiver_ended(struct inquiries *all, unsigned receiver);

/* An answer will follow. A question that makes no sense is not answered. */
void inquiries_ask(struct inquiries *all, unsigned receiver, const struct question *q);

/* The next answer that is ready, to be sent to that receiver; its text lives until the next call.
 * Call again while true. */
bool inquiries_next(struct inquiries *all, unsigned *receiver, struct answer *out);

#endif
