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
#include "roles/warden_internal.h"

#include "roles/role.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    WARDEN_FD = 3, /* where a child finds its channel */
    LOCK_FD = 4,   /* held by a child until it is gone */
    LOCK_RETRY_MS = 20,
    LOCK_SILENCE_MS = 500,
    LOCK_PATIENCE_MS = 10000,
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 10000,
    STEADY_MS = 10000, /* lived so long: the next pause is the shortest again */
    DRAIN_TIMEOUT_MS = 20000,
};

/* One of each, then the receivers. */
static const enum role_kind start_order[] = {ROLE_SCRIBE, ROLE_POSTMAN, ROLE_VAULT, ROLE_COURIER};

static const enum role_kind drain_order[] = {ROLE_RECEIVER, ROLE_COURIER, ROLE_VAULT, ROLE_POSTMAN,
                                             ROLE_SCRIBE};

enum { STAGES = sizeof(drain_order) / sizeof(*drain_order) };

/* ---- telling ---- */

void warden_tell(struct warden *w, enum event_kind kind, struct slice text)
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
    warden_tell(c->warden, EVENT_WARNING, (struct slice){text, (size_t)len});
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
    warden_tell(w, EVENT_ROLE, buf_slice(&text));
    service_is_ready(&w->service, buf_slice(&text));
    buf_done(&text);
}

/* ---- children ---- */

static bool all_are_ready(const struct warden *w)
{
    for (size_t i = 0; i < w->child_count; i++)
        if (w->children[i].awaited > 0)
            return false;
    return true;
}

static void child_message(struct channel *channel, enum message_kind kind, struct slice body,
                          struct disk_file *file, int handle)
{
    struct child *c = LIST_ENTRY(channel, struct child, channel);
    struct warden *w = c->warden;

