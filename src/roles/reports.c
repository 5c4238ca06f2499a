/*
 * reports.c - reports become mail.
 *
 * A report is durable before the outcome that it tells is written. A crash in between makes the
 * attempt, and with it the report, happen once more: twice is bearable, never is not. The other
 * way round, or one record for both, would need the courier's journal to hold messages that
 * nothing else holds, with rules of its own for what a crash leaves of them.
 */
#include "roles/reports.h"

#include "base/fail.h"
#include "base/memory.h"
#include "mail/expand.h"
#include "mail/rewrite.h"
#include "queue/format.h"
#include "roles/forwarding.h"
#include "roles/role.h"

#include <errno.h>
#include <stdio.h>

enum { DIR_MODE = 0700, FILE_MODE = 0600, UNIQUE_BYTES = 12 };

static const struct slice tag_bounce = SLICE_INIT("bounce");

void reports_init(struct reports *all, struct role *role, struct queue *queue,
                  struct disk_dir *spool)
{
    *all = (struct reports){.role = role, .queue = queue, .spool = spool};
    list_init(&all->waiting);
}

bool report_is_own(uint64_t id)
{
    return id_receiver(id) == REPORTS_RECEIVER;
}

static int open_in(struct reports *all)
{
    const struct role_doors *doors = all->role->doors;
    struct disk_dir *in = NULL;
    char name[16];

    if (all->in != NULL)
        return 0;
    (void)snprintf(name, sizeof(name), "%d", REPORTS_RECEIVER);
    int rc = queue_in_make_dirs(all->spool, REPORTS_RECEIVER, DIR_MODE);
    if (rc == 0)
        rc = disk_dir_open_at(all->spool, "in", &in);
    if (rc == 0 && all->dir == NULL)
        rc = disk_dir_open_at(in, name, &all->dir);
    disk_dir_close(in);
    if (rc < 0)
        return fail_code(rc, "open the directory of reports", slice_of(name));
    struct queue_in_options options = {.dir = all->dir,
                                       .receiver = REPORTS_RECEIVER,
                                       .mode = FILE_MODE,
                                       .segment_size = doors->segment_size,
                                       .worker = all->role->worker,
                                       .clock = doors->clock,
                                       .random = doors->random};
    return queue_in_open(&options, &all->in);
}

/* ---- making one ---- */

/* As much of the message as a report can bring back. */
static int read_message(const struct queue_message *m, struct arena *arena, struct slice *out)
{
    size_t len = m->length < BOUNCE_FULL_MAX ? (size_t)m->length : BOUNCE_FULL_MAX;
    char *bytes = arena_alloc(arena, len + 1);
    size_t got = 0;

    while (got < len) {
        int64_t n = disk_read(m->file, bytes + got, len - got, m->offset + got);

        if (n <= 0)
            return fail_code(n < 0 ? (int)n : -EIO, "read", SLICE("message for its report"));
        got += (size_t)n;
    }
    *out = (struct slice){bytes, len};
    return 0;
}

static struct slice draw_unique(struct role *role, struct arena *arena)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    char *out = arena_alloc(arena, UNIQUE_BYTES);

    for (unsigned i = 0; i < UNIQUE_BYTES; i++)
        out[i] = letters[random_u64(role->doors->random) % (sizeof(letters) - 1)];
    return (struct slice){out, UNIQUE_BYTES};
}

static bool write_content(struct reports *all, const struct queue_message *about,
                          const struct bounce_rcpt *rcpts, unsigned count,
                          const struct address *postmaster, struct arena *arena, struct envelope *e,
                          struct buf *content)
{
    struct bounce_input input = {.about = &about->envelope,
                                 .rcpts = rcpts,
                                 .count = count,
                                 .hostname = all->role->settings->hostname,
                                 .unique = draw_unique(all->role, arena),
                                 .now_us = clock_wall_us(all->role->doors->clock),
                                 .postmaster = postmaster,
                                 .content_size = about->length};
    bool eight_bit;

    if (read_message(about, arena, &input.content) < 0)
        return false;
    if (!bounce_write(content, &input, &e->smtputf8, &eight_bit))
        return false;
    e->body = eight_bit ? BODY_8BITMIME : BODY_7BIT;
    return true;
}

/* RFC 5321 4.5.5: from nobody. False: no rule takes mail for its sender. */
static bool address_report(struct reports *all, const struct address *to, struct arena *arena,
                           struct envelope *e)
{
    const struct rules *rules = &all->role->settings->rules;
    struct rules_query query = {.from_local = true, .rcpt = *to};

