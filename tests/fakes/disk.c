/*
 * disk.c - a file system in memory that forgets what was not synced.
 *
 * Every file has two contents, what programs see and what the platter holds, and a mark per
 * sector where they differ. Every directory has the entries that programs see and a log of
 * changes since its last sync: a crash takes the synced entries and replays a random subset of
 * the log, so unrelated changes reorder. A rename within one directory is one change; across two
 * it is a link in one and an unlink in the other, and the unlink is not kept without the link.
 */
#include "fakes/disk.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/random.h"
#include "fakes/outside.h"
#include "fakes/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512, NAME_MAX_BYTES = 256 };

struct node {
    bool is_dir;
    unsigned users; /* handles, entries and log changes */
    struct list all;
    /* a file */
    char *seen;
    size_t seen_len;
    char *kept; /* on the platter */
    size_t kept_len;
    unsigned char *dirty; /* per sector of seen */
    size_t cap;           /* of all three, in whole sectors */
    uint64_t mtime_us, changed_us;
    /* a directory */
    struct list entries; /* as seen */
    struct list synced;  /* entries on the platter */
    struct list log;     /* changes since */
};

struct entry {
    struct list link;
    char name[NAME_MAX_BYTES];
    struct node *node;
};

/* A name comes to mean `node`, or nothing when that is NULL; `old` is removed by the same change
 * when it is a rename within the directory. */
struct change {
    struct list link;
    char name[NAME_MAX_BYTES];
    char old[NAME_MAX_BYTES];
    struct node *node;
    struct node *only_in;         /* a removal that waits for this directory ... */
    char only_as[NAME_MAX_BYTES]; /* ... to hold this name durably, or NULL */
};

/* What a process sees; the first one belongs to the test. */
struct door {
    struct disk disk;
    struct list link;
    struct fake_disk *of;
    bool *dead;
    unsigned open; /* handles */
    uint64_t calls;
    uint64_t die_at;
    int sync_fails;    /* the next sync's code, or 0 */
    bool sync_late;    /* says 0, and does it the next time */
    struct node *owed; /* what it said it had synced */
};

struct fake_disk {
    struct door own;
    struct list doors;
    unsigned open;
    struct clock *clock;
    struct node *root;
    struct list nodes;
    uint64_t calls;
    uint64_t fail_at;
    int fail_code;
    uint64_t cut_at;
    bool cut;
    uint64_t space;
    bool ignore_datasync;
    bool ignore_dir_sync;
    unsigned crashes; /* handles of former lives are dead */
};

struct fake_dir {
    struct disk_dir dir;
    struct door *door;
    struct node *node;
    unsigned life;
};

struct fake_file {
    struct disk_file file;
    struct door *door;
    struct node *node;
    unsigned life;
    bool reads;
    bool writes;
};

static const struct disk_ops ops;

static struct fake_dir *dir_of(struct disk_dir *dir)
{
    return LIST_ENTRY(dir, struct fake_dir, dir);
}

static struct fake_file *file_of(struct disk_file *file)
{
    return LIST_ENTRY(file, struct fake_file, file);
}

static bool is_gone(const struct door *door, unsigned life)
{
    return door->of->cut || life != door->of->crashes || (door->dead != NULL && *door->dead);
}

/* Counts a call; what it is to return instead of working, or 0. */
static int enter(struct door *door, unsigned life)
{
    struct fake_disk *d = door->of;

    d->calls++;
    door->calls++;
    if (d->cut_at != 0 && d->calls >= d->cut_at)
        d->cut = true;
    if (door->die_at != 0 && door->calls >= door->die_at)
        *door->dead = true;
    if (is_gone(door, life))
        return -EIO;
    return d->fail_at != 0 && d->calls == d->fail_at ? d->fail_code : 0;
}

static int enter_sync(struct door *door, unsigned life)
{
    int rc = enter(door, life);

    if (rc == 0) {
        rc = door->sync_fails;
        door->sync_fails = 0;
    }
    return rc;
}

/* --- nodes --- */

static struct node *node_new(struct fake_disk *d, bool is_dir)
{
    struct node *n = OUTSIDE_NEW(struct node);

    n->is_dir = is_dir;
    list_init(&n->entries);
    list_init(&n->synced);
    list_init(&n->log);
    list_init(&n->all);
    list_append(&d->nodes, &n->all);
    return n;
}

