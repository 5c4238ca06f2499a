/*
 * channel.c - messages between roles.
 *
 * The kernel keeps datagrams whole, so there is no framing to get wrong: one datagram, one
 * message, checked against the matrix before anybody looks at its body. A message that has to wait
 * keeps its own copy of the bytes and its own descriptor, because the sender's are borrowed.
 *
 * A peer's end is noticed by reading, never by a failed send: what it sent before it went
 * (MESSAGE_LAST_GOOD) is read first.
 */
#include "ipc/channel.h"

#include "base/cursor.h"
#include "base/fail.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { READS_PER_ROUND = 64 };

struct waiting {
    struct list link;
    struct disk_file *file; /* owned */
    int handle;             /* owned */
    size_t len;
    char bytes[];
};

static size_t waiting_cost(size_t len)
{
    return sizeof(struct waiting) + len;
}

static void waiting_free(struct channel *c, struct waiting *w)
{
    struct net *net = loop_net(c->loop);

    list_remove(&w->link);
    c->queued_bytes -= waiting_cost(w->len);
    disk_close(w->file);
    if (w->handle >= 0)
        net->ops->close(net, w->handle);
    memory_free(w);
}

bool channel_is_open(const struct channel *c)
{
    return c->loop != NULL && c->watch.handle >= 0;
}

void channel_close(struct channel *c)
{
    if (!channel_is_open(c))
        return;
    if (c->gone != NULL)
        *c->gone = true;
    c->gone = NULL;
    LIST_EACH (node, &c->queue)
        waiting_free(c, LIST_ENTRY(node, struct waiting, link));
    watch_close(c->loop, &c->watch);
}

static void close_and_tell(struct channel *c)
{
    channel_close(c);
    c->on_closed(c);
}

/* Sending */

/* Sends what waits until the kernel has enough. 0 or -ENOTCONN. */
static int queue_flush(struct channel *c)
{
    struct net *net = loop_net(c->loop);

    while (!list_empty(&c->queue)) {
        struct waiting *w = LIST_ENTRY(c->queue.next, struct waiting, link);
        int64_t sent = net->ops->send(net, c->watch.handle, (struct slice){w->bytes, w->len},
                                      w->file, w->handle);
        if (sent == -EAGAIN)
            return 0;
        if (sent < 0)
            return -ENOTCONN;
        waiting_free(c, w);
    }
    return watch_set(c->loop, &c->watch, NET_READABLE);
}

/* Gives the waiting message its own descriptor. */
static int cargo_keep(struct channel *c, struct waiting *w, struct disk_file *file, int handle)
{
    struct net *net = loop_net(c->loop);

    if (file != NULL)
        return net->ops->file_dup(net, file, &w->file);
    if (handle < 0)
        return 0;
    int copy = net->ops->handle_dup(net, handle);
    if (copy < 0)
        return copy;
    w->handle = copy;
    return 0;
}

static int queue_append(struct channel *c, struct slice message, struct disk_file *file, int handle)
{
    size_t cost = waiting_cost(message.len);

    if (c->queued_bytes + cost > CHANNEL_QUEUE_MAX)
        return -EAGAIN;
    int code = watch_set(c->loop, &c->watch, NET_READABLE | NET_WRITABLE);
    if (code < 0)
        return code;
    struct waiting *w = memory_new(cost);
    w->handle = -1;
    code = cargo_keep(c, w, file, handle);
    if (code < 0) {
        memory_free(w);
        return code;
    }
    w->len = message.len;
    memcpy(w->bytes, message.data, message.len);
    list_append(&c->queue, &w->link);
    c->queued_bytes += cost;
    return 0;
}

static bool cargo_fits(enum message_kind kind, const struct disk_file *file, int handle)
{
    switch (message_cargo(kind)) {
    case CARGO_NONE: return file == NULL && handle < 0;
    case CARGO_FILE: return file != NULL && handle < 0;
    case CARGO_HANDLE: return file == NULL && handle >= 0;
    }
    return false;
}

