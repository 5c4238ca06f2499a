/*
 * net.c - the other side of the network's door.
 *
 * A handle is an index into the world's table; several may name one socket (passed or duplicated),
 * which goes with the last. Whatever travels is a parcel with a time of arrival in the list of the
 * socket that will get it; parcels of one direction never overtake each other. A connection's end
 * is a parcel too, so that it comes after the bytes.
 */
#include "fakes/net.h"

#include "base/list.h"
#include "fakes/outside.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

enum { HANDLES_MAX = 4096, IN_FLIGHT_MAX = 64 * 1024, FIRST_PORT = 40000 };

enum socket_kind { SOCKET_LISTENER, SOCKET_STREAM, SOCKET_PAIR };

struct parcel {
    struct list link;
    uint64_t at_us;
    bool end;               /* nothing follows */
    struct disk_file *file; /* owned */
    struct socket *cargo;   /* a passed handle (counted), or a connection to accept */
    size_t len, taken;
    char bytes[];
};

struct socket {
    enum socket_kind kind;
    unsigned refs;
    struct socket *peer; /* NULL once that is closed */
    struct list arriving;
    size_t in_flight;
    uint64_t last_at_us;  /* nothing sent later arrives earlier */
    uint64_t ready_at_us; /* connecting until then */
    bool refused, reset, ended, shut;
    bool any;
    char *path; /* a listener in the file system; or NULL */
    struct net_address own, far;
};

struct fake_network {
    struct fake_clock *clock;
    struct fake_network_options options;
    uint64_t random;
    uint16_t next_port;
    int top; /* no handle was ever as large */
    struct socket *handles[HANDLES_MAX];
};

struct watched {
    unsigned events;
    void *ctx;
    bool on;
    int place; /* in watching */
};

struct fake_net {
    struct net net;
    struct fake_network *world;
    struct net_address host;
    const bool *dead; /* NULL: it lives for ever */
    uint64_t calls;   /* that may find the system short */
    uint64_t short_at;
    atomic_bool woken;
    struct watched watched[HANDLES_MAX];
    int watching[HANDLES_MAX]; /* the handles that are watched */
    int watching_count;
    int first; /* where the next wait() begins to look, so that nobody starves */
};

static struct fake_net *fake(struct net *n)
{
    return (struct fake_net *)(void *)n;
}

static uint64_t now_us(const struct fake_network *w)
{
    return w->clock->now_us;
}

static uint64_t chance_below(struct fake_network *w, uint64_t bound)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % bound;
}

/* Handles and sockets */

static struct socket *socket_of(struct net *n, int h)
{
    return h >= 0 && h < HANDLES_MAX ? fake(n)->world->handles[h] : NULL;
}

static struct socket *socket_new(enum socket_kind kind)
{
    struct socket *s = OUTSIDE_NEW(struct socket);

    s->kind = kind;
    list_init(&s->arriving);
    return s;
}

static int handle_new(struct fake_network *w, struct socket *s)
{
    for (int h = 3; h < HANDLES_MAX; h++) {
        if (w->handles[h] == NULL) {
            w->handles[h] = s;
            s->refs++;
            if (h >= w->top)
                w->top = h + 1;
            return h;
        }
    }
    return -EMFILE;
}

static void socket_drop(struct fake_network *w, struct socket *s);

static void parcel_free(struct fake_network *w, struct parcel *p)
{
    list_remove(&p->link);
    if (p->file != NULL)
        disk_close(p->file);
    if (p->cargo != NULL)
        socket_drop(w, p->cargo);
    outside_free(p);
}

static void parcels_free(struct fake_network *w, struct socket *s)
{
    LIST_EACH (node, &s->arriving)
        parcel_free(w, LIST_ENTRY(node, struct parcel, link));
    s->in_flight = 0;
}

/* The connection breaks: what was in flight is lost, both sides learn it at once. */
static void socket_reset(struct fake_network *w, struct socket *s)
{
    parcels_free(w, s);
    s->reset = true;
    if (s->peer != NULL) {
        parcels_free(w, s->peer);
        s->peer->reset = true;
    }
}

