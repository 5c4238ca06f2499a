/*
 * network_list.h - a table of type `cidr`: networks and addresses, one a line (wire/network.h).
 *
 *     192.0.2.0/24
 *     2001:db8::/32   # what stands behind a '#' at the beginning of a word is a comment
 *     198.51.100.7
 *
 * 20 bytes each; whether an address is in one of them takes some 20 comparisons for a million.
 */
#ifndef MAIL_NETWORK_LIST_H
#define MAIL_NETWORK_LIST_H

#include "mail/table.h"
#include "wire/network.h"

struct network_list;

/* What is wrong is told to c. The text need not outlive the call. Never NULL. */
struct network_list *network_list_parse(struct slice text, struct complaints *c);
void network_list_free(struct network_list *l); /* NULL is fine */

size_t network_list_count(const struct network_list *l); /* without those that lie in others */

bool network_list_has(const struct network_list *l, const unsigned char ip[16]);

#endif
