/*
 * pkce.h - a login that only who began it can finish: RFC 7636.
 */
#ifndef CMD_PKCE_H
#define CMD_PKCE_H

#include "base/buf.h"

/* S256 of a verifier, appended. False when out is full. */
bool pkce_challenge(struct buf *out, struct slice verifier);

#endif
