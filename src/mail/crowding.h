/*
 * crowding.h - which receiver has room? Each says so in memory that all of them share.
 *
 * Who has none lets the others accept as long as one of them has more (roles/relief). Whatever
 * stands there, the least crowded of those that are alive leaves nothing to the others.
 *
 * Pure, without locks: a receiver writes its own word only. It says first how crowded it is, and
 * looks at the others behind that: of two that become crowded at the same moment at least one sees
 * that the other did.
 */
#ifndef MAIL_CROWDING_H
#define MAIL_CROWDING_H

#include <stdbool.h>
#include <stddef.h>

/* From the most room to the least. */
enum crowding {
    CROWDING_AWAY, /* it accepts nobody: not yet, not any more, or it is dead */
    CROWDING_NONE,
    CROWDING_NEIGHBOURS, /* no room for one more program of this machine */
    CROWDING_STRANGERS,  /* nor for a stranger, unless another one goes */
};

struct crowdings_memory;

/* A receiver's view; zeroed: of nothing, where nobody is less crowded. */
struct crowdings {
    struct crowdings_memory *memory;
    unsigned columns, column;
};

/* Bytes of the memory for so many receivers. Zeroed: all are away. */
size_t crowdings_size(unsigned columns);
struct crowdings crowdings_view(void *memory, unsigned columns, unsigned column);

void crowdings_say(struct crowdings *c, enum crowding own);

/* What was said last. */
enum crowding crowdings_said(const struct crowdings *c);

/* Does another one have more room than who is `own`? */
bool crowdings_others_have_more_room(const struct crowdings *c, enum crowding own);

#endif
