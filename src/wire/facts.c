/*
 * facts.c - a small table of answers.
 *
 * A list that is searched from its start: an undertaking asks a few dozen questions, and a look
 * at a length and a type tells most of them apart.
 */
#include "wire/facts.h"

struct facts_entry {
    struct dns_question question;
    bool known;
    struct dns_answer answer;
};

void facts_init(struct facts *f, struct arena *arena)
{
    *f = (struct facts){.arena = arena};
}

static struct facts_entry *find(const struct facts *f, const struct dns_question *question)
{
    for (size_t i = 0; i < f->count; i++) {
        struct facts_entry *entry = &f->entries[i];

        if (entry->question.type == question->type &&
            slice_equal_nocase(entry->question.name, question->name))
            return entry;
    }
    return NULL;
}

/* NULL: the table is full. */
static struct facts_entry *add(struct facts *f, const struct dns_question *question)
{
    if (f->count == FACTS_MAX)
        return NULL;
    if (f->entries == NULL)
        f->entries = ARENA_ARRAY(f->arena, struct facts_entry, FACTS_MAX);

    struct facts_entry *entry = &f->entries[f->count++];

    entry->question = *question;
    f->wanted++;
    return entry;
}

static enum fact fact_of(const struct dns_answer *answer)
{
    switch (answer->outcome) {
    case DNS_FOUND: return FACT_FOUND;
    case DNS_NODATA: return FACT_NONE;
    case DNS_NXDOMAIN: return FACT_NXDOMAIN;
    case DNS_FAILED: return FACT_FAILED;
    case DNS_BOGUS: return FACT_BOGUS;
    }
    return FACT_FAILED;
}

static struct slice without_dot(struct slice name)
{
    if (name.len > 1 && name.data[name.len - 1] == '.')
        name.len--;
    return name;
}

enum fact facts_ask(struct facts *f, enum dns_type type, struct slice name,
                    const struct dns_answer **out)
{
    static const struct dns_answer no_name = {.outcome = DNS_NXDOMAIN};
    static const struct dns_answer full = {.outcome = DNS_FAILED,
                                           .why = SLICE_INIT("too many DNS questions")};
    struct dns_question question = {type, without_dot(name)};
    struct facts_entry *entry = find(f, &question);

    if (entry == NULL) {
        if (!dns_question_make(type, name, f->arena, &question)) {
            *out = &no_name;
            return FACT_NXDOMAIN;
        }
        entry = add(f, &question);
    }
    if (entry == NULL) {
        *out = &full;
        return FACT_FAILED;
    }
    if (!entry->known)
        return FACT_UNKNOWN;
    *out = &entry->answer;
    return fact_of(&entry->answer);
}

bool facts_next_wanted(const struct facts *f, size_t *at, struct dns_question *out)
{
    while (*at < f->count) {
        const struct facts_entry *entry = &f->entries[(*at)++];

        if (entry->known)
            continue;
        *out = entry->question;
        return true;
    }
    return false;
}

static size_t answer_size(const struct dns_answer *a)
{
    size_t size = a->count * sizeof(*a->records) + a->canonical.len + a->why.len;

    for (size_t i = 0; i < a->count; i++)
        size += a->records[i].data.len;
    return size;
}

void facts_learn(struct facts *f, const struct dns_question *question,
                 const struct dns_answer *answer)
{
    struct facts_entry *entry = find(f, question);
    struct dns_question copy;

    if (entry == NULL && dns_question_make(question->type, question->name, f->arena, &copy))
        entry = add(f, &copy);
    if (entry == NULL || entry->known)
        return;

    size_t size = answer_size(answer);

    if (size > FACTS_BYTES_MAX - f->bytes) {
        entry->answer = dns_answer_failed(&entry->question, SLICE("too much in DNS answers"));
    } else {
        entry->answer = dns_answer_copy(f->arena, answer);
        f->bytes += size;
    }
    entry->known = true;
    f->wanted--;
}
