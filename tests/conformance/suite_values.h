/*
 * suite_values.h - values of header fields as mail-parser writes them down in JSON, against what
 * we read.
 *
 * Each appends what we read to *read, for a message, and says whether it is what is wanted.
 */
#ifndef TESTS_CONFORMANCE_SUITE_VALUES_H
#define TESTS_CONFORMANCE_SUITE_VALUES_H

#include "base/arena.h"
#include "base/buf.h"

#include <jansson.h>

enum { SUITE_READ_MAX = 1 << 16 };

/* {"List": [{"name", "address"}]} or {"Group": [{"name", "addresses"}]} */
bool suite_same_addresses(struct arena *arena, struct slice value, const json_t *want,
                          struct buf *read);

/* {"year", "month", ..., "tz_before_gmt", "tz_hour", "tz_minute"}, or anything else for no date. */
bool suite_same_date(struct arena *arena, struct slice value, const json_t *want, struct buf *read);

/* {"c_type", "c_subtype", "attributes"}, or anything else for no type. */
bool suite_same_type(struct arena *arena, struct slice value, const json_t *want, struct buf *read);

/* ["id"], or anything else for none. */
bool suite_same_ids(struct arena *arena, struct slice value, const json_t *want, struct buf *read);

#endif
