/*
 * dns.c - the table is a list of rows; answers are made when asked, told by a timer.
 */
#include "fakes/dns.h"

#include "base/memory.h"

#include <string.h>

enum row_kind { ROW_RECORD, ROW_ALIAS, ROW_OUTCOME, ROW_SECURE };

struct row {
    enum row_kind kind;
    enum dns_type type;
    struct slice name;
    struct dns_record record; /* ROW_ALIAS: its data is the target */
    enum dns_outcome outcome;
};

struct fake_dns {
    struct resolver resolver;
    struct loop *loop;
    struct random *random;
    struct fake_dns_options options;
    struct arena arena;
    struct row *rows;
    size_t count, cap;
    struct list running;
    unsigned asked;
};

struct fake_query {
    struct list link;
    struct fake_dns *dns;
    struct resolver_request *request;
    struct timer timer;
    struct arena arena;
    struct dns_question question;
    struct dns_answer answer;
};

static struct row *add_row(struct fake_dns *f, enum row_kind kind, enum dns_type type,
                           struct slice name)
{
    if (f->count == f->cap) {
        f->cap = f->cap == 0 ? 64 : 2 * f->cap;
        f->rows = memory_resize(f->rows, f->cap * sizeof(*f->rows));
    }
    struct row *row = &f->rows[f->count++];
    *row = (struct row){.kind = kind, .type = type, .name = arena_copy(&f->arena, name)};
    return row;
}

void fake_dns_record(struct fake_dns *f, enum dns_type type, struct slice name,
                     const struct dns_record *record)
{
    struct row *row = add_row(f, ROW_RECORD, type, name);

    row->record = *record;
    row->record.data = arena_copy(&f->arena, record->data);
}

void fake_dns_mx(struct fake_dns *f, struct slice name, uint16_t preference, struct slice host)
{
    fake_dns_record(f, DNS_MX, name, &(struct dns_record){.preference = preference, .data = host});
}

void fake_dns_address(struct fake_dns *f, struct slice name, const unsigned char ip[16])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct dns_record record = {0};
    enum dns_type type = memcmp(ip, mapped, sizeof(mapped)) == 0 ? DNS_A : DNS_AAAA;

    memcpy(record.ip, ip, 16);
    fake_dns_record(f, type, name, &record);
}

void fake_dns_txt(struct fake_dns *f, struct slice name, struct slice text)
{
    fake_dns_record(f, DNS_TXT, name, &(struct dns_record){.data = text});
}

void fake_dns_alias(struct fake_dns *f, struct slice name, struct slice target)
{
    add_row(f, ROW_ALIAS, DNS_CNAME, name)->record.data = arena_copy(&f->arena, target);
}

void fake_dns_outcome(struct fake_dns *f, enum dns_type type, struct slice name,
                      enum dns_outcome outcome)
{
    add_row(f, ROW_OUTCOME, type, name)->outcome = outcome;
}

void fake_dns_secure(struct fake_dns *f, struct slice zone)
{
    add_row(f, ROW_SECURE, DNS_A, zone);
}

unsigned fake_dns_asked(const struct fake_dns *f)
{
    return f->asked;
}

/* ---- answers ---- */

static bool lies_in(struct slice name, struct slice zone)
{
    if (!slice_ends(name, zone))
        return false;
    return name.len == zone.len || name.data[name.len - zone.len - 1] == '.';
}

/* The alias of the name, or the name itself. */
static struct slice alias_of(const struct fake_dns *f, struct slice name)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->rows[i].kind == ROW_ALIAS && slice_equal(f->rows[i].name, name))
            return f->rows[i].record.data;
    return name;
}

static void add_record(struct fake_query *q, const struct row *row)
{
    struct dns_record *records = ARENA_ARRAY(&q->arena, struct dns_record, q->answer.count + 1);

    if (q->answer.count > 0)
        memcpy(records, q->answer.records, q->answer.count * sizeof(*records));
    records[q->answer.count] = row->record;
    records[q->answer.count].data = arena_copy(&q->arena, row->record.data);
    q->answer.records = records;
    q->answer.count++;
    q->answer.outcome = DNS_FOUND;
    q->answer.ttl_s = 300;
}

static void fail(struct fake_query *q, enum dns_outcome outcome, struct slice why)
{
    q->answer = dns_answer_failed(&q->question, why);
    q->answer.outcome = outcome;
}

