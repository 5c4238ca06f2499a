/*
 * warden_folders.c - whose is what in the file system.
 *
 * Folders are made, and given to their users, before any role looks; each role is handed its own,
 * opened, so that it needs no rights on the way there. A queue of an older postroad, or of one that
 * ran as somebody else, is given away in the same way, once: a folder changes hands after all that
 * is in it, so that a crash in between repeats it.
 *
 * docs/install.md has the table for people.
 */
#include "roles/warden_internal.h"

#include "base/cursor.h"
#include "mail/mailbox_path.h"
#include "queue/format.h"
#include "queue/queue.h"
#include "queue/queue_in.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SPOOL_MODE = 01771, /* the courier makes files of its own there, and takes nobody else's away */
    IN_MODE = 0750,
    SHARED_MODE = 0770, /* who writes it, and the courier */
    OWN_MODE = 0700,
    WAY_MODE = 0711,
    SEGMENT_MODE = 0240, /* written by one, read by the other */
    FILE_MODE = 0600,
    SPOOL_PATH_MAX = 32,
};

struct warden_folder {
    struct list link;
    enum role_kind kind;
    unsigned index;
    struct disk_dir *dir;
    size_t path_len;
    char path[];
};

/* ---- to whom they belong ---- */

struct gift {
    struct disk_dir *dir;
    struct disk_owner file; /* what each file in it becomes */
    int code;               /* the first that failed */
};

static struct disk_owner owned_by(const struct warden *w, enum role_kind kind, unsigned mode)
{
    const struct guard_user *u = guard_user(&w->guard, role_name(kind));

    return (struct disk_owner){u->user, u->group, mode};
}

static bool give_file(void *ctx, struct slice name)
{
    struct gift *g = ctx;
    struct arena scratch = {0};

    int code = disk_give(g->dir, arena_string(&scratch, name), &g->file);
    if (code < 0 && code != -ENOENT) /* folders, what is no file, and what has gone meanwhile */
        g->code = fail_code(code, "give away", name);
    arena_done(&scratch);
    return g->code == 0;
}

/* Nothing is looked through that is in the right hands. */
static int give_folder(struct disk_dir *dir, const struct disk_owner *folder,
                       const struct disk_owner *file)
{
    struct gift g = {.dir = dir, .file = *file};
    unsigned user, group;
    int code = disk_dir_owner(dir, &user, &group);

    if (code == 0 && (user != folder->user || group != folder->group))
        code = disk_dir_list(dir, give_file, &g);
    if (code == 0)
        code = g.code;
    return code < 0 ? code : disk_dir_give(dir, folder);
}

/* ---- opened, for their roles ---- */

static void keep(struct warden *w, enum role_kind kind, unsigned index, struct slice path,
                 struct disk_dir *dir)
{
    struct warden_folder *f = memory_new(sizeof(*f) + path.len);

    f->kind = kind;
    f->index = index;
    f->dir = dir;
    f->path_len = path.len;
    memcpy(f->path, path.data, path.len);
    list_append(&w->folders, &f->link);
}

void warden_send_folders(struct warden *w, struct child *c)
{
    LIST_EACH (node, &w->folders) {
        struct warden_folder *f = LIST_ENTRY(node, struct warden_folder, link);

        if (f->kind == c->kind && f->index == c->index)
            warden_give(c, MESSAGE_FOLDER, (struct slice){f->path, f->path_len}, NULL,
                        disk_dir_fd(f->dir));
    }
}

void warden_close_folders(struct warden *w)
{
    LIST_EACH (node, &w->folders) {
        struct warden_folder *f = LIST_ENTRY(node, struct warden_folder, link);

        list_remove(&f->link);
        disk_dir_close(f->dir);
        memory_free(f);
    }
}

/* ---- the queue ---- */

/* A folder below the queue's, "in/0/draft". Step by step, and never through a link: most of them
 * belong to others, who must not lead us anywhere. */
