/*
 * rules.h - who may send what to whom, as one pure function.
 *
 * config fills the structs. First matching rule wins; no match is 554 5.7.1 Relay access denied.
 * At RCPT rules_expand() (mail/expand.h) says whom a recipient stands for; these final addresses
 * are stored with the message. At each attempt rules_decide() says where one of them goes now, and
 * the configuration line that made it so; so do the log and `explain`.
 *
 * One address is looked at in one order, whoever asks:
 *     postmaster (RFC 5321 4.5.1); the rule's aliases by name; its users; its aliases for the whole
 *     domain; its catch-all; abuse@ goes to postmaster; else 550 5.1.1 User unknown.
 * A rule without users has a place for everybody, if it delivers or relays. Nothing falls through
 * to a later rule. What an alias, a catch-all or postmaster yields is looked at again as local
 * mail, but not in the very entry that yielded it: "bob: bob, ann" leaves bob his mailbox.
 */
#ifndef MAIL_RULES_H
#define MAIL_RULES_H

#include "mail/accounts.h"
#include "mail/alias.h"
#include "mail/name_list.h"
#include "mail/relay.h"
#include "wire/address.h"
#include "wire/network.h"
#include "wire/smtp_reply.h"

enum rule_verdict { RULE_ACCEPT, RULE_REJECT, RULE_DISCARD };

/* Who may have sent it; a sum: one of them is enough. */
enum rule_from {
    FROM_ANY = 1,   /* the same as nothing at all */
    FROM_LOCAL = 2, /* loopback to loopback, or an address that an alias yielded */
    FROM_AUTHENTICATED = 4,
    FROM_USER = 8,     /* this account */
    FROM_NETWORK = 16, /* one of these networks */
};

/* One of the networks of a rule. */
struct rule_network {
    const struct rule_network *next;
    struct network network;
};

enum rule_match {
    MATCH_ANY,
    MATCH_LOCAL,     /* hostname, localhost, origin */
    MATCH_DOMAIN,    /* one domain, or "*.suffix" */
    MATCH_ADDRESS,   /* one address; a +detail of the other side is ignored */
    MATCH_DOMAINS,   /* who is in a table, of domains mostly */
    MATCH_ADDRESSES, /* the same, of addresses mostly */
};

struct rule_target {
    enum rule_match match;
    struct slice domain;    /* MATCH_DOMAIN, lower case; "*.suffix" matches below suffix only */
    struct address address; /* MATCH_ADDRESS */
    const struct name_list *names; /* MATCH_DOMAINS, MATCH_ADDRESSES */
};

enum rule_action {
    ACTION_NONE,    /* accept without an action: only its aliases and catch-all answer */
    ACTION_MAILDIR, /* template in `path` */
    ACTION_LMTP,    /* to the server in `lmtp` */
    ACTION_RELAY,   /* as `relay` says */
};

struct rule {
    enum rule_verdict verdict;
    bool holds;             /* RULE_ACCEPT: nobody tries it before a person lets it go */
    unsigned from;          /* a sum of enum rule_from; 0: any */
    struct slice user_from; /* FROM_USER: the name of the account */
    const struct rule_network *networks; /* FROM_NETWORK */
    struct rule_target sender;
    struct rule_target to;
    enum rule_action action;
    struct slice path;               /* ACTION_MAILDIR: absolute, with {domain} {user} {local} */
    const struct route_target *lmtp; /* ACTION_LMTP */
    const struct relay *relay;       /* ACTION_RELAY */
    const struct accounts *users;    /* who there is; NULL: whoever is asked for */
    bool asks;                       /* the next hop, at RCPT, who there is; then `users` is NULL */
    const struct aliases *aliases;   /* or NULL */
    struct address catch_all;        /* for unknown names; ADDRESS_NULL: none */
    struct address copy;             /* gets everything as well; ADDRESS_NULL: none */
    struct reply refusal;            /* RULE_REJECT */
    struct slice file;               /* where it stands */
    unsigned line;
};

struct rules {
    const struct rule *rules; /* in the order of the file */
    size_t count;
    struct slice hostname;          /* lower case */
    struct slice origin;            /* completes bare names; default hostname */
    struct address postmaster;      /* where postmaster's mail goes */
    const struct rewrite *rewrites; /* mail/rewrite.h: what was done before they are asked */
    size_t rewrite_count;
};

