/*
 * small_file.c - written beside its place, synced, and renamed into it.
 *
 * What a crash leaves beside the place is overwritten by the next one.
 */
#include "store/small_file.h"

#include "base/fail.h"

#include <errno.h>
#include <stdio.h>

enum { NAME_SIZE = 256 };

/* `like` may be NULL. Its owner is set before a byte is written: nobody else could read one. */
static int write_synced(struct disk_dir *dir, const char *name, struct slice bytes, unsigned mode,
                        struct disk_file *like)
{
    struct disk_file *file;
    int rc;

    (void)disk_unlink(dir, name);
    rc = disk_open(dir, name, DISK_CREATE, mode, &file);
    if (rc < 0)
        return rc;
    if (like != NULL)
        rc = disk_owned_like(file, like);
    if (rc == 0)
        rc = disk_write(file, bytes, 0);
    if (rc == 0)
        rc = disk_datasync(file);
    disk_close(file);
    return rc;
}

static int replace(struct disk_dir *dir, const char *name, struct slice bytes, unsigned mode,
                   struct disk_file *like)
{
    char beside[NAME_SIZE];
    int len = snprintf(beside, sizeof(beside), "%s.new", name);
    int rc = len < 0 || len >= NAME_SIZE ? -ENAMETOOLONG : 0;

    if (rc == 0)
        rc = write_synced(dir, beside, bytes, mode, like);
    if (rc == 0)
        rc = disk_rename(dir, beside, dir, name);
    if (rc == 0)
        rc = disk_sync_dir(dir);
    return rc < 0 ? fail_code(rc, "write", slice_of(name)) : 0;
}

int small_file_replace(struct disk_dir *dir, const char *name, struct slice bytes, unsigned mode)
{
    return replace(dir, name, bytes, mode, NULL);
}

int small_file_replace_kept(struct disk_dir *dir, const char *name, struct slice bytes)
{
    struct disk_file *file;
    int rc = disk_open(dir, name, DISK_READ, 0, &file);

    if (rc < 0)
        return fail_code(rc, "open", slice_of(name));
    rc = replace(dir, name, bytes, 0600, file);
    disk_close(file);
    return rc;
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
