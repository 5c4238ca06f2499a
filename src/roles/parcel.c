/*
 * parcel.c - what becomes of the recipients of one claimed message.
 *
 * Everything that is said about recipients while a parcel is held comes into one report, written
 * when the last holder lets go: a sender whose mail failed at ten recipients gets one. What a
 * report tells is recorded behind it, a deferral too: noted first, "the sender was told" would
 * outlive a crash that the telling does not.
 */
#include "roles/parcel.h"

#include "base/codec.h"
#include "base/memory.h"
#include "mail/release.h"
#include "roles/role.h"

#include <errno.h>
#include <stdio.h>

enum { NO_REPORT_RETRY_MS = 5 * 60 * 1000 };

/* To be told in the report. */
struct parcel_event {
    struct list link;
    struct bounce_rcpt told;
    enum bounce_fate fate;
    bool final; /* its outcome waits for the report; else it is to be tried again */
    enum queue_outcome outcome;
    struct queue_retry retry;
    struct slice text;
};

static const struct slice tag_qmgr = SLICE_INIT("qmgr");

void parcels_init(struct parcels *all, struct role *role, struct queue *queue,
                  struct reports *reports)
{
    *all = (struct parcels){.role = role, .queue = queue, .reports = reports};
    list_init(&all->open);
}

static void parcel_free(struct parcel *p)
{
    list_remove(&p->link);
    p->all->count--;
    memory_free(p);
}

void parcels_done(struct parcels *all)
{
    LIST_EACH (node, &all->open) {
        struct parcel *p = LIST_ENTRY(node, struct parcel, link);

        queue_release(all->queue, p->message);
        parcel_free(p);
    }
}

struct parcel *parcel_new(struct parcels *all, struct queue_message *message)
{
    struct parcel *p = MEMORY_NEW(struct parcel);

    p->all = all;
    p->message = message;
    p->began_ms = loop_now_ms(all->role->loop);
    p->holds = 1;
    list_init(&p->events);
    list_append(&all->open, &p->link);
    all->count++;
    return p;
}

void parcel_hold(struct parcel *p)
{
    p->holds++;
}

void parcel_be_watched(struct parcel *p, struct parcel_watch *watch)
{
    p->watch = watch;
    watch->open++;
}

void parcels_forget_watch(struct parcels *all, const struct parcel_watch *watch)
{
    LIST_EACH (node, &all->open) {
        struct parcel *p = LIST_ENTRY(node, struct parcel, link);

        if (p->watch == watch)
            p->watch = NULL;
    }
}

/* ---- what the log is told ---- */

static void tell_attempt(const struct parcel *p, unsigned rcpt, struct slice status,
                         const struct verdict *v)
{
    struct role *role = p->all->role;
    const struct envelope *e = &p->message->envelope;
    uint64_t now_ms = loop_now_ms(role->loop);
    struct event_writer w = role_event(role, EVENT_ATTEMPT, v->tag);
    char id[QUEUE_ID_LEN];

    queue_id_write(e->id, id);
    event_text(&w, FIELD_QUEUE_ID, (struct slice){id, sizeof(id)});
    role_event_address(&w, FIELD_RCPT, &e->rcpts[rcpt].final);
    if (!address_equal(&e->rcpts[rcpt].original, &e->rcpts[rcpt].final))
        role_event_address(&w, FIELD_ORIG_RCPT, &e->rcpts[rcpt].original);
    event_text(&w, FIELD_RELAY, v->relay);
    event_number(&w, FIELD_DELAY_US, queue_age_ms(p->message, now_ms) * 1000);
    event_number(&w, FIELD_DELAY_QUEUE_US, queue_age_ms(p->message, p->began_ms) * 1000);
    event_number(&w, FIELD_DELAY_SEND_US, (now_ms - p->began_ms) * 1000);
    event_text(&w, FIELD_ENHANCED, v->dsn);
    event_text(&w, FIELD_STATUS, status);
    event_text(&w, FIELD_TEXT, v->text);
    if (v->tls.len > 0)
        event_text(&w, FIELD_TLS, v->tls);
    if (v->route.len > 0)
        event_text(&w, FIELD_ROUTE, v->route);
    role_event_end(role, &w);
}

