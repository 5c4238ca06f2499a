/*
 * way.h - where a recipient's mail goes now: what the rules say of it once more.
 *
 * For the courier at each attempt, and for people who ask what the next one will do.
 */
#ifndef ROLES_WAY_H
#define ROLES_WAY_H

#include "mail/envelope.h"
#include "mail/rules.h"

/* Borrows from rules, envelope and arena. */
struct decision way_of(const struct rules *rules, const struct envelope *e, unsigned rcpt,
                       struct arena *arena);

#endif
