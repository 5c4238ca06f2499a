/*
 * expand.c - a walk from one address to those it stands for.
 *
 * The way so far is a stack of frames, one for each thing that yields: an alias, a catch-all,
 * postmaster. What is on the stack and comes again is a loop; what was followed before and comes
 * again has said everything already, so no table can make the walk longer than itself. Copies wait
 * until somebody was found, and are then walked in the same way.
 */
#include "mail/expand.h"

#include "mail/envelope.h"

#include <string.h>

struct frame {
    const void *origin;
    const struct aliases *aliases; /* and its targets from `next` to `end` */
    uint32_t next, end;
    const struct address *single; /* or this one address */
    bool keeps_detail;
};

struct walk {
    const struct rules *rules;
    const struct rules_query *query;
    struct arena *arena;
    struct frame frames[ALIAS_DEPTH_MAX];
    unsigned depth;
    const void **followed; /* every origin so far */
    unsigned followed_count, followed_room;
    const struct rule **copying; /* rules whose copy is owed or done */
    unsigned copying_count, copied;
    unsigned visits;
    struct slice detail; /* "+list" of the recipient as given */
    struct reply refusal;
    struct expansion out;
    unsigned room;
};

static void refuse(struct walk *w, struct reply refusal)
{
    if (w->refusal.code == 0)
        w->refusal = refusal;
}

static void refuse_for_now(struct walk *w, const char *why)
{
    struct reply refusal = {451, SLICE("4.3.5"), slice_of(why)};

    refuse(w, rules_refusal(w->query, refusal, w->arena));
}

/* ---- whom it is for ---- */

static bool is_home(const struct walk *w, const struct address *a)
{
    for (unsigned i = 0; i < w->out.count; i++)
        if (address_equal(&w->out.finals[i], a))
            return true;
    return false;
}

static void *grown(struct arena *arena, const void *old, size_t count, size_t room, size_t size)
{
    void *new = arena_alloc_array(arena, size, room);

    if (count > 0)
        memcpy(new, old, count * size);
    return new;
}

static void add_home(struct walk *w, const struct address *a, struct decision d)
{
    struct expansion *x = &w->out;

    if (is_home(w, a))
        return;
    if (x->count == ENVELOPE_RCPTS_MAX) {
        refuse_for_now(w, "this alias stands for too many");
        return;
    }
    if (x->count == w->room) {
        w->room = w->room == 0 ? 4 : w->room * 4;
        x->homes = grown(w->arena, x->homes, x->count, w->room, sizeof(*x->homes));
        x->finals = grown(w->arena, x->finals, x->count, w->room, sizeof(*x->finals));
    }
    d.final = *a;
    x->homes[x->count] = d;
    x->finals[x->count++] = *a;
}

/* bob+list, an alias for ann: ann+list, if that is delivered by the same rule. Elsewhere a '+' may
 * mean nothing, or somebody else. */
static struct address with_detail(struct walk *w, const struct address *a, const struct decision *d)
{
    struct address longer = *a;

    if (w->detail.len == 0 || d->kind == DECIDE_RELAY ||
        without_detail(a->local).len < a->local.len ||
        a->local.len + w->detail.len > LOCAL_PART_MAX)
        return *a;
    longer.local =
        arena_printf(w->arena, "%.*s%.*s", SLICE_PRINTF(a->local), SLICE_PRINTF(w->detail));
    struct decision there = rules_decide(w->rules, w->query, &longer, w->arena);
    return there.kind == d->kind && there.rule == d->rule ? longer : *a;
}

/* ---- following ---- */

static bool was_followed(struct walk *w, const void *origin)
{
    for (unsigned i = 0; i < w->depth; i++)
        if (w->frames[i].origin == origin) {
            refuse_for_now(w, "this alias leads back to itself");
            return true;
        }
    for (unsigned i = 0; i < w->followed_count; i++)
        if (w->followed[i] == origin)
            return true;
    return false;
}

static void note_followed(struct walk *w, const void *origin)
{
    if (w->followed_count == w->followed_room) {
        w->followed_room = w->followed_room == 0 ? 16 : w->followed_room * 4;
        w->followed =
            grown(w->arena, w->followed, w->followed_count, w->followed_room, sizeof(*w->followed));
    }
    w->followed[w->followed_count++] = origin;
}

static void follow(struct walk *w, const struct rules_step *step, bool keeps_detail)
{
    struct frame *f = &w->frames[w->depth];

    if (was_followed(w, step->origin))
        return;
    if (w->depth == ALIAS_DEPTH_MAX) {
        refuse_for_now(w, "more than 50 aliases, one behind the other");
        return;
    }
    note_followed(w, step->origin);
    *f = (struct frame){.origin = step->origin, .single = step->address, .end = 1};
    if (step->kind == STEP_ALIAS) {
        f->single = NULL;
        f->aliases = step->aliases;
        f->next = step->entry->first;
        f->end = step->entry->first + step->entry->count;
        f->keeps_detail = keeps_detail && step->by_name;
    }
    w->depth++;
}

static struct address take_next(struct walk *w, struct frame *f)
{
    uint32_t i = f->next++;
    struct address a = f->single != NULL ? *f->single : aliases_target(f->aliases, i, w->arena);

    return rules_complete(w->rules, &a);
}

/* ---- one address ---- */

