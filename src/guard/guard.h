/*
 * guard.h - what each process may do: who it is. (What it may call and open comes here, too.)
 *
 * Every role is a user of its own, so that a captured one has the rights of a stranger. The warden
 * is root and becomes them; it looks their names up once, and hands each child the numbers. A
 * system that was not started by root, or is told not to, runs as its caller.
 */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include "base/slice.h"

#include <stdbool.h>

enum { GUARD_ROLES = 5, GUARD_TEXT_MAX = 64 };

struct guard_user {
    unsigned user;
    unsigned group;
    unsigned also; /* in this group as well; the same as `group`: in no other */
};

struct guard {
    bool separate;                        /* false: all are the caller */
    struct guard_user users[GUARD_ROLES]; /* in the order of the table */
    unsigned admin_group;                 /* may talk to the queue */
};

/* Looks everybody up. 0; -ENOENT: *missing has no entry in the machine's users and groups. */
int guard_find(struct guard *g, const char **missing);

/* Of a role by its name, which must be one. */
const struct guard_user *guard_user(const struct guard *g, const char *role);

/* For the command line of a child: what guard_enter() reads. */
void guard_write(const struct guard *g, const char *role, char out[GUARD_TEXT_MAX]);

/* In a child, before anything else: descriptors from `first_free` on are closed; then it is who
 * `who` says (NULL: the caller stays), for good, with the permissions of new files that its role
 * has. Never half: 0, or a negative errno and the process must end. */
int guard_enter(const char *role, const char *who, unsigned first_free);

/* In the warden, until guard_return(): reaches and makes files as that user does. */
void guard_borrow(const struct guard_user *user);

/* The same: what it makes is for the group of those who may talk to the queue. */
void guard_borrow_admins(const struct guard *g);
void guard_return(void);

/* In the warden, once folders and files are everybody's own: keeps the capabilities that it needs
 * from then on, and no child gets others. 0 or a negative errno. */
int guard_shrink(void);

#endif
