/*
 * control.c - people at the queue.
 *
 * A request is a walk through the queue, or the messages that it names; each message is looked at,
 * compared with the filters (control_filter.c), and then told of or acted upon (control_acts.c). A
 * walk goes on in steps, and only while the caller reads: neither a million messages nor a stopped
 * terminal holds up the mail. What people were told is done stays done: the answer waits for the
 * disk.
 *
 * A caller is owed an answer, or owes a request, or owes us to read; each has a time limit, so that
 * a forgotten terminal does not keep a place.
 */
#include "roles/control_internal.h"

#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    CALLERS_MAX = 32,
    STEP_MAX = 50,              /* messages in one round */
    ACTED_MAX = 50,             /* parcels at a time, each with an open file */
    OUT_MAX = 4 * 1024 * 1024,  /* a message with a thousand recipients fits on top of ... */
    OUT_FULL = 512 * 1024,      /* ... what is enough for now */
    IDLE_MS = 60 * 1000,        /* for the next request, from its first byte to its last */
    UNREAD_MS = 10 * 60 * 1000, /* for some of an answer to be read: people use pagers */
    RECORD_MS = 30 * 1000,      /* for the disk */
};

/* ---- answers ---- */

static void leave_queue(struct caller *c)
{
    queue_walk_free(c->walk);
    c->walk = NULL;
    if (c->still)
        queue_may_carry(c->control->queue);
    c->still = false;
}

static void caller_free(struct caller *c)
{
    parcels_forget_watch(c->control->parcels, &c->acted);
    timer_cancel(c->control->role->loop, &c->deadline);
    if (c->content != NULL)
        queue_release(c->control->queue, c->content);
    leave_queue(c);
    stream_close(&c->stream);
    arena_done(&c->arena);
    arena_done(&c->scratch);
    list_remove(&c->link);
    c->control->caller_count--;
    memory_free(c);
}

static void answer_error(struct caller *c, struct slice text)
{
    control_begin(&c->stream.out, SLICE("error"));
    control_text(&c->stream.out, "text", text);
    control_end(&c->stream.out);
}

static void answer_ok(struct caller *c)
{
    control_begin(&c->stream.out, SLICE("ok"));
    control_uint(&c->stream.out, "count", c->count);
    control_end(&c->stream.out);
}

/* ---- deadlines ---- */

static bool is_idle(const struct caller *c)
{
    return c->act == NULL && c->content == NULL && !c->recording && !c->reloading;
}

/* It got on. */
static void touch(struct caller *c)
{
    unsigned ms = c->recording                                 ? RECORD_MS
                  : is_idle(c) && buf_len(&c->stream.out) == 0 ? IDLE_MS
                                                               : UNREAD_MS;

    timer_set(c->control->role->loop, &c->deadline, ms);
    c->touched_ms = loop_now_ms(c->control->role->loop);
    list_remove(&c->link);
    list_append(&c->control->callers, &c->link);
}

static void finish(struct caller *c)
{
    c->finishing = true;
    timer_set(c->control->role->loop, &c->deadline, IDLE_MS);
    stream_finish(&c->stream);
}

static void on_deadline(struct timer *t)
{
    struct caller *c = LIST_ENTRY(t, struct caller, deadline);

    if (!c->recording) {
        caller_free(c);
        return;
    }
    c->recording = false;
    answer_error(c, SLICE("it is done, but cannot be made durable now (is the disk full?): a crash "
                          "would undo it"));
    finish(c);
}

/* ---- the walk ---- */

static void act_on(struct caller *c, struct queue_entry *e)
{
    struct queue *q = c->control->queue;
    struct queue_message *m;

    arena_reset(&c->scratch);
    m = queue_look(q, e);
    bool wanted = m != NULL && control_filter_fits(c, m);
    if (wanted && !c->act->takes)
        c->count += c->act->run(c, m);
    if (m != NULL)
        queue_release(q, m);
    if (!wanted || !c->act->takes)
        return;
    m = queue_take(q, e);
    if (m == NULL)
        return;
    c->count += c->act->run(c, m);
    if (!c->act->keeps)
        queue_release(q, m);
}

/* The reader, the reports of what was returned, or what is being carried must come along first. */
static bool must_wait(const struct caller *c)
{
    return (c->still && !queue_is_still(c->control->queue)) || buf_len(&c->stream.out) > OUT_FULL ||
           c->acted.open >= ACTED_MAX;
}

static bool on_visit(void *ctx, struct queue_entry *e)
{
    struct caller *c = ctx;

    if (c->count < c->filter.limit)
        act_on(c, e);
    return c->count < c->filter.limit && !must_wait(c);
}

