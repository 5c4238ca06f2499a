/*
 * leavers.c - the other end of the drop folder.
 *
 * A program runs to its end in one step: nobody waits for it, and the names that it uses are its
 * own. A file's name holds the number of its mail, so that what lies there can be told apart.
 */
#include "sim/leavers.h"

#include "base/cursor.h"
#include "base/memory.h"
#include "sim/check.h"
#include "store/drop.h"

#include <errno.h>
#include <string.h>

enum {
    LEFT_MAX = 3 * BODY_MAX,
    NONSENSE_MAX = 64,
    CALLS = 6,     /* to the disk, by drop_put() */
    NAME_HEAD = 4, /* "new-", "tmp-", "bad-" */
    LISTED_MAX = 512,
};

struct leavers {
    struct leavers_options o;
    struct disk *disk; /* a program's door */
    bool dead;
    bool calmed;
    bool lost_power;
    bool nonsense[NONSENSE_MAX]; /* it is there for certain */
    unsigned nonsense_count;
    struct verdict *v; /* while it is checked */
    bool aside[SENT_MAX];
    bool nonsense_aside[NONSENSE_MAX];
};

#define NOTE(l, ...) history_note((l)->o.history, "leaver", __VA_ARGS__)

static uint64_t draw(struct leavers *l, uint64_t below)
{
    return random_below(l->o.chance, below);
}

/* ---- leaving ---- */

/* The end that its door finds for it. */
static void draw_end(struct leavers *l)
{
    l->dead = false;
    fake_disk_die_at(l->disk, !l->calmed && draw(l, 12) == 0 ? 1 + draw(l, CALLS) : 0);
}

static int put(struct leavers *l, struct slice text, unsigned number, bool is_mail)
{
    unsigned char unique[16] = {(unsigned char)(number >> 8), (unsigned char)number, is_mail};
    struct disk_dir *folder;
    int code;

    draw_end(l);
    code = disk_dir_open(l->disk, l->o.folder, &folder);
    if (code < 0)
        return code;
    code = drop_put(folder, text, unique);
    disk_dir_close(folder);
    if (!l->dead)
        return code;
    l->lost_power = draw(l, 2) == 0;
    NOTE(l, l->lost_power ? "the power goes" : "it is killed");
    return -EIO;
}

static void write_dialog(const struct sent *s, struct buf *out)
{
    (void)buf_append(out, SLICE("EHLO mx.sim.example\r\n"));
    sent_mail_command(s, out);
    for (unsigned i = 0; i < s->rcpt_count; i++)
        if (!s->rcpts[i].refused)
            sent_rcpt_command(&s->rcpts[i], out);
    (void)buf_append(out, SLICE("DATA\r\n"));
    sent_dotted(s, out);
    (void)buf_append(out, SLICE("QUIT\r\n"));
}

static void note_left(struct leavers *l, struct sent *s)
{
    s->acked = true;
    s->acked_us = l->o.clock->now_us;
    l->o.ledger->acked++;
    for (unsigned i = 0; i < s->rcpt_count; i++)
        s->rcpts[i].accepted = !s->rcpts[i].refused;
}

void leavers_leave(struct leavers *l, struct sent *s)
{
    struct buf text;
    int code;

    if (!s->whole)
        s->whole_us = l->o.clock->now_us;
    s->whole = s->left = true;
    s->tries += 2; /* nobody tells its id */
    buf_init(&text, LEFT_MAX);
    write_dialog(s, &text);
    code = put(l, buf_slice(&text), s->number, true);
    buf_done(&text);
    NOTE(l, "message %u of %zu bytes is %s", s->number, s->size,
         code == 0 ? "left" : "left perhaps");
    if (code == 0)
        note_left(l, s);
}

static void write_nonsense(struct leavers *l)
{
    static const struct slice texts[] = {
        SLICE_INIT(""), SLICE_INIT("EHLO x\r\n"), SLICE_INIT("hello\n"),
        SLICE_INIT("MAIL FROM:<m0@client.example>\r\nRCPT TO:<u1@sim.example>\r\nDATA\r\nhalf")};
    unsigned number = l->nonsense_count;

    if (number == NONSENSE_MAX)
        return;
    l->nonsense_count++;
    l->nonsense[number] =
        put(l, texts[draw(l, sizeof(texts) / sizeof(*texts))], number, false) == 0;
    NOTE(l, "nonsense %u is %s", number, l->nonsense[number] ? "left" : "left perhaps");
}

