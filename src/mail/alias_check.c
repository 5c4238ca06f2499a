/*
 * alias_check.c - a depth-first search over the entries of all tables.
 *
 * Entries are the nodes; an edge leads from a target to the entry that it finds, by the rule that
 * takes the target as local mail. As in expand.c an entry is not asked again for what it yielded
 * itself, so an edge to itself is none. An entry that is done remembers how long a chain it begins,
 * so that chains are measured across everything without walking them again. The stack is as deep
 * as a chain may be, and no deeper.
 */
#include "mail/alias_check.h"

#include "base/map.h"
#include "base/memory.h"
#include "mail/expand.h"

#include <assert.h>

enum { UNSEEN, OPEN, DONE };

struct node {
    uint8_t state;
    uint8_t length; /* of the longest chain that begins here; DONE */
};

/* A table and its nodes. */
struct table {
    const struct aliases *aliases;
    const struct alias_entry *entries;
    size_t count;
    struct node *nodes;
};

struct frame {
    struct table *table;
    size_t entry;
    uint32_t next; /* target, of all */
};

struct check {
    const struct rules *rules;
    struct table *tables;
    size_t table_count;
    struct frame frames[ALIAS_DEPTH_MAX];
    unsigned depth;
    struct arena scratch; /* of one target */
    struct map unknown;   /* addresses of whom it was told that nobody has them */
};

/* ---- telling ---- */

static struct slice target_text(struct check *c, const struct frame *f)
{
    struct address a = aliases_target(f->table->aliases, f->next - 1, &c->scratch);

    a = rules_complete(c->rules, &a);
    return address_text(&c->scratch, &a);
}

static void tell(struct check *c, enum severity severity, struct slice message, struct slice hint)
{
    const struct frame *f = &c->frames[c->depth - 1];
    struct place place;
    struct source *source = aliases_target_place(f->table->aliases, f->next - 1, &place);

    complain(&source->complaints, severity, place, message, hint);
}

/* The targets on the stack from the frame that is met again. */
static void tell_loop(struct check *c, const struct node *again)
{
    struct slice chain = target_text(c, &c->frames[c->depth - 1]);
    unsigned i = 0;

    while (&c->frames[i].table->nodes[c->frames[i].entry] != again)
        i++;
    for (; i < c->depth; i++)
        chain = arena_printf(&c->scratch, "%.*s -> %.*s", SLICE_PRINTF(chain),
                             SLICE_PRINTF(target_text(c, &c->frames[i])));
    tell(c, SEVERITY_ERROR, arena_printf(&c->scratch, "alias loop: %.*s", SLICE_PRINTF(chain)),
         SLICE("mail would go round in it; break it at one of them"));
}

static void tell_too_deep(struct check *c)
{
    tell(c, SEVERITY_ERROR, SLICE("more than 50 aliases, one behind the other"),
         SLICE("name the last of them here"));
}

static void tell_dead_end(struct check *c, const struct address *a, const struct rule *rule)
{
    struct slice who = address_text(&c->scratch, a);

    if (rule == NULL)
        tell(c, SEVERITY_ERROR,
             arena_printf(&c->scratch, "no rule takes mail for %.*s", SLICE_PRINTF(who)),
             SLICE("name an address that an 'accept' rule takes, or write a rule for it"));
    else if (rule->verdict == RULE_REJECT)
        tell(c, SEVERITY_WARNING,
             arena_printf(&c->scratch, "the rule in line %u of %.*s rejects %.*s", rule->line,
                          SLICE_PRINTF(rule->file), SLICE_PRINTF(who)),
             SLICE("mail to this alias will be refused"));
    else if (map_put(&c->unknown, who, c) == NULL)
        tell(c, SEVERITY_WARNING,
             arena_printf(&c->scratch, "nobody is known as %.*s", SLICE_PRINTF(who)),
             SLICE("mail to whatever leads there passes it by, or is refused when nobody is left; "
                   "add an alias for that name"));
}

/* ---- walking ---- */

static struct table *table_of(struct check *c, const struct aliases *aliases)
{
    for (size_t i = 0; i < c->table_count; i++)
        if (c->tables[i].aliases == aliases)
            return &c->tables[i];
    return NULL;
}

static struct node *top_node(struct check *c)
{
    struct frame *f = &c->frames[c->depth - 1];

