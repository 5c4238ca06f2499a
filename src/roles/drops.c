/*
 * drops.c - rounds through the folders where programs leave mail while nobody listens.
 *
 * A few files are under way at a time, all of one folder. There is no list of what was answered:
 * a file is done when its name is gone, and one whose answer was lost is said once more. So one
 * whose name cannot be taken away (a folder that is read-only all at once) keeps its place until it
 * can, and nothing else goes: else it would be said in every round, and its sender told in each of
 * who was refused. Nobody but a broken disk can bring that about.
 *
 * Nor is there a list of what waits, which anybody could make long. Most rounds take only what came
 * or changed since the one before, by the time that the kernel notes with each file; one a minute
 * takes all. So what cannot go, or cannot be set aside since a user made something of that name, is
 * tried each minute, and others' mail goes meanwhile. A clock that is set costs new mail a minute.
 *
 * A round goes through all names, a piece at a time: who fills the folder keeps nobody's mail from
 * its turn, and the warden from nothing else.
 */
#include "roles/drops.h"

#include "base/fail.h"
#include "base/memory.h"
#include "roles/pickup_order.h"

#include <errno.h>
#include <stdio.h>

enum {
    ROUND_MS = 2 * 1000,
    WAIT_MS = 60 * 1000,  /* of what could not go */
    LISTED_MAX = 4096,    /* names, before anything else has its turn */
    NOTED_US = 20 * 1000, /* the kernel notes times by a clock that ticks, and is behind */
};

/* ---- telling ---- */

static void warn(struct drops *d, const struct settings_listener *l, const char *name,
                 const char *what)
{
    struct arena scratch = {0};

    d->keeper->tell(d, arena_printf(&scratch, "%.*s%s%s: %s", SLICE_PRINTF(l->drop),
                                    *name == '\0' ? "" : "/", name, what));
    arena_done(&scratch);
}

static void tell_no_folder(struct drops *d, const struct settings_listener *l, int code)
{
    if (d->told_for == d->settings)
        return;
    d->told_for = d->settings;
    if (code == -ENOENT)
        warn(d, l, "",
             "there is no such folder, so programs cannot leave mail while postroad does not run; "
             "to make it: install -d -m 1733 FOLDER");
    else
        (void)fail_code(code, "open the drop folder", l->drop);
}

/* ---- one file ---- */

static bool is_free(const struct handed_drop *h)
{
    return h->to == NULL && !h->stuck;
}

static struct handed_drop *free_place(struct drops *d)
{
    for (size_t i = 0; i < DROPS_AT_ONCE; i++)
        if (is_free(&d->handed[i]))
            return &d->handed[i];
    return NULL;
}

static bool is_under_way(const struct drops *d)
{
    for (size_t i = 0; i < DROPS_AT_ONCE; i++)
        if (!is_free(&d->handed[i]))
            return true;
    return false;
}

static void set_aside(struct drops *d, const struct settings_listener *l, const char *name,
                      const char *why)
{
    int code = drop_set_aside(d->folder, name);

    if (code < 0)
        (void)fail_code(code, "set aside mail in", l->drop);
    else
        warn(d, l, name, why);
    d->changed = true;
}

static int order(struct channel *to, const struct pickup_order *o, struct disk_file *file)
{
    struct buf body;
    int code;

    buf_init(&body, 3 * 4 + DROP_NAME_MAX);
    pickup_order_write(&body, o);
    code = channel_send(to, MESSAGE_DROP, buf_slice(&body), file, -1);
    buf_done(&body);
    return code;
}

/* What came since this round began has it in the next one, so that it has one and not two. */
static bool has_its_turn(const struct drops *d, const char *name)
{
    uint64_t at_us;

    if (drop_changed(d->folder, name, &at_us) < 0)
        return true; /* who opens it tells why */
    if (at_us >= d->until_us && at_us <= clock_wall_us(d->clock))
        return false;
    return d->since_us == 0 || (at_us >= d->since_us && at_us < d->until_us);
}

