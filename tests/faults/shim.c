/*
 * shim.c - a library that is loaded before the C library and makes one call fail.
 *
 * It knows nothing of postroad but how its processes are called. A failing call does what a real
 * one does: a close that fails has closed; a connection that fails is broken for both sides; and a
 * sync that fails has lost the bytes that were written since the last good one, which become
 * zeros, so that who trusts them afterwards is found out.
 */
#include "shared.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static struct faults_shared *shared;
static unsigned who;
static uintptr_t program_begin, program_end;

/* --- what a failed sync loses --- */

enum { RANGES = 4096, ZEROS = 4096 };

struct range {
    int fd; /* -1: free */
    uint64_t offset;
    uint64_t len;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct range ranges[RANGES];
static size_t range_count;

static void wrote(int fd, uint64_t offset, ssize_t len)
{
    if (len <= 0)
        return;
    pthread_mutex_lock(&lock);
    struct range *last = range_count > 0 ? &ranges[range_count - 1] : NULL;
    if (last != NULL && last->fd == fd && last->offset + last->len == offset)
        last->len += (uint64_t)len;
    else if (range_count < RANGES)
        ranges[range_count++] = (struct range){fd, offset, (uint64_t)len};
    pthread_mutex_unlock(&lock);
}

/* fd -1: all of them. */
static void forget(int fd)
{
    size_t kept = 0;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < range_count; i++)
        if (fd >= 0 && ranges[i].fd != fd)
            ranges[kept++] = ranges[i];
    range_count = kept;
    pthread_mutex_unlock(&lock);
}

static void lose(int fd)
{
    static const char zeros[ZEROS];

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < range_count; i++) {
        const struct range *r = &ranges[i];

        for (uint64_t at = 0; (fd < 0 || r->fd == fd) && at < r->len; at += ZEROS) {
            size_t piece = r->len - at < ZEROS ? (size_t)(r->len - at) : ZEROS;

            if (syscall(SYS_pwrite64, r->fd, zeros, piece, r->offset + at) > 0)
                atomic_fetch_add(&shared->lost, piece);
        }
    }
    pthread_mutex_unlock(&lock);
    forget(fd);
}

/* A sync covers what was written before it began. */
static int after_sync(int fd, int rc, size_t before)
{
    size_t kept = 0;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < range_count; i++)
        if (rc < 0 || i >= before || (fd >= 0 && ranges[i].fd != fd))
            ranges[kept++] = ranges[i];
    range_count = kept;
    pthread_mutex_unlock(&lock);
    return rc;
}

/* --- whether this call fails --- */

/* The callers by their frame pointers; what is none reads as the end. */
static void note_frames(const void *frame)
{
    unsigned count = 0;
    uintptr_t at = (uintptr_t)frame;

    for (unsigned depth = 0; depth < 32 && count < FRAMES; depth++) {
        uintptr_t pair[2] = {0};
        struct iovec to = {pair, sizeof(pair)}, from = {(void *)at, sizeof(pair)};

        if (syscall(SYS_process_vm_readv, getpid(), &to, 1, &from, 1, 0) != (long)sizeof(pair))
            break;
        if (pair[1] >= program_begin && pair[1] < program_end)
            shared->frames[count++] = pair[1] - program_begin;
        if (pair[0] <= at)
            break;
        at = pair[0];
    }
}

static void note_path(int fd, const char *path)
{
    char link[32];

    if (path != NULL) {
        snprintf(shared->path, sizeof(shared->path), "%s", path);
    } else if (fd >= 0) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        (void)!readlink(link, shared->path, sizeof(shared->path) - 1);
    }
}

