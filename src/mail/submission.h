/*
 * submission.h - what a mail of somebody's own program is completed with. RFC 6409 8.
 *
 * A relay changes nothing (RFC 5321 6.4); who takes a mail at its very beginning may add what is
 * missing: Date, Message-ID, From. Pure; the fields go in front of the message.
 */
#ifndef MAIL_SUBMISSION_H
#define MAIL_SUBMISSION_H

#include "mail/envelope.h"
#include "wire/header.h"

/* Appends those fields that were not `seen`. e->id and arrival_us are set. False, and out
 * unchanged, when it does not fit. */
bool submission_complete(struct buf *out, const struct header_watch *seen, const struct envelope *e,
                         struct slice hostname, int offset_min);

/* "<ID.SECONDS@HOSTNAME>", the value of a Message-ID that we give. */
struct slice submission_message_id(const struct envelope *e, struct slice hostname,
                                   struct arena *arena);

#endif