static void tell_removed(const struct parcels *all, uint64_t id)
{
    struct event_writer w = role_event(all->role, EVENT_REMOVED, tag_qmgr);
    char text[QUEUE_ID_LEN];

    queue_id_write(id, text);
    event_text(&w, FIELD_QUEUE_ID, (struct slice){text, sizeof(text)});
    role_event_end(all->role, &w);
}

static void warn_about(const struct parcel *p, const char *what)
{
    char id[QUEUE_ID_LEN], text[160];

    queue_id_write(p->message->envelope.id, id);
    int len = snprintf(text, sizeof(text), "%.*s: %s", QUEUE_ID_LEN, id, what);
    role_warn(p->all->role, tag_qmgr, (struct slice){text, (size_t)len});
}

/* ---- reports ---- */

static enum bounce_fate fate_of(const struct parcel *p, unsigned rcpt, enum bounce_event event)
{
    const struct envelope *e = &p->message->envelope;

    return bounce_fate(e, rcpt, event, report_is_own(e->id),
                       &p->all->role->settings->rules.postmaster);
}

static struct parcel_event *add_event(struct parcel *p, unsigned rcpt, enum bounce_event event,
                                      enum bounce_fate fate, const struct verdict *v)
{
    struct arena *arena = &p->message->arena;
    struct parcel_event *e = arena_alloc(arena, sizeof(*e));

    *e = (struct parcel_event){
        .told = {.rcpt = rcpt,
                 .event = event,
                 .status = arena_copy(arena, v->dsn),
                 .remote_mta = arena_copy(arena, v->remote_mta),
                 .reply = arena_copy(arena, v->reply.len > 0 ? v->reply : v->text),
                 .tried_us = clock_wall_us(p->all->role->doors->clock)},
        .fate = fate,
        .text = arena_copy(arena, v->text)
    };
    list_append(&p->events, &e->link);
    p->event_count++;
    return e;
}

static void end(struct parcel *p)
{
    struct parcels *all = p->all;
    uint64_t id = p->message->envelope.id;

    if (queue_release(all->queue, p->message))
        tell_removed(all, id);
    if (p->watch != NULL)
        p->watch->open--;
    parcel_free(p);
}

/* Without its report a failure is none: the recipient is tried once more, and may fail again. */
static void record_event(struct parcel *p, struct parcel_event *e, int result)
{
    struct queue *queue = p->all->queue;
    unsigned rcpt = e->told.rcpt;

    if (!e->final) {
        e->retry.warned = result == 0;
        queue_defer(queue, p->message, rcpt, &e->retry);
    } else if (result < 0 && e->told.event == BOUNCE_FAILED) {
        parcel_postponed(p, rcpt, NO_REPORT_RETRY_MS);
        if (p->watch != NULL)
            p->watch->undone++;
    } else {
        queue_outcome(queue, p->message, rcpt, e->outcome, e->text);
    }
}

static void record_events(struct parcel *p, int result)
{
    LIST_EACH (node, &p->events) {
        list_remove(node);
        record_event(p, LIST_ENTRY(node, struct parcel_event, link), result);
    }
    if (result < 0)
        warn_about(p, "its report could not be written");
    end(p);
}

static void report_done(struct report_request *r, int result)
{
    record_events(LIST_ENTRY(r, struct parcel, report), result);
}

