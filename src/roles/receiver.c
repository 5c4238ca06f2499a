/*
 * receiver.c - hostile SMTP in, durable records out. No other role is asked on the way to 250.
 *
 * Puts of all sessions (session.c) in a round are written together before the loop sleeps, and
 * synced together on a worker: a lone sender waits for one sync, fifty senders share one.
 *
 * Settings may change while it runs; sessions go on under those that they began with (entrances.c).
 *
 * A failed sync ends this receiver: what it had not acknowledged is answered 421 by the closed
 * connection, what it had is safe below the last good mark. The warden starts a new one.
 */
#include "roles/entrances.h"
#include "roles/pickup.h"
#include "roles/relief.h"

#include "base/fail.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
    SESSIONS_MAX = 20000,
    FILES_RESERVED = 64, /* descriptors that sessions may not take: segments, drafts, channels */
    WORKER_THREADS = 3,  /* records, large messages, zeros ahead */
    DRAIN_TIMEOUT_MS = 10000,
};

struct receiver;

struct receiver {
    struct role role;
    struct disk_dir *dir;
    struct queue_in *queue;
    struct channel courier, vault;
    struct entrances_common entrances;
    struct entrances *now; /* NULL before the start */
    struct list older;     /* that have sessions still */
    struct sessions sessions;
    uint64_t told_segment; /* durable mark last published */
    uint64_t told_offset;
    struct timer drain_deadline;
    struct counts counts;
    struct pickups pickups;
    struct relief relief;
};

static struct receiver *receiver_of(struct role *r)
{
    return LIST_ENTRY(r, struct receiver, role);
}

/* ---- durability ---- */

static int send_mark(struct receiver *r, enum message_kind kind, uint64_t segment, uint64_t offset)
{
    struct buf body;

    buf_init(&body, 16);
    put_u64(&body, segment);
    put_u64(&body, offset);
    int code = channel_send(&r->courier, kind, buf_slice(&body), NULL, -1);
    buf_done(&body);
    return code;
}

/* One message per batch. A mark that the channel refuses is told again in a later round: without
 * it the mail would lie unread until the next one comes. */
static void publish(struct receiver *r)
{
    uint64_t segment, offset;

    queue_in_durable(r->queue, &segment, &offset);
    if (segment == r->told_segment && offset == r->told_offset)
        return;
    if (send_mark(r, MESSAGE_DURABLE, segment, offset) < 0)
        return;
    r->told_segment = segment;
    r->told_offset = offset;
}

/* The last word of a receiver whose sync failed: what lies above was never acknowledged. */
static void tell_last_good(struct receiver *r)
{
    uint64_t segment, offset;

    queue_in_durable(r->queue, &segment, &offset);
    (void)send_mark(r, MESSAGE_LAST_GOOD, segment, offset);
}

/* True when some session was answered. */
static bool answer_finished(struct receiver *r)
{
    struct list finished;

    list_init(&finished);
    queue_in_collect(r->queue, &finished);
    bool some = !list_empty(&finished);
    LIST_EACH (node, &finished) {
        list_remove(node);
        session_put_finished(node);
    }
    return some;
}

static void free_unused(struct receiver *r)
{
    LIST_EACH (node, &r->older) {
        struct entrances *one = LIST_ENTRY(node, struct entrances, link);

        if (!entrances_are_used(one))
            entrances_free(one);
    }
}

static void receiver_before_sleep(struct role *role)
{
    struct receiver *r = receiver_of(role);

    free_unused(r);
    /* Answering may bring the next message of the same client, already in its buffer. */
    do
        queue_in_flush(r->queue);
    while (answer_finished(r));
    publish(r);
    if (!role->draining)
        relief_check(&r->relief);
    if (queue_in_broken(r->queue) < 0 && role->failed == 0) {
        tell_last_good(r);
        role_end(role, queue_in_broken(r->queue));
    }
}

/* ---- the role ---- */

static size_t sessions_for(long files)
{
    if (files <= FILES_RESERVED)
        return 1;
    files -= FILES_RESERVED;
    return files < SESSIONS_MAX ? (size_t)files : SESSIONS_MAX;
}

