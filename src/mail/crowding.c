/*
 * crowding.c - one word for each receiver.
 */
#include "mail/crowding.h"

#include <assert.h>
#include <stdatomic.h>

struct crowdings_memory {
    _Atomic unsigned words[1]; /* as many as there are receivers */
};

size_t crowdings_size(unsigned columns)
{
    return columns * sizeof(_Atomic unsigned);
}

struct crowdings crowdings_view(void *memory, unsigned columns, unsigned column)
{
    assert(column < columns);
    return (struct crowdings){memory, columns, column};
}

void crowdings_say(struct crowdings *c, enum crowding own)
{
    if (c->memory != NULL)
        atomic_store(&c->memory->words[c->column], own);
}

enum crowding crowdings_said(const struct crowdings *c)
{
    unsigned said = c->memory == NULL ? CROWDING_AWAY : atomic_load(&c->memory->words[c->column]);

    return said <= CROWDING_STRANGERS ? (enum crowding)said : CROWDING_AWAY;
}

bool crowdings_others_have_more_room(const struct crowdings *c, enum crowding own)
{
    for (unsigned i = 0; c->memory != NULL && i < c->columns; i++) {
        unsigned said = atomic_load(&c->memory->words[i]);

        if (i != c->column && said != CROWDING_AWAY && said < own)
            return true;
    }
    return false;
}
