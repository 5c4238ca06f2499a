/*
 * account_file.c - lock, read, check, edit, replace.
 *
 * The lock is a file beside it, NAME.lock, which stays: the file itself is replaced, so who has a
 * lock on it may hold one that nobody else sees.
 */
#include "cmd/account_file.h"

#include "cmd/config_text.h"
#include "cmd/dev_dir.h"
#include "cmd/load_settings.h"
#include "cmd/options.h"

#include "base/disk.h"
#include "mail/accounts.h"
#include "store/small_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { EDIT_ROOM = 4096, NEW_FILE_MODE = 0600, LOCK_MODE = 0600 };

static int status_of(int code)
{
    if (code == -EACCES || code == -EPERM || code == -EROFS)
        return EX_NOPERM;
    return code == -ENOENT ? EX_NOINPUT : EX_IOERR;
}

static int cannot(const char *what, const char *path, int code)
{
    return command_wrong("user", status_of(code), "cannot %s %s: %s", what, path,
                         strerrordesc_np(-code));
}

/* ---- which file ---- */

/* What a configuration says of its tables of accounts. */
struct named_tables {
    unsigned count;                                 /* those that are meant */
    char name[SYNTAX_WORD_MAX + 1], path[PATH_MAX]; /* of the first */
    char queue[PATH_MAX];
};

static int choose_table(const struct named_tables *n, const struct account_file_options *o,
                        const char *config, char path[PATH_MAX])
{
    if (n->count == 0 && o->table != NULL)
        return command_wrong("user", EX_USAGE, "%s has no table of accounts '%s'", config,
                             o->table);
    if (n->count == 0)
        return command_wrong("user", EX_CONFIG,
                             "%s has no table of accounts; write in it: table accounts accounts "
                             "/etc/postroad/accounts",
                             config);
    if (n->count > 1)
        return command_wrong("user", EX_USAGE,
                             "%s has several tables of accounts, '%s' is one; say --table NAME",
                             config, n->name);
    memcpy(path, n->path, PATH_MAX);
    return 0;
}

static void take_table(struct named_tables *n, const struct account_file_options *o,
                       struct slice name, struct slice path)
{
    if (o->table != NULL && !slice_equal(name, slice_of(o->table)))
        return;
    if (n->count++ > 0)
        return;
    (void)snprintf(n->name, sizeof(n->name), "%.*s", SLICE_PRINTF(name));
    (void)snprintf(n->path, sizeof(n->path), "%.*s", SLICE_PRINTF(path));
}

static void take_queue(struct named_tables *n, struct slice path)
{
    (void)snprintf(n->queue, sizeof(n->queue), "%.*s", SLICE_PRINTF(path));
}

/* The first account makes the file, without which the configuration is wrong. False: it takes more
 * than the text to know. */
static bool look_at_text(const struct account_file_options *o, const char *config,
                         struct named_tables *n)
{
    struct config_text text;
    bool known = config_text_open(&text, config) && !text.includes;

    for (const struct syntax_statement *s = text.first; known && s != NULL; s = s->next) {
        if (slice_equal(s->word.text, SLICE("queue")))
            take_queue(n, config_text_value(s, 0));
        if (!slice_equal(s->word.text, SLICE("table")) ||
            !slice_equal(config_text_value(s, 1), SLICE("accounts")))
            continue;
        known = slice_starts(config_text_value(s, 2), SLICE("/"));
        take_table(n, o, config_text_value(s, 0), config_text_value(s, 2));
    }
    config_text_close(&text);
    return known;
}

static int look_at_settings(const struct account_file_options *o, const char *config,
                            struct named_tables *n)
{
    struct settings *settings;
    struct buf bundle;
    int status = load_settings_to_use(config, &bundle, &settings);

    if (status == 0) {
        take_queue(n, settings->queue_path);
        for (const struct settings_table *t = settings->tables; t != NULL; t = t->next)
            if (t->type == TABLE_ACCOUNTS)
                take_table(n, o, t->name, t->path);
        settings_free(settings);
    }
    buf_wipe(&bundle);
    return status;
}