/* One in a step: it is looked for among all that is queued. False: that was the last. */
static bool act_on_next_id(struct caller *c)
{
    struct queue_entry *e = NULL;
    uint64_t id;

    if (control_take_id(&c->filter.ids, &id))
        e = queue_find(c->control->queue, id);
    if (e != NULL)
        act_on(c, e);
    return c->filter.ids.len > 0;
}

static void hear_all(struct caller *c);

/* What it asked for next may lie there already. */
static void hear_next(struct caller *c)
{
    if (!is_idle(c))
        return;
    hear_all(c);
    stream_resume(&c->stream);
}

static void end_walk(struct caller *c)
{
    c->recording = c->act->takes;
    c->marked = false;
    c->act = NULL;
    leave_queue(c);
    if (!c->recording)
        answer_ok(c);
    touch(c);
}

/* True: there is more to do now. */
static bool walk_on(struct caller *c)
{
    bool more;

    if (must_wait(c))
        return false;
    touch(c);
    more = c->filter.named ? act_on_next_id(c) : queue_walk_on(c->walk, STEP_MAX, on_visit, c);
    if (!more || c->count >= c->filter.limit)
        end_walk(c);
    stream_flush(&c->stream);
    hear_next(c);
    return c->act != NULL && !must_wait(c);
}

/* ---- the content of one message ---- */

/* True: there is more to do now. */
static bool content_on(struct caller *c)
{
    struct queue_message *m = c->content;
    char piece[16 * 1024];

    if (buf_len(&c->stream.out) <= OUT_FULL)
        touch(c);
    while (c->content_at < m->length && buf_len(&c->stream.out) <= OUT_FULL) {
        uint64_t left = m->length - c->content_at;
        int64_t got = disk_read(m->file, piece, left < sizeof(piece) ? left : sizeof(piece),
                                m->offset + c->content_at);
        if (got <= 0) {
            caller_free(c); /* the caller sees that it is not whole */
            return false;
        }
        (void)buf_append(&c->stream.out, (struct slice){piece, (size_t)got});
        c->content_at += (uint64_t)got;
    }
    if (c->content_at == m->length) {
        queue_release(c->control->queue, m);
        c->content = NULL;
        c->count = 1;
        answer_ok(c);
    }
    stream_flush(&c->stream);
    hear_next(c);
    return c->content != NULL && buf_len(&c->stream.out) <= OUT_FULL;
}

static void ask_cat(struct caller *c, const struct control_line *line)
{
    struct buf *out = &c->stream.out;
    struct queue_entry *e = NULL;
    uint64_t id;

    if (queue_id_parse(control_value(line, SLICE("id")), &id))
        e = queue_find(c->control->queue, id);
    c->content = e == NULL ? NULL : queue_look(c->control->queue, e);
    if (c->content == NULL) {
        answer_error(c, SLICE("there is no such message in the queue"));
        return;
    }
    c->content_at = 0;
    control_begin(out, SLICE("content"));
    control_uint(out, "size", c->content->header_block.len + c->content->length);
    control_end(out);
    (void)buf_append(out, c->content->header_block);
}

/* ---- requests ---- */

static void start_act(struct caller *c, const struct control_line *line,
                      const struct control_act *act)
{
    const char *wrong = control_filter_read(line, act->chooses, &c->filter);

    if (wrong != NULL) {
        answer_error(c, slice_of(wrong));
        return;
    }
    c->act = act;
    c->count = 0;
    c->acted.undone = 0;
    if (!c->filter.named)
        c->walk = queue_walk_new(c->control->queue);
    c->still = act->chooses;
    if (c->still)
        queue_keep_still(c->control->queue);
    c->since_ms = loop_now_ms(c->control->role->loop);
    if (act->run == act_list)
        control_tell_pauses(c);
}

static bool ask_act(struct caller *c, const struct control_line *line)
{
    const struct control_act *act = control_act_named(line->word);

    if (act == NULL)
        return false;
    start_act(c, line, act);
    return true;
}

/* 0: `pause` is how it is, or was. */
static void answer_pause(struct caller *c, int code, const struct pause *pause)
{
    if (code == 0) {
        control_tell_pause(c, pause);
        c->count = 1;
        answer_ok(c);
    } else if (code == -ENOENT) {
        answer_error(c, SLICE("this domain is not paused"));
    } else if (code == -EINVAL) {
        answer_error(c, SLICE("that is no domain"));
    } else {
        answer_error(c, slice_of(strerrordesc_np(-code)));
    }
}

