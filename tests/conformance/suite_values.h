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

/* The value of a List- field that RFC 2369 lets through. */
bool suite_is_list_field(struct arena *arena, struct slice value);

/* {"List": [{"name", "address"}]}, of comments and URLs, or of a comment and "NO". */
bool suite_same_urls(struct arena *arena, struct slice value, const json_t *want, struct buf *read);

/* {"year", "month", ..., "tz_before_gmt", "tz_hour", "tz_minute"}, or anything else for no date. */
bool suite_same_date(struct arena *arena, struct slice value, const json_t *want, struct buf *read);

/* {"c_type", "c_subtype", "attributes"}, or anything else for no type. */
bool suite_same_type(struct arena *arena, struct slice value, const json_t *want, struct buf *read);

/* {"from", "from_ip", "from_iprev", "by", "for_", "with", "via", "id", "helo", "ident",
 * "tls_version", "tls_cipher", "date"}; "helo_cmd" is not compared: nothing here tells HELO from
 * EHLO. */
bool suite_same_hop(struct arena *arena, struct slice value, const json_t *want, struct buf *read);

/* ["phrase"] */
bool suite_same_phrases(struct arena *arena, struct slice value, const json_t *want,
                        struct buf *read);

/* ["id"], or anything else for none. */
bool suite_same_ids(struct arena *arena, struct slice value, const json_t *want, struct buf *read);

#endif
