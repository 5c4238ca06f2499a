/*
 * table.h - what all tables have in common: lines with places, and the keys they are looked up by.
 *
 * A key is the form in which a name of the table and a recipient are compared: local part without
 * case, domain as A-labels in lower case.
 */
#ifndef MAIL_TABLE_H
#define MAIL_TABLE_H

#include "mail/complaints.h"
#include "mail/names.h"
#include "wire/address.h"

/* ---- lines ---- */

struct table_reader {
    struct slice rest;
    unsigned number; /* of the line last taken */
    struct complaints *complaints;
};

struct table_line {
    struct slice text; /* without its end */
    unsigned number;
};

struct table_reader table_reader_of(struct slice text, struct complaints *complaints);

/* The next line that is neither empty nor a comment. A line that is no clean UTF-8 text is told and
 * passed over. */
bool table_next_line(struct table_reader *r, struct table_line *out);

/* Of a line that holds one word: without blanks around it, and without a comment behind it. */
struct slice table_line_word(const struct table_line *line);

/* Where this part of the line stands. */
struct place table_place(const struct table_line *line, struct slice part);

/* ---- keys ---- */

enum { TABLE_KEY_MAX = LOCAL_PART_MAX + 2 * DOMAIN_MAX };

struct table_key {
    char bytes[TABLE_KEY_MAX];
    size_t len;
};

/* Of a name as a table has it, domains in any form; a bare name has a key of its own. False when
 * the domain has no A-label form. */
bool table_key_of(struct table_key *key, const struct address *a, struct arena *scratch);

/* Of "@example.org", everybody there. */
void table_key_of_domain(struct table_key *key, const struct address *a);

struct slice table_key_slice(const struct table_key *key);

/* Looks for bob+list@example.org, bob@example.org, bob+list, bob, in this order. `a` is completed,
 * its domain in A-labels. */
bool table_find(const struct names *names, const struct address *a, uint32_t *number);

/* The part before "+"; a "+" at the start begins no detail, since it would leave no name. */
struct slice without_detail(struct slice local);

#endif