static struct node *hold(struct node *n)
{
    if (n != NULL)
        n->users++;
    return n;
}

static void drop_entries(struct list *entries);
static void drop_log(struct list *log);

static void drop(struct node *n)
{
    if (n == NULL || --n->users > 0)
        return;
    drop_entries(&n->entries);
    drop_entries(&n->synced);
    drop_log(&n->log);
    list_remove(&n->all);
    outside_free(n->seen);
    outside_free(n->kept);
    outside_free(n->dirty);
    outside_free(n);
}

static void entry_drop(struct entry *e)
{
    list_remove(&e->link);
    drop(e->node);
    outside_free(e);
}

static void drop_entries(struct list *entries)
{
    while (!list_empty(entries))
        entry_drop(LIST_ENTRY(entries->next, struct entry, link));
}

static void change_drop(struct change *c)
{
    list_remove(&c->link);
    drop(c->node);
    drop(c->only_in);
    outside_free(c);
}

static void drop_log(struct list *log)
{
    while (!list_empty(log))
        change_drop(LIST_ENTRY(log->next, struct change, link));
}

static struct entry *find(struct list *entries, const char *name)
{
    LIST_EACH (at, entries) {
        struct entry *e = LIST_ENTRY(at, struct entry, link);

        if (strcmp(e->name, name) == 0)
            return e;
    }
    return NULL;
}

static void copy_name(char out[NAME_MAX_BYTES], const char *name)
{
    (void)snprintf(out, NAME_MAX_BYTES, "%s", name);
}

/* Makes `name` mean `node` (NULL: nothing) in a set of entries. */
static void set_entry(struct list *entries, const char *name, struct node *node)
{
    struct entry *e = find(entries, name);

    hold(node);
    if (e != NULL)
        entry_drop(e);
    if (node == NULL)
        return;
    e = OUTSIDE_NEW(struct entry);
    copy_name(e->name, name);
    e->node = node;
    list_init(&e->link);
    list_append(entries, &e->link);
}

static struct change *log_change(struct node *dir, const char *name, struct node *node)
{
    struct change *c = OUTSIDE_NEW(struct change);

    copy_name(c->name, name);
    c->node = hold(node);
    list_init(&c->link);
    list_append(&dir->log, &c->link);
    return c;
}

static void apply(struct list *entries, const struct change *c)
{
    if (c->old[0] != '\0')
        set_entry(entries, c->old, NULL);
    set_entry(entries, c->name, c->node);
}

static void copy_entries(struct list *to, struct list *from)
{
    drop_entries(to);
    LIST_EACH (at, from) {
        struct entry *e = LIST_ENTRY(at, struct entry, link);

        set_entry(to, e->name, e->node);
    }
}

static void sync_entries(struct node *dir)
{
    copy_entries(&dir->synced, &dir->entries);
    drop_log(&dir->log);
}

/* Around a walk over all nodes that may let some of them go. */
static void hold_all(struct fake_disk *d)
{
    LIST_EACH (at, &d->nodes)
        hold(LIST_ENTRY(at, struct node, all));
}

static void drop_all(struct fake_disk *d)
{
    LIST_EACH (at, &d->nodes)
        drop(LIST_ENTRY(at, struct node, all));
}

/* --- file contents --- */

static void reserve(struct node *n, size_t len)
{
    size_t cap = (len + SECTOR - 1) / SECTOR * SECTOR;

    if (cap <= n->cap)
        return;
    if (cap < n->cap * 2)
        cap = n->cap * 2;
    n->seen = outside_resize(n->seen, cap);
    n->kept = outside_resize(n->kept, cap);
    n->dirty = outside_resize(n->dirty, cap / SECTOR);
    memset(n->seen + n->cap, 0, cap - n->cap);
    memset(n->kept + n->cap, 0, cap - n->cap);
    memset(n->dirty + n->cap / SECTOR, 0, (cap - n->cap) / SECTOR);
    n->cap = cap;
}

static void mark_dirty(struct node *n, size_t from, size_t to)
{
    for (size_t at = from / SECTOR; at * SECTOR < to; at++)
        n->dirty[at] = 1;
}

