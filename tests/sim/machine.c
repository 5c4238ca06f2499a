/*
 * machine.c - the simulated computer.
 *
 * A process is a role as its constructor makes it, with a door of its own to disk and network.
 * Killing frees it through the same code as a good end, but behind dead doors: whatever its
 * destructors say or unlink has no effect, and memory and handles are given back as the kernel
 * would. So a leak shows as a handle that is still open when the power is off.
 *
 * The warden is the one of roles/warden.c without processes, signals and configuration: the same
 * messages in the same order, the same doubling pause, the same order of draining. The mail that
 * was left is kept by the real roles/drops, but it looks only while something is there: a day has
 * many rounds.
 */
#include "sim/machine.h"

#include "sim/memory.h"
#include "sim/servers.h"

#include "base/fail.h"
#include "base/memory.h"
#include "fakes/random.h"
#include "fakes/worker.h"
#include "loop/listener.h"
#include "queue/queue.h"
#include "queue/queue_in.h"
#include "roles/counts.h"
#include "roles/drops.h"
#include "roles/pickup_order.h"
#include "roles/role.h"
#include "wire/ehlo.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 10000,
    STEADY_MS = 10000,
    DRAIN_TIMEOUT_MS = 20000,
    CALLERS = 32,
    LISTENERS = 3,
    DROPS_ROUND_MS = 2000,
};

struct process {
    struct machine *machine;
    enum role_kind kind;
    unsigned index;
    char name[16];
    bool dead;         /* what its doors look at */
    struct role *role; /* NULL: not running */
    struct role_doors doors;
    struct fake_worker *worker;
    uint64_t job_at_us; /* when its worker goes on; 0: nothing waits */
    struct memory_account memory;
    /* the warden's */
    struct channel channel;
    struct timer restart;
    uint64_t frozen_us; /* until then */
    bool takes_power;   /* with it, when it is killed */
    bool exited;        /* and the warden does not know yet */
    unsigned awaited;   /* READYs, one for each START that it was given */
    uint64_t started_ms;
    unsigned backoff_ms;
};

struct machine {
    struct machine_options o;
    struct fake_random random; /* the program's */
    bool on;
    bool lost_power;
    bool may_tell_damage;
    unsigned receivers;
    struct process processes[MACHINE_PROCESSES_MAX];
    unsigned count;
    struct process *running; /* whose code runs now */
    const char *complaint;
    /* the warden's */
    struct net *net;
    struct loop *loop;
    struct disk_file *settings;
    struct disk_file *counts; /* of all receivers */
    struct channel scribe;
    struct disk *disk; /* its door */
    bool dead;         /* it died at a call, and the power with it */
    struct settings *read;
    struct drops drops;
    bool serving; /* all are ready */
    struct timer drain_deadline;
    int listeners[LISTENERS]; /* as they stand in the settings */
    int control;              /* where people's tools connect */
    unsigned drain_stage;
    bool drain_wanted; /* somebody told it to */
    bool draining;
};

static const struct {
    enum role_kind a, b;
} edges[] = {
    {ROLE_RECEIVER, ROLE_COURIER},
    {ROLE_COURIER,  ROLE_POSTMAN},
    {ROLE_RECEIVER, ROLE_VAULT  },
    {ROLE_RECEIVER, ROLE_SCRIBE },
    {ROLE_COURIER,  ROLE_SCRIBE },
    {ROLE_POSTMAN,  ROLE_SCRIBE },
    {ROLE_VAULT,    ROLE_SCRIBE },
};

static const enum role_kind drain_order[] = {ROLE_RECEIVER, ROLE_VAULT, ROLE_COURIER, ROLE_POSTMAN,
                                             ROLE_SCRIBE};

enum {
    EDGES = sizeof(edges) / sizeof(*edges),
    STAGES = sizeof(drain_order) / sizeof(*drain_order)
};

#define NOTE(m, who, ...) history_note((m)->o.history, who, __VA_ARGS__)