static void hand(struct drops *d, struct handed_drop *place, const char *name)
{
    const struct settings_listener *l = &d->settings->listeners[d->listener];
    struct channel *to = d->keeper->receiver(d);
    struct disk_facts facts;
    struct disk_file *file;
    int code;

    if (to == NULL) {
        d->missed = true;
        return;
    }
    if (!has_its_turn(d, name))
        return;
    code = drop_open(d->folder, name, &file, &facts);
    if (code == -EPERM)
        set_aside(d, l, name, "is no plain file of one name, or is too large; it is set aside");
    else if (code < 0 && code != -ENOENT)
        (void)fail_code(code, "open mail in", l->drop);
    if (code < 0)
        return;
    place->told = drops_told_of(d->told, slice_of(name), loop_now_ms(d->loop));
    code = order(
        to, &(struct pickup_order){(uint32_t)d->listener, facts.user, place->told, slice_of(name)},
        file);
    disk_close(file);
    if (code < 0) {
        d->missed = true;
        return;
    }
    place->to = to;
    (void)snprintf(place->name, sizeof(place->name), "%s", name);
}

/* ---- what became of it ---- */

static void settle(struct drops *d, struct handed_drop *h, enum pickup_verdict verdict)
{
    int code = 0;

    switch (verdict) {
    case PICKUP_TAKEN: code = drop_done(d->folder, h->name); break;
    case PICKUP_BAD: code = drop_set_aside(d->folder, h->name); break;
    case PICKUP_LATER: return;
    }
    d->changed = true;
    h->stuck = verdict == PICKUP_TAKEN && code < 0 && code != -ENOENT;
    d->missed = d->missed || h->stuck; /* the rest of the round */
    if (code < 0)
        (void)fail_code(code, "take away mail that was left,", slice_of(h->name));
}

static void settle_stuck(struct drops *d)
{
    for (size_t i = 0; i < DROPS_AT_ONCE; i++)
        if (d->handed[i].stuck)
            settle(d, &d->handed[i], PICKUP_TAKEN);
}

static bool is_stuck(const struct drops *d)
{
    for (size_t i = 0; i < DROPS_AT_ONCE; i++)
        if (d->handed[i].stuck)
            return true;
    return false;
}

/* ---- a round ---- */

/* Some file systems would bring names back that went hours ago, when the power goes. */
static void leave_folder(struct drops *d)
{
    int code = d->changed ? drop_sync(d->folder) : 0;

    if (code < 0)
        (void)fail_code(code, "sync", SLICE("the drop folder"));
    d->changed = false;
    disk_dir_close(d->folder);
    memory_free(d->names);
    d->folder = NULL;
    d->names = NULL;
    d->count = d->at = 0;
    d->position = 0;
}

/* The next piece of it. */
static int list_names(struct drops *d)
{
    int code = drop_list(d->folder, &d->position, d->names, LISTED_MAX);

    d->at = 0;
    d->count = code < 0 ? 0 : (unsigned)code;
    d->pieces++;
    return code;
}

static void enter_folder(struct drops *d, const struct settings_listener *l)
{
    struct arena scratch = {0};
    int code = disk_dir_open(d->disk, arena_string(&scratch, l->drop), &d->folder);

    arena_done(&scratch);
    if (code == 0) {
        d->names = memory_new(LISTED_MAX * sizeof(*d->names));
        code = list_names(d);
    }
    if (code < 0)
        tell_no_folder(d, l, code);
}

/* Of the folder where we are. */
static bool has_more(struct drops *d)
{
    return d->position != 0 && !is_under_way(d) && d->settings == d->keeper->settings(d);
}

/* As far as there is something to do now; the rest is done when an answer comes. Other settings
 * have other folders: the next round goes through those. */
