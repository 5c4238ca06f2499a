/*
 * shared.h - memory that several processes have in common.
 *
 * One makes it and hands the file to the others (ipc/channel); its size is fixed for ever. Whoever
 * has it can write anything there at any time: read it as one reads what comes from outside.
 */
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include "base/disk.h"

/* Zeroed memory. 0 or a negative errno. */
int shared_new(size_t size, struct disk_file **out);

/* As it is now and will be, until shared_unmap(); the file may be closed before. -EMSGSIZE: it is
 * of another size. -EOPNOTSUPP: it is no such file. */
int shared_map(struct disk_file *file, size_t size, void **out);
void shared_unmap(void *memory, size_t size); /* NULL is fine */

#endif
