/*
 * rules.c - the first rule that matches decides.
 *
 * Only `from`, `sender` and `to` decide a match; what the rule then does is not asked, so that a
 * person can read the file from top to bottom and stop at the first line that fits.
 *
 * Postmaster stands above the rules (RFC 5321 4.5.1): its mail goes to rules->postmaster, whose
 * home is looked up as local mail from nobody, so that neither a relay refusal nor a rule against
 * some sender can close the one door that others need to report trouble. Only who names postmaster
 * itself, as the address of a rule, as an alias or as an account, gives it another home.
 *
 * Local parts are compared without case, because mailbox names are lower case: a rule about
 * bob@example.org that BOB@example.org slips past would be a trap.
 */
#include "mail/rules.h"

#include "wire/chars.h"

static struct slice to_ascii(struct slice domain, struct arena *arena)
{
    struct slice ascii;

    for (size_t i = 0; i < domain.len; i++) {
        if (char_is(domain.data[i], CHAR_HIGH))
            return domain_to_ascii(domain, arena, &ascii) ? ascii : domain;
    }
    return domain;
}

struct address rules_complete(const struct rules *rules, const struct address *a)
{
    struct address whole = *a;

    if (a->kind == ADDRESS_BARE) {
        whole.kind = ADDRESS_MAILBOX;
        whole.domain = rules->origin.len > 0 ? rules->origin : rules->hostname;
    }
    return whole;
}

static struct address comparable(const struct rules *rules, const struct address *a,
                                 struct arena *arena)
{
    struct address form = rules_complete(rules, a);

    form.domain = to_ascii(form.domain, arena);
    return form;
}

static bool domain_is_local(const struct rules *rules, const struct address *a, struct arena *arena)
{
    return a->kind == ADDRESS_MAILBOX &&
           (slice_equal_nocase(a->domain, SLICE("localhost")) ||
            slice_equal_nocase(a->domain, to_ascii(rules->hostname, arena)) ||
            slice_equal_nocase(a->domain, to_ascii(rules->origin, arena)));
}

static bool domain_matches(struct slice pattern, const struct address *a, struct arena *arena)
{
    if (a->kind != ADDRESS_MAILBOX)
        return false;
    if (!slice_starts(pattern, SLICE("*.")))
        return slice_equal_nocase(a->domain, to_ascii(pattern, arena));

    struct slice suffix = to_ascii(slice_skip(pattern, 2), arena);

    return a->domain.len > suffix.len + 1 && slice_ends_nocase(a->domain, suffix) &&
           a->domain.data[a->domain.len - suffix.len - 1] == '.';
}

static bool local_matches(struct slice wanted, struct slice local)
{
    return slice_equal_nocase(wanted, local) || slice_equal_nocase(wanted, without_detail(local));
}

static bool target_matches(const struct rules *rules, const struct rule_target *target,
                           const struct address *a, struct arena *arena)
{
    switch (target->match) {
    case MATCH_ANY: return true;
    case MATCH_LOCAL: return domain_is_local(rules, a, arena);
    case MATCH_DOMAIN: return domain_matches(target->domain, a, arena);
    case MATCH_ADDRESS: {
        struct address wanted = comparable(rules, &target->address, arena);
        return wanted.kind == a->kind && slice_equal_nocase(wanted.domain, a->domain) &&
               local_matches(wanted.local, a->local);
    }
    case MATCH_DOMAINS:
    case MATCH_ADDRESSES: return name_list_has(target->names, a);
    }
    return false;
}

bool rules_target_matches(const struct rules *rules, const struct rule_target *target,
                          const struct address *a, struct arena *arena)
{
    struct address form = comparable(rules, a, arena);

    return target_matches(rules, target, &form, arena);
}

bool rule_is_for_any(const struct rule *rule)
{
    return rule->from == 0 || (rule->from & FROM_ANY) != 0;
}

static bool network_matches(const struct rule *rule, const struct rules_compared *q)
{
    for (const struct rule_network *n = rule->networks; q->has_ip && n != NULL; n = n->next)
        if (network_has(&n->network, q->ip))
            return true;
    return false;
}

static bool client_matches(const struct rule *rule, const struct rules_compared *q)
{
    if (rule_is_for_any(rule) || (q->from_local && (rule->from & FROM_LOCAL) != 0) ||
        network_matches(rule, q))
        return true;
    return q->user.len > 0 &&
           ((rule->from & FROM_AUTHENTICATED) != 0 || slice_equal_nocase(rule->user_from, q->user));
}

/* The rule that decides, or NULL. *depends: one before it may accept instead, which only the sender
 * can tell; one that would turn some senders away does not count, there are others. */
static const struct rule *first_match(const struct rules *rules, const struct rules_compared *q,
                                      struct arena *arena, bool *depends)
{
    *depends = false;
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->rules[i];
        if (!client_matches(rule, q) || !target_matches(rules, &rule->to, &q->rcpt, arena))
            continue;
        if (q->sender_unknown && rule->sender.match != MATCH_ANY)
            *depends = *depends || rule->verdict == RULE_ACCEPT;
        else if (target_matches(rules, &rule->sender, &q->sender, arena))
            return rule;
    }
    return NULL;
}

