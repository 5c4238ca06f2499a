/*
 * gs2.h - the header of SCRAM's and OAUTHBEARER's first message. RFC 5801 4, RFC 5802 7.
 *
 *     n,,   y,a=ann@example.org,   p=tls-exporter,,
 */
#ifndef SASL_GS2_H
#define SASL_GS2_H

#include "base/buf.h"
#include "base/cursor.h"

enum gs2_binding {
    GS2_NONE,         /* n: the client has no channel binding */
    GS2_NOT_OFFERED,  /* y: the client has, and thinks that the server has not */
    GS2_TLS_EXPORTER, /* p=tls-exporter */
    GS2_OTHER,        /* p= of a sort that is not known here */
};

/* Slices of the input. */
struct gs2 {
    enum gs2_binding binding;
    struct slice authzid; /* as written: gs2_name_decode() */
    struct slice header;  /* the whole, with its last comma: what c= must repeat */
};

/* Takes the header; false, and nothing taken, when it is none. */
bool gs2_take(struct cursor *c, struct gs2 *out);

/* "=2C" is a comma, "=3D" an equals sign; anything else behind "=" is an error, as is NUL. */
bool gs2_name_decode(struct buf *out, struct slice name);
bool gs2_name_encode(struct buf *out, struct slice name);

#endif
