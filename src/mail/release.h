/*
 * release.h - mail that is to go later: FUTURERELEASE, RFC 4865.
 *
 * HOLDFOR counts from the arrival, HOLDUNTIL names a time by the clock on the wall. Pure; who waits
 * is the queue (queue_hold_ms). What counts from the arrival elsewhere, the time after which mail
 * is given up and the age in reports of a delay, counts from the release for mail that was held.
 */
#ifndef MAIL_RELEASE_H
#define MAIL_RELEASE_H

#include "mail/envelope.h"

/* So long at most: it is kept on our disk. */
enum { HOLD_MAX_S = 60 * 24 * 3600 };

/* Nine digits, of any server. */
enum { HOLD_FOR_MAX_S = 999999999 };

bool release_is_later(const struct envelope_wishes *w);

/* By the clock on the wall, microseconds; the arrival where nothing was said. */
uint64_t release_us(const struct envelope *e);

/* BY= counts from the arrival (RFC 2852 4): what is left of it when the message is released. */
int64_t release_by_s(const struct envelope *e);

/* "for;3600", "until;2026-11-22T02:14:22Z", as a report names it; nothing where nothing was said.
 * RFC 4865 5. */
bool release_write_request(struct buf *out, const struct envelope_wishes *w);

#endif
