/*
 * role.c - the common life of a role.
 *
 * Peers and listeners handed over before START wait in `pending`, so that no message of a peer
 * can reach a role whose queue is not open yet. Events are gathered for a round and leave in one
 * datagram: telling costs no wake-up per message.
 *
 * Failures come from any thread, and from the middle of building an event. They wait on a stack
 * without locks for the loop, because only the loop knows whether the scribe's handle is still
 * the scribe's: a closed one's number may already be an accepted connection's.
 */
#include "roles/role.h"

#include "base/fail.h"
#include "base/memory.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { FAILURE_TEXT_MAX = 512 };

static void send_events(struct role *r)
{
    if (buf_len(&r->events) == 0)
        return;
    if (channel_send(&r->scribe, MESSAGE_EVENTS, buf_slice(&r->events), NULL, -1) < 0)
        r->events_lost += r->events_in_buf + r->gap_in_buf;
    buf_clear(&r->events);
    r->events_in_buf = 0;
    r->gap_in_buf = 0;
}

/* Tells the gap first, so that a reader of the log knows what is missing where. A mark that does
 * not leave counts for the events it stood for. */
static void mark_gap(struct role *r)
{
    struct event_writer w = event_begin(&r->events, EVENT_LOST, clock_wall_us(r->doors->clock));

    event_text(&w, FIELD_ROLE, slice_of(role_name(r->kind)));
    event_number(&w, FIELD_COUNT, r->events_lost);
    if (!event_end(&w))
        return;
    r->gap_in_buf += r->events_lost;
    r->events_lost = 0;
}

static struct event_writer begin(struct role *r, enum event_kind kind, struct slice tag,
                                 uint64_t wall_us)
{
    if (buf_room(&r->events) < ROLE_EVENTS_MAX / 2)
        send_events(r);
    if (r->events_lost > 0 && channel_is_open(&r->scribe))
        mark_gap(r);
    struct event_writer w = event_begin(&r->events, kind, wall_us);
    event_text(&w, FIELD_ROLE, tag);
    return w;
}

struct event_writer role_event(struct role *r, enum event_kind kind, struct slice tag)
{
    return begin(r, kind, tag, clock_wall_us(r->doors->clock));
}

void role_event_end(struct role *r, struct event_writer *w)
{
    if (event_end(w))
        r->events_in_buf++;
    else
        r->events_lost++;
}

void role_event_address(struct event_writer *w, enum event_field field, const struct address *a)
{
    struct buf text;

    buf_init(&text, 1024);
    address_write(&text, a);
    event_text(w, field, buf_slice(&text));
    buf_done(&text);
}

void role_warn(struct role *r, struct slice tag, struct slice text)
{
    struct event_writer w = role_event(r, EVENT_WARNING, tag);

    event_text(&w, FIELD_TEXT, text);
    role_event_end(r, &w);
}

/* Failures */

struct failure {
    struct failure *next;
    uint64_t wall_us;
    int code;
    size_t operation_len;
    size_t name_len;
    char text[]; /* the operation, then the name */
};

static struct failure *failure_new(uint64_t wall_us, int code, struct slice operation,
                                   struct slice name)
{
    struct failure *f = memory_new(sizeof(*f) + operation.len + name.len);

    f->wall_us = wall_us;
    f->code = code;
    f->operation_len = operation.len;
    f->name_len = name.len;
    memcpy(f->text, operation.data, operation.len);
    if (name.len > 0)
        memcpy(f->text + operation.len, name.data, name.len);
    return f;
}

void role_tell_failure(void *ctx, int code, const char *operation, struct slice name)
{
    struct role *r = ctx;

    if (atomic_fetch_add(&r->failures_waiting, 1) >= ROLE_FAILURES_MAX) {
        atomic_fetch_sub(&r->failures_waiting, 1);
        atomic_fetch_add(&r->failures_lost, 1);
        return;
    }
    struct failure *f = failure_new(clock_wall_us(r->doors->clock), code,
                                    slice_head(slice_of(operation), FAILURE_TEXT_MAX),
                                    slice_head(name, FAILURE_TEXT_MAX));
    f->next = atomic_load(&r->failures);
    while (!atomic_compare_exchange_weak(&r->failures, &f->next, f))
        ;
    loop_wake(r->loop);
}

/* Everything that waits, oldest first. */
static struct failure *take_failures(struct role *r)
{
    struct failure *newest = atomic_exchange(&r->failures, NULL), *oldest = NULL;

