/*
 * outside.h - memory of the world around the program: file contents, what is on the wire.
 *
 * Apart from base/memory, so that what a test counts there is the program's own.
 */
#ifndef FAKES_OUTSIDE_H
#define FAKES_OUTSIDE_H

#include <stdlib.h>

static inline void *outside_resize(void *old, size_t size)
{
    void *p = realloc(old, size == 0 ? 1 : size);

    if (p == NULL)
        abort();
    return p;
}

static inline void *outside_new(size_t size) /* zeroed */
{
    void *p = calloc(1, size == 0 ? 1 : size);

    if (p == NULL)
        abort();
    return p;
}

static inline void outside_free(void *p)
{
    free(p);
}

#define OUTSIDE_NEW(type) ((type *)outside_new(sizeof(type)))

#endif