static int open_part(struct warden *w, const char *name, struct disk_dir **out)
{
    struct disk_dir *at = w->spool;
    struct arena scratch = {0};
    struct slice part, rest = slice_of(name);
    int code = 0;

    while (code == 0 && rest.len > 0) {
        if (!slice_cut(rest, '/', &part, &rest)) {
            part = rest;
            rest.len = 0;
        }
        struct disk_dir *next = NULL;
        code = disk_dir_open_at(at, arena_string(&scratch, part), &next);
        if (at != w->spool)
            disk_dir_close(at);
        at = next;
    }
    arena_done(&scratch);
    *out = at;
    return code;
}

static void hand_part(struct warden *w, const char *name, enum role_kind kind, unsigned index,
                      struct disk_dir *dir)
{
    struct arena scratch = {0};

    keep(w, kind, index,
         arena_printf(&scratch, "%.*s/%s", SLICE_PRINTF(w->options->settings->queue_path), name),
         dir);
    arena_done(&scratch);
}

/* It is a role's user's from now on. */
static int give_part(struct warden *w, const char *name, enum role_kind kind, unsigned mode,
                     unsigned file_mode)
{
    struct disk_dir *dir;

    struct disk_owner folder = owned_by(w, kind, mode), file = owned_by(w, kind, file_mode);
    int code = open_part(w, name, &dir);
    if (code < 0)
        return fail_code(code, "open", slice_of(name));
    code = give_folder(dir, &folder, &file);
    disk_dir_close(dir);
    return code < 0 ? fail_code(code, "give away", slice_of(name)) : 0;
}

/* And it is handed over, opened. */
static int take_part(struct warden *w, const char *name, enum role_kind kind, unsigned index)
{
    struct disk_dir *dir;
    int code = open_part(w, name, &dir);

    if (code < 0)
        return fail_code(code, "open", slice_of(name));
    hand_part(w, name, kind, index, dir);
    return 0;
}

/* The drafts first: as long as the folder above is not given away, both are looked through again.
 */
static int give_receiver(struct warden *w, struct slice number)
{
    struct arena scratch = {0};
    struct slice own = arena_printf(&scratch, "in/%.*s", SLICE_PRINTF(number));
    struct slice draft = arena_printf(&scratch, "%.*s/draft", SLICE_PRINTF(own));
    int code =
        give_part(w, arena_string(&scratch, draft), ROLE_RECEIVER, SHARED_MODE, SEGMENT_MODE);

    if (code == 0)
        code = give_part(w, arena_string(&scratch, own), ROLE_RECEIVER, SHARED_MODE, SEGMENT_MODE);
    arena_done(&scratch);
    return code;
}

struct received {
    struct warden *w;
    int code;
};

static bool give_received(void *ctx, struct slice name)
{
    struct received *r = ctx;
    struct cursor c = {name};
    uint64_t number;

    if (take_number(&c, &number) && cursor_at_end(&c) && number < RECEIVER_MAX)
        r->code = give_receiver(r->w, name);
    return r->code == 0;
}

/* Of all receivers that there ever were: a machine may have had more cores. */
static int give_receivers(struct warden *w)
{
    struct received r = {.w = w};
    struct disk_dir *in;
    int code = disk_dir_open_at(w->spool, "in", &in);

    if (code < 0)
        return code;
    code = disk_dir_list(in, give_received, &r);
    disk_dir_close(in);
    return code < 0 ? code : r.code;
}

static int take_receivers(struct warden *w)
{
    char own[SPOOL_PATH_MAX];
    int code = 0;

    for (unsigned i = 0; code == 0 && i < w->options->receivers; i++)
        code = queue_in_make_dirs(w->spool, i, OWN_MODE);
    if (code == 0 && w->guard.separate)
        code = give_receivers(w);
    for (unsigned i = 0; code == 0 && i < w->options->receivers; i++) {
        (void)snprintf(own, sizeof(own), "in/%u", i);
        code = take_part(w, own, ROLE_RECEIVER, i);
    }
    return code;
}

/* What may lie in the queue's folder; the files are the courier's. */
static const struct slice courier_files[] = {SLICE_INIT("paused"), SLICE_INIT("paused.new"),
                                             SLICE_INIT("converted")};
