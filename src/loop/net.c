/*
 * net.c - the real network: epoll and sockets.
 *
 * The only file of the program that makes sockets or moves bytes through them. It decides nothing:
 * each function is one system call with its flags (never blocking, never inherited by exec, never
 * a SIGPIPE) and an errno turned into a return value. Events are level-triggered: an event that a
 * handler leaves alone comes back, so no handler has to drain anything.
 */
#include "loop/net.h"

#include "base/fail.h"
#include "base/memory.h"
#include "loop/net_local.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WAIT_MAX = 256,
    CHANNEL_BUFFER = 1024 * 1024, /* the kernel cuts it to its own limit */
    DESCRIPTORS_MAX = 4,          /* room to see, and close, more than the one that is allowed */
};

struct net_real {
    struct net net;
    int epoll;
    int wake;
};

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static const unsigned char v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static struct net_real *real(struct net *n)
{
    return (struct net_real *)(void *)n;
}

static bool address_is_v4(const struct net_address *a)
{
    return memcmp(a->ip, v4_mapped, sizeof(v4_mapped)) == 0;
}

static socklen_t address_to_socket(const struct net_address *a, union socket_address *out)
{
    memset(out, 0, sizeof(*out));
    if (address_is_v4(a)) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(a->port);
        memcpy(&out->v4.sin_addr, a->ip + sizeof(v4_mapped), 4);
        return sizeof(out->v4);
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(a->port);
    memcpy(&out->v6.sin6_addr, a->ip, 16);
    return sizeof(out->v6);
}

/* A family that is neither is that of a socket in the file system. */
static void address_of_socket(const union socket_address *from, struct net_address *out)
{
    memset(out, 0, sizeof(*out));
    if (from->any.sa_family == AF_INET) {
        memcpy(out->ip, v4_mapped, sizeof(v4_mapped));
        memcpy(out->ip + sizeof(v4_mapped), &from->v4.sin_addr, 4);
        out->port = ntohs(from->v4.sin_port);
    } else if (from->any.sa_family == AF_INET6) {
        memcpy(out->ip, &from->v6.sin6_addr, 16);
        out->port = ntohs(from->v6.sin6_port);
    } else {
        out->local = true;
    }
}

static void set_option(int h, int level, int option, int value)
{
    /* Options here only improve things; a socket that refuses one (TCP_NODELAY on a UNIX
     * socket) works without it. */
    (void)setsockopt(h, level, option, &value, sizeof(value));
}

/* Waiting */

static struct epoll_event epoll_wanted(unsigned events, bool exclusive, void *ctx)
{
    uint32_t wanted = 0;

    if (events & NET_READABLE)
        wanted |= EPOLLIN;
    if (events & NET_WRITABLE)
        wanted |= EPOLLOUT;
    if (exclusive)
        wanted |= EPOLLEXCLUSIVE;
    return (struct epoll_event){.events = wanted, .data.ptr = ctx};
}

static int real_watch(struct net *n, int h, unsigned events, bool exclusive, void *ctx)
{
    struct epoll_event wanted = epoll_wanted(events, exclusive, ctx);

    return epoll_ctl(real(n)->epoll, EPOLL_CTL_ADD, h, &wanted) < 0 ? -errno : 0;
}

static int real_rewatch(struct net *n, int h, unsigned events, void *ctx)
{
    struct epoll_event wanted = epoll_wanted(events, false, ctx);

    return epoll_ctl(real(n)->epoll, EPOLL_CTL_MOD, h, &wanted) < 0 ? -errno : 0;
}

static void real_unwatch(struct net *n, int h)
{
    (void)epoll_ctl(real(n)->epoll, EPOLL_CTL_DEL, h, NULL);
}

static unsigned events_of_epoll(uint32_t got)
{
    unsigned events = 0;

    if (got & EPOLLIN)
        events |= NET_READABLE;
    if (got & EPOLLOUT)
        events |= NET_WRITABLE;
    if (got & (EPOLLHUP | EPOLLERR))
        events |= NET_HANGUP;
    return events;
}

