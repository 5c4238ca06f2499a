/*
 * bench_check.c - joins ledgers: what was lost, damaged, or came twice.
 *
 * Every copy is looked at by its recipient. A copy whose place is not known ("-"), or every copy
 * with --any-mailbox, counts for whichever recipient of that message still lacks one. Nothing is
 * judged before all ledgers were read, so their order does not matter.
 */
#include "cmd/bench.h"
#include "cmd/bench_ledger.h"
#include "cmd/options.h"

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { NAMED_MAX = 20 };

struct copy {
    struct list link;
    struct slice hash, rcpt, file;
    uint64_t time_us;
};

struct target {
    struct list link;
    struct slice rcpt;
    bool acked;
    uint64_t acked_us;
    unsigned copies;
    uint64_t first_us, last_us; /* of the copies */
};

struct message {
    struct list link;
    struct slice id, hash;
    bool sent;
    uint64_t sent_us;
    struct list targets; /* as sent or acked */
    struct list copies;
};

enum finding {
    FOUND_LOST,    /* acknowledged, never arrived */
    FOUND_DAMAGED, /* arrived, but not as it was sent */
    FOUND_TWICE,   /* more copies than one */
    FOUND_STRANGE, /* arrived, but nobody sent it, or not there */
    FOUND_COUNT,
};

static const char *const finding_names[] = {"lost", "damaged", "twice", "strangers"};

struct check {
    struct arena arena;
    struct map by_id;
    struct list all;
    bool any_mailbox, json, every;
    unsigned long long sent, acked, arrived, refused, unknown, unacknowledged;
    unsigned long long found[FOUND_COUNT];
    struct list cases[FOUND_COUNT]; /* what is named */
};

struct named {
    struct list link;
    struct slice id, rcpt, file;
    uint64_t first_us, last_us;
    unsigned copies;
};

static struct message *message_of(struct check *c, struct slice id)
{
    struct message *m = map_get(&c->by_id, id);

    if (m != NULL)
        return m;
    m = ARENA_NEW(&c->arena, struct message);
    m->id = arena_copy(&c->arena, id);
    list_init(&m->targets);
    list_init(&m->copies);
    list_append(&c->all, &m->link);
    map_put(&c->by_id, m->id, m);
    return m;
}

static struct target *find_target(struct message *m, struct slice rcpt)
{
    LIST_EACH (node, &m->targets) {
        struct target *t = LIST_ENTRY(node, struct target, link);

        if (slice_equal(t->rcpt, rcpt))
            return t;
    }
    return NULL;
}

static struct target *target_of(struct check *c, struct message *m, struct slice rcpt)
{
    struct target *t = find_target(m, rcpt);

    if (t != NULL)
        return t;
    t = ARENA_NEW(&c->arena, struct target);
    t->rcpt = arena_copy(&c->arena, rcpt);
    list_append(&m->targets, &t->link);
    return t;
}

static void note_arrival(struct check *c, struct message *m, const struct ledger_line *line)
{
    struct copy *copy = ARENA_NEW(&c->arena, struct copy);
    struct slice rest = line->rest, word = SLICE("-");

    (void)ledger_word_take(&rest, &word);
    copy->rcpt = c->any_mailbox ? SLICE("-") : arena_copy(&c->arena, word);
    copy->file = SLICE("-");
    if (ledger_word_take(&rest, &word))
        copy->file = arena_copy(&c->arena, word);
    copy->hash = arena_copy(&c->arena, line->hash);
    copy->time_us = line->time_us;
    list_append(&m->copies, &copy->link);
    c->arrived++;
}

static bool take_line(void *ctx, const struct ledger_line *line)
{
    struct check *c = ctx;
    struct message *m = message_of(c, line->id);
    struct slice rest = line->rest, rcpt;

    switch (line->kind) {
    case LEDGER_SENT:
        c->sent++;
        m->sent = true;
        m->sent_us = line->time_us;
        m->hash = arena_copy(&c->arena, line->hash);
        while (ledger_word_take(&rest, &rcpt))
            target_of(c, m, rcpt);
        break;
    case LEDGER_ACKED:
        c->acked++;
        while (ledger_word_take(&rest, &rcpt)) {
            struct target *t = target_of(c, m, rcpt);

            t->acked = true;
            t->acked_us = line->time_us;
        }
        break;
    case LEDGER_FAILED:
        if (line->code == 0)
            c->unknown++;
        else
            c->refused++;
        break;
    case LEDGER_ARRIVED: note_arrival(c, m, line); break;
    }
    return true;
}

