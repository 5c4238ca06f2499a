/*
 * drop.c - tmp-, then new-, perhaps bad-.
 *
 * Who leaves a file may not list the folder, and so cannot sync it: the file system as a whole is
 * synced instead, through the file. It is done when a server is down, not for every mail.
 */
#include "store/drop.h"

#include "base/codec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { UNIQUE_LEN = 16, UNIQUE_TEXT = 2 * UNIQUE_LEN };

#define NEW "new-"

static void name_write(char out[DROP_NAME_MAX], const char *prefix, struct slice unique)
{
    (void)snprintf(out, DROP_NAME_MAX, "%s%.*s", prefix, SLICE_PRINTF(unique));
}

bool drop_is_name(struct slice name)
{
    struct slice unique = slice_skip(name, sizeof(NEW) - 1);

    if (!slice_starts(name, SLICE(NEW)) || unique.len != UNIQUE_TEXT)
        return false;
    for (size_t i = 0; i < unique.len; i++)
        if ((unique.data[i] < '0' || unique.data[i] > '9') &&
            (unique.data[i] < 'a' || unique.data[i] > 'f'))
            return false;
    return true;
}

/* ---- leaving ---- */

/* Who is told that it was not left sends it by another way: it must not go by this one, too. */
static int publish(struct disk_dir *folder, const char *temporary, const char *name,
                   struct disk_file *file)
{
    int code = disk_rename(folder, temporary, folder, name);

    if (code < 0)
        return code;
    code = disk_file_syncfs(file);
    if (code < 0)
        (void)disk_unlink(folder, name);
    return code;
}

static int write_whole(struct disk_dir *folder, const char *temporary, const char *name,
                       struct slice content)
{
    struct disk_file *file;
    int code = disk_open(folder, temporary, DISK_CREATE, 0600, &file);

    if (code < 0)
        return code;
    code = disk_write(file, content, 0);
    if (code == 0)
        code = disk_datasync(file); /* no name may stand for half of it */
    if (code == 0)
        code = publish(folder, temporary, name, file);
    if (code < 0)
        (void)disk_unlink(folder, temporary);
    disk_close(file);
    return code;
}

int drop_put(struct disk_dir *folder, struct slice content, const unsigned char unique[16])
{
    char temporary[DROP_NAME_MAX], name[DROP_NAME_MAX];
    struct buf hex;

    if (content.len > DROP_FILE_MAX)
        return -EFBIG;
    buf_init(&hex, UNIQUE_TEXT);
    hex_encode(&hex, (struct slice){(const char *)unique, UNIQUE_LEN});
    name_write(temporary, "tmp-", buf_slice(&hex));
    name_write(name, NEW, buf_slice(&hex));
    buf_done(&hex);
    return write_whole(folder, temporary, name, content);
}

/* ---- taking ---- */

struct listing {
    char (*names)[DROP_NAME_MAX];
    unsigned count;
};

static bool list_one(void *ctx, struct slice name)
{
    struct listing *l = ctx;

    if (drop_is_name(name))
        name_write(l->names[l->count++], "", name);
    return true;
}

int drop_list(struct disk_dir *folder, uint64_t *position, char (*names)[DROP_NAME_MAX],
              unsigned max)
{
    struct listing l = {.names = names};
    int code = disk_dir_list_some(folder, position, max, list_one, &l);

    return code < 0 ? code : (int)l.count;
}

int drop_changed(struct disk_dir *folder, const char *name, uint64_t *at_us)
{
    struct disk_stat stat;
    int code = disk_stat(folder, name, &stat);

    if (code == 0)
        *at_us = stat.changed_us;
    return code;
}

int drop_open(struct disk_dir *folder, const char *name, struct disk_file **out,
              struct disk_facts *facts)
{
    struct disk_file *file;
    int code = disk_open(folder, name, DISK_READ, 0, &file);

    if (code == -ELOOP || code == -ENXIO) /* a link; a socket */
        return -EPERM;
    if (code < 0)
        return code;
    code = disk_file_facts(file, facts);
    if (code == 0 && (!facts->regular || facts->links != 1 || facts->size > DROP_FILE_MAX))
        code = -EPERM;
    if (code < 0)
        disk_close(file);
    else
        *out = file;
    return code;
}

int drop_done(struct disk_dir *folder, const char *name)
{
    return disk_unlink(folder, name);
}

int drop_sync(struct disk_dir *folder)
{
    return disk_sync_dir(folder);
}

int drop_set_aside(struct disk_dir *folder, const char *listed)
{
    char aside[DROP_NAME_MAX];

    name_write(aside, "bad-", slice_skip(slice_of(listed), sizeof(NEW) - 1));
    return disk_rename(folder, listed, folder, aside);
}