    (void)file, (void)handle; /* the matrix allows these four only */
    if (kind == MESSAGE_DROPPED) {
        drops_answered(&w->drops, &c->channel, body);
        return;
    }
    if (kind == MESSAGE_REREAD) {
        warden_reread_accounts(w);
        return;
    }
    if (kind == MESSAGE_RELOAD) {
        w->asked = true;
        warden_reload(w);
        return;
    }
    if (c->awaited > 0)
        c->awaited--;
    if (!all_are_ready(w) || w->serving)
        return;
    w->serving = true;
    tell_serving(w);
    warden_tell_courier(w, true);
    drops_look(&w->drops);
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
    const struct guard *guard = &c->warden->guard;
    char index[16];
    char program[] = "postroad", role[] = "role", name[32], who[GUARD_TEXT_MAX];
    char *argv[] = {program, role, name, index, guard->separate ? who : NULL, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;

    snprintf(index, sizeof(index), "%u", c->index);
    snprintf(name, sizeof(name), "%s", role_name(c->kind));
    if (guard->separate)
        guard_write(guard, name, who);
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

static void child_retry(struct child *c)
{
    timer_set(c->warden->loop, &c->restart, c->backoff_ms);
    c->backoff_ms = c->backoff_ms * 2 < BACKOFF_MAX_MS ? c->backoff_ms * 2 : BACKOFF_MAX_MS;
}

static void on_restart(struct timer *t)
{
    warden_start_child(LIST_ENTRY(t, struct child, restart));
}

void warden_start_child(struct child *c)
{
    struct warden *w = c->warden;
    int ends[2];
    int code = w->net->ops->pair(w->net, ends);

    c->started_ms = clock_monotonic_ms(w->clock);
    if (code == 0) {
        code = spawn(c, ends[1]);
        warden_close_handle(w, ends[1]);
        if (code < 0)
            warden_close_handle(w, ends[0]);
    }
    if (code < 0) {
        c->pid = 0;
        fail_code(code, "start", slice_of(role_name(c->kind)));
        child_retry(c);
        return;
    }
    channel_open(&c->channel, w->loop, ends[0], ROLE_WARDEN, c->kind, child_message, child_closed);
    warden_send_settings(w, c);
    warden_send_folders(w, c);
    if (c->kind == ROLE_COURIER)
        warden_send_control(w, c);
    if (c->kind == ROLE_RECEIVER) {
        warden_send_tally(w, c);
        warden_send_ticket_keys(w, c);
        warden_send_listeners(w, c);
    }
    warden_wire(w, c);
    if (c->kind == ROLE_SCRIBE)
        warden_wire_scribe(w, c);
    warden_give(c, MESSAGE_START, (struct slice){NULL, 0}, NULL, -1);
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
        warden_tell(w, EVENT_ROLE, SLICE("stopped"));
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
    service_stops(&w->service);
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
        warden_clear_gauges(w, c);
        drops_lost(&w->drops, &c->channel);
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
        warden_reload(w);
    while (signals_reap(&pid, &status))
        child_ended(w, pid, status);
    if (w->draining)
        drain_on(w);
}

/* ---- the beginning ---- */

void warden_add_child(struct warden *w, enum role_kind kind, unsigned index)
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
            warden_add_child(w, start_order[i], 0);
    for (unsigned i = 0; i < w->options->receivers; i++)
        warden_add_child(w, ROLE_RECEIVER, i);
}

static int open_everything(struct warden *w)
{
    if (warden_open_sockets(w, w->options->settings, NULL, &w->sockets) < 0)
        return EX_UNAVAILABLE;
    inherited_done(&w->inherited);
    if (warden_make_spool(w) < 0 || warden_make_mailbox_roots(w, w->options->settings) < 0)
        return EX_CANTCREAT;
    warden_open_control(w);
    if (warden_seal(w, &w->options->bundles, SLICE("the configuration")) < 0)
        return EX_OSERR;
    warden_make_ticket_key(w);
    warden_make_tally(w);
    int code = w->guard.separate ? guard_shrink() : 0;
    if (code < 0) {
        (void)fail_code(code, "give up", SLICE("capabilities"));
        return EX_OSERR;
    }
    add_children(w);
    for (size_t i = 0; i < w->child_count; i++)
        warden_start_child(&w->children[i]);
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
        service_status(&w->service, SLICE("waiting for the queue, which another postroad uses"));
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

/* 0 or an exit status. */
static int find_users(struct warden *w)
{
    const char *missing;

    if (w->options->as_caller || geteuid() != 0 || guard_find(&w->guard, &missing) == 0)
        return 0;
    fprintf(
        stderr,
        "postroad: each process is to be a user of its own, but there is no %s.\n"
        "  to make them:   ./run --install, or: systemd-sysusers conf/sysusers.d/postroad.conf\n"
        "  to go on without, with everything as root:   postroad serve --as-caller ...\n",
        missing);
    return EX_NOUSER;
}

static int begin(struct warden *w)
{
    struct slice path = w->options->settings->queue_path;
    int status = find_users(w);

    if (status != 0)
        return status;
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
    drops_done(&w->drops);
    timer_cancel(w->loop, &w->next_ticket_key);
    timer_cancel(w->loop, &w->drain_deadline);
    timer_cancel(w->loop, &w->lock_retry);
    timer_cancel(w->loop, &w->control_again);
    service_done(&w->service);
    inherited_done(&w->inherited);
    signals_close(&w->signals);
    bundles_close(&w->bundles);
    disk_close(w->tally);
    disk_close(w->lock);
    warden_close_folders(w);
    if (w->control >= 0)
        warden_close_handle(w, w->control);
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
    w.control = -1;
    list_init(&w.folders);
    service_init(&w.service, w.loop);
    inherited_init(&w.inherited, w.net, w.service.inherited_count);
    timer_init(&w.next_ticket_key, warden_on_ticket_key);
    warden_keep_drops(&w);
    timer_init(&w.drain_deadline, on_drain_deadline);
    timer_init(&w.control_again, warden_on_control_again);
    timer_init(&w.lock_retry, on_lock_retry);
    w.status = begin(&w);
    if (w.status == EXIT_SUCCESS && loop_run(w.loop) < 0)
        w.status = EX_OSERR;
    int status = w.status;
    warden_done(&w);
    return status;
}
