/*
 * pauses.c - one lane for each paused domain, and one small file for all of them.
 *
 * The file "paused" in the queue's folder has a line for each, as ipc/control writes them:
 *     paused domain=example.net until=1794000000
 * A line that says nothing sensible is passed over: mail that goes too early is a smaller evil than
 * a courier that does not start.
 */
#include "roles/pauses.h"

#include "ipc/control.h"
#include "roles/role.h"
#include "store/small_file.h"

#include "base/memory.h"

#include <errno.h>

enum {
    FILE_MODE = 0600,
    LANE_FIRST = 0x80000000, /* the destinations count from 1 */
    WAKE_MAX_MS = 60 * 1000, /* the clock on the wall may be set meanwhile */
};

#define FILE_NAME "paused"

static const uint64_t for_max_s = 10ull * 365 * 24 * 60 * 60;

struct paused {
    char name[DOMAIN_MAX];
    struct slice domain; /* in `name` */
    uint64_t until_s;
    struct queue_lane lane;
};

struct pauses {
    struct role *role;
    struct queue *queue;
    struct disk_dir *spool;
    struct paused *of[PAUSES_MAX];
    size_t count;
    uint32_t lanes; /* numbers given away */
    struct timer end;
};

static uint64_t wall_s(const struct pauses *all)
{
    return clock_wall_us(all->role->doors->clock) / 1000000;
}

/* ---- the table ---- */

static struct paused *find(const struct pauses *all, struct slice ascii)
{
    for (size_t i = 0; i < all->count; i++)
        if (slice_equal_nocase(all->of[i]->domain, ascii))
            return all->of[i];
    return NULL;
}

static struct paused *add(struct pauses *all, struct slice ascii)
{
    struct paused *p = MEMORY_NEW(struct paused);

    for (size_t i = 0; i < ascii.len; i++)
        p->name[i] = ascii.data[i];
    p->domain = (struct slice){p->name, ascii.len};
    queue_lane_init(&p->lane, LANE_FIRST + all->lanes++);
    all->of[all->count++] = p;
    return p;
}

static void forget(struct pauses *all, struct paused *p)
{
    size_t i = 0;

    while (all->of[i] != p)
        i++;
    all->count--;
    for (; i < all->count; i++)
        all->of[i] = all->of[i + 1];
    queue_lane_done(all->queue, &p->lane);
    memory_free(p);
    loop_wake(all->role->loop); /* its mail is claimed before the next sleep */
}

static struct pause told(const struct paused *p)
{
    return (struct pause){p->domain, p->until_s, queue_lane_count(&p->lane)};
}

/* ---- the file ---- */

static int save(struct pauses *all, const struct paused *but)
{
    struct buf text;
    int rc;

    buf_init(&text, SMALL_FILE_MAX);
    for (size_t i = 0; i < all->count; i++) {
        if (all->of[i] == but)
            continue;
        control_begin(&text, SLICE("paused"));
        control_text(&text, "domain", all->of[i]->domain);
        control_uint(&text, "until", all->of[i]->until_s);
        control_end(&text);
    }
    rc = small_file_replace(all->spool, FILE_NAME, buf_slice(&text), FILE_MODE);
    buf_done(&text);
    return rc;
}

static void take_line(struct pauses *all, struct slice text, struct arena *scratch)
{
    struct control_line line;
    uint64_t until_s;

    if (!control_parse(text, scratch, &line) || !slice_equal(line.word, SLICE("paused")) ||
        !control_number(&line, SLICE("until"), &until_s))
        return;
    struct slice domain = control_value(&line, SLICE("domain"));
    if (domain.len > 0 && domain.len <= DOMAIN_MAX && all->count < PAUSES_MAX &&
        find(all, domain) == NULL)
        add(all, domain)->until_s = until_s;
}

static void restore(struct pauses *all)
{
    struct arena scratch = {0};
    struct slice line, rest;
    struct buf text;

    buf_init(&text, SMALL_FILE_MAX);
    if (small_file_read(all->spool, FILE_NAME, &text) == 0) {
        rest = buf_slice(&text);
        while (slice_cut(rest, '\n', &line, &rest))
            take_line(all, line, &scratch);
    }
    buf_done(&text);
    arena_done(&scratch);
}

/* ---- their ends ---- */