static const struct slice other_parts[] = {
    SLICE_INIT("in"),   SLICE_INIT("out"),          SLICE_INIT("once"),      SLICE_INIT("vault"),
    SLICE_INIT("lock"), SLICE_INIT("courier.sock"), SLICE_INIT("lost+found")};

static bool is_one_of(struct slice name, const struct slice *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(name, names[i]))
            return true;
    return false;
}

static bool is_part(void *ctx, struct slice name)
{
    bool known = is_one_of(name, courier_files, sizeof(courier_files) / sizeof(*courier_files)) ||
                 is_one_of(name, other_parts, sizeof(other_parts) / sizeof(*other_parts));

    if (!known) {
        *(bool *)ctx = true;
        fprintf(stderr,
                "postroad: the queue needs a folder of its own, but this one holds '%.*s'\n",
                SLICE_PRINTF(name));
    }
    return known;
}

/* A folder with other things in it, such as /tmp, must not change its owner for a slip of the pen.
 */
static int check_is_queue(struct warden *w, const struct disk_owner *owner)
{
    unsigned user, group;
    bool foreign = false;
    int code = disk_dir_owner(w->spool, &user, &group);

    if (code == 0 && (user != owner->user || group != owner->group))
        code = disk_dir_list(w->spool, is_part, &foreign);
    return code == 0 && foreign ? -ENOTEMPTY : code;
}

/* Ours, so that we may make folders there, without the right to do so everywhere. */
static int give_above(struct warden *w)
{
    const struct disk_owner out = owned_by(w, ROLE_COURIER, OWN_MODE);
    const struct disk_owner in = {0, out.group, IN_MODE}, spool = {0, out.group, SPOOL_MODE};
    struct disk_dir *dir;
    int code = check_is_queue(w, &spool);

    if (code == 0)
        code = disk_dir_give(w->spool, &spool);
    if (code == 0)
        code = queue_make_dirs(w->spool, OWN_MODE);
    if (code == 0)
        code = disk_dir_open_at(w->spool, "in", &dir);
    if (code == 0) {
        code = disk_dir_give(dir, &in);
        disk_dir_close(dir);
    }
    return code;
}

/* And the few files that it has in the queue itself. */
static int give_courier_parts(struct warden *w)
{
    static const char *const parts[] = {"out", "once", "in/255/draft", "in/255"};
    struct gift files = {.dir = w->spool, .file = owned_by(w, ROLE_COURIER, FILE_MODE)};

    for (size_t i = 0; i < sizeof(courier_files) / sizeof(*courier_files); i++)
        (void)give_file(&files, courier_files[i]);
    int code = files.code;
    for (size_t i = 0; code == 0 && i < sizeof(parts) / sizeof(*parts); i++)
        code = give_part(w, parts[i], ROLE_COURIER, OWN_MODE, FILE_MODE);
    return code;
}

static int take_courier(struct warden *w)
{
    struct disk_dir *spool = NULL;
    int code = w->guard.separate ? give_above(w) : queue_make_dirs(w->spool, OWN_MODE);

    if (code == 0)
        code = queue_in_make_dirs(w->spool, RECEIVER_MAX, OWN_MODE);
    if (code == 0 && w->guard.separate)
        code = give_courier_parts(w);
    if (code == 0)
        code = disk_dir_open_at(w->spool, ".", &spool);
    if (code == 0)
        keep(w, ROLE_COURIER, 0, w->options->settings->queue_path, spool);
    return code;
}

static int take_vault(struct warden *w)
{
    int code = disk_dir_make(w->spool, "vault", OWN_MODE);

    if (code == 0 && w->guard.separate)
        code = give_part(w, "vault", ROLE_VAULT, OWN_MODE, FILE_MODE);
    return code < 0 ? code : take_part(w, "vault", ROLE_VAULT, 0);
}

int warden_make_spool(struct warden *w)
{
    int code = take_courier(w);

    if (code == 0)
        code = take_receivers(w);
    if (code == 0)
        code = take_vault(w);
    return code < 0 ? fail_code(code, "make the folders of", w->options->settings->queue_path) : 0;
}

/* ---- mailboxes ---- */