struct rules_query {
    bool from_local;
    struct address sender;
    struct address rcpt; /* as the client gave it */
    struct slice user;   /* the client's account; "": it has none, or did not say */
    struct slice client; /* its address, "192.0.2.1"; another text: it is in no network */
};

enum decision_kind { DECIDE_MAILDIR, DECIDE_LMTP, DECIDE_RELAY, DECIDE_DISCARD, DECIDE_REFUSE };

struct decision {
    enum decision_kind kind;
    struct address final;
    struct slice path;               /* DECIDE_MAILDIR: the template */
    const struct route_target *lmtp; /* DECIDE_LMTP */
    const struct relay *relay;       /* DECIDE_RELAY */
    struct reply refusal;            /* DECIDE_REFUSE */
    const struct rule *rule;         /* NULL: no rule matched */
};

/* Where one of the addresses goes that rules_expand() once made of this recipient. Aliases are not
 * followed again: who was a recipient when the mail was taken stays one. Pure; the decision borrows
 * from rules, query and arena.
 *
 * Domains are compared as A-labels, local parts without case. */
struct decision rules_decide(const struct rules *rules, const struct rules_query *query,
                             const struct address *final, struct arena *arena);

/* Postmaster of a domain that is ours. The recipient is compared: rules_compare(). */
bool rules_is_our_postmaster(const struct rules *rules, const struct address *rcpt,
                             struct arena *arena);

/* Does it take everybody's mail? */
bool rule_is_for_any(const struct rule *rule);

/* ---- for who follows addresses: expand.c and alias_check.c ---- */

/* A query in the form that rules are compared with. */
struct rules_compared {
    bool from_local;
    bool sender_unknown;   /* asked before there is any mail */
    struct address sender; /* bare names completed, domains as A-labels */
    struct address rcpt;
    struct slice user;
    bool has_ip; /* the client */
    unsigned char ip[16];
};

struct rules_compared rules_compare(const struct rules *rules, const struct rules_query *query,
                                    struct arena *arena);

/* The same for an address that was yielded on the way of `query`. Mail for postmaster and abuse
 * goes on as from nobody: no rule against some sender may close the door through which others
 * report trouble. */
struct rules_compared rules_compare_yielded(const struct rules *rules,
                                            const struct rules_query *query,
                                            const struct address *yielded, struct arena *arena);

enum rules_step_kind {
    STEP_HOME,    /* it has one: .decision, but for .final */
    STEP_REFUSE,  /* .decision */
    STEP_ALIAS,   /* it stands for the targets of .entry */
    STEP_ADDRESS, /* it stands for *address: catch-all, postmaster */
    STEP_DEPENDS, /* on the sender, which is unknown */
};

struct rules_step {
    enum rules_step_kind kind;
    struct decision decision;
    const struct rule *rule; /* or NULL */
    const struct address *address;
    const struct alias_entry *entry;
    const struct aliases *aliases; /* of the entry */
    const void *origin; /* what yields: give it to the next step. Equal origins yield the same */
    bool by_name;       /* STEP_ALIAS: not for a whole domain */
};

/* `from` is the origin that yielded the address, NULL for a recipient as given. Texts of a refusal
 * speak of query->rcpt. */
struct rules_step rules_step(const struct rules *rules, const struct rules_query *query,
                             const struct rules_compared *q, const void *from, struct arena *arena);

/* Its domain is local, or a rule for everybody takes mail for it; where the mail then goes is not
 * asked. */
bool rules_serve(const struct rules *rules, const struct address *a, struct arena *arena);

/* Its domain is local, or a rule is at home there: no relay without users of its own. */
bool rules_own(const struct rules *rules, const struct address *a, struct arena *arena);

/* Is it one of those? */
bool rules_target_matches(const struct rules *rules, const struct rule_target *target,
                          const struct address *a, struct arena *arena);

/* A bare name completed with the origin. */
struct address rules_complete(const struct rules *rules, const struct address *a);

/* A refusal of query->rcpt in the usual words. */
struct reply rules_refusal(const struct rules_query *query, struct reply refusal,
                           struct arena *arena);

#endif
