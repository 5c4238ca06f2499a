/*
 * drops_told.h - of what waits in the drop folder: why, as it was told last.
 *
 * A line of the log when it begins to wait, one when the reason changes, and one an hour. The
 * receiver tells it; a reason is a number here, made of its words. Of the size it has, whatever
 * anybody leaves: of too many files some are told again each time they are tried.
 */
#ifndef ROLES_DROPS_TOLD_H
#define ROLES_DROPS_TOLD_H

#include "base/slice.h"

#include <stdint.h>

struct drops_told;

struct drops_told *drops_told_new(void);
void drops_told_free(struct drops_told *t); /* NULL is fine */

/* 0: nothing was told, or too long ago. Monotonic time. */
uint32_t drops_told_of(const struct drops_told *t, struct slice name, uint64_t now_ms);
void drops_told_note(struct drops_told *t, struct slice name, uint32_t reason, uint64_t now_ms);

#endif