/* Whose code runs from now on; NULL: the world's. */
static void run_as(struct machine *m, struct process *p)
{
    m->running = p;
    memory_charge(p == NULL ? NULL : &p->memory);
}

/* --- what the processes get --- */

static struct process *process_of(const struct role_doors *doors)
{
    return (struct process *)(void *)((char *)(uintptr_t)doors - offsetof(struct process, doors));
}

static struct worker *new_worker(const struct role_doors *doors, unsigned threads,
                                 void (*wake)(void *ctx), void *ctx)
{
    struct process *p = process_of(doors);

    (void)threads;
    p->worker = fake_worker_new(p->machine->o.chance, wake, ctx);
    return &p->worker->worker;
}

static struct resolver *new_resolver(const struct role_doors *doors, struct loop *loop,
                                     const struct settings *s)
{
    (void)s;
    return servers_resolver(process_of(doors)->machine->o.servers, loop);
}

/* "Jan  1 00:00:00 mx postroad/qmgr[42]: text": the time and the number say nothing here. */
static void write_log(const struct role_doors *doors, struct slice lines)
{
    const struct machine *m = process_of(doors)->machine;
    struct slice line;

    if (process_of(doors)->dead)
        return;
    while (slice_cut(lines, '\n', &line, &lines)) {
        struct slice at = slice_skip(line, slice_find(line, '/') + 1);
        struct slice tag = slice_head(at, slice_find(at, '['));
        struct slice text = slice_skip(at, slice_find(at, ']') + 3);

        NOTE(m, "log", "%.*s: %.*s", SLICE_PRINTF(tag), SLICE_PRINTF(text));
        m->o.on_log(m->o.ctx, tag, text);
    }
}

/* Nothing rots in this world, and what a crash tears was never acknowledged: who tells of damage
 * is wrong, or has done it. */
static void tell_failure(void *ctx, int code, const char *operation, struct slice name)
{
    struct machine *m = ctx;
    const char *who = m->running == NULL ? "machine" : m->running->name;

    if (m->running != NULL && m->running->dead)
        return;
    NOTE(m, who, "cannot %s %.*s: %s", operation, SLICE_PRINTF(name), strerrordesc_np(-code));
    if (code == -EBADMSG && m->complaint == NULL && !m->may_tell_damage)
        m->complaint = "damage was told where nothing is damaged";
}

/* --- wiring: as the warden --- */

static void send_peer(struct channel *to, enum role_kind kind, unsigned index, int handle)
{
    struct buf body;

    buf_init(&body, 16);
    (void)put_u8(&body, (uint8_t)kind);
    (void)put_u32(&body, index);
    (void)channel_send(to, MESSAGE_PEER, buf_slice(&body), NULL, handle);
    buf_done(&body);
}

static void wire(struct machine *m, struct process *a, struct process *b)
{
    int ends[2];

    (void)m->net->ops->pair(m->net, ends);
    send_peer(&a->channel, b->kind, b->index, ends[0]);
    send_peer(&b->channel, a->kind, a->index, ends[1]);
    m->net->ops->close(m->net, ends[0]);
    m->net->ops->close(m->net, ends[1]);
}

static bool may_talk(enum role_kind a, enum role_kind b)
{
    for (size_t i = 0; i < EDGES; i++)
        if ((edges[i].a == a && edges[i].b == b) || (edges[i].a == b && edges[i].b == a))
            return true;
    return false;
}

/* --- mail that was left --- */

static struct machine *machine_of(struct drops *d)
{
    return LIST_ENTRY(d, struct machine, drops);
}

static const struct settings *settings_now(struct drops *d)
{
    const struct machine *m = machine_of(d);

    return m->serving && !m->draining ? m->read : NULL;
}

static struct channel *some_receiver(struct drops *d)
{
    struct machine *m = machine_of(d);
    unsigned first = (unsigned)random_below(m->o.chance, m->count);

    for (unsigned i = 0; i < m->count; i++) {
        struct process *p = &m->processes[(first + i) % m->count];

        if (p->kind == ROLE_RECEIVER && channel_is_open(&p->channel) && p->awaited == 0)
            return &p->channel;
    }
    return NULL;
}

