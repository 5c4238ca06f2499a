/*
 * relief.h - a receiver without room lets the others accept, as long as one of them has more.
 *
 * The kernel gives a connection to whichever receiver it likes, often to the same one. So one may
 * be full, and refuse clients or cut strangers off, while another has hardly anybody. When all are
 * equally full, all accept, and answer.
 */
#ifndef ROLES_RELIEF_H
#define ROLES_RELIEF_H

#include "mail/crowding.h"
#include "roles/entrances.h"

/* Embedded in the receiver. */
struct relief {
    struct sessions *sessions;
    struct entrances *const *now; /* the receiver's */
    enum crowding said;
    bool others_accept;
    struct timer look;
};

void relief_init(struct relief *r, struct sessions *sessions, struct entrances *const *now);

/* Before the loop sleeps, once the receiver has started. */
void relief_check(struct relief *r);

/* The entrances are other ones, or the shared memory is: nothing was said there yet. */
void relief_begin_anew(struct relief *r);

/* It accepts nobody any more. */
void relief_end(struct relief *r);

#endif