static void sync_bytes(struct node *n)
{
    for (size_t at = 0; at * SECTOR < n->cap; at++) {
        if (n->dirty[at])
            memcpy(n->kept + at * SECTOR, n->seen + at * SECTOR, SECTOR);
    }
    if (n->cap > 0)
        memset(n->dirty, 0, n->cap / SECTOR);
    n->kept_len = n->seen_len;
}

/* What Linux does when a sync fails: the pages count as clean, so that no later sync writes
 * them, and what programs read is not what the platter holds. */
static void lose_bytes(struct node *n)
{
    if (n->cap > 0)
        memset(n->dirty, 0, n->cap / SECTOR);
}

static uint64_t used(const struct fake_disk *d)
{
    uint64_t sum = 0;

    LIST_EACH (at, &d->nodes)
        sum += LIST_ENTRY(at, struct node, all)->seen_len;
    return sum;
}

static uint64_t now_us(const struct fake_disk *d)
{
    return d->clock == NULL ? 0 : clock_wall_us(d->clock);
}

/* --- the door --- */

static struct disk_dir *dir_handle(struct door *door, struct node *n)
{
    struct fake_dir *h = OUTSIDE_NEW(struct fake_dir);

    *h = (struct fake_dir){.dir = {&ops}, .door = door, .node = hold(n), .life = door->of->crashes};
    door->of->open++;
    door->open++;
    return &h->dir;
}

static struct disk_file *file_handle(struct door *door, struct node *n, bool reads, bool writes)
{
    struct fake_file *f = OUTSIDE_NEW(struct fake_file);

    *f = (struct fake_file){.file = {&ops},
                            .door = door,
                            .node = hold(n),
                            .life = door->of->crashes,
                            .reads = reads,
                            .writes = writes};
    door->of->open++;
    door->open++;
    return &f->file;
}

static int fake_dir_open(struct disk *disk, const char *path, struct disk_dir **out)
{
    struct door *door = LIST_ENTRY(disk, struct door, disk);
    struct node *n = door->of->root;
    char name[NAME_MAX_BYTES];

    int rc = enter(door, door->of->crashes);
    if (rc < 0)
        return rc;
    while (*path != '\0') {
        size_t len = strcspn(path, "/");

        if (len > 0) {
            (void)snprintf(name, sizeof(name), "%.*s", (int)len, path);
            struct entry *e = find(&n->entries, name);
            if (e == NULL)
                return -ENOENT;
            if (!e->node->is_dir)
                return -ENOTDIR;
            n = e->node;
        }
        path += len + (path[len] == '/');
    }
    *out = dir_handle(door, n);
    return 0;
}

static int fake_dir_open_at(struct disk_dir *at, const char *name, struct disk_dir **out)
{
    struct fake_dir *h = dir_of(at);
    int rc = enter(h->door, h->life);
    struct entry *e = find(&h->node->entries, name);

    if (rc < 0)
        return rc;
    if (e == NULL)
        return -ENOENT;
    if (!e->node->is_dir)
        return -ENOTDIR;
    *out = dir_handle(h->door, e->node);
    return 0;
}

static void fake_dir_close(struct disk_dir *dir)
{
    dir_of(dir)->door->of->open--;
    dir_of(dir)->door->open--;
    drop(dir_of(dir)->node);
    outside_free(dir_of(dir));
}

static int fake_dir_make(struct disk_dir *at, const char *name, unsigned mode)
{
    struct fake_dir *h = dir_of(at);
    int rc = enter(h->door, h->life);

    (void)mode;
    if (rc < 0)
        return rc;
    if (find(&h->node->entries, name) != NULL)
        return 0;
    struct node *n = hold(node_new(h->door->of, true));
    set_entry(&h->node->entries, name, n);
    (void)log_change(h->node, name, n);
    drop(n);
    return 0;
}

/* Lists a copy: `each` may create and unlink. */
static int fake_dir_list(struct disk_dir *dir, uint64_t *position, unsigned max,
                         bool (*each)(void *ctx, struct slice name), void *ctx)
{
    struct fake_dir *h = dir_of(dir);
    struct list copy;
    uint64_t from = *position, at_entry = 0;
    int rc = enter(h->door, h->life);

    if (rc < 0)
        return rc;
    list_init(&copy);
    copy_entries(&copy, &h->node->entries);
    *position = 0;
    LIST_EACH (at, &copy) {
        if (at_entry++ < from)
            continue;
        if (!each(ctx, slice_of(LIST_ENTRY(at, struct entry, link)->name)) || --max == 0) {
            *position = at_entry;
            break;
        }
    }
    drop_entries(&copy);
    return 0;
}

