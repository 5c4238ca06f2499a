/*
 * settings_rules.c - what the words of a rule mean.
 *
 * A rule is filled in while its line is read, and counts only when the whole line was right.
 */
#include "config/settings_internal.h"

enum { SMTP_PORT = 25 };

/* The rule counts only from finish_rule() on. */
static bool begin_rule(struct parser *p, struct place word, enum rule_verdict verdict)
{
    p->rule = &p->rules[p->settings->rules.count];
    p->rule_places[p->settings->rules.count] = (struct rule_places){.rule = word};
    *p->rule = (struct rule){.verdict = verdict, .file = parser_file(p, word), .line = word.line};
    return true;
}

bool parser_begin_accept(struct parser *p, struct place word, const struct value *values)
{
    (void)values;
    return begin_rule(p, word, RULE_ACCEPT);
}

bool parser_begin_hold(struct parser *p, struct place word, const struct value *values)
{
    (void)values;
    (void)begin_rule(p, word, RULE_ACCEPT);
    p->rule->holds = true;
    return true;
}

bool parser_begin_reject(struct parser *p, struct place word, const struct value *values)
{
    (void)values;
    return begin_rule(p, word, RULE_REJECT);
}

bool parser_begin_discard(struct parser *p, struct place word, const struct value *values)
{
    (void)values;
    return begin_rule(p, word, RULE_DISCARD);
}

void parser_finish_rule(struct parser *p)
{
    p->settings->rules.count++;
}

static void add_network(struct parser *p, const struct network *network)
{
    struct rule_network *n = ARENA_NEW(&p->settings->arena, struct rule_network);

    *n = (struct rule_network){p->rule->networks, *network};
    p->rule->networks = n;
}

struct slice parser_take_account(struct parser *p, const struct value *value)
{
    struct account_mention *m = ARENA_NEW(p->desk.scratch, struct account_mention);

    *m = (struct account_mention){p->mentions, account_name(&value->address, &p->settings->arena),
                                  value->place};
    p->mentions = m;
    return m->name;
}

bool parser_set_from(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->rule->from |= (unsigned)values[0].number;
    if (values[0].number == FROM_USER)
        p->rule->user_from = parser_take_account(p, &values[1]);
    if (values[0].number == FROM_NETWORK)
        add_network(p, &values[1].network);
    return true;
}

bool parser_take_target(struct parser *p, const struct value *values, struct rule_target *out)
{
    enum rule_match match = (enum rule_match)values[0].number;
    const struct settings_table *table;

    *out = (struct rule_target){
        .match = match, .domain = values[1].text, .address = values[1].address};
    if (!values[1].is_table)
        return true;
    table = tables_take(&p->tables, &values[1], TABLE_LIST);
    if (table == NULL)
        return false;
    *out = (struct rule_target){.match = match == MATCH_ADDRESS ? MATCH_ADDRESSES : MATCH_DOMAINS,
                                .names = table->names};
    return true;
}

bool parser_set_sender(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    return parser_take_target(p, values, &p->rule->sender);
}

bool parser_set_to(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    return parser_take_target(p, values, &p->rule->to);
}

static struct rule_places *places_of_rule(struct parser *p)
{
    return &p->rule_places[p->settings->rules.count];
}

static bool begin_action(struct parser *p, struct place word, enum rule_action action)
{
    if (p->rule->verdict != RULE_ACCEPT)
        return desk_error(&p->desk, word,
                          action == ACTION_RELAY ? SLICE("only 'accept' relays")
                                                 : SLICE("only 'accept' delivers"),
                          SLICE("remove it, or make the rule an 'accept'"));
    if (p->rule->action != ACTION_NONE)
        return desk_error(&p->desk, word, SLICE("a rule sends its mail to one place only"),
                          SLICE("keep one of 'deliver' and 'relay'"));
    p->rule->action = action;
    places_of_rule(p)->action = word;
    return true;
}

bool parser_set_action(struct parser *p, struct place word, const struct value *values)
{
    enum rule_action action = (enum rule_action)values[0].number;
    struct route_target *server;

    if (!begin_action(p, word, action))
        return false;
    p->rule->path = values[1].text;
    if (action != ACTION_LMTP)
        return true;
    if (values[1].server.port == SMTP_PORT)
        return desk_error(&p->desk, values[1].place, SLICE("LMTP must not be spoken on port 25"),
                          SLICE("take another port, or unix:/PATH (RFC 2033 5)"));
    server = ARENA_NEW(&p->settings->arena, struct route_target);
    *server = values[1].server;
    p->rule->lmtp = server;
    return true;
}

bool parser_set_relay(struct parser *p, struct place word, const struct value *values)
{
    const struct named *named;

    if (!begin_action(p, word, ACTION_RELAY))
        return false;
    named = named_take(&p->relays, &values[0]);
    if (named == NULL)
        return false;
    p->rule->relay = named->thing;
    return true;
}

static bool check_accepts(struct parser *p, struct place word, const char *clause)
{
    return p->rule->verdict == RULE_ACCEPT ||
           desk_error(&p->desk, word,
                      arena_printf(p->desk.scratch, "only 'accept' takes '%s'", clause),
                      SLICE("remove it, or make the rule an 'accept'"));
}

bool parser_set_users(struct parser *p, struct place word, const struct value *values)
{
    struct settings_table *table;

    if (!check_accepts(p, word, "users"))
        return false;
    places_of_rule(p)->users = word;
    p->rule->asks = slice_equal(values[0].text, SLICE("ask"));
    if (p->rule->asks)
        return true;
    table = tables_take(&p->tables, &values[0], TABLE_ACCOUNTS);
    if (table == NULL)
        return false;
    p->rule->users = table->accounts;
    return true;
}

bool parser_set_aliases(struct parser *p, struct place word, const struct value *values)
{
    struct settings_table *table;

    if (!check_accepts(p, word, "aliases"))
        return false;
    table = tables_take(&p->tables, &values[0], TABLE_ALIASES);
    if (table == NULL)
        return false;
    p->rule->aliases = table->aliases;
    return true;
}

bool parser_set_catch_all(struct parser *p, struct place word, const struct value *values)
{
    if (!check_accepts(p, word, "catch-all"))
        return false;
    p->rule->catch_all = values[0].address;
    places_of_rule(p)->catch_all = values[0].place;
    return true;
}

bool parser_set_copy(struct parser *p, struct place word, const struct value *values)
{
    if (!check_accepts(p, word, "copy"))
        return false;
    p->rule->copy = values[0].address;
    places_of_rule(p)->copy = values[0].place;
    return true;
}

bool parser_set_refusal(struct parser *p, struct place word, const struct value *values)
{
    if (p->rule->verdict != RULE_REJECT)
        return desk_error(&p->desk, word, SLICE("only 'reject' answers with a text"),
                          SLICE("remove it, or make the rule a 'reject'"));
    p->rule->refusal = values[0].refusal;
    return true;
}