    while (newest != NULL) {
        struct failure *f = newest;

        newest = f->next;
        f->next = oldest;
        oldest = f;
        atomic_fetch_sub(&r->failures_waiting, 1);
    }
    return oldest;
}

static void failure_event(struct role *r, const struct failure *f)
{
    struct event_writer w = begin(r, EVENT_FAILURE, slice_of(role_name(r->kind)), f->wall_us);

    event_number(&w, FIELD_CODE, (uint64_t) - (int64_t)f->code);
    event_text(&w, FIELD_OPERATION, (struct slice){f->text, f->operation_len});
    event_text(&w, FIELD_NAME, (struct slice){f->text + f->operation_len, f->name_len});
    role_event_end(r, &w);
}

/* They are rare and matter: without a scribe they wait for the next one. */
static void gather_failures(struct role *r)
{
    if (!channel_is_open(&r->scribe))
        return;
    r->events_lost += atomic_exchange(&r->failures_lost, 0);
    for (struct failure *f = take_failures(r), *next; f != NULL; f = next) {
        next = f->next;
        failure_event(r, f);
        memory_free(f);
    }
}

static void drop_failures(struct role *r)
{
    for (struct failure *f = take_failures(r), *next; f != NULL; f = next) {
        next = f->next;
        memory_free(f);
    }
}

void role_end(struct role *r, int code)
{
    if (r->failed == 0)
        r->failed = code;
    gather_failures(r);
    send_events(r);
    loop_stop(r->loop);
}

void role_meet(struct role *r, struct channel *c, int handle, enum role_kind peer,
               void (*on_message)(struct channel *, enum message_kind, struct slice,
                                  struct disk_file *, int),
               void (*on_closed)(struct channel *))
{
    int code = channel_open(c, r->loop, handle, r->kind, peer, on_message, on_closed);

    if (code < 0)
        role_end(r, fail_code(code, "open the channel to", slice_of(role_name(peer))));
}

void role_parted(struct role *r, const struct channel *c)
{
    if (c->error < 0)
        role_end(r, c->error); /* told already */
}

static void before_sleep(void *ctx)
{
    struct role *r = ctx;

    if (r->started)
        r->calls->before_sleep(r);
    gather_failures(r);
    send_events(r);
}

static void on_wake(void *ctx)
{
    struct role *r = ctx;

    if (r->worker != NULL)
        worker_collect(r->worker);
}

static void wake_loop(void *ctx)
{
    loop_wake(((struct role *)ctx)->loop);
}

static int read_settings(struct disk_file *file, struct settings **out)
{
    struct settings_errors errors;
    uint64_t size;
    int code = disk_size(file, &size);

    if (code < 0)
        return code;
    if (size > BUNDLE_MAX)
        return -EFBIG;
    char *text = memory_new((size_t)size);
    int64_t got = disk_read(file, text, (size_t)size, 0);
    if (got == (int64_t)size) {
        *out = settings_parse((struct slice){text, (size_t)size}, NULL, &errors);
        settings_errors_done(&errors);
    }
    explicit_bzero(text, (size_t)size); /* secrets are in it */
    memory_free(text);
    return *out == NULL ? -EINVAL : 0;
}

static void take_settings(struct role *r, struct slice body, struct disk_file *file)
{
    struct cursor c = {body};
    uint32_t receivers;
    int code = -EBADMSG;

    settings_free(r->next); /* the warden thought better of it */
    r->next = NULL;
    if (file != NULL && get_u32(&c, &receivers))
        code = read_settings(file, &r->next);
    if (code == 0)
        r->receivers = receivers;
    disk_close(file);
    if (code < 0)
        role_end(r, fail_code(code, "read the settings of", slice_of(role_name(r->kind))));
}

static const struct settings_table *table_at(const struct settings *s, struct slice path)
{
    const struct settings_table *one = s->tables;

    while (one != NULL && (one->type != TABLE_ACCOUNTS || !slice_equal(one->path, path)))
        one = one->next;
    return one;
}

/* Everybody who looks at a table sees the accounts of `fresh` in it, which has its old ones then.
 */
static void swap_accounts(struct settings *s, const struct settings *fresh)
{
    for (struct settings_table *ours = s->tables; ours != NULL; ours = ours->next) {
        const struct settings_table *theirs =
            ours->type == TABLE_ACCOUNTS ? table_at(fresh, ours->path) : NULL;

        if (theirs != NULL)
            accounts_swap(ours->accounts, theirs->accounts);
    }
}

