/*
 * warden_drops.c - the warden keeps the folders where programs leave mail (roles/drops).
 */
#include "roles/warden_internal.h"

static struct warden *warden_of(struct drops *d)
{
    return LIST_ENTRY(d, struct warden, drops);
}

/* None while a role may have other settings than these. */
static const struct settings *settings_now(struct drops *d)
{
    const struct warden *w = warden_of(d);

    return w->serving && !w->draining ? w->sockets.settings : NULL;
}

static struct channel *some_receiver(struct drops *d)
{
    struct warden *w = warden_of(d);

    for (size_t i = 0; i < w->child_count; i++) {
        struct child *c = &w->children[w->drops_turn++ % w->child_count];

        if (c->kind == ROLE_RECEIVER && c->pid != 0 && c->awaited == 0)
            return &c->channel;
    }
    return NULL;
}

static void tell(struct drops *d, struct slice text)
{
    warden_tell(warden_of(d), EVENT_WARNING, text);
}

void warden_keep_drops(struct warden *w)
{
    static const struct drops_keeper keeper = {settings_now, some_receiver, tell};

    drops_init(&w->drops, w->loop, w->clock, disk_real(), &keeper);
}
