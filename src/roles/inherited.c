/*
 * inherited.c - a listener and a socket belong together when they are at the same address.
 *
 * "*" is every address of both families, or of IPv4 alone on a machine without IPv6, as when we
 * listen ourselves.
 */
#include "roles/inherited.h"

#include "loop/net_local.h"

#include <stdio.h>
#include <string.h>

static const unsigned char everywhere[16] = {0};
static const unsigned char everywhere_ipv4[16] = {[10] = 0xff, [11] = 0xff};

void inherited_init(struct inherited *i, struct net *net, unsigned count)
{
    char path[NET_LOCAL_PATH_MAX];

    *i = (struct inherited){.net = net};
    for (unsigned n = 0; n < count; n++) {
        int handle = INHERITED_FIRST + (int)n;

        if (i->count < INHERITED_MAX && net_local_inherit(handle, path) == 0) {
            i->handles[i->count++] = handle;
            continue;
        }
        fprintf(stderr, "postroad: descriptor %d is no listening socket: closed\n", handle);
        net->ops->close(net, handle);
    }
}

static bool is_at(struct net *net, int handle, const struct settings_listener *l)
{
    struct net_address own = {0};
    char path[NET_LOCAL_PATH_MAX];

    if (net->ops->own_address(net, handle, &own) < 0 || net_local_inherit(handle, path) < 0)
        return false;
    if (l->path.len > 0 || own.local)
        return own.local && slice_equal(slice_of(path), l->path);
    if (own.port != l->port)
        return false;
    if (!l->any)
        return memcmp(own.ip, l->ip, sizeof(own.ip)) == 0;
    return memcmp(own.ip, everywhere, sizeof(own.ip)) == 0 ||
           memcmp(own.ip, everywhere_ipv4, sizeof(own.ip)) == 0;
}

int inherited_take(struct inherited *i, const struct settings_listener *l)
{
    for (unsigned n = 0; n < i->count; n++) {
        int handle = i->handles[n];

        if (handle < 0 || !is_at(i->net, handle, l))
            continue;
        i->handles[n] = -1;
        return handle;
    }
    return -1;
}

static void tell_unwanted(struct net *net, int handle)
{
    struct net_address own = {0};
    char path[NET_LOCAL_PATH_MAX], text[64];

    if (net->ops->own_address(net, handle, &own) < 0 || net_local_inherit(handle, path) < 0)
        return;
    net_address_text(&own, text);
    if (own.local)
        fprintf(stderr, "postroad: no 'listen' names the inherited socket unix:%s: closed\n", path);
    else
        fprintf(stderr, "postroad: no 'listen' names the inherited socket %s, port %u: closed\n",
                text, own.port);
}

void inherited_done(struct inherited *i)
{
    for (unsigned n = 0; n < i->count; n++) {
        if (i->handles[n] < 0)
            continue;
        tell_unwanted(i->net, i->handles[n]);
        i->net->ops->close(i->net, i->handles[n]);
    }
    i->count = 0;
}
