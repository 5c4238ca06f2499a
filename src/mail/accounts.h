/*
 * accounts.h - who has a mailbox here: a table in the format of Dovecot's passwd-file.
 *
 *     bob@example.org:{SCHEME}hash:uid:gid:gecos:home:shell:extra fields
 *     ann
 *
 * The name is a full address, or a bare name, which holds in every domain that asks. Our own extra
 * fields begin with "postroad_". Of all this only the names are kept.
 */
#ifndef MAIL_ACCOUNTS_H
#define MAIL_ACCOUNTS_H

#include "mail/table.h"

struct accounts;

/* What is wrong is told to c. The text need not outlive the call. Never NULL. */
struct accounts *accounts_parse(struct slice text, struct complaints *c);
void accounts_free(struct accounts *a); /* NULL is fine */

/* The same accounts, their passwords left out: what most roles may know. False when out is full. */
bool accounts_write_without_passwords(struct buf *out, struct slice text);

size_t accounts_count(const struct accounts *a);

/* Some name among them holds in every domain. */
bool accounts_have_bare_names(const struct accounts *a);

/* bob+list@example.org has bob's account. `who` is completed, its domain in A-labels. */
bool accounts_have(const struct accounts *a, const struct address *who);

#endif
