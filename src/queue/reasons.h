/*
 * reasons.h - why mail waits, each text once.
 *
 * A hundred thousand messages that wait for one dead server share its reason, so that a person can
 * ask for it without a price in memory. The number of different texts is bounded: behind that the
 * log knows more.
 */
#ifndef QUEUE_REASONS_H
#define QUEUE_REASONS_H

#include "base/map.h"

enum { REASONS_MAX = 4096 };

struct reason;

struct reasons {
    struct map texts;
    size_t count;
};

void reasons_init(struct reasons *all, const uint64_t seed[2]);
void reasons_done(struct reasons *all); /* every one was dropped */

/* Copied; the caller's until reason_drop(). NULL: no text, or too many different ones. */
struct reason *reasons_take(struct reasons *all, struct slice text);
void reason_drop(struct reason *r); /* NULL is fine */

struct slice reason_text(const struct reason *r); /* "" of NULL */

#endif