static int fake_dir_sync(struct disk_dir *dir)
{
    struct fake_dir *h = dir_of(dir);
    int rc = enter_sync(h->door, h->life);

    if (rc == 0 && !h->door->of->ignore_dir_sync)
        sync_entries(h->node);
    return rc;
}

static void sync_all(struct fake_disk *d)
{
    hold_all(d);
    LIST_EACH (at, &d->nodes) {
        struct node *n = LIST_ENTRY(at, struct node, all);

        sync_bytes(n);
        sync_entries(n);
    }
    drop_all(d);
}

static int fake_dir_syncfs(struct disk_dir *dir)
{
    struct fake_dir *h = dir_of(dir);
    int rc = enter_sync(h->door, h->life);

    if (rc == 0)
        sync_all(h->door->of);
    return rc;
}

static int fake_syncfs(struct disk_file *file)
{
    struct fake_file *h = file_of(file);
    int rc = enter_sync(h->door, h->life);

    if (rc == 0)
        sync_all(h->door->of);
    return rc;
}

static int fake_dir_owner(struct disk_dir *dir, unsigned *user, unsigned *group)
{
    *user = *group = 0;
    return enter(dir_of(dir)->door, dir_of(dir)->life);
}

static int fake_dir_free_bytes(struct disk_dir *dir, uint64_t *out)
{
    struct fake_disk *d = dir_of(dir)->door->of;
    int rc = enter(dir_of(dir)->door, dir_of(dir)->life);
    uint64_t sum = used(d);

    if (rc == 0)
        *out = sum < d->space ? d->space - sum : 0;
    return rc;
}

static int fake_open(struct disk_dir *at, const char *name, enum disk_open how, unsigned mode,
                     struct disk_file **out)
{
    struct fake_dir *h = dir_of(at);
    bool creates = how == DISK_CREATE || how == DISK_CREATE_READ;
    struct entry *e = find(&h->node->entries, name);
    int rc = enter(h->door, h->life);
    struct node *n;

    (void)mode;
    if (rc < 0)
        return rc;
    if (creates ? e != NULL : e == NULL)
        return creates ? -EEXIST : -ENOENT;
    if (creates) {
        n = hold(node_new(h->door->of, false));
        n->mtime_us = n->changed_us = now_us(h->door->of);
        set_entry(&h->node->entries, name, n);
        (void)log_change(h->node, name, n);
    } else {
        n = hold(e->node);
    }
    *out = file_handle(h->door, n, how == DISK_READ || how == DISK_CREATE_READ, how != DISK_READ);
    drop(n);
    return 0;
}

static int fake_stat(struct disk_dir *at, const char *name, struct disk_stat *out)
{
    struct fake_dir *h = dir_of(at);
    int rc = enter(h->door, h->life);
    struct entry *e = find(&h->node->entries, name);

    if (rc < 0)
        return rc;
    if (e == NULL)
        return -ENOENT;
    *out = (struct disk_stat){.size = e->node->seen_len,
                              .mtime_us = e->node->mtime_us,
                              .changed_us = e->node->changed_us};
    return 0;
}

static int fake_rename(struct disk_dir *from, const char *old, struct disk_dir *to,
                       const char *name)
{
    struct fake_dir *source = dir_of(from), *target = dir_of(to);
    int rc = enter(source->door, source->life);
    struct entry *e = find(&source->node->entries, old);

    if (rc < 0)
        return rc;
    if (e == NULL)
        return -ENOENT;
    struct node *n = hold(e->node);
    n->changed_us = now_us(source->door->of);
    set_entry(&source->node->entries, old, NULL);
    set_entry(&target->node->entries, name, n);
    struct change *link = log_change(target->node, name, n);
    if (source->node == target->node) {
        copy_name(link->old, old);
    } else {
        struct change *removal = log_change(source->node, old, NULL);
        removal->only_in = hold(target->node);
        copy_name(removal->only_as, name);
    }
    drop(n);
    return 0;
}