static void tell_of_drops(struct drops *d, struct slice text)
{
    NOTE(machine_of(d), "warden", "%.*s", SLICE_PRINTF(text));
}

static void hear_verdict(struct machine *m, const struct channel *from, struct slice body)
{
    struct pickup_answer a;

    if (pickup_answer_read(body, &a)) {
        NOTE(m, "warden", "%.*s is %s", SLICE_PRINTF(a.name),
             a.verdict == PICKUP_TAKEN ? "taken"
             : a.verdict == PICKUP_BAD ? "bad"
                                       : "put off");
    }
    drops_answered(&m->drops, from, body);
}

static bool something_is_left(const struct machine *m)
{
    char names[1][DROP_NAME_MAX];
    uint64_t position = 0;
    struct disk_dir *folder;

    if (disk_dir_open(fake_disk(m->o.disk), m->o.drop, &folder) < 0)
        return true; /* perhaps */
    int count = 0;
    do
        count = drop_list(folder, &position, names, 1);
    while (count == 0 && position != 0);
    disk_dir_close(folder);
    return count != 0;
}

static void look_only_if_left(struct machine *m)
{
    if (timer_is_set(&m->drops.next) && !something_is_left(m))
        timer_cancel(m->loop, &m->drops.next);
}

void machine_left(struct machine *m)
{
    if (m->on && !timer_is_set(&m->drops.next))
        timer_set(m->loop, &m->drops.next, random_below(m->o.chance, DROPS_ROUND_MS));
}

static void all_may_be_ready(struct machine *m)
{
    for (unsigned i = 0; i < m->count; i++)
        if (m->processes[i].awaited > 0)
            return;
    if (!m->serving)
        drops_look(&m->drops);
    m->serving = true;
}

static void from_child(struct channel *c, enum message_kind kind, struct slice body,
                       struct disk_file *file, int handle)
{
    struct process *p = LIST_ENTRY(c, struct process, channel);

    (void)file, (void)handle;
    if (kind == MESSAGE_DROPPED) {
        hear_verdict(p->machine, c, body);
        return;
    }
    if (kind != MESSAGE_READY)
        return;
    NOTE(p->machine, p->name, "is ready");
    if (p->awaited > 0)
        p->awaited--;
    all_may_be_ready(p->machine);
}

static void child_closed(struct channel *c)
{
    (void)c; /* the process's end is noticed by itself */
}

static void from_scribe(struct channel *c, enum message_kind kind, struct slice body,
                        struct disk_file *file, int handle)
{
    (void)c, (void)kind, (void)body, (void)file, (void)handle;
}

static void wire_self(struct machine *m, struct process *scribe)
{
    int ends[2];

    channel_close(&m->scribe);
    (void)m->net->ops->pair(m->net, ends);
    send_peer(&scribe->channel, ROLE_WARDEN, 0, ends[1]);
    m->net->ops->close(m->net, ends[1]);
    (void)channel_open(&m->scribe, m->loop, ends[0], ROLE_WARDEN, ROLE_SCRIBE, from_scribe,
                       child_closed);
}

static void seal_settings(struct machine *m)
{
    struct settings_errors errors;
    struct buf bundle;

    buf_init(&bundle, BUNDLE_MAX);
    (void)bundle_add(&bundle, SLICE("sim.conf"), 0, m->o.settings);
    (void)bundle_add(&bundle, SLICE("/etc/aliases"), 0, m->o.aliases);
    (void)bundle_add(&bundle, SLICE("/etc/secret"), 0, m->o.secret);
    (void)bundle_add(&bundle, SLICE("/etc/people"), 0, m->o.people);
    m->read = settings_parse(buf_slice(&bundle), NULL, &errors);
    settings_errors_done(&errors);
    assert(m->read != NULL);
    (void)disk_sealed(fake_disk(m->o.disk), buf_slice(&bundle), &m->settings);
    buf_done(&bundle);
}

