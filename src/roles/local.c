/*
 * local.c - mail for mailboxes.
 *
 * A visit is what one message has to do there: all of its recipients with a maildir. Each delivery
 * under way is a flight, found again by the tag that travels to the postman and back.
 */
#include "roles/local.h"

#include "base/codec.h"
#include "base/memory.h"
#include "mail/mailbox_path.h"
#include "mail/trace.h"
#include "roles/conversion.h"
#include "roles/delivery.h"
#include "roles/role.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    FLIGHTS_MAX = 8192, /* recipients under way, but for the last message's */
    VISITS_MAX = 2048,  /* messages */
    POSTMAN_AWAY_MS = 1000,
};

struct stop {
    struct list link;
    unsigned rcpt;
    struct decision decision;
};

/* One message's. */
struct visit {
    struct list link;
    struct local *local;
    struct parcel *parcel;
    struct list stops;             /* in the message's arena, until they are flights */
    unsigned waiting;              /* flights */
    bool sending;                  /* its recipients are still being handed out */
    struct conversion *conversion; /* of a binary message */
    /* What mailboxes get: the message, or what the conversion made of it. */
    struct disk_file *file;
    uint64_t offset;
    uint64_t length;
};

/* One recipient of a visit. */
struct flight {
    struct visit *visit; /* NULL: free */
    unsigned rcpt;
    uint32_t generation;
    uint32_t next_free;
};

struct local {
    struct role *role;
    struct disk_dir *spool; /* borrowed */
    struct channel postman;
    struct list visits;
    size_t visit_count;
    struct visit *open; /* takes recipients: local_take() */
    struct flight *flights;
    uint32_t flight_count;
    uint32_t free_flight; /* index + 1; 0: none */
    uint32_t flying;
    struct buf batch; /* deliveries not yet sent */
    uint32_t batch_count;
    struct disk_file *batch_file;
};

static const struct slice tag_local = SLICE_INIT("local");
static const struct slice tag_qmgr = SLICE_INIT("qmgr");

/* ---- flights: tags for recipients under way ---- */

static uint64_t flight_new(struct local *l, struct visit *v, unsigned rcpt)
{
    if (l->free_flight == 0) {
        uint32_t count = l->flight_count == 0 ? 1024 : l->flight_count * 2;

        l->flights = memory_resize(l->flights, count * sizeof(*l->flights));
        for (uint32_t i = l->flight_count; i < count; i++) {
            l->flights[i] = (struct flight){.next_free = l->free_flight};
            l->free_flight = i + 1;
        }
        l->flight_count = count;
    }
    uint32_t index = l->free_flight - 1;
    struct flight *f = &l->flights[index];
    l->free_flight = f->next_free;
    f->visit = v;
    f->rcpt = rcpt;
    f->generation++;
    l->flying++;
    return (uint64_t)f->generation << 32 | index;
}

static bool flight_land(struct local *l, uint64_t tag, struct visit **visit, unsigned *rcpt)
{
    uint32_t index = (uint32_t)tag;

    if (index >= l->flight_count)
        return false;
    struct flight *f = &l->flights[index];
    if (f->visit == NULL || f->generation != tag >> 32)
        return false;
    *visit = f->visit;
    *rcpt = f->rcpt;
    f->visit = NULL;
    l->flying--;
    f->next_free = l->free_flight;
    l->free_flight = index + 1;
    return true;
}

/* ---- visits ---- */

static void visit_free(struct visit *v)
{
    list_remove(&v->link);
    v->local->visit_count--;
    conversion_free(v->conversion);
    memory_free(v);
}

static void end_if_done(struct visit *v)
{
    struct parcel *p = v->parcel;

    if (v->sending || v->waiting > 0)
        return;
    visit_free(v);
    parcel_drop(p);
}

/* RFC 3463: 4.3.1 mail system full, 4.2.0 other mailbox trouble. A reader may have moved the file
 * before it was taken back (box/maildir). */
static void defer_failed(struct visit *v, unsigned rcpt, int code)
{
    char text[160];
    bool full = code == -ENOSPC || code == -EDQUOT;
    int len =
        snprintf(text, sizeof(text), "cannot deliver to the maildir: %s", strerrordesc_np(-code));
    struct verdict how = {
        .tag = tag_local,
        .relay = SLICE("local"),
        .dsn = full ? SLICE("4.3.1") : SLICE("4.2.0"),
        .text = {text, (size_t)len},
    };

    v->parcel->message->repeat = true;
    parcel_deferred(v->parcel, rcpt, &retry_plan_default, true, &how);
}

/* Told once for all of them, by who finds the postman away. */
static void postpone_away(struct visit *v, unsigned rcpt)
{
    v->parcel->message->repeat = true;
    parcel_postponed(v->parcel, rcpt, POSTMAN_AWAY_MS);
}

