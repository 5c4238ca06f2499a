/*
 * random.c - SplitMix64: small, good enough for choosing, the same everywhere.
 */
#include "fakes/random.h"

#include <string.h>

static uint64_t next(struct fake_random *f)
{
    uint64_t z = f->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void bytes(struct random *r, void *out, size_t len)
{
    char *at = out;

    while (len > 0) {
        uint64_t word = next((struct fake_random *)(void *)r);
        size_t n = len < sizeof(word) ? len : sizeof(word);

        memcpy(at, &word, n);
        at += n;
        len -= n;
    }
}

void fake_random_init(struct fake_random *f, uint64_t seed)
{
    *f = (struct fake_random){{bytes}, seed};
}