static void ask_pause(struct caller *c, const struct control_line *line)
{
    struct slice domain = control_value(line, SLICE("domain"));
    struct pause pause = {0};
    uint64_t for_s = 0;
    int code;

    if (control_value(line, SLICE("for")).len > 0 &&
        (!control_number(line, SLICE("for"), &for_s) || for_s == 0)) {
        answer_error(c, SLICE("a time is a number of seconds"));
        return;
    }
    code = pauses_begin(c->control->pauses, domain, for_s, &c->arena);
    if (code == 0)
        (void)pauses_has(c->control->pauses, domain, &c->arena, &pause);
    answer_pause(c, code, &pause);
}

static void ask_resume(struct caller *c, const struct control_line *line)
{
    struct pause pause = {0};
    int code =
        pauses_end(c->control->pauses, control_value(line, SLICE("domain")), &c->arena, &pause);

    answer_pause(c, code, &pause);
}

static void ask_status(struct caller *c)
{
    struct buf *out = &c->stream.out;

    control_begin(out, SLICE("queue"));
    control_uint(out, "messages", queue_count(c->control->queue));
    control_uint(out, "underway", c->control->parcels->count);
    control_uint(out, "connections", outbound_connections(c->control->outbound));
    control_end(out);
    c->count = 1;
    answer_ok(c);
}

static void ask_accounts(struct caller *c)
{
    int code = channel_send(&c->control->role->warden, MESSAGE_REREAD, SLICE(""), NULL, -1);

    if (code < 0)
        answer_error(c, slice_of(strerrordesc_np(-code)));
    else
        answer_ok(c);
}

static void ask_reload(struct caller *c)
{
    int code = channel_send(&c->control->role->warden, MESSAGE_RELOAD, SLICE(""), NULL, -1);

    c->reloading = code == 0;
    if (code < 0)
        answer_error(c, slice_of(strerrordesc_np(-code)));
}

/* The files that the settings were read from, as they were then. */
static void ask_settings(struct caller *c)
{
    struct buf *out = &c->stream.out;
    size_t before = buf_len(out);
    bool fits = true;

    c->count = 0;
    for (const struct settings_file *file = c->control->role->settings->files; fits && file != NULL;
         file = file->next) {
        control_begin(out, SLICE("file"));
        control_text(out, "path", file->path);
        control_end(out);
        control_begin(out, SLICE("content"));
        control_uint(out, "size", file->text.len);
        control_end(out);
        fits = buf_append(out, file->text);
        c->count++;
    }
    if (fits) {
        answer_ok(c);
        return;
    }
    buf_truncate(out, before);
    answer_error(c, SLICE("the configuration is too large to be shown"));
}

static void hear(struct caller *c, struct slice text)
{
    struct control_line line;

    arena_reset(&c->arena);
    if (!control_parse(text, &c->arena, &line))
        answer_error(c, SLICE("that is no request"));
    else if (slice_equal(line.word, SLICE("status")))
        ask_status(c);
    else if (slice_equal(line.word, SLICE("accounts")))
        ask_accounts(c);
    else if (slice_equal(line.word, SLICE("settings")))
        ask_settings(c);
    else if (slice_equal(line.word, SLICE("reload")))
        ask_reload(c);
    else if (slice_equal(line.word, SLICE("cat")))
        ask_cat(c, &line);
    else if (slice_equal(line.word, SLICE("pause")))
        ask_pause(c, &line);
    else if (slice_equal(line.word, SLICE("resume")))
        ask_resume(c, &line);
    else if (!ask_act(c, &line))
        answer_error(c, SLICE("there is no such request"));
}

/* One request at a time; the next one is not read before. */
static void hear_all(struct caller *c)
{
    struct slice line, rest;

    while (is_idle(c) && !c->finishing && buf_len(&c->stream.out) <= OUT_FULL &&
           slice_cut(buf_slice(&c->stream.in), '\n', &line, &rest)) {
        hear(c, line);
        touch(c);
        buf_consume(&c->stream.in, line.len + 1);
    }
    stream_flush(&c->stream);
    if (!is_idle(c)) {
        loop_wake(c->control->role->loop); /* control_pump() */
    } else if (buf_room(&c->stream.in) == 0 && !c->finishing) {
        answer_error(c, SLICE("a request is not as long as that"));
        finish(c);
    }
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct caller *c = LIST_ENTRY(stream, struct caller, stream);

    switch (event) {
    case STREAM_DRAINED:
        touch(c);
        hear_all(c);
        break;
    case STREAM_READABLE: hear_all(c); break;
    case STREAM_CONNECTED:
    case STREAM_SECURED: break;
    case STREAM_EOF:
    case STREAM_FAILED: caller_free(c); break;
    }
}

