/*
 * stream.h - a non-blocking buffered byte stream over one connection.
 *
 * The owner reads from `in` (consume what was used) and appends to `out`; stream_flush() writes
 * as much as the socket takes and the loop the rest. One read and one write per batch. Buffers
 * are given back while the connection idles.
 *
 * Back-pressure: stream_pause() stops reading while the owner waits for something (one need at
 * a time); nothing is read past `in`'s maximum. stream_resume() goes on in both cases, so an owner
 * that consumes outside of on_event calls it afterwards. A paused stream does not notice that
 * the peer hung up; a resumed one does.
 */
#ifndef LOOP_STREAM_H
#define LOOP_STREAM_H

#include "base/buf.h"
#include "loop/loop.h"
#include "loop/tls.h"

enum stream_event {
    STREAM_READABLE,  /* new bytes in `in` */
    STREAM_EOF,       /* the peer sends no more; what is in `in` was delivered before */
    STREAM_CONNECTED, /* an outgoing connection stands */
    STREAM_SECURED,   /* the TLS handshake is done */
    STREAM_DRAINED,   /* `out` became empty after having been blocked */
    STREAM_FAILED,    /* reset, timeout of the kernel, refused: s->error holds the (positive)
                         errno; EPROTO: stream_tls() knows more. Nothing follows; the owner
                         closes. */
};

enum { STREAM_READ_MAX = 64 * 1024, STREAM_LINGER_MS = 2000 };

struct stream {
    struct watch watch;
    struct loop *loop;
    struct timer later; /* a failure to report, or the end of lingering */
    void (*on_event)(struct stream *s, enum stream_event event);
    struct buf in;
    struct buf out;
    bool paused;
    bool connecting;
    bool eof;
    bool closing;    /* stream_finish() was called */
    bool finished;   /* the sending side is closed */
    bool secret;     /* stream_has_secret() was called */
    bool securing;   /* the handshake is under way: nothing is read or written but that */
    struct tls *tls; /* NULL: in the clear */
    bool *gone;      /* set when the stream is closed during an event */
    size_t read_len;
    int error;
    struct net_address peer;
    struct net_address own;
};

/* Takes over an accepted handle (closed on failure). Reading starts at once. peer and own are the
 * caller's to fill. */
int stream_open(struct stream *s, struct loop *loop, int handle, size_t in_max, size_t out_max,
                void (*on_event)(struct stream *, enum stream_event));

/* Begins to connect: STREAM_CONNECTED or STREAM_FAILED follows, unless an error is returned.
 * What is in `out` by then is written first. */
int stream_connect(struct stream *s, struct loop *loop, const struct net_address *to, size_t in_max,
                   size_t out_max, void (*on_event)(struct stream *, enum stream_event));

/* The same for a handle that connects already, or the negative errno that came of it. */
int stream_open_connecting(struct stream *s, struct loop *loop, int handle,
                           const struct net_address *to, size_t in_max, size_t out_max,
                           void (*on_event)(struct stream *, enum stream_event));

void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Writes now what can be written. An error is reported later as STREAM_FAILED, never from
 * inside this call. */
void stream_flush(struct stream *s);

/* The good end: writes what is in `out`, closes the sending side and throws away what still
 * arrives, so that the last reply is not lost to a reset. STREAM_EOF (the peer closed too, or
 * STREAM_LINGER_MS passed since all was written) or STREAM_FAILED follows and nothing else; the
 * owner then closes. The owner limits how long a peer may take to read `out`. */
void stream_finish(struct stream *s);

/* Now, whatever is unwritten is lost. Safe inside on_event, where the owner may also free the
 * struct; no event follows. Harmless when closed. */
void stream_close(struct stream *s);

/* What lies in `in` and `out`, and comes before they are empty, is wiped when their memory is given
 * back. */
void stream_has_secret(struct stream *s);

bool stream_is_open(const struct stream *s);

/* Begins TLS: STREAM_SECURED or STREAM_FAILED follows. `out` must have left. What came in the
 * clear and was not consumed is dropped: nobody knows who said it (RFC 3207 4.2). `name`: the host
 * that a client asks for. The context is borrowed until the stream is closed. */
void stream_start_tls(struct stream *s, struct tls_context *context, struct slice name);

/* NULL: the stream is in the clear. */
const struct tls *stream_tls(const struct stream *s);

#endif
