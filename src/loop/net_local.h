/*
 * net_local.h - sockets in the file system; part of the real network (loop/net).
 */
#ifndef LOOP_NET_LOCAL_H
#define LOOP_NET_LOCAL_H

#include "base/slice.h"

#include <stdint.h>

enum { NET_LOCAL_PATH_MAX = 109 };

/* A descriptor or a negative errno; as net_ops.listen_local. */
int net_local_listen(const char *path, unsigned mode, int backlog);

/* The same as net_ops.connect_local. */
int net_local_connect(const char *path);

/* One datagram to whoever reads at the path ("@name": an abstract one). Never waits. 0 or a
 * negative errno. */
int net_local_tell(const char *path, struct slice text);

/* A stream socket that was inherited and listens: from now on as one of net_ops.listen. `path` is
 * where it lies in the file system, "" for one that has an address. 0 or a negative errno; -EINVAL:
 * it is something else, and untouched. */
int net_local_inherit(int handle, char path[NET_LOCAL_PATH_MAX]);
/* Who connected, as the kernel says. 0 or a negative errno. */
int net_local_user(int handle, uint32_t *out);

#endif