static struct parcel *parcel_send(struct fake_network *w, struct socket *to, struct slice bytes)
{
    struct parcel *p = outside_new(sizeof(*p) + bytes.len);
    uint64_t delay = w->options.delay_max_us;

    p->at_us = now_us(w) + (delay > 0 ? chance_below(w, delay + 1) : 0);
    if (p->at_us < to->last_at_us)
        p->at_us = to->last_at_us;
    to->last_at_us = p->at_us;
    p->len = bytes.len;
    if (bytes.len > 0)
        memcpy(p->bytes, bytes.data, bytes.len);
    to->in_flight += bytes.len;
    list_append(&to->arriving, &p->link);
    return p;
}

static void send_end(struct fake_network *w, struct socket *s)
{
    if (s->peer != NULL && !s->shut && !s->reset)
        parcel_send(w, s->peer, (struct slice){0})->end = true;
    s->shut = true;
}

/* One name less. */
static void socket_drop(struct fake_network *w, struct socket *s)
{
    if (--s->refs > 0)
        return;
    if (s->kind == SOCKET_STREAM && s->in_flight > 0)
        socket_reset(w, s); /* unread bytes, as TCP does */
    else
        send_end(w, s);
    if (s->peer != NULL)
        s->peer->peer = NULL;
    s->peer = NULL;
    parcels_free(w, s);
    outside_free(s->path);
    outside_free(s);
}

/* What has arrived. */
static struct parcel *first_arrived(const struct fake_network *w, const struct socket *s)
{
    if (list_empty(&s->arriving))
        return NULL;
    struct parcel *p = LIST_ENTRY(s->arriving.next, struct parcel, link);
    return p->at_us <= now_us(w) ? p : NULL;
}

/* Waiting */

static bool is_connecting(const struct fake_network *w, const struct socket *s)
{
    return s->kind == SOCKET_STREAM && now_us(w) < s->ready_at_us;
}

static unsigned socket_events(const struct fake_network *w, const struct socket *s)
{
    unsigned events = 0;

    if (is_connecting(w, s))
        return 0;
    if (s->reset || s->refused)
        return NET_READABLE | NET_WRITABLE | NET_HANGUP;
    if (first_arrived(w, s) != NULL || s->ended)
        events |= NET_READABLE;
    if (s->kind == SOCKET_LISTENER)
        return events;
    /* A datagram of any length fits only an empty pair: a lesser promise would be broken at once,
     * again and again. */
    if (s->peer == NULL || s->peer->in_flight < (s->kind == SOCKET_PAIR ? 1 : IN_FLIGHT_MAX))
        events |= NET_WRITABLE;
    if (s->ended && s->shut)
        events |= NET_HANGUP;
    return events;
}

/* When something changes for this socket without anybody's doing. */
static bool socket_next_us(const struct fake_network *w, const struct socket *s, uint64_t *at_us)
{
    if (is_connecting(w, s)) {
        *at_us = s->ready_at_us;
        return true;
    }
    if (list_empty(&s->arriving))
        return false;
    *at_us = LIST_ENTRY(s->arriving.next, struct parcel, link)->at_us;
    return *at_us > now_us(w);
}

bool fake_network_next_us(const struct fake_network *w, uint64_t *at_us)
{
    bool found = false;

    for (int h = 0; h < w->top; h++) {
        uint64_t candidate;
        if (w->handles[h] == NULL || !socket_next_us(w, w->handles[h], &candidate))
            continue;
        *at_us = found && *at_us < candidate ? *at_us : candidate;
        found = true;
    }
    return found;
}

static bool is_dead(struct net *n)
{
    return fake(n)->dead != NULL && *fake(n)->dead;
}

void fake_net_short_at(struct net *n, uint64_t call)
{
    fake(n)->short_at = call == 0 ? 0 : fake(n)->calls + call;
}

/* Counts such a call; true when it is the one. */
static bool is_short(struct net *n)
{
    return ++fake(n)->calls == fake(n)->short_at;
}

