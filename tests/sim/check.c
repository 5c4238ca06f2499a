/*
 * check.c - the promise, compared with what is there.
 *
 *   acknowledged     in each Maildir it was accepted for, once, as it was sent
 *   not acknowledged there or not there; never if its end was never sent
 *   discarded        nowhere
 *   for elsewhere    at the other server, or a report of the failure at the sender's (intake.c
 *                    counts both), or a notice of it in postmaster's Maildir, or the sender did
 *                    not want to hear
 *
 * A file names its message by Return-Path, or by Subject when that is empty; its content must be
 * our header block and then every byte of the body, with LF for CRLF.
 */
#include "sim/check.h"

#include "base/memory.h"
#include "sim/reports.h"

#include <stdio.h>
#include <string.h>

struct check {
    struct disk *disk;
    struct ledger *ledger;
    const struct history *history;
    struct verdict *v;
    unsigned user;
    struct disk_dir *dir;
};

#define NOTE(k, ...) history_note((k)->history, "check", __VA_ARGS__)

bool verdict_is_good(const struct verdict *v)
{
    return v->lost + v->torn + v->strangers + v->twice + v->left + v->starved + v->early +
                   v->misreported ==
               0 &&
           v->other == NULL;
}

static void blame(struct verdict *v, unsigned number)
{
    if (!v->has_culprit)
        v->culprit = number;
    v->has_culprit = true;
}

/* --- a file --- */

static char *read_whole(struct disk_dir *dir, const char *name, size_t *len)
{
    struct disk_file *file;
    uint64_t size = 0;

    *len = 0;
    if (disk_open(dir, name, DISK_READ, 0, &file) < 0)
        return NULL;
    (void)disk_size(file, &size);
    char *bytes = memory_new((size_t)size + 1);
    int64_t got = disk_read(file, bytes, (size_t)size, 0);
    *len = got < 0 ? 0 : (size_t)got;
    disk_close(file);
    return bytes;
}

/* Behind Return-Path, Received and its folded lines. */
static bool skip_trace(struct slice *text)
{
    struct slice line;

    if (!slice_cut(*text, '\n', &line, text) || !slice_starts(*text, SLICE("Received: ")))
        return false;
    do {
        if (!slice_cut(*text, '\n', &line, text))
            return false;
    } while (text->len > 0 && (text->data[0] == ' ' || text->data[0] == '\t'));
    return true;
}

static bool same_as_sent(const struct sent *s, struct slice text)
{
    struct buf body;

    if (!skip_trace(&text))
        return false;
    buf_init(&body, 2 * BODY_MAX);
    sent_body(s, &body);
    struct slice wanted = buf_slice(&body);
    bool same = true;
    while (same && wanted.len > 0) {
        size_t line = slice_find(wanted, '\r');

        same = text.len > line && slice_equal(slice_head(text, line), slice_head(wanted, line)) &&
               text.data[line] == '\n';
        text = slice_skip(text, line + 1);
        wanted = slice_skip(wanted, line + 2);
    }
    buf_done(&body);
    return same && text.len == 0;
}

/* Who sent it, by its Return-Path. False: it begins otherwise. */
static bool return_path(struct slice text, struct slice *sender)
{
    struct slice line, rest, start;

    return slice_cut(text, '\n', &line, &rest) && slice_cut(line, '<', &start, &line) &&
           slice_cut(line, '>', sender, &rest);
}

static struct sent_rcpt *rcpt_of(struct sent *s, unsigned user)
{
    for (unsigned i = 0; i < s->rcpt_count; i++)
        if (s->rcpts[i].fate == FATE_MAILDIR && s->rcpts[i].user == user)
            return &s->rcpts[i];
    return NULL;
}

struct notice {
    struct check *check;
    const struct sent *sent;
};

static void count_notice(void *ctx, struct sent_rcpt *r, enum sent_report what)
{
    const struct notice *notice = ctx;
    struct check *k = notice->check;

    if (what != REPORT_OF_FAILURE || coming_came(&r->notices, 0, true))
        return;
    k->v->twice++;
    blame(k->v, notice->sent->number);
    NOTE(k, "TWICE: postmaster is told that user %u did not get message %u", r->user,
         notice->sent->number);
}