    return &f->table->nodes[f->entry];
}

static void lengthen(struct check *c, unsigned length)
{
    struct node *node = top_node(c);

    if (length + 1 > ALIAS_DEPTH_MAX)
        tell_too_deep(c);
    else if (length + 1 > node->length)
        node->length = (uint8_t)(length + 1);
}

static void open_entry(struct check *c, struct table *table, size_t entry)
{
    if (c->depth == ALIAS_DEPTH_MAX) {
        tell_too_deep(c);
        return;
    }
    c->frames[c->depth++] = (struct frame){table, entry, table->entries[entry].first};
    *top_node(c) = (struct node){OPEN, 1};
}

static void close_entry(struct check *c)
{
    struct node *node = top_node(c);

    node->state = DONE;
    if (--c->depth > 0)
        lengthen(c, node->length);
}

/* Past catch-alls and postmaster, which yield one address each and are few. */
static struct rules_step step_past_addresses(struct check *c, const struct address *from_alias,
                                             const void *origin, struct address *last)
{
    const struct rules_query nobody = {.from_local = true};
    struct rules_step step = {.address = from_alias, .origin = origin};

    for (unsigned i = 0; i < ALIAS_DEPTH_MAX; i++) {
        *last = rules_complete(c->rules, step.address);
        struct rules_compared q = rules_compare_yielded(c->rules, &nobody, last, &c->scratch);

        q.sender_unknown = true;
        step = rules_step(c->rules, &nobody, &q, step.origin, &c->scratch);
        if (step.kind != STEP_ADDRESS)
            break;
    }
    return step;
}

static void look_at_target(struct check *c)
{
    struct frame *f = &c->frames[c->depth - 1];
    struct address last, a = aliases_target(f->table->aliases, f->next++, &c->scratch);
    struct rules_step step = step_past_addresses(c, &a, &f->table->entries[f->entry], &last);

    switch (step.kind) {
    case STEP_HOME:
    case STEP_DEPENDS: return;
    case STEP_REFUSE: tell_dead_end(c, &last, step.rule); return;
    case STEP_ADDRESS:
        tell(c, SEVERITY_ERROR, SLICE("this leads from one catch-all to the next, for ever"),
             SLICE("let one of them name an address that has a mailbox"));
        return;
    case STEP_ALIAS: break;
    }
    struct table *table = table_of(c, step.aliases);
    assert(table != NULL);
    size_t entry = (size_t)(step.entry - table->entries);
    struct node *node = &table->nodes[entry];

    if (node->state == UNSEEN)
        open_entry(c, table, entry);
    else if (node->state == OPEN)
        tell_loop(c, node);
    else
        lengthen(c, node->length);
}

static void walk_from(struct check *c, struct table *table, size_t entry)
{
    open_entry(c, table, entry);
    while (c->depth > 0) {
        struct frame *f = &c->frames[c->depth - 1];
        const struct alias_entry *e = &f->table->entries[f->entry];

        if (f->next == e->first + e->count)
            close_entry(c);
        else
            look_at_target(c);
        arena_reset(&c->scratch);
    }
}

static void add_table(struct check *c, const struct aliases *aliases)
{
    struct table *t = &c->tables[c->table_count];

    if (aliases == NULL || table_of(c, aliases) != NULL)
        return;
    t->aliases = aliases;
    t->entries = aliases_entries(aliases, &t->count);
    t->nodes = memory_new(t->count * sizeof(*t->nodes));
    c->table_count++;
}

void alias_check(const struct rules *rules)
{
    static const uint64_t no_seed[2] = {0}; /* who writes the tables attacks nobody */
    struct check c = {.rules = rules};

    map_init(&c.unknown, no_seed);
    c.tables = memory_new(rules->count * sizeof(*c.tables));
    for (size_t i = 0; i < rules->count; i++)
        add_table(&c, rules->rules[i].aliases);
    for (size_t t = 0; t < c.table_count; t++)
        for (size_t entry = 0; entry < c.tables[t].count; entry++)
            if (c.tables[t].nodes[entry].state == UNSEEN)
                walk_from(&c, &c.tables[t], entry);
    for (size_t t = 0; t < c.table_count; t++)
        memory_free(c.tables[t].nodes);
    memory_free(c.tables);
    map_done(&c.unknown);
    arena_done(&c.scratch);
}
