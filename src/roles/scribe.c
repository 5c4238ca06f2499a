/*
 * scribe.c - every event of every message becomes a log line, as the settings have it.
 *
 * The scribe is the only one who may be slow: the others never wait for it. When it falls
 * behind, their events are dropped and counted, and the count is told as a line of its own.
 * Bytes from outside are escaped in wire/log_line, or in wire/log_json, and nowhere else.
 */
#include "roles/role.h"

#include "base/memory.h"
#include "wire/log_json.h"
#include "wire/log_line.h"

enum { LOG_LINES_MAX = 1024 * 1024 };

struct writer {
    struct list link;
    struct channel channel;
    struct scribe *scribe;
};

struct scribe {
    struct role role;
    struct list writers; /* one per role that tells us something */
    struct buf lines;    /* of this round */
    struct slice host;
};

static struct scribe *scribe_of(struct role *r)
{
    return LIST_ENTRY(r, struct scribe, role);
}

static void write_lines(struct scribe *s)
{
    struct slice lines = buf_slice(&s->lines);

    if (lines.len == 0)
        return;
    s->role.doors->log(s->role.doors, lines);
    buf_clear(&s->lines);
}

static bool write_event(struct scribe *s, const struct event *e)
{
    int offset = s->role.doors->clock->utc_offset_min(s->role.doors->clock, e->wall_us);

    switch (s->role.settings->log_form) {
    case LOG_TEXT: return log_line_write(&s->lines, e, s->host, offset);
    case LOG_JSON: return log_json_write(&s->lines, e, s->host, offset);
    }
    return false;
}

static void take_events(struct channel *c, enum message_kind kind, struct slice body,
                        struct disk_file *file, int handle)
{
    struct writer *w = LIST_ENTRY(c, struct writer, channel);
    struct scribe *s = w->scribe;
    struct cursor in = {body};
    struct event e;

    (void)kind, (void)file, (void)handle; /* the matrix allows nothing else */
    while (event_parse(&in, &e)) {
        if (write_event(s, &e))
            continue;
        write_lines(s);
        (void)write_event(s, &e);
    }
}

static void forget_writer(struct channel *c)
{
    struct writer *w = LIST_ENTRY(c, struct writer, channel);
    struct scribe *s = w->scribe;

    role_parted(&s->role, c);
    list_remove(&w->link);
    memory_free(w);
    /* Draining: the warden closes its end last. */
    if (s->role.draining && list_empty(&s->writers))
        role_end(&s->role, 0);
}

static int scribe_start(struct role *r)
{
    struct scribe *s = scribe_of(r);
    struct cursor c = {r->settings->hostname};

    if (!take_until(&c, '.', &s->host))
        s->host = r->settings->hostname;
    return 0;
}

static int scribe_reload(struct role *r, const struct settings *old)
{
    (void)old;
    return scribe_start(r);
}

static void scribe_peer(struct role *r, enum role_kind kind, unsigned index, int handle)
{
    struct scribe *s = scribe_of(r);
    struct writer *w = MEMORY_NEW(struct writer);

    (void)index;
    w->scribe = s;
    w->channel.watch.handle = -1;
    list_append(&s->writers, &w->link);
    role_meet(r, &w->channel, handle, kind, take_events, forget_writer);
}

static void scribe_drain(struct role *r)
{
    if (list_empty(&scribe_of(r)->writers))
        role_end(r, 0);
}

static void scribe_before_sleep(struct role *r)
{
    write_lines(scribe_of(r));
}

static void scribe_done(struct role *r)
{
    struct scribe *s = scribe_of(r);

    LIST_EACH (node, &s->writers) {
        struct writer *w = LIST_ENTRY(node, struct writer, link);

        channel_close(&w->channel);
        list_remove(&w->link);
        memory_free(w);
    }
    write_lines(s);
    buf_done(&s->lines);
}

struct role *scribe_new(const struct role_doors *doors, int warden_handle)
{
    static const struct role_calls calls = {.start = scribe_start,
                                            .reload = scribe_reload,
                                            .peer = scribe_peer,
                                            .drain = scribe_drain,
                                            .before_sleep = scribe_before_sleep,
                                            .done = scribe_done};
    struct scribe *s = MEMORY_NEW(struct scribe);

    list_init(&s->writers);
    buf_init(&s->lines, LOG_LINES_MAX);
    role_init(&s->role, ROLE_SCRIBE, 0, doors, &calls, 0, warden_handle);
    return &s->role;
}
