/*
 * memory.h - who holds how much: base/memory as the simulator links it, counting.
 *
 * What is allocated while a process runs is on its account until it is freed, by whomever.
 */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include <stddef.h>

struct memory_account {
    size_t live; /* bytes */
};

/* From now on allocations are on this account; NULL: on nobody's. It must outlive them. */
void memory_charge(struct memory_account *account);

#endif
