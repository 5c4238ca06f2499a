/*
 * log_line.h - one event -> one Postfix-style log line.
 *
 * PRODUCT.md "log": tag `postroad/smtpd[pid]:` and Postfix's fields and order, so that
 * pflogsumm and fail2ban read it. This is the one place where raw bytes become log text:
 * controls, DEL, C1, bidi controls and broken UTF-8 are escaped as \xHH, long values cut.
 * A line never holds a byte that did not pass here.
 */
#ifndef WIRE_LOG_LINE_H
#define WIRE_LOG_LINE_H

#include "base/event.h"

/* "Nov 22 02:14:22 mx1 postroad/smtpd[123]: ..." and LF. False when out is full. */
bool log_line_write(struct buf *out, const struct event *e, struct slice host, int utc_offset_min);

/* Escapes one value as log lines do; at most max bytes of it. Also for transcripts. */
bool log_escape(struct buf *out, struct slice value, size_t max);

#endif