static int send_or_queue(struct channel *c, struct slice message, struct disk_file *file,
                         int handle)
{
    struct net *net = loop_net(c->loop);

    if (!list_empty(&c->queue)) /* not past those that wait */
        return queue_append(c, message, file, handle);
    int64_t sent = net->ops->send(net, c->watch.handle, message, file, handle);
    if (sent == -EAGAIN)
        return queue_append(c, message, file, handle);
    if (sent == -EPIPE || sent == -ECONNRESET)
        return -ENOTCONN;
    return sent < 0 ? (int)sent : 0;
}

int channel_send(struct channel *c, enum message_kind kind, struct slice body,
                 struct disk_file *file, int handle)
{
    struct buf message;
    int code = -EMSGSIZE;

    if (!channel_is_open(c)) /* perhaps never was: then self and peer say nothing */
        return -ENOTCONN;
    assert(message_allowed(kind, c->self, c->peer));
    assert(file == NULL || handle < 0);
    buf_init(&message, CHANNEL_MESSAGE_MAX);
    if (put_u16(&message, (uint16_t)kind) && buf_append(&message, body))
        code = send_or_queue(c, buf_slice(&message), file, handle);
    buf_done(&message);
    return code;
}

/* Receiving */

static void refuse(struct channel *c, int code, struct disk_file *file, int handle)
{
    struct net *net = loop_net(c->loop);

    (void)fail_code(code, "take a message of", slice_of(role_name(c->peer)));
    disk_close(file);
    if (handle >= 0)
        net->ops->close(net, handle);
    close_and_tell(c);
}

/* False: the owner closed the channel, and may have freed it. */
static bool hand_on(struct channel *c, enum message_kind kind, struct slice body,
                    struct disk_file *file, int handle)
{
    bool gone = false;

    c->gone = &gone;
    c->on_message(c, kind, body, file, handle);
    if (gone)
        return false;
    c->gone = NULL;
    return true;
}

/* Reads one message and hands it on. False: there is none, or the channel is closed. */
static bool read_one(struct channel *c, char *bytes)
{
    struct net *net = loop_net(c->loop);
    struct disk_file *file = NULL;
    int handle = -1;
    int64_t got =
        net->ops->receive(net, c->watch.handle, bytes, CHANNEL_MESSAGE_MAX, &file, &handle);
    struct cursor body = {
        {bytes, got > 0 ? (size_t)got : 0}
    };
    uint16_t number;

    if (got == -EAGAIN)
        return false;
    if (got == 0 || got == -ECONNRESET) {
        close_and_tell(c);
        return false;
    }
    if (got < 0) {
        refuse(c, (int)got, file, handle);
        return false;
    }
    if (!get_u16(&body, &number) || !message_allowed((enum message_kind)number, c->peer, c->self) ||
        !cargo_fits((enum message_kind)number, file, handle)) {
        refuse(c, -EPROTO, file, handle);
        return false;
    }
    return hand_on(c, (enum message_kind)number, body.rest, file, handle);
}

static void channel_ready(struct watch *w, unsigned events)
{
    struct channel *c = LIST_ENTRY(w, struct channel, watch);
    struct buf room;

    /* A send that fails means that the peer is gone; reading finds that out after its last
     * message, and level-triggered events keep calling until then. */
    if (events & NET_WRITABLE && queue_flush(c) < 0)
        (void)watch_set(c->loop, &c->watch, NET_READABLE);
    if (!(events & (NET_READABLE | NET_HANGUP)))
        return;
    buf_init(&room, CHANNEL_MESSAGE_MAX);
    char *bytes = buf_reserve(&room, CHANNEL_MESSAGE_MAX);
    for (int i = 0; i < READS_PER_ROUND; i++)
        if (!read_one(c, bytes))
            break;
    buf_done(&room);
}

int channel_open(struct channel *c, struct loop *loop, int handle, enum role_kind self,
                 enum role_kind peer,
                 void (*on_message)(struct channel *, enum message_kind, struct slice,
                                    struct disk_file *, int),
                 void (*on_closed)(struct channel *))
{
    *c = (struct channel){
        .watch = {.ready = channel_ready, .handle = handle},
        .loop = loop,
        .self = self,
        .peer = peer,
        .on_message = on_message,
        .on_closed = on_closed
    };
    list_init(&c->queue);
    int code = watch_set(loop, &c->watch, NET_READABLE);
    if (code < 0)
        channel_close(c);
    return code;
}
