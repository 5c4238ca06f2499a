/*
 * small_file.h - a small file that is replaced as a whole: after a crash it holds the old bytes or
 * the new ones.
 *
 * Both calls block. Failures are told, save that there is no such file.
 */
#ifndef STORE_SMALL_FILE_H
#define STORE_SMALL_FILE_H

#include "base/buf.h"
#include "base/disk.h"

enum { SMALL_FILE_MAX = 64 * 1024 };

/* Durable when it returns 0; else the old bytes count. */
int small_file_replace(struct disk_dir *dir, const char *name, struct slice bytes, unsigned mode);

/* The same for a file of a person's, of any size: it keeps its owner, group and permission bits.
 * -ENOENT: there is none. */
int small_file_replace_kept(struct disk_dir *dir, const char *name, struct slice bytes);

/* Into an empty buf. -ENOENT: it was never made. -E2BIG: it is none of ours. */
int small_file_read(struct disk_dir *dir, const char *name, struct buf *out);

#endif
