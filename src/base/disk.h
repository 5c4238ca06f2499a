/*
 * disk.h - the door to the file system.
 *
 * Every file is reached by a name relative to a directory handle (cages need it); names are
 * single components except where said. Nothing is durable before its sync returned 0: the
 * bytes by disk_datasync(), a name by disk_sync_dir(). Syncs may be called from worker threads, and
 * so may reads and writes of a part of a file that nobody else touches meanwhile; all else only
 * from the owner's thread.
 *
 * All functions return 0 or a count, or a negative errno; none logs (fail_errno does).
 * Short writes never happen: a write that could not be whole returns an error, and what it
 * left behind is undefined. tests/fakes/disk.c keeps unsynced bytes apart and can drop, tear
 * and refuse them.
 */
#ifndef BASE_DISK_H
#define BASE_DISK_H

#include "base/slice.h"

#include <stdint.h>
#include <sys/uio.h>

struct disk_file; /* an open file */
struct disk_dir;  /* an open directory */

enum disk_open {
    DISK_READ,        /* existing file, reading */
    DISK_WRITE,       /* existing file, writing */
    DISK_CREATE,      /* new file, writing; -EEXIST when the name is taken */
    DISK_CREATE_READ, /* new file, reading and writing */
};

struct disk_stat {
    uint64_t size;       /* bytes */
    uint64_t mtime_us;   /* wall clock */
    uint64_t changed_us; /* the same, of its name too, and nobody can set it: st_ctime */
};

/* Of a file that somebody else made. */
struct disk_facts {
    uint64_t size;
    uint64_t mtime_us, changed_us; /* as in disk_stat */
    uint32_t user;                 /* whose it is */
    unsigned links;                /* names that it has */
    bool regular;                  /* no fifo, no device */
};

struct disk {
    int (*dir_enter)(struct disk *d, const char *path, struct disk_dir **out);
    int (*dir_open)(struct disk *d, const char *path, struct disk_dir **out);
    int (*sealed)(struct disk *d, struct slice bytes, struct disk_file **out);
};

struct disk_ops;

struct disk_dir {
    const struct disk_ops *ops;
};

struct disk_file {
    const struct disk_ops *ops;
};

/* What a disk implements; see the functions below for the meaning. */
struct disk_ops {
    int (*dir_open_at)(struct disk_dir *at, const char *name, struct disk_dir **out);
    void (*dir_close)(struct disk_dir *dir);
    int (*dir_make)(struct disk_dir *at, const char *name, unsigned mode);
    int (*dir_list)(struct disk_dir *dir, uint64_t *position, unsigned max,
                    bool (*each)(void *ctx, struct slice name), void *ctx);
    int (*dir_sync)(struct disk_dir *dir);
    int (*dir_syncfs)(struct disk_dir *dir);
    int (*dir_free_bytes)(struct disk_dir *dir, uint64_t *out);
    int (*dir_owner)(struct disk_dir *dir, unsigned *user, unsigned *group);
    int (*open)(struct disk_dir *at, const char *name, enum disk_open how, unsigned mode,
                struct disk_file **out);
    int (*stat)(struct disk_dir *at, const char *name, struct disk_stat *out);
    int (*rename)(struct disk_dir *from, const char *old, struct disk_dir *to, const char *name);
    int (*unlink)(struct disk_dir *at, const char *name);
    void (*close)(struct disk_file *file);
    int64_t (*read)(struct disk_file *file, void *out, size_t len, uint64_t offset);
    int (*write)(struct disk_file *file, const struct iovec *iov, int n, uint64_t offset);
    int (*datasync)(struct disk_file *file);
    int (*flush_start)(struct disk_file *file);
    int (*flush_wait)(struct disk_file *file);
    int (*size)(struct disk_file *file, uint64_t *out);
    int (*mode)(struct disk_file *file, unsigned *out);
    int (*facts)(struct disk_file *file, struct disk_facts *out);
    int (*syncfs)(struct disk_file *file);
    int (*owned_like)(struct disk_file *file, struct disk_file *other);
    int (*truncate)(struct disk_file *file, uint64_t size);
    int (*lock)(struct disk_dir *at, const char *name, unsigned mode, struct disk_file **out);
};

/* The machine's file system; one shared constant object without state. */
struct disk *disk_real(void);

/* The only path that may have several components: where a role's world begins. */
int disk_dir_open(struct disk *d, const char *path, struct disk_dir **out);