static int change_accounts(struct settings *s, struct disk_file *file)
{
    struct settings *fresh = NULL;
    int code = s == NULL ? -EBADMSG : read_settings(file, &fresh);

    if (code == 0)
        swap_accounts(s, fresh);
    settings_free(fresh);
    return code;
}

/* Who is disabled is so for sessions under older settings, too. */
static void take_accounts(struct role *r, struct disk_file *file)
{
    int code = file == NULL ? -EBADMSG : change_accounts(r->started ? r->settings : r->next, file);

    LIST_EACH (node, &r->older)
        if (code == 0)
            code = change_accounts(LIST_ENTRY(node, struct settings, link), file);
    disk_close(file);
    if (code < 0)
        role_end(r, fail_code(code, "read the accounts of", slice_of(role_name(r->kind))));
    else if (r->started && r->calls->accounts != NULL)
        r->calls->accounts(r);
}

static void take_ticket_keys(struct role *r, struct slice keys)
{
    if (r->calls->ticket_keys != NULL)
        r->calls->ticket_keys(r, keys);
    else
        role_end(r, -EBADMSG);
}

static void take_tally(struct role *r, struct disk_file *file)
{
    if (r->calls->tally != NULL && file != NULL)
        r->calls->tally(r, file);
    disk_close(file);
}

static void take_dropped(struct role *r, struct slice body, struct disk_file *file)
{
    if (r->calls->dropped != NULL && r->started && file != NULL)
        r->calls->dropped(r, body, file);
    else
        disk_close(file);
}

static void take_outcome(struct role *r, struct slice body)
{
    struct cursor c = {body};
    uint8_t serves;

    if (r->calls->reloaded != NULL && r->started && get_u8(&c, &serves))
        r->calls->reloaded(r, serves != 0);
}

/* ---- folders ---- */

struct folder {
    struct list link;
    struct disk_dir *dir;
    size_t path_len;
    char path[];
};

static void take_folder(struct role *r, struct slice path, int handle)
{
    struct folder *f = memory_new(sizeof(*f) + path.len);

    f->dir = disk_dir_of_fd(handle);
    f->path_len = path.len;
    memcpy(f->path, path.data, path.len);
    list_append(&r->folders, &f->link);
}

static void folder_forget(struct folder *f)
{
    list_remove(&f->link);
    memory_free(f);
}

static void drop_folders(struct role *r)
{
    LIST_EACH (node, &r->folders) {
        struct folder *f = LIST_ENTRY(node, struct folder, link);

        disk_dir_close(f->dir);
        folder_forget(f);
    }
}

bool role_take_folder(struct role *r, struct slice path, struct disk_dir **out)
{
    LIST_EACH (node, &r->folders) {
        struct folder *f = LIST_ENTRY(node, struct folder, link);

        if (!slice_equal((struct slice){f->path, f->path_len}, path))
            continue;
        *out = f->dir;
        folder_forget(f);
        return true;
    }
    return false;
}

int role_folder(struct role *r, struct slice path, struct disk_dir **out)
{
    return role_take_folder(r, path, out) ? 0 : disk_dir_make_path(r->doors->disk, path, 0700, out);
}

static void hand_over(struct role *r, const struct role_pending *p)
{
    if (p->kind == MESSAGE_LISTEN)
        r->calls->listen(r, p->index, p->handle);
    else
        r->calls->peer(r, p->peer, p->index, p->handle);
}

/* Who holds the old ones lets go of them in time. */
static int change_settings(struct role *r)
{
    struct settings *old = r->settings;
    int code = 0;

    r->settings = r->next;
    r->next = NULL;
    list_append(&r->older, &old->link);
    if (r->calls->reload != NULL)
        code = r->calls->reload(r, old);
    settings_free(old);
    return code;
}

static int begin_with_settings(struct role *r)
{
    if (r->next == NULL)
        return -EINVAL;
    if (r->started)
        return change_settings(r);
    r->settings = r->next;
    r->next = NULL;
    return r->calls->start(r);
}

