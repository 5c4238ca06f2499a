/*
 * disk.c - the real file system. The only file with write, sync and rename system calls.
 *
 * Every name is opened relative to a directory handle with O_NOFOLLOW, so that a link planted in
 * a mailbox leads nowhere (SECURITY.md threat 23). EINTR is retried here and nowhere else; a
 * short write goes on until it is whole or fails.
 */
#include "base/disk.h"

#include "base/cursor.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct real_dir {
    struct disk_dir dir;
    int fd;
};

struct real_file {
    struct disk_file file;
    int fd;
};

static const struct disk_ops real_ops;

static int fd_of_dir(struct disk_dir *dir)
{
    return ((struct real_dir *)(void *)dir)->fd;
}

static int fd_of(struct disk_file *file)
{
    return ((struct real_file *)(void *)file)->fd;
}

static int dir_at(int at, const char *path, int flags, struct disk_dir **out)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);

    if (fd < 0)
        return -errno;
    *out = disk_dir_of_fd(fd);
    return 0;
}

static int real_dir_open(struct disk *d, const char *path, struct disk_dir **out)
{
    (void)d;
    return dir_at(AT_FDCWD, path, 0, out);
}

static int real_dir_enter(struct disk *d, const char *path, struct disk_dir **out)
{
    (void)d;
    return dir_at(AT_FDCWD, path, O_PATH, out);
}

static int real_dir_open_at(struct disk_dir *at, const char *name, struct disk_dir **out)
{
    return dir_at(fd_of_dir(at), name, O_NOFOLLOW, out);
}

static void real_dir_close(struct disk_dir *dir)
{
    close(fd_of_dir(dir));
    memory_free(dir);
}

