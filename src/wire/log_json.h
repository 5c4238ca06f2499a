/*
 * log_json.h - one event -> one line of JSON, for programs that collect logs.
 *
 *     {"time": "2026-11-22T02:14:22.123456+00:00", "host": "mx1", "role": "qmgr", "pid": 123,
 *      "event": "queued", "id": "0BCD12345xyz", "from": "a@b.example", "size": 123, "nrcpt": 1}
 *
 * The same events as log_line's, and the same fields; nothing is cut that an event holds. Times
 * end in _us: microseconds. The text is ASCII (wire/json): bytes that are no UTF-8 come as U+FFFD.
 */
#ifndef WIRE_LOG_JSON_H
#define WIRE_LOG_JSON_H

#include "base/event.h"

/* With its LF. False, and out unchanged, when it does not fit. A field that the event lacks is left
 * out. */
bool log_json_write(struct buf *out, const struct event *e, struct slice host, int utc_offset_min);

#endif
