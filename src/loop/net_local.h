/*
 * net_local.h - listening on a socket in the file system; part of the real network (loop/net).
 */
#ifndef LOOP_NET_LOCAL_H
#define LOOP_NET_LOCAL_H

/* A descriptor or a negative errno; as net_ops.listen_local. */
int net_local_listen(const char *path, unsigned mode, int backlog);

#endif