static int fake_unlink(struct disk_dir *at, const char *name)
{
    struct fake_dir *h = dir_of(at);
    int rc = enter(h->door, h->life);

    if (rc < 0)
        return rc;
    if (find(&h->node->entries, name) == NULL)
        return -ENOENT;
    set_entry(&h->node->entries, name, NULL);
    (void)log_change(h->node, name, NULL);
    return 0;
}

static void fake_close(struct disk_file *file)
{
    file_of(file)->door->of->open--;
    file_of(file)->door->open--;
    drop(file_of(file)->node);
    outside_free(file_of(file));
}

static int64_t fake_read(struct disk_file *file, void *out, size_t len, uint64_t offset)
{
    struct fake_file *f = file_of(file);
    int rc = enter(f->door, f->life);

    if (rc < 0)
        return rc;
    if (!f->reads)
        return -EBADF;
    if (offset >= f->node->seen_len)
        return 0;
    if (len > f->node->seen_len - offset)
        len = (size_t)(f->node->seen_len - offset);
    memcpy(out, f->node->seen + offset, len);
    return (int64_t)len;
}

/* How much of a failing write happens anyway: any part, the same for the same call. */
static uint64_t part_of(uint64_t call, uint64_t len)
{
    return len == 0 ? 0 : (call * 2654435761U >> 7) % len;
}

static int fake_write(struct disk_file *file, const struct iovec *iov, int n, uint64_t offset)
{
    struct fake_file *f = file_of(file);
    struct node *node = f->node;
    struct fake_disk *d = f->door->of;
    uint64_t len = 0, sum = used(d), grows, todo;
    int rc = enter(f->door, f->life);

    if (is_gone(f->door, f->life))
        return -EIO;
    if (!f->writes)
        return -EBADF;
    for (int i = 0; i < n; i++)
        len += iov[i].iov_len;
    todo = rc < 0 ? part_of(d->calls, len) : len;
    grows = offset + todo > node->seen_len ? offset + todo - node->seen_len : 0;
    if (grows > 0 && sum + grows > d->space) {
        uint64_t room = sum < d->space ? d->space - sum : 0;

        todo = node->seen_len + room > offset ? node->seen_len + room - offset : 0;
        rc = rc < 0 ? rc : -ENOSPC;
    }
    reserve(node, (size_t)(offset + todo));
    uint64_t at = offset, left = todo;
    for (int i = 0; i < n && left > 0; i++) {
        size_t piece = iov[i].iov_len < left ? iov[i].iov_len : (size_t)left;

        if (piece > 0)
            memcpy(node->seen + at, iov[i].iov_base, piece);
        at += piece;
        left -= piece;
    }
    if (todo > 0) {
        mark_dirty(node, (size_t)offset, (size_t)at);
        if (at > node->seen_len)
            node->seen_len = (size_t)at;
        node->mtime_us = node->changed_us = now_us(f->door->of);
    }
    return rc;
}

static void pay_owed(struct door *door, struct node *next)
{
    if (door->owed != NULL)
        sync_bytes(door->owed);
    drop(door->owed);
    door->owed = hold(next);
}

static int fake_datasync(struct disk_file *file)
{
    struct fake_file *f = file_of(file);
    struct fake_disk *d = f->door->of;
    int rc = enter_sync(f->door, f->life);

    if (rc < 0 && !is_gone(f->door, f->life))
        lose_bytes(f->node);
    if (rc < 0 || d->ignore_datasync)
        return rc;
    if (f->door->sync_late)
        pay_owed(f->door, f->node);
    else
        sync_bytes(f->node);
    return 0;
}

static int fake_flush(struct disk_file *file)
{
    return enter(file_of(file)->door, file_of(file)->life);
}

static int fake_mode(struct disk_file *file, unsigned *out)
{
    (void)file;
    *out = 0600;
    return 0;
}

static int fake_facts(struct disk_file *file, struct disk_facts *out)
{
    const struct node *n = file_of(file)->node;

    *out = (struct disk_facts){.size = n->seen_len,
                               .mtime_us = n->mtime_us,
                               .changed_us = n->changed_us,
                               .links = 1,
                               .regular = true};
    return enter(file_of(file)->door, file_of(file)->life);
}

