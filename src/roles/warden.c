/*
 * warden.c - the parent of all roles.
 *
 * Each role is a process of the same binary ("postroad role NAME INDEX") with its end of the
 * warden's channel at descriptor 3; everything else it needs comes through that channel, and
 * may be sent before the process has even started, because the socket keeps it. When a role
 * ends, it is started again after a pause that doubles, and every peer gets a new channel to
 * it. Children end by themselves when the warden's channel closes, so even its death leaves
 * nothing behind.
 *
 * Every process of one system holds the lock of its queue, by an inherited descriptor. So a new
 * system waits until the last process of a killed one is gone: the queue's files never have two
 * writers.
 *
 * Draining goes with the mail: receivers first, then who they feed. The scribe is last.
 */
#include "roles/warden.h"

#include "base/fail.h"
#include "base/memory.h"
#include "base/shared.h"
#include "loop/signals.h"
#include "loop/tls.h"
#include "mail/mailbox_path.h"
#include "mail/tally.h"
#include "queue/queue.h"
#include "queue/queue_in.h"
#include "roles/role.h"
#include "roles/sockets.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

enum {
    WARDEN_FD = 3, /* where a child finds its channel */
    LOCK_FD = 4,   /* held by a child until it is gone */
    LOCK_RETRY_MS = 20,
    LOCK_SILENCE_MS = 500,
    LOCK_PATIENCE_MS = 10000,
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 10000,
    TICKET_KEY_MS =
        24 * 60 * 60 * 1000, /* a key makes tickets so long, and is taken twice as long */
    STEADY_MS = 10000,       /* lived so long: the next pause is the shortest again */
    DRAIN_TIMEOUT_MS = 20000,
};

struct child {
    struct warden *warden;
    enum role_kind kind;
    unsigned index;
    pid_t pid; /* 0: not running */
    struct channel channel;
    struct timer restart;
    uint64_t started_ms;
    unsigned backoff_ms;
    unsigned awaited; /* READYs, one for each START that it was given */
};