static void landed(struct local *l, const struct delivery_result *r)
{
    static const struct verdict sent = {.tag = SLICE_INIT("local"),
                                        .relay = SLICE_INIT("local"),
                                        .dsn = SLICE_INIT("2.0.0"),
                                        .text = SLICE_INIT("delivered to maildir")};
    struct visit *v;
    unsigned rcpt;

    if (!flight_land(l, r->tag, &v, &rcpt))
        return;
    if (r->result == 0)
        parcel_sent(v->parcel, rcpt, SENT_HOME, &sent);
    else
        defer_failed(v, rcpt, r->result);
    v->waiting--;
    end_if_done(v);
}

/* ---- to the postman ---- */

/* The postman is gone, or hopelessly behind. */
static void take_back_batch(struct local *l)
{
    struct cursor in = {buf_slice(&l->batch)};
    struct delivery d;
    struct visit *v;
    unsigned rcpt;

    role_warn(l->role, tag_qmgr, SLICE("the postman takes no more deliveries"));
    while (delivery_read(&in, &d)) {
        if (!flight_land(l, d.tag, &v, &rcpt))
            continue;
        postpone_away(v, rcpt);
        v->waiting--;
        end_if_done(v);
    }
}

static void send_batch(struct local *l)
{
    struct buf body;

    if (l->batch_count == 0)
        return;
    buf_init(&body, CHANNEL_MESSAGE_MAX);
    put_u32(&body, l->batch_count);
    buf_append(&body, buf_slice(&l->batch));
    if (channel_send(&l->postman, MESSAGE_DELIVER, buf_slice(&body), l->batch_file, -1) < 0)
        take_back_batch(l);
    buf_done(&body);
    buf_clear(&l->batch);
    l->batch_count = 0;
    l->batch_file = NULL;
}

static void add_to_batch(struct local *l, struct disk_file *file, const struct delivery *d)
{
    if (l->batch_file != file)
        send_batch(l);
    l->batch_file = file;
    if (!delivery_write(&l->batch, d)) {
        send_batch(l);
        l->batch_file = file;
        delivery_write(&l->batch, d);
    }
    l->batch_count++;
}

/* <arrival s>.M<usec>Q<id>R<hash>.<host>: the same at every attempt, different for each
 * recipient, so that a repeated delivery finds its former self. */
static struct slice base_name(struct local *l, const struct envelope *e, unsigned rcpt,
                              struct arena *arena)
{
    struct slice text = address_text(arena, &e->rcpts[rcpt].final);
    char id[QUEUE_ID_LEN];

    queue_id_write(e->id, id);
    return arena_printf(
        arena, "%llu.M%06lluQ%.*sR%08x%08x.%.*s", (unsigned long long)(e->arrival_us / 1000000),
        (unsigned long long)(e->arrival_us % 1000000), QUEUE_ID_LEN, id, crc32c(0, text),
        crc32c(1, text), SLICE_PRINTF(slice_head(l->role->settings->hostname, 128)));
}

static struct slice prefix(const struct queue_message *m, struct arena *arena)
{
    struct buf text;

    buf_init(&text, DELIVERY_PREFIX_MAX);
    trace_return_path_write(&text, &m->envelope.sender);
    buf_append(&text, m->header_block);
    struct slice copy = arena_copy(arena, buf_slice(&text));
    buf_done(&text);
    return copy;
}

static void send_stop(struct visit *v, const struct stop *stop)
{
    struct local *l = v->local;
    struct queue_message *m = v->parcel->message;
    struct arena arena = {0};
    struct slice rest;
    struct delivery out = {.offset = v->offset, .length = v->length, .repeat = m->repeat};

    if (!mailbox_template_split(stop->decision.path, &out.root, &rest) ||
        !mailbox_path_expand(rest, &stop->decision.final, &arena, &out.path)) {
        defer_failed(v, stop->rcpt, -EINVAL);
        arena_done(&arena);
        return;
    }
    out.name = base_name(l, &m->envelope, stop->rcpt, &arena);
    out.prefix = prefix(m, &arena);
    out.tag = flight_new(l, v, stop->rcpt);
    v->waiting++;
    add_to_batch(l, v->file, &out);
    arena_done(&arena);
}

static void send_stops(struct visit *v)
{
    LIST_EACH (node, &v->stops)
        send_stop(v, LIST_ENTRY(node, struct stop, link));
    v->sending = false;
    end_if_done(v);
}

static void defer_stops(struct visit *v, int code)
{
    LIST_EACH (node, &v->stops)
        defer_failed(v, LIST_ENTRY(node, struct stop, link)->rcpt, code);
    v->sending = false;
    end_if_done(v);
}

/* ---- binary messages ---- */

