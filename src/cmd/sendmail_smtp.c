/*
 * sendmail_smtp.c - bytes to and fro.
 *
 * Not a word is looked at: what the program may say is the server's to decide, and the program's
 * reader is the program itself. Standard input may be a file, which no loop can wait for: that is
 * read whenever what was read before has left.
 */
#include "cmd/sendmail_smtp.h"

#include "loop/stream.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

enum { BUFFER_MAX = 256 * 1024, PIECE = 16 * 1024 };

struct smtp_pipe {
    struct loop *loop;
    struct stream stream;
    struct watch in; /* standard input */
    bool is_file;    /* it is not watched */
    bool in_ended;
    bool connected;
    int status; /* -1: it goes on */
};

static void end(struct smtp_pipe *p, int status)
{
    p->status = status;
    loop_stop(p->loop);
}

static bool write_out(struct slice bytes)
{
    return fwrite(bytes.data, 1, bytes.len, stdout) == bytes.len && fflush(stdout) == 0;
}

/* The program says no more; what the server answers is still to come. */
static void say_no_more(struct smtp_pipe *p)
{
    struct net *net = loop_net(p->loop);

    if (p->in_ended && buf_len(&p->stream.out) == 0)
        (void)net->ops->shutdown_write(net, p->stream.watch.handle);
}

/* The next piece of what the program says. */
static void feed(struct smtp_pipe *p)
{
    char piece[PIECE];
    ssize_t got;

    if (p->in_ended || buf_len(&p->stream.out) > BUFFER_MAX - PIECE)
        return;
    do
        got = read(STDIN_FILENO, piece, sizeof(piece));
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN)
        return;
    p->in_ended = got <= 0;
    if (p->in_ended) {
        if (!p->is_file)
            (void)watch_set(p->loop, &p->in, 0);
        say_no_more(p);
        return;
    }
    (void)buf_append(&p->stream.out, (struct slice){piece, (size_t)got});
    stream_flush(&p->stream);
    if (!p->is_file && buf_len(&p->stream.out) > 0)
        (void)watch_set(p->loop, &p->in, 0); /* until it has left */
}

static void on_input(struct watch *w, unsigned events)
{
    (void)events;
    feed(LIST_ENTRY(w, struct smtp_pipe, in));
}

static void feed_more(struct smtp_pipe *p)
{
    say_no_more(p);
    while (p->is_file && !p->in_ended && buf_len(&p->stream.out) == 0)
        feed(p);
    if (!p->is_file && !p->in_ended)
        (void)watch_set(p->loop, &p->in, NET_READABLE);
}

static void begin(struct smtp_pipe *p)
{
    p->connected = true;
    p->in = (struct watch){.ready = on_input, .handle = STDIN_FILENO};
    p->is_file = watch_set(p->loop, &p->in, NET_READABLE) < 0;
    feed_more(p);
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct smtp_pipe *p = LIST_ENTRY(stream, struct smtp_pipe, stream);

    switch (event) {
    case STREAM_CONNECTED: begin(p); break;
    case STREAM_READABLE:
        if (!write_out(buf_slice(&p->stream.in))) {
            end(p, EX_IOERR);
            return;
        }
        buf_clear(&p->stream.in);
        stream_resume(&p->stream);
        break;
    case STREAM_DRAINED: feed_more(p); break;
    case STREAM_SECURED: break;
    case STREAM_EOF: end(p, EX_OK); break;
    case STREAM_FAILED: end(p, p->connected ? EX_TEMPFAIL : EX_UNAVAILABLE); break;
    }
}

static int talk(struct smtp_pipe *p, struct net *net, const char *path)
{
    static const struct net_address nowhere = {.local = true};
    int handle = net->ops->connect_local(net, path);

    if (handle < 0)
        return EX_UNAVAILABLE;
    p->loop = loop_new(net, clock_real());
    p->status = -1;
    if (stream_open_connecting(&p->stream, p->loop, handle, &nowhere, BUFFER_MAX, BUFFER_MAX,
                               on_stream) < 0 ||
        (p->status < 0 && loop_run(p->loop) < 0))
        p->status = EX_OSERR;
    if (p->connected && !p->is_file)
        (void)watch_set(p->loop, &p->in, 0);
    stream_close(&p->stream);
    loop_free(p->loop);
    return p->status;
}

int sendmail_smtp(struct slice socket, struct slice hostname, struct arena *arena)
{
    struct net *net = net_real_new();
    struct smtp_pipe pipe = {0};
    int status;

    if (net == NULL)
        return EX_OSERR;
    status = talk(&pipe, net, arena_string(arena, socket));
    net->ops->free(net);
    if (status == EX_UNAVAILABLE)
        (void)write_out(arena_printf(arena,
                                     "421 4.3.2 %.*s The mail system does not run: try "
                                     "again later\r\n",
                                     SLICE_PRINTF(hostname)));
    return status;
}