static int real_dir_make(struct disk_dir *at, const char *name, unsigned mode)
{
    if (mkdirat(fd_of_dir(at), name, (mode_t)mode) < 0 && errno != EEXIST)
        return -errno;
    return 0;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int real_dir_list(struct disk_dir *dir, uint64_t *position, unsigned max,
                         bool (*each)(void *ctx, struct slice name), void *ctx)
{
    /* A handle of its own: readdir moves the position of a shared one. */
    int fd = openat(fd_of_dir(dir), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (list == NULL) {
        int code = -errno;

        if (fd >= 0)
            close(fd);
        return code;
    }
    if (*position != 0)
        seekdir(list, (long)*position);
    /* `each` may leave anything in errno. */
    while (errno = 0, (entry = readdir(list)) != NULL)
        if (!is_dots(entry->d_name) && (!each(ctx, slice_of(entry->d_name)) || --max == 0))
            break;
    int code = entry == NULL ? -errno : 0;
    *position = entry == NULL ? 0 : (uint64_t)entry->d_off; /* good for another handle, too */
    closedir(list);
    return code;
}

static int real_dir_sync(struct disk_dir *dir)
{
    return fsync(fd_of_dir(dir)) < 0 ? -errno : 0;
}

static int real_dir_syncfs(struct disk_dir *dir)
{
    return syncfs(fd_of_dir(dir)) < 0 ? -errno : 0;
}

static int real_dir_owner(struct disk_dir *dir, unsigned *user, unsigned *group)
{
    struct stat st;

    if (fstat(fd_of_dir(dir), &st) < 0)
        return -errno;
    *user = st.st_uid;
    *group = st.st_gid;
    return 0;
}

static int real_dir_free_bytes(struct disk_dir *dir, uint64_t *out)
{
    struct statvfs v;

    if (fstatvfs(fd_of_dir(dir), &v) < 0)
        return -errno;
    *out = (uint64_t)v.f_bavail * v.f_frsize;
    return 0;
}

static int open_flags(enum disk_open how)
{
    switch (how) {
    case DISK_READ: return O_RDONLY;
    case DISK_WRITE: return O_WRONLY;
    case DISK_CREATE: return O_WRONLY | O_CREAT | O_EXCL;
    case DISK_CREATE_READ: return O_RDWR | O_CREAT | O_EXCL;
    }
    return O_RDONLY;
}

struct disk_file *disk_file_of_fd(int fd)
{
    struct real_file *file = MEMORY_NEW(struct real_file);

    file->file.ops = &real_ops;
    file->fd = fd;
    return &file->file;
}

int disk_file_fd(struct disk_file *file)
{
    return file->ops == &real_ops ? fd_of(file) : -1;
}

static int real_open(struct disk_dir *at, const char *name, enum disk_open how, unsigned mode,
                     struct disk_file **out)
{
    int fd;

    /* NONBLOCK: a fifo planted under the name must not hang us; it means nothing for files. */
    do
        fd = openat(fd_of_dir(at), name, open_flags(how) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                    (mode_t)mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -errno;
    *out = disk_file_of_fd(fd);
    return 0;
}

static uint64_t us_of(const struct timespec *t)
{
    return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_nsec / 1000;
}

static int real_stat(struct disk_dir *at, const char *name, struct disk_stat *out)
{
    struct stat st;

    if (fstatat(fd_of_dir(at), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    out->size = (uint64_t)st.st_size;
    out->mtime_us = us_of(&st.st_mtim);
    out->changed_us = us_of(&st.st_ctim);
    return 0;
}

static int real_rename(struct disk_dir *from, const char *old, struct disk_dir *to,
                       const char *name)
{
    return renameat(fd_of_dir(from), old, fd_of_dir(to), name) < 0 ? -errno : 0;
}

static int real_unlink(struct disk_dir *at, const char *name)
{
    return unlinkat(fd_of_dir(at), name, 0) < 0 ? -errno : 0;
}

static void real_close(struct disk_file *file)
{
    close(fd_of(file));
    memory_free(file);
}

static int64_t real_read(struct disk_file *file, void *out, size_t len, uint64_t offset)
{
    size_t done = 0;

    while (done < len) {
        ssize_t got = pread(fd_of(file), (char *)out + done, len - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

/* Continues a short write in the middle of part `i`. */
static int write_rest(int fd, struct slice rest, uint64_t offset)
{
    while (rest.len > 0) {
        ssize_t put = pwrite(fd, rest.data, rest.len, (off_t)offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        if (put == 0)
            return -EIO;
        rest = slice_skip(rest, (size_t)put);
        offset += (uint64_t)put;
    }
    return 0;
}

static int real_write(struct disk_file *file, const struct iovec *iov, int n, uint64_t offset)
{
    ssize_t put;

    if (n > DISK_IOV_MAX)
        return -EINVAL;
    do
        put = pwritev(fd_of(file), iov, n, (off_t)offset);
    while (put < 0 && errno == EINTR);
    if (put < 0)
        return -errno;
    size_t skip = (size_t)put;
    for (int i = 0; i < n; i++) {
        struct slice part = {iov[i].iov_base, iov[i].iov_len};
        size_t written = skip < part.len ? skip : part.len;
        int code = write_rest(fd_of(file), slice_skip(part, written), offset + written);

        if (code < 0)
            return code;
        skip -= written;
        offset += part.len;
    }
    return 0;
}

static int real_datasync(struct disk_file *file)
{
    return fdatasync(fd_of(file)) < 0 ? -errno : 0;
}

static int real_flush_start(struct disk_file *file)
{
    return sync_file_range(fd_of(file), 0, 0, SYNC_FILE_RANGE_WRITE) < 0 ? -errno : 0;
}

static int real_flush_wait(struct disk_file *file)
{
    unsigned how = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

    return sync_file_range(fd_of(file), 0, 0, how) < 0 ? -errno : 0;
}

static int real_mode(struct disk_file *file, unsigned *out)
{
    struct stat st;

    if (fstat(fd_of(file), &st) < 0)
        return -errno;
    *out = st.st_mode & 07777;
    return 0;
}

static int real_facts(struct disk_file *file, struct disk_facts *out)
{
    struct stat st;

    if (fstat(fd_of(file), &st) < 0)
        return -errno;
    *out = (struct disk_facts){.size = (uint64_t)st.st_size,
                               .mtime_us = us_of(&st.st_mtim),
                               .changed_us = us_of(&st.st_ctim),
                               .user = st.st_uid,
                               .links = (unsigned)st.st_nlink,
                               .regular = S_ISREG(st.st_mode)};
    return 0;
}

static int real_syncfs(struct disk_file *file)
{
    return syncfs(fd_of(file)) < 0 ? -errno : 0;
}

static int real_owned_like(struct disk_file *file, struct disk_file *other)
{
    struct stat now, like;

    if (fstat(fd_of(file), &now) < 0 || fstat(fd_of(other), &like) < 0)
        return -errno;
    if ((now.st_uid != like.st_uid || now.st_gid != like.st_gid) &&
        fchown(fd_of(file), like.st_uid, like.st_gid) < 0)
        return -errno;
    return fchmod(fd_of(file), like.st_mode & 0777) < 0 ? -errno : 0;
}

static int real_size(struct disk_file *file, uint64_t *out)
{
    struct stat st;

    if (fstat(fd_of(file), &st) < 0)
        return -errno;
    *out = (uint64_t)st.st_size;
    return 0;
}

static int real_truncate(struct disk_file *file, uint64_t size)
{
    return ftruncate(fd_of(file), (off_t)size) < 0 ? -errno : 0;
}

static int real_lock(struct disk_dir *at, const char *name, unsigned mode, struct disk_file **out)
{
    int fd = openat(fd_of_dir(at), name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int code = -errno;

        close(fd);
        return code;
    }
    *out = disk_file_of_fd(fd);
    return 0;
}

static const struct disk_ops real_ops = {
    .dir_open_at = real_dir_open_at,
    .dir_close = real_dir_close,
    .dir_make = real_dir_make,
    .dir_list = real_dir_list,
    .dir_sync = real_dir_sync,
    .dir_syncfs = real_dir_syncfs,
    .dir_free_bytes = real_dir_free_bytes,
    .dir_owner = real_dir_owner,
    .open = real_open,
    .stat = real_stat,
    .rename = real_rename,
    .unlink = real_unlink,
    .close = real_close,
    .read = real_read,
    .write = real_write,
    .datasync = real_datasync,
    .flush_start = real_flush_start,
    .flush_wait = real_flush_wait,
    .size = real_size,
    .mode = real_mode,
    .facts = real_facts,
    .syncfs = real_syncfs,
    .owned_like = real_owned_like,
    .truncate = real_truncate,
    .lock = real_lock,
};

static int real_sealed(struct disk *d, struct slice bytes, struct disk_file **out)
{
    int fd = memfd_create("postroad", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    (void)d;
    if (fd < 0)
        return -errno;
    struct disk_file *file = disk_file_of_fd(fd);
    int code = disk_write(file, bytes, 0);
    if (code == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        code = -errno;
    if (code < 0)
        disk_close(file);
    else
        *out = file;
    return code;
}

struct disk *disk_real(void)
{
    static struct disk real = {real_dir_enter, real_dir_open, real_sealed};

    return &real;
}

int disk_dir_open(struct disk *d, const char *path, struct disk_dir **out)
{
    return d->dir_open(d, path, out);
}

int disk_dir_enter(struct disk *d, const char *path, struct disk_dir **out)
{
    return d->dir_enter(d, path, out);
}

int disk_sealed(struct disk *d, struct slice bytes, struct disk_file **out)
{
    return d->sealed(d, bytes, out);
}

/* "//a///b/" -> "/a/b". False: it is too long. */
static bool path_copy(struct slice path, char out[PATH_MAX], size_t *len)
{
    struct cursor c = {path};
    struct slice name;

    *len = 0;
    while (path.len < PATH_MAX - 1 && !cursor_at_end(&c)) {
        if (!take_until(&c, '/', &name))
            take_bytes(&c, c.rest.len, &name);
        take_char(&c, '/');
        if (name.len == 0)
            continue;
        out[(*len)++] = '/';
        memcpy(out + *len, name.data, name.len);
        *len += name.len;
    }
    out[*len] = '\0';
    return path.len < PATH_MAX - 1;
}

/* The deepest folder on the way that is there; path[0..*len) is its name then, ended by a zero that
 * stands for a slash. What is above it need not be readable for us. Links are the administrator's.
 */
static int open_deepest(struct disk *d, char *path, size_t *len, struct disk_dir **out)
{
    int code = disk_dir_open(d, *len == 0 ? "/" : path, out);

    while (code == -ENOENT && *len > 0) {
        while (path[--*len] != '/')
            ;
        path[*len] = '\0';
        code = disk_dir_open(d, *len == 0 ? "/" : path, out);
    }
    return code;
}

/* One more component: `name`, with which `prefix` ends. */
static int make_step(struct disk *d, struct disk_dir *parent, const char *prefix, const char *name,
                     unsigned mode, struct disk_dir **out)
{
    int code = disk_dir_make(parent, name, mode);

    if (code == 0)
        code = disk_sync_dir(parent);
    return code < 0 ? code : disk_dir_open(d, prefix, out);
}

int disk_dir_make_path(struct disk *d, struct slice path, unsigned mode, struct disk_dir **out)
{
    struct disk_dir *dir, *next = NULL;
    char prefix[PATH_MAX];
    size_t whole, len;

    if (!path_copy(path, prefix, &whole))
        return -ENAMETOOLONG;
    len = whole;
    int code = open_deepest(d, prefix, &len, &dir);
    while (code == 0 && len < whole) {
        prefix[len++] = '/';
        code = make_step(d, dir, prefix, prefix + len, mode, &next);
        len += slice_of(prefix + len).len;
        disk_dir_close(dir);
        dir = next;
    }
    if (code == 0)
        *out = dir;
    return code;
}

int disk_dir_open_at(struct disk_dir *at, const char *name, struct disk_dir **out)
{
    return at->ops->dir_open_at(at, name, out);
}

void disk_dir_close(struct disk_dir *dir)
{
    if (dir != NULL)
        dir->ops->dir_close(dir);
}

int disk_dir_make(struct disk_dir *at, const char *name, unsigned mode)
{
    return at->ops->dir_make(at, name, mode);
}

int disk_dir_list(struct disk_dir *dir, bool (*each)(void *ctx, struct slice name), void *ctx)
{
    uint64_t position = 0;

    return dir->ops->dir_list(dir, &position, UINT_MAX, each, ctx);
}

int disk_dir_list_some(struct disk_dir *dir, uint64_t *position, unsigned max,
                       bool (*each)(void *ctx, struct slice name), void *ctx)
{
    return dir->ops->dir_list(dir, position, max, each, ctx);
}

int disk_sync_dir(struct disk_dir *dir)
{
    return dir->ops->dir_sync(dir);
}

int disk_syncfs(struct disk_dir *dir)
{
    return dir->ops->dir_syncfs(dir);
}

int disk_free_bytes(struct disk_dir *dir, uint64_t *out)
{
    return dir->ops->dir_free_bytes(dir, out);
}

int disk_dir_owner(struct disk_dir *dir, unsigned *user, unsigned *group)
{
    return dir->ops->dir_owner(dir, user, group);
}

int disk_open(struct disk_dir *at, const char *name, enum disk_open how, unsigned mode,
              struct disk_file **out)
{
    return at->ops->open(at, name, how, mode, out);
}

int disk_stat(struct disk_dir *at, const char *name, struct disk_stat *out)
{
    return at->ops->stat(at, name, out);
}

int disk_rename(struct disk_dir *from, const char *old, struct disk_dir *to, const char *name)
{
    return from->ops->rename(from, old, to, name);
}

int disk_unlink(struct disk_dir *at, const char *name)
{
    return at->ops->unlink(at, name);
}

void disk_close(struct disk_file *file)
{
    if (file != NULL)
        file->ops->close(file);
}

int64_t disk_read(struct disk_file *file, void *out, size_t len, uint64_t offset)
{
    return file->ops->read(file, out, len, offset);
}

int disk_writev(struct disk_file *file, const struct iovec *iov, int n, uint64_t offset)
{
    return file->ops->write(file, iov, n, offset);
}

int disk_write(struct disk_file *file, struct slice bytes, uint64_t offset)
{
    struct iovec part = {(void *)(uintptr_t)bytes.data, bytes.len};

    return disk_writev(file, &part, 1, offset);
}

int disk_datasync(struct disk_file *file)
{
    return file->ops->datasync(file);
}

int disk_flush_start(struct disk_file *file)
{
    return file->ops->flush_start(file);
}

int disk_flush_wait(struct disk_file *file)
{
    return file->ops->flush_wait(file);
}

int disk_mode(struct disk_file *file, unsigned *out)
{
    return file->ops->mode(file, out);
}

int disk_owned_like(struct disk_file *file, struct disk_file *other)
{
    return file->ops->owned_like(file, other);
}

int disk_file_syncfs(struct disk_file *file)
{
    return file->ops->syncfs(file);
}

int disk_file_facts(struct disk_file *file, struct disk_facts *out)
{
    return file->ops->facts(file, out);
}

int disk_size(struct disk_file *file, uint64_t *out)
{
    return file->ops->size(file, out);
}

int disk_truncate(struct disk_file *file, uint64_t size)
{
    return file->ops->truncate(file, size);
}

int disk_lock(struct disk_dir *at, const char *name, unsigned mode, struct disk_file **out)
{
    return at->ops->lock(at, name, mode, out);
}

/* ---- of the real disk only ---- */

int disk_dir_fd(struct disk_dir *dir)
{
    return dir->ops == &real_ops ? fd_of_dir(dir) : -1;
}

struct disk_dir *disk_dir_of_fd(int fd)
{
    struct real_dir *dir = MEMORY_NEW(struct real_dir);

    dir->dir.ops = &real_ops;
    dir->fd = fd;
    return &dir->dir;
}

/* Ours first: the mode of what belongs to others is not ours to change, and a change of owner keeps
 * the mode of what nobody may execute. */
static int give(int fd, const struct stat *now, const struct disk_owner *to)
{
    if (now->st_uid == to->user && now->st_gid == to->group && (now->st_mode & 07777) == to->mode)
        return 0;
    if ((now->st_mode & 07777) != to->mode) {
        if (now->st_uid != geteuid() && fchown(fd, geteuid(), (gid_t)-1) < 0)
            return -errno;
        if (fchmod(fd, (mode_t)to->mode) < 0)
            return -errno;
    }
    return fchown(fd, to->user, to->group) < 0 ? -errno : 0;
}

int disk_dir_give(struct disk_dir *dir, const struct disk_owner *to)
{
    struct stat now;

    return fstat(fd_of_dir(dir), &now) < 0 ? -errno : give(fd_of_dir(dir), &now, to);
}

int disk_give(struct disk_dir *at, const char *name, const struct disk_owner *to)
{
    int fd = openat(fd_of_dir(at), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat now;

    if (fd < 0)
        return errno == ELOOP || errno == ENXIO ? -ENOENT : -errno;
    int code = fstat(fd, &now) < 0 ? -errno : 0;
    if (code == 0 && (!S_ISREG(now.st_mode) || now.st_nlink != 1))
        code = -ENOENT;
    if (code == 0)
        code = give(fd, &now, to);
    close(fd);
    return code;
}
