/*
 * net_local.h - sockets in the file system; part of the real network (loop/net).
 */
#ifndef LOOP_NET_LOCAL_H
#define LOOP_NET_LOCAL_H

/* A descriptor or a negative errno; as net_ops.listen_local. */
int net_local_listen(const char *path, unsigned mode, int backlog);

/* The same as net_ops.connect_local. */
int net_local_connect(const char *path);

#endif