static void find(struct check *c, enum finding what, const struct named *which)
{
    struct named *kept;

    if (c->found[what]++ >= NAMED_MAX && !c->every)
        return;
    kept = ARENA_NEW(&c->arena, struct named);
    *kept = *which;
    list_append(&c->cases[what], &kept->link);
}

static void count_copy(struct target *t, const struct copy *copy)
{
    if (t->copies++ == 0)
        t->first_us = t->last_us = copy->time_us;
    if (copy->time_us < t->first_us)
        t->first_us = copy->time_us;
    if (copy->time_us > t->last_us)
        t->last_us = copy->time_us;
}

/* For a copy without a place: who waits for one most, the acknowledged first. */
static struct target *neediest(struct message *m)
{
    struct target *best = NULL;

    LIST_EACH (node, &m->targets) {
        struct target *t = LIST_ENTRY(node, struct target, link);

        if (best == NULL || t->copies < best->copies ||
            (t->copies == best->copies && t->acked && !best->acked))
            best = t;
    }
    return best;
}

static void place_copy(struct check *c, struct message *m, const struct copy *copy, bool placed)
{
    struct named which = {.id = m->id,
                          .rcpt = copy->rcpt,
                          .file = copy->file,
                          .first_us = copy->time_us,
                          .last_us = copy->time_us,
                          .copies = 1};
    struct target *t;

    if (slice_equal(copy->rcpt, SLICE("-")) == placed)
        return;
    if (!m->sent) {
        find(c, FOUND_STRANGE, &which);
        return;
    }
    if (!slice_equal(copy->hash, m->hash)) {
        find(c, FOUND_DAMAGED, &which);
        return;
    }
    t = placed ? find_target(m, copy->rcpt) : neediest(m);
    if (t == NULL)
        find(c, FOUND_STRANGE, &which);
    else
        count_copy(t, copy);
}

static void judge_target(struct check *c, const struct message *m, const struct target *t)
{
    struct named which = {.id = m->id,
                          .rcpt = t->rcpt,
                          .file = SLICE("-"),
                          .first_us = t->first_us,
                          .last_us = t->last_us,
                          .copies = t->copies};

    if (t->acked && t->copies == 0) {
        which.first_us = which.last_us = t->acked_us;
        find(c, FOUND_LOST, &which);
    }
    if (t->copies > 1)
        find(c, FOUND_TWICE, &which);
    if (!t->acked)
        c->unacknowledged += t->copies;
}

/* Copies with a place first, so that one without takes what is left. */
static void judge(struct check *c, struct message *m)
{
    for (int placed = 1; placed >= 0; placed--)
        LIST_EACH (node, &m->copies)
            place_copy(c, m, LIST_ENTRY(node, struct copy, link), placed != 0);
    LIST_EACH (node, &m->targets)
        judge_target(c, m, LIST_ENTRY(node, struct target, link));
}

/* Ids are printable without blanks, recipients and files are xtext: clean for a terminal. */
static void print_cases(struct check *c)
{
    for (int what = 0; what < FOUND_COUNT; what++)
        LIST_EACH (node, &c->cases[what]) {
            const struct named *n = LIST_ENTRY(node, struct named, link);

            printf("%s: %.*s for %.*s", finding_names[what], SLICE_PRINTF(n->id),
                   SLICE_PRINTF(n->rcpt));
            if (n->copies > 1)
                printf(", %u copies", n->copies);
            printf(", %llu.%06llu", (unsigned long long)(n->first_us / 1000000),
                   (unsigned long long)(n->first_us % 1000000));
            if (n->last_us != n->first_us)
                printf(" to %llu.%06llu", (unsigned long long)(n->last_us / 1000000),
                       (unsigned long long)(n->last_us % 1000000));
            if (n->file.len > 1)
                printf(", %.*s", SLICE_PRINTF(n->file));
            putchar('\n');
        }
    printf("bench check: %llu sent, %llu acked, %llu refused, %llu unknown, %llu arrived "
           "(%llu of them not acked), %llu lost, %llu damaged, %llu twice, %llu strangers\n",
           c->sent, c->acked, c->refused, c->unknown, c->arrived, c->unacknowledged,
           c->found[FOUND_LOST], c->found[FOUND_DAMAGED], c->found[FOUND_TWICE],
           c->found[FOUND_STRANGE]);
}

