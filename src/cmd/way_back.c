/*
 * way_back.c - a web server of one page.
 *
 * Browsers connect ahead of time and ask for icons, so several visitors are heard at once and only
 * one that brings our state back ends the wait. Any page on the web can make a browser come here:
 * without that state it gets nothing, and nothing it says is ever shown.
 *
 * What is typed or pasted counts as well, since servers have no browser. A code alone needs no
 * state: who typed it is who sees the question.
 */
#include "cmd/way_back.h"

#include "base/memory.h"
#include "loop/stream.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    HEAD_MAX = 16 * 1024,
    PAGE_MAX = 4096,
    TYPED_MAX = 8192,
    VISITORS_MAX = 16,
    VISIT_MS = 10 * 1000,
};

struct visitor {
    struct list link;
    struct way_back *host;
    struct stream stream;
    struct timer patience;
    bool last; /* when it is gone, the wait is over */
};

/* ---- what came back ---- */

static bool is_ours(const struct way_back *w, const struct oauth_return *got, bool typed)
{
    return slice_equal(got->state, w->state) ||
           (typed && got->state.len == 0 && got->error.len == 0);
}

/* False: it is not what we wait for. */
static bool take(struct way_back *w, struct slice text, bool typed)
{
    struct oauth_return got;

    if (w->result != WAY_BACK_WAITS || !oauth_read_return(text, w->arena, &got) ||
        !is_ours(w, &got, typed))
        return false;
    w->got = got;
    w->result = got.error.len > 0 ? WAY_BACK_ERROR : WAY_BACK_CODE;
    return true;
}

/* ---- browsers ---- */

static void visitor_free(struct visitor *v)
{
    struct way_back *w = v->host;

    if (v->last)
        loop_stop(w->loop);
    timer_cancel(w->loop, &v->patience);
    stream_close(&v->stream);
    list_remove(&v->link);
    w->visitor_count--;
    memory_free(v);
}

static void say(struct visitor *v, const char *status, const char *text)
{
    char page[PAGE_MAX / 2];
    int len =
        snprintf(page, sizeof(page),
                 "<!doctype html><meta charset=utf-8><title>postroad</title><p>%s</p>\n", text);

    (void)buf_printf(&v->stream.out,
                     "HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\n"
                     "Content-Length: %d\r\nContent-Security-Policy: default-src 'none'\r\n"
                     "Referrer-Policy: no-referrer\r\nCache-Control: no-store\r\n"
                     "Connection: close\r\n\r\n%s",
                     status, len, page);
    stream_finish(&v->stream);
}

static void answer(struct visitor *v, struct slice head)
{
    struct way_back *w = v->host;
    struct slice target;
    bool good = oauth_read_request(head, &target) && slice_find(target, '?') < target.len &&
                take(w, target, false);

    if (!good) {
        say(v, "404 Not Found", "There is nothing here.");
        return;
    }
    v->last = true;
    if (w->result == WAY_BACK_CODE)
        say(v, "200 OK", "Thank you. Go back to the terminal: postroad goes on there.");
    else
        say(v, "200 OK", "It was refused. The terminal says more.");
}

static void hear(struct visitor *v)
{
    struct slice head = buf_slice(&v->stream.in);

    if (memmem(head.data, head.len, "\r\n\r\n", 4) != NULL)
        answer(v, head);
    else if (head.len >= HEAD_MAX)
        visitor_free(v);
}

static void on_stream(struct stream *s, enum stream_event event)
{
    struct visitor *v = LIST_ENTRY(s, struct visitor, stream);

    switch (event) {
    case STREAM_READABLE: hear(v); break;
    case STREAM_EOF:
    case STREAM_FAILED: visitor_free(v); break;
    case STREAM_CONNECTED:
    case STREAM_SECURED:
    case STREAM_DRAINED: break;
    }
}

static void on_visit_over(struct timer *t)
{
    visitor_free(LIST_ENTRY(t, struct visitor, patience));
}

