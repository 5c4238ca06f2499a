/*
 * content_type.h - the values of Content-Type and Content-Disposition. RFC 2045 5.1, RFC 2231.
 *
 * Read tolerantly, since what cannot be read is shown as text: comments and folds anywhere, a
 * missing ";", parameters in pieces and in percent form put together, encoded words (RFC 2047) in
 * values decoded although RFC 2047 5 forbids them there.
 */
#ifndef WIRE_CONTENT_TYPE_H
#define WIRE_CONTENT_TYPE_H

#include "base/arena.h"

enum { CONTENT_PARAMS_MAX = 64 }; /* the rest is dropped */

struct content_param {
    struct slice name;     /* lower case, without "*" */
    struct slice value;    /* UTF-8 where its set was told and is known; else as it came */
    struct slice language; /* RFC 2231; "" when not told */
};

struct content_type {
    struct slice type;                               /* lower case; a disposition's name */
    struct slice subtype;                            /* lower case; "": none */
    struct content_param params[CONTENT_PARAMS_MAX]; /* in the order of their first appearance */
    unsigned param_count;
};

/* A raw value, folded or not. False: there is not even a type. Slices point into raw or the
 * arena. */
bool content_type_parse(struct slice raw, struct arena *arena, struct content_type *out);

/* The first of that name (lower case), or NULL. */
const struct content_param *content_type_param(const struct content_type *t, struct slice name);

/* Both in lower case; subtype "": any. */
bool content_type_is(const struct content_type *t, struct slice type, struct slice subtype);

#endif