static int fake_watch(struct net *n, int h, unsigned events, bool exclusive, void *ctx)
{
    struct fake_net *f = fake(n);

    (void)exclusive;
    if (socket_of(n, h) == NULL)
        return -EBADF;
    if (is_short(n))
        return -ENOMEM;
    if (f->watched[h].on)
        return -EEXIST;
    f->watched[h] = (struct watched){events, ctx, true, f->watching_count};
    f->watching[f->watching_count++] = h;
    return 0;
}

static int fake_rewatch(struct net *n, int h, unsigned events, void *ctx)
{
    if (socket_of(n, h) == NULL || !fake(n)->watched[h].on)
        return -ENOENT;
    fake(n)->watched[h].events = events;
    fake(n)->watched[h].ctx = ctx;
    return 0;
}

static void fake_unwatch(struct net *n, int h)
{
    struct fake_net *f = fake(n);

    if (!f->watched[h].on)
        return;
    int last = f->watching[--f->watching_count], place = f->watched[h].place;
    f->watching[place] = last;
    f->watched[last].place = place;
    f->watched[h] = (struct watched){0};
}

static unsigned wanted_events(const struct fake_net *f, int h)
{
    return socket_events(f->world, f->world->handles[h]) & (f->watched[h].events | NET_HANGUP);
}

static int collect(struct fake_net *f, struct net_event *out, int max)
{
    int count = 0, start = f->first;

    for (int i = 0; i < f->watching_count && count < max; i++) {
        int place = (start + i) % f->watching_count, h = f->watching[place];
        unsigned events = wanted_events(f, h);
        if (events == 0)
            continue;
        out[count++] = (struct net_event){f->watched[h].ctx, events};
        f->first = place + 1;
    }
    return count;
}

bool fake_net_is_ready(const struct net *n)
{
    const struct fake_net *f = (const struct fake_net *)(const void *)n;

    if (atomic_load(&f->woken))
        return true;
    for (int i = 0; i < f->watching_count; i++)
        if (wanted_events(f, f->watching[i]) != 0)
            return true;
    return false;
}

void fake_net_dies_with(struct net *n, const bool *dead)
{
    fake(n)->dead = dead;
}

static int fake_wait(struct net *n, struct net_event *out, int max, int64_t timeout_us)
{
    struct fake_net *f = fake(n);
    struct fake_network *w = f->world;
    uint64_t until_us = now_us(w) + (uint64_t)timeout_us, next_us;

    for (;;) {
        int count = collect(f, out, max);
        if (atomic_exchange(&f->woken, false) || count > 0 || timeout_us == 0)
            return count;
        bool arrives = fake_network_next_us(w, &next_us);
        if (timeout_us < 0 && !arrives)
            return -EDEADLK;
        if (timeout_us > 0 && (!arrives || next_us >= until_us)) {
            fake_clock_advance(w->clock, until_us - now_us(w));
            return collect(f, out, max);
        }
        fake_clock_advance(w->clock, next_us - now_us(w));
    }
}

static void fake_wake(struct net *n)
{
    atomic_store(&fake(n)->woken, true);
}

/* Connections */

static struct socket *listener_at(struct fake_network *w, const struct net_address *at)
{
    for (int h = 0; h < w->top; h++) {
        struct socket *s = w->handles[h];
        if (s != NULL && s->kind == SOCKET_LISTENER && s->path == NULL && s->own.port == at->port &&
            (s->any || memcmp(s->own.ip, at->ip, sizeof(at->ip)) == 0))
            return s;
    }
    return NULL;
}

/* One file system for the whole world; nothing of such a socket lies on the fake disk. */
static struct socket *listener_in(struct fake_network *w, const char *path)
{
    for (int h = 0; h < w->top; h++) {
        struct socket *s = w->handles[h];
        if (s != NULL && s->path != NULL && strcmp(s->path, path) == 0)
            return s;
    }
    return NULL;
}

static int fake_listen_local(struct net *n, const char *path, unsigned mode, int backlog)
{
    struct fake_network *w = fake(n)->world;

    (void)mode, (void)backlog;
    if (listener_in(w, path) != NULL)
        return -EADDRINUSE;
    struct socket *s = socket_new(SOCKET_LISTENER);
    size_t size = strlen(path) + 1;
    s->path = outside_new(size);
    memcpy(s->path, path, size);
    s->own.local = true;
    return handle_new(w, s);
}

