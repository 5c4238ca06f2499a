/*
 * bad_addresses.h - addresses that behave badly on purpose, at any domain: for programs that send
 * mail, and must cope. `listen ... { faults yes }`, as in `postroad dev`.
 *
 *     refuse@           550, as for an unknown user
 *     defer@            450, always
 *     greylist@         450 to a sender's first attempt; 250 from BAD_GREY_S seconds later on
 *     delay-30s@        RCPT is answered 30 seconds later; 1 to BAD_DELAY_MAX_S
 *     drop-after-data@  the connection breaks when the message is whole; it is not kept
 */
#ifndef ROLES_BAD_ADDRESSES_H
#define ROLES_BAD_ADDRESSES_H

#include "base/clock.h"
#include "base/random.h"
#include "mail/envelope.h"
#include "wire/smtp_reply.h"

enum { BAD_GREY_S = 5, BAD_GREY_MAX = 1000, BAD_DELAY_MAX_S = 600 };

/* Who was greylisted. One for each receiver. */
struct bad_addresses;

struct bad_addresses *bad_addresses_new(struct clock *clock, struct random *random);
void bad_addresses_free(struct bad_addresses *b); /* NULL is fine */

struct bad_manners {
    struct reply refusal; /* code 0: none */
    unsigned delay_s;     /* before the answer to RCPT */
};

/* The refusal lives in the arena. */
struct bad_manners bad_addresses_at_rcpt(struct bad_addresses *b, struct slice client,
                                         const struct address *sender, const struct address *rcpt,
                                         struct arena *arena);

/* Does a recipient want the connection to break instead of an answer to the message? */
bool bad_addresses_drop(const struct envelope *e);

#endif