/* 0: it works. Else how it is to fail. */
static int fault(enum faulty_call call, int fd, const char *path, const void *frame)
{
    if (shared == NULL)
        return 0;
    atomic_fetch_add(&shared->counts[who][call], 1);
    if (!atomic_load(&shared->armed) || shared->role != who || shared->call != (uint32_t)call ||
        atomic_fetch_add(&shared->seen, 1) + 1 != shared->nth)
        return 0;
    shared->hit_pid = (uint32_t)getpid();
    memset(shared->frames, 0, sizeof(shared->frames));
    memset(shared->path, 0, sizeof(shared->path));
    note_frames(frame);
    note_path(fd, path);
    atomic_fetch_add(&shared->hits, 1);
    return shared->kind;
}

#define FAULT(call, fd, path) fault(CALL_##call, fd, path, __builtin_frame_address(0))

#define FAIL_IF(call, fd, path)                                                                    \
    do {                                                                                           \
        int kind_ = FAULT(call, fd, path);                                                         \
        if (kind_ > 0) {                                                                           \
            errno = kind_;                                                                         \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

static size_t half(size_t len)
{
    return len > 1 ? len / 2 : len;
}

/* --- files --- */

int openat(int at, const char *path, int flags, ...)
{
    va_list more;

    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    va_end(more);
    FAIL_IF(openat, -1, path);
    return (int)syscall(SYS_openat, at, path, flags, mode);
}

int mkdirat(int at, const char *path, mode_t mode)
{
    FAIL_IF(mkdirat, -1, path);
    return (int)syscall(SYS_mkdirat, at, path, mode);
}

ssize_t pread(int fd, void *out, size_t len, off_t offset)
{
    int kind = FAULT(pread, fd, NULL);

    if (kind > 0) {
        errno = kind;
        return -1;
    }
    return syscall(SYS_pread64, fd, out, kind == KIND_SHORT ? half(len) : len, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    int kind = FAULT(pwrite, fd, NULL);

    if (kind > 0) {
        errno = kind;
        return -1;
    }
    ssize_t put = syscall(SYS_pwrite64, fd, bytes, kind == KIND_SHORT ? half(len) : len, offset);
    wrote(fd, (uint64_t)offset, put);
    return put;
}

/* Fails with a part written, as a full disk does. */
ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
    int kind = FAULT(pwritev, fd, NULL);
    ssize_t put;

    if (kind == 0) {
        put = syscall(SYS_pwritev, fd, iov, count, offset, 0);
    } else {
        put = syscall(SYS_pwrite64, fd, iov[0].iov_base, half(iov[0].iov_len), offset);
    }
    wrote(fd, (uint64_t)offset, put);
    if (kind > 0) {
        errno = kind;
        return -1;
    }
    return put;
}

static int sync_call(int kind, long number, int fd, bool all)
{
    if (kind > 0) {
        lose(all ? -1 : fd);
        errno = kind;
        return -1;
    }
    pthread_mutex_lock(&lock);
    size_t before = range_count;
    pthread_mutex_unlock(&lock);
    return after_sync(all ? -1 : fd, (int)syscall(number, fd), before);
}

int fdatasync(int fd)
{
    return sync_call(FAULT(fdatasync, fd, NULL), SYS_fdatasync, fd, false);
}

int fsync(int fd)
{
    return sync_call(FAULT(fsync, fd, NULL), SYS_fsync, fd, false);
}

int syncfs(int fd)
{
    return sync_call(FAULT(syncfs, fd, NULL), SYS_syncfs, fd, true);
}

int sync_file_range(int fd, off64_t offset, off64_t len, unsigned flags)
{
    FAIL_IF(sync_file_range, fd, NULL);
    return (int)syscall(SYS_sync_file_range, fd, offset, len, flags);
}

int renameat(int from, const char *old, int to, const char *name)
{
    FAIL_IF(renameat, -1, old);
    return (int)syscall(SYS_renameat, from, old, to, name);
}

int unlinkat(int at, const char *path, int flags)
{
    FAIL_IF(unlinkat, -1, path);
    return (int)syscall(SYS_unlinkat, at, path, flags);
}

int ftruncate(int fd, off_t size)
{
    FAIL_IF(ftruncate, fd, NULL);
    return (int)syscall(SYS_ftruncate, fd, size);
}

int fstat(int fd, struct stat *out)
{
    FAIL_IF(fstat, fd, NULL);
    return (int)syscall(SYS_fstat, fd, out);
}

int fstatat(int at, const char *path, struct stat *out, int flags)
{
    FAIL_IF(fstatat, -1, path);
    return (int)syscall(SYS_newfstatat, at, path, out, flags);
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

int fstatvfs(int fd, struct statvfs *out)
{
    int (*real)(int, struct statvfs *) = (int (*)(int, struct statvfs *))next("fstatvfs64");

    FAIL_IF(fstatvfs, fd, NULL);
    return real(fd, out);
}

DIR *fdopendir(int fd)
{
    DIR *(*real)(int) = (DIR * (*)(int)) next("fdopendir");
    int kind = FAULT(fdopendir, fd, NULL);

    if (kind > 0) {
        errno = kind;
        return NULL;
    }
    return real(fd);
}

struct dirent *readdir(DIR *dir)
{
    struct dirent *(*real)(DIR *) = (struct dirent * (*)(DIR *)) next("readdir64");
    int kind = FAULT(readdir, -1, NULL);

    if (kind > 0) {
        errno = kind;
        return NULL;
    }
    return real(dir);
}

int close(int fd)
{
    int kind = FAULT(close, fd, NULL);

    if (fd >= 0)
        forget(fd);
    int rc = (int)syscall(SYS_close, fd);
    if (kind > 0) {
        errno = kind;
        return -1;
    }
    return rc;
}

/* The scribe's lines. */
size_t fwrite(const void *bytes, size_t size, size_t count, FILE *to)
{
    size_t (*real)(const void *, size_t, size_t, FILE *) =
        (size_t(*)(const void *, size_t, size_t, FILE *))next("fwrite");
    int kind = FAULT(fwrite, -1, NULL);

    if (kind > 0) {
        errno = kind;
        return 0;
    }
    return real(bytes, size, count, to);
}

int flock(int fd, int operation)
{
    FAIL_IF(flock, fd, NULL);
    return (int)syscall(SYS_flock, fd, operation);
}

int fcntl(int fd, int command, ...)
{
    va_list more;

    va_start(more, command);
    long argument = va_arg(more, long);
    va_end(more);
    if (command == F_DUPFD_CLOEXEC)
        FAIL_IF(fcntl, fd, NULL);
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

/* --- sockets --- */

static bool is_stream(int fd)
{
    int type = 0;
    socklen_t len = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

static bool is_socket(int fd)
{
    int type = 0;
    socklen_t len = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
}

/* After a reset nothing more goes either way. A channel between two processes cannot break while
 * both live: there it is a shortage instead. */
static int socket_fault(int kind, int fd)
{
    if (kind != ECONNRESET && kind != EPIPE && kind != ETIMEDOUT)
        return kind;
    if (!is_stream(fd))
        return ENOMEM;
    (void)shutdown(fd, SHUT_RDWR);
    return kind;
}

/* An eventfd or a signalfd knows none of a connection's ends. */
ssize_t read(int fd, void *out, size_t len)
{
    int kind = FAULT(read, fd, NULL);

    if (kind > 0 && (is_socket(fd) || kind == EINTR || kind == EAGAIN)) {
        errno = socket_fault(kind, fd);
        return -1;
    }
    return syscall(SYS_read, fd, out, kind == KIND_SHORT && is_stream(fd) ? half(len) : len);
}

/* EAGAIN of an eventfd means that it is full, so it has been written to. */
ssize_t write(int fd, const void *bytes, size_t len)
{
    int kind = FAULT(write, fd, NULL);

    if (kind == EAGAIN)
        (void)syscall(SYS_write, fd, bytes, len);
    if (kind > 0) {
        errno = kind;
        return -1;
    }
    return syscall(SYS_write, fd, bytes, len);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    int kind = FAULT(sendmsg, fd, NULL);

    if (kind == KIND_SHORT && is_stream(fd) && m->msg_iovlen > 0)
        return syscall(SYS_sendto, fd, m->msg_iov[0].iov_base, half(m->msg_iov[0].iov_len), flags,
                       NULL, 0);
    if (kind > 0) {
        errno = socket_fault(kind, fd);
        return -1;
    }
    return syscall(SYS_sendmsg, fd, m, flags);
}

static void lose_descriptors(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            (void)syscall(SYS_close, fd);
        }
        m->msg_flags |= MSG_CTRUNC;
    }
    m->msg_controllen = 0;
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    int kind = FAULT(recvmsg, fd, NULL);

    if (kind > 0) {
        errno = socket_fault(kind, fd);
        return -1;
    }
    ssize_t got = syscall(SYS_recvmsg, fd, m, flags);
    if (got >= 0 && kind == KIND_CTRUNC)
        lose_descriptors(m);
    return got;
}

int accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    int kind = FAULT(accept4, fd, NULL);

    if (kind == ECONNABORTED) {
        int lost = (int)syscall(SYS_accept4, fd, NULL, NULL, 0);

        if (lost >= 0)
            (void)syscall(SYS_close, lost);
    }
    if (kind > 0) {
        errno = kind;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, from, len, flags);
}

int socket(int family, int type, int protocol)
{
    FAIL_IF(socket, -1, NULL);
    return (int)syscall(SYS_socket, family, type, protocol);
}

/* Interrupted, it goes on in the background. */
int connect(int fd, const struct sockaddr *to, socklen_t len)
{
    int kind = FAULT(connect, fd, NULL);

    if (kind == EINTR)
        (void)syscall(SYS_connect, fd, to, len);
    if (kind > 0) {
        errno = kind;
        return -1;
    }
    return (int)syscall(SYS_connect, fd, to, len);
}

int bind(int fd, const struct sockaddr *to, socklen_t len)
{
    FAIL_IF(bind, fd, NULL);
    return (int)syscall(SYS_bind, fd, to, len);
}

int listen(int fd, int backlog)
{
    FAIL_IF(listen, fd, NULL);
    return (int)syscall(SYS_listen, fd, backlog);
}

int socketpair(int family, int type, int protocol, int out[2])
{
    FAIL_IF(socketpair, -1, NULL);
    return (int)syscall(SYS_socketpair, family, type, protocol, out);
}

int getsockname(int fd, struct sockaddr *out, socklen_t *len)
{
    FAIL_IF(getsockname, fd, NULL);
    return (int)syscall(SYS_getsockname, fd, out, len);
}

/* --- the loop --- */

int epoll_create1(int flags)
{
    FAIL_IF(epoll_create1, -1, NULL);
    return (int)syscall(SYS_epoll_create1, flags);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD) /* the others need nothing that may be short */
        FAIL_IF(epoll_ctl, fd, NULL);
    return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout)
{
    FAIL_IF(epoll_wait, -1, NULL);
    return (int)syscall(SYS_epoll_wait, epoll, events, max, timeout);
}

int eventfd(unsigned count, int flags)
{
    FAIL_IF(eventfd, -1, NULL);
    return (int)syscall(SYS_eventfd2, count, flags);
}

int signalfd(int fd, const sigset_t *wanted, int flags)
{
    FAIL_IF(signalfd, -1, NULL);
    return (int)syscall(SYS_signalfd4, fd, wanted, 8, flags);
}

int memfd_create(const char *name, unsigned flags)
{
    FAIL_IF(memfd_create, -1, name);
    return (int)syscall(SYS_memfd_create, name, flags);
}

ssize_t getrandom(void *out, size_t len, unsigned flags)
{
    FAIL_IF(getrandom, -1, NULL);
    return syscall(SYS_getrandom, out, len, flags);
}

/* --- time --- */

int clock_gettime(clockid_t id, struct timespec *out)
{
    int rc = (int)syscall(SYS_clock_gettime, id, out);
    int64_t add = 0;

    if (shared != NULL && id == CLOCK_REALTIME)
        add = atomic_load(&shared->wall_us);
    if (shared != NULL && id == CLOCK_BOOTTIME)
        add = atomic_load(&shared->run_us) +
              (who == WHO_WARDEN ? atomic_load(&shared->warden_us) : 0);
    if (add == 0)
        return rc;
    int64_t us = (int64_t)out->tv_sec * 1000000 + out->tv_nsec / 1000 + add;
    out->tv_sec = us / 1000000;
    out->tv_nsec = us % 1000000 * 1000;
    return rc;
}

/* --- processes, threads, memory --- */

int pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*main)(void *),
                   void *argument)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = (int (*)(
        pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))next("pthread_create");
    int kind = FAULT(pthread_create, -1, NULL);

    return kind > 0 ? kind : real(out, attributes, main, argument);
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const environment[])
{
    int (*real)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                const posix_spawnattr_t *, char *const[], char *const[]) =
        (int (*)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                 const posix_spawnattr_t *, char *const[], char *const[]))next("posix_spawn");
    int kind = FAULT(posix_spawn, -1, path);

    return kind > 0 ? kind : real(pid, path, actions, attributes, argv, environment);
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static void *no_memory(int kind)
{
    errno = kind;
    return NULL;
}

