/*
 * memory.c - base/memory, counting.
 *
 * These definitions come before those of the library base, whose file of the same name is then not
 * linked at all. In front of each block stands whose it is.
 */
#include "sim/memory.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct memory_account *account;
    size_t size;
};

static struct memory_account *charged;

void memory_charge(struct memory_account *account)
{
    charged = account;
}

static void count(const struct block *b, size_t added, size_t taken)
{
    if (b->account != NULL)
        b->account->live += added - taken;
}

void *memory_new(size_t size)
{
    struct block *b = calloc(1, sizeof(*b) + size);

    assert(b != NULL);
    *b = (struct block){charged, size};
    count(b, size, 0);
    return b + 1;
}

void *memory_resize(void *old, size_t size)
{
    if (old == NULL)
        return memory_new(size);
    struct block *b = realloc((struct block *)old - 1, sizeof(*b) + size);

    assert(b != NULL);
    count(b, size, b->size);
    b->size = size;
    return b + 1;
}

void memory_free(void *p)
{
    if (p == NULL)
        return;
    struct block *b = (struct block *)p - 1;

    count(b, 0, b->size);
    free(b);
}

void memory_trim(void)
{
}
