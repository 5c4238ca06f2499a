/*
 * random.h - chance from one seed.
 */
#ifndef FAKES_RANDOM_H
#define FAKES_RANDOM_H

#include "base/random.h"

struct fake_random {
    struct random random;
    uint64_t state;
};

void fake_random_init(struct fake_random *f, uint64_t seed);

#endif