/* As the receiver of this process sees it. */
static struct counts counts_of(const struct process *p)
{
    struct counts c = {0};
    int code = counts_open(&c, p->machine->counts, p->machine->receivers, p->index);

    assert(code == 0);
    return c;
}

static uint64_t counted_by(const struct process *p)
{
    struct counts c = {0};
    uint64_t held = 0;

    if (p->kind != ROLE_RECEIVER)
        return 0;
    c = counts_of(p);
    held = gauges_held(&c.gauges);
    counts_close(&c);
    return held;
}

static bool promises_room(const struct process *p)
{
    struct counts c = {0};
    bool promises = false;

    if (p->kind != ROLE_RECEIVER)
        return false;
    c = counts_of(p);
    promises = crowdings_said(&c.crowdings) != CROWDING_AWAY;
    counts_close(&c);
    return promises;
}

static void send_settings(struct machine *m, struct process *p)
{
    struct buf body;

    buf_init(&body, 64);
    (void)put_u32(&body, m->receivers);
    (void)channel_send(&p->channel, MESSAGE_SETTINGS, buf_slice(&body), m->settings, -1);
    for (uint32_t i = 0; p->kind == ROLE_RECEIVER && i < LISTENERS; i++) {
        buf_clear(&body);
        (void)put_u32(&body, i);
        (void)channel_send(&p->channel, MESSAGE_LISTEN, buf_slice(&body), NULL, m->listeners[i]);
    }
    if (p->kind == ROLE_COURIER) {
        buf_clear(&body);
        (void)put_u32(&body, 0);
        (void)channel_send(&p->channel, MESSAGE_LISTEN, buf_slice(&body), NULL, m->control);
    }
    buf_done(&body);
}

/* --- lives and deaths --- */

static struct role *new_role(struct process *p, int warden_handle)
{
    switch (p->kind) {
    case ROLE_RECEIVER: return receiver_new(&p->doors, p->index, warden_handle);
    case ROLE_COURIER: return courier_new(&p->doors, warden_handle);
    case ROLE_POSTMAN: return postman_new(&p->doors, warden_handle);
    case ROLE_SCRIBE: return scribe_new(&p->doors, warden_handle);
    case ROLE_VAULT: return vault_new(&p->doors, warden_handle);
    case ROLE_WARDEN:
    case ROLE_COUNT: break;
    }
    return NULL;
}

static void process_start(struct process *p)
{
    struct machine *m = p->machine;
    int ends[2];

    p->dead = p->takes_power = false;
    p->job_at_us = p->frozen_us = 0;
    p->started_ms = clock_monotonic_ms(&m->o.clock->clock);
    p->awaited = 1;
    p->doors = (struct role_doors){.clock = &m->o.clock->clock,
                                   .random = &m->random.random,
                                   .disk = fake_disk_process(m->o.disk, &p->dead),
                                   .net = fake_net_new(m->o.network, &m->o.listen),
                                   .worker_new = new_worker,
                                   .resolver_new = new_resolver,
                                   .log = write_log,
                                   .segment_size = m->o.segment_size,
                                   .sessions_max = m->o.sessions_max,
                                   .offers = EHLO_FUTURERELEASE};
    fake_net_dies_with(p->doors.net, &p->dead);
    fake_disk_sync_late(p->doors.disk, m->o.sync_late && p->kind == ROLE_RECEIVER);
    (void)m->net->ops->pair(m->net, ends);
    p->memory.live = 0;
    run_as(m, p);
    p->role = new_role(p, ends[1]);
    run_as(m, NULL);
    (void)channel_open(&p->channel, m->loop, ends[0], ROLE_WARDEN, p->kind, from_child,
                       child_closed);
    send_settings(m, p);
    if (p->kind == ROLE_RECEIVER)
        (void)channel_send(&p->channel, MESSAGE_TALLY, (struct slice){NULL, 0}, m->counts, -1);
    for (unsigned i = 0; i < m->count; i++) {
        struct process *other = &m->processes[i];

        if (other != p && channel_is_open(&other->channel) && may_talk(p->kind, other->kind))
            wire(m, p, other);
    }
    if (p->kind == ROLE_SCRIBE)
        wire_self(m, p);
    (void)channel_send(&p->channel, MESSAGE_START, (struct slice){NULL, 0}, NULL, -1);
}