/* ---- refusals ---- */

static struct reply refusal_about(const struct address *who, const char *what, struct reply refusal,
                                  struct arena *arena)
{
    refusal.text = arena_printf(arena, "<%.*s>: %s%.*s", SLICE_PRINTF(address_text(arena, who)),
                                what, SLICE_PRINTF(refusal.text));
    return refusal;
}

struct reply rules_refusal(const struct rules_query *query, struct reply refusal,
                           struct arena *arena)
{
    return refusal_about(&query->rcpt, "Recipient address rejected: ", refusal, arena);
}

static struct reply rejection(const struct rules_query *query, const struct rule *rule,
                              struct arena *arena)
{
    struct reply refusal = rule->refusal;

    if (refusal.code == 0)
        refusal = REPLY(554, "5.7.1", "");
    if (refusal.text.len == 0)
        refusal.text = SLICE("Access denied");
    if (rule->sender.match != MATCH_ANY && rule->to.match == MATCH_ANY)
        return refusal_about(&query->sender, "Sender address rejected: ", refusal, arena);
    return rules_refusal(query, refusal, arena);
}

static struct decision unknown_user(const struct rules_query *query, const struct rule *rule,
                                    struct arena *arena)
{
    return (struct decision){.kind = DECIDE_REFUSE,
                             .refusal =
                                 rules_refusal(query, REPLY(550, "5.1.1", "User unknown"), arena),
                             .rule = rule};
}

/* ---- homes ---- */

/* What the rule itself does with the address; aliases and catch-all are not asked. */
static struct decision home_of(const struct rules_query *query, const struct address *rcpt,
                               const struct rule *rule, struct arena *arena)
{
    if (rule == NULL)
        return (struct decision){
            .kind = DECIDE_REFUSE,
            .refusal =
                refusal_about(&query->rcpt, "", REPLY(554, "5.7.1", "Relay access denied"), arena)};
    switch (rule->verdict) {
    case RULE_REJECT:
        return (struct decision){
            .kind = DECIDE_REFUSE, .refusal = rejection(query, rule, arena), .rule = rule};
    case RULE_DISCARD: return (struct decision){.kind = DECIDE_DISCARD, .rule = rule};
    case RULE_ACCEPT: break;
    }
    if (rule->users != NULL && !accounts_have(rule->users, rcpt))
        return unknown_user(query, rule, arena);
    switch (rule->action) {
    case ACTION_NONE: break;
    case ACTION_MAILDIR:
        return (struct decision){.kind = DECIDE_MAILDIR, .path = rule->path, .rule = rule};
    case ACTION_LMTP:
        return (struct decision){.kind = DECIDE_LMTP, .lmtp = rule->lmtp, .rule = rule};
    case ACTION_RELAY:
        return (struct decision){.kind = DECIDE_RELAY, .relay = rule->relay, .rule = rule};
    }
    return unknown_user(query, rule, arena);
}

/* ---- postmaster ---- */

/* Whether the rule takes mail for a domain as its home. A relay that knows none of its users is a
 * way to somebody else's domain, whose postmaster is asked for there. */
static bool is_at_home(const struct rule *rule)
{
    return rule->verdict == RULE_ACCEPT && (rule->action != ACTION_RELAY || rule->users != NULL);
}

/* "to any" names no domain: behind it may stand the whole Internet. */
static bool names_domain_of(const struct rule *rule, const struct address *rcpt,
                            struct arena *arena)
{
    const struct rule_target *to = &rule->to;

    if (to->match == MATCH_DOMAIN)
        return domain_matches(to->domain, rcpt, arena);
    if (to->match == MATCH_DOMAINS)
        return name_list_has(to->names, rcpt);
    return to->match == MATCH_ADDRESS && to->address.kind == rcpt->kind &&
           slice_equal_nocase(to_ascii(to->address.domain, arena), rcpt->domain);
}

/* A domain of ours: local, or named by a rule where it is at home. */
static bool is_our_domain(const struct rules *rules, const struct address *rcpt,
                          struct arena *arena)
{
    if (domain_is_local(rules, rcpt, arena))
        return true;
    for (size_t i = 0; i < rules->count; i++)
        if (is_at_home(&rules->rules[i]) && names_domain_of(&rules->rules[i], rcpt, arena))
            return true;
    return false;
}

bool rules_own(const struct rules *rules, const struct address *a, struct arena *arena)
{
    struct address form = comparable(rules, a, arena);

    return is_our_domain(rules, &form, arena);
}

bool rules_serve(const struct rules *rules, const struct address *a, struct arena *arena)
{
    struct address form = comparable(rules, a, arena);

    if (domain_is_local(rules, &form, arena))
        return true;
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->rules[i];
        if (rule->verdict == RULE_ACCEPT && rule_is_for_any(rule) &&
            names_domain_of(rule, &form, arena))
            return true;
    }
    return false;
}

bool rules_is_our_postmaster(const struct rules *rules, const struct address *rcpt,
                             struct arena *arena)
{
    return address_is_postmaster(rcpt) && is_our_domain(rules, rcpt, arena);
}

