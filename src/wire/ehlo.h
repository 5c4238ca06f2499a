/*
 * ehlo.h - what a server's reply to EHLO or LHLO offers. RFC 5321 4.1.1.1, RFC 1869 4.3.
 *
 * Read tolerantly: an unknown keyword is none of our business, a parameter that cannot be read
 * counts as not given. Nothing points into the reply.
 */
#ifndef WIRE_EHLO_H
#define WIRE_EHLO_H

#include "base/slice.h"

#include <stdint.h>

/* A set of them is a sum. */
enum ehlo_keyword {
    EHLO_PIPELINING = 1 << 0,     /* RFC 2920 */
    EHLO_SIZE = 1 << 1,           /* RFC 1870 */
    EHLO_8BITMIME = 1 << 2,       /* RFC 6152 */
    EHLO_CHUNKING = 1 << 3,       /* RFC 3030 */
    EHLO_BINARYMIME = 1 << 4,     /* RFC 3030; useless without CHUNKING */
    EHLO_SMTPUTF8 = 1 << 5,       /* RFC 6531 */
    EHLO_DSN = 1 << 6,            /* RFC 3461 */
    EHLO_ENHANCED_CODES = 1 << 7, /* RFC 2034 */
    EHLO_STARTTLS = 1 << 8,       /* RFC 3207 */
    EHLO_REQUIRETLS = 1 << 9,     /* RFC 8689 */
    EHLO_DELIVERBY = 1 << 10,     /* RFC 2852 */
    EHLO_MT_PRIORITY = 1 << 11,   /* RFC 6710 */
    EHLO_NO_SOLICITING = 1 << 12, /* RFC 3865 */
    EHLO_FUTURERELEASE = 1 << 13, /* RFC 4865 */
    EHLO_LIMITS = 1 << 14,        /* RFC 9422 */
    EHLO_ETRN = 1 << 15,          /* RFC 1985 */
    EHLO_AUTH = 1 << 16,          /* RFC 4954 */
    EHLO_XCLIENT = 1 << 17,       /* wire/forwarded.h */
    EHLO_XFORWARD = 1 << 18,
};

/* A limit of 0 was not told. */
struct ehlo_offers {
    unsigned keywords;        /* a sum of enum ehlo_keyword */
    uint64_t size_max;        /* SIZE: bytes of a message */
    uint64_t by_min_s;        /* DELIVERBY: the shortest time it takes on */
    unsigned rcpt_max;        /* LIMITS RCPTMAX: recipients of a transaction */
    unsigned rcpt_domain_max; /* LIMITS RCPTDOMAINMAX: domains among them */
    unsigned mail_max;        /* LIMITS MAILMAX: transactions of a session */
};

/* `text`: the reply's lines without codes, joined by '\n'; the first is the server's name. */
struct ehlo_offers ehlo_offers_read(struct slice text);

/* The parameters of the first line with this keyword: of AUTH the words of its mechanisms. Points
 * into the text; "": it has none, or is not offered. */
struct slice ehlo_params(struct slice text, struct slice keyword);

/* Is every one of these keywords offered? */
static inline bool ehlo_offers(const struct ehlo_offers *offers, unsigned keywords)
{
    return (offers->keywords & keywords) == keywords;
}

#endif