static void apply_row(struct fake_query *q, const struct row *row, enum dns_outcome *told)
{
    if (row->kind == ROW_SECURE) {
        q->answer.secure = q->answer.secure || lies_in(q->answer.canonical, row->name);
        return;
    }
    if (!slice_equal(row->name, q->answer.canonical))
        return;
    if (q->answer.outcome == DNS_NXDOMAIN)
        q->answer.outcome = DNS_NODATA;
    if (row->type != q->question.type)
        return;
    if (row->kind == ROW_OUTCOME)
        *told = row->outcome;
    else if (row->kind == ROW_RECORD)
        add_record(q, row);
}

static void answer(struct fake_query *q)
{
    const struct fake_dns *f = q->dns;
    enum dns_outcome told = DNS_FOUND; /* the last one counts */

    q->answer = (struct dns_answer){.outcome = DNS_NXDOMAIN, .canonical = q->question.name};
    for (unsigned i = 0;; i++) {
        struct slice target = alias_of(f, q->answer.canonical);

        if (slice_equal(target, q->answer.canonical))
            break;
        if (i == DNS_ALIASES_MAX) {
            fail(q, DNS_FAILED, SLICE("too many aliases, or a circle of them"));
            return;
        }
        q->answer.canonical = arena_copy(&q->arena, target);
    }
    for (size_t i = 0; i < f->count; i++)
        apply_row(q, &f->rows[i], &told);
    if (told != DNS_FOUND)
        fail(q, told, SLICE("as the test says"));
}

static void tell(struct timer *t)
{
    struct fake_query *q = LIST_ENTRY(t, struct fake_query, timer);
    struct resolver_request *r = q->request;

    list_remove(&q->link);
    r->running = NULL;
    r->answer = &q->answer;
    r->done(r);
    arena_done(&q->arena);
    memory_free(q);
}

/* ---- the door's calls ---- */

static struct fake_dns *fake_of(struct resolver *resolver)
{
    return LIST_ENTRY(resolver, struct fake_dns, resolver);
}

static void fake_ask(struct resolver *resolver, struct resolver_request *r)
{
    struct fake_dns *f = fake_of(resolver);
    struct fake_query *q = MEMORY_NEW(struct fake_query);
    uint64_t deadline_ms =
        f->options.deadline_ms != 0 ? f->options.deadline_ms : (uint64_t)RESOLVER_DEADLINE_MS;
    uint64_t delay_ms = random_below(f->random, (uint64_t)f->options.delay_max_ms + 1);

    f->asked++;
    q->dns = f;
    q->request = r;
    q->question = (struct dns_question){r->question.type, arena_copy(&q->arena, r->question.name)};
    answer(q);
    bool calm = f->options.calm != NULL && *f->options.calm;
    if (random_below(f->random, 1000000) < f->options.faults_per_million && !calm) {
        fail(q, DNS_FAILED, SLICE("SERVFAIL"));
        if (random_below(f->random, 2) == 0)
            delay_ms = deadline_ms;
    }
    r->running = q;
    list_init(&q->link);
    list_append(&f->running, &q->link);
    timer_init(&q->timer, tell);
    timer_set(f->loop, &q->timer, delay_ms);
}

static void fake_cancel(struct resolver *resolver, struct resolver_request *r)
{
    struct fake_query *q = r->running;

    r->running = NULL;
    list_remove(&q->link);
    timer_cancel(fake_of(resolver)->loop, &q->timer);
    arena_done(&q->arena);
    memory_free(q);
}

static void fake_free(struct resolver *resolver)
{
    struct fake_dns *f = fake_of(resolver);

    LIST_EACH (node, &f->running)
        fake_cancel(resolver, LIST_ENTRY(node, struct fake_query, link)->request);
    memory_free(f->rows);
    arena_done(&f->arena);
    memory_free(f);
}

struct resolver *fake_dns_resolver(struct fake_dns *f)
{
    return &f->resolver;
}

struct fake_dns *fake_dns_new(struct loop *loop, struct random *random,
                              const struct fake_dns_options *options)
{
    struct fake_dns *f = MEMORY_NEW(struct fake_dns);

    f->resolver = (struct resolver){fake_ask, fake_cancel, fake_free};
    f->loop = loop;
    f->random = random;
    f->options = *options;
    list_init(&f->running);
    return f;
}
