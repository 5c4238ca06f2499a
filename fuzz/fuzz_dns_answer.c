/*
 * fuzz_dns_answer.c - whatever a message says: names are names, sizes are in bounds, a copy is
 * the same, and a message that was cut says no more than the whole one.
 *
 * First character: the type asked for. The rest: the message, whose question is made ours where
 * there is room, so that the fuzzer need not guess it.
 */
#include "fuzz.h"

#include "wire/facts.h"

#include <string.h>

static const enum dns_type types[] = {DNS_MX, DNS_A, DNS_AAAA, DNS_TXT, DNS_TLSA, DNS_PTR};

static void check_record(const struct dns_question *q, const struct dns_record *r,
                         struct arena *arena)
{
    struct dns_question again;

    switch (q->type) {
    case DNS_MX:
    case DNS_PTR:
        must(r->data.len <= DNS_NAME_MAX);
        must(r->data.len == 0 ? q->type == DNS_MX : dns_host_is_valid(r->data));
        if (r->data.len > 0)
            must(dns_question_make(DNS_A, r->data, arena, &again) &&
                 slice_equal(again.name, r->data));
        break;
    case DNS_TLSA: must(r->data.len > 0); break;
    case DNS_A: must(r->ip[10] == 0xff && r->ip[11] == 0xff && r->data.len == 0); break;
    case DNS_AAAA: must(r->data.len == 0); break;
    case DNS_TXT: must(r->data.len <= UINT16_MAX); break;
    case DNS_CNAME: break;
    }
}

static bool same_record(const struct dns_record *a, const struct dns_record *b)
{
    return a->preference == b->preference && memcmp(a->ip, b->ip, 16) == 0 &&
           a->usage == b->usage && a->selector == b->selector && a->matching == b->matching &&
           slice_equal(a->data, b->data);
}

static void check_same(const struct dns_answer *a, const struct dns_answer *b)
{
    must(a->outcome == b->outcome && a->count == b->count && a->unusable == b->unusable);
    must(a->ttl_s == b->ttl_s && slice_equal(a->canonical, b->canonical));
    for (size_t i = 0; i < a->count; i++)
        must(same_record(&a->records[i], &b->records[i]));
}

static void check_answer(const struct dns_question *q, const struct dns_answer *a,
                         struct arena *arena)
{
    struct dns_question canonical;

    must(a->count <= DNS_RECORDS_MAX && !a->secure && a->outcome != DNS_BOGUS);
    must((a->outcome == DNS_FOUND) == (a->count + a->unusable > 0));
    must((a->outcome == DNS_FAILED) == (a->why.len > 0));
    must(dns_question_make(q->type, a->canonical, arena, &canonical));
    must(slice_equal(canonical.name, a->canonical));
    must(a->ttl_s <= INT32_MAX);
    for (size_t i = 0; i < a->count; i++) {
        check_record(q, &a->records[i], arena);
        for (size_t k = 0; k < i; k++)
            must(!same_record(&a->records[i], &a->records[k]));
    }
}

/* What the facts keep is what was read. */
static void check_facts(const struct dns_question *q, const struct dns_answer *a,
                        struct arena *arena)
{
    struct facts facts;
    const struct dns_answer *got;

    facts_init(&facts, arena);
    must(facts_ask(&facts, q->type, q->name, &got) == FACT_UNKNOWN && facts.wanted == 1);
    facts_learn(&facts, q, a);
    must(facts_ask(&facts, q->type, q->name, &got) != FACT_UNKNOWN && facts.wanted == 0);
    check_same(a, got);
}

static void check_cut(struct slice message, const struct dns_question *q,
                      const struct dns_answer *whole, struct arena *arena)
{
    struct fuzz_chance chance = {fuzz_mix(message.len)};
    size_t len = message.len == 0 ? 0 : fuzz_draw(&chance, message.len);
    struct dns_answer part = dns_answer_read(slice_head(message, len), q, arena);

    must(part.outcome == DNS_FAILED || part.count <= whole->count || whole->outcome == DNS_FAILED);
}

void fuzz_input(struct slice input)
{
    static const char question[] = "\1d\7example";
    struct cursor c = {input};
    struct arena arena;

    arena_init(&arena);

    struct dns_question q = {types[fuzz_choice(&c) % 6], SLICE("d.example")};
    char *copy = arena_alloc(&arena, c.rest.len + 1);
    struct slice message = {copy, c.rest.len};

    if (c.rest.len > 0)
        memcpy(copy, c.rest.data, c.rest.len);
    if (message.len >= 12 + sizeof(question) + 4) {
        memcpy(copy + 4, "\0\1", 2);
        memcpy(copy + 12, question, sizeof(question));
        memcpy(copy + 12 + sizeof(question), (char[]){0, (char)q.type, 0, 1}, 4);
    }
    struct dns_answer a = dns_answer_read(message, &q, &arena);
    check_answer(&q, &a, &arena);
    check_facts(&q, &a, &arena);
    check_cut(message, &q, &a, &arena);
    arena_done(&arena);
}
