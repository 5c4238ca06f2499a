/*
 * settings_rules.c - what the words of a rule mean.
 *
 * A rule is filled in while its line is read, and counts only when the whole line was right.
 */
#include "config/settings_internal.h"

/* The rule counts only from finish_rule() on. */
static bool begin_rule(struct parser *p, struct place word, enum rule_verdict verdict)
{
    p->rule = &p->rules[p->settings->rules.count];
    p->rule_places[p->settings->rules.count] = (struct rule_places){.rule = word};
    *p->rule = (struct rule){.verdict = verdict, .file = p->file, .line = word.line};
    return true;
}

bool parser_begin_accept(struct parser *p, struct place word, const struct value *values)
{
    (void)values;
    return begin_rule(p, word, RULE_ACCEPT);
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

bool parser_set_from(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->rule->from = (enum rule_from)values[0].number;
    return true;
}

static struct rule_target target_of(const struct value *values)
{
    return (struct rule_target){
        .match = (enum rule_match)values[0].number,
        .domain = values[1].text,
        .address = values[1].address,
    };
}

bool parser_set_sender(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->rule->sender = target_of(values);
    return true;
}

bool parser_set_to(struct parser *p, struct place word, const struct value *values)
{
    (void)word;
    p->rule->to = target_of(values);
    return true;
}

bool parser_set_action(struct parser *p, struct place word, const struct value *values)
{
    if (p->rule->verdict != RULE_ACCEPT)
        return desk_error(&p->desk, word, SLICE("only 'accept' delivers"),
                          SLICE("remove it, or make the rule an 'accept'"));
    p->rule->action = (enum rule_action)values[0].number;
    p->rule->path = values[1].text;
    return true;
}

static bool check_accepts(struct parser *p, struct place word, const char *clause)
{
    return p->rule->verdict == RULE_ACCEPT ||
           desk_error(&p->desk, word,
                      arena_printf(p->desk.scratch, "only 'accept' takes '%s'", clause),
                      SLICE("remove it, or make the rule an 'accept'"));
}

static struct rule_places *places_of_rule(struct parser *p)
{
    return &p->rule_places[p->settings->rules.count];
}

bool parser_set_users(struct parser *p, struct place word, const struct value *values)
{
    struct syntax_word ask = {.text = values[0].text, .place = values[0].place};
    struct settings_table *table;

    if (!check_accepts(p, word, "users"))
        return false;
    if (slice_equal(ask.text, SLICE("ask")))
        return desk_not_yet(&p->desk, &ask);
    table = tables_take(&p->tables, &values[0], TABLE_ACCOUNTS);
    if (table == NULL)
        return false;
    p->rule->users = table->accounts;
    places_of_rule(p)->users = word;
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