static bool may_go(const struct caller *c, bool unread)
{
    uint64_t silent_ms = loop_now_ms(c->control->role->loop) - c->touched_ms;

    return unread ? !c->recording && silent_ms >= IDLE_MS
                  : is_idle(c) && buf_len(&c->stream.out) == 0;
}

static bool let_one_go(struct control *all, bool unread)
{
    LIST_EACH (node, &all->callers) {
        struct caller *c = LIST_ENTRY(node, struct caller, link);

        if (!may_go(c, unread))
            continue;
        caller_free(c);
        return true;
    }
    return false;
}

/* Who asks for nothing, longest of all, or else does not read what he asked for. */
static bool make_room(struct control *all)
{
    return let_one_go(all, false) || let_one_go(all, true);
}

static void on_accept(struct listener *l, int handle, const struct net_address *peer,
                      const struct net_address *own)
{
    struct control *all = LIST_ENTRY(l, struct control, listener);
    struct net *net = loop_net(all->role->loop);
    struct caller *c;

    (void)peer, (void)own;
    if (all->caller_count == CALLERS_MAX && !make_room(all)) {
        net->ops->close(net, handle);
        return;
    }
    c = MEMORY_NEW(struct caller);
    c->control = all;
    timer_init(&c->deadline, on_deadline);
    list_append(&all->callers, &c->link);
    all->caller_count++;
    if (stream_open(&c->stream, all->role->loop, handle, CONTROL_LINE_MAX, OUT_MAX, on_stream) < 0)
        caller_free(c);
    else
        touch(c);
}

/* True: there is more to do now. */
static bool go_on(struct caller *c)
{
    if (c->content != NULL)
        return content_on(c);
    if (c->act != NULL)
        return walk_on(c);
    return false;
}

void control_pump(struct control *all)
{
    struct list now; /* who gets on goes to the end of `callers` */
    bool more = false;

    list_init(&now);
    list_splice(&now, &all->callers);
    while (!list_empty(&now)) {
        struct caller *c = LIST_ENTRY(now.next, struct caller, link);

        list_remove(&c->link);
        list_append(&all->callers, &c->link);
        more = go_on(c) || more;
    }
    if (more)
        loop_wake(all->role->loop);
}

/* The reports of what was returned come first, and their outcomes behind them. */
static bool is_recorded(struct caller *c)
{
    struct queue *queue = c->control->queue;

    if (c->acted.open > 0)
        return false;
    if (!c->marked)
        c->mark = queue_mark(queue);
    c->marked = true;
    return queue_reached(queue, c->mark);
}

void control_answer(struct control *all)
{
    LIST_EACH (node, &all->callers) {
        struct caller *c = LIST_ENTRY(node, struct caller, link);

        if (!c->recording || !is_recorded(c))
            continue;
        c->recording = false;
        if (c->acted.undone > 0)
            answer_error(c, SLICE("a report could not be written: its message stays queued"));
        else
            answer_ok(c);
        touch(c);
        stream_flush(&c->stream);
        hear_next(c);
    }
}

void control_reloaded(struct control *all, bool serves)
{
    LIST_EACH (node, &all->callers) {
        struct caller *c = LIST_ENTRY(node, struct caller, link);

        if (!c->reloading)
            continue;
        c->reloading = false;
        if (serves)
            answer_ok(c);
        else
            answer_error(c, SLICE("nothing has changed: the server's log says what is wrong"));
        touch(c);
        stream_flush(&c->stream);
        hear_next(c);
    }
}

/* ---- as a whole ---- */

struct control *control_new(struct role *role, struct queue *queue, struct parcels *parcels,
                            struct pauses *pauses, struct outbound *outbound)
{
    struct control *c = MEMORY_NEW(struct control);

    c->role = role;
    c->queue = queue;
    c->parcels = parcels;
    c->pauses = pauses;
    c->outbound = outbound;
    list_init(&c->callers);
    return c;
}

int control_listen(struct control *c, int handle)
{
    listener_close(&c->listener);
    return listener_open(&c->listener, c->role->loop, handle, on_accept);
}

void control_free(struct control *c)
{
    LIST_EACH (node, &c->callers)
        caller_free(LIST_ENTRY(node, struct caller, link));
    listener_close(&c->listener);
    memory_free(c);
}