static int fake_owned_like(struct disk_file *file, struct disk_file *other)
{
    (void)other;
    return enter(file_of(file)->door, file_of(file)->life);
}

static int fake_size(struct disk_file *file, uint64_t *out)
{
    int rc = enter(file_of(file)->door, file_of(file)->life);

    if (rc == 0)
        *out = file_of(file)->node->seen_len;
    return rc;
}

static int fake_truncate(struct disk_file *file, uint64_t size)
{
    struct fake_file *f = file_of(file);
    struct node *n = f->node;
    int rc = enter(f->door, f->life);

    if (rc < 0)
        return rc;
    reserve(n, (size_t)size);
    if (size < n->seen_len) {
        memset(n->seen + size, 0, n->seen_len - (size_t)size);
        mark_dirty(n, (size_t)size, n->seen_len);
    }
    n->seen_len = (size_t)size;
    n->mtime_us = n->changed_us = now_us(f->door->of);
    return 0;
}

static int fake_sealed(struct disk *disk, struct slice bytes, struct disk_file **out)
{
    struct door *door = LIST_ENTRY(disk, struct door, disk);
    struct node *n = hold(node_new(door->of, false));

    reserve(n, bytes.len);
    if (bytes.len > 0)
        memcpy(n->seen, bytes.data, bytes.len);
    n->seen_len = bytes.len;
    sync_bytes(n);
    *out = file_handle(door, n, true, false);
    drop(n);
    return 0;
}

int fake_disk_dup(struct disk_file *file, struct disk_file **out)
{
    struct fake_file *f = file_of(file);
    struct disk_file *copy = file_handle(&f->door->of->own, f->node, f->reads, f->writes);

    file_of(copy)->life = f->life;
    *out = copy;
    return 0;
}

static const struct disk_ops ops = {
    .dir_open_at = fake_dir_open_at,
    .dir_close = fake_dir_close,
    .dir_make = fake_dir_make,
    .dir_list = fake_dir_list,
    .dir_sync = fake_dir_sync,
    .dir_syncfs = fake_dir_syncfs,
    .dir_free_bytes = fake_dir_free_bytes,
    .dir_owner = fake_dir_owner,
    .open = fake_open,
    .stat = fake_stat,
    .rename = fake_rename,
    .unlink = fake_unlink,
    .close = fake_close,
    .read = fake_read,
    .write = fake_write,
    .datasync = fake_datasync,
    .flush_start = fake_flush,
    .flush_wait = fake_flush,
    .size = fake_size,
    .mode = fake_mode,
    .facts = fake_facts,
    .syncfs = fake_syncfs,
    .owned_like = fake_owned_like,
    .truncate = fake_truncate,
};

/* --- crashing --- */

static bool coin(struct fake_random *chance)
{
    return random_below(&chance->random, 2) == 1;
}

static void crash_file(struct node *n, struct fake_random *chance)
{
    size_t low = n->kept_len < n->seen_len ? n->kept_len : n->seen_len;
    size_t high = n->kept_len < n->seen_len ? n->seen_len : n->kept_len;
    size_t len = low;

    if (high > low && coin(chance))
        len = coin(chance) ? high : low + (size_t)random_below(&chance->random, high - low);
    for (size_t at = 0; at * SECTOR < n->cap; at++) {
        if (n->dirty[at] && coin(chance))
            memcpy(n->kept + at * SECTOR, n->seen + at * SECTOR, SECTOR);
    }
    if (n->cap > len)
        memset(n->kept + len, 0, n->cap - len);
    n->kept_len = n->seen_len = len;
    if (n->cap > 0) {
        memcpy(n->seen, n->kept, n->cap);
        memset(n->dirty, 0, n->cap / SECTOR);
    }
}

static void crash_dir(struct node *dir, struct fake_random *chance)
{
    LIST_EACH (at, &dir->log) {
        struct change *c = LIST_ENTRY(at, struct change, link);

        if (c->only_in != NULL)
            continue;
        if (coin(chance))
            apply(&dir->synced, c);
        change_drop(c);
    }
}

