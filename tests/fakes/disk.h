/*
 * disk.h - a file system in memory that forgets what was not synced.
 *
 * Promises what POSIX promises and nothing more: datasync makes the bytes and the size of one
 * file durable, a directory's sync its entries, syncfs everything. At a crash each unsynced
 * 512-byte sector is kept or lost by itself, sizes fall anywhere between old and new, and
 * unsynced creations, renames and unlinks happen or do not, each by itself. One seed decides.
 *
 * Fails on demand: the n-th call with an error of choice (a write then has written a part), or
 * from the n-th call on everything, as if the power were gone. Calls that change or sync are
 * counted, and reads too.
 */
#ifndef FAKES_DISK_H
#define FAKES_DISK_H

#include "base/disk.h"

struct fake_disk;
struct clock;

/* An empty file system; clock (may be NULL) gives modification times. */
struct fake_disk *fake_disk_new(struct clock *clock);
void fake_disk_free(struct fake_disk *d); /* close all files and directories first */

struct disk *fake_disk(struct fake_disk *d);

/* The door of one process, so that it can die alone: once *dead, whatever it still does has no
 * effect and is -EIO; its handles may only be closed. `dead` is the caller's; it must outlive the
 * handles. The door lives as long as the disk. */
struct disk *fake_disk_process(struct fake_disk *d, bool *dead);

/* The process dies at its n-th call from now (0: not). */
void fake_disk_die_at(struct disk *process, uint64_t call);

/* The next sync of this process, of whatever, fails with the code (negative errno). */
void fake_disk_fail_sync(struct disk *process, int code);

/* A bug to plant: each datasync of this process says 0 first and happens at the next one. */
void fake_disk_sync_late(struct disk *process, bool late);

/* For fakes/net: a second owner of an open file; it belongs to no process. */
int fake_disk_dup(struct disk_file *file, struct disk_file **out);

/* Handles that are open, of all or of one process (what was passed to it does not count), and bytes
 * that all files hold. */
unsigned fake_disk_open(const struct fake_disk *d);
unsigned fake_disk_process_open(const struct disk *process);
uint64_t fake_disk_used(const struct fake_disk *d);

/* Calls so far. */
uint64_t fake_disk_calls(const struct fake_disk *d);

/* The call with this number (from 1) fails with the code (negative errno). 0: none. */
void fake_disk_fail_at(struct fake_disk *d, uint64_t call, int code);

/* From the call with this number on, nothing happens any more and everything is -EIO, until
 * fake_disk_crash(). 0: never. */
void fake_disk_cut_at(struct fake_disk *d, uint64_t call);
bool fake_disk_is_cut(const struct fake_disk *d);

/* The power goes and comes back. Handles that are still open may only be closed. */
void fake_disk_crash(struct fake_disk *d, uint64_t seed);

/* Bytes that all files together may hold; UINT64_MAX at first. */
void fake_disk_set_space(struct fake_disk *d, uint64_t bytes);

/* A lying disk, to plant a bug: these syncs return 0 and do nothing. */
void fake_disk_ignore_datasync(struct fake_disk *d, bool ignore);
void fake_disk_ignore_dir_sync(struct fake_disk *d, bool ignore);

#endif