/* All events of a message have the same fate: it has one sender. */
static void send_report(struct parcel *p)
{
    struct parcel_event *first = LIST_ENTRY(p->events.next, struct parcel_event, link);
    struct arena *arena = &p->message->arena;
    struct bounce_rcpt *told = ARENA_ARRAY(arena, struct bounce_rcpt, p->event_count);
    unsigned count = 0;

    LIST_EACH (node, &p->events)
        told[count++] = LIST_ENTRY(node, struct parcel_event, link)->told;
    p->report.done = report_done;
    int rc = reports_send(p->all->reports, &p->report, p->message, told, count, first->fate);
    if (rc == -EADDRNOTAVAIL) {
        warn_about(p, "no report: no rule takes mail for its sender");
        record_events(p, 0);
    } else if (rc < 0) {
        record_events(p, rc);
    }
}

void parcel_drop(struct parcel *p)
{
    if (--p->holds > 0)
        return;
    if (p->event_count == 0)
        end(p);
    else
        send_report(p);
}

/* ---- results ---- */

static void settle(struct parcel *p, unsigned rcpt, enum queue_outcome outcome,
                   enum bounce_event event, bool report, const struct verdict *v)
{
    enum bounce_fate fate = report ? fate_of(p, rcpt, event) : BOUNCE_SILENT;

    if (fate == BOUNCE_SILENT) {
        queue_outcome(p->all->queue, p->message, rcpt, outcome, v->text);
        return;
    }
    struct parcel_event *e = add_event(p, rcpt, event, fate, v);
    e->final = true;
    e->outcome = outcome;
}

void parcel_sent(struct parcel *p, unsigned rcpt, enum sent how, const struct verdict *v)
{
    enum bounce_event event = how == SENT_HOME ? BOUNCE_DELIVERED : BOUNCE_RELAYED;

    tell_attempt(p, rcpt, SLICE("sent"), v);
    settle(p, rcpt, QUEUE_DELIVERED, event, how != SENT_ON_TOLD, v);
}

void parcel_discarded(struct parcel *p, unsigned rcpt, const struct verdict *v)
{
    tell_attempt(p, rcpt, SLICE("sent"), v);
    queue_outcome(p->all->queue, p->message, rcpt, QUEUE_DISCARDED, v->text);
}

void parcel_deleted(struct parcel *p, unsigned rcpt, const struct verdict *v)
{
    tell_attempt(p, rcpt, SLICE("deleted"), v);
    queue_outcome(p->all->queue, p->message, rcpt, QUEUE_DISCARDED, v->text);
}

void parcel_failed(struct parcel *p, unsigned rcpt, bool report, const struct verdict *v)
{
    tell_attempt(p, rcpt, SLICE("bounced"), v);
    settle(p, rcpt, QUEUE_FAILED, BOUNCE_FAILED, report, v);
}

void parcel_postponed(struct parcel *p, unsigned rcpt, uint64_t in_ms)
{
    queue_postpone(p->all->queue, p->message, rcpt, loop_now_ms(p->all->role->loop) + in_ms);
}

static void tell_held(const struct parcel *p, unsigned rcpt, struct slice rule)
{
    const struct envelope *e = &p->message->envelope;
    struct event_writer w = role_event(p->all->role, EVENT_HELD, SLICE("smtpd"));
    char id[QUEUE_ID_LEN];

    queue_id_write(e->id, id);
    event_text(&w, FIELD_QUEUE_ID, (struct slice){id, sizeof(id)});
    event_text(&w, FIELD_CLIENT_ADDRESS, e->client_address);
    role_event_address(&w, FIELD_SENDER, &e->sender);
    role_event_address(&w, FIELD_RCPT, &e->rcpts[rcpt].original);
    event_text(&w, FIELD_PROTO, e->proto);
    event_text(&w, FIELD_HELO, e->helo);
    event_text(&w, FIELD_RULE, rule);
    role_event_end(p->all->role, &w);
}

void parcel_held(struct parcel *p, unsigned rcpt, const struct rule *rule)
{
    struct slice line =
        arena_printf(&p->message->arena, "%.*s:%u", SLICE_PRINTF(rule->file), rule->line);

    tell_held(p, rcpt, line);
    queue_hold(p->all->queue, p->message, rcpt,
               arena_printf(&p->message->arena, "held by %.*s", SLICE_PRINTF(line)));
}

