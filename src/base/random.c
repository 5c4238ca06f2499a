/*
 * random.c - chance from the kernel.
 */
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static void real_bytes(struct random *r, void *out, size_t len)
{
    char *at = out;

    (void)r;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            fprintf(stderr, "postroad: the kernel gives no random bytes: this role ends\n");
            abort();
        }
        at += got;
        len -= (size_t)got;
    }
}

struct random *random_real(void)
{
    static struct random real = {real_bytes};

    return &real;
}

void random_bytes(struct random *r, void *out, size_t len)
{
    r->bytes(r, out, len);
}

uint64_t random_u64(struct random *r)
{
    uint64_t v;

    random_bytes(r, &v, sizeof(v));
    return v;
}

uint64_t random_below(struct random *r, uint64_t bound)
{
    /* Values past the last whole multiple of bound would make small results likelier. */
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound, v;

    do
        v = random_u64(r);
    while (v >= limit);
    return v % bound;
}