static void on_accept(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own)
{
    struct way_back *w = LIST_ENTRY(l, struct way_back, listener);
    struct visitor *v = MEMORY_NEW(struct visitor);

    (void)peer, (void)own;
    if (w->visitor_count == VISITORS_MAX)
        visitor_free(LIST_ENTRY(w->visitors.next, struct visitor, link));
    v->host = w;
    timer_init(&v->patience, on_visit_over);
    timer_set(w->loop, &v->patience, VISIT_MS);
    list_append(&w->visitors, &v->link);
    w->visitor_count++;
    if (stream_open(&v->stream, w->loop, handle, HEAD_MAX, PAGE_MAX, on_stream) < 0)
        visitor_free(v);
}

/* ---- the keyboard ---- */

static void hear_line(struct way_back *w, struct slice line)
{
    if (take(w, line, true))
        loop_stop(w->loop);
    else if (slice_trim(line).len > 0)
        fputs("That is neither the address nor the code that this login waits for. Once more, or "
              "Ctrl-C: ",
              stderr);
}

/* Unlike a socket it is ours for as long as the program runs: it is not closed. */
static void stop_listening_to_keys(struct way_back *w)
{
    (void)watch_set(w->loop, &w->keyboard, 0);
}

static void on_keys(struct watch *watch, unsigned events)
{
    struct way_back *w = LIST_ENTRY(watch, struct way_back, keyboard);
    struct net *net = loop_net(w->loop);
    char bytes[1024];
    struct slice line, rest;
    int64_t got = net->ops->read(net, STDIN_FILENO, bytes, sizeof(bytes));

    (void)events;
    if (got <= 0 || !buf_append(&w->typed, (struct slice){bytes, (size_t)got})) {
        stop_listening_to_keys(w);
        return;
    }
    while (slice_cut(buf_slice(&w->typed), '\n', &line, &rest)) {
        size_t len = line.len + 1;

        hear_line(w, slice_head(line, slice_find(line, '\r')));
        buf_consume(&w->typed, len);
    }
}

/* ---- as a whole ---- */

static void on_late(struct timer *t)
{
    struct way_back *w = LIST_ENTRY(t, struct way_back, patience);

    w->result = WAY_BACK_LATE;
    loop_stop(w->loop);
}

int way_back_open(struct way_back *w, struct loop *loop, struct arena *arena)
{
    static const struct net_address loopback = {
        .ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}
    };
    struct net *net = loop_net(loop);
    struct net_address own;
    int handle = net->ops->listen(net, &loopback, false, LISTENER_BACKLOG);

    w->loop = loop;
    w->arena = arena;
    w->keyboard = (struct watch){.ready = on_keys, .handle = STDIN_FILENO};
    buf_init(&w->typed, TYPED_MAX);
    list_init(&w->visitors);
    timer_init(&w->patience, on_late);
    if (handle < 0)
        return handle;
    int code = net->ops->own_address(net, handle, &own);
    if (code < 0) {
        net->ops->close(net, handle);
        return code;
    }
    w->port = own.port;
    return listener_open(&w->listener, loop, handle, on_accept);
}

/* A file or nothing at all cannot be watched: then only the browser counts. */
enum way_back_result way_back_wait(struct way_back *w, struct slice state, unsigned patience_s)
{
    w->state = state;
    timer_set(w->loop, &w->patience, (uint64_t)patience_s * 1000);
    (void)watch_set(w->loop, &w->keyboard, NET_READABLE);
    (void)loop_run(w->loop);
    stop_listening_to_keys(w);
    timer_cancel(w->loop, &w->patience);
    return w->result;
}

void way_back_close(struct way_back *w)
{
    LIST_EACH (node, &w->visitors) {
        struct visitor *v = LIST_ENTRY(node, struct visitor, link);

        v->last = false;
        visitor_free(v);
    }
    listener_close(&w->listener);
    buf_wipe(&w->typed);
}
