/*
 * warden_hand.c - what children are handed: their channels, their settings, listening sockets, keys
 * of tickets, memory for what they count together.
 */
#include "roles/warden_internal.h"

#include "base/random.h"
#include "roles/counts.h"

#include <errno.h>

enum {
    TICKET_KEY_MS =
        24 * 60 * 60 * 1000, /* a key makes tickets so long, and is taken twice as long */
    CONTROL_MODE = 0600,
    CONTROL_GROUP_MODE = 0660,
    CONTROL_BACKLOG = 32,
    CONTROL_AGAIN_MS = 1000,
};

/* Who may talk to whom, each pair once. The warden's own line to the scribe is the last. */
static const struct {
    enum role_kind a, b;
} edges[] = {
    {ROLE_RECEIVER, ROLE_COURIER},
    {ROLE_COURIER,  ROLE_POSTMAN},
    {ROLE_RECEIVER, ROLE_VAULT  },
    {ROLE_COURIER,  ROLE_VAULT  },
    {ROLE_RECEIVER, ROLE_SCRIBE },
    {ROLE_COURIER,  ROLE_SCRIBE },
    {ROLE_POSTMAN,  ROLE_SCRIBE },
    {ROLE_VAULT,    ROLE_SCRIBE },
};

enum { EDGES = sizeof(edges) / sizeof(*edges) };

/* ---- wiring ---- */

void warden_close_handle(struct warden *w, int handle)
{
    w->net->ops->close(w->net, handle);
}

/* A child that did not get all it needs ends, as its channel does, and is started again. */
void warden_give(struct child *c, enum message_kind kind, struct slice body, struct disk_file *file,
                 int handle)
{
    if (!channel_is_open(&c->channel))
        return;
    int code = channel_send(&c->channel, kind, body, file, handle);
    if (code < 0) {
        if (code != -ENOTCONN)
            fail_code(code, "tell all to", slice_of(role_name(c->kind)));
        channel_close(&c->channel);
    }
}

static void give_peer(struct child *to, enum role_kind kind, unsigned index, int handle)
{
    struct buf body;

    buf_init(&body, 16);
    put_u8(&body, (uint8_t)kind);
    put_u32(&body, index);
    warden_give(to, MESSAGE_PEER, buf_slice(&body), NULL, handle);
    buf_done(&body);
}

/* `a` is the one that starts. */
static void wire(struct warden *w, struct child *a, struct child *b)
{
    int ends[2];
    int code = w->net->ops->pair(w->net, ends);

    if (code < 0) {
        fail_code(code, "make a channel for", slice_of(role_name(a->kind)));
        channel_close(&a->channel);
        return;
    }
    give_peer(a, b->kind, b->index, ends[0]);
    give_peer(b, a->kind, a->index, ends[1]);
    warden_close_handle(w, ends[0]);
    warden_close_handle(w, ends[1]);
}

static bool may_talk(enum role_kind a, enum role_kind b)
{
    for (size_t i = 0; i < EDGES; i++)
        if ((edges[i].a == a && edges[i].b == b) || (edges[i].a == b && edges[i].b == a))
            return true;
    return false;
}

void warden_wire(struct warden *w, struct child *c)
{
    for (size_t i = 0; i < w->child_count; i++) {
        struct child *other = &w->children[i];

        if (other != c && channel_is_open(&c->channel) && channel_is_open(&other->channel) &&
            may_talk(c->kind, other->kind))
            wire(w, c, other);
    }
}

static void no_message(struct channel *c, enum message_kind kind, struct slice body,
                       struct disk_file *file, int handle)
{
    (void)c, (void)kind, (void)body, (void)file, (void)handle;
}

static void no_matter(struct channel *c)
{
    (void)c;
}

void warden_wire_scribe(struct warden *w, struct child *scribe)
{
    int ends[2];

    channel_close(&w->scribe);
    int code = w->net->ops->pair(w->net, ends);
    if (code < 0) {
        fail_code(code, "make a channel for", slice_of(role_name(scribe->kind)));
        channel_close(&scribe->channel);
        return;
    }
    give_peer(scribe, ROLE_WARDEN, 0, ends[1]);
    warden_close_handle(w, ends[1]);
    channel_open(&w->scribe, w->loop, ends[0], ROLE_WARDEN, ROLE_SCRIBE, no_message, no_matter);
}

/* ---- what a child is told ---- */