void *malloc(size_t size)
{
    int kind = FAULT(malloc, -1, NULL);

    return kind > 0 ? no_memory(kind) : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    int kind = FAULT(calloc, -1, NULL);

    return kind > 0 ? no_memory(kind) : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    int kind = FAULT(realloc, -1, NULL);

    return kind > 0 ? no_memory(kind) : __libc_realloc(old, size);
}

/* --- the beginning --- */

static bool word_is(const char *words, size_t len, unsigned number, const char *wanted)
{
    for (size_t at = 0; at < len; at += strlen(words + at) + 1)
        if (number-- == 0)
            return strcmp(words + at, wanted) == 0;
    return false;
}

static unsigned who_am_i(void)
{
    static const char *const roles[WHO_COUNT] = {[WHO_RECEIVER] = "receiver",
                                                 [WHO_COURIER] = "courier",
                                                 [WHO_POSTMAN] = "postman",
                                                 [WHO_SCRIBE] = "scribe"};
    char words[4096] = "";
    int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY);
    ssize_t len = syscall(SYS_read, fd, words, sizeof(words) - 1);

    (void)syscall(SYS_close, fd);
    if (len <= 0)
        return WHO_NOBODY;
    if (word_is(words, (size_t)len, 1, "serve"))
        return WHO_WARDEN;
    for (unsigned i = 0; word_is(words, (size_t)len, 1, "role") && i < WHO_COUNT; i++)
        if (roles[i] != NULL && word_is(words, (size_t)len, 2, roles[i]))
            return i;
    return WHO_NOBODY;
}

/* The first object is the program itself. */
static int find_program(struct dl_phdr_info *object, size_t size, void *ctx)
{
    (void)size, (void)ctx;
    program_begin = object->dlpi_addr;
    for (unsigned i = 0; i < object->dlpi_phnum; i++)
        if (object->dlpi_phdr[i].p_type == PT_LOAD)
            program_end =
                object->dlpi_addr + object->dlpi_phdr[i].p_vaddr + object->dlpi_phdr[i].p_memsz;
    return 1;
}

static void on_signal(int number)
{
    shared->last_signal = (uint32_t)number;
    atomic_fetch_add(&shared->signals, 1);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void watch_signals(void)
{
    static const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        (void)signal(numbers[i], on_signal);
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("POSTROAD_FAULTS");
    unsigned me = who_am_i();

    if (path == NULL || me == WHO_NOBODY)
        return;
    dl_iterate_phdr(find_program, NULL);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)syscall(SYS_close, fd);
    who = me;
    if (map == MAP_FAILED)
        return;
    shared = map;
    watch_signals();
}
