/*
 * running.c - one question, one answer.
 */
#include "cmd/running.h"

#include "cmd/commands.h"
#include "cmd/config_text.h"
#include "cmd/dev_dir.h"
#include "cmd/load_settings.h"
#include "cmd/options.h"

#include "base/memory.h"
#include "loop/stream.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define USUAL_CONFIG "/etc/postroad/postroad.conf"

enum { IN_MAX = 256 * 1024, REQUEST_MAX = CONTROL_LINE_MAX };

struct running {
    const char *command;
    const char *path;
    struct loop *loop;
    struct stream stream;
    struct slice request;
    const struct running_calls *calls;
    void *ctx;
    struct arena arena; /* of one line */
    uint64_t content_left;
    uint64_t count;
    bool connected;
    int status; /* -1: not answered yet */
};

static int keep_path(const char *command, struct slice spool, char path[RUNNING_PATH_MAX])
{
    int len = snprintf(path, RUNNING_PATH_MAX, "%.*s/courier.sock", SLICE_PRINTF(spool));

    if (len > 0 && len < RUNNING_PATH_MAX)
        return 0;
    return command_wrong(command, EX_CONFIG, "the queue's path is too long for a socket: %.*s",
                         SLICE_PRINTF(spool));
}

static int find_dev(const char *command, const char *wanted, char path[RUNNING_PATH_MAX])
{
    char dir[PATH_MAX], spool[PATH_MAX + 16];

    if (!dev_dir(wanted, dir, sizeof(dir)))
        return command_wrong(command, EX_USAGE, "the folder's name is too long");
    (void)snprintf(spool, sizeof(spool), "%s/" DEV_SPOOL, dir);
    return keep_path(command, slice_of(spool), path);
}

/* -1: the text does not say it. */
static int find_in_text(const char *command, const char *file, char path[RUNNING_PATH_MAX])
{
    struct config_text text;
    const struct syntax_statement *queue = NULL;
    int status = -1;

    if (config_text_open(&text, file))
        queue = config_text_find(text.first, SLICE("queue"));
    if (queue != NULL && queue->values != NULL)
        status = keep_path(command, config_text_value(queue, 0), path);
    config_text_close(&text);
    return status;
}

/* By all of the configuration: a file that it includes may say it. */
static int find_configured(const char *command, const char *file, char path[RUNNING_PATH_MAX])
{
    struct settings *settings;
    struct buf bundle;
    int status = find_in_text(command, file, path);

    if (status >= 0)
        return status;
    status = load_settings_to_use(file, &bundle, &settings);
    if (status == 0) {
        status = keep_path(command, settings->queue_path, path);
        settings_free(settings);
    }
    buf_wipe(&bundle);
    return status;
}

int running_find(const char *command, const struct running_options *options,
                 char path[RUNNING_PATH_MAX])
{
    int status;

    if (options->config != NULL && options->dir != NULL)
        return command_wrong(command, EX_USAGE, "-c and --dir both say which server; give one");
    if (options->config != NULL)
        return find_configured(command, options->config, path);
    status = find_dev(command, options->dir, path);
    if (status == 0 && options->dir == NULL && !running_is_there(path) &&
        access(USUAL_CONFIG, F_OK) == 0)
        status = find_configured(command, USUAL_CONFIG, path);
    return status;
}

static void end(struct running *r, int status)
{
    r->status = status;
    loop_stop(r->loop);
}

static void hear_content(struct running *r)
{
    struct slice got = slice_head(buf_slice(&r->stream.in), r->content_left);

    if (r->calls->content != NULL)
        r->calls->content(r->ctx, got);
    r->content_left -= got.len;
    buf_consume(&r->stream.in, got.len);
}

