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

enum {
    CHANNEL_MESSAGE_MAX = 64 * 1024, /* with the two bytes of the kind */
    CHANNEL_BODY_MAX = CHANNEL_MESSAGE_MAX - 2,
    CHANNEL_QUEUE_MAX = 1024 * 1024,
};

struct channel {
    struct watch watch;
    struct loop *loop;
    enum role_kind self;
    enum role_kind peer;
    struct list queue; /* messages the kernel did not take yet */
    size_t queued_bytes;
    struct timer retry; /* of the queue, when the system was short of something */
    bool *gone;         /* set when the channel is closed inside on_message */
    int error;          /* in on_closed: 0, or what we were short of, with a peer that lives on */
    /* One message. `file` and `handle` (-1: none) belong to the receiver of the call from then
     * on; what kind carries which is checked before (a memfd comes as `file`). A message that the
     * matrix does not allow is told by fail and closes the channel. */
    void (*on_message)(struct channel *c, enum message_kind kind, struct slice body,
                       struct disk_file *file, int handle);
    /* The peer is gone, after its last message was read; the channel is closed already. Both
     * may close the channel and free its owner. */
    void (*on_closed)(struct channel *c);
};

/* Takes over one end of a pair (closed on failure). */
int channel_open(struct channel *c, struct loop *loop, int handle, enum role_kind self,
                 enum role_kind peer,
                 void (*on_message)(struct channel *, enum message_kind, struct slice,
                                    struct disk_file *, int),
                 void (*on_closed)(struct channel *));
void channel_close(struct channel *c);
bool channel_is_open(const struct channel *c);

/* 0, -EAGAIN (queue full), -ENOTCONN (closed, or about to be: on_closed follows), -EMSGSIZE, or
 * what the system said of the descriptor. `file` is borrowed; `handle` (-1: none) is borrowed. At
 * most one of the two, as message_cargo() says; a memfd may go either way. */
int channel_send(struct channel *c, enum message_kind kind, struct slice body,
                 struct disk_file *file, int handle);

#endif
