/*
 * channel.c - messages between roles.
 *
 * The kernel keeps datagrams whole, so there is no framing to get wrong: one datagram, one
 * message, checked against the matrix before anybody looks at its body. A message that has to wait
 * keeps its own copy of the bytes and its own descriptor, because the sender's are borrowed. Some
 * carry passwords and tokens: our copies of all are wiped.
 *
 * A peer's end is noticed by reading, never by a failed send: what it sent before it went
 * (MESSAGE_LAST_GOOD) is read first.
 *
 * What cannot be read because we are short of memory or descriptors is lost, and so is the channel:
 * a message may be missing. The peer lives and never hears of it, so the owner must end (`error`).
 *
 * A send may also fail because the system is short of memory, or has too many descriptors in
 * flight. No event tells the end of that and the socket may be writable all the time, so what
 * waits is tried again after a while.
 */
#include "ipc/channel.h"

#include "base/cursor.h"
#include "base/fail.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { READS_PER_ROUND = 64, RETRY_MS = 50 };

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
    explicit_bzero(w->bytes, w->len);
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
    timer_cancel(c->loop, &c->retry);
    watch_close(c->loop, &c->watch);
}

static void close_and_tell(struct channel *c)
{
    channel_close(c);
    c->on_closed(c);
}

/* Sending */

enum outcome { SENT, FULL, SHORT, REFUSED };

static enum outcome outcome_of(int64_t sent)
{
    switch (sent) {
    case -EAGAIN: return FULL;
    case -ENOBUFS:
    case -ENOMEM:
    case -ETOOMANYREFS: return SHORT;
    default: return sent < 0 ? REFUSED : SENT;
    }
}

/* Arranges for the queue to be tried again. 0 or negative errno. */
static int queue_await(struct channel *c, enum outcome why)
{
    switch (why) {
    case FULL: return watch_set(c->loop, &c->watch, NET_READABLE | NET_WRITABLE);
    case SHORT: timer_set(c->loop, &c->retry, RETRY_MS); break;
    case SENT:
    case REFUSED: break; /* the peer is gone: reading finds that out after its last message */
    }
    return watch_set(c->loop, &c->watch, NET_READABLE);
}

/* Sends what waits until the kernel has enough. */
static void queue_flush(struct channel *c)
{
    struct net *net = loop_net(c->loop);
    enum outcome outcome = SENT;

    while (!list_empty(&c->queue)) {
        struct waiting *w = LIST_ENTRY(c->queue.next, struct waiting, link);
        outcome = outcome_of(net->ops->send(net, c->watch.handle, (struct slice){w->bytes, w->len},
                                            w->file, w->handle));
        if (outcome != SENT)
            break;
        waiting_free(c, w);
    }
    (void)queue_await(c, outcome);
}

static void retry_due(struct timer *t)
{
    queue_flush(LIST_ENTRY(t, struct channel, retry));
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

/* `why` the kernel did not take it; SENT: it did not try, and the queue's turn is arranged. */
static int queue_append(struct channel *c, struct slice message, struct disk_file *file, int handle,
                        enum outcome why)
{
    size_t cost = waiting_cost(message.len);

    if (c->queued_bytes + cost > CHANNEL_QUEUE_MAX)
        return -EAGAIN;
    int code = why == SENT ? 0 : queue_await(c, why);
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
        return queue_append(c, message, file, handle, timer_is_set(&c->retry) ? SENT : FULL);
    int64_t sent = net->ops->send(net, c->watch.handle, message, file, handle);
    switch (outcome_of(sent)) {
    case SENT: return 0;
    case FULL: return queue_append(c, message, file, handle, FULL);
    case SHORT: return queue_append(c, message, file, handle, SHORT);
    case REFUSED: break;
    }
    return sent == -EPIPE || sent == -ECONNRESET ? -ENOTCONN : (int)sent;
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
    buf_wipe(&message);
    return code;
}

/* Receiving */

/* What the peer did wrong does not end us. */
static bool is_own_failure(int code)
{
    return code != -EPROTO && code != -EMSGSIZE;
}

static void refuse(struct channel *c, int code, struct disk_file *file, int handle)
{
    struct net *net = loop_net(c->loop);

    if (is_own_failure(code))
        c->error = code;
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
    bool open = hand_on(c, (enum message_kind)number, body.rest, file, handle);
    explicit_bzero(bytes, (size_t)got);
    return open;
}

static void channel_ready(struct watch *w, unsigned events)
{
    struct channel *c = LIST_ENTRY(w, struct channel, watch);
    struct buf room;

    if (events & NET_WRITABLE)
        queue_flush(c);
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
    timer_init(&c->retry, retry_due);
    int code = watch_set(loop, &c->watch, NET_READABLE);
    if (code < 0)
        channel_close(c);
    return code;
}
