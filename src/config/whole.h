/*
 * whole.h - what can only be checked when the whole file was read.
 */
#ifndef CONFIG_WHOLE_H
#define CONFIG_WHOLE_H

#include "config/values.h"

/* Where the parts of a rule stand; line 0: it has none. */
struct rule_places {
    struct place rule, users, catch_all, copy, action;
};

/* postmaster's mail needs a mailbox, RFC 5321 4.5.1. `where` is its statement, or line 0. */
void whole_check_postmaster(struct desk *desk, const struct rules *rules, struct place where);

/* No mailboxes below the queue's folder, no queue below a folder where mailboxes get their names
 * from outside. */
void whole_check_queue(struct desk *desk, const struct rules *rules, struct slice queue,
                       const struct rule_places *places);

/* Warns of rules that can never match, because an earlier one takes all of their mail. */
void whole_check_dead_rules(struct desk *desk, const struct rules *rules,
                            const struct rule_places *places);

/* No rule may let strangers send to the whole world. Warns of rules that take mail from them for
 * whomever they name, where another server will know better. */
void whole_check_strangers(struct desk *desk, const struct rules *rules,
                           const struct rule_places *places);

/* An account that a rule or a limit is for. */
struct account_mention {
    struct account_mention *next;
    struct slice name; /* account_name() */
    struct place where;
};

/* Warns of those that nobody can log in as. */
void whole_check_accounts(struct desk *desk, const struct settings *settings,
                          const struct account_mention *mentions);

/* 'users', 'catch-all' and 'copy' of each rule make sense with the rest of it, and the addresses
 * lead to somebody. */
void whole_check_recipients(struct desk *desk, const struct rules *rules,
                            const struct rule_places *places);

#endif
