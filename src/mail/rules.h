/*
 * rules.h - who may send what to whom, as one pure function.
 *
 * config fills the structs; the receiver (at RCPT), the courier (at each attempt), the log and
 * later `explain` call rules_decide() with the same arguments and get the same decision and the
 * configuration line that made it. First matching rule wins; no match is 554 5.7.1 Relay access
 * denied. PRODUCT.md "Rules".
 */
#ifndef MAIL_RULES_H
#define MAIL_RULES_H

#include "wire/address.h"
#include "wire/smtp_reply.h"

enum rule_verdict { RULE_ACCEPT, RULE_REJECT, RULE_DISCARD };

enum rule_from {
    FROM_ANY,
    FROM_LOCAL, /* loopback to loopback, or an address that an alias yielded */
};

enum rule_match {
    MATCH_ANY,
    MATCH_LOCAL,   /* hostname, localhost, origin */
    MATCH_DOMAIN,  /* one domain, or "*.suffix" */
    MATCH_ADDRESS, /* one address; a +detail of the other side is ignored */
};

struct rule_target {
    enum rule_match match;
    struct slice domain;    /* MATCH_DOMAIN, lower case; "*.suffix" matches below suffix only */
    struct address address; /* MATCH_ADDRESS */
};

enum rule_action {
    ACTION_NONE,    /* accept without an action: only its aliases answer, else 550 5.1.1 */
    ACTION_MAILDIR, /* template in `path` */
};

struct rule {
    enum rule_verdict verdict;
    enum rule_from from;
    struct rule_target sender;
    struct rule_target to;
    enum rule_action action;
    struct slice path;    /* ACTION_MAILDIR: absolute, with {domain} {user} {local} */
    struct reply refusal; /* RULE_REJECT */
    struct slice file;    /* where it stands */
    unsigned line;
};

struct rules {
    const struct rule *rules; /* in the order of the file */
    size_t count;
    struct slice hostname;     /* lower case */
    struct slice origin;       /* completes bare names; default hostname */
    struct address postmaster; /* where postmaster's mail goes */
};

struct rules_query {
    bool from_local;
    struct address sender;
    struct address rcpt;
};

enum decision_kind { DECIDE_MAILDIR, DECIDE_DISCARD, DECIDE_REFUSE };

struct decision {
    enum decision_kind kind;
    struct address final;    /* the recipient to store; postmaster may have been replaced */
    struct slice path;       /* DECIDE_MAILDIR: the template */
    struct reply refusal;    /* DECIDE_REFUSE */
    const struct rule *rule; /* NULL: no rule matched */
};

/* Pure. A bare recipient is completed with the origin; <postmaster> and postmaster@ every domain
 * that some rule accepts is never refused: it falls to rules->postmaster (RFC 5321 4.5.1), save
 * where a rule gives just that address a mailbox. So ask again with the original recipient, not
 * with decision.final, which may be reachable for local mail only.
 *
 * Domains are compared as A-labels, local parts without case. The decision borrows from rules,
 * query and arena. */
struct decision rules_decide(const struct rules *rules, const struct rules_query *query,
                             struct arena *arena);

#endif
