/*
 * world.h - one seed: a machine, its clients, a day of work and of misfortune, and the verdict.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "sim/check.h"

/* Bugs that must be found, of the kind that a door can express; tests/mutants has the others. */
enum plant {
    PLANT_NONE,
    PLANT_REPLY_BEFORE_SYNC,    /* a receiver's sync says 0 first and happens later */
    PLANT_DIRECTORY_NOT_SYNCED, /* new names are never made durable */
};

struct world_plan {
    uint64_t seed;
    enum plant plant;
    FILE *history; /* NULL: none */
};

void world_run(const struct world_plan *plan, struct verdict *v);

#endif
