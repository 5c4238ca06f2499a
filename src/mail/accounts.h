/*
 * accounts.h - who has a mailbox here: a table in the format of Dovecot's passwd-file.
 *
 *     bob@example.org:{SCHEME}hash:uid:gid:gecos:home:shell:extra fields
 *     ann
 *
 * The name is a full address, or a bare name, which holds in every domain that asks. Our own extra
 * fields begin with "postroad_". Of all this the names are kept, the passwords and SCRAM keys
 * (postroad_scram) where they are told (accounts_write_without_passwords), postroad_send, and
 * Dovecot's nologin: who has it may not log in, and gets mail as before.
 */
#ifndef MAIL_ACCOUNTS_H
#define MAIL_ACCOUNTS_H

#include "mail/table.h"

struct accounts;

/* What is wrong is told to c. The text need not outlive the call. Never NULL. */
struct accounts *accounts_parse(struct slice text, struct complaints *c);
void accounts_free(struct accounts *a); /* NULL is fine */

/* Each has what the other had: who holds on to one sees the new accounts in it. What was borrowed
 * of it goes with its contents. */
void accounts_swap(struct accounts *a, struct accounts *b);

/* The same accounts, their passwords left out: what most roles may know. False when out is full. */
bool accounts_write_without_passwords(struct buf *out, struct slice text);

size_t accounts_count(const struct accounts *a);

/* Some name among them holds in every domain. */
bool accounts_have_bare_names(const struct accounts *a);

/* bob+list@example.org has bob's account. `who` is completed, its domain in A-labels. */
bool accounts_have(const struct accounts *a, const struct address *who);

/* By which name an account is known everywhere, however it was written: in lower case, the domain
 * in A-labels; a bare one without a domain. In the arena. */
struct slice account_name(const struct address *who, struct arena *arena);

/* Who logs in by that name: bob@example.org by his own account, or by the bare account of bob. */
struct account {
    struct slice name;     /* account_name(); in the arena */
    struct slice password; /* "{SCHEME}hash"; "": it has none, or none was told. Borrowed */
    struct slice scram;    /* "{SCRAM-SHA-256}keys", the same */
    bool disabled;         /* whatever the password */
};

/* False: nobody. */
bool accounts_login(const struct accounts *a, struct slice name, struct arena *arena,
                    struct account *out);

/* All the passwords there are, in the order of the table. */
size_t accounts_password_count(const struct accounts *a);
struct slice accounts_password_at(const struct accounts *a, size_t i);

/* Every account has keys for SCRAM-SHA-256; also where the keys themselves were left out. */
bool accounts_all_have_scram(const struct accounts *a);

/* May this account write under that name? Its own may be used, with a +detail or without, and what
 * postroad_send=ann@example.org,*@example.net names; a bare account's in every domain. `user` is
 * the name that it logged in by. */
bool accounts_may_send_as(const struct accounts *a, struct slice user,
                          const struct address *sender);

#endif
