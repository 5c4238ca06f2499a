/*
 * transcript.h - the dialog of a session for people.
 *
 *     -> RCPT TO:<bob@example.org>
 *     <- 250 2.1.5 Ok
 *     <** 550 5.1.1 No such user
 *     -> (1234 bytes of message)
 *
 * Every line is escaped with log_escape() and cut. Lines that carry a password are never given
 * to it. The owner takes `text` and clears it as often as it likes; what does not fit is
 * counted as lost, never an error.
 */
#ifndef SMTP_TRANSCRIPT_H
#define SMTP_TRANSCRIPT_H

#include "base/buf.h"

#include <stdint.h>

enum transcript_detail {
    TRANSCRIPT_REFUSALS, /* 4xx and 5xx replies only */
    TRANSCRIPT_ALL,
};

struct transcript {
    enum transcript_detail detail;
    struct buf text;
    uint64_t body_bytes; /* since the last line */
    unsigned lost;       /* lines that did not fit */
};

enum { TRANSCRIPT_LINE_MAX = 1000 };

void transcript_init(struct transcript *t, enum transcript_detail detail, size_t text_max);
void transcript_done(struct transcript *t);

/* One command, without CRLF. */
void transcript_sent(struct transcript *t, struct slice line);

/* One line of a reply, with or without its line end. */
void transcript_received(struct transcript *t, struct slice line);

/* So many bytes of the message went out; they are summed up in one line. */
void transcript_body(struct transcript *t, uint64_t bytes);

#endif