struct warden {
    const struct warden_options *options;
    struct net *net;
    struct clock *clock;
    struct loop *loop;
    struct signals signals;
    struct sealed_bundles bundles;
    struct disk_dir *spool;
    struct disk_file *lock;
    struct timer lock_retry;
    uint64_t lock_deadline_ms;
    int status; /* of the program, once the loop has stopped */
    struct sockets sockets;
    struct child *children;
    size_t child_count;
    struct channel scribe;
    struct disk_file *tally; /* NULL: it could not be made */
    struct tls_ticket_keys ticket_keys;
    struct timer next_ticket_key;
    struct timer drain_deadline;
    size_t drain_stage; /* index into drain_order */
    bool draining;
    bool serving;    /* all roles do, under the settings that count */
    bool told_ready; /* they did once */
    bool asked;      /* the courier wants to know */
    bool told_waiting;
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

/* One of each, then the receivers. */
static const enum role_kind start_order[] = {ROLE_SCRIBE, ROLE_POSTMAN, ROLE_VAULT, ROLE_COURIER};

static const enum role_kind drain_order[] = {ROLE_RECEIVER, ROLE_COURIER, ROLE_VAULT, ROLE_POSTMAN,
                                             ROLE_SCRIBE};

enum {
    EDGES = sizeof(edges) / sizeof(*edges),
    STAGES = sizeof(drain_order) / sizeof(*drain_order)
};

/* ---- telling ---- */

static void tell(struct warden *w, enum event_kind kind, struct slice text)
{
    struct buf events;

    buf_init(&events, 4096);
    struct event_writer e = event_begin(&events, kind, clock_wall_us(w->clock));
    event_text(&e, FIELD_ROLE, SLICE("master"));
    event_text(&e, FIELD_TEXT, text);
    if (event_end(&e))
        channel_send(&w->scribe, MESSAGE_EVENTS, buf_slice(&events), NULL, -1);
    buf_done(&events);
}

static void tell_end(struct child *c, int status, unsigned pause_ms)
{
    char text[160];
    int len;

    if (WIFSIGNALED(status))
        len = snprintf(text, sizeof(text), "%s %u ended by signal %d, starts again in %u ms",
                       role_name(c->kind), c->index, WTERMSIG(status), pause_ms);
    else
        len = snprintf(text, sizeof(text), "%s %u ended with status %d, starts again in %u ms",
                       role_name(c->kind), c->index, WEXITSTATUS(status), pause_ms);
    tell(c->warden, EVENT_WARNING, (struct slice){text, (size_t)len});
}

static void tell_serving(struct warden *w)
{
    const struct settings *s = w->sockets.settings;
    struct buf text;

    buf_init(&text, 4096);
    if (w->told_ready)
        buf_append(&text, SLICE("settings were read again and serve now"));
    else
        buf_printf(&text, "started, version " POSTROAD_VERSION ", queue %.*s",
                   SLICE_PRINTF(s->queue_path));
    for (size_t i = 0; i < s->listener_count; i++)
        buf_printf(&text, ", %s on %.*s", s->listeners[i].kind == LISTENER_LMTP ? "LMTP" : "SMTP",
                   SLICE_PRINTF(s->listeners[i].address));
    tell(w, EVENT_ROLE, buf_slice(&text));
    buf_done(&text);
}

/* ---- wiring ---- */

static void close_handle(struct warden *w, int handle)
{
    w->net->ops->close(w->net, handle);
}

/* A child that did not get all it needs ends, as its channel does, and is started again. */
static void give(struct child *c, enum message_kind kind, struct slice body, struct disk_file *file,
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
    give(to, MESSAGE_PEER, buf_slice(&body), NULL, handle);
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
    close_handle(w, ends[0]);
    close_handle(w, ends[1]);
}

static bool may_talk(enum role_kind a, enum role_kind b)
{
    for (size_t i = 0; i < EDGES; i++)
        if ((edges[i].a == a && edges[i].b == b) || (edges[i].a == b && edges[i].b == a))
            return true;
    return false;
}

static void wire_all(struct warden *w, struct child *c)
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

static void wire_self(struct warden *w, struct child *scribe)
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
    close_handle(w, ends[1]);
    channel_open(&w->scribe, w->loop, ends[0], ROLE_WARDEN, ROLE_SCRIBE, no_message, no_matter);
}

/* ---- what a child is told ---- */

static void send_settings(struct warden *w, struct child *c)
{
    struct buf body;

    buf_init(&body, 16);
    put_u32(&body, w->options->receivers);
    give(c, MESSAGE_SETTINGS, buf_slice(&body), bundles_for(&w->bundles, c->kind), -1);
    buf_done(&body);
}

static void send_listeners(struct warden *w, struct child *c)
{
    for (size_t i = 0; i < w->sockets.settings->listener_count; i++) {
        struct buf body;

        buf_init(&body, 16);
        put_u32(&body, (uint32_t)i);
        give(c, MESSAGE_LISTEN, buf_slice(&body), NULL, w->sockets.handles[i]);
        buf_done(&body);
    }
}

static void send_ticket_keys(struct warden *w, struct child *c)
{
    const struct tls_ticket_keys *keys = &w->ticket_keys;
    struct slice body = {(const char *)keys->keys, keys->count * sizeof(*keys->keys)};

    give(c, MESSAGE_TICKET_KEYS, body, NULL, -1);
}

/* Nobody is limited without it, and nobody is kept waiting for it. */
static void make_tally(struct warden *w)
{
    uint64_t seed[2] = {random_u64(random_real()), random_u64(random_real())};
    size_t size = tally_size(w->options->receivers);
    void *memory = NULL;
    int code = shared_new(size, &w->tally);

    if (code == 0)
        code = shared_map(w->tally, size, &memory);
    if (code < 0) {
        fail_code(code, "share the counts of", SLICE("recipients: nobody is limited"));
        return;
    }
    tally_init(memory, seed);
    shared_unmap(memory, size);
}

static void send_tally(struct warden *w, struct child *c)
{
    if (w->tally != NULL)
        give(c, MESSAGE_TALLY, (struct slice){NULL, 0}, w->tally, -1);
}

