/*
 * warden_drops.c - the folders where programs leave mail while nobody listens (store/drop).
 *
 * The warden alone may read what any user left there. It reads none of it: the opened file goes to
 * a receiver, with the number of whose it is (roles/pickup). A name goes when its mail is durable
 * elsewhere. What a receiver had when it ended is handed out again in the next round.
 */
#include "roles/warden_internal.h"

#include "roles/pickup_order.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    ROUND_MS = 2 * 1000,
    PUT_OFF_MS = 60 * 1000, /* when something could not go */
    LISTED_MAX = 1024,      /* in a round, of one folder */
};

/* ---- telling ---- */

static void warn(struct warden *w, const struct settings_listener *l, const char *name,
                 const char *what)
{
    struct arena scratch = {0};

    warden_tell(w, EVENT_WARNING,
                arena_printf(&scratch, "%.*s%s%s: %s", SLICE_PRINTF(l->drop),
                             *name == '\0' ? "" : "/", name, what));
    arena_done(&scratch);
}

static void tell_no_folder(struct warden *w, const struct settings_listener *l, int code)
{
    const struct settings *s = w->sockets.settings;

    if (w->drops.told_for == s)
        return;
    w->drops.told_for = s;
    if (code == -ENOENT)
        warn(w, l, "",
             "there is no such folder, so programs cannot leave mail while postroad does not run; "
             "to make it: install -d -m 1733 FOLDER");
    else
        (void)fail_code(code, "open the drop folder", l->drop);
}

/* ---- one file ---- */

static struct handed_drop *free_place(struct drops *d)
{
    for (size_t i = 0; i < DROPS_AT_ONCE; i++)
        if (d->handed[i].to == NULL)
            return &d->handed[i];
    return NULL;
}

static bool is_under_way(const struct drops *d)
{
    for (size_t i = 0; i < DROPS_AT_ONCE; i++)
        if (d->handed[i].to != NULL)
            return true;
    return false;
}

/* By turns. NULL: none serves. */
static struct child *some_receiver(struct warden *w)
{
    for (size_t i = 0; i < w->child_count; i++) {
        struct child *c = &w->children[w->drops.turn++ % w->child_count];

        if (c->kind == ROLE_RECEIVER && c->pid != 0 && c->awaited == 0)
            return c;
    }
    return NULL;
}

/* False: it lies there still. */
static bool set_aside(struct warden *w, const struct settings_listener *l, struct disk_dir *folder,
                      const char *name, const char *why)
{
    int code = drop_set_aside(folder, name);

    if (code < 0)
        (void)fail_code(code, "set aside mail in", l->drop);
    else
        warn(w, l, name, why);
    return code == 0;
}

static int order(struct child *to, uint32_t listener, uint32_t user, const char *name,
                 struct disk_file *file)
{
    struct pickup_order o = {listener, user, slice_of(name)};
    struct buf body;
    int code;

    buf_init(&body, 8 + DROP_NAME_MAX);
    pickup_order_write(&body, &o);
    code = channel_send(&to->channel, MESSAGE_DROP, buf_slice(&body), file, -1);
    buf_done(&body);
    return code;
}

/* False: not now. */
static bool hand(struct warden *w, struct handed_drop *place, const char *name)
{
    const struct settings_listener *l = &w->drops.settings->listeners[w->drops.listener];
    struct child *to = some_receiver(w);
    struct disk_facts facts;
    struct disk_file *file;
    int code;

    if (to == NULL)
        return false;
    code = drop_open(w->drops.folder, name, &file, &facts);
    if (code == -EPERM)
        return set_aside(w, l, w->drops.folder, name,
                         "is no plain file of one name, or is too large; it is set aside");
    if (code < 0 && code != -ENOENT)
        (void)fail_code(code, "open mail in", l->drop);
    if (code < 0)
        return code == -ENOENT;
    code = order(to, (uint32_t)w->drops.listener, facts.user, name, file);
    disk_close(file);
    if (code < 0)
        return false;
    place->to = to;
    (void)snprintf(place->name, sizeof(place->name), "%s", name);
    return true;
}