static void start(struct role *r)
{
    int code = begin_with_settings(r);

    if (code < 0) {
        role_end(r, fail_code(code, "start", slice_of(role_name(r->kind))));
        return;
    }
    r->started = true;
    drop_folders(r);
    for (unsigned i = 0; i < r->pending_count; i++)
        hand_over(r, &r->pending[i]);
    r->pending_count = 0;
    channel_send(&r->warden, MESSAGE_READY, (struct slice){NULL, 0}, NULL, -1);
}

static void scribe_message(struct channel *c, enum message_kind kind, struct slice body,
                           struct disk_file *file, int handle)
{
    /* The matrix lets the scribe say nothing to us. */
    (void)c, (void)kind, (void)body, (void)file, (void)handle;
}

/* Events are counted as lost until the warden hands over a new end. */
static void scribe_closed(struct channel *c)
{
    role_parted(LIST_ENTRY(c, struct role, scribe), c);
}

static void take_peer(struct role *r, struct slice body, int handle)
{
    struct cursor c = {body};
    uint8_t kind;
    uint32_t index;

    if (handle < 0 || !get_u8(&c, &kind) || !get_u32(&c, &index) || kind >= ROLE_COUNT ||
        r->pending_count == ROLE_PENDING_MAX) {
        role_end(r, -EBADMSG);
        return;
    }
    if (kind == ROLE_SCRIBE && r->kind != ROLE_SCRIBE) {
        channel_close(&r->scribe);
        role_meet(r, &r->scribe, handle, ROLE_SCRIBE, scribe_message, scribe_closed);
        return;
    }
    struct role_pending p = {MESSAGE_PEER, (enum role_kind)kind, index, handle};
    if (r->started)
        hand_over(r, &p);
    else
        r->pending[r->pending_count++] = p;
}

static void take_listen(struct role *r, struct slice body, int handle)
{
    struct cursor c = {body};
    uint32_t number;

    if (handle < 0 || !get_u32(&c, &number) || r->calls->listen == NULL ||
        r->pending_count == ROLE_PENDING_MAX) {
        role_end(r, -EBADMSG);
        return;
    }
    struct role_pending p = {MESSAGE_LISTEN, ROLE_WARDEN, number, handle};
    if (r->started && r->next == NULL)
        hand_over(r, &p);
    else
        r->pending[r->pending_count++] = p;
}

static void warden_message(struct channel *c, enum message_kind kind, struct slice body,
                           struct disk_file *file, int handle)
{
    struct role *r = LIST_ENTRY(c, struct role, warden);

    switch (kind) {
    case MESSAGE_SETTINGS: take_settings(r, body, file); return;
    case MESSAGE_PEER: take_peer(r, body, handle); return;
    case MESSAGE_LISTEN: take_listen(r, body, handle); return;
    case MESSAGE_FOLDER: take_folder(r, body, handle); return;
    case MESSAGE_TICKET_KEYS: take_ticket_keys(r, body); return;
    case MESSAGE_ACCOUNTS: take_accounts(r, file); return;
    case MESSAGE_RELOADED: take_outcome(r, body); return;
    case MESSAGE_TALLY: take_tally(r, file); return;
    case MESSAGE_DROP: take_dropped(r, body, file); return;
    case MESSAGE_START: start(r); return;
    case MESSAGE_DRAIN:
        r->draining = true;
        if (r->started)
            r->calls->drain(r);
        else
            role_end(r, 0);
        return;
    case MESSAGE_READY:
    case MESSAGE_REREAD:
    case MESSAGE_RELOAD:
    case MESSAGE_DURABLE:
    case MESSAGE_LAST_GOOD:
    case MESSAGE_ETRN:
    case MESSAGE_ASK:
    case MESSAGE_ASKED:
    case MESSAGE_LOGIN:
    case MESSAGE_LOGIN_ANSWER:
    case MESSAGE_FETCH:
    case MESSAGE_FETCHED:
    case MESSAGE_TOKEN:
    case MESSAGE_TOKEN_ANSWER:
    case MESSAGE_DELIVER:
    case MESSAGE_DELIVERED:
    case MESSAGE_EVENTS:
    case MESSAGE_DROPPED:
    case MESSAGE_KIND_COUNT: break;
    }
    role_end(r, -EBADMSG);
}

/* Without a warden nobody would restart or stop us. */
static void warden_closed(struct channel *c)
{
    struct role *r = LIST_ENTRY(c, struct role, warden);

    role_end(r, c->error);
}