/* Equal in all receivers, so that each takes the tickets of the others, and never on a disk. */
static void make_ticket_key(struct warden *w)
{
    struct tls_ticket_keys *keys = &w->ticket_keys;

    keys->keys[1] = keys->keys[0];
    keys->count = keys->count == 0 ? 1 : TLS_TICKET_KEYS_MAX;
    random_bytes(random_real(), &keys->keys[0], sizeof(keys->keys[0]));
    timer_set(w->loop, &w->next_ticket_key, TICKET_KEY_MS);
}

static void on_next_ticket_key(struct timer *t)
{
    struct warden *w = LIST_ENTRY(t, struct warden, next_ticket_key);

    make_ticket_key(w);
    for (size_t i = 0; i < w->child_count; i++)
        if (w->children[i].kind == ROLE_RECEIVER)
            send_ticket_keys(w, &w->children[i]);
}

/* ---- what is read again ---- */

static int seal(struct warden *w, const struct bundles *b, struct slice what)
{
    int code = bundles_seal(&w->bundles, b);

    return code == 0 ? 0 : fail_code(code, "hand over", what);
}

static void reread_accounts(struct warden *w)
{
    struct bundles fresh;

    if (w->draining || w->children == NULL)
        return;
    if (!w->options->reread(w->options->ctx, &fresh) || seal(w, &fresh, SLICE("accounts")) < 0) {
        tell(w, EVENT_WARNING, SLICE("accounts cannot be read again: the old ones stay"));
        return;
    }
    for (size_t i = 0; i < w->child_count; i++)
        give(&w->children[i], MESSAGE_ACCOUNTS, (struct slice){NULL, 0},
             bundles_for(&w->bundles, w->children[i].kind), -1);
    tell(w, EVENT_ROLE, SLICE("accounts were read again"));
}

/* ---- children ---- */

static bool all_are_ready(const struct warden *w)
{
    for (size_t i = 0; i < w->child_count; i++)
        if (w->children[i].awaited > 0)
            return false;
    return true;
}

static void reload(struct warden *w);

static void tell_courier(struct warden *w, bool serves)
{
    char body = serves;

    if (!w->asked)
        return;
    w->asked = false;
    for (size_t i = 0; i < w->child_count; i++)
        if (w->children[i].kind == ROLE_COURIER)
            give(&w->children[i], MESSAGE_RELOADED, (struct slice){&body, 1}, NULL, -1);
}

static void child_message(struct channel *channel, enum message_kind kind, struct slice body,
                          struct disk_file *file, int handle)
{
    struct child *c = LIST_ENTRY(channel, struct child, channel);
    struct warden *w = c->warden;

    (void)body, (void)file, (void)handle; /* the matrix allows these three only */
    if (kind == MESSAGE_REREAD) {
        reread_accounts(w);
        return;
    }
    if (kind == MESSAGE_RELOAD) {
        w->asked = true;
        reload(w);
        return;
    }
    if (c->awaited > 0)
        c->awaited--;
    if (!all_are_ready(w) || w->serving)
        return;
    w->serving = true;
    tell_serving(w);
    tell_courier(w, true);
    if (!w->told_ready)
        w->options->ready(w->options->ctx);
    w->told_ready = true;
}

static void child_closed(struct channel *channel)
{
    (void)channel; /* SIGCHLD tells the rest */
}

