/*
 * alias_check.h - loops, depth and dead ends of alias tables, found before there is any mail.
 *
 * What depends on a mail's sender cannot be known here; rules_expand() meets it at RCPT.
 */
#ifndef MAIL_ALIAS_CHECK_H
#define MAIL_ALIAS_CHECK_H

#include "mail/rules.h"

/* Complains to the sources of the tables, which live yet: of loops, of more than ALIAS_DEPTH_MAX
 * aliases one behind the other, and of targets that no rule takes (errors); of targets that a rule
 * rejects or does not know (warnings: mail to the others goes on). Every entry is looked at once,
 * and an unknown address told once: half of a usual /etc/aliases leads to root. */
void alias_check(const struct rules *rules);

#endif