void leavers_write(struct leavers *l)
{
    struct sent *s;

    if (draw(l, 12) == 0) {
        write_nonsense(l);
        return;
    }
    s = ledger_add_left(l->o.ledger, l->o.chance);
    if (s != NULL)
        leavers_leave(l, s);
}

void leavers_calm(struct leavers *l)
{
    l->calmed = true;
    l->lost_power = false;
}

bool leavers_lost_power(struct leavers *l)
{
    bool lost = l->lost_power;

    l->lost_power = false;
    return lost;
}

/* ---- what lies there ---- */

static bool take_byte(struct cursor *c, unsigned *out)
{
    static const char digits[] = "0123456789abcdef";
    struct slice two;

    if (!take_bytes(c, 2, &two))
        return false;
    *out = 0;
    for (size_t i = 0; i < 2; i++) {
        const char *at = memchr(digits, two.data[i], sizeof(digits) - 1);

        if (at == NULL)
            return false;
        *out = *out * 16 + (unsigned)(at - digits);
    }
    return true;
}

/* "new-", then the number and what it is of. */
static bool parse_name(struct slice name, unsigned *number, bool *is_mail)
{
    struct cursor c = {slice_skip(name, NAME_HEAD)};
    unsigned high, low, kind;

    if (!take_byte(&c, &high) || !take_byte(&c, &low) || !take_byte(&c, &kind))
        return false;
    *number = high * 256 + low;
    *is_mail = kind != 0;
    return true;
}

static void each_name(struct leavers *l, bool (*each)(void *ctx, struct slice name))
{
    struct disk_dir *folder;

    if (disk_dir_open(fake_disk(l->o.disk), l->o.folder, &folder) < 0)
        return;
    (void)disk_dir_list(folder, each, l);
    disk_dir_close(folder);
}

/* ---- the end ---- */

/* Nobody can have it, and nobody wants to hear so. */
static bool belongs_aside(const struct sent *s)
{
    bool wanted;

    for (unsigned i = 0; i < s->rcpt_count; i++)
        if (s->rcpts[i].fate != FATE_REJECT)
            return false;
    return sent_refused(s, &wanted) > 0 && !wanted;
}

static bool judge_name(void *ctx, struct slice name)
{
    struct leavers *l = ctx;
    unsigned number = 0;
    bool is_mail = false, known = parse_name(name, &number, &is_mail);
    bool is_aside = slice_starts(name, SLICE("bad-"));

    if (slice_starts(name, SLICE("tmp-")))
        return true; /* of a program that was killed */
    if (known && is_mail && is_aside && number < l->o.ledger->count &&
        belongs_aside(&l->o.ledger->sent[number])) {
        l->aside[number] = true;
    } else if (known && !is_mail && is_aside && number < l->nonsense_count) {
        l->nonsense_aside[number] = true;
    } else {
        l->v->left++;
        NOTE(l, "LEFT: %.*s in the drop folder", SLICE_PRINTF(name));
    }
    return true;
}

static void miss(struct leavers *l, const char *what, unsigned number)
{
    l->v->lost++;
    NOTE(l, "LOST: %s %u is not set aside", what, number);
}

void leavers_check(struct leavers *l, struct verdict *v)
{
    l->v = v;
    each_name(l, judge_name);
    for (unsigned i = 0; i < l->o.ledger->count; i++) {
        const struct sent *s = &l->o.ledger->sent[i];

        if (s->left && s->acked && belongs_aside(s) && !l->aside[i])
            miss(l, "message", i);
    }
    for (unsigned i = 0; i < l->nonsense_count; i++)
        if (l->nonsense[i] && !l->nonsense_aside[i])
            miss(l, "nonsense", i);
}

/* ---- as a whole ---- */

struct leavers *leavers_new(const struct leavers_options *options)
{
    struct leavers *l = MEMORY_NEW(struct leavers);

    l->o = *options;
    l->disk = fake_disk_process(l->o.disk, &l->dead);
    return l;
}

void leavers_free(struct leavers *l)
{
    memory_free(l);
}