/* The warden has made it, with its "draft". */
static int open_folder(struct receiver *r)
{
    struct arena scratch = {0};
    struct slice path = arena_printf(&scratch, "%.*s/in/%u",
                                     SLICE_PRINTF(r->role.settings->queue_path), r->role.index);
    int code = role_folder(&r->role, path, &r->dir);

    arena_done(&scratch);
    return code;
}

static int receiver_start(struct role *role)
{
    struct receiver *r = receiver_of(role);
    int code = open_folder(r);

    if (code < 0)
        return fail_code(code, "open the queue", role->settings->queue_path);
    struct queue_in_options options = {.dir = r->dir,
                                       .receiver = role->index,
                                       .mode = 0640, /* the umask says for whom */
                                       .min_free = role->settings->queue_min_free,
                                       .segment_size = role->doors->segment_size,
                                       .worker = role->worker,
                                       .clock = role->doors->clock,
                                       .random = role->doors->random};
    r->sessions.max = role->doors->sessions_max > 0 ? role->doors->sessions_max
                                                    : sessions_for(sysconf(_SC_OPEN_MAX));
    r->now = entrances_new(role, &r->entrances);
    code = queue_in_open(&options, &r->queue);
    r->sessions.queue = r->queue;
    if (code == 0)
        relief_check(&r->relief); /* its listeners are opened next: those who are full may leave */
    return code;
}

static void courier_message(struct channel *c, enum message_kind kind, struct slice body,
                            struct disk_file *file, int handle)
{
    struct receiver *r = LIST_ENTRY(c, struct receiver, courier);
    struct cursor in = {body};
    struct answer a;

    (void)kind, (void)file, (void)handle; /* it says nothing else to us */
    if (answer_read(&in, &a))
        sessions_answered(&r->sessions, &a);
}

/* We go on accepting: what is on disk is found by the next courier. */
static void courier_closed(struct channel *c)
{
    struct receiver *r = LIST_ENTRY(c, struct receiver, courier);

    role_parted(&r->role, c);
    sessions_unanswered(&r->sessions);
}

static void vault_message(struct channel *c, enum message_kind kind, struct slice body,
                          struct disk_file *file, int handle)
{
    struct receiver *r = LIST_ENTRY(c, struct receiver, vault);
    struct cursor in = {body};
    struct login_answer a;

    (void)kind, (void)file, (void)handle; /* it says nothing else to us */
    if (login_answer_read(&in, &a))
        sessions_login_answered(&r->sessions, &a);
}

static void vault_closed(struct channel *c)
{
    struct receiver *r = LIST_ENTRY(c, struct receiver, vault);

    role_parted(&r->role, c);
    sessions_login_unanswered(&r->sessions);
}

static void meet_vault(struct receiver *r, int handle)
{
    if (channel_is_open(&r->vault)) { /* its end was not noticed yet */
        channel_close(&r->vault);
        sessions_login_unanswered(&r->sessions);
    }
    role_meet(&r->role, &r->vault, handle, ROLE_VAULT, vault_message, vault_closed);
}

static void meet_courier(struct receiver *r, int handle)
{
    if (channel_is_open(&r->courier)) { /* its end was not noticed yet */
        channel_close(&r->courier);
        sessions_unanswered(&r->sessions);
    }
    role_meet(&r->role, &r->courier, handle, ROLE_COURIER, courier_message, courier_closed);
    r->told_segment = r->told_offset = 0; /* this courier was told nothing yet */
    publish(r);
}

static void receiver_peer(struct role *role, enum role_kind kind, unsigned index, int handle)
{
    struct receiver *r = receiver_of(role);

    (void)index;
    if (kind == ROLE_COURIER)
        meet_courier(r, handle);
    else if (kind == ROLE_VAULT)
        meet_vault(r, handle);
    else
        role->doors->net->ops->close(role->doors->net, handle);
}

static void receiver_listen(struct role *role, unsigned number, int handle)
{
    int code = entrances_listen(receiver_of(role)->now, number, handle);

    if (code < 0)
        role_end(role, code);
}

/* Without it nobody is limited: mail goes on, and that it does so is told. */
static void receiver_tally(struct role *role, struct disk_file *file)
{
    struct counts *counts = &receiver_of(role)->counts;
    int code;

    counts_close(counts);
    relief_begin_anew(&receiver_of(role)->relief);
    code = counts_open(counts, file, role->receivers, role->index);
    if (code < 0)
        fail_code(code, "share the counts of", SLICE("clients: nobody is limited"));
}

