/*
 * grants.c - two small files, and which of them counts.
 *
 * A renewed token carries the name of the login that it came of. So a new login makes the renewed
 * ones of the one before worthless at once, without a lock and without a clock.
 */
#include "roles/grants.h"

#include "base/fail.h"

#include <errno.h>
#include <stdio.h>

enum { NAME_SIZE = 256, FOLDER_MODE = 0700, FILE_MODE = 0600 };

int grants_open(struct disk *disk, struct slice queue_path, struct disk_dir **out)
{
    struct arena scratch = {0};
    struct slice path = arena_printf(&scratch, "%.*s/vault", SLICE_PRINTF(queue_path));
    int code = disk_dir_make_path(disk, path, FOLDER_MODE, out);

    if (code < 0)
        (void)fail_code(code, "open", path);
    arena_done(&scratch);
    return code;
}

/* The configuration has relays of letters, digits, "-" and "_" only. */
static bool name_of(struct slice relay, const char *suffix, char out[NAME_SIZE])
{
    int len = snprintf(out, NAME_SIZE, "%.*s.%s", SLICE_PRINTF(relay), suffix);

    return len > 0 && len < NAME_SIZE - 4; /* it is written beside its place, with a suffix */
}

static int read_one(struct disk_dir *dir, struct slice relay, const char *suffix,
                    struct arena *arena, struct grant *out)
{
    char name[NAME_SIZE];
    struct buf text;

    if (!name_of(relay, suffix, name))
        return fail_code(-ENAMETOOLONG, "read", relay);
    buf_init(&text, SMALL_FILE_MAX);
    int code = small_file_read(dir, name, &text);
    if (code == 0 && !grant_read(buf_slice(&text), arena, out))
        code = fail_code(-EBADMSG, "read", slice_of(name));
    buf_wipe(&text);
    return code;
}

/* One that was renewed and is spoilt leaves the first one, which may still be good. One that cannot
 * be read now may be good the next time: the first one, shown instead, looks stolen to a provider
 * that renewed it. */
int grants_read(struct disk_dir *dir, struct slice relay, struct arena *arena, struct grant *out)
{
    struct grant renewed = {0};
    int code = read_one(dir, relay, "login", arena, out);

    if (code < 0)
        return code;
    code = read_one(dir, relay, "renewed", arena, &renewed);
    if (code == 0 && slice_equal(renewed.login, out->login))
        *out = renewed;
    return code == -ENOENT || code == -EBADMSG ? 0 : code;
}

static int write_one(struct disk_dir *dir, struct slice relay, const char *suffix,
                     const struct grant *g)
{
    char name[NAME_SIZE];
    struct buf text;

    buf_init(&text, GRANT_TEXT_MAX);
    (void)buf_reserve(&text, GRANT_TEXT_MAX); /* so that it never moves */
    int code = name_of(relay, suffix, name) && grant_write(&text, g)
                   ? small_file_replace(dir, name, buf_slice(&text), FILE_MODE)
                   : fail_code(-ENAMETOOLONG, "write", relay);
    buf_wipe(&text);
    return code;
}

int grants_login(struct disk_dir *dir, struct slice relay, const struct grant *g)
{
    return write_one(dir, relay, "login", g);
}

int grants_renew(struct disk_dir *dir, struct slice relay, const struct grant *g)
{
    return write_one(dir, relay, "renewed", g);
}