static void on_restart(struct timer *t)
{
    process_start(LIST_ENTRY(t, struct process, restart));
}

/* A good end leaves nothing behind; of one that was killed, what it did last was not to free. */
static void role_end_of(struct process *p)
{
    struct machine *m = p->machine;
    struct counts c = {0};
    void *before = NULL;

    if (p->kind == ROLE_RECEIVER && p->dead) {
        c = counts_of(p);
        before = memory_new(c.size);
        memcpy(before, c.memory, c.size);
    }
    run_as(m, p);
    role_free(p->role);
    if (before != NULL) {
        memcpy(c.memory, before, c.size);
        memory_free(before);
        counts_close(&c);
    } else if (counted_by(p) > 0 && m->complaint == NULL) {
        m->complaint = "a receiver ended whose connections still count";
    } else if (promises_room(p) && m->complaint == NULL) {
        m->complaint = "a receiver ended that still promises to have room";
    }
}

/* The kernel's part. */
static void process_free(struct process *p)
{
    struct machine *m = p->machine;

    role_end_of(p);
    p->role = NULL;
    p->worker = NULL;
    p->job_at_us = 0;
    p->doors.net->ops->free(p->doors.net);
    p->dead = true;
    run_as(m, NULL);
    if (p->memory.live != 0 && m->complaint == NULL)
        m->complaint = "a role does not give back all of its memory";
}

static void process_ended(struct process *p)
{
    struct machine *m = p->machine;
    int code = p->role->failed;

    NOTE(m, p->name, "%s%s", p->dead ? "is killed" : "ends: ",
         p->dead    ? ""
         : code < 0 ? strerrordesc_np(-code)
                    : "as told");
    m->o.on_death(m->o.ctx, p->kind);
    process_free(p);
    p->exited = true;
}

void machine_kill(struct machine *m, unsigned process)
{
    struct process *p = &m->processes[process];

    if (p->role == NULL)
        return;
    p->dead = true;
    process_ended(p);
}

void machine_kill_at(struct machine *m, unsigned process, uint64_t call)
{
    if (m->processes[process].role != NULL)
        fake_disk_die_at(m->processes[process].doors.disk, call);
}

void machine_lose_power_at(struct machine *m, unsigned process, uint64_t call)
{
    machine_kill_at(m, process, call);
    m->processes[process].takes_power = true;
}

bool machine_lost_power(const struct machine *m)
{
    return m->lost_power;
}

void machine_lose_power_at_warden(struct machine *m, uint64_t call)
{
    fake_disk_die_at(m->disk, call);
}

void machine_fail_sync(struct machine *m, unsigned process, int code)
{
    if (m->processes[process].role != NULL)
        fake_disk_fail_sync(m->processes[process].doors.disk, code);
}

void machine_short_at(struct machine *m, unsigned process, uint64_t call)
{
    if (m->processes[process].role != NULL)
        fake_net_short_at(m->processes[process].doors.net, call);
}

void machine_freeze(struct machine *m, unsigned process, uint64_t until_us)
{
    m->processes[process].frozen_us = until_us;
}

void machine_thaw(struct machine *m)
{
    for (unsigned i = 0; i < m->count; i++)
        m->processes[i].frozen_us = 0;
}

/* --- other settings --- */

void machine_reload(struct machine *m)
{
    m->serving = false;
    for (unsigned i = 0; i < m->count; i++) {
        struct process *p = &m->processes[i];

        if (p->role == NULL || !channel_is_open(&p->channel))
            continue;
        p->awaited++;
        send_settings(m, p);
        (void)channel_send(&p->channel, MESSAGE_START, (struct slice){NULL, 0}, NULL, -1);
    }
}

/* --- draining --- */

