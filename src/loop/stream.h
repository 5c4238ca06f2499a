/*
 * stream.h - a non-blocking buffered byte stream over one connection.
 *
 * The owner reads from `in` (consume what was used) and appends to `out`; stream_flush() writes
 * as much as the socket takes and the loop the rest. One read and one write per batch. Buffers
 * are given back while the connection idles.
 *
 * Back-pressure: stream_pause() stops reading while the owner waits for something (one need at
 * a time); nothing is read past `in`'s maximum.
 */
#ifndef LOOP_STREAM_H
#define LOOP_STREAM_H

#include "base/buf.h"
#include "loop/loop.h"

enum stream_event {
    STREAM_READABLE,  /* new bytes in `in` */
    STREAM_EOF,       /* the peer sends no more; what is in `in` was delivered before */
    STREAM_CONNECTED, /* an outgoing connection stands */
    STREAM_DRAINED,   /* `out` became empty after having been blocked */
    STREAM_FAILED,    /* reset, timeout of the kernel, refused: s->error holds the errno */
};

struct stream {
    struct watch watch;
    struct loop *loop;
    void (*on_event)(struct stream *s, enum stream_event event);
    struct buf in;
    struct buf out;
    bool paused;
    bool connecting;
    bool eof;
    bool closing; /* close once `out` is written */
    int error;
    struct net_address peer;
    struct net_address own;
};

/* Takes over an accepted handle. Reading starts at once. */
int stream_open(struct stream *s, struct loop *loop, int handle, size_t in_max, size_t out_max,
                void (*on_event)(struct stream *, enum stream_event));
int stream_connect(struct stream *s, struct loop *loop, const struct net_address *to, size_t in_max,
                   size_t out_max, void (*on_event)(struct stream *, enum stream_event));

void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Writes now what can be written. An error is reported later as STREAM_FAILED, never from
 * inside this call. */
void stream_flush(struct stream *s);

/* Now, whatever is unwritten is lost. Safe inside on_event; no event follows. */
void stream_close(struct stream *s);

bool stream_is_open(const struct stream *s);

#endif