/* Of ours, to postmaster: a report could not be delivered. */
static bool judge_notice(struct check *k, const char *name, struct slice text)
{
    struct sent *s = ledger_from(k->ledger, report_receiver(text), SLICE(""));

    if (k->user != 0 || s == NULL)
        return false;
    NOTE(k, "%s tells postmaster of message %u", name, s->number);
    report_read(s, text, count_notice, &(struct notice){k, s});
    return true;
}

static void judge_file(struct check *k, const char *name, struct slice text)
{
    struct slice sender, content = text;

    if (!return_path(text, &sender)) {
        k->v->torn++;
        NOTE(k, "TORN: %s of %zu bytes does not begin as a mail", name, text.len);
        return;
    }
    (void)skip_trace(&content);
    struct sent *s = ledger_from(k->ledger, sender, content);
    struct sent_rcpt *r = s == NULL ? NULL : rcpt_of(s, k->user);
    if (s == NULL && sender.len == 0 && judge_notice(k, name, text))
        return;
    if (s == NULL) {
        k->v->strangers++;
        NOTE(k, "STRANGER: user %u has %s, which nobody sent", k->user, name);
    } else if (r == NULL || !s->whole) {
        k->v->strangers++;
        blame(k->v, s->number);
        NOTE(k, "STRANGER: message %u was not sent whole to user %u", s->number, k->user);
    } else if (!same_as_sent(s, text)) {
        k->v->torn++;
        blame(k->v, s->number);
        NOTE(k, "TORN: message %u of user %u, file %s", s->number, k->user, name);
    } else {
        r->copies++;
    }
}

static bool each_file(void *ctx, struct slice name)
{
    struct check *k = ctx;
    char text[300];
    size_t len;

    (void)snprintf(text, sizeof(text), "%.*s", SLICE_PRINTF(name));
    char *bytes = read_whole(k->dir, text, &len);
    judge_file(k, text, (struct slice){bytes, len});
    memory_free(bytes);
    return true;
}

static void read_folder(struct check *k, const char *name)
{
    char path[200];
    size_t len;

    ledger_maildir(k->user, path, sizeof(path));
    len = strlen(path);
    (void)snprintf(path + len, sizeof(path) - len, "/%s", name);
    if (disk_dir_open(k->disk, path, &k->dir) < 0)
        return; /* no mail yet */
    (void)disk_dir_list(k->dir, each_file, k);
    disk_dir_close(k->dir);
}

/* --- the ledger --- */

static const char *kind_of(const struct sent_rcpt *r)
{
    return r->fate == FATE_MAILDIR ? "our"
           : r->fate == FATE_RELAY ? "far"
           : r->fate == FATE_LOOP  ? "looping"
                                   : "refused";
}

static void judge_delivery(struct check *k, const struct sent *s, const struct sent_rcpt *r)
{
    bool owed = s->acked && r->accepted;

    if (owed && (r->fate == FATE_MAILDIR ? r->copies == 0 : !sent_is_settled(s, r))) {
        k->v->lost++;
        blame(k->v, s->number);
        NOTE(k, "LOST: message %u (%s) for %s user %u", s->number, s->id, kind_of(r), r->user);
    }
    if (r->copies > 1) {
        k->v->twice++;
        blame(k->v, s->number);
        NOTE(k, "TWICE: message %u (%s) for user %u", s->number, s->id, r->user);
    }
}

/* NULL: what its sender was told of this recipient is right. */
static const char *wrong_report(const struct check *k, const struct sent *s,
                                const struct sent_rcpt *r)
{
    const struct coming *reports = r->reports;
    bool arrived = r->fate == FATE_MAILDIR ? r->copies > 0 : r->mail.count > 0;

    for (unsigned i = 0; i < SENT_REPORTS; i++)
        if (reports[i].count > 0 && !sent_wants(s, r, (enum sent_report)i))
            return "a report that nobody wanted";
    if (reports[REPORT_OF_FAILURE].count > 0 && arrived && !r->unheard &&
        !reports[REPORT_OF_FAILURE].doubted)
        return "a report of a failure of what was delivered";
    if (reports[REPORT_OF_FAILURE].count > 0 && r->notices.count > 0 &&
        !reports[REPORT_OF_FAILURE].doubted && !r->notices.doubted)
        return "a report of a failure, and a notice that it could not be delivered";
    if (reports[REPORT_OF_SUCCESS].count > 0 && !arrived)
        return "a report of a delivery that never was";
    if (!s->acked || !r->accepted || s->deaf || s->deafened_us != 0 || k->ledger->disk_errors)
        return NULL;
    if (r->warn_us != 0 && reports[REPORT_OF_DELAY].count == 0)
        return "no report of its delay";
    if (sent_wants(s, r, REPORT_OF_SUCCESS) && arrived && !r->unheard &&
        reports[REPORT_OF_SUCCESS].count == 0)
        return "no report of its delivery";
    return NULL;
}