static int spawn(struct child *c, int handle)
{
    char index[16];
    char program[] = "postroad", role[] = "role", name[32];
    char *argv[] = {program, role, name, index, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;

    snprintf(index, sizeof(index), "%u", c->index);
    snprintf(name, sizeof(name), "%s", role_name(c->kind));
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, handle, WARDEN_FD);
    posix_spawn_file_actions_adddup2(&actions, disk_file_fd(c->warden->lock), LOCK_FD);
    int failed = posix_spawn(&c->pid, "/proc/self/exe", &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return -failed;
}

static void child_start(struct child *c);

static void child_retry(struct child *c)
{
    timer_set(c->warden->loop, &c->restart, c->backoff_ms);
    c->backoff_ms = c->backoff_ms * 2 < BACKOFF_MAX_MS ? c->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void on_restart(struct timer *t)
{
    child_start(LIST_ENTRY(t, struct child, restart));
}

static void child_start(struct child *c)
{
    struct warden *w = c->warden;
    int ends[2];
    int code = w->net->ops->pair(w->net, ends);

    c->started_ms = clock_monotonic_ms(w->clock);
    if (code == 0) {
        code = spawn(c, ends[1]);
        close_handle(w, ends[1]);
        if (code < 0)
            close_handle(w, ends[0]);
    }
    if (code < 0) {
        c->pid = 0;
        fail_code(code, "start", slice_of(role_name(c->kind)));
        child_retry(c);
        return;
    }
    channel_open(&c->channel, w->loop, ends[0], ROLE_WARDEN, c->kind, child_message, child_closed);
    send_settings(w, c);
    if (c->kind == ROLE_RECEIVER) {
        send_tally(w, c);
        send_ticket_keys(w, c);
        send_listeners(w, c);
    }
    wire_all(w, c);
    if (c->kind == ROLE_SCRIBE)
        wire_self(w, c);
    give(c, MESSAGE_START, (struct slice){NULL, 0}, NULL, -1);
}

/* ---- draining ---- */

static bool stage_over(struct warden *w)
{
    for (size_t i = 0; i < w->child_count; i++)
        if (w->children[i].kind == drain_order[w->drain_stage] && w->children[i].pid != 0)
            return false;
    return true;
}

static void drain_stage(struct warden *w)
{
    if (drain_order[w->drain_stage] == ROLE_SCRIBE) {
        tell(w, EVENT_ROLE, SLICE("stopped"));
        channel_close(&w->scribe);
    }
    for (size_t i = 0; i < w->child_count; i++)
        if (w->children[i].kind == drain_order[w->drain_stage])
            channel_send(&w->children[i].channel, MESSAGE_DRAIN, (struct slice){NULL, 0}, NULL, -1);
    timer_set(w->loop, &w->drain_deadline, DRAIN_TIMEOUT_MS);
}

static void drain_on(struct warden *w)
{
    while (w->drain_stage < STAGES && stage_over(w)) {
        if (++w->drain_stage == STAGES)
            loop_stop(w->loop);
        else
            drain_stage(w);
    }
}

/* What has not ended in time is ended: everything acknowledged is on disk anyway. */
static void on_drain_deadline(struct timer *t)
{
    struct warden *w = LIST_ENTRY(t, struct warden, drain_deadline);

    for (size_t i = 0; i < w->child_count; i++)
        if (w->children[i].kind == drain_order[w->drain_stage] && w->children[i].pid != 0)
            kill(w->children[i].pid, SIGKILL);
}

static void drain(struct warden *w)
{
    if (w->draining)
        return;
    w->draining = true;
    timer_cancel(w->loop, &w->lock_retry);
    for (size_t i = 0; i < w->child_count; i++)
        timer_cancel(w->loop, &w->children[i].restart);
    drain_stage(w);
    drain_on(w);
}

/* ---- signals ---- */

static void child_ended(struct warden *w, pid_t pid, int status)
{
    for (size_t i = 0; i < w->child_count; i++) {
        struct child *c = &w->children[i];

        if (c->pid != pid)
            continue;
        c->pid = 0;
        c->awaited = 1;
        channel_close(&c->channel);
        if (w->draining)
            return;
        if (clock_monotonic_ms(w->clock) - c->started_ms > STEADY_MS)
            c->backoff_ms = BACKOFF_FIRST_MS;
        tell_end(c, status, c->backoff_ms);
        child_retry(c);
        return;
    }
}

static void on_signal(struct signals *s, int number)
{
    struct warden *w = LIST_ENTRY(s, struct warden, signals);
    pid_t pid;
    int status;

    if (number == SIGTERM || number == SIGINT)
        drain(w);
    if (number == SIGHUP)
        reload(w);
    while (signals_reap(&pid, &status))
        child_ended(w, pid, status);
    if (w->draining)
        drain_on(w);
}

/* ---- the beginning ---- */

static void add_child(struct warden *w, enum role_kind kind, unsigned index)
{
    struct child *c = &w->children[w->child_count++];

    c->warden = w;
    c->kind = kind;
    c->index = index;
    c->channel.watch.handle = -1;
    c->awaited = 1;
    c->backoff_ms = BACKOFF_FIRST_MS;
    timer_init(&c->restart, on_restart);
}

static void add_children(struct warden *w)
{
    size_t singles = sizeof(start_order) / sizeof(*start_order);

    w->children = memory_new((singles + w->options->receivers) * sizeof(*w->children));
    for (size_t i = 0; i < singles; i++)
        if (start_order[i] != ROLE_VAULT || w->options->bundles.vault.len > 0)
            add_child(w, start_order[i], 0);
    for (unsigned i = 0; i < w->options->receivers; i++)
        add_child(w, ROLE_RECEIVER, i);
}

/* Before any role looks: one that finds half of it would end. */
static int make_spool(struct warden *w)
{
    int code = queue_make_dirs(w->spool, 0700);

    for (unsigned i = 0; code == 0 && i < w->options->receivers; i++)
        code = queue_in_make_dirs(w->spool, i, 0700);
    return code;
}

/* A mailbox root that cannot be had would keep every mail waiting: say so before the first. */
static int make_mailbox_roots(const struct settings *settings)
{
    const struct rules *rules = &settings->rules;

    for (size_t i = 0; i < rules->count; i++) {
        struct slice root, rest;
        struct disk_dir *dir;

        if (rules->rules[i].action != ACTION_MAILDIR ||
            !mailbox_template_split(rules->rules[i].path, &root, &rest))
            continue;
        int code = disk_dir_make_path(disk_real(), root, 0700, &dir);
        if (code < 0)
            return fail_code(code, "open the mailbox root", root);
        disk_dir_close(dir);
    }
    return 0;
}

/* ---- other settings ---- */

static void hand_over_again(struct warden *w, struct child *c)
{
    if (c->pid == 0)
        return; /* it gets them when it starts */
    c->awaited++;
    send_settings(w, c);
    if (c->kind == ROLE_RECEIVER)
        send_listeners(w, c);
    give(c, MESSAGE_START, (struct slice){NULL, 0}, NULL, -1);
}

/* Somebody may log in from now on. */
static void add_missing_vault(struct warden *w)
{
    for (size_t i = 0; i < w->child_count; i++)
        if (w->children[i].kind == ROLE_VAULT)
            return;
    add_child(w, ROLE_VAULT, 0);
    child_start(&w->children[w->child_count - 1]);
}

/* What takes no other settings without a restart was refused before. */
static bool take_settings(struct warden *w, const struct settings *fresh, const struct bundles *b)
{
    struct sockets sockets = {0};

    if (make_mailbox_roots(fresh) < 0 || sockets_open(&sockets, w->net, fresh, &w->sockets) < 0)
        return false;
    if (seal(w, b, SLICE("the configuration")) < 0) {
        sockets_pass_on(&sockets, w->net, &w->sockets);
        return false;
    }
    sockets_pass_on(&w->sockets, w->net, &sockets);
    w->sockets = sockets;
    return true;
}

static void reload(struct warden *w)
{
    const struct settings *fresh;
    struct bundles bundles;

    if (w->draining || w->children == NULL)
        return;
    if (!w->options->reload(w->options->ctx, &bundles, &fresh) ||
        !take_settings(w, fresh, &bundles)) {
        tell(w, EVENT_WARNING, SLICE("settings cannot be read again: the old ones stay"));
        tell_courier(w, false);
        return;
    }
    w->options->adopt(w->options->ctx);
    w->serving = false;
    for (size_t i = 0; i < w->child_count; i++)
        hand_over_again(w, &w->children[i]);
    if (bundles.vault.len > 0)
        add_missing_vault(w);
}

static int open_everything(struct warden *w)
{
    if (sockets_open(&w->sockets, w->net, w->options->settings, NULL) < 0)
        return EX_UNAVAILABLE;
    if (make_spool(w) < 0 || make_mailbox_roots(w->options->settings) < 0)
        return EX_CANTCREAT;
    if (seal(w, &w->options->bundles, SLICE("the configuration")) < 0)
        return EX_OSERR;
    make_ticket_key(w);
    make_tally(w);
    add_children(w);
    for (size_t i = 0; i < w->child_count; i++)
        child_start(&w->children[i]);
    return EXIT_SUCCESS;
}

static void give_up(struct warden *w, int status)
{
    w->status = status;
    loop_stop(w->loop);
}

/* The processes of a killed system are gone in a moment; a living one is worth a word. */
static void wait_for_lock(struct warden *w)
{
    uint64_t waited_ms = clock_monotonic_ms(w->clock) + LOCK_PATIENCE_MS - w->lock_deadline_ms;

    if (!w->told_waiting && waited_ms > LOCK_SILENCE_MS) {
        fprintf(stderr,
                "postroad: the queue %.*s is in use; waiting %d s for the other postroad to end "
                "(Ctrl-C gives up)\n",
                SLICE_PRINTF(w->options->settings->queue_path), LOCK_PATIENCE_MS / 1000);
        w->told_waiting = true;
    }
    timer_set(w->loop, &w->lock_retry, LOCK_RETRY_MS);
}

/* Begins once the queue is ours. */
static void take_lock(struct warden *w)
{
    int code = disk_lock(w->spool, "lock", 0600, &w->lock);
    bool patient = clock_monotonic_ms(w->clock) < w->lock_deadline_ms;

    if (code == -EAGAIN && patient) {
        wait_for_lock(w);
        return;
    }
    if (code == -EAGAIN)
        fprintf(stderr,
                "postroad: another postroad is using the queue %.*s; end it first, or give this "
                "one a queue of its own\n",
                SLICE_PRINTF(w->options->settings->queue_path));
    else if (code < 0)
        fail_code(code, "lock the queue", w->options->settings->queue_path);
    int status = code < 0 ? EX_TEMPFAIL : open_everything(w);
    if (status != EXIT_SUCCESS)
        give_up(w, status);
}

static void on_lock_retry(struct timer *t)
{
    take_lock(LIST_ENTRY(t, struct warden, lock_retry));
}

static int begin(struct warden *w)
{
    struct slice path = w->options->settings->queue_path;
    int code = disk_dir_make_path(disk_real(), path, 0700, &w->spool);

    if (code < 0) {
        fail_code(code, "open the queue", path);
        return EX_CANTCREAT;
    }
    if (signals_open(&w->signals, w->loop, on_signal) < 0)
        return EX_OSERR;
    w->lock_deadline_ms = clock_monotonic_ms(w->clock) + LOCK_PATIENCE_MS;
    take_lock(w);
    return w->status;
}

static void warden_done(struct warden *w)
{
    for (size_t i = 0; i < w->child_count; i++) {
        channel_close(&w->children[i].channel);
        timer_cancel(w->loop, &w->children[i].restart);
    }
    channel_close(&w->scribe);
    timer_cancel(w->loop, &w->next_ticket_key);
    timer_cancel(w->loop, &w->drain_deadline);
    timer_cancel(w->loop, &w->lock_retry);
    signals_close(&w->signals);
    bundles_close(&w->bundles);
    disk_close(w->tally);
    disk_close(w->lock);
    disk_dir_close(w->spool);
    sockets_close(&w->sockets, w->net);
    memory_free(w->children);
    loop_free(w->loop);
    w->net->ops->free(w->net);
}

int warden_run(const struct warden_options *options)
{
    struct warden w = {.options = options,
                       .net = net_real_new(),
                       .clock = clock_real(),
                       .scribe = {.watch = {.handle = -1}}};

    if (w.net == NULL)
        return EX_OSERR;
    w.loop = loop_new(w.net, w.clock);
    w.signals.watch.handle = -1;
    timer_init(&w.next_ticket_key, on_next_ticket_key);
    timer_init(&w.drain_deadline, on_drain_deadline);
    timer_init(&w.lock_retry, on_lock_retry);
    w.status = begin(&w);
    if (w.status == EXIT_SUCCESS && loop_run(w.loop) < 0)
        w.status = EX_OSERR;
    int status = w.status;
    warden_done(&w);
    return status;
}