static bool goes_on(struct drops *d)
{
    const struct settings *now = d->keeper->settings(d);
    struct handed_drop *place = free_place(d);

    if (now == NULL || d->settings != now || place == NULL || is_stuck(d))
        return false;
    if (d->at < d->count) {
        hand(d, place, d->names[d->at++]);
        return true;
    }
    if (is_under_way(d) || has_more(d) || d->next_listener == now->listener_count)
        return false;
    leave_folder(d);
    d->listener = d->next_listener++;
    if (now->listeners[d->listener].drop.len > 0)
        enter_folder(d, &now->listeners[d->listener]);
    return true;
}

static void begin_round(struct drops *d)
{
    const struct settings *now = d->keeper->settings(d);
    bool all = d->missed || d->settings != now || loop_now_ms(d->loop) >= d->all_from_ms;

    leave_folder(d); /* if something was stuck there */
    d->since_us = all ? 0 : d->until_us;
    d->until_us = clock_wall_us(d->clock) - NOTED_US;
    d->missed = now == NULL;
    d->settings = now;
    d->pieces = 0;
    d->next_listener = 0;
}

/* So full a folder is not gone through all the time. */
static uint64_t pause_ms(const struct drops *d)
{
    uint64_t pause = (uint64_t)ROUND_MS * (d->pieces > 1 ? d->pieces : 1);

    return pause < WAIT_MS && !is_stuck(d) ? pause : WAIT_MS;
}

static void go_on(struct drops *d)
{
    while (goes_on(d))
        continue;
    if (has_more(d)) {
        timer_set(d->loop, &d->next, 0);
        return;
    }
    if (!is_under_way(d))
        leave_folder(d);
    else if (!is_stuck(d))
        return; /* an answer comes */
    if (d->since_us == 0)
        d->all_from_ms = loop_now_ms(d->loop) + WAIT_MS;
    timer_set(d->loop, &d->next, pause_ms(d));
}

static void on_next(struct timer *t)
{
    struct drops *d = LIST_ENTRY(t, struct drops, next);

    settle_stuck(d);
    if (has_more(d)) {
        (void)list_names(d);
    } else if (!is_under_way(d)) {
        begin_round(d);
    }
    go_on(d);
}

void drops_look(struct drops *d)
{
    d->missed = true;
    if (!is_under_way(d))
        timer_set(d->loop, &d->next, 0);
}

/* ---- from receivers ---- */

void drops_answered(struct drops *d, const struct channel *from, struct slice body)
{
    struct pickup_answer a;

    if (!pickup_answer_read(body, &a))
        return;
    for (size_t i = 0; i < DROPS_AT_ONCE; i++) {
        struct handed_drop *h = &d->handed[i];

        if (h->to != from || !slice_equal(slice_of(h->name), a.name))
            continue;
        h->to = NULL;
        if (a.reason != 0 && a.reason != h->told)
            drops_told_note(d->told, a.name, a.reason, loop_now_ms(d->loop));
        settle(d, h, a.verdict);
        go_on(d);
        return;
    }
}

void drops_lost(struct drops *d, const struct channel *to)
{
    bool some = false;

    for (size_t i = 0; i < DROPS_AT_ONCE; i++) {
        if (d->handed[i].to != to)
            continue;
        d->handed[i].to = NULL;
        some = true;
    }
    if (!some)
        return;
    d->missed = true;
    go_on(d);
}

/* ---- as a whole ---- */

void drops_init(struct drops *d, struct loop *loop, struct clock *clock, struct disk *disk,
                const struct drops_keeper *keeper)
{
    *d = (struct drops){
        .keeper = keeper, .loop = loop, .clock = clock, .disk = disk, .told = drops_told_new()};
    timer_init(&d->next, on_next);
}

void drops_done(struct drops *d)
{
    timer_cancel(d->loop, &d->next);
    leave_folder(d);
    drops_told_free(d->told);
}
