/*
 * mailbox_path.h - from a template and a hostile address to safe path components.
 *
 * RFC.md item 33, SECURITY.md threat 23: domain as lower-case A-label; bytes outside
 * [A-Za-z0-9._+-] and a leading dot are %-encoded; a component over 200 bytes goes on in a
 * further one, an empty local part is "%". No component is ever empty, "." or "..", none holds a
 * "/" or is longer than 200 bytes, and two names never share a path.
 */
#ifndef MAIL_MAILBOX_PATH_H
#define MAIL_MAILBOX_PATH_H

#include "wire/address.h"

/* Cuts a template at the last "/" before its first "{": "/var/vmail/{domain}/{user}" -> root
 * "/var/vmail", rest "{domain}/{user}". A template without "{" keeps its last component in rest.
 * False unless it is absolute and free of "." , ".." and empty components. */
bool mailbox_template_split(struct slice path, struct slice *root, struct slice *rest);

/* The rest with {domain}, {user} (without +detail, lower case) and {local} (as given) replaced
 * by safe text: components separated by "/". False when a name in braces is unknown. */
bool mailbox_path_expand(struct slice rest, const struct address *rcpt, struct arena *arena,
                         struct slice *out);

#endif