/* The same of who is refused: at once, or by a report to who left the mail. A report that cannot be
 * delivered is nobody's. */
static const char *wrong_refusal(const struct sent *s, const struct sent_rcpt *r)
{
    unsigned failures = r->reports[REPORT_OF_FAILURE].count;

    if (failures > 0 && (!s->left || r->refused))
        return "a report of who was refused at once";
    if (failures > 0 && !sent_wants(s, r, REPORT_OF_FAILURE))
        return "a report that nobody wanted";
    if (failures == 0 && s->left && s->acked && !r->refused && !s->deaf && s->deafened_us == 0 &&
        sent_wants(s, r, REPORT_OF_FAILURE))
        return "no report of who was refused";
    return NULL;
}

static void judge_rcpt(struct check *k, const struct sent *s, const struct sent_rcpt *r)
{
    const char *wrong;

    if (r->fate == FATE_DISCARD)
        return;
    if (r->fate != FATE_REJECT)
        judge_delivery(k, s, r);
    wrong = r->fate == FATE_REJECT ? wrong_refusal(s, r) : wrong_report(k, s, r);
    if (wrong == NULL)
        return;
    k->v->misreported++;
    blame(k->v, s->number);
    NOTE(k, "MISREPORTED: message %u (%s) for %s user %u: %s", s->number, s->id, kind_of(r),
         r->user, wrong);
}

void check_mailboxes(struct disk *disk, struct ledger *ledger, const struct history *history,
                     struct verdict *v)
{
    struct check k = {.disk = disk, .ledger = ledger, .history = history, .v = v};

    for (k.user = 0; k.user < SENT_USERS; k.user++) {
        read_folder(&k, "new");
        read_folder(&k, "cur");
    }
    v->messages = ledger->count;
    for (unsigned i = 0; i < ledger->count; i++) {
        v->acked += ledger->sent[i].acked;
        for (unsigned r = 0; r < ledger->sent[i].rcpt_count; r++)
            judge_rcpt(&k, &ledger->sent[i], &ledger->sent[i].rcpts[r]);
    }
}

/* --- the spool --- */

static bool each_left(void *ctx, struct slice name)
{
    struct check *k = ctx;

    NOTE(k, "LEFT: %.*s", SLICE_PRINTF(name));
    k->v->left++;
    return true;
}

static bool count_segment(void *ctx, struct slice name)
{
    *(unsigned *)ctx += slice_starts(name, SLICE("s-"));
    return true;
}

static void check_receiver(struct check *k, unsigned receiver)
{
    unsigned segments = 0;
    char path[100];

    (void)snprintf(path, sizeof(path), "/spool/in/%u/draft", receiver);
    if (disk_dir_open(k->disk, path, &k->dir) == 0) {
        (void)disk_dir_list(k->dir, each_left, k);
        disk_dir_close(k->dir);
    }
    (void)snprintf(path, sizeof(path), "/spool/in/%u", receiver);
    if (disk_dir_open(k->disk, path, &k->dir) < 0)
        return;
    (void)disk_dir_list(k->dir, count_segment, &segments);
    disk_dir_close(k->dir);
    /* The newest one, the one that was prepared, and the newest of the life before. */
    if (segments > 3) {
        NOTE(k, "LEFT: %u segments of receiver %u", segments, receiver);
        k->v->left++;
    }
}

void check_spool(struct disk *disk, unsigned receivers, const struct history *history,
                 struct verdict *v)
{
    struct check k = {.disk = disk, .history = history, .v = v};

    for (unsigned i = 0; i < receivers; i++)
        check_receiver(&k, i);
    for (k.user = 0; k.user < SENT_USERS; k.user++) {
        char path[200];
        size_t len;

        ledger_maildir(k.user, path, sizeof(path));
        len = strlen(path);
        (void)snprintf(path + len, sizeof(path) - len, "/tmp");
        if (disk_dir_open(disk, path, &k.dir) < 0)
            continue;
        (void)disk_dir_list(k.dir, each_left, &k);
        disk_dir_close(k.dir);
    }
}
