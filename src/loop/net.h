/*
 * net.h - the door to the network: the system calls below loop, stream, listener and channel.
 *
 * Real: epoll and sockets (net.c). Fake: tests/fakes/net.c, virtual connections in one process
 * on the virtual clock. Handles are small integers (descriptors on the real side). Everything is
 * non-blocking; functions return a count, 0 or a negative errno (-EAGAIN: would block). No
 * SIGPIPE is ever raised.
 */
#ifndef LOOP_NET_H
#define LOOP_NET_H

#include "base/disk.h"

#include <stdint.h>
#include <sys/uio.h>

enum net_events {
    NET_READABLE = 1,
    NET_WRITABLE = 2,
    NET_HANGUP = 4, /* error or both sides closed; always reported */
};

struct net_address {
    unsigned char ip[16]; /* IPv6, or v4-mapped ::ffff:a.b.c.d */
    uint16_t port;
    bool local;    /* of a socket in the file system, which has neither */
    uint32_t user; /* of a local peer: who it was when it connected */
};

struct net_event {
    void *ctx; /* as given to watch() */
    unsigned events;
};

struct net {
    const struct net_ops *ops;
};

struct net_ops {
    /* Watch a handle; level-triggered. exclusive: wake one of the processes that share it. */
    int (*watch)(struct net *n, int h, unsigned events, bool exclusive, void *ctx);
    int (*rewatch)(struct net *n, int h, unsigned events, void *ctx);
    void (*unwatch)(struct net *n, int h);
    /* Waits until something happens or the time has come; -1: no limit. Returns the count. */
    int (*wait)(struct net *n, struct net_event *out, int max, int64_t timeout_us);
    void (*wake)(struct net *n); /* from any thread: wait() returns */
    /* any: every address of both families, whatever at->ip says. Port 0: the kernel chooses. */
    int (*listen)(struct net *n, const struct net_address *at, bool any, int backlog);
    /* A socket in the file system, for who may write to it (mode). One that nobody listens on any
     * more is replaced; -EADDRINUSE: somebody does, or it is no socket. */
    int (*listen_local)(struct net *n, const char *path, unsigned mode, int backlog);
    int (*accept)(struct net *n, int h, struct net_address *peer, struct net_address *own);
    bool (*has_caller)(struct net *n, int h); /* accept() would have one */
    /* Begins to; from: the own address to use (its port is not looked at), NULL: the system's
     * choice.
     */
    int (*connect)(struct net *n, const struct net_address *to, const struct net_address *from);
    int (*connect_local)(struct net *n, const char *path); /* a socket in the file system */
    int (*connect_result)(struct net *n, int h);           /* once writable: 0 or negative errno */
    int64_t (*read)(struct net *n, int h, void *out, size_t len);
    int64_t (*write)(struct net *n, int h, const struct iovec *iov, int count);
    int (*shutdown_write)(struct net *n, int h);
    void (*close)(struct net *n, int h);
    int (*own_address)(struct net *n, int h, struct net_address *out);
    /* Datagram channels between roles (SOCK_SEQPACKET). A datagram may carry one file or one
     * handle (-1: none), borrowed from the sender. The receiver owns what arrives: a regular file
     * or memfd comes as *file, a socket or folder as *passed, whichever way it was sent. -EMSGSIZE:
     * it was longer than len or lost its descriptor; -EPROTO: it carried something else. */
    int (*pair)(struct net *n, int out[2]);
    int (*stream_pair)(struct net *n, int out[2]); /* a connection, both of whose ends are ours */
    int64_t (*send)(struct net *n, int h, struct slice bytes, struct disk_file *file, int pass);
    int64_t (*receive)(struct net *n, int h, void *out, size_t len, struct disk_file **file,
                       int *passed);
    /* A second owner of the same file or handle, for a datagram that has to wait. */
    int (*file_dup)(struct net *n, struct disk_file *file, struct disk_file **out);
    int (*handle_dup)(struct net *n, int h);
    void (*free)(struct net *n);
};

/* NULL when the kernel refuses (told by fail). */
struct net *net_real_new(void);

/* "192.0.2.1", "2001:db8::1" or "local", NUL-terminated; returns the length. */
size_t net_address_text(const struct net_address *a, char out[64]);
bool net_address_is_loopback(const struct net_address *a);

#endif
