/*
 * received.h - the value of a Received field: one hop on a message's way.
 *
 * RFC 5321 4.4 and RFC 5322 3.6.7, with the registered clauses of RFC 6710 (priority), RFC 6729
 * (state) and RFC 8314 4.3 (tls, group). Read tolerantly: clauses in any order, comments anywhere,
 * missing parts. A clause that stands twice is the first of them. In time linear in the value's
 * length; the hop has a fixed size, and no more of the arena is used than a few times that length.
 *
 * All of it is what some server says, and below the first one that we trust what anybody says: to
 * be shown to people, not to be believed.
 */
#ifndef WIRE_RECEIVED_H
#define WIRE_RECEIVED_H

#include "wire/address.h"

enum received_clause {
    RECEIVED_FROM, /* what the client called itself: a domain or "[literal]" */
    RECEIVED_BY,   /* the server, the same */
    RECEIVED_VIA,
    RECEIVED_WITH, /* the clause's first registered protocol, or else its first word */
    RECEIVED_ID,   /* an atom, or a msg-id without "<" and ">" */
    RECEIVED_FOR,
    RECEIVED_TLS,   /* RFC 8314 */
    RECEIVED_GROUP, /* RFC 8314, behind tls only */
    RECEIVED_STATE,
    RECEIVED_PRIORITY,
    RECEIVED_CLAUSES
};

/* Slices point into the arena; "" is what was not told. They may hold anything but for what is said
 * otherwise. */
struct received {
    struct slice clauses[RECEIVED_CLAUSES];
    struct address rcpt; /* of "for"; ADDRESS_NULL when it names no mailbox */

    /* From the comments behind "from": TCP-info, and what servers write in free text. */
    struct slice from_address; /* the client's, canonical: "192.0.2.1", "2001:db8::1" */
    struct slice from_dns;     /* its name in the DNS, as it was written */
    struct slice helo;         /* its greeting, where "from" is something else */
    struct slice ident;        /* who it says its user is, RFC 1413 */

    /* From "tls" or any comment. */
    struct slice tls_version; /* "TLSv1.3", "TLSv1.0", "SSLv3", ... */
    struct slice tls_cipher;  /* letters, digits, "-" and "_", if from a comment */

    bool has_date;
    uint64_t wall_us; /* as in wire/date */
    int offset_min;
};

/* A field's raw value, which is copied. False: there is neither a clause nor a date; *out is then
 * untouched. */
bool received_parse(struct slice raw_value, struct arena *arena, struct received *out);

#endif
