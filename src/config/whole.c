/*
 * whole.c - the rules looked at together.
 *
 * A rule covers another if it takes whatever the other could. That is decided on the rules alone,
 * pair by pair; that several earlier rules together leave nothing for a later one is not found
 * out. Postmaster's way is not judged but tried, with the function that will decide.
 */
#include "config/whole.h"

#include "config/settings.h"
#include "mail/expand.h"
#include "mail/mailbox_path.h"

static bool domain_is_local(const struct rules *rules, struct slice domain)
{
    return slice_equal(domain, SLICE("localhost")) || slice_equal(domain, rules->hostname) ||
           slice_equal(domain, rules->origin);
}

/* Every domain that the inner pattern matches, the outer one matches too. */
static bool domains_cover(struct slice outer, struct slice inner)
{
    return slice_equal(outer, inner) ||
           (slice_starts(outer, SLICE("*.")) && slice_ends(inner, slice_skip(outer, 1)));
}

static struct slice domain_of(struct desk *desk, const struct rules *rules,
                              const struct rule_target *target)
{
    struct slice ascii;

    if (target->match == MATCH_DOMAIN)
        return target->domain;
    if (target->address.kind == ADDRESS_BARE)
        return rules->origin;
    return domain_to_ascii(target->address.domain, desk->scratch, &ascii) ? ascii
                                                                          : target->address.domain;
}

static bool address_covers(struct desk *desk, const struct rules *rules,
                           const struct rule_target *outer, const struct rule_target *inner)
{
    struct slice local = inner->address.local;
    struct slice name = slice_head(local, slice_find(local, '+'));

    return outer->address.kind == inner->address.kind &&
           slice_equal(domain_of(desk, rules, outer), domain_of(desk, rules, inner)) &&
           (slice_equal_nocase(outer->address.local, local) ||
            slice_equal_nocase(outer->address.local, name));
}

static bool target_covers(struct desk *desk, const struct rules *rules,
                          const struct rule_target *outer, const struct rule_target *inner)
{
    bool inner_is_name = inner->match == MATCH_DOMAIN ||
                         (inner->match == MATCH_ADDRESS && inner->address.kind != ADDRESS_LITERAL);

    switch (outer->match) {
    case MATCH_ANY: return true;
    case MATCH_LOCAL:
        return inner->match == MATCH_LOCAL ||
               (inner_is_name && domain_is_local(rules, domain_of(desk, rules, inner)));
    case MATCH_DOMAIN:
        return inner_is_name && domains_cover(outer->domain, domain_of(desk, rules, inner));
    case MATCH_DOMAINS:
    case MATCH_ADDRESSES: return inner->names == outer->names;
    case MATCH_ADDRESS: break;
    }
    return inner->match == MATCH_ADDRESS && address_covers(desk, rules, outer, inner);
}

static bool networks_cover(const struct rule *outer, const struct rule *inner)
{
    for (const struct rule_network *n = inner->networks; n != NULL; n = n->next) {
        const struct rule_network *one = outer->networks;

        while (one != NULL && !network_covers(&one->network, &n->network))
            one = one->next;
        if (one == NULL)
            return false;
    }
    return true;
}

static bool from_covers(const struct rule *outer, const struct rule *inner)
{
    unsigned left = inner->from & ~outer->from;

    if (rule_is_for_any(outer) || rule_is_for_any(inner))
        return rule_is_for_any(outer);
    if (!networks_cover(outer, inner))
        return false;
    left &= ~(unsigned)FROM_NETWORK;
    if ((outer->from & FROM_AUTHENTICATED) != 0)
        return (left & ~(unsigned)FROM_USER) == 0;
    return left == 0 && slice_equal_nocase(outer->user_from, inner->user_from);
}

static bool rule_covers(struct desk *desk, const struct rules *rules, const struct rule *outer,
                        const struct rule *inner)
{
    return from_covers(outer, inner) &&
           target_covers(desk, rules, &outer->sender, &inner->sender) &&
           target_covers(desk, rules, &outer->to, &inner->to);
}

void whole_check_dead_rules(struct desk *desk, const struct rules *rules,
                            const struct rule_places *places)
{
    for (size_t i = 0; i < rules->count; i++) {
        size_t earlier = 0;
        while (earlier < i && !rule_covers(desk, rules, &rules->rules[earlier], &rules->rules[i]))
            earlier++;
        if (earlier < i)
            desk_warning(
                desk, places[i].rule, SLICE("this rule can never match"),
                arena_printf(desk->scratch, "%.*s comes first and takes all of it",
                             SLICE_PRINTF(desk_where(desk, places[earlier].rule, places[i].rule))));
    }
}

