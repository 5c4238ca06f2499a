/*
 * bench_maildir.c - notes every mail below a folder of Maildirs in a ledger.
 *
 * Where a folder has new/ or cur/ it is a Maildir, and what leads there tells whose it is:
 * DIR/DOMAIN/USER is USER@DOMAIN. Its tmp/ is not looked at, since nothing there has arrived.
 */
#include "cmd/bench.h"
#include "cmd/bench_ledger.h"
#include "cmd/bench_mail.h"
#include "cmd/options.h"

#include "base/arena.h"
#include "base/list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { DEPTH_MAX = 4, READ_PIECE = 64 * 1024 };

/* A folder that is still to be looked at. */
struct place {
    struct list link;
    const char *path;   /* whole */
    struct slice below; /* what of it stands below DIR */
    unsigned depth;
};

struct walk {
    struct arena arena;
    struct list places;
    struct ledger ledger;
    struct bench_mail *mail;
    char *piece;
    unsigned long long mails, maildirs;
    int status;
    struct place *at; /* of the list that is under way */
    struct disk_dir *mails_dir;
    struct slice rcpt;
};

static void cannot(struct walk *w, const char *path, int code)
{
    w->status =
        command_wrong("bench", EX_NOINPUT, "cannot read %s: %s", path, strerrordesc_np(-code));
}

static void add_place(struct walk *w, const char *path, size_t below_from, unsigned depth)
{
    struct place *p = ARENA_NEW(&w->arena, struct place);

    p->path = path;
    p->below = slice_skip(slice_of(path), below_from);
    p->depth = depth;
    list_append(&w->places, &p->link);
}

/* "USER@DOMAIN" of "DOMAIN/USER"; "" when the folder tells nothing. */
static struct slice rcpt_of(struct walk *w, struct slice below)
{
    struct slice user, domain;

    if (!slice_cut(below, '/', &domain, &user) || slice_find(user, '/') < user.len)
        return SLICE("");
    return arena_printf(&w->arena, "%.*s@%.*s", SLICE_PRINTF(user), SLICE_PRINTF(domain));
}

static int read_mail(struct walk *w, const char *name, uint64_t *mtime_us)
{
    struct disk_stat stat;
    struct disk_file *file = NULL;
    uint64_t offset = 0;
    int64_t count;
    int code = disk_stat(w->mails_dir, name, &stat);

    if (code == 0)
        code = disk_open(w->mails_dir, name, DISK_READ, 0, &file);
    if (code < 0)
        return code;
    *mtime_us = stat.mtime_us;
    bench_mail_begin(w->mail);
    while ((count = disk_read(file, w->piece, READ_PIECE, offset)) > 0) {
        bench_mail_feed(w->mail, (struct slice){w->piece, (size_t)count});
        offset += (uint64_t)count;
    }
    disk_close(file);
    return (int)count;
}

static bool take_mail(void *ctx, struct slice name)
{
    struct walk *w = ctx;
    struct slice id, hash;
    uint64_t mtime_us;
    int code = read_mail(w, name.data, &mtime_us);

    if (code == -ENOENT)
        return true; /* its reader moved it just now */
    if (code < 0) {
        cannot(w, name.data, code);
        return false;
    }
    bench_mail_end(w->mail, &id, &hash);
    w->mails++;
    ledger_note(&w->ledger, LEDGER_ARRIVED, mtime_us, id);
    ledger_word(&w->ledger, hash);
    ledger_text(&w->ledger, w->rcpt);
    ledger_text(&w->ledger, name);
    ledger_end(&w->ledger);
    if (buf_len(&w->ledger.lines) > READ_PIECE && !ledger_write(&w->ledger))
        w->status = EX_IOERR;
    return w->status == 0;
}

/* True when there is such a folder. */
static bool take_mails(struct walk *w, struct disk_dir *maildir, const char *name)
{
    int code = disk_dir_open_at(maildir, name, &w->mails_dir);

    if (code < 0)
        return false;
    w->rcpt = rcpt_of(w, w->at->below);
    code = disk_dir_list(w->mails_dir, take_mail, w);
    if (code < 0)
        cannot(w, w->at->path, code);
    disk_dir_close(w->mails_dir);
    return true;
}

static bool take_name(void *ctx, struct slice name)
{
    struct walk *w = ctx;
    const struct place *p = w->at;
    size_t from = slice_of(p->path).len - p->below.len + (p->below.len == 0 ? 1 : 0);
    struct slice path = arena_printf(&w->arena, "%s/%.*s", p->path, SLICE_PRINTF(name));

    if (p->depth < DEPTH_MAX)
        add_place(w, arena_string(&w->arena, path), from, p->depth + 1);
    return true;
}

static void look_at(struct walk *w, struct place *p)
{
    struct disk_dir *dir;
    int code = disk_dir_open(disk_real(), p->path, &dir);

    w->at = p;
    if (code < 0) {
        if (p->depth == 0 || (code != -ENOTDIR && code != -ENOENT))
            cannot(w, p->path, code);
        return;
    }
    bool has_new = take_mails(w, dir, "new");
    bool has_cur = w->status == 0 && take_mails(w, dir, "cur");
    if (has_new || has_cur) {
        w->maildirs++;
    } else if (w->status == 0) {
        code = disk_dir_list(dir, take_name, w);
        if (code < 0)
            cannot(w, p->path, code);
    }
    disk_dir_close(dir);
}

static int run_maildir(const char *top, const char *ledger)
{
    struct walk w = {0};

    if (!ledger_open(&w.ledger, ledger))
        return EX_CANTCREAT;
    list_init(&w.places);
    w.mail = bench_mail_new();
    w.piece = arena_alloc(&w.arena, READ_PIECE);
    add_place(&w, top, slice_of(top).len, 0);
    while (w.status == 0 && !list_empty(&w.places)) {
        struct place *p = LIST_ENTRY(w.places.next, struct place, link);

        list_remove(&p->link);
        look_at(&w, p);
    }
    if (w.status == 0 && !ledger_write(&w.ledger))
        w.status = EX_IOERR;
    if (w.status == 0)
        printf("bench maildir: %llu mails in %llu Maildirs\n", w.mails, w.maildirs);
    ledger_close(&w.ledger);
    bench_mail_free(w.mail);
    arena_done(&w.arena);
    return w.status;
}

int bench_maildir(int argc, char **argv)
{
    struct option_list dirs = {0};
    const char *ledger = NULL;
    int status;
    const struct option options[] = {
        {"DIR",      NULL, OPTION_WORDS, &dirs,   NULL,   "where the Maildirs are; DIR may be one itself",
         NULL},
        {"--ledger", NULL, OPTION_TEXT,  &ledger, "FILE", "where to note them; a file of its own",
         NULL},
    };
    const struct usage usage = {
        "bench maildir",
        "DIR --ledger FILE",
        "Reads every mail in new/ and cur/ of every Maildir below DIR and notes its id and hash.\n"
        "DIR/DOMAIN/USER is taken for the mailbox of USER@DOMAIN.\n\n"
        "Exit status: 0; 64 wrong usage; 66 something cannot be read; 73, 74 the ledger cannot be\n"
        "made or written.",
        "  postroad bench maildir /var/vmail --ledger maildir.ledger\n",
        options,
        sizeof(options) / sizeof(*options)};

    if (!options_parse(&usage, argc, argv, &status))
        return status;
    if (dirs.count != 1 || ledger == NULL)
        return command_wrong("bench", EX_USAGE, "one folder and --ledger FILE are needed");
    return run_maildir(dirs.values[0], ledger);
}
