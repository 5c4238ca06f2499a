/*
 * memory.h - the only allocator calls of the program.
 *
 * They never return NULL: out of memory ends the role on purpose; the queue is durable and the
 * warden restarts the role within a second.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

void *memory_new(size_t size);               /* zeroed */
void *memory_resize(void *old, size_t size); /* new bytes are not zeroed */
void memory_free(void *p);                   /* NULL is fine */

/* Gives what is free back to the system; after a time that needed much more than what follows. */
void memory_trim(void);

/* A zeroed struct of that type. */
#define MEMORY_NEW(type) ((type *)memory_new(sizeof(type)))

#endif
