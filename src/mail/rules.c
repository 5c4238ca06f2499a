/*
 * rules.c - the first rule that matches decides.
 *
 * Only `from`, `sender` and `to` decide a match; what the rule then does is not asked, so that a
 * person can read the file from top to bottom and stop at the first line that fits.
 *
 * Postmaster stands above the rules (RFC 5321 4.5.1): its mail goes to rules->postmaster, whose
 * home is looked up as local mail from nobody, so that neither a relay refusal nor a rule against
 * some sender can close the one door that others need to report trouble. Only a rule that names
 * the address postmaster@DOMAIN itself gives it another home.
 *
 * Local parts are compared without case, because mailbox names are lower case: a rule about
 * bob@example.org that BOB@example.org slips past would be a trap.
 */
#include "mail/rules.h"

#include "wire/chars.h"

/* A query in the form that rules are compared with. */
struct compared {
    bool from_local;
    struct address sender; /* bare names completed, domains as A-labels */
    struct address rcpt;
};

static struct slice to_ascii(struct slice domain, struct arena *arena)
{
    struct slice ascii;

    for (size_t i = 0; i < domain.len; i++) {
        if (char_is(domain.data[i], CHAR_HIGH))
            return domain_to_ascii(domain, arena, &ascii) ? ascii : domain;
    }
    return domain;
}

static struct address complete(const struct rules *rules, const struct address *a)
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
    struct address form = complete(rules, a);

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

/* A "+" at the start begins no detail: it would leave no name. */
static struct slice without_detail(struct slice local)
{
    size_t plus = slice_find(local, '+');

    return plus > 0 ? slice_head(local, plus) : local;
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
    }
    return false;
}

static const struct rule *first_match(const struct rules *rules, const struct compared *q,
                                      struct arena *arena)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->rules[i];
        if ((rule->from == FROM_ANY || q->from_local) &&
            target_matches(rules, &rule->sender, &q->sender, arena) &&
            target_matches(rules, &rule->to, &q->rcpt, arena))
            return rule;
    }
    return NULL;
}

static struct decision refuse(const struct rules_query *query, struct arena *arena,
                              const struct rule *rule, struct reply refusal)
{
    bool about_sender = rule != NULL && rule->verdict == RULE_REJECT &&
                        rule->sender.match != MATCH_ANY && rule->to.match == MATCH_ANY;
    struct slice who = address_text(arena, about_sender ? &query->sender : &query->rcpt);
    const char *what = rule == NULL   ? ""
                       : about_sender ? "Sender address rejected: "
                                      : "Recipient address rejected: ";

    refusal.text =
        arena_printf(arena, "<%.*s>: %s%.*s", SLICE_PRINTF(who), what, SLICE_PRINTF(refusal.text));
    return (struct decision){.kind = DECIDE_REFUSE, .refusal = refusal, .rule = rule};
}

static struct decision reject(const struct rules_query *query, struct arena *arena,
                              const struct rule *rule)
{
    struct reply refusal = rule->refusal;

    if (refusal.code == 0)
        refusal = REPLY(554, "5.7.1", "");
    if (refusal.text.len == 0)
        refusal.text = SLICE("Access denied");
    return refuse(query, arena, rule, refusal);
}

static struct decision accept(const struct rules_query *query, struct arena *arena,
                              const struct rule *rule)
{
    switch (rule->action) {
    case ACTION_MAILDIR:
        return (struct decision){.kind = DECIDE_MAILDIR, .path = rule->path, .rule = rule};
    case ACTION_NONE: break;
    }
    return refuse(query, arena, rule, REPLY(550, "5.1.1", "User unknown"));
}

static struct decision by_rule(const struct rules_query *query, struct arena *arena,
                               const struct rule *rule)
{
    if (rule == NULL)
        return refuse(query, arena, NULL, REPLY(554, "5.7.1", "Relay access denied"));
    switch (rule->verdict) {
    case RULE_ACCEPT: return accept(query, arena, rule);
    case RULE_REJECT: return reject(query, arena, rule);
    case RULE_DISCARD: break;
    }
    return (struct decision){.kind = DECIDE_DISCARD, .rule = rule};
}

/* A domain of ours: local, or named by a rule that accepts. "to any" names none: behind it may
 * stand the whole Internet. */
static bool is_our_domain(const struct rules *rules, const struct address *rcpt,
                          struct arena *arena)
{
    if (domain_is_local(rules, rcpt, arena))
        return true;
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule_target *to = &rules->rules[i].to;
        if (rules->rules[i].verdict != RULE_ACCEPT)
            continue;
        if (to->match == MATCH_DOMAIN && domain_matches(to->domain, rcpt, arena))
            return true;
        if (to->match == MATCH_ADDRESS && to->address.kind == rcpt->kind &&
            slice_equal_nocase(to_ascii(to->address.domain, arena), rcpt->domain))
            return true;
    }
    return false;
}

static bool gives_postmaster_a_home(const struct rule *rule)
{
    return rule != NULL && rule->verdict == RULE_ACCEPT && rule->action != ACTION_NONE &&
           rule->to.match == MATCH_ADDRESS && address_is_postmaster(&rule->to.address);
}

static struct decision to_postmaster(const struct rules *rules, const struct rules_query *query,
                                     struct arena *arena)
{
    struct compared home = {.from_local = true,
                            .rcpt = comparable(rules, &rules->postmaster, arena)};
    struct decision d = by_rule(query, arena, first_match(rules, &home, arena));

    d.final = complete(rules, &rules->postmaster);
    return d;
}

struct decision rules_decide(const struct rules *rules, const struct rules_query *query,
                             struct arena *arena)
{
    struct compared compared = {
        .from_local = query->from_local,
        .sender = comparable(rules, &query->sender, arena),
        .rcpt = comparable(rules, &query->rcpt, arena),
    };

    if (query->rcpt.kind == ADDRESS_NULL)
        return (struct decision){.kind = DECIDE_REFUSE,
                                 .refusal = REPLY(501, "5.1.3", "Bad recipient address syntax")};

    const struct rule *rule = first_match(rules, &compared, arena);
    bool is_postmaster = address_is_postmaster(&query->rcpt) &&
                         rules->postmaster.kind != ADDRESS_NULL &&
                         is_our_domain(rules, &compared.rcpt, arena);

    if (is_postmaster && !gives_postmaster_a_home(rule))
        return to_postmaster(rules, query, arena);

    struct decision d = by_rule(query, arena, rule);
    d.final = complete(rules, &query->rcpt);
    return d;
}
