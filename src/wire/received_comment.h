/*
 * received_comment.h - what servers write into the comments of a Received field.
 *
 * Only TCP-info has a grammar (RFC 5321 4.4); the rest is what common servers write: "helo=NAME",
 * "HELO NAME", "user@[192.0.2.1]", "ident=user", "using TLSv1.3 with cipher NAME",
 * "version=TLS1_3 cipher=NAME", "TLS1.2:NAME:256". Of two things of a kind the first counts.
 */
#ifndef WIRE_RECEIVED_COMMENT_H
#define WIRE_RECEIVED_COMMENT_H

#include "base/arena.h"

/* "" is what is not there; slices point into the text, the arena or constants. */
struct received_comment {
    struct slice address;  /* canonical, without tag or brackets: "192.0.2.1", "2001:db8::1" */
    struct slice dns_name; /* the word in front of the address, if it may be a host's full name */
    struct slice helo;     /* one word */
    struct slice ident;    /* one word; in front of "@" and the address, or told as such */
    struct slice tls_version; /* "TLSv1.3", ..., "SSLv3" */
    struct slice tls_cipher;  /* letters, digits, "-" and "_" */
};

/* A comment without its outer parentheses, or a literal with its brackets; in linear time. */
void received_comment_read(struct slice text, struct arena *arena, struct received_comment *out);

#endif