static void print_word(struct slice word)
{
    putchar('"');
    for (size_t i = 0; i < word.len; i++) {
        if (word.data[i] == '"' || word.data[i] == '\\')
            putchar('\\');
        putchar(word.data[i]);
    }
    putchar('"');
}

static void print_json(struct check *c)
{
    printf("{\"sent\": %llu, \"acked\": %llu, \"refused\": %llu, \"unknown\": %llu, "
           "\"arrived\": %llu, \"unacknowledged\": %llu",
           c->sent, c->acked, c->refused, c->unknown, c->arrived, c->unacknowledged);
    for (int what = 0; what < FOUND_COUNT; what++) {
        const char *comma = "";

        printf(", \"%s\": %llu, \"%s_cases\": [", finding_names[what], c->found[what],
               finding_names[what]);
        LIST_EACH (node, &c->cases[what]) {
            const struct named *n = LIST_ENTRY(node, struct named, link);

            printf("%s{\"id\": ", comma);
            print_word(n->id);
            printf(", \"rcpt\": ");
            print_word(n->rcpt);
            printf(", \"file\": ");
            print_word(n->file);
            printf(", \"copies\": %u, \"first_us\": %llu, \"last_us\": %llu}", n->copies,
                   (unsigned long long)n->first_us, (unsigned long long)n->last_us);
            comma = ", ";
        }
        putchar(']');
    }
    puts("}");
}

static void check_init(struct check *c)
{
    uint64_t seed[2] = {random_u64(random_real()), random_u64(random_real())};

    map_init(&c->by_id, seed);
    list_init(&c->all);
    for (int what = 0; what < FOUND_COUNT; what++)
        list_init(&c->cases[what]);
}

static int run_check(struct check *c, const struct option_list *ledgers)
{
    int status = 0;

    if (ledgers->count == 0)
        return command_wrong("bench", EX_USAGE,
                             "check what? Name the ledgers of the load and of what came");
    check_init(c);
    for (unsigned i = 0; status == 0 && i < ledgers->count; i++)
        status = ledger_read(ledgers->values[i], take_line, c);
    if (status == 0) {
        LIST_EACH (node, &c->all)
            judge(c, LIST_ENTRY(node, struct message, link));
        if (c->json)
            print_json(c);
        else
            print_cases(c);
        status = c->found[FOUND_LOST] + c->found[FOUND_DAMAGED] > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    map_done(&c->by_id);
    arena_done(&c->arena);
    return status;
}

int bench_check(int argc, char **argv)
{
    struct check c = {0};
    struct option_list ledgers = {0};
    int status;
    const struct option options[] = {
        {"LEDGER...",     NULL, OPTION_WORDS, &ledgers,       NULL,
         "what `load`, `sink` and `maildir` wrote, in any order",                                             NULL},
        {"--any-mailbox", NULL, OPTION_FLAG,  &c.any_mailbox, NULL,
         "a copy anywhere will do: the server rewrites recipients",                                           NULL},
        {"--all",         NULL, OPTION_FLAG,  &c.every,       NULL, "name every case, not only 20 of a kind",
         NULL                                                                                                     },
        {"--json",        NULL, OPTION_FLAG,  &c.json,        NULL, "one JSON object instead of text",        NULL},
    };
    const struct usage usage = {
        "bench check",
        "LEDGER... [OPTION...]",
        "Joins ledgers and tells what became of the messages:\n\n"
        "  lost       acknowledged for a recipient that never got it\n"
        "  damaged    arrived, but not byte for byte as it was sent (line ends aside)\n"
        "  twice      more than one copy for a recipient\n"
        "  strangers  arrived, but nobody sent it, or not to there\n\n"
        "Exit status: 0 nothing acknowledged was lost or damaged; 1 something was; 64 wrong "
        "usage;\n"
        "65 a file is no ledger; 66 a file cannot be read.",
        "  postroad bench check load.ledger maildir.ledger\n",
        options,
        sizeof(options) / sizeof(*options)};

    if (!options_parse(&usage, argc, argv, &status))
        return status;
    return run_check(&c, &ledgers);
}