static void warn_unconverted(const struct visit *v)
{
    char id[QUEUE_ID_LEN], text[160];

    queue_id_write(v->parcel->message->envelope.id, id);
    int len =
        snprintf(text, sizeof(text),
                 "%.*s: binary, and signed, encrypted or broken: delivered with its line ends "
                 "changed, not converted",
                 QUEUE_ID_LEN, id);
    role_warn(v->local->role, tag_local, (struct slice){text, (size_t)len});
}

static void converted(void *ctx)
{
    struct visit *v = ctx;
    struct disk_file *file;
    uint64_t length;
    int code = conversion_result(v->conversion, &file, &length);

    if (code < 0 && code != -EILSEQ) {
        defer_stops(v, code);
        return;
    }
    if (code == 0) {
        v->file = file;
        v->offset = 0;
        v->length = length;
    } else {
        warn_unconverted(v);
    }
    send_stops(v);
}

static void convert(struct visit *v)
{
    struct conversion_input input = {.spool = v->local->spool,
                                     .worker = v->local->role->worker,
                                     .file = v->file,
                                     .offset = v->offset,
                                     .length = v->length};
    int code = conversion_start(&input, converted, v, &v->conversion);

    if (code < 0)
        defer_stops(v, code);
}

/* ---- taking ---- */

static struct visit *visit_new(struct local *l, struct parcel *p)
{
    struct visit *v = MEMORY_NEW(struct visit);

    v->local = l;
    v->parcel = p;
    v->sending = true;
    v->file = p->message->file;
    v->offset = p->message->offset;
    v->length = p->message->length;
    list_init(&v->stops);
    list_append(&l->visits, &v->link);
    l->visit_count++;
    parcel_hold(p);
    return v;
}

void local_take(struct local *l, struct parcel *p, unsigned rcpt, const struct decision *d)
{
    struct stop *stop = arena_alloc(&p->message->arena, sizeof(*stop));

    if (l->open == NULL)
        l->open = visit_new(l, p);
    stop->rcpt = rcpt;
    stop->decision = *d;
    stop->decision.path = arena_copy(&p->message->arena, d->path); /* the settings may change */
    list_append(&l->open->stops, &stop->link);
}

void local_go(struct local *l, struct parcel *p)
{
    struct visit *v = l->open;

    l->open = NULL;
    if (v == NULL)
        return;
    if (p->message->envelope.body == BODY_BINARYMIME)
        convert(v);
    else
        send_stops(v);
}

void local_flush(struct local *l)
{
    send_batch(l);
}

bool local_has_room(const struct local *l)
{
    return channel_is_open(&l->postman) && l->visit_count < VISITS_MAX && l->flying < FLIGHTS_MAX;
}

/* ---- the postman ---- */

static void postman_message(struct channel *channel, enum message_kind kind, struct slice body,
                            struct disk_file *file, int handle)
{
    struct local *l = LIST_ENTRY(channel, struct local, postman);
    struct cursor in = {body};
    struct delivery_result r;
    uint32_t count;

    (void)kind, (void)file, (void)handle; /* the matrix allows DELIVERED only */
    if (!get_u32(&in, &count))
        return;
    while (delivery_result_read(&in, &r))
        landed(l, &r);
}

/* Whatever was under way may or may not lie in its mailbox. */
static void postman_closed(struct channel *channel)
{
    struct local *l = LIST_ENTRY(channel, struct local, postman);

    role_parted(l->role, channel);
    for (uint32_t i = 0; i < l->flight_count; i++) {
        uint64_t tag = (uint64_t)l->flights[i].generation << 32 | i;
        struct visit *v;
        unsigned rcpt;

        if (!flight_land(l, tag, &v, &rcpt))
            continue;
        postpone_away(v, rcpt);
        v->waiting--;
        end_if_done(v);
    }
    buf_clear(&l->batch);
    l->batch_count = 0;
    l->batch_file = NULL;
    role_warn(l->role, tag_qmgr, SLICE("the postman is away: mail waits in the queue"));
}

void local_meet(struct local *l, int handle)
{
    if (channel_is_open(&l->postman)) {
        channel_close(&l->postman);
        postman_closed(&l->postman);
    }
    role_meet(l->role, &l->postman, handle, ROLE_POSTMAN, postman_message, postman_closed);
}

struct local *local_new(struct role *role, struct disk_dir *spool)
{
    struct local *l = MEMORY_NEW(struct local);

    l->role = role;
    l->spool = spool;
    list_init(&l->visits);
    buf_init(&l->batch, CHANNEL_MESSAGE_MAX - 64);
    l->postman.watch.handle = -1;
    return l;
}

void local_free(struct local *l)
{
    if (l == NULL)
        return;
    LIST_EACH (node, &l->visits)
        visit_free(LIST_ENTRY(node, struct visit, link));
    channel_close(&l->postman);
    memory_free(l->flights);
    buf_done(&l->batch);
    memory_free(l);
}
