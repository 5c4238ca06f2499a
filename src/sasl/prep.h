/*
 * prep.h - SASLprep: one form for names and passwords that look the same. RFC 4013, RFC 3454.
 */
#ifndef SASL_PREP_H
#define SASL_PREP_H

#include "sasl/secret.h"

enum prep_kind {
    PREP_QUERY,  /* what somebody types in: characters newer than Unicode 3.2 pass as they are */
    PREP_STORED, /* what is kept: they are refused, since later their form may be another */
};

/* False, and *out untouched: not UTF-8, longer than SASL_NAME_MAX before or after, controls or
 * other characters that are forbidden, mixed directions, or nothing is left. */
bool sasl_prep(struct slice in, enum prep_kind kind, struct secret *out);

#endif