static bool is_known(const struct warden *w, struct slice path)
{
    LIST_EACH (node, &w->folders) {
        const struct warden_folder *f = LIST_ENTRY(node, struct warden_folder, link);

        if (f->kind == ROLE_POSTMAN && slice_equal((struct slice){f->path, f->path_len}, path))
            return true;
    }
    return false;
}

/* Where the postman may not go or make anything itself, as below /var. */
static int make_root_for(struct warden *w, struct slice path, struct disk_dir **out)
{
    const struct disk_owner postman = owned_by(w, ROLE_POSTMAN, OWN_MODE);
    struct arena scratch = {0};
    int code = disk_dir_open(disk_real(), arena_string(&scratch, path), out);

    arena_done(&scratch);
    if (code != -ENOENT)
        return code;
    if (w->child_count > 0) { /* we can give nothing away any more */
        fprintf(stderr,
                "postroad: there is no folder %.*s for mailboxes; to make it, type:\n"
                "    install -d -m 700 -o %u -g %u '%.*s'\n",
                SLICE_PRINTF(path), postman.user, postman.group, SLICE_PRINTF(path));
        return -ENOENT;
    }
    /* What is above it stays ours: others must get through, Dovecot for one. */
    code = disk_dir_make_path(disk_real(), path, WAY_MODE, out);
    if (code < 0)
        return code;
    code = disk_dir_give(*out, &postman);
    if (code < 0)
        disk_dir_close(*out);
    return code;
}

static int open_root(struct warden *w, struct slice path, struct disk_dir **out)
{
    if (!w->guard.separate)
        return disk_dir_make_path(disk_real(), path, OWN_MODE, out);
    guard_borrow(guard_user(&w->guard, role_name(ROLE_POSTMAN)));
    int code = disk_dir_make_path(disk_real(), path, OWN_MODE, out);
    guard_return();
    return code == -EACCES ? make_root_for(w, path, out) : code;
}

/* Single mailboxes in it may be the postman's all the same. */
static void warn_of_owner(const struct warden *w, struct slice path, struct disk_dir *dir)
{
    const struct guard_user *postman = guard_user(&w->guard, role_name(ROLE_POSTMAN));
    unsigned user, group;

    if (w->guard.separate && disk_dir_owner(dir, &user, &group) == 0 && user != postman->user)
        fprintf(stderr,
                "postroad: warning: the folder %.*s for mailboxes belongs to user %u, not to "
                "vmail, who delivers mail; mail waits where vmail cannot write. To give it all "
                "that is there: chown -R %u:%u '%.*s'\n",
                SLICE_PRINTF(path), user, postman->user, postman->group, SLICE_PRINTF(path));
}

/* One that cannot be had would keep every mail waiting: say so before the first. */
static int make_root(struct warden *w, struct slice root)
{
    struct disk_dir *dir;

    if (is_known(w, root))
        return 0;
    int code = open_root(w, root, &dir);
    if (code < 0)
        return fail_code(code, "open the mailbox root", root);
    warn_of_owner(w, root, dir);
    keep(w, ROLE_POSTMAN, 0, root, dir);
    return 0;
}

static int by_length(const void *a, const void *b)
{
    size_t one = ((const struct slice *)a)->len, other = ((const struct slice *)b)->len;

    return (one > other) - (one < other);
}

/* Shorter ones first: what is made on the way to one stays ours, and may be a root itself. */
int warden_make_mailbox_roots(struct warden *w, const struct settings *settings)
{
    const struct rules *rules = &settings->rules;
    struct slice *roots = memory_new((rules->count + 1) * sizeof(*roots));
    struct slice rest;
    size_t count = 0;
    int code = 0;

    for (size_t i = 0; i < rules->count; i++)
        if (rules->rules[i].action == ACTION_MAILDIR &&
            mailbox_template_split(rules->rules[i].path, &roots[count], &rest))
            count++;
    qsort(roots, count, sizeof(*roots), by_length);
    for (size_t i = 0; code == 0 && i < count; i++)
        code = make_root(w, roots[i]);
    memory_free(roots);
    return code;
}