static int fake_listen(struct net *n, const struct net_address *at, bool any, int backlog)
{
    struct fake_network *w = fake(n)->world;

    (void)backlog;
    if (at->port != 0 && listener_at(w, at) != NULL)
        return -EADDRINUSE;
    struct socket *s = socket_new(SOCKET_LISTENER);
    s->own = *at;
    s->any = any;
    if (s->own.port == 0)
        s->own.port = w->next_port++;
    return handle_new(w, s);
}

static int fake_accept(struct net *n, int h, struct net_address *peer, struct net_address *own)
{
    struct fake_network *w = fake(n)->world;
    struct socket *s = socket_of(n, h);

    if (s == NULL || s->kind != SOCKET_LISTENER)
        return -EINVAL;
    struct parcel *p = first_arrived(w, s);
    if (p == NULL)
        return -EAGAIN;
    if (is_short(n))
        return -EMFILE;
    int got = handle_new(w, p->cargo);
    if (got >= 0) {
        *peer = p->cargo->far;
        *own = p->cargo->own;
        parcel_free(w, p);
    }
    return got;
}

static bool fake_has_caller(struct net *n, int h)
{
    struct socket *s = socket_of(n, h);

    return s != NULL && s->kind == SOCKET_LISTENER && first_arrived(fake(n)->world, s) != NULL;
}

/* A new connection knocks at the listener. */
static void call(struct fake_network *w, struct socket *listener, struct socket *near)
{
    struct socket *distant = socket_new(SOCKET_STREAM);

    near->peer = distant;
    *distant = (struct socket){
        .kind = SOCKET_STREAM, .refs = 1, .peer = near, .own = near->far, .far = near->own};
    list_init(&distant->arriving);
    parcel_send(w, listener, (struct slice){0})->cargo = distant;
}

static int fake_connect_local(struct net *n, const char *path)
{
    struct fake_network *w = fake(n)->world;
    struct socket *listener = listener_in(w, path), *near;
    int h;

    if (listener == NULL)
        return -ECONNREFUSED;
    near = socket_new(SOCKET_STREAM);
    near->own.local = near->far.local = true;
    h = handle_new(w, near);
    if (h >= 0)
        call(w, listener, near);
    else
        outside_free(near);
    return h;
}

static int fake_connect(struct net *n, const struct net_address *to, const struct net_address *from)
{
    struct fake_network *w = fake(n)->world;
    if (is_short(n))
        return -EMFILE;
    struct socket *listener = listener_at(w, to), *near = socket_new(SOCKET_STREAM);
    int h = handle_new(w, near);

    if (h < 0) {
        outside_free(near);
        return h;
    }
    near->far = *to;
    near->own = from == NULL ? fake(n)->host : *from;
    near->own.port = w->next_port++;
    near->ready_at_us = now_us(w) + 2 * chance_below(w, (uint64_t)w->options.delay_max_us + 1);
    if (listener == NULL) {
        near->refused = true;
        return h;
    }
    call(w, listener, near);
    return h;
}

static int fake_connect_result(struct net *n, int h)
{
    struct socket *s = socket_of(n, h);

    if (s == NULL)
        return -EBADF;
    if (is_connecting(fake(n)->world, s))
        return 0;
    return s->refused ? -ECONNREFUSED : s->reset ? -ECONNRESET : 0;
}

static int64_t fake_read(struct net *n, int h, void *out, size_t len)
{
    struct fake_network *w = fake(n)->world;
    struct socket *s = socket_of(n, h);
    size_t done = 0;

    if (s == NULL || s->kind != SOCKET_STREAM)
        return -EBADF;
    if (s->reset)
        return -ECONNRESET;
    if (w->options.splits && len > 1)
        len = 1 + chance_below(w, len < 100 || chance_below(w, 2) ? len : 100);
    for (struct parcel *p; done < len && (p = first_arrived(w, s)) != NULL && !p->end;) {
        size_t left = p->len - p->taken, part = left < len - done ? left : len - done;
        memcpy((char *)out + done, p->bytes + p->taken, part);
        done += part;
        p->taken += part;
        s->in_flight -= part;
        if (p->taken == p->len)
            parcel_free(w, p);
    }
    if (done > 0)
        return (int64_t)done;
    struct parcel *end = first_arrived(w, s);
    if (end != NULL) {
        s->ended = true;
        parcel_free(w, end);
    }
    return s->ended ? 0 : -EAGAIN;
}