void warden_send_settings(struct warden *w, struct child *c)
{
    struct buf body;

    buf_init(&body, 16);
    put_u32(&body, w->options->receivers);
    warden_give(c, MESSAGE_SETTINGS, buf_slice(&body), bundles_for(&w->bundles, c->kind), -1);
    buf_done(&body);
}

void warden_send_listeners(struct warden *w, struct child *c)
{
    for (size_t i = 0; i < w->sockets.settings->listener_count; i++) {
        struct buf body;

        buf_init(&body, 16);
        put_u32(&body, (uint32_t)i);
        warden_give(c, MESSAGE_LISTEN, buf_slice(&body), NULL, w->sockets.handles[i]);
        buf_done(&body);
    }
}

static int open_control(struct warden *w)
{
    struct arena scratch = {0};
    const char *path =
        arena_string(&scratch, arena_printf(&scratch, "%.*s/courier.sock",
                                            SLICE_PRINTF(w->options->settings->queue_path)));
    unsigned mode = w->guard.separate ? CONTROL_GROUP_MODE : CONTROL_MODE;

    guard_borrow_admins(&w->guard);
    w->control = w->net->ops->listen_local(w->net, path, mode, CONTROL_BACKLOG);
    guard_return();
    arena_done(&scratch);
    if (w->control < 0 && w->control != -ENAMETOOLONG)
        timer_set(w->loop, &w->control_again, CONTROL_AGAIN_MS);
    return w->control;
}

void warden_open_control(struct warden *w)
{
    int code = open_control(w);

    if (code < 0)
        (void)fail_code(code, "listen on courier.sock, for people's tools, in",
                        w->options->settings->queue_path);
}

/* People are to reach a courier although something was short when we began. */
void warden_on_control_again(struct timer *t)
{
    struct warden *w = LIST_ENTRY(t, struct warden, control_again);

    if (open_control(w) < 0)
        return;
    for (size_t i = 0; i < w->child_count; i++)
        if (w->children[i].kind == ROLE_COURIER)
            warden_send_control(w, &w->children[i]);
}

void warden_send_control(struct warden *w, struct child *c)
{
    struct buf body;

    if (w->control < 0)
        return;
    buf_init(&body, 16);
    put_u32(&body, 0);
    warden_give(c, MESSAGE_LISTEN, buf_slice(&body), NULL, w->control);
    buf_done(&body);
}

void warden_send_ticket_keys(struct warden *w, struct child *c)
{
    const struct tls_ticket_keys *keys = &w->ticket_keys;
    struct slice body = {(const char *)keys->keys, keys->count * sizeof(*keys->keys)};

    warden_give(c, MESSAGE_TICKET_KEYS, body, NULL, -1);
}

/* Nobody is limited without it, and nobody is kept waiting for it. */
void warden_make_tally(struct warden *w)
{
    uint64_t seed[2] = {random_u64(random_real()), random_u64(random_real())};
    int code = counts_new(w->options->receivers, seed, &w->tally);

    if (code < 0)
        fail_code(code, "share the counts of", SLICE("clients: nobody is limited"));
}

void warden_clear_gauges(struct warden *w, const struct child *dead)
{
    struct counts c = {0};

    if (w->tally == NULL || dead->kind != ROLE_RECEIVER)
        return;
    int code = counts_open(&c, w->tally, w->options->receivers, dead->index);
    if (code < 0)
        fail_code(code, "clear the counts of", SLICE("a receiver that ended"));
    else
        counts_clear(&c);
    counts_close(&c);
}

void warden_send_tally(struct warden *w, struct child *c)
{
    if (w->tally != NULL)
        warden_give(c, MESSAGE_TALLY, (struct slice){NULL, 0}, w->tally, -1);
}

/* Equal in all receivers, so that each takes the tickets of the others, and never on a disk. */
void warden_make_ticket_key(struct warden *w)
{
    struct tls_ticket_keys *keys = &w->ticket_keys;

    keys->keys[1] = keys->keys[0];
    keys->count = keys->count == 0 ? 1 : TLS_TICKET_KEYS_MAX;
    random_bytes(random_real(), &keys->keys[0], sizeof(keys->keys[0]));
    timer_set(w->loop, &w->next_ticket_key, TICKET_KEY_MS);
}

void warden_on_ticket_key(struct timer *t)
{
    struct warden *w = LIST_ENTRY(t, struct warden, next_ticket_key);

    warden_make_ticket_key(w);
    for (size_t i = 0; i < w->child_count; i++)
        if (w->children[i].kind == ROLE_RECEIVER)
            warden_send_ticket_keys(w, &w->children[i]);
}
