/*
 * channel.h - framed, bounded, length-checked messages and descriptors between roles.
 *
 * One SOCK_SEQPACKET pair per edge of the matrix in ipc/messages.h. A datagram is u16 kind, then
 * the body; at most CHANNEL_MESSAGE_MAX bytes. What the kernel does not take at once waits in a
 * bounded queue; when that is full, channel_send() says -EAGAIN and the caller decides (events
 * are dropped and counted, work waits).
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include "base/buf.h"
#include "ipc/messages.h"
#include "loop/loop.h"

enum { CHANNEL_MESSAGE_MAX = 64 * 1024, CHANNEL_QUEUE_MAX = 1024 * 1024 };

struct channel {
    struct watch watch;
    struct loop *loop;
    enum role_kind self;
    enum role_kind peer;
    struct list queue; /* messages the kernel did not take yet */
    size_t queued_bytes;
    /* One message. `file` and `handle` (-1: none) belong to the receiver of the call from then
     * on. A message that the matrix does not allow is told by fail and closes the channel. */
    void (*on_message)(struct channel *c, enum message_kind kind, struct slice body,
                       struct disk_file *file, int handle);
    void (*on_closed)(struct channel *c); /* the peer is gone; the channel is closed already */
};

int channel_open(struct channel *c, struct loop *loop, int handle, enum role_kind self,
                 enum role_kind peer,
                 void (*on_message)(struct channel *, enum message_kind, struct slice,
                                    struct disk_file *, int),
                 void (*on_closed)(struct channel *));
void channel_close(struct channel *c);
bool channel_is_open(const struct channel *c);

/* 0, -EAGAIN (queue full), -ENOTCONN. `file` is borrowed; `handle` (-1: none) is borrowed. At
 * most one of the two. */
int channel_send(struct channel *c, enum message_kind kind, struct slice body,
                 struct disk_file *file, int handle);

#endif
