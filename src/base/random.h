/*
 * random.h - the door to chance.
 *
 * Real: getrandom(2). Fake: one seed decides everything (tests/fakes/random.c).
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    void (*bytes)(struct random *r, void *out, size_t len);
};

/* The kernel's generator; ends the program when the kernel has none. */
struct random *random_real(void);

void random_bytes(struct random *r, void *out, size_t len);
uint64_t random_u64(struct random *r);

/* Uniform in [0, bound); bound > 0. */
uint64_t random_below(struct random *r, uint64_t bound);

#endif