static int64_t fake_write(struct net *n, int h, const struct iovec *iov, int count)
{
    struct fake_network *w = fake(n)->world;
    struct socket *s = socket_of(n, h);
    size_t done = 0;

    if (s == NULL || s->kind != SOCKET_STREAM)
        return -EBADF;
    if (s->reset)
        return -ECONNRESET;
    if (s->shut || s->peer == NULL || is_dead(n))
        return -EPIPE;
    if (is_short(n))
        return -ENOBUFS;
    if (w->options.loss_per_million > 0 && chance_below(w, 1000000) < w->options.loss_per_million) {
        socket_reset(w, s);
        return -ECONNRESET;
    }
    for (int i = 0; i < count; i++) {
        size_t room = IN_FLIGHT_MAX - s->peer->in_flight;
        size_t part = iov[i].iov_len < room ? iov[i].iov_len : room;
        if (part > 0 && w->options.splits)
            part = 1 + chance_below(w, part);
        if (part > 0)
            parcel_send(w, s->peer, (struct slice){iov[i].iov_base, part});
        done += part;
        if (part < iov[i].iov_len)
            break;
    }
    return done > 0 ? (int64_t)done : -EAGAIN;
}

static int fake_shutdown_write(struct net *n, int h)
{
    struct socket *s = socket_of(n, h);

    if (s == NULL || s->kind != SOCKET_STREAM || s->peer == NULL)
        return -ENOTCONN;
    send_end(fake(n)->world, s);
    return 0;
}

static void fake_close(struct net *n, int h)
{
    struct fake_network *w = fake(n)->world;
    struct socket *s = socket_of(n, h);

    assert(s != NULL);
    fake_unwatch(n, h);
    w->handles[h] = NULL;
    socket_drop(w, s);
}

static int fake_own_address(struct net *n, int h, struct net_address *out)
{
    struct socket *s = socket_of(n, h);

    if (s == NULL)
        return -EBADF;
    *out = s->own;
    return 0;
}

/* Channels */

static int pair_of(struct net *n, enum socket_kind kind, int out[2])
{
    struct fake_network *w = fake(n)->world;
    struct socket *a = socket_new(kind), *b = socket_new(kind);

    a->peer = b;
    b->peer = a;
    out[0] = handle_new(w, a);
    out[1] = handle_new(w, b);
    assert(out[0] >= 0 && out[1] >= 0);
    return 0;
}

static int fake_pair(struct net *n, int out[2])
{
    return pair_of(n, SOCKET_PAIR, out);
}

static int fake_stream_pair(struct net *n, int out[2])
{
    return is_short(n) ? -EMFILE : pair_of(n, SOCKET_STREAM, out);
}

static int file_dup_real(struct disk_file *file, struct disk_file **out)
{
    int fd = fcntl(disk_file_fd(file), F_DUPFD_CLOEXEC, 3);

    if (fd < 0)
        return -errno;
    *out = disk_file_of_fd(fd);
    return 0;
}

static int dup_file(struct net *n, struct disk_file *file, struct disk_file **out)
{
    const struct fake_network_options *options = &fake(n)->world->options;

    return disk_file_fd(file) < 0 ? options->file_dup(file, out) : file_dup_real(file, out);
}

static int fake_file_dup(struct net *n, struct disk_file *file, struct disk_file **out)
{
    return is_short(n) ? -EMFILE : dup_file(n, file, out);
}

static int fake_handle_dup(struct net *n, int h)
{
    struct socket *s = socket_of(n, h);

    if (s == NULL)
        return -EBADF;
    return is_short(n) ? -EMFILE : handle_new(fake(n)->world, s);
}

