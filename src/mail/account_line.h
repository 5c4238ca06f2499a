/*
 * account_line.h - one line of a passwd-file, cut into the parts that are looked at.
 *
 *     name:password:uid:gid:gecos:home:shell:extra fields
 *
 * Extra fields stand between spaces and may hold colons, as addresses do. Everything is borrowed
 * from the line.
 */
#ifndef MAIL_ACCOUNT_LINE_H
#define MAIL_ACCOUNT_LINE_H

#include "base/slice.h"

enum { ACCOUNT_COLONS = 7 }; /* before the extra fields */

struct account_line {
    struct slice name, password;
    struct slice extra; /* at the line's end when it has fewer colons */
    unsigned colons;    /* before extra */
};

struct account_line account_line_of(struct slice line);

/* The next of the extra fields; empty ones are passed over. */
bool account_field_next(struct slice *extra, struct slice *field);

/* "postroad_send" of "postroad_send=ann@example.org"; what is behind the "=". */
struct slice account_field_name(struct slice field);
struct slice account_field_value(struct slice field);

/* The first one of that name, whole. False: there is none. */
bool account_field_find(struct slice extra, struct slice name, struct slice *field);

/* Our own fields, and Dovecot's for somebody who may not log in. */
extern const struct slice account_field_scram, account_field_nologin;

#endif