static void hear_line(struct running *r, struct slice text)
{
    struct control_line line;

    arena_reset(&r->arena);
    if (!control_parse(text, &r->arena, &line)) {
        end(r, command_wrong(r->command, EX_PROTOCOL, "the server's answer cannot be understood"));
    } else if (slice_equal(line.word, SLICE("ok"))) {
        (void)control_number(&line, SLICE("count"), &r->count);
        end(r, 0);
    } else if (slice_equal(line.word, SLICE("error"))) {
        struct slice why = control_value(&line, SLICE("text"));
        end(r, command_wrong(r->command, EX_DATAERR, "%.*s", SLICE_PRINTF(why)));
    } else if (slice_equal(line.word, SLICE("content"))) {
        (void)control_number(&line, SLICE("size"), &r->content_left);
    } else if (r->calls->line != NULL) {
        r->calls->line(r->ctx, &line);
    }
}

static void hear(struct running *r)
{
    struct slice line, rest;

    while (r->status < 0 && buf_len(&r->stream.in) > 0) {
        if (r->content_left > 0) {
            hear_content(r);
            continue;
        }
        if (!slice_cut(buf_slice(&r->stream.in), '\n', &line, &rest))
            return;
        size_t len = line.len + 1;
        hear_line(r, line);
        buf_consume(&r->stream.in, len);
    }
}

static int nobody_there(const struct running *r)
{
    return command_wrong(r->command, EX_UNAVAILABLE,
                         "no server answers at %s: is it running? Say which with -c FILE, or "
                         "--dir DIR for `postroad dev`",
                         r->path);
}

static int may_not_connect(const struct running *r)
{
    return command_wrong(r->command, EX_NOPERM,
                         "%s is not for you: be root, or in the group postroad-admin", r->path);
}

static int cut_short(const struct running *r)
{
    return command_wrong(r->command, EX_UNAVAILABLE,
                         "the server ended the connection before its answer was whole: it was "
                         "stopped, cannot read the message, or hears too many at once");
}

static void on_stream(struct stream *stream, enum stream_event event)
{
    struct running *r = LIST_ENTRY(stream, struct running, stream);

    switch (event) {
    case STREAM_CONNECTED:
        r->connected = true;
        (void)buf_append(&r->stream.out, r->request);
        stream_flush(&r->stream);
        break;
    case STREAM_READABLE:
        hear(r);
        if (r->status < 0)
            stream_resume(&r->stream);
        break;
    case STREAM_SECURED:
    case STREAM_DRAINED: break;
    case STREAM_EOF:
    case STREAM_FAILED:
        if (r->status < 0)
            end(r, r->connected ? cut_short(r) : nobody_there(r));
        break;
    }
}

static int ask(struct running *r)
{
    struct net *net = net_real_new();
    const struct net_address nowhere = {.local = true};
    int handle;

    if (net == NULL)
        return EX_OSERR;
    handle = net->ops->connect_local(net, r->path);
    if (handle < 0) {
        net->ops->free(net);
        return handle == -EACCES ? may_not_connect(r) : nobody_there(r);
    }
    r->loop = loop_new(net, clock_real());
    if (stream_open_connecting(&r->stream, r->loop, handle, &nowhere, IN_MAX, REQUEST_MAX,
                               on_stream) < 0 ||
        loop_run(r->loop) < 0)
        r->status = EX_OSERR;
    stream_close(&r->stream);
    loop_free(r->loop);
    net->ops->free(net);
    return r->status;
}

bool running_is_there(const char *path)
{
    struct net *net = net_real_new();
    int handle = net == NULL ? -1 : net->ops->connect_local(net, path);

    if (handle >= 0)
        net->ops->close(net, handle);
    if (net != NULL)
        net->ops->free(net);
    return handle >= 0;
}

int running_ask(const char *command, const char *path, struct slice request,
                const struct running_calls *calls, void *ctx, uint64_t *count)
{
    struct running r = {.command = command,
                        .path = path,
                        .request = request,
                        .calls = calls,
                        .ctx = ctx,
                        .status = -1};
    int status = ask(&r);

    arena_done(&r.arena);
    if (count != NULL)
        *count = r.count;
    return status;
}
