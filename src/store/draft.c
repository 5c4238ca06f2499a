/*
 * draft.c - a message while it arrives.
 *
 * Most mail is small: it stays in memory and becomes part of its record, one write for all. A
 * large one must not be held in memory nor copied through the journal, so it gets a file. The
 * same buffer first holds the whole message and then gathers chunks for the file. Nothing is
 * synced here before the end: an aborted message should cost the disk as little as possible.
 */
#include "store/draft.h"

#include "base/fail.h"
#include "store/number_name.h"

void draft_file_name(uint64_t id, char out[DRAFT_NAME_SIZE])
{
    number_name_write("d-", id, out, DRAFT_NAME_SIZE);
}

bool draft_file_id(struct slice name, uint64_t *id)
{
    return number_name_parse(name, SLICE("d-"), id);
}

static int tell(const struct draft *d, int code, const char *operation)
{
    char name[DRAFT_NAME_SIZE];

    draft_file_name(d->id, name);
    return fail_code(code, operation, slice_of(name));
}

void draft_init(struct draft *d, struct disk_dir *dir, unsigned mode)
{
    *d = (struct draft){.dir = dir, .mode = mode};
    buf_init(&d->memory, DRAFT_MEMORY_MAX);
}

void draft_begin(struct draft *d, uint64_t id)
{
    draft_end(d);
    d->id = id;
}

/* Moves what is in memory to the end of the file, which is made at the first time. */
static int spill(struct draft *d)
{
    struct slice bytes = buf_slice(&d->memory);
    char name[DRAFT_NAME_SIZE];
    int rc;

    draft_file_name(d->id, name);
    if (d->file == NULL) {
        rc = disk_open(d->dir, name, DISK_CREATE, d->mode, &d->file);
        if (rc < 0)
            return tell(d, rc, "create");
    }
    rc = disk_write(d->file, bytes, d->size - bytes.len);
    if (rc < 0)
        return tell(d, rc, "write");
    buf_clear(&d->memory);
    return 0;
}

int draft_append(struct draft *d, struct slice bytes)
{
    while (bytes.len > 0) {
        struct slice piece = slice_head(bytes, buf_room(&d->memory));

        if (piece.len == 0) {
            int rc = spill(d);
            if (rc < 0)
                return rc;
            continue;
        }
        (void)buf_append(&d->memory, piece);
        d->size += piece.len;
        bytes = slice_skip(bytes, piece.len);
    }
    return 0;
}

int draft_finish(struct draft *d)
{
    if (d->file == NULL || buf_len(&d->memory) == 0)
        return 0;
    return spill(d);
}

bool draft_is_file(const struct draft *d)
{
    return d->file != NULL;
}

int draft_sync(struct draft *d)
{
    int rc = disk_datasync(d->file);

    return rc < 0 ? tell(d, rc, "sync") : 0;
}

int draft_sync_names(struct disk_dir *dir)
{
    int rc = disk_sync_dir(dir);

    return rc < 0 ? fail_code(rc, "sync directory", SLICE("draft")) : 0;
}

void draft_name(struct draft *d)
{
    d->named = true;
}

void draft_unname(struct draft *d)
{
    d->named = false;
}

void draft_end(struct draft *d)
{
    if (d->file != NULL) {
        disk_close(d->file);
        if (!d->named) {
            char name[DRAFT_NAME_SIZE];
            int rc;

            draft_file_name(d->id, name);
            rc = disk_unlink(d->dir, name);
            if (rc < 0)
                (void)tell(d, rc, "unlink"); /* the courier sweeps it later */
        }
    }
    d->file = NULL;
    d->named = false;
    d->size = 0;
    d->id = 0;
    buf_done(&d->memory);
    buf_init(&d->memory, DRAFT_MEMORY_MAX);
}