static bool stage_over(struct machine *m)
{
    for (unsigned i = 0; i < m->count; i++)
        if (m->processes[i].kind == drain_order[m->drain_stage] && m->processes[i].role != NULL)
            return false;
    return true;
}

static void drain_stage(struct machine *m)
{
    if (drain_order[m->drain_stage] == ROLE_SCRIBE)
        channel_close(&m->scribe);
    for (unsigned i = 0; i < m->count; i++)
        if (m->processes[i].kind == drain_order[m->drain_stage])
            (void)channel_send(&m->processes[i].channel, MESSAGE_DRAIN, (struct slice){NULL, 0},
                               NULL, -1);
    timer_set(m->loop, &m->drain_deadline, DRAIN_TIMEOUT_MS);
}

static void drain_on(struct machine *m)
{
    while (stage_over(m)) {
        if (++m->drain_stage == STAGES)
            return; /* machine_step() switches off */
        drain_stage(m);
    }
}

static void on_drain_deadline(struct timer *t)
{
    struct machine *m = LIST_ENTRY(t, struct machine, drain_deadline);

    NOTE(m, "warden", "a drain takes too long");
    m->complaint = "a role does not end when told to drain";
}

static void drain(struct machine *m)
{
    m->drain_wanted = false;
    m->draining = true;
    m->drain_stage = 0;
    for (unsigned i = 0; i < m->count; i++)
        timer_cancel(m->loop, &m->processes[i].restart);
    drain_stage(m);
    drain_on(m);
}

void machine_drain(struct machine *m)
{
    NOTE(m, "warden", "drains");
    m->drain_wanted = true;
}

/* What SIGCHLD brings. */
static void child_ended(struct process *p)
{
    struct machine *m = p->machine;

    p->exited = false;
    p->awaited = 1;
    channel_close(&p->channel);
    drops_lost(&m->drops, &p->channel);
    if (p->kind == ROLE_RECEIVER) {
        struct counts c = counts_of(p);

        counts_clear(&c);
        counts_close(&c);
    }
    if (m->draining) {
        drain_on(m);
        return;
    }
    if (clock_monotonic_ms(&m->o.clock->clock) - p->started_ms > STEADY_MS)
        p->backoff_ms = BACKOFF_FIRST_MS;
    timer_set(m->loop, &p->restart, p->backoff_ms);
    p->backoff_ms = p->backoff_ms * 2 < BACKOFF_MAX_MS ? p->backoff_ms * 2 : BACKOFF_MAX_MS;
}

/* --- power --- */

static int make_spool(struct machine *m)
{
    struct disk_dir *spool;
    int code = disk_dir_make_path(fake_disk(m->o.disk), slice_of(m->o.drop), DROP_MODE, &spool);

    if (code < 0)
        return code;
    disk_dir_close(spool);
    code = disk_dir_make_path(fake_disk(m->o.disk), SLICE("/spool"), 0700, &spool);
    if (code < 0)
        return code;
    code = queue_make_dirs(spool, 0700);
    for (unsigned i = 0; code == 0 && i < m->receivers; i++)
        code = queue_in_make_dirs(spool, i, 0700);
    disk_dir_close(spool);
    return code;
}

static void add_process(struct machine *m, enum role_kind kind, unsigned index)
{
    struct process *p = &m->processes[m->count++];

    *p = (struct process){.machine = m, .kind = kind, .index = index};
    p->channel.watch.handle = -1;
    p->backoff_ms = BACKOFF_FIRST_MS;
    (void)snprintf(p->name, sizeof(p->name), kind == ROLE_RECEIVER ? "%s %u" : "%s",
                   role_name(kind), index);
    timer_init(&p->restart, on_restart);
}

