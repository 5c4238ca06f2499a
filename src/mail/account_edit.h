/*
 * account_edit.h - one account of a passwd-file is added, changed or removed.
 *
 * Pure: text -> text. Every other line, comments, line ends and what another program keeps in the
 * account's own line stay as they are, byte for byte.
 */
#ifndef MAIL_ACCOUNT_EDIT_H
#define MAIL_ACCOUNT_EDIT_H

#include "base/buf.h"

enum account_change {
    ACCOUNT_ADD,      /* a new line at the end */
    ACCOUNT_PASSWORD, /* another password */
    ACCOUNT_DISABLE,  /* it may not log in: the field nologin */
    ACCOUNT_ENABLE,
    ACCOUNT_DELETE,
};

struct account_edit {
    enum account_change change;
    struct slice name;
    struct slice password; /* ACCOUNT_ADD, ACCOUNT_PASSWORD: "{SCHEME}hash" */
    struct slice scram;    /* the same: "{SCRAM-SHA-256}keys"; "": none */
};

enum account_edited {
    ACCOUNT_EDITED,
    ACCOUNT_SAME,     /* it was so already: out has the text as it was */
    ACCOUNT_MISSING,  /* there is no such account */
    ACCOUNT_EXISTS,   /* there is one already */
    ACCOUNT_BAD_NAME, /* neither an address nor a name, or none that fits in a line */
    ACCOUNT_TOO_LONG, /* out is full */
};

/* Names are compared as accounts are: without case, domains in any form. The text has no errors
 * that accounts_parse() would tell. */
enum account_edited account_edit(struct slice text, const struct account_edit *edit,
                                 struct buf *out);

#endif