static bool gives_postmaster_a_home(const struct rule *rule, const struct address *rcpt)
{
    if (rule == NULL || rule->verdict != RULE_ACCEPT)
        return false;
    if (rule->aliases != NULL && aliases_find(rule->aliases, rcpt) != NULL)
        return true;
    if (rule->action == ACTION_NONE)
        return false;
    return (rule->users != NULL && accounts_have(rule->users, rcpt)) ||
           (rule->to.match == MATCH_ADDRESS && address_is_postmaster(&rule->to.address));
}

static bool goes_to_postmaster(const struct rules *rules, const struct address *rcpt,
                               const struct rule *rule, struct arena *arena)
{
    return rules->postmaster.kind != ADDRESS_NULL && rules_is_our_postmaster(rules, rcpt, arena) &&
           !gives_postmaster_a_home(rule, rcpt);
}

static bool is_abuse(const struct address *a)
{
    return slice_equal_nocase(without_detail(a->local), SLICE("abuse"));
}

/* ---- comparing ---- */

struct rules_compared rules_compare(const struct rules *rules, const struct rules_query *query,
                                    struct arena *arena)
{
    struct rules_compared q = {.from_local = query->from_local,
                               .user = query->user,
                               .sender = comparable(rules, &query->sender, arena),
                               .rcpt = comparable(rules, &query->rcpt, arena)};

    q.has_ip = ip_parse(query->client, q.ip);
    return q;
}

struct rules_compared rules_compare_yielded(const struct rules *rules,
                                            const struct rules_query *query,
                                            const struct address *yielded, struct arena *arena)
{
    bool from_nobody = address_is_postmaster(&query->rcpt) || is_abuse(&query->rcpt);
    struct rules_compared q = {.from_local = true, .rcpt = comparable(rules, yielded, arena)};

    if (!from_nobody)
        q.sender = comparable(rules, &query->sender, arena);
    return q;
}

/* ---- one step ---- */

static struct rules_step step_to_address(const struct rule *rule, const struct address *to)
{
    return (struct rules_step){.kind = STEP_ADDRESS, .rule = rule, .address = to, .origin = to};
}

/* Fills *out when the entry yields something; the one that yielded this very address is passed. */
static bool step_to_alias(const struct rule *rule, const struct alias_entry *entry, bool by_name,
                          const void *from, struct rules_step *out)
{
    if (entry == NULL || entry == from)
        return false;
    *out = (struct rules_step){.kind = STEP_ALIAS,
                               .rule = rule,
                               .entry = entry,
                               .aliases = rule->aliases,
                               .origin = entry,
                               .by_name = by_name};
    return true;
}

static struct rules_step step_home(struct decision d)
{
    return (struct rules_step){
        .kind = d.kind == DECIDE_REFUSE ? STEP_REFUSE : STEP_HOME, .decision = d, .rule = d.rule};
}

struct rules_step rules_step(const struct rules *rules, const struct rules_query *query,
                             const struct rules_compared *q, const void *from, struct arena *arena)
{
    bool depends;
    const struct rule *rule = first_match(rules, q, arena, &depends);
    const struct address *rcpt = &q->rcpt;
    struct rules_step step;

    if (depends)
        return (struct rules_step){.kind = STEP_DEPENDS, .rule = rule};
    if (from != &rules->postmaster && goes_to_postmaster(rules, rcpt, rule, arena))
        return step_to_address(rule, &rules->postmaster);

    struct decision d = home_of(query, rcpt, rule, arena);
    if (rule == NULL || rule->verdict != RULE_ACCEPT)
        return step_home(d);
    if (rule->aliases != NULL &&
        step_to_alias(rule, aliases_find(rule->aliases, rcpt), true, from, &step))
        return step;
    if (d.kind != DECIDE_REFUSE)
        return step_home(d);
    if (rule->aliases != NULL &&
        step_to_alias(rule, aliases_find_domain(rule->aliases, rcpt), false, from, &step))
        return step;
    if (rule->catch_all.kind != ADDRESS_NULL && from != &rule->catch_all)
        return step_to_address(rule, &rule->catch_all);
    if (is_abuse(rcpt) && from != &rules->postmaster && rules->postmaster.kind != ADDRESS_NULL)
        return step_to_address(rule, &rules->postmaster);
    return step_home(d);
}

struct decision rules_decide(const struct rules *rules, const struct rules_query *query,
                             const struct address *final, struct arena *arena)
{
    struct address given = rules_complete(rules, &query->rcpt);
    struct rules_compared q = address_equal(&given, final)
                                  ? rules_compare(rules, query, arena)
                                  : rules_compare_yielded(rules, query, final, arena);
    bool depends;
    const struct rule *rule = first_match(rules, &q, arena, &depends);

    if (goes_to_postmaster(rules, &q.rcpt, rule, arena)) { /* and lives under its own name */
        q = rules_compare_yielded(rules, query, final, arena);
        rule = first_match(rules, &q, arena, &depends);
    }
    struct decision d = home_of(query, &q.rcpt, rule, arena);
    d.final = *final;
    return d;
}
