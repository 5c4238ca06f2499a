/*
 * alias.h - names that stand for other addresses: a table in the format of /etc/aliases.
 *
 *     # a comment has a line of its own
 *     root:        ann@example.org, bob
 *         carol                                      a line that begins with a blank goes on
 *     "my friends": :include:/etc/postroad/friends   one address or more a line
 *     info@example.org: ann
 *     @example.net: carol@example.org                everybody there who is not known otherwise
 *
 * A bare name on the left holds in every domain that asks; on the right it is completed by who
 * asks. Commands ("|...") and files (/...) are refused: an alias yields addresses.
 *
 * An entry is one left side. Entries and targets are numbered, which is how loops are found without
 * following names (alias_check.h).
 */
#ifndef MAIL_ALIAS_H
#define MAIL_ALIAS_H

#include "mail/sources.h"
#include "mail/table.h"

enum {
    ALIAS_TARGETS_MAX = 1000, /* of one entry: as many as an envelope holds */
    ALIAS_ALL_TARGETS_MAX = 8 * 1024 * 1024,
    ALIAS_INCLUDES_MAX = 8,                 /* one within the other */
    ALIAS_INCLUDED_MAX = 256 * 1024 * 1024, /* bytes in all, each time that they are read */
};

struct aliases;

/* Entries of one table lie side by side; &entries[n] is as good a name as n. */
struct alias_entry {
    uint32_t first; /* target */
    uint32_t count;
    uint32_t line;
    uint16_t width; /* of the left side, which begins the line */
};

/* What is wrong is told to the sources, of the table and of what it includes. Never NULL; with
 * includes that are wanted yet it is incomplete. The table's text need not outlive the call. */
struct aliases *aliases_parse(struct source *table, struct sources *sources);
void aliases_free(struct aliases *a); /* NULL is fine */

const struct alias_entry *aliases_entries(const struct aliases *a, size_t *count);

/* By name: `who` is completed, its domain in A-labels. NULL: none. */
const struct alias_entry *aliases_find(const struct aliases *a, const struct address *who);

/* "@example.org". */
const struct alias_entry *aliases_find_domain(const struct aliases *a, const struct address *who);

/* The i-th target of all; its parts live in the arena. */
struct address aliases_target(const struct aliases *a, uint32_t i, struct arena *arena);

/* Where the i-th target, or the left side of an entry, stands; only while the sources live. */
struct source *aliases_target_place(const struct aliases *a, uint32_t i, struct place *out);
struct source *aliases_entry_place(const struct aliases *a, const struct alias_entry *entry,
                                   struct place *out);

#endif