static int find_by_config(const struct account_file_options *o, char path[PATH_MAX],
                          char queue[PATH_MAX])
{
    const char *config = o->config == NULL ? "/etc/postroad/postroad.conf" : o->config;
    struct named_tables n = {0};
    int status = 0;

    if (!look_at_text(o, config, &n)) {
        n.count = 0;
        status = look_at_settings(o, config, &n);
    }
    memcpy(queue, n.queue, sizeof(n.queue));
    return status == 0 ? choose_table(&n, o, config, path) : status;
}

/* There is one as soon as `dev` has run there with a port for submission. */
static int find_in_dir(const char *wanted, char path[PATH_MAX], char queue[PATH_MAX])
{
    char dir[PATH_MAX];

    if (!dev_dir(wanted, dir, sizeof(dir)) ||
        snprintf(path, PATH_MAX, "%s/" DEV_ACCOUNTS_FILE, dir) >= PATH_MAX ||
        snprintf(queue, PATH_MAX, "%s/" DEV_SPOOL, dir) >= PATH_MAX)
        return command_wrong("user", EX_USAGE, "the folder's name is too long");
    if (access(path, F_OK) == 0)
        return 0;
    return command_wrong("user", EX_NOINPUT,
                         "%s: %s; it is made by: postroad dev --dir %s --submission "
                         "127.0.0.1:1587",
                         path, strerrordesc_np(errno), wanted);
}

static int find_by_name(const char *file, char path[PATH_MAX])
{
    if (snprintf(path, PATH_MAX, "%s", file) < PATH_MAX)
        return 0;
    return cannot("open", file, -ENAMETOOLONG);
}

int account_file_find(const struct account_file_options *o, struct account_file *out)
{
    char named[PATH_MAX];
    int status;

    out->queue[0] = '\0';
    if ((o->file != NULL) + (o->dir != NULL) + (o->config != NULL || o->table != NULL) > 1)
        return command_wrong("user", EX_USAGE,
                             "--file, --dir, and -c with --table each say which accounts; give "
                             "one of them");
    if (o->file != NULL)
        status = find_by_name(o->file, named);
    else if (o->dir != NULL)
        status = find_in_dir(o->dir, named, out->queue);
    else
        status = find_by_config(o, named, out->queue);
    if (status != 0)
        return status;
    if (realpath(named, out->path) != NULL)
        return 0;
    if (errno != ENOENT)
        return cannot("open", named, -errno);
    memcpy(out->path, named, sizeof(named));
    return 0;
}

/* ---- reading ---- */

static int check(const char *path, struct slice text)
{
    struct arena arena = {0};
    struct complaints c = {.arena = &arena};
    struct buf told;

    accounts_free(accounts_parse(text, &c));
    buf_init(&told, 1024 * 1024);
    complaints_write(&c, slice_of(path), text, &told);
    if (buf_len(&told) > 0)
        fwrite(buf_slice(&told).data, 1, buf_len(&told), stderr);
    buf_done(&told);
    arena_done(&arena);
    if (c.errors == 0)
        return 0;
    return command_wrong("user", EX_DATAERR, "%s has errors; nothing was changed", path);
}

int account_file_read(const char *path, struct buf *text)
{
    unsigned flags;
    int code = load_file(path, SOURCE_TEXT_MAX, text, &flags);

    if (code == -ENOENT) {
        buf_init(text, 0);
        return 0;
    }
    return code < 0 ? cannot("read", path, code) : check(path, buf_slice(text));
}

/* ---- editing ---- */