void machine_boot(struct machine *m, unsigned receivers)
{
    static const struct drops_keeper keeper = {settings_now, some_receiver, tell_of_drops};

    NOTE(m, "machine", "power on, %u receivers", receivers);
    fail_set_sink(tell_failure, m);
    m->on = true;
    m->lost_power = false;
    m->receivers = receivers;
    while (make_spool(m) < 0)
        ; /* somebody starts it again */
    m->draining = m->drain_wanted = false;
    m->count = 0;
    m->net = fake_net_new(m->o.network, &m->o.listen);
    m->loop = loop_new(m->net, &m->o.clock->clock);
    timer_init(&m->drain_deadline, on_drain_deadline);
    m->scribe.watch.handle = -1;
    m->listeners[0] = m->net->ops->listen(m->net, &m->o.listen, false, LISTENER_BACKLOG);
    m->listeners[1] = m->net->ops->listen(m->net, &m->o.submission, false, LISTENER_BACKLOG);
    m->listeners[2] = m->net->ops->listen_local(m->net, m->o.local, 0666, LISTENER_BACKLOG);
    m->control = m->net->ops->listen_local(m->net, "/spool/courier.sock", 0600, CALLERS);
    assert(m->listeners[0] >= 0 && m->listeners[1] >= 0 && m->listeners[2] >= 0 && m->control >= 0);
    seal_settings(m);
    m->serving = m->dead = false;
    m->disk = fake_disk_process(m->o.disk, &m->dead);
    drops_init(&m->drops, m->loop, &m->o.clock->clock, m->disk, &keeper);
    int code = counts_new(receivers, (const uint64_t[2]){m->o.seed, receivers}, &m->counts);
    assert(code == 0);
    add_process(m, ROLE_SCRIBE, 0);
    add_process(m, ROLE_POSTMAN, 0);
    add_process(m, ROLE_VAULT, 0);
    add_process(m, ROLE_COURIER, 0);
    for (unsigned i = 0; i < receivers; i++)
        add_process(m, ROLE_RECEIVER, i);
    for (unsigned i = 0; i < m->count; i++)
        process_start(&m->processes[i]);
}

void machine_power_off(struct machine *m)
{
    if (!m->on)
        return;
    NOTE(m, "machine", "power off");
    m->o.on_death(m->o.ctx, ROLE_WARDEN);
    for (unsigned i = 0; i < m->count; i++) {
        struct process *p = &m->processes[i];

        p->dead = true;
        if (p->role != NULL)
            process_free(p);
        timer_cancel(m->loop, &p->restart);
        channel_close(&p->channel);
    }
    channel_close(&m->scribe);
    m->dead = true;
    drops_done(&m->drops);
    settings_free(m->read);
    timer_cancel(m->loop, &m->drain_deadline);
    for (unsigned i = 0; i < LISTENERS; i++)
        m->net->ops->close(m->net, m->listeners[i]);
    m->net->ops->close(m->net, m->control);
    disk_close(m->settings);
    disk_close(m->counts);
    loop_free(m->loop);
    m->net->ops->free(m->net);
    m->on = false;
    if (fake_disk_open(m->o.disk) != 0 && m->complaint == NULL)
        m->complaint = "a file or directory is still open after its process ended";
}

bool machine_is_on(const struct machine *m)
{
    return m->on;
}

struct machine *machine_new(const struct machine_options *options)
{
    struct machine *m = MEMORY_NEW(struct machine);

    m->o = *options;
    fake_random_init(&m->random, options->seed);
    return m;
}

void machine_free(struct machine *m)
{
    machine_power_off(m);
    fail_set_sink(NULL, NULL);
    memory_free(m);
}

/* --- steps --- */

static uint64_t now_us(const struct machine *m)
{
    return m->o.clock->now_us;
}

static bool timer_is_due(const struct machine *m, const struct loop *loop)
{
    uint64_t at_ms;

    return loop_next_ms(loop, &at_ms) && at_ms <= now_us(m) / 1000;
}

/* The round ran to its end or to the call at which the process died. */
static void look_after(struct process *p)
{
    run_as(p->machine, NULL);
    if (p->dead && p->takes_power)
        p->machine->lost_power = true;
    else if (p->dead || loop_is_stopped(p->role->loop))
        process_ended(p);
}

static bool is_frozen(const struct process *p)
{
    return p->frozen_us > now_us(p->machine);
}

