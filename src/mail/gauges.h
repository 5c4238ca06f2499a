/*
 * gauges.h - how many of something does somebody have at this moment? Counted by all receivers
 * together.
 *
 * As mail/tally: a table of fixed size in memory that they share, without locks; of each name every
 * receiver has a column of its own, in which it alone writes, and the sums are compared. Two that
 * enter at the same moment may both be let in: a limit is exceeded by at most one for each
 * receiver.
 *
 * What has entered must leave. A receiver that died cannot: whoever buries it clears its column, so
 * that its connections do not count for ever. Counts are never too high otherwise; when more names
 * are counted than fit, the one with the least is forgotten and begins anew.
 *
 * Pure. What stands in the memory is believed by nobody further than as a count.
 */
#ifndef MAIL_GAUGES_H
#define MAIL_GAUGES_H

#include "base/slice.h"

#include <stdint.h>

struct gauges_memory;

/* Bytes of the memory for so many receivers, at most TALLY_COLUMNS_MAX. */
size_t gauges_size(unsigned columns);

/* Zeroed memory becomes an empty table. Once, before anybody else has it. */
void gauges_init(void *memory, const uint64_t seed[2]);

/* A receiver's view. */
struct gauges {
    struct gauges_memory *memory;
    unsigned columns, column;
};

struct gauges gauges_view(void *memory, unsigned columns, unsigned column);

/* Where one was counted; zeroed: nowhere. */
struct gauge_place {
    uint64_t tag;
    uint32_t row;
};

/* One more by that name; false: there are `max` already, and it was not counted. max 0: as many as
 * there are. */
bool gauges_enter(struct gauges *g, struct slice name, unsigned max, struct gauge_place *out);

/* It is one less, and nowhere any more. */
void gauges_leave(struct gauges *g, struct gauge_place *place);

/* How many are there by that name? 0 for who is nowhere. */
unsigned gauges_read(const struct gauges *g, const struct gauge_place *place);

/* All that this column counts, by whatever name: for tests. */
uint64_t gauges_held(const struct gauges *g);

/* The receiver of this column is dead. */
void gauges_clear(struct gauges *g);

#endif
