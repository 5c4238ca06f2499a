/*
 * delivery.h - what the courier asks of the postman, and the answer: the bodies of
 * MESSAGE_DELIVER and MESSAGE_DELIVERED.
 *
 * All deliveries of one MESSAGE_DELIVER read the one file that travels with it. Both ends check
 * what they read: the postman trusts no path, the courier no tag.
 */
#ifndef ROLES_DELIVERY_H
#define ROLES_DELIVERY_H

#include "base/buf.h"
#include "base/cursor.h"

enum { DELIVERY_PREFIX_MAX = 16 * 1024, DELIVERY_PATH_MAX = 4096 };

struct delivery {
    uint64_t tag;        /* the courier's, comes back with the result */
    struct slice root;   /* absolute: the fixed part of the rule's template */
    struct slice path;   /* safe components below it */
    struct slice name;   /* Maildir base name */
    struct slice prefix; /* Return-Path and our header block, CRLF */
    uint64_t offset;     /* of the body in the file */
    uint64_t length;
    bool repeat; /* may have been delivered already */
};

/* False when it does not fit; then out is unchanged. */
bool delivery_write(struct buf *out, const struct delivery *d);

/* Slices point into the message. False at the end and at what is no delivery. */
bool delivery_read(struct cursor *c, struct delivery *out);

struct delivery_result {
    uint64_t tag;
    int result; /* 0 or negative errno */
};

bool delivery_result_write(struct buf *out, const struct delivery_result *r);
bool delivery_result_read(struct cursor *c, struct delivery_result *out);

#endif