/* The same where a person may leave files and may not look around: not to be listed or synced. */
int disk_dir_enter(struct disk *d, const char *path, struct disk_dir **out);

/* disk_dir_open() for an absolute path, making what is missing; each new name is durable on return.
 */
int disk_dir_make_path(struct disk *d, struct slice path, unsigned mode, struct disk_dir **out);

/* A file in memory that nobody can change any more, to hand to other roles. */
int disk_sealed(struct disk *d, struct slice bytes, struct disk_file **out);

int disk_dir_open_at(struct disk_dir *at, const char *name, struct disk_dir **out);
void disk_dir_close(struct disk_dir *dir); /* NULL is fine */

/* 0 also when it exists already. The parent is not synced. */
int disk_dir_make(struct disk_dir *at, const char *name, unsigned mode);

/* Calls each name except "." and "..", in no order, until `each` returns false. */
int disk_dir_list(struct disk_dir *dir, bool (*each)(void *ctx, struct slice name), void *ctx);

/* The same in pieces of at most `max` names, for a folder that may be of any size. *position is 0
 * for the first piece, and 0 again when that was the last. Names that come meanwhile may be missed.
 */
int disk_dir_list_some(struct disk_dir *dir, uint64_t *position, unsigned max,
                       bool (*each)(void *ctx, struct slice name), void *ctx);

int disk_sync_dir(struct disk_dir *dir);
int disk_syncfs(struct disk_dir *dir); /* everything on that file system */

/* What an unprivileged writer may still fill. */
int disk_free_bytes(struct disk_dir *dir, uint64_t *out);

int disk_dir_owner(struct disk_dir *dir, unsigned *user, unsigned *group);

int disk_open(struct disk_dir *at, const char *name, enum disk_open how, unsigned mode,
              struct disk_file **out);
int disk_stat(struct disk_dir *at, const char *name, struct disk_stat *out);
int disk_rename(struct disk_dir *from, const char *old, struct disk_dir *to, const char *name);
int disk_unlink(struct disk_dir *at, const char *name);
void disk_close(struct disk_file *file); /* NULL is fine */

/* Reads up to len bytes; fewer only at the end of the file. Returns the count. */
int64_t disk_read(struct disk_file *file, void *out, size_t len, uint64_t offset);

/* Writes everything or returns an error. At most DISK_IOV_MAX parts. */
#define DISK_IOV_MAX 1024
int disk_writev(struct disk_file *file, const struct iovec *iov, int n, uint64_t offset);
int disk_write(struct disk_file *file, struct slice bytes, uint64_t offset);

int disk_datasync(struct disk_file *file);

/* Push dirty pages towards the device, or wait until they are there. Not a promise of
 * durability: the device's cache and the metadata still need a sync. */
int disk_flush_start(struct disk_file *file);
int disk_flush_wait(struct disk_file *file);

/* Everything on the file system of the file, its name too. */
int disk_file_syncfs(struct disk_file *file);

int disk_size(struct disk_file *file, uint64_t *out);
int disk_file_facts(struct disk_file *file, struct disk_facts *out);
int disk_mode(struct disk_file *file, unsigned *out); /* permission bits */

/* Owner, group and permission bits become those of the other. */
int disk_owned_like(struct disk_file *file, struct disk_file *other);

int disk_truncate(struct disk_file *file, uint64_t size);

/* Makes the file if it is missing and locks it for as long as it, or a copy of its descriptor in
 * any process, is open. -EAGAIN: somebody else has it. Never waits. */
int disk_lock(struct disk_dir *at, const char *name, unsigned mode, struct disk_file **out);

/* For ipc, which passes files between processes: the real disk's descriptor (borrowed), and a
 * file around a received one (owned from then on). Only loop/net calls these. */
int disk_file_fd(struct disk_file *file);
struct disk_file *disk_file_of_fd(int fd);

/* The same of directories, for whoever hands one to a process that could not open it. */
int disk_dir_fd(struct disk_dir *dir);
struct disk_dir *disk_dir_of_fd(int fd);

/* To whom a directory, or a regular file with one name, belongs from now on and with which
 * permission bits. Nothing is done where it is so already. -ENOENT: there is no such file, or the
 * name is something else. Of the real disk only. */
struct disk_owner {
    unsigned user;
    unsigned group;
    unsigned mode;
};

int disk_dir_give(struct disk_dir *dir, const struct disk_owner *to);
int disk_give(struct disk_dir *at, const char *name, const struct disk_owner *to);

#endif
