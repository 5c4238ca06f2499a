/*
 * mime_convert.h - a message in a form that the next hop or a mailbox can take. RFC 3030 3, RFC
 * 6152 3, RFC 2045 6.
 *
 * A stream: pieces in, pieces out, in bounded memory; any chunking of the input gives the same
 * output. Only leaves that do not fit get another transfer encoding, and their headers say so;
 * labels that are true no longer go, header lines that are too long are folded. All else passes
 * byte for byte.
 */
#ifndef WIRE_MIME_CONVERT_H
#define WIRE_MIME_CONVERT_H

#include "wire/mime_survey.h"
#include "wire/transfer_encoder.h"

/* The most that `out` ever holds: a header is written whole. */
enum { MIME_CONVERT_OUT_MAX = MIME_HEADER_MAX + 256 * 1024 };

struct mime_convert {
    struct mime walk;
    enum mime_goal goal;
    const struct mime_survey *survey;
    size_t headers; /* so far */
    struct transfer_encoder encoder;
    bool over;
};

/* The survey is of the same message, has ended, and lives as long; mime_facts_can_fit() the goal.
 */
void mime_convert_init(struct mime_convert *c, enum mime_goal goal,
                       const struct mime_survey *survey);
void mime_convert_done(struct mime_convert *c);

/* Eats of `in`, appends to `out`, until the input is used up or `out` has too little room. */
void mime_convert_step(struct mime_convert *c, struct cursor *in, struct buf *out);

/* The input is at its end: call until it returns true, emptying `out` between. */
bool mime_convert_end(struct mime_convert *c, struct buf *out);

#endif
