/*
 * name_list.h - a table of type `list`: addresses and domains, one a line.
 *
 *     bob@example.org      this address, with a +detail or without
 *     example.org          everybody there; also @example.org, as in tables of aliases
 *     *.example.org        everybody below it
 *     bob@                 bob in every domain
 *     <>                   the null sender
 *     # what stands behind a '#' at the beginning of a word is a comment
 *
 * Whether it is one of them takes a look-up for each label of the domain, however many there are.
 */
#ifndef MAIL_NAME_LIST_H
#define MAIL_NAME_LIST_H

#include "mail/table.h"

struct name_list;

/* What is wrong is told to c. The text need not outlive the call. Never NULL. */
struct name_list *name_list_parse(struct slice text, struct complaints *c);
void name_list_free(struct name_list *l); /* NULL is fine */

size_t name_list_count(const struct name_list *l); /* without doubles */

/* `a` is completed, its domain in A-labels. */
bool name_list_has(const struct name_list *l, const struct address *a);

#endif