static void receiver_dropped(struct role *role, struct slice what, struct disk_file *file)
{
    pickups_take(&receiver_of(role)->pickups, what, file);
}

static void receiver_ticket_keys(struct role *role, struct slice keys)
{
    if (!tls_ticket_keys_read(&receiver_of(role)->entrances.ticket_keys, keys))
        role_end(role, -EBADMSG);
}

/* What is offered follows; who is there no more, or is disabled, leaves. */
static void receiver_accounts(struct role *role)
{
    struct receiver *r = receiver_of(role);

    entrances_follow_accounts(r->now);
    LIST_EACH (node, &r->older)
        entrances_follow_accounts(LIST_ENTRY(node, struct entrances, link));
    sessions_check_users(&r->sessions);
}

/* Nobody is refused meanwhile: the sockets are the warden's, and those who come wait in them. */
static int receiver_reload(struct role *role, const struct settings *old)
{
    struct receiver *r = receiver_of(role);

    (void)old; /* whose entrances hold them */
    entrances_close(r->now);
    relief_begin_anew(&r->relief);
    list_append(&r->older, &r->now->link);
    r->now = entrances_new(role, &r->entrances);
    sessions_check_users(&r->sessions);
    return 0;
}

static void on_drain_deadline(struct timer *t)
{
    role_end(&LIST_ENTRY(t, struct receiver, drain_deadline)->role, 0);
}

static void receiver_drain(struct role *role)
{
    struct receiver *r = receiver_of(role);

    relief_end(&r->relief);
    entrances_close(r->now);
    vestibule_clear(&r->entrances.vestibule);
    sessions_shut_down(&r->sessions);
    timer_set(role->loop, &r->drain_deadline, DRAIN_TIMEOUT_MS);
    if (list_empty(&r->sessions.all))
        role_end(role, 0);
}

static void receiver_done(struct role *role)
{
    struct receiver *r = receiver_of(role);

    if (r->queue != NULL)
        queue_in_stop(r->queue); /* a job may be at a session's draft */
    if (r->now != NULL)
        entrances_close(r->now);
    relief_end(&r->relief);
    pickups_done(&r->pickups);
    sessions_drop_drafts(&r->sessions);
    if (r->queue != NULL)
        queue_in_close(r->queue);
    vestibule_clear(&r->entrances.vestibule);
    sessions_free(&r->sessions);
    free_unused(r);
    entrances_free(r->now);
    bad_addresses_free(r->entrances.faults);
    counts_close(&r->counts);
    channel_close(&r->courier);
    channel_close(&r->vault);
    timer_cancel(role->loop, &r->drain_deadline);
    disk_dir_close(r->dir);
}

struct role *receiver_new(const struct role_doors *doors, unsigned index, int warden_handle)
{
    static const struct role_calls calls = {.start = receiver_start,
                                            .reload = receiver_reload,
                                            .peer = receiver_peer,
                                            .listen = receiver_listen,
                                            .ticket_keys = receiver_ticket_keys,
                                            .tally = receiver_tally,
                                            .accounts = receiver_accounts,
                                            .dropped = receiver_dropped,
                                            .drain = receiver_drain,
                                            .before_sleep = receiver_before_sleep,
                                            .done = receiver_done};
    struct receiver *r = MEMORY_NEW(struct receiver);

    sessions_init(&r->sessions, &r->role);
    r->sessions.courier = &r->courier;
    r->sessions.vault = &r->vault;
    r->sessions.counts = &r->counts;
    r->entrances.sessions = &r->sessions;
    vestibule_init(&r->entrances.vestibule, &r->sessions);
    pickups_init(&r->pickups, &r->sessions, &r->now);
    relief_init(&r->relief, &r->sessions, &r->now);
    list_init(&r->older);
    r->courier.watch.handle = r->vault.watch.handle = -1;
    timer_init(&r->drain_deadline, on_drain_deadline);
    role_init(&r->role, ROLE_RECEIVER, index, doors, &calls, WORKER_THREADS, warden_handle);
    return &r->role;
}