/* RFC 3463: 4.4.7 and 5.4.7, delivery time expired. */
static void give_up(struct parcel *p, unsigned rcpt, uint64_t age_ms, bool report,
                    const struct verdict *v)
{
    struct verdict last = *v;

    last.dsn = SLICE("5.4.7");
    last.reply = SLICE("");
    last.text =
        arena_printf(&p->message->arena, "gave up after %llu minutes; the last attempt: %.*s",
                     (unsigned long long)age_ms / 60000, SLICE_PRINTF(v->text));
    parcel_failed(p, rcpt, report, &last);
}

/* BY= of the message, RFC 2852 4: when its time is over, as age. UINT64_MAX: never. */
static uint64_t by_age_ms(const struct parcel *p, enum by_mode mode)
{
    int64_t by_s = release_by_s(&p->message->envelope);

    if (p->message->envelope.wishes.by != mode)
        return UINT64_MAX;
    return by_s <= 0 ? 0 : (uint64_t)by_s * 1000;
}

static bool is_late(const struct parcel *p, const struct retry_plan *plan, uint64_t age_ms)
{
    uint64_t warning_ms = (uint64_t)plan->delay_warning_s * 1000;

    return (warning_ms > 0 && age_ms >= warning_ms) || age_ms >= by_age_ms(p, BY_NOTIFY);
}

/* The sender hears once that it takes long. True: then it is deferred as well. */
static bool warn_sender(struct parcel *p, unsigned rcpt, const struct retry_plan *plan,
                        uint64_t age_ms, const struct queue_retry *retry, const struct verdict *v)
{
    enum bounce_fate fate;

    if (!is_late(p, plan, age_ms) || p->message->rcpts[rcpt].warned)
        return false;
    fate = fate_of(p, rcpt, BOUNCE_DELAYED);
    if (fate == BOUNCE_SILENT)
        return false;
    struct parcel_event *e = add_event(p, rcpt, BOUNCE_DELAYED, fate, v);
    e->told.retry_until_us = clock_wall_us(p->all->role->doors->clock) +
                             ((uint64_t)plan->give_up_s * 1000 - age_ms) * 1000;
    e->retry = *retry;
    e->retry.reason = e->text;
    return true;
}

/* The next attempt is not later than the end of the time that the sender gave. */
static uint64_t until_next(const struct parcel *p, uint64_t age_ms, uint64_t delay_ms)
{
    uint64_t end_ms = by_age_ms(p, BY_RETURN), notice_ms = by_age_ms(p, BY_NOTIFY);

    if (end_ms != UINT64_MAX && end_ms - age_ms < delay_ms)
        return end_ms - age_ms;
    if (notice_ms != UINT64_MAX && notice_ms > age_ms && notice_ms - age_ms < delay_ms)
        return notice_ms - age_ms;
    return delay_ms;
}

void parcel_deferred(struct parcel *p, unsigned rcpt, const struct retry_plan *plan, bool report,
                     const struct verdict *v)
{
    struct role *role = p->all->role;
    unsigned attempts = p->message->rcpts[rcpt].attempts + 1;
    uint64_t age_ms = queue_age_ms(p->message, loop_now_ms(role->loop));
    uint32_t chance = (uint32_t)random_u64(role->doors->random);

    if (retry_is_over(plan, age_ms) || age_ms >= by_age_ms(p, BY_RETURN)) {
        give_up(p, rcpt, age_ms, report, v);
        return;
    }
    tell_attempt(p, rcpt, SLICE("deferred"), v);
    struct queue_retry retry = {.at_ms =
                                    loop_now_ms(role->loop) +
                                    until_next(p, age_ms, retry_delay_ms(plan, attempts, chance)),
                                .reason = v->text};
    if (!report || !warn_sender(p, rcpt, plan, age_ms, &retry, v))
        queue_defer(p->all->queue, p->message, rcpt, &retry);
}