/* "/a/b" holds "/a/b" and "/a/b/c". */
static bool path_holds(struct slice outer, struct slice inner)
{
    return slice_starts(inner, outer) && (inner.len == outer.len || outer.len <= 1 ||
                                          slice_skip(inner, outer.len).data[0] == '/');
}

/* The folder in which names from outside appear; or the one mailbox, when none do. */
static struct slice mailboxes_of(const struct rule *rule)
{
    struct slice root, rest;

    if (slice_find(rule->path, '{') == rule->path.len ||
        !mailbox_template_split(rule->path, &root, &rest))
        return rule->path;
    return root;
}

void whole_check_queue(struct desk *desk, const struct rules *rules, struct slice queue,
                       const struct rule_places *places)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (rules->rules[i].action != ACTION_MAILDIR)
            continue;
        struct slice boxes = mailboxes_of(&rules->rules[i]);
        if (path_holds(boxes, queue) || path_holds(queue, boxes))
            desk_error(desk, places[i].rule,
                       arena_printf(desk->scratch,
                                    "mailboxes in %.*s would mix with the queue in %.*s",
                                    SLICE_PRINTF(boxes), SLICE_PRINTF(queue)),
                       SLICE("give the queue a folder of its own"));
    }
}

/* By MX, mail for this very machine would come back to it. */
static bool comes_back(const struct rules *rules, const struct decision *d)
{
    return d->relay->host_count == 0 && (slice_equal_nocase(d->final.domain, rules->hostname) ||
                                         slice_equal_nocase(d->final.domain, SLICE("localhost")));
}

static bool is_read_by_somebody(const struct rules *rules, const struct decision *d)
{
    switch (d->kind) {
    case DECIDE_MAILDIR:
    case DECIDE_LMTP: return true;
    case DECIDE_RELAY: return !comes_back(rules, d);
    case DECIDE_DISCARD:
    case DECIDE_REFUSE: break;
    }
    return false;
}

void whole_check_postmaster(struct desk *desk, const struct rules *rules, struct place where)
{
    struct rules_query query = {
        .rcpt = {.kind = ADDRESS_BARE, .local = SLICE("postmaster")}
    };
    struct expansion x = rules_expand(rules, &query, desk->scratch);
    struct address admin = rules_complete(rules, &rules->postmaster);
    struct slice home = address_text(desk->scratch, &admin);
    bool relayed = false;

    for (unsigned i = 0; i < x.count; i++) {
        if (is_read_by_somebody(rules, &x.homes[i]))
            return;
        relayed = relayed || x.homes[i].kind == DECIDE_RELAY;
    }
    desk_error(desk, where,
               relayed ? arena_printf(desk->scratch,
                                      "postmaster's mail goes to %.*s, which by MX comes back here",
                                      SLICE_PRINTF(home))
                       : arena_printf(desk->scratch,
                                      "postmaster's mail goes to %.*s, but no rule delivers that",
                                      SLICE_PRINTF(home)),
               where.line > 0
                   ? SLICE("name an address that a rule delivers or relays")
                   : SLICE("write: postmaster ADDRESS, one that a rule delivers or relays"));
}

/* ---- strangers ---- */

static bool is_for_strangers(const struct rule *rule)
{
    const struct rule_network *n = rule->networks;

    while (n != NULL && !network_is_world(&n->network))
        n = n->next;
    return rule_is_for_any(rule) || n != NULL;
}

/* Mail for others than those whom somebody here knows: it leaves this machine, and what is wrong
 * with its recipients shows later, when only a bounce can tell. */
static bool takes_any_name(const struct rule *rule)
{
    bool leaves = rule->action == ACTION_LMTP || rule->action == ACTION_RELAY;

    return rule->verdict == RULE_ACCEPT && is_for_strangers(rule) && leaves &&
           rule->users == NULL && !rule->asks && rule->to.match != MATCH_ADDRESS &&
           rule->to.match != MATCH_ADDRESSES;
}

/* To the whole world, for whoever comes. A sender keeps nobody out: it is whatever the client
 * says. */
static bool is_open_relay(const struct rule *rule)
{
    return rule->verdict == RULE_ACCEPT && is_for_strangers(rule) && rule->to.match == MATCH_ANY &&
           rule->action == ACTION_RELAY &&
           (rule->users == NULL || accounts_have_bare_names(rule->users));
}

