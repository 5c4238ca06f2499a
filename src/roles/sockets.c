/*
 * sockets.c - an address is a socket: the same address, the same socket.
 */
#include "roles/sockets.h"

#include "base/fail.h"
#include "base/memory.h"
#include "loop/listener.h"

#include <string.h>

/* Of sockets in the file system. */
enum { GROUP_MODE = 0660, EVERYBODY_MODE = 0666 };

static int open_one(struct net *net, const struct settings_listener *l)
{
    struct net_address at = {.port = l->port};
    struct arena scratch = {0};

    if (l->path.len == 0) {
        memcpy(at.ip, l->ip, sizeof(at.ip));
        return net->ops->listen(net, &at, l->any, LISTENER_BACKLOG);
    }
    int handle = net->ops->listen_local(net, arena_string(&scratch, l->path),
                                        l->kind == LISTENER_LOCAL ? EVERYBODY_MODE : GROUP_MODE,
                                        LISTENER_BACKLOG);
    arena_done(&scratch);
    return handle;
}

/* -1: it has none there. */
static int handle_at(const struct sockets *s, struct slice address)
{
    for (size_t i = 0; s != NULL && i < s->settings->listener_count; i++)
        if (slice_equal(s->settings->listeners[i].address, address))
            return s->handles[i];
    return -1;
}

static void close_but_for(struct sockets *s, struct net *net, const struct sockets *others,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (handle_at(others, s->settings->listeners[i].address) < 0)
            net->ops->close(net, s->handles[i]);
    settings_free(s->settings);
    memory_free(s->handles);
    *s = (struct sockets){0};
}

int sockets_open(struct sockets *s, struct net *net, const struct settings *settings,
                 const struct sockets *old, struct inherited *inherited)
{
    s->settings = settings_hold(settings);
    s->handles = memory_new(settings->listener_count * sizeof(*s->handles));
    for (size_t i = 0; i < settings->listener_count; i++) {
        const struct settings_listener *l = &settings->listeners[i];
        int handle = handle_at(old, l->address);

        if (handle < 0)
            handle = inherited_take(inherited, l);
        if (handle < 0)
            handle = open_one(net, l);
        if (handle < 0) {
            close_but_for(s, net, old, i);
            return fail_code(handle, "listen on", l->address);
        }
        s->handles[i] = handle;
    }
    return 0;
}

void sockets_pass_on(struct sockets *old, struct net *net, const struct sockets *now)
{
    close_but_for(old, net, now, old->settings->listener_count);
}

void sockets_close(struct sockets *s, struct net *net)
{
    if (s->settings != NULL)
        close_but_for(s, net, NULL, s->settings->listener_count);
}
