/*
 * world.h - receivers, a courier and a model of what they promised, on a disk that forgets.
 *
 * One seed decides everything: what arrives, when what is flushed, synced, told, claimed and
 * delivered, who dies, and when the power goes. The model remembers every 250 and every delivery
 * and knows what may happen; the first broken promise stops the world with a text.
 */
#ifndef TESTS_CRASH_WORLD_H
#define TESTS_CRASH_WORLD_H

#include <stdbool.h>
#include <stdint.h>

/* Bugs that the test must find, one at a time. */
enum planted_bug {
    BUG_NONE,
    BUG_REPLY_BEFORE_SYNC,       /* 250 although the bytes are not synced */
    BUG_DIRECTORY_NOT_SYNCED,    /* new files without a durable name */
    BUG_OUTCOME_BEFORE_DELIVERY, /* the courier notes success, then delivers */
    BUG_SAME_GENERATION,         /* stale bytes of a recycled segment look like records */
};

struct world_plan {
    uint64_t seed;
    unsigned steps;
    bool deaths;        /* roles die and restart by themselves */
    bool power_cuts;    /* everything dies at some call to the disk */
    uint64_t fail_call; /* this call to the disk fails; 0: none */
    int fail_code;
    uint64_t space; /* of the disk; 0: endless */
    enum planted_bug bug;
};

/* NULL when every promise was kept, else the broken one. *calls (may be NULL): of the disk. */
const char *world_run(const struct world_plan *plan, uint64_t *calls);

#endif