static int wait_ms(int64_t timeout_us)
{
    if (timeout_us < 0)
        return -1;
    int64_t ms = timeout_us / 1000 + (timeout_us % 1000 != 0); /* never back too early */
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static int real_wait(struct net *n, struct net_event *out, int max, int64_t timeout_us)
{
    struct net_real *r = real(n);
    struct epoll_event got[WAIT_MAX];
    int count = epoll_wait(r->epoll, got, max < WAIT_MAX ? max : WAIT_MAX, wait_ms(timeout_us));
    int filled = 0;

    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        if (got[i].data.ptr == r) {
            uint64_t calls;
            (void)!read(r->wake, &calls, sizeof(calls));
            continue;
        }
        out[filled++] = (struct net_event){got[i].data.ptr, events_of_epoll(got[i].events)};
    }
    return filled;
}

static void real_wake(struct net *n)
{
    uint64_t one = 1;

    /* EAGAIN: the counter is full, so a wake-up is pending already. Nobody writes a second time
     * for one that was lost (loop_wake), so a signal must not lose it. */
    while (write(real(n)->wake, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

/* Connections */

static int listen_on(const union socket_address *at, socklen_t len, bool both_families, int backlog)
{
    int h = socket(at->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (h < 0)
        return -errno;
    set_option(h, SOL_SOCKET, SO_REUSEADDR, 1);
    if (at->any.sa_family == AF_INET6)
        set_option(h, IPPROTO_IPV6, IPV6_V6ONLY, !both_families);
    if (bind(h, &at->any, len) < 0 || listen(h, backlog) < 0) {
        int code = -errno;
        (void)close(h);
        return code;
    }
    return h;
}

static int real_listen(struct net *n, const struct net_address *at, bool any, int backlog)
{
    union socket_address address;
    struct net_address everywhere = {.port = at->port};
    socklen_t len = address_to_socket(any ? &everywhere : at, &address);
    int h = listen_on(&address, len, any, backlog);

    (void)n;
    if (!any || (h != -EAFNOSUPPORT && h != -EADDRNOTAVAIL))
        return h;
    memcpy(everywhere.ip, v4_mapped, sizeof(v4_mapped)); /* a machine without IPv6 */
    len = address_to_socket(&everywhere, &address);
    return listen_on(&address, len, false, backlog);
}

static int real_listen_local(struct net *n, const char *path, unsigned mode, int backlog)
{
    (void)n;
    return net_local_listen(path, mode, backlog);
}

static int real_own_address(struct net *n, int h, struct net_address *out)
{
    union socket_address own = {0};
    socklen_t len = sizeof(own);

    (void)n;
    if (getsockname(h, &own.any, &len) < 0)
        return -errno;
    address_of_socket(&own, out);
    return 0;
}

static int real_accept(struct net *n, int h, struct net_address *peer, struct net_address *own)
{
    union socket_address from = {0};
    socklen_t len = sizeof(from);
    int got = accept4(h, &from.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (got < 0)
        return -errno;
    address_of_socket(&from, peer);
    int code = real_own_address(n, got, own);
    if (code == 0 && peer->local)
        code = net_local_user(got, &peer->user);
    if (code < 0) {
        (void)close(got);
        return code;
    }
    set_option(got, IPPROTO_TCP, TCP_NODELAY, 1);
    return got;
}

static bool real_has_caller(struct net *n, int h)
{
    struct pollfd one = {.fd = h, .events = POLLIN};

    (void)n;
    return poll(&one, 1, 0) == 1 && (one.revents & POLLIN) != 0;
}

/* The port is chosen when it connects, so that as many connections as there are ports can leave
 * from one address to each other one. */
static int bind_to(int h, const struct net_address *from)
{
    struct net_address any_port = *from;
    union socket_address address;

    any_port.port = 0;
    set_option(h, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    socklen_t len = address_to_socket(&any_port, &address);
    return bind(h, &address.any, len) < 0 ? -errno : 0;
}

static int connect_socket(int h, const union socket_address *address, socklen_t len)
{
    /* A non-blocking connect that was interrupted goes on in the background as well. */
    return connect(h, &address->any, len) < 0 && errno != EINPROGRESS && errno != EINTR ? -errno
                                                                                        : 0;
}

static int real_connect(struct net *n, const struct net_address *to, const struct net_address *from)
{
    union socket_address address;
    socklen_t len = address_to_socket(to, &address);
    int h = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)n;
    if (h < 0)
        return -errno;
    set_option(h, IPPROTO_TCP, TCP_NODELAY, 1);
    int code = from == NULL ? 0 : bind_to(h, from);
    if (code == 0)
        code = connect_socket(h, &address, len);
    if (code < 0)
        (void)close(h);
    return code < 0 ? code : h;
}

static int real_connect_local(struct net *n, const char *path)
{
    (void)n;
    return net_local_connect(path);
}

static int real_connect_result(struct net *n, int h)
{
    int code = 0;
    socklen_t len = sizeof(code);

    (void)n;
    if (getsockopt(h, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
        return -errno;
    return -code;
}

/* read(2), not recv(2): signalfd is read through here as well. */
static int64_t real_read(struct net *n, int h, void *out, size_t len)
{
    ssize_t got;

    (void)n;
    do
        got = read(h, out, len);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* recvmsg(2) and sendmsg(2), taken up again after a signal. */
static int64_t message_call(ssize_t (*call)(int, struct msghdr *, int), int h, struct msghdr *m,
                            int flags)
{
    ssize_t count;

    do
        count = call(h, m, flags);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

static ssize_t call_sendmsg(int h, struct msghdr *m, int flags)
{
    return sendmsg(h, m, flags);
}

static int64_t real_write(struct net *n, int h, const struct iovec *iov, int count)
{
    struct msghdr m = {.msg_iovlen = (size_t)count};

    (void)n;
    /* sendmsg() does not write to the vector; its struct serves recvmsg() too. */
    memcpy(&m.msg_iov, &iov, sizeof(iov)); /* the pointer: NOLINT(bugprone-sizeof-expression) */
    return message_call(call_sendmsg, h, &m, MSG_NOSIGNAL);
}

static int real_shutdown_write(struct net *n, int h)
{
    (void)n;
    return shutdown(h, SHUT_WR) < 0 ? -errno : 0;
}

static void real_close(struct net *n, int h)
{
    (void)n;
    /* The descriptor is gone even if close() says EINTR; closing twice could hit another. */
    (void)close(h);
}

/* Channels */

static int real_pair(struct net *n, int out[2])
{
    (void)n;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, out) < 0)
        return -errno;
    for (int i = 0; i < 2; i++)
        set_option(out[i], SOL_SOCKET, SO_SNDBUF, CHANNEL_BUFFER);
    return 0;
}

static int real_stream_pair(struct net *n, int out[2])
{
    (void)n;
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, out) < 0 ? -errno : 0;
}

static int64_t real_send(struct net *n, int h, struct slice bytes, struct disk_file *file, int pass)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_len = bytes.len};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    int fd = file != NULL ? disk_file_fd(file) : pass;

    (void)n;
    memcpy(&part.iov_base, &bytes.data, sizeof(bytes.data));
    if (fd >= 0) {
        m.msg_control = control.room;
        m.msg_controllen = sizeof(control.room);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    }
    return message_call(call_sendmsg, h, &m, MSG_NOSIGNAL);
}

/* Collects what came along, closing what is too much; returns how many there were. */
static size_t descriptors_take(struct msghdr *m, int *first)
{
    size_t found = 0;

    *first = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++, found++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            if (found == 0)
                *first = fd;
            else
                (void)close(fd);
        }
    }
    return found;
}

/* Hands the descriptor on as what it is: a sender cannot pass off a socket as a file. */
static int descriptor_sort(int fd, struct disk_file **file, int *passed)
{
    struct stat st;

    int code = -EPROTO;

    if (fd < 0)
        return 0;
    if (fstat(fd, &st) < 0) {
        code = -errno;
    } else if (S_ISREG(st.st_mode)) {
        *file = disk_file_of_fd(fd);
        return 0;
    } else if (S_ISSOCK(st.st_mode) || S_ISDIR(st.st_mode)) {
        *passed = fd;
        return 0;
    }
    (void)close(fd);
    return code;
}

static int64_t real_receive(struct net *n, int h, void *out, size_t len, struct disk_file **file,
                            int *passed)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
    } control;
    struct iovec part = {out, len};
    struct msghdr m;
    int64_t got = 0;
    int fd;

    (void)n;
    *file = NULL;
    *passed = -1;
    /* A peer that closed without reading everything we sent leaves ECONNRESET in front of what
     * it sent itself; its last words lie behind that. */
    for (int attempt = 0; attempt < 2; attempt++) {
        m = (struct msghdr){.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.room,
                            .msg_controllen = sizeof(control.room)};
        got = message_call(recvmsg, h, &m, MSG_CMSG_CLOEXEC);
        if (got != -ECONNRESET)
            break;
    }
    if (got < 0)
        return got;
    size_t count = descriptors_take(&m, &fd);
    if (count > 1 || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
        if (fd >= 0)
            (void)close(fd);
        if (count > 1)
            return -EPROTO;
        /* There was room for more than one: the system had none for it. */
        return m.msg_flags & MSG_TRUNC ? -EMSGSIZE : -EMFILE;
    }
    int code = descriptor_sort(fd, file, passed);
    return code < 0 ? code : got;
}

