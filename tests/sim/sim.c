/*
 * sim.c - runs seeds: sim [--seeds N] [--from S] | --seed S [--history] | --plant NAME.
 *
 * A seed that fails is run a second time, with its history. With a planted bug the program
 * succeeds when a seed fails, and says how many it took.
 */
#include "sim/world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SHOWN_MAX = 1 }; /* failing seeds that are told in full */

struct totals {
    uint64_t seeds, failed;
    uint64_t messages, acked, lost, torn, strangers, twice, explained, left, starved, early,
        misreported, other;
};

struct options {
    uint64_t seeds;
    uint64_t from;
    bool history;
    enum plant plant;
    bool planted; /* by --plant or in the program: a failure is wanted */
};

static void add(struct totals *t, const struct verdict *v)
{
    t->seeds++;
    t->failed += !verdict_is_good(v);
    t->messages += v->messages;
    t->acked += v->acked;
    t->lost += v->lost;
    t->torn += v->torn;
    t->strangers += v->strangers;
    t->twice += v->twice;
    t->explained += v->explained;
    t->left += v->left;
    t->starved += v->starved;
    t->early += v->early;
    t->misreported += v->misreported;
    t->other += v->other != NULL;
}

static void tell_count(unsigned count, const char *what)
{
    if (count > 0)
        printf("%u %s; ", count, what);
}

static void tell_verdict(const struct verdict *v)
{
    tell_count(v->lost, "lost");
    tell_count(v->torn, "torn");
    tell_count(v->strangers, "strangers");
    tell_count(v->twice, "twice");
    tell_count(v->left, "left over");
    tell_count(v->starved, "starved");
    tell_count(v->early, "early");
    tell_count(v->misreported, "misreported");
    if (v->other != NULL)
        printf("%s; ", v->other);
    if (v->has_culprit)
        printf("look for message %u", v->culprit);
    printf("\n");
}

static void tell_seed(uint64_t seed, const struct verdict *v)
{
    printf("sim: seed %" PRIu64 " FAILED: ", seed);
    tell_verdict(v);
}

static bool run_seed(const struct options *o, uint64_t seed, struct totals *t)
{
    struct world_plan plan = {.seed = seed, .plant = o->plant};
    struct verdict v;

    if (o->history)
        plan.history = stdout;
    world_run(&plan, &v);
    add(t, &v);
    if (verdict_is_good(&v))
        return true;
    if (o->planted) {
        printf("sim: found by seed %" PRIu64 ": ", seed);
        tell_verdict(&v);
        return false;
    }
    tell_seed(seed, &v);
    if (!o->history && t->failed <= SHOWN_MAX) {
        struct verdict again;

        plan.history = stdout;
        world_run(&plan, &again);
        if (memcmp(&v, &again, sizeof(v)) != 0)
            printf("sim: seed %" PRIu64 " came out different the second time\n", seed);
        tell_seed(seed, &v);
    }
    return false;
}

static void tell_totals(const struct totals *t)
{
    printf("sim: %" PRIu64 " seeds, %" PRIu64 " messages, %" PRIu64 " acked, %" PRIu64
           " lost, %" PRIu64 " torn, %" PRIu64 " strangers, %" PRIu64 " twice (%" PRIu64
           " more explained), %" PRIu64 " left over, %" PRIu64 " starved, %" PRIu64
           " early, %" PRIu64 " misreported, %" PRIu64 " other; %.1f s CPU\n",
           t->seeds, t->messages, t->acked, t->lost, t->torn, t->strangers, t->twice, t->explained,
           t->left, t->starved, t->early, t->misreported, t->other,
           (double)clock() / CLOCKS_PER_SEC);
}

static int run(const struct options *o)
{
    struct totals t = {0};

    for (uint64_t i = 0; i < o->seeds; i++) {
        if (!run_seed(o, o->from + i, &t) && o->planted)
            return EXIT_SUCCESS;
    }
    tell_totals(&t);
    if (o->planted)
        printf("sim: the planted bug was not found\n");
    return t.failed > 0 || o->planted ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool plant_of(const char *name, struct options *o)
{
    static const struct {
        const char *name;
        enum plant plant;
    } plants[] = {
        {"reply-before-sync",    PLANT_REPLY_BEFORE_SYNC   },
        {"directory-not-synced", PLANT_DIRECTORY_NOT_SYNCED},
        {"in-the-program",       PLANT_NONE                },
    };

    o->planted = true;
    for (size_t i = 0; i < sizeof(plants) / sizeof(*plants); i++) {
        if (strcmp(name, plants[i].name) == 0) {
            o->plant = plants[i].plant;
            return true;
        }
    }
    return false;
}

static bool parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--history") == 0) {
            o->history = true;
            continue;
        }
        if (strcmp(argv[i], "--plant") == 0) {
            if (!plant_of(value, o))
                return false;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            o->seeds = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--from") == 0) {
            o->from = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0) {
            o->from = strtoull(value, NULL, 10);
            o->seeds = 1;
        } else {
            return false;
        }
        i++;
    }
    return o->seeds > 0;
}

int main(int argc, char **argv)
{
    struct options o = {.seeds = 200, .from = 1};

    if (!parse(argc, argv, &o)) {
        fprintf(stderr,
                "usage: sim [--seeds N] [--from S] [--seed S] [--history]\n"
                "           [--plant reply-before-sync|directory-not-synced|in-the-program]\n");
        return 64;
    }
    return run(&o);
}