/* ---- a round ---- */

static void leave_folder(struct drops *d)
{
    disk_dir_close(d->folder);
    memory_free(d->names);
    d->folder = NULL;
    d->names = NULL;
    d->count = d->at = 0;
}

static void list_folder(struct warden *w, const struct settings_listener *l)
{
    struct drops *d = &w->drops;
    struct arena scratch = {0};
    int code = disk_dir_open(disk_real(), arena_string(&scratch, l->drop), &d->folder);

    arena_done(&scratch);
    if (code == 0) {
        d->names = memory_new(LISTED_MAX * sizeof(*d->names));
        code = drop_list(d->folder, d->names, LISTED_MAX);
    }
    if (code < 0)
        tell_no_folder(w, l, code);
    else
        d->count = (unsigned)code;
}

static bool is_over(const struct warden *w)
{
    const struct drops *d = &w->drops;

    /* Other settings have other folders: the next round goes through those. */
    return d->settings != w->sockets.settings || d->next_listener == d->settings->listener_count;
}

/* As far as there is something to do now; the rest is done when an answer comes. */
static bool goes_on(struct warden *w)
{
    struct drops *d = &w->drops;
    struct handed_drop *place = free_place(d);

    if (!w->serving || w->draining || place == NULL)
        return false;
    if (d->at < d->count && d->settings == w->sockets.settings) {
        if (!hand(w, place, d->names[d->at++]))
            d->put_off = true;
        return true;
    }
    if (is_under_way(d) || is_over(w))
        return false;
    leave_folder(d);
    d->listener = d->next_listener++;
    if (d->settings->listeners[d->listener].drop.len > 0)
        list_folder(w, &d->settings->listeners[d->listener]);
    return true;
}

static void go_on(struct warden *w)
{
    struct drops *d = &w->drops;

    while (goes_on(w))
        continue;
    if (is_under_way(d) || w->draining)
        return;
    leave_folder(d);
    timer_set(w->loop, &d->next, d->put_off ? PUT_OFF_MS : ROUND_MS);
}

void warden_look_for_drops(struct warden *w)
{
    if (!is_under_way(&w->drops))
        timer_set(w->loop, &w->drops.next, 0);
}

void warden_on_drops(struct timer *t)
{
    struct warden *w = LIST_ENTRY(t, struct warden, drops.next);

    w->drops.put_off = false;
    w->drops.settings = w->sockets.settings;
    w->drops.next_listener = 0;
    go_on(w);
}

/* ---- what became of it ---- */

static void settle(struct drops *d, struct handed_drop *h, enum pickup_verdict verdict)
{
    int code = 0;

    switch (verdict) {
    case PICKUP_TAKEN: code = drop_done(d->folder, h->name); break;
    case PICKUP_BAD: code = drop_set_aside(d->folder, h->name); break;
    case PICKUP_LATER: d->put_off = true; break;
    }
    if (code == 0)
        return;
    /* It comes again with every round. */
    d->put_off = true;
    (void)fail_code(code, "take away mail that was left,", slice_of(h->name));
}

void warden_drop_answered(struct child *c, struct slice body)
{
    struct drops *d = &c->warden->drops;
    enum pickup_verdict verdict;
    struct slice name;

    if (!pickup_answer_read(body, &verdict, &name))
        return;
    for (size_t i = 0; i < DROPS_AT_ONCE; i++) {
        struct handed_drop *h = &d->handed[i];

        if (h->to != c || !slice_equal(slice_of(h->name), name))
            continue;
        settle(d, h, verdict);
        h->to = NULL;
        go_on(c->warden);
        return;
    }
}

void warden_drops_lost(struct child *c)
{
    struct drops *d = &c->warden->drops;
    bool some = false;

    for (size_t i = 0; i < DROPS_AT_ONCE; i++) {
        if (d->handed[i].to != c)
            continue;
        d->handed[i].to = NULL;
        some = true;
    }
    if (some)
        go_on(c->warden);
}

void warden_drops_done(struct warden *w)
{
    timer_cancel(w->loop, &w->drops.next);
    leave_folder(&w->drops);
}
