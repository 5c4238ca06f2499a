/*
 * limit.h - how fast mail may go to others: what `limit to ... { ... }` says. It counts per MX
 * group and source: all domains whose mail leaves from one address for the same servers.
 *
 * config fills these structs and owns them as long as the settings live. The first limit that
 * matches a destination holds for it; one without a word of something leaves that as usual.
 */
#ifndef MAIL_LIMIT_H
#define MAIL_LIMIT_H

#include "mail/relay.h"

enum { LIMIT_CONNECTIONS_MAX = 500 };

enum limit_match {
    LIMIT_ANY,
    LIMIT_DOMAIN, /* one of the domains that are looked up by MX and lead there */
    LIMIT_MX,     /* the first host of the route */
};

struct limit {
    enum limit_match match;
    struct slice pattern; /* A-labels, lower case; "*.suffix": below it only */
    struct slice source;  /* only for what leaves from it, by name; "": from any */
    unsigned connections; /* at a time, to one destination; 0: as usual */
    struct rate rate;     /* of messages to one destination */
    unsigned line;
};

/* What is to be limited. Names as A-labels; "": there is none. */
struct limit_query {
    struct slice domain, mx;
    const struct relay *relay; /* NULL: it has no sources */
    unsigned slot;             /* of the relay's sources */
};

/* NULL: none matches. */
const struct limit *limit_find(const struct limit *limits, size_t count,
                               const struct limit_query *what);

#endif
