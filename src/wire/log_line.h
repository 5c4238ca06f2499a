/*
 * log_line.h - one event -> one Postfix-style log line.
 *
 * The tag is `postroad/smtpd[pid]:`, fields and order are Postfix's, so that pflogsumm and
 * fail2ban read it. This is the one place where raw bytes become log text:
 * controls, DEL, C1, bidi controls, broken UTF-8 and the backslash itself are escaped as \xHH,
 * and so is a bracket inside a value that stands in brackets; long values are cut ("...").
 * A line never holds a byte that did not pass here.
 */
#ifndef WIRE_LOG_LINE_H
#define WIRE_LOG_LINE_H

#include "base/event.h"

/* "Nov 22 02:14:22 mx1 postroad/smtpd[123]: ..." and LF. False, and out unchanged, when it
 * does not fit. A field that the event lacks is left out. */
bool log_line_write(struct buf *out, const struct event *e, struct slice host, int utc_offset_min);

/* Escapes one value as log lines do; at most max bytes of it, then "...". Also for transcripts.
 * False, and out unchanged, when it does not fit. */
bool log_escape(struct buf *out, struct slice value, size_t max);

#endif
