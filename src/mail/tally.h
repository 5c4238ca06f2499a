/*
 * tally.h - how often did somebody do something lately? Counted by all receivers together.
 *
 * One table of fixed size in memory that they share (base/shared), without locks: of each name
 * every receiver has a column of its own, in which it alone writes, and the sums are compared with
 * a rate. Two that count at the same moment may both be let through: a limit is exceeded by at most
 * one for each receiver. Counts outlive the receiver that made them: a crash gives nobody a new
 * hour.
 *
 * A rate of 500/h is looked at through a window that slides: what was counted in the hour before
 * this one counts by the part of it that is less than an hour ago.
 *
 * Pure: time comes in. What stands in the memory is believed by nobody further than as a count.
 * When more names than fit are counted, the one with the least is forgotten.
 */
#ifndef MAIL_TALLY_H
#define MAIL_TALLY_H

#include "base/slice.h"
#include "mail/schedule.h"

struct tally_memory;

enum { TALLY_COLUMNS_MAX = 64 };

/* Bytes of the memory for so many receivers, at most TALLY_COLUMNS_MAX. */
size_t tally_size(unsigned columns);

/* Zeroed memory becomes an empty table. Once, before anybody else has it. */
void tally_init(void *memory, const uint64_t seed[2]);

/* A receiver's view. */
struct tally {
    struct tally_memory *memory;
    unsigned columns, column;
};

struct tally tally_view(void *memory, unsigned columns, unsigned column);

enum tally_verdict {
    TALLY_COUNTED,
    TALLY_TOO_MANY,       /* not counted */
    TALLY_TOO_MANY_FIRST, /* the same, and nobody was told so in this window: once for all receivers
                           */
};

/* One more by that name. rate.count > 0. */
enum tally_verdict tally_count(struct tally *t, struct slice name, struct rate rate,
                               uint64_t now_ms);

#endif