static int tell(const struct account_edit *e, enum account_edited edited, const char *path)
{
    switch (edited) {
    case ACCOUNT_EDITED:
    case ACCOUNT_SAME: return 0;
    case ACCOUNT_MISSING:
        return command_wrong("user", EX_NOUSER, "there is no account '%.*s' in %s",
                             SLICE_PRINTF(e->name), path);
    case ACCOUNT_EXISTS:
        return command_wrong("user", EX_DATAERR,
                             "there is an account '%.*s' in %s; another password: postroad user "
                             "passwd %.*s",
                             SLICE_PRINTF(e->name), path, SLICE_PRINTF(e->name));
    case ACCOUNT_BAD_NAME:
        return command_wrong("user", EX_DATAERR,
                             "'%.*s' is no name for an account: write ann@example.org or, for "
                             "every domain, ann",
                             SLICE_PRINTF(e->name));
    case ACCOUNT_TOO_LONG:
        return command_wrong("user", EX_DATAERR, "%s would be longer than %d bytes", path,
                             SOURCE_TEXT_MAX);
    }
    abort();
}

static int edit_text(const char *path, const struct account_edit *edit, struct buf *out,
                     bool *changed)
{
    struct buf text = {0};
    int status = account_file_read(path, &text);

    if (status == 0) {
        buf_init(out, buf_len(&text) + EDIT_ROOM < SOURCE_TEXT_MAX ? buf_len(&text) + EDIT_ROOM
                                                                   : SOURCE_TEXT_MAX);
        enum account_edited edited = account_edit(buf_slice(&text), edit, out);

        *changed = edited == ACCOUNT_EDITED;
        status = tell(edit, edited, path);
    }
    buf_wipe(&text);
    return status;
}

int account_file_try(const char *path, const struct account_edit *edit)
{
    struct buf out = {0};
    bool changed;
    int status = edit_text(path, edit, &out, &changed);

    buf_wipe(&out);
    return status;
}

static int replace(struct disk_dir *dir, const char *path, const char *name, struct slice text)
{
    struct disk_stat there;
    int code = disk_stat(dir, name, &there);

    if (code == 0)
        code = small_file_replace_kept(dir, name, text);
    else if (code == -ENOENT)
        code = small_file_replace(dir, name, text, NEW_FILE_MODE);
    return code < 0 ? cannot("write", path, code) : 0;
}

static int edit_locked(struct disk_dir *dir, const char *path, const char *name,
                       const struct account_edit *edit, bool *changed)
{
    struct buf out = {0};
    int status = edit_text(path, edit, &out, changed);

    if (status == 0 && *changed)
        status = check(path, buf_slice(&out));
    if (status == 0 && *changed)
        status = replace(dir, path, name, buf_slice(&out));
    buf_wipe(&out);
    return status;
}

static int lock_and_edit(struct disk_dir *dir, const char *path, const char *name,
                         const struct account_edit *edit, bool *changed)
{
    char lock_name[NAME_MAX + 1];
    struct disk_file *lock;
    int len = snprintf(lock_name, sizeof(lock_name), "%s.lock", name);
    int code =
        len < 0 || len > NAME_MAX ? -ENAMETOOLONG : disk_lock(dir, lock_name, LOCK_MODE, &lock);

    if (code == -EAGAIN)
        return command_wrong("user", EX_TEMPFAIL, "somebody else changes %s just now; try again",
                             path);
    if (code < 0)
        return cannot("lock", path, code);
    int status = edit_locked(dir, path, name, edit, changed);
    disk_close(lock);
    return status;
}

int account_file_edit(const char *path, const struct account_edit *edit, bool *changed)
{
    char folder[PATH_MAX] = ".";
    struct slice whole = slice_of(path);
    size_t cut = slice_rfind(whole, '/');
    struct disk_dir *dir;

    if (cut != whole.len) {
        memcpy(folder, path, cut + 1);
        folder[cut + 1] = '\0';
    }
    int code = disk_dir_open(disk_real(), folder, &dir);
    if (code < 0)
        return cannot("open", folder, code);
    int status = lock_and_edit(dir, path, cut == whole.len ? path : path + cut + 1, edit, changed);
    disk_dir_close(dir);
    return status;
}
