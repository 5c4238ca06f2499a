/*
 * address_list.h - the addresses in a header: From, To, Cc, Bcc, Reply-To and their Resent- kin.
 *
 * RFC 5322 3.4 with groups, comments and folding, the obsolete forms of 4.4 (routes, blanks and
 * comments between words and dots, empty elements), UTF-8 (RFC 6532), display names with RFC 2047
 * words. Far looser than the envelope's grammar in address.h, and kept apart from it; but what
 * comes out is its struct address, in its one canonical form, or ENTRY_BROKEN.
 *
 * A pull parser: entries come in their order, in time linear in the value's length.
 */
#ifndef WIRE_ADDRESS_LIST_H
#define WIRE_ADDRESS_LIST_H

#include "wire/address.h"

enum list_entry_kind {
    ENTRY_MAILBOX,
    ENTRY_GROUP,     /* its members follow, down to ENTRY_GROUP_END */
    ENTRY_GROUP_END, /* always comes, also when the ";" is missing */
    ENTRY_BROKEN,    /* no address that mail could go to: text is what stands there */
};

struct list_entry {
    enum list_entry_kind kind;
    struct address address; /* ENTRY_MAILBOX: ADDRESS_MAILBOX or ADDRESS_LITERAL */
    struct slice name;      /* of a mailbox or group; decoded, clean UTF-8, may be empty */
    struct slice comment;   /* text of the comments around it, one blank between two */
    struct slice text;      /* as it stands in the unfolded value; may hold anything */
};

struct address_list {
    struct cursor rest; /* of the unfolded value */
    struct arena *arena;
    bool in_group;
    bool irregular; /* something was met so far that neither RFC 5322 3.4 nor 4.4 allows */
};

/* Of a field's raw value, which is copied; entries live as long as the arena. */
void address_list_init(struct address_list *list, struct arena *arena, struct slice raw_value);

/* The next entry; false at the end. */
bool address_list_next(struct address_list *list, struct list_entry *out);

#endif