/* The other half of renames across directories, when every new name has been decided on. */
static void crash_renames(struct node *dir, struct fake_random *chance)
{
    LIST_EACH (at, &dir->log) {
        struct change *c = LIST_ENTRY(at, struct change, link);

        if (coin(chance) && find(&c->only_in->synced, c->only_as) != NULL)
            apply(&dir->synced, c);
        change_drop(c);
    }
}

void fake_disk_crash(struct fake_disk *d, uint64_t seed)
{
    struct fake_random chance;

    fake_random_init(&chance, seed);
    LIST_EACH (at, &d->doors) {
        struct door *door = LIST_ENTRY(at, struct door, link);

        drop(door->owed); /* never done */
        door->owed = NULL;
    }
    hold_all(d);
    LIST_EACH (at, &d->nodes)
        crash_file(LIST_ENTRY(at, struct node, all), &chance);
    LIST_EACH (at, &d->nodes)
        crash_dir(LIST_ENTRY(at, struct node, all), &chance);
    LIST_EACH (at, &d->nodes)
        crash_renames(LIST_ENTRY(at, struct node, all), &chance);
    LIST_EACH (at, &d->nodes) {
        struct node *n = LIST_ENTRY(at, struct node, all);

        copy_entries(&n->entries, &n->synced);
    }
    drop_all(d);
    d->crashes++;
    d->cut = false;
    d->cut_at = d->fail_at = 0;
}

/* --- the test's side --- */

static void door_init(struct door *door, struct fake_disk *d, bool *dead)
{
    *door = (struct door){
        .disk = {fake_dir_open, fake_dir_open, fake_sealed},
          .of = d, .dead = dead
    };
    list_init(&door->link);
    list_append(&d->doors, &door->link);
}

struct fake_disk *fake_disk_new(struct clock *clock)
{
    struct fake_disk *d = OUTSIDE_NEW(struct fake_disk);

    list_init(&d->doors);
    door_init(&d->own, d, NULL);
    d->clock = clock;
    d->space = UINT64_MAX;
    list_init(&d->nodes);
    d->root = hold(node_new(d, true));
    return d;
}

void fake_disk_free(struct fake_disk *d)
{
    LIST_EACH (at, &d->doors) {
        struct door *door = LIST_ENTRY(at, struct door, link);

        list_remove(at);
        drop(door->owed);
        if (door != &d->own)
            outside_free(door);
    }
    drop(d->root);
    outside_free(d);
}

struct disk *fake_disk(struct fake_disk *d)
{
    return &d->own.disk;
}

static struct door *door_of(struct disk *disk)
{
    return LIST_ENTRY(disk, struct door, disk);
}

struct disk *fake_disk_process(struct fake_disk *d, bool *dead)
{
    struct door *door = OUTSIDE_NEW(struct door);

    door_init(door, d, dead);
    return &door->disk;
}

void fake_disk_die_at(struct disk *process, uint64_t call)
{
    door_of(process)->die_at = call == 0 ? 0 : door_of(process)->calls + call;
}

void fake_disk_fail_sync(struct disk *process, int code)
{
    door_of(process)->sync_fails = code;
}

void fake_disk_sync_late(struct disk *process, bool late)
{
    door_of(process)->sync_late = late;
}

unsigned fake_disk_open(const struct fake_disk *d)
{
    return d->open;
}

unsigned fake_disk_process_open(const struct disk *process)
{
    return ((const struct door *)(const void *)process)->open;
}

uint64_t fake_disk_used(const struct fake_disk *d)
{
    return used(d);
}

uint64_t fake_disk_calls(const struct fake_disk *d)
{
    return d->calls;
}

void fake_disk_fail_at(struct fake_disk *d, uint64_t call, int code)
{
    d->fail_at = call;
    d->fail_code = code;
}

void fake_disk_cut_at(struct fake_disk *d, uint64_t call)
{
    d->cut_at = call;
}

bool fake_disk_is_cut(const struct fake_disk *d)
{
    return d->cut;
}

void fake_disk_set_space(struct fake_disk *d, uint64_t bytes)
{
    d->space = bytes;
}

void fake_disk_ignore_datasync(struct fake_disk *d, bool ignore)
{
    d->ignore_datasync = ignore;
}

void fake_disk_ignore_dir_sync(struct fake_disk *d, bool ignore)
{
    d->ignore_dir_sync = ignore;
}