void role_init(struct role *r, enum role_kind kind, unsigned index, const struct role_doors *doors,
               const struct role_calls *calls, unsigned worker_threads, int warden_handle)
{
    r->kind = kind;
    r->index = index;
    r->doors = doors;
    r->calls = calls;
    list_init(&r->older);
    list_init(&r->folders);
    r->loop = loop_new(doors->net, doors->clock);
    buf_init(&r->events, ROLE_EVENTS_MAX);
    loop_before_sleep(r->loop, before_sleep, r);
    loop_on_wake(r->loop, on_wake, r);
    r->scribe.watch.handle = -1;
    r->warden.watch.handle = -1;
    if (worker_threads > 0)
        r->worker = doors->worker_new(doors, worker_threads, wake_loop, r);
    if (worker_threads > 0 && r->worker == NULL)
        role_end(r, fail_code(-EAGAIN, "start threads of", slice_of(role_name(kind))));
    int code = channel_open(&r->warden, r->loop, warden_handle, kind, ROLE_WARDEN, warden_message,
                            warden_closed);
    if (code < 0)
        role_end(r, fail_code(code, "open the warden's channel of", slice_of(role_name(kind))));
}

void role_done(struct role *r)
{
    for (unsigned i = 0; i < r->pending_count; i++)
        r->doors->net->ops->close(r->doors->net, r->pending[i].handle);
    if (r->worker != NULL)
        worker_free(r->worker);
    gather_failures(r); /* no thread tells any more */
    send_events(r);
    drop_failures(r);
    drop_folders(r);
    channel_close(&r->scribe);
    channel_close(&r->warden);
    buf_done(&r->events);
    settings_free(r->next);
    settings_free(r->settings);
    LIST_EACH (node, &r->older)
        list_remove(node); /* whoever holds them frees them */
    loop_free(r->loop);
}

void role_free(struct role *r)
{
    r->calls->done(r);
    role_done(r);
    memory_free(r);
}

static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static struct role *role_new(enum role_kind kind, const struct role_doors *doors, unsigned index,
                             int warden_handle)
{
    switch (kind) {
    case ROLE_RECEIVER: return receiver_new(doors, index, warden_handle);
    case ROLE_COURIER: return courier_new(doors, warden_handle);
    case ROLE_POSTMAN: return postman_new(doors, warden_handle);
    case ROLE_VAULT: return vault_new(doors, warden_handle);
    case ROLE_SCRIBE: return scribe_new(doors, warden_handle);
    case ROLE_WARDEN:
    case ROLE_COUNT: break;
    }
    assert(kind > ROLE_WARDEN && kind < ROLE_COUNT);
    abort();
}

static struct worker *real_worker(const struct role_doors *doors, unsigned threads,
                                  void (*wake)(void *ctx), void *ctx)
{
    (void)doors;
    return worker_new(threads, wake, ctx);
}

static struct resolver *real_resolver(const struct role_doors *doors, struct loop *loop,
                                      const struct settings *settings)
{
    struct resolver_options options = {.source = settings->dns_source,
                                       .forwarder = settings->dns_forwarder};

    (void)doors;
    return resolver_new(loop, &options);
}

static struct fetcher *real_fetcher(const struct role_doors *doors, struct loop *loop)
{
    (void)doors;
    return fetcher_new(loop);
}

static void real_log(const struct role_doors *doors, struct slice lines)
{
    (void)doors;
    fwrite(lines.data, 1, lines.len, stderr);
    fflush(stderr);
}

int role_main(enum role_kind kind, unsigned index, int warden_fd)
{
    struct role_doors doors = {.clock = clock_real(),
                               .random = random_real(),
                               .disk = disk_real(),
                               .net = net_real_new(),
                               .worker_new = real_worker,
                               .resolver_new = real_resolver,
                               .fetcher_new = real_fetcher,
                               .log = real_log};

    /* A terminal's Ctrl-C reaches the whole group; only the warden decides when we end. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    raise_file_limit();
    if (doors.net == NULL)
        return EXIT_FAILURE;
    struct role *r = role_new(kind, &doors, index, warden_fd);
    if (kind != ROLE_SCRIBE)
        fail_set_sink(role_tell_failure, r);
    int code = r->failed == 0 ? loop_run(r->loop) : r->failed;
    if (code == 0)
        code = r->failed;
    role_free(r); /* its threads may tell failures to the end */
    fail_set_sink(NULL, NULL);
    doors.net->ops->free(doors.net);
    return code < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
