/*
 * memory.c - allocation that ends the role instead of failing.
 *
 * A mail server that limps on without memory answers nonsense; one that ends loses nothing,
 * because nothing was acknowledged that is not on disk.
 */
#include "base/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

static void *must(void *p, size_t size)
{
    if (p != NULL)
        return p;
    fprintf(stderr, "postroad: out of memory (%zu bytes wanted): this role ends\n", size);
    abort();
}

void *memory_new(size_t size)
{
    return must(calloc(1, size == 0 ? 1 : size), size);
}

void *memory_resize(void *old, size_t size)
{
    return must(realloc(old, size == 0 ? 1 : size), size);
}

void memory_free(void *p)
{
    free(p);
}

void memory_trim(void)
{
    (void)malloc_trim(0);
}
