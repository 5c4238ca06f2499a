/*
 * drop.h - a folder where programs leave whole files for somebody else.
 *
 * Anybody may make files in it (mode 1733) and nobody else's can be seen, changed or taken away. A
 * file is written under a name that nobody looks at ("tmp-..."), and gets its last one ("new-...")
 * when it is whole; then it belongs to whoever owns the folder. Who takes files believes nothing of
 * them: a name may be a link to a secret, a pipe that never ends, somebody else's file.
 *
 * All calls block.
 */
#ifndef STORE_DROP_H
#define STORE_DROP_H

#include "base/buf.h"
#include "base/disk.h"

enum {
    DROP_MODE = 01733,
    DROP_NAME_MAX = 64, /* with the NUL */
    DROP_FILE_MAX = 512 * 1024 * 1024,
};

/* Leaves a file; durable, with its name, when it returns 0. `unique`: 16 random bytes. A negative
 * errno: nothing was left, unless somebody took it at once. */
int drop_put(struct disk_dir *folder, struct slice content, const unsigned char unique[16]);

/* A name that a whole file has. */
bool drop_is_name(struct slice name);

/* The names of whole files among the next `max` of all names, each DROP_NAME_MAX bytes. The count,
 * or a negative errno. *position as in disk_dir_list_some(): anybody may make names, so their
 * number is bounded by nothing but the disk. */
int drop_list(struct disk_dir *folder, uint64_t *position, char (*names)[DROP_NAME_MAX],
              unsigned max);

/* When it came or was written last, by the wall clock; its owner cannot say otherwise. */
int drop_changed(struct disk_dir *folder, const char *name, uint64_t *at_us);

/* Opens one of them. -EPERM: it is no plain file of one name, or larger than any that drop_put()
 * leaves. */
int drop_open(struct disk_dir *folder, const char *name, struct disk_file **out,
              struct disk_facts *facts);

int drop_done(struct disk_dir *folder, const char *name);

/* What was done and set aside stays so. */
int drop_sync(struct disk_dir *folder);

/* What cannot be used stays, as "bad-...", for a person to look at, and is not listed again. */
int drop_set_aside(struct disk_dir *folder, const char *listed);

#endif
