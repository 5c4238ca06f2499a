/*
 * expand.h - whom a recipient stands for.
 *
 * Asked at RCPT: the answer is what is stored with the message. Aliases, catch-all and postmaster
 * are followed (rules.h), copies added, everybody named once. An unknown user is refused here and
 * now, never later.
 */
#ifndef MAIL_EXPAND_H
#define MAIL_EXPAND_H

#include "mail/rules.h"

enum {
    ALIAS_DEPTH_MAX = 50, /* one behind the other */
    EXPANSION_VISITS_MAX = 10000,
};

struct expansion {
    struct reply refusal;    /* code 0: accepted */
    const struct rule *rule; /* that matched the recipient as given; NULL: none did */
    struct decision *homes;  /* whom the mail is for, and what happens there; each once */
    struct address *finals;  /* the same addresses alone */
    unsigned count;          /* at most ENVELOPE_RCPTS_MAX */
};

/* Pure; borrows from rules, query and arena.
 *
 * Members of a list who are unknown are passed by, as long as somebody is known (it was said at the
 * start). But an address that no rule takes, or that a rule rejects, refuses the recipient as a
 * whole: half a list is not what was asked for. A loop, or a list without end, is 451: the
 * administrator can mend it, and the mail comes again.
 *
 * user+detail finds the alias of user, and keeps the detail where it can be delivered. */
struct expansion rules_expand(const struct rules *rules, const struct rules_query *query,
                              struct arena *arena);

#endif