static struct slice how_to_close(const struct rule *rule)
{
    if (rule->users != NULL)
        return SLICE("accounts without '@' hold in every domain: add 'to domain NAME'");
    if (rule->networks != NULL)
        return SLICE("the network is a part of the Internet: name your own, or 'to domain NAME'");
    if (rule->sender.match != MATCH_ANY)
        return SLICE("a sender is easily forged: add 'from local', or 'to domain NAME'");
    return SLICE("add 'from local,authenticated', or 'to domain NAME'");
}

void whole_check_strangers(struct desk *desk, const struct rules *rules,
                           const struct rule_places *places)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->rules[i];

        if (is_open_relay(rule))
            desk_error(desk, places[i].action,
                       SLICE("an open relay: whoever comes may send to the whole world"),
                       how_to_close(rule));
        else if (takes_any_name(rule))
            desk_warning(
                desk, places[i].action,
                SLICE("every address is accepted; unknown ones bounce to innocent senders"),
                SLICE("add 'users TABLE' with everybody whom the other server knows, or 'users "
                      "ask'"));
    }
}

/* ---- accounts ---- */

/* The name that it has where this one logs in; "": nobody does. Before there are any accounts, all
 * names are good. */
static struct slice name_at_login(struct desk *desk, const struct settings *s, struct slice name)
{
    struct account found;
    bool any = false;

    for (size_t i = 0; i < s->listener_count; i++) {
        const struct settings_table *auth = s->listeners[i].auth;

        if (auth != NULL && accounts_login(auth->accounts, name, desk->scratch, &found))
            return found.name;
        any = any || (auth != NULL && accounts_count(auth->accounts) > 0);
    }
    return any ? SLICE("") : name;
}

void whole_check_accounts(struct desk *desk, const struct settings *settings,
                          const struct account_mention *mentions)
{
    for (const struct account_mention *m = mentions; m != NULL; m = m->next) {
        struct slice known = name_at_login(desk, settings, m->name);

        if (known.len == 0)
            desk_warning(desk, m->where, SLICE("nobody can log in by this name"),
                         SLICE("write it as the table of `auth` has it, or: postroad user add"));
        else if (!slice_equal(known, m->name))
            desk_warning(desk, m->where,
                         SLICE("the account has no domain, so it never has this name"),
                         arena_printf(desk->scratch, "write: user %.*s", SLICE_PRINTF(known)));
    }
}

/* ---- recipients ---- */

static void check_users(struct desk *desk, const struct rule *rule, const struct rule_places *at)
{
    if (rule->users != NULL && rule->action == ACTION_NONE)
        desk_error(desk, at->users,
                   SLICE("'users' says who has a mailbox, but this rule delivers to none"),
                   SLICE("add 'deliver' or 'relay', or remove it"));
    if (rule->asks && rule->action != ACTION_LMTP && rule->action != ACTION_RELAY)
        desk_error(desk, at->users,
                   SLICE("'users ask' asks the next server, but this rule leads to none"),
                   SLICE("add 'deliver lmtp' or 'relay', or name a table of users"));
    if (rule->catch_all.kind != ADDRESS_NULL && rule->action != ACTION_NONE && rule->users == NULL)
        desk_error(desk, at->catch_all,
                   SLICE("nothing is left to catch: this rule delivers for every address"),
                   SLICE("add 'users TABLE', or remove 'catch-all' or 'deliver'"));
}

/* As local mail from somebody; what depends on whom is left to RCPT. */
static bool leads_somewhere(struct desk *desk, const struct rules *rules, const struct address *to)
{
    struct rules_query query = {.from_local = true, .rcpt = *to};
    struct rules_compared q = rules_compare(rules, &query, desk->scratch);

    if (rules_expand(rules, &query, desk->scratch).refusal.code == 0)
        return true;
    q.sender_unknown = true;
    return rules_step(rules, &query, &q, NULL, desk->scratch).kind == STEP_DEPENDS;
}

static void check_address(struct desk *desk, const struct rules *rules, const struct address *to,
                          struct place at, const char *what)
{
    struct address whole = rules_complete(rules, to);

    if (to->kind == ADDRESS_NULL || leads_somewhere(desk, rules, &whole))
        return;
    desk_error(desk, at,
               arena_printf(desk->scratch, "%s %.*s, but no rule delivers that", what,
                            SLICE_PRINTF(address_text(desk->scratch, &whole))),
               SLICE("name an address that a rule delivers or relays"));
}

void whole_check_recipients(struct desk *desk, const struct rules *rules,
                            const struct rule_places *places)
{
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->rules[i];

        check_users(desk, rule, &places[i]);
        check_address(desk, rules, &rule->catch_all, places[i].catch_all,
                      "mail for unknown names goes to");
        check_address(desk, rules, &rule->copy, places[i].copy, "copies go to");
    }
}