static void arm(struct pauses *all)
{
    uint64_t now = wall_s(all), in_ms = WAKE_MAX_MS;
    bool wanted = false;

    for (size_t i = 0; i < all->count; i++) {
        uint64_t until = all->of[i]->until_s;
        uint64_t left_s = until > now ? until - now : 0;

        if (until == 0)
            continue;
        wanted = true;
        if (left_s < in_ms / 1000)
            in_ms = left_s * 1000;
    }
    if (wanted)
        timer_set(all->role->loop, &all->end, in_ms);
    else
        timer_cancel(all->role->loop, &all->end);
}

/* A file that cannot be written now does no harm: its times are over after a restart, too. */
static void on_end(struct timer *t)
{
    struct pauses *all = LIST_ENTRY(t, struct pauses, end);
    bool changed = false;

    for (size_t i = all->count; i-- > 0;) {
        struct paused *p = all->of[i];

        if (p->until_s == 0 || p->until_s > wall_s(all))
            continue;
        forget(all, p);
        changed = true;
    }
    if (changed)
        (void)save(all, NULL);
    arm(all);
}

/* ---- what the courier asks ---- */

bool pauses_has(const struct pauses *all, struct slice domain, struct arena *scratch,
                struct pause *out)
{
    struct slice ascii;
    const struct paused *p;

    if (all->count == 0 || !domain_to_ascii(domain, scratch, &ascii))
        return false;
    p = find(all, ascii);
    if (p != NULL)
        *out = told(p);
    return p != NULL;
}

static struct paused *pause_of(struct pauses *all, struct queue_message *m, unsigned rcpt)
{
    struct slice ascii;

    return domain_to_ascii(m->envelope.rcpts[rcpt].final.domain, &m->arena, &ascii)
               ? find(all, ascii)
               : NULL;
}

bool pauses_take(struct pauses *all, struct queue_message *m)
{
    bool left = false;

    if (all->count == 0)
        return true;
    for (unsigned i = 0; i < m->envelope.rcpt_count; i++) {
        struct paused *p = m->rcpts[i].due ? pause_of(all, m, i) : NULL;

        if (p != NULL)
            queue_park(all->queue, m, i, &p->lane);
        left = left || m->rcpts[i].due;
    }
    return left;
}

bool pauses_at(const struct pauses *all, size_t number, struct pause *out)
{
    if (number >= all->count)
        return false;
    *out = told(all->of[number]);
    return true;
}

/* ---- what people ask ---- */

static bool is_domain(struct slice text, struct arena *scratch, struct slice *ascii)
{
    struct slice name;

    return domain_parse(text, scratch, &name) && domain_to_ascii(name, scratch, ascii) &&
           ascii->len <= DOMAIN_MAX;
}

int pauses_begin(struct pauses *all, struct slice domain, uint64_t for_s, struct arena *scratch)
{
    struct slice ascii;
    struct paused *p;
    int rc;

    if (!is_domain(domain, scratch, &ascii))
        return -EINVAL;
    p = find(all, ascii);
    bool is_new = p == NULL;
    if (is_new && all->count == PAUSES_MAX)
        return -ENOSPC;
    if (is_new)
        p = add(all, ascii);
    uint64_t before_s = p->until_s;
    p->until_s = for_s == 0 ? 0 : wall_s(all) + (for_s < for_max_s ? for_s : for_max_s);
    rc = save(all, NULL);
    if (rc < 0 && is_new)
        forget(all, p);
    else if (rc < 0)
        p->until_s = before_s;
    arm(all);
    return rc;
}

int pauses_end(struct pauses *all, struct slice domain, struct arena *scratch, struct pause *out)
{
    struct slice ascii;
    struct paused *p = is_domain(domain, scratch, &ascii) ? find(all, ascii) : NULL;
    int rc;

    if (p == NULL)
        return -ENOENT;
    rc = save(all, p);
    if (rc < 0)
        return rc;
    *out = told(p);
    out->domain = arena_copy(scratch, out->domain);
    forget(all, p);
    arm(all);
    return 0;
}

/* ---- as a whole ---- */

struct pauses *pauses_new(struct role *role, struct queue *queue, struct disk_dir *spool)
{
    struct pauses *all = MEMORY_NEW(struct pauses);

    all->role = role;
    all->queue = queue;
    all->spool = spool;
    timer_init(&all->end, on_end);
    restore(all);
    arm(all);
    return all;
}

void pauses_free(struct pauses *all)
{
    if (all == NULL)
        return;
    timer_cancel(all->role->loop, &all->end);
    while (all->count > 0)
        forget(all, all->of[all->count - 1]);
    memory_free(all);
}