static int64_t fake_send(struct net *n, int h, struct slice bytes, struct disk_file *file, int pass)
{
    struct fake_network *w = fake(n)->world;
    struct socket *s = socket_of(n, h), *cargo = socket_of(n, pass);
    struct disk_file *copy = NULL;

    if (s == NULL || s->kind != SOCKET_PAIR || (pass >= 0 && cargo == NULL))
        return -EBADF;
    if (s->peer == NULL || is_dead(n))
        return -EPIPE;
    /* At least one fits, however large. */
    if (s->peer->in_flight > 0 && s->peer->in_flight + bytes.len > IN_FLIGHT_MAX)
        return -EAGAIN;
    if (is_short(n))
        return file != NULL || cargo != NULL ? -ETOOMANYREFS : -ENOBUFS;
    if (file != NULL) {
        int code = dup_file(n, file, &copy);
        if (code < 0)
            return code;
    }
    struct parcel *p = parcel_send(w, s->peer, bytes);
    p->file = copy;
    p->cargo = cargo;
    if (cargo != NULL)
        cargo->refs++;
    return (int64_t)bytes.len;
}

static int64_t fake_receive(struct net *n, int h, void *out, size_t len, struct disk_file **file,
                            int *passed)
{
    struct fake_network *w = fake(n)->world;
    struct socket *s = socket_of(n, h);

    *file = NULL;
    *passed = -1;
    if (s == NULL || s->kind != SOCKET_PAIR)
        return -EBADF;
    struct parcel *p = first_arrived(w, s);
    if (p == NULL)
        return s->ended ? 0 : -EAGAIN;
    if (is_short(n))
        return -ENOMEM;
    int64_t got = p->len > len ? -EMSGSIZE : (int64_t)p->len;
    s->in_flight -= p->len;
    s->ended = p->end;
    if (got > 0) {
        memcpy(out, p->bytes, p->len);
        *file = p->file;
        p->file = NULL;
        if (p->cargo != NULL)
            *passed = handle_new(w, p->cargo);
    }
    parcel_free(w, p);
    return got;
}

static void fake_free(struct net *n)
{
    outside_free(n);
}

static const struct net_ops fake_ops = {
    .watch = fake_watch,
    .rewatch = fake_rewatch,
    .unwatch = fake_unwatch,
    .wait = fake_wait,
    .wake = fake_wake,
    .listen = fake_listen,
    .listen_local = fake_listen_local,
    .accept = fake_accept,
    .has_caller = fake_has_caller,
    .connect = fake_connect,
    .connect_local = fake_connect_local,
    .connect_result = fake_connect_result,
    .read = fake_read,
    .write = fake_write,
    .shutdown_write = fake_shutdown_write,
    .close = fake_close,
    .own_address = fake_own_address,
    .pair = fake_pair,
    .stream_pair = fake_stream_pair,
    .send = fake_send,
    .receive = fake_receive,
    .file_dup = fake_file_dup,
    .handle_dup = fake_handle_dup,
    .free = fake_free,
};

struct net *fake_net_new(struct fake_network *w, const struct net_address *host)
{
    struct fake_net *f = OUTSIDE_NEW(struct fake_net);

    f->net.ops = &fake_ops;
    f->world = w;
    f->host = *host;
    atomic_init(&f->woken, false);
    return &f->net;
}

struct fake_network *fake_network_new(struct fake_clock *clock,
                                      const struct fake_network_options *options)
{
    struct fake_network *w = OUTSIDE_NEW(struct fake_network);

    w->clock = clock;
    w->options = *options;
    w->random = options->seed * 0x9e3779b97f4a7c15 | 1; /* never 0, where xorshift would stay */
    w->next_port = FIRST_PORT;
    return w;
}

unsigned fake_network_open(const struct fake_network *w)
{
    unsigned count = 0;

    for (int h = 0; h < w->top; h++)
        count += w->handles[h] != NULL;
    return count;
}

void fake_network_lose_nothing(struct fake_network *w)
{
    w->options.loss_per_million = 0;
}

void fake_network_free(struct fake_network *w)
{
    for (int h = 0; h < w->top; h++)
        if (w->handles[h] != NULL)
            socket_drop(w, w->handles[h]);
    outside_free(w);
}