    (void)rewrite_address(rules, REWRITE_RCPT, &query.rcpt, arena);
    (void)forwarding_back(all->role->settings, &query, clock_wall_us(all->role->doors->clock),
                          arena);
    struct expansion x = rules_expand(rules, &query, arena);
    if (x.refusal.code != 0 || x.count == 0)
        return false;
    e->rcpts = ARENA_ARRAY(arena, struct envelope_rcpt, x.count);
    e->rcpt_count = x.count;
    for (unsigned i = 0; i < x.count; i++)
        e->rcpts[i] =
            (struct envelope_rcpt){.original = *to, .final = x.finals[i], .notify = NOTIFY_NEVER};
    return true;
}

static void tell_report(struct reports *all, const struct envelope *about, const struct envelope *e,
                        uint64_t size)
{
    char id[QUEUE_ID_LEN], own[QUEUE_ID_LEN];
    struct event_writer w = role_event(all->role, EVENT_REPORT, tag_bounce);

    queue_id_write(about->id, id);
    queue_id_write(e->id, own);
    event_text(&w, FIELD_QUEUE_ID, (struct slice){id, sizeof(id)});
    event_text(&w, FIELD_NAME, (struct slice){own, sizeof(own)});
    role_event_end(all->role, &w);

    w = role_event(all->role, EVENT_QUEUED, SLICE("qmgr"));
    event_text(&w, FIELD_QUEUE_ID, (struct slice){own, sizeof(own)});
    role_event_address(&w, FIELD_SENDER, &e->sender);
    event_number(&w, FIELD_SIZE, size);
    event_number(&w, FIELD_NRCPT, e->rcpt_count);
    role_event_end(all->role, &w);
}

static int put(struct reports *all, struct report_request *r, const struct envelope *about,
               struct envelope *e, struct slice content)
{
    e->id = queue_in_next_id(all->in);
    if (e->id == 0)
        return -EAGAIN;
    queue_in_draft_init(all->in, &r->draft);
    draft_begin(&r->draft, e->id);
    int rc = draft_append(&r->draft, content);
    if (rc < 0) {
        draft_end(&r->draft);
        return rc;
    }
    queue_put(all->in, e, SLICE(""), &r->draft, &r->put);
    r->under_way = true;
    list_append(&all->waiting, &r->link);
    tell_report(all, about, e, content.len);
    return 0;
}

int reports_send(struct reports *all, struct report_request *r, struct queue_message *about,
                 const struct bounce_rcpt *rcpts, unsigned count, enum bounce_fate fate)
{
    const struct address *postmaster = NULL, *to = &about->envelope.sender;
    struct envelope e = {.arrival_us = clock_wall_us(all->role->doors->clock),
                         .client_address = SLICE("local"),
                         .wishes.require_tls = about->envelope.wishes.require_tls};
    struct arena arena = {0};
    struct buf content;

    if (fate == BOUNCE_TO_POSTMASTER)
        to = postmaster = &all->role->settings->rules.postmaster;
    buf_init(&content, BOUNCE_MAX);
    int rc = address_report(all, to, &arena, &e) ? open_in(all) : -EADDRNOTAVAIL;
    if (rc == 0 && !write_content(all, about, rcpts, count, postmaster, &arena, &e, &content))
        rc = -EIO;
    if (rc == 0)
        rc = put(all, r, &about->envelope, &e, buf_slice(&content));
    buf_done(&content);
    arena_done(&arena);
    return rc;
}

/* ---- until it is durable ---- */

void reports_flush(struct reports *all)
{
    if (all->in != NULL)
        queue_in_flush(all->in);
}

static void publish(struct reports *all)
{
    uint64_t segment, offset;

    queue_in_durable(all->in, &segment, &offset);
    if (segment == all->told_segment && offset == all->told_offset)
        return;
    all->told_segment = segment;
    all->told_offset = offset;
    queue_durable(all->queue, REPORTS_RECEIVER, segment, offset);
}

void reports_collect(struct reports *all)
{
    struct list finished;

    if (all->in == NULL)
        return;
    list_init(&finished);
    queue_in_collect(all->in, &finished);
    publish(all);
    LIST_EACH (node, &finished) {
        struct report_request *r = LIST_ENTRY(node, struct report_request, put.ticket.link);

        list_remove(node);
        list_remove(&r->link);
        draft_end(&r->draft);
        r->under_way = false;
        r->done(r, r->put.ticket.result);
    }
}

int reports_broken(const struct reports *all)
{
    return all->in == NULL ? 0 : queue_in_broken(all->in);
}

bool reports_busy(const struct reports *all)
{
    return all->in != NULL && queue_in_busy(all->in);
}

void reports_done(struct reports *all)
{
    if (all->in != NULL)
        queue_in_stop(all->in);
    LIST_EACH (node, &all->waiting) {
        struct report_request *r = LIST_ENTRY(node, struct report_request, link);

        list_remove(node);
        draft_end(&r->draft);
    }
    if (all->in != NULL)
        queue_in_close(all->in);
    disk_dir_close(all->dir);
}
