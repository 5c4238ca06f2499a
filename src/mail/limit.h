/*
 * limit.h - how fast mail may go to others: what `limit to ... { ... }` says.
 *
 * config fills these structs and owns them as long as the settings live. The first limit that
 * matches a destination holds for it; one without a word of something leaves that as usual.
 */
#ifndef MAIL_LIMIT_H
#define MAIL_LIMIT_H

#include "base/slice.h"
#include "mail/schedule.h"

enum { LIMIT_CONNECTIONS_MAX = 500 };

enum limit_match {
    LIMIT_ANY,
    LIMIT_DOMAIN, /* the domain that is looked up by MX */
    LIMIT_MX,     /* the first host of the route */
};

struct limit {
    enum limit_match match;
    struct slice pattern; /* A-labels, lower case; "*.suffix": below it only */
    unsigned connections; /* at a time, to one destination; 0: as usual */
    struct rate rate;     /* of messages to one destination */
    unsigned line;
};

/* NULL: none matches. Names as A-labels; "": there is none. */
const struct limit *limit_find(const struct limit *limits, size_t count, struct slice domain,
                               struct slice mx);

#endif
