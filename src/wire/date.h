/*
 * date.h - RFC 5322 3.3 dates and ISO 8601 times.
 *
 * Pure calendar arithmetic on microseconds since 1970 UTC; no clock, no time zone database: the
 * caller passes the offset (base/clock knows it).
 */
#ifndef WIRE_DATE_H
#define WIRE_DATE_H

#include "base/buf.h"

#include <stdint.h>

/* "Sun, 22 Nov 2026 02:14:22 +0000" */
bool date_write_rfc5322(struct buf *out, uint64_t wall_us, int offset_min);

/* "2026-11-22T02:14:22.123456+00:00" */
bool date_write_iso(struct buf *out, uint64_t wall_us, int offset_min);

/* "2026-11-22T02:14:22Z", without what is left of the second */
bool date_write_rfc3339(struct buf *out, uint64_t wall_us);

/* "Nov 22 02:14:22", RFC 3164 4.1.2 */
bool date_write_syslog(struct buf *out, uint64_t wall_us, int offset_min);

/* Tolerant of obsolete forms and comments (RFC 5322 4.3); both are set on success only. A date
 * before 1970 is none. */
bool date_parse_rfc5322(struct slice text, uint64_t *wall_us, int *offset_min);

/* "2026-11-22T02:14:22Z", "2026-11-22T03:14:22.5+01:00": RFC 3339 5.6. Not before 1970. */
bool date_parse_iso(struct slice text, uint64_t *wall_us);

#endif
