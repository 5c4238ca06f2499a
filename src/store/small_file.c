/*
 * small_file.c - written beside its place, synced, and renamed into it.
 *
 * What a crash leaves beside the place is overwritten by the next one.
 */
#include "store/small_file.h"

#include "base/fail.h"

#include <errno.h>
#include <stdio.h>

enum { NAME_SIZE = 64 };

static int write_synced(struct disk_dir *dir, const char *name, struct slice bytes, unsigned mode)
{
    struct disk_file *file;
    int rc;

    (void)disk_unlink(dir, name);
    rc = disk_open(dir, name, DISK_CREATE, mode, &file);
    if (rc < 0)
        return rc;
    rc = disk_write(file, bytes, 0);
    if (rc == 0)
        rc = disk_datasync(file);
    disk_close(file);
    return rc;
}

int small_file_replace(struct disk_dir *dir, const char *name, struct slice bytes, unsigned mode)
{
    char beside[NAME_SIZE];
    int len = snprintf(beside, sizeof(beside), "%s.new", name);
    int rc = len < 0 || len >= NAME_SIZE ? -ENAMETOOLONG : 0;

    if (rc == 0)
        rc = write_synced(dir, beside, bytes, mode);
    if (rc == 0)
        rc = disk_rename(dir, beside, dir, name);
    if (rc == 0)
        rc = disk_sync_dir(dir);
    return rc < 0 ? fail_code(rc, "write", slice_of(name)) : 0;
}

static int read_all(struct disk_file *file, struct buf *out)
{
    char piece[4096];
    uint64_t at = 0;
    int64_t got;

    while ((got = disk_read(file, piece, sizeof(piece), at)) > 0) {
        at += (uint64_t)got;
        if (at > SMALL_FILE_MAX || !buf_append(out, (struct slice){piece, (size_t)got}))
            return -E2BIG;
    }
    return (int)got;
}

int small_file_read(struct disk_dir *dir, const char *name, struct buf *out)
{
    struct disk_file *file;
    int rc = disk_open(dir, name, DISK_READ, 0, &file);

    if (rc == -ENOENT)
        return rc;
    if (rc == 0) {
        rc = read_all(file, out);
        disk_close(file);
    }
    return rc < 0 ? fail_code(rc, "read", slice_of(name)) : 0;
}
