/*
 * mime_survey.h - what is in a message that a next hop or a mailbox may not take, and whether
 * another transfer encoding would help. RFC 5321 2.3.8 and 4.5.3.1.6, RFC 2045 2 and 6.
 *
 * A stream in bounded memory; any chunking of the message gives the same. It is read before
 * mime_convert, so that a conversion that was begun also ends.
 */
#ifndef WIRE_MIME_SURVEY_H
#define WIRE_MIME_SURVEY_H

#include "wire/mime.h"

/* A set of them is a sum. */
enum mime_trait {
    MIME_HIGH = 1, /* a byte above 127 */
    MIME_WILD = 2, /* NUL, a bare CR, a bare LF: these are no lines */
    MIME_LONG = 4, /* a line of more than 998 bytes, CRLF not counted */
};

/* Who gets the message, and so which traits it must not have. */
enum mime_goal {
    MIME_FOR_MAILBOX, /* lines of any length */
    MIME_FOR_8BIT,    /* a server with 8BITMIME */
    MIME_FOR_7BIT,    /* one without */
};

struct mime_facts {
    unsigned traits;    /* of the whole message */
    unsigned fixed;     /* of what cannot be changed: headers, what is signed or encrypted, what its
                           type forbids to encode, what stands outside of parts */
    bool header_high;   /* a header, of a part too, has bytes above 127 */
    bool says_priority; /* there is an MT-Priority field */
};

/* What must not be there. */
unsigned mime_goal_bans(enum mime_goal goal);

/* Nothing has to be converted. */
bool mime_facts_fit(const struct mime_facts *f, enum mime_goal goal);

/* It fits, or a conversion makes it so. */
bool mime_facts_can_fit(const struct mime_facts *f, enum mime_goal goal);

enum { MIME_LINE_MAX = 998, MIME_SURVEY_PARTS_MAX = 64 * 1024 };

struct mime_survey {
    struct mime walk;
    struct mime_facts facts; /* once it has ended */
    struct buf parts;        /* a byte each, in the order of their headers: see below */
    bool in_leaf;
    unsigned traits;   /* of the leaf at hand, so far */
    unsigned mendable; /* of them, those that a conversion takes away */
    bool alien;        /* a leaf in base64 has bytes that base64 has not */
    bool after_cr;
    size_t column; /* of the line at hand, CR not counted */
};

void mime_survey_init(struct mime_survey *s);
void mime_survey_done(struct mime_survey *s);

void mime_survey_feed(struct mime_survey *s, struct slice bytes);
void mime_survey_end(struct mime_survey *s); /* nothing follows */

/* The traits that a conversion can take away from the part whose header was the n-th, from 0. */
unsigned mime_survey_part(const struct mime_survey *s, size_t n);

/* May the header that the walk has just told get another label? Readers must agree on where its
 * fields are, and nobody must have signed it. */
bool mime_may_relabel(const struct mime *walk, struct slice header);

#endif