static void owe_copy(struct walk *w, const struct rule *rule)
{
    if (rule == NULL || rule->verdict != RULE_ACCEPT || rule->copy.kind == ADDRESS_NULL)
        return;
    for (unsigned i = 0; i < w->copying_count; i++)
        if (w->copying[i] == rule)
            return;
    if (w->copying == NULL)
        w->copying = ARENA_ARRAY(w->arena, const struct rule *, w->rules->count);
    w->copying[w->copying_count++] = rule;
}

/* Of somebody that the recipient as given stands for. */
static void miss(struct walk *w, const struct decision *d)
{
    if (d->rule == NULL)
        refuse(w,
               rules_refusal(w->query, REPLY(550, "5.1.1", "Alias of an address not served here"),
                             w->arena));
    else if (d->rule->verdict == RULE_REJECT)
        refuse(w, d->refusal);
}

static void visit(struct walk *w, const struct address *a, const struct frame *from)
{
    struct rules_compared q = from == NULL ? rules_compare(w->rules, w->query, w->arena)
                                           : rules_compare_yielded(w->rules, w->query, a, w->arena);
    struct rules_step step =
        rules_step(w->rules, w->query, &q, from == NULL ? NULL : from->origin, w->arena);
    struct address final = *a;

    if (from == NULL)
        w->out.rule = step.rule;
    if (++w->visits > EXPANSION_VISITS_MAX) {
        refuse_for_now(w, "this alias stands for too many");
        return;
    }
    switch (step.kind) {
    case STEP_HOME:
        if (from != NULL && from->keeps_detail)
            final = with_detail(w, a, &step.decision);
        add_home(w, &final, step.decision);
        owe_copy(w, step.rule);
        break;
    case STEP_REFUSE:
        if (from == NULL)
            refuse(w, step.decision.refusal);
        else
            miss(w, &step.decision);
        break;
    case STEP_ALIAS:
    case STEP_ADDRESS:
        follow(w, &step, from == NULL || from->keeps_detail);
        owe_copy(w, step.rule);
        break;
    case STEP_DEPENDS: break; /* the sender is known */
    }
}

static void run(struct walk *w)
{
    while (w->depth > 0 && w->refusal.code == 0) {
        struct frame *f = &w->frames[w->depth - 1];

        if (f->next == f->end) {
            w->depth--;
            continue;
        }
        struct frame from = *f;
        struct address a = take_next(w, f);
        visit(w, &a, &from);
    }
}

/* ---- the walk ---- */

/* A detail that an alias has in its own name ("bob+list: ann") has done its work. */
static struct slice detail_to_keep(const struct walk *w)
{
    struct slice local = w->query->rcpt.local, name = without_detail(local);
    struct rules_query plain = *w->query;
    struct rules_compared q = rules_compare(w->rules, w->query, w->arena);

    if (name.len == local.len)
        return SLICE("");
    struct rules_step with = rules_step(w->rules, w->query, &q, NULL, w->arena);
    plain.rcpt.local = name;
    q = rules_compare(w->rules, &plain, w->arena);
    struct rules_step without = rules_step(w->rules, &plain, &q, NULL, w->arena);
    return with.kind == STEP_ALIAS && with.origin == without.origin ? slice_skip(local, name.len)
                                                                    : SLICE("");
}

static void visit_copies(struct walk *w)
{
    while (w->copied < w->copying_count && w->refusal.code == 0) {
        const struct rule *rule = w->copying[w->copied++];
        struct address to = rules_complete(w->rules, &rule->copy);
        struct frame from = {.origin = &rule->copy};

        visit(w, &to, &from);
        run(w);
    }
}

static void walk_from(struct walk *w, const struct address *a, const struct frame *from)
{
    visit(w, a, from);
    run(w);
    if (w->out.count > 0)
        visit_copies(w);
}

static struct expansion conclude(struct walk *w)
{
    w->out.refusal = w->refusal;
    if (w->refusal.code == 0 && w->out.count == 0)
        w->out.refusal = rules_refusal(w->query, REPLY(550, "5.1.1", "User unknown"), w->arena);
    if (w->out.refusal.code != 0)
        w->out.count = 0;
    return w->out;
}

/* Whatever became of postmaster's own aliases, somebody must read it: RFC 5321 4.5.1. */
static struct expansion fall_to_postmaster(const struct walk *before)
{
    struct walk w = {.rules = before->rules, .query = before->query, .arena = before->arena};
    struct address home = rules_complete(w.rules, &w.rules->postmaster);
    struct frame from = {.origin = &w.rules->postmaster};

    w.out.rule = before->out.rule;
    walk_from(&w, &home, &from);
    return conclude(&w);
}

struct expansion rules_expand(const struct rules *rules, const struct rules_query *query,
                              struct arena *arena)
{
    struct walk w = {.rules = rules, .query = query, .arena = arena};
    struct address given = rules_complete(rules, &query->rcpt);

    if (query->rcpt.kind == ADDRESS_NULL)
        return (struct expansion){.refusal = REPLY(501, "5.1.3", "Bad recipient address syntax")};
    w.detail = detail_to_keep(&w);
    walk_from(&w, &given, NULL);

    struct expansion x = conclude(&w);
    bool is_postmaster = address_is_postmaster(&given) && w.followed_count > 0 &&
                         rules->postmaster.kind != ADDRESS_NULL;
    return x.refusal.code != 0 && is_postmaster ? fall_to_postmaster(&w) : x;
}