static int real_handle_dup(struct net *n, int h)
{
    int fd = fcntl(h, F_DUPFD_CLOEXEC, 3);

    (void)n;
    return fd < 0 ? -errno : fd;
}

static int real_file_dup(struct net *n, struct disk_file *file, struct disk_file **out)
{
    int fd = real_handle_dup(n, disk_file_fd(file));

    if (fd < 0)
        return fd;
    *out = disk_file_of_fd(fd);
    return 0;
}

static void real_free(struct net *n)
{
    struct net_real *r = real(n);

    if (r->wake >= 0)
        (void)close(r->wake);
    if (r->epoll >= 0)
        (void)close(r->epoll);
    memory_free(r);
}

static const struct net_ops real_ops = {
    .watch = real_watch,
    .rewatch = real_rewatch,
    .unwatch = real_unwatch,
    .wait = real_wait,
    .wake = real_wake,
    .listen = real_listen,
    .listen_local = real_listen_local,
    .accept = real_accept,
    .has_caller = real_has_caller,
    .connect = real_connect,
    .connect_local = real_connect_local,
    .connect_result = real_connect_result,
    .read = real_read,
    .write = real_write,
    .shutdown_write = real_shutdown_write,
    .close = real_close,
    .own_address = real_own_address,
    .pair = real_pair,
    .stream_pair = real_stream_pair,
    .send = real_send,
    .receive = real_receive,
    .file_dup = real_file_dup,
    .handle_dup = real_handle_dup,
    .free = real_free,
};

struct net *net_real_new(void)
{
    struct net_real *r = MEMORY_NEW(struct net_real);

    r->net.ops = &real_ops;
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    /* The net's own address marks its own event: no watch can have it. */
    if (r->epoll >= 0 && r->wake >= 0 && real_watch(&r->net, r->wake, NET_READABLE, false, r) == 0)
        return &r->net;
    (void)fail_errno("open", SLICE("epoll"));
    real_free(&r->net);
    return NULL;
}

size_t net_address_text(const struct net_address *a, char out[64])
{
    static const char local[] = "local";
    bool v4 = address_is_v4(a);

    if (a->local) {
        memcpy(out, local, sizeof(local));
        return sizeof(local) - 1;
    }
    out[0] = '\0';
    (void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->ip + sizeof(v4_mapped) : a->ip, out, 64);
    return slice_of(out).len;
}

bool net_address_is_loopback(const struct net_address *a)
{
    static const unsigned char loopback[16] = {[15] = 1};

    if (a->local)
        return true;
    if (address_is_v4(a))
        return a->ip[12] == 127;
    return memcmp(a->ip, loopback, sizeof(loopback)) == 0;
}