static bool step_process(struct process *p)
{
    if (p->role == NULL || is_frozen(p) ||
        !(fake_net_is_ready(p->doors.net) || timer_is_due(p->machine, p->role->loop) ||
          loop_is_stopped(p->role->loop)))
        return false;
    run_as(p->machine, p);
    if (!loop_is_stopped(p->role->loop))
        (void)loop_round(p->role->loop, false);
    look_after(p);
    return true;
}

static bool step_worker(struct process *p)
{
    struct machine *m = p->machine;

    if (p->role == NULL || is_frozen(p) || p->worker == NULL || !fake_worker_has_work(p->worker)) {
        p->job_at_us = 0;
        return false;
    }
    if (p->job_at_us == 0)
        p->job_at_us = now_us(m) + random_below(m->o.chance, m->o.job_max_us + 1);
    if (p->job_at_us > now_us(m))
        return false;
    p->job_at_us = 0;
    run_as(m, p);
    (void)fake_worker_step(p->worker);
    look_after(p);
    return true;
}

static bool has_signal(const struct machine *m)
{
    for (unsigned i = 0; i < m->count; i++)
        if (m->processes[i].exited)
            return true;
    return m->drain_wanted;
}

static bool step_warden(struct machine *m)
{
    if (m->draining && m->drain_stage == STAGES) {
        machine_power_off(m);
        return true;
    }
    if (!has_signal(m) && !fake_net_is_ready(m->net) && !timer_is_due(m, m->loop))
        return false;
    (void)loop_round(m->loop, false);
    for (unsigned i = 0; i < m->count; i++)
        if (m->processes[i].exited)
            child_ended(&m->processes[i]);
    if (m->drain_wanted)
        drain(m);
    m->lost_power = m->lost_power || m->dead;
    look_only_if_left(m);
    return true;
}

bool machine_step(struct machine *m)
{
    unsigned actors = 2 * m->count + 1;

    if (!m->on)
        return false;
    unsigned first = (unsigned)random_below(m->o.chance, actors);
    for (unsigned i = 0; i < actors; i++) {
        unsigned actor = (first + i) % actors;

        if (actor == 0       ? step_warden(m)
            : actor % 2 == 1 ? step_process(&m->processes[actor / 2])
                             : step_worker(&m->processes[actor / 2 - 1]))
            return true;
    }
    return false;
}

static void earlier(uint64_t *at_us, bool *found, uint64_t candidate)
{
    if (!*found || candidate < *at_us)
        *at_us = candidate;
    *found = true;
}

bool machine_next_us(const struct machine *m, uint64_t *at_us)
{
    bool found = false;
    uint64_t at_ms;

    if (!m->on)
        return false;
    if (loop_next_ms(m->loop, &at_ms))
        earlier(at_us, &found, at_ms * 1000);
    for (unsigned i = 0; i < m->count; i++) {
        const struct process *p = &m->processes[i];

        if (p->role == NULL)
            continue;
        if (is_frozen(p)) {
            earlier(at_us, &found, p->frozen_us);
            continue;
        }
        if (loop_next_ms(p->role->loop, &at_ms))
            earlier(at_us, &found, at_ms * 1000);
        if (p->job_at_us != 0)
            earlier(at_us, &found, p->job_at_us);
    }
    return found;
}

/* --- asking --- */

unsigned machine_processes(const struct machine *m)
{
    return m->count;
}

const char *machine_process_name(const struct machine *m, unsigned process)
{
    return m->processes[process].name;
}

enum role_kind machine_process_kind(const struct machine *m, unsigned process)
{
    return m->processes[process].kind;
}

struct machine_holding machine_holds(const struct machine *m, unsigned process)
{
    const struct process *p = &m->processes[process];

    if (p->role == NULL)
        return (struct machine_holding){0};
    return (struct machine_holding){p->memory.live, fake_disk_process_open(p->doors.disk),
                                    counted_by(p)};
}

void machine_expect_damage(struct machine *m)
{
    m->may_tell_damage = true;
}

const char *machine_complaint(const struct machine *m)
{
    return m->complaint;
}
