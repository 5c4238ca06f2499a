/*
 * probe_wire.c - a session that is played from a script.
 */
#include "cmd/probe_wire.h"

#include <assert.h>
#include <stdio.h>

enum { IN_MAX = 16 * 1024, OUT_MAX = 64 * 1024, TEXT_MAX = 4 * 1024, TRANSCRIPT_MAX = 256 * 1024 };

void wire_init(struct wire *w, struct loop *loop, struct arena *arena,
               const struct wire_options *options)
{
    *w = (struct wire){.loop = loop, .arena = arena, .options = options};
}

void wire_add(struct wire *w, enum wire_verb verb, struct slice bytes, unsigned wanted)
{
    assert(w->count < WIRE_LINES_MAX);
    w->script[w->count++] = (struct wire_line){verb, bytes, wanted};
}

static void show_dialog(struct wire *w)
{
    struct slice text = buf_slice(&w->transcript.text);

    if (w->options->verbose && text.len > 0)
        fwrite(text.data, 1, text.len, stderr);
    buf_clear(&w->transcript.text);
}

static void end(struct wire *w, enum wire_end how)
{
    w->end = how;
    timer_cancel(w->loop, &w->timer);
    stream_close(&w->stream);
    loop_stop(w->loop);
}

static void arm(struct wire *w)
{
    timer_set(w->loop, &w->timer, (uint64_t)w->options->timeout_s * 1000);
}

static void say(struct wire *w, struct slice bytes)
{
    struct slice shown =
        slice_ends(bytes, SLICE("\r\n")) ? slice_head(bytes, bytes.len - 2) : bytes;

    transcript_sent(&w->transcript, shown);
    (void)buf_append(&w->stream.out, bytes);
    stream_flush(&w->stream);
}

static struct slice joined(struct wire *w)
{
    struct slice text = buf_slice(&w->reader.text);
    char *out = arena_alloc(w->arena, text.len);

    for (size_t i = 0; i < text.len; i++)
        out[i] = text.data[i] == '\n' ? ' ' : text.data[i];
    return arena_printf(w->arena, "%03u%s%.*s", w->reader.code, text.len > 0 ? " " : "",
                        (int)text.len, out);
}

/* What a server says beyond all measure is not kept. */
static unsigned keep_reply(struct wire *w)
{
    struct wire_reply r = {w->at, w->reader.code, joined(w)};

    transcript_received(&w->transcript, r.text);
    if (w->reply_count < WIRE_REPLIES_MAX)
        w->replies[w->reply_count++] = r;
    reply_reader_reset(&w->reader);
    return r.code;
}

/* False: there is none yet, or it was the end. */
static bool hear(struct wire *w, unsigned *code)
{
    struct cursor in = {buf_slice(&w->stream.in)};
    enum reply_progress progress = reply_read(&w->reader, &in);

    buf_consume(&w->stream.in, buf_len(&w->stream.in) - in.rest.len);
    switch (progress) {
    case REPLY_MORE: return false;
    case REPLY_BROKEN: end(w, WIRE_NOT_SMTP); return false;
    case REPLY_COMPLETE: break;
    }
    *code = keep_reply(w);
    return true;
}

static bool hear_one(struct wire *w, unsigned wanted)
{
    unsigned code;

    if (!hear(w, &code))
        return false;
    if (wanted == 0 || code / 100 == wanted)
        return true;
    end(w, WIRE_UNWANTED);
    return false;
}

static bool hear_out(struct wire *w)
{
    unsigned code = 0;

    while (code != 221 && w->reply_count < WIRE_REPLIES_MAX)
        if (!hear(w, &code))
            return false;
    return true;
}

static void secure(struct wire *w)
{
    arm(w);
    stream_start_tls(&w->stream, w->options->tls, w->options->tls_name);
}

/* False: it goes on when something comes, or is over. */
static bool play_line(struct wire *w, const struct wire_line *line)
{
    switch (line->verb) {
    case WIRE_SAY: say(w, line->bytes); return true;
    case WIRE_HEAR: return hear_one(w, line->wanted);
    case WIRE_HEAR_OUT: return hear_out(w);
    case WIRE_SECURE: secure(w); return false;
    }
    return false;
}

static void go_on(struct wire *w)
{
    while (w->at < w->count && play_line(w, &w->script[w->at])) {
        w->at++;
        arm(w);
    }
    if (w->at == w->count)
        end(w, WIRE_PLAYED);
    show_dialog(w);
}

static struct wire *wire_of(struct stream *s)
{
    return LIST_ENTRY(s, struct wire, stream);
}

static void on_secured(struct wire *w)
{
    if (w->at > 0 || !w->options->implicit_tls)
        w->at++; /* WIRE_SECURE */
    arm(w);
    go_on(w);
}

static void on_connected(struct wire *w)
{
    if (w->options->implicit_tls)
        secure(w);
    else
        go_on(w);
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct wire *w = wire_of(stream);

    switch (event) {
    case STREAM_CONNECTED: on_connected(w); break;
    case STREAM_SECURED: on_secured(w); break;
    case STREAM_READABLE: go_on(w); break;
    case STREAM_DRAINED: break;
    case STREAM_EOF: end(w, WIRE_LOST); break;
    case STREAM_FAILED:
        end(w, stream->securing     ? WIRE_NO_TLS
               : stream->connecting ? WIRE_NO_CONNECTION
                                    : WIRE_LOST);
        break;
    }
}

static void on_timer(struct timer *timer)
{
    struct wire *w = LIST_ENTRY(timer, struct wire, timer);

    end(w, w->stream.securing     ? WIRE_NO_TLS
           : w->stream.connecting ? WIRE_NO_CONNECTION
                                  : WIRE_SILENT);
}

void wire_play(struct wire *w)
{
    reply_reader_init(&w->reader, TEXT_MAX);
    transcript_init(&w->transcript, TRANSCRIPT_ALL, TRANSCRIPT_MAX);
    timer_init(&w->timer, on_timer);
    if (stream_connect(&w->stream, w->loop, &w->options->to, IN_MAX, OUT_MAX, on_stream) < 0) {
        w->end = WIRE_NO_CONNECTION;
    } else {
        arm(w);
        if (loop_run(w->loop) < 0)
            end(w, WIRE_LOST);
    }
    show_dialog(w);
    transcript_done(&w->transcript);
    reply_reader_done(&w->reader);
}
