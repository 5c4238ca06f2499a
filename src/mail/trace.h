/*
 * trace.h - the header fields a mail server adds: Received, Return-Path. RFC 5321 4.4.
 */
#ifndef MAIL_TRACE_H
#define MAIL_TRACE_H

#include "mail/envelope.h"

enum { RECEIVED_MAX = 100 }; /* RFC 5321 6.3: so many Received fields are a loop, 5.4.6 */

/* One Received field with CRLF:
 *   Received: from HELO ([192.0.2.1])
 *           (using TLSv1.3 with cipher NAME (256/256 bits))
 *           by HOSTNAME (postroad) with ESMTP id ID
 *           for <rcpt>; date
 * "using" only when TLS protected it, "for" only when there is exactly one recipient.
 * A client that is hidden is "from HOSTNAME (authenticated)", ours: RFC 5321 7.6 lets its own
 * name and address be left out. What begins on this machine has no "from": it is
 *   Received: by HOSTNAME (postroad, from userid 1000) id ID */
bool trace_received_write(struct buf *out, const struct envelope *e, struct slice hostname,
                          int utc_offset_min);

/* "Return-Path: <...>" with CRLF, added at final delivery only. */
bool trace_return_path_write(struct buf *out, const struct address *sender);

#endif
