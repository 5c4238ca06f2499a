/*
 * maildir.c - deliver through tmp to new.
 *
 * A reader may look at any moment and the machine may stop at any moment. So a file gets its name
 * in new/ only when it is whole and its bytes were pushed to the device; and success is said only
 * after a syncfs, which covers bytes, sizes, the names in tmp and new, and directories made on the
 * way. Pushing first keeps the time between rename and syncfs short and lets one syncfs serve a
 * group.
 *
 * Once: the base name is a function of message and mailbox. A delivery that may have happened
 * before a crash looks for it first. What a reader took to cur/ is delivered. What lies in new/ may
 * have lost bytes in the crash, and no size or date would show it: it is taken away, which no
 * reader can come between, and delivered again under the same name.
 *
 * A failed syncfs may have dropped dirty pages and marked them clean; a second one would then
 * succeed over lost bytes. So the group's files are taken back and the courier begins again.
 *
 * The copy is one pass over pieces: CRLF becomes LF, and while in the message's header, fields
 * named Return-Path are left out (RFC 5321 4.4: only the final delivery adds one).
 */
#include "box/maildir.h"

#include "base/arena.h"
#include "base/fail.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_MAX_LEN = 255,
    SIZE_SUFFIX_MAX = 24, /* ",S=" and 20 digits */
    PIECE = 64 * 1024,
    BATCH = 128, /* deliveries whose descriptors are open together */
    DIRECTORY_MODE = 0700,
    FILE_MODE = 0600,
};

/* The line ends and the header, across pieces of any size */

enum header_at {
    AT_LINE_START,
    AT_NAME, /* could still become "return-path" */
    AT_KEPT, /* in a line to keep */
    AT_DROPPED,
    AT_BODY,
};

struct copy {
    struct disk_file *out;
    uint64_t written;
    int error; /* the first one; nothing is written after it */
    bool saw_cr;
    enum header_at at;
    bool is_field; /* the line at hand has a colon, or continues one that has */
    bool dropping; /* so continuation lines go too */
    unsigned held; /* bytes of the name that matched so far, in hold */
    char hold[32];
    size_t len; /* of piece */
    char piece[PIECE];
    char read[PIECE];
};

static const char return_path[] = "return-path";

static void copy_write_piece(struct copy *c)
{
    if (c->error == 0 && c->len > 0)
        c->error = disk_write(c->out, (struct slice){c->piece, c->len}, c->written);
    c->written += c->len;
    c->len = 0;
}

static void copy_put(struct copy *c, struct slice bytes)
{
    while (bytes.len > 0) {
        struct slice part = slice_head(bytes, PIECE - c->len);
        memcpy(c->piece + c->len, part.data, part.len);
        c->len += part.len;
        bytes = slice_skip(bytes, part.len);
        if (c->len == PIECE)
            copy_write_piece(c);
    }
}

static void copy_put_char(struct copy *c, char byte)
{
    copy_put(c, (struct slice){&byte, 1});
}

/* What looked like the name and is not. */
static void copy_unhold(struct copy *c)
{
    copy_put(c, (struct slice){c->hold, c->held});
    c->held = 0;
    c->at = AT_KEPT;
}

static void header_line_ends(struct copy *c)
{
    /* A line that is no field ends the header, as the empty line does. */
    c->at = c->is_field ? AT_LINE_START : AT_BODY;
}

static void header_kept(struct copy *c, char byte)
{
    copy_put_char(c, byte);
    if (byte == ':')
        c->is_field = true;
    if (byte == '\n')
        header_line_ends(c);
}

static void header_name(struct copy *c, char byte)
{
    const unsigned name_len = sizeof(return_path) - 1;
    bool blank_behind = c->held >= name_len && (byte == ' ' || byte == '\t');

    if (c->held >= name_len && byte == ':') {
        c->held = 0;
        c->is_field = c->dropping = true;
        c->at = AT_DROPPED;
        return;
    }
    if (c->held < sizeof(c->hold) &&
        (blank_behind || (c->held < name_len && byte_lower(byte) == return_path[c->held]))) {
        c->hold[c->held++] = byte;
        return;
    }
    copy_unhold(c);
    header_kept(c, byte);
}

static void header_line_start(struct copy *c, char byte)
{
    if (byte == ' ' || byte == '\t') {
        c->at = c->dropping ? AT_DROPPED : AT_KEPT;
        if (!c->dropping)
            copy_put_char(c, byte);
        return;
    }
    c->dropping = c->is_field = false;
    c->at = AT_NAME;
    header_name(c, byte);
}

/* Text with LF line ends. */
static void copy_text(struct copy *c, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.data[i];
        switch (c->at) {
        case AT_LINE_START: header_line_start(c, byte); break;
        case AT_NAME: header_name(c, byte); break;
        case AT_KEPT: header_kept(c, byte); break;
        case AT_DROPPED:
            if (byte == '\n')
                c->at = AT_LINE_START;
            break;
        case AT_BODY: copy_put(c, slice_skip(text, i)); return;
        }
    }
}

/* Bytes with CRLF line ends. A CR alone stays one. */
static void copy_bytes(struct copy *c, struct slice bytes)
{
    while (bytes.len > 0) {
        if (c->saw_cr && bytes.data[0] != '\n')
            copy_text(c, SLICE("\r"));
        size_t until_cr = slice_find(bytes, '\r');
        copy_text(c, slice_head(bytes, until_cr));
        c->saw_cr = until_cr < bytes.len;
        bytes = slice_skip(bytes, until_cr + 1);
    }
}

static void copy_end(struct copy *c)
{
    if (c->saw_cr)
        copy_text(c, SLICE("\r"));
    c->saw_cr = false;
    copy_put(c, (struct slice){c->hold, c->held});
    c->held = 0;
}

static void copy_message(struct copy *c, const struct maildir_delivery *d)
{
    c->at = AT_BODY; /* the prefix brings its own Return-Path */
    copy_bytes(c, d->prefix);
    copy_end(c);
    c->at = AT_LINE_START;
    for (uint64_t done = 0; done < d->length && c->error == 0;) {
        uint64_t left = d->length - done;
        size_t want = left < PIECE ? (size_t)left : PIECE;
        int64_t got = disk_read(d->file, c->read, want, d->offset + done);
        if (got < (int64_t)want) {
            c->error = got < 0 ? (int)got : -EIO; /* the message ends before its length */
            return;
        }
        copy_bytes(c, (struct slice){c->read, want});
        done += want;
    }
    copy_end(c);
    copy_write_piece(c);
}

/* Mailboxes */

struct mailbox {
    struct slice path;
    struct disk_dir *tmp, *new, *cur;
    int error;
    struct mailbox *next;
};

enum stage { STAGE_FAILED, STAGE_WRITTEN, STAGE_PUBLISHED, STAGE_FOUND };

struct work {
    struct maildir_delivery *d;
    struct mailbox *box;
    struct disk_file *file;
    enum stage stage;
    int was_read; /* 1: a reader has it, 0: to be delivered, or a negative errno */
    char tmp_name[NAME_MAX_LEN + 1];
    char name[NAME_MAX_LEN + 1]; /* in new; of the former delivery, while that is looked for */
};

/* An administrator may like hidden folders; names from outside were made safe before. */
static bool step_is_safe(struct slice s)
{
    return s.len > 0 && s.len <= NAME_MAX_LEN && !slice_equal(s, SLICE(".")) &&
           !slice_equal(s, SLICE("..")) && slice_find(s, '/') == s.len &&
           slice_find(s, '\0') == s.len;
}

static bool base_name_is_safe(struct slice s)
{
    return step_is_safe(s) && s.data[0] != '.';
}

static int open_or_make(struct disk_dir *at, const char *name, struct disk_dir **out)
{
    int code = disk_dir_open_at(at, name, out);

    if (code != -ENOENT)
        return code;
    code = disk_dir_make(at, name, DIRECTORY_MODE);
    return code < 0 ? code : disk_dir_open_at(at, name, out);
}

/* Walks down, one component at a time. *out is a new handle. */
static int path_open(struct disk_dir *root, struct slice path, struct disk_dir **out)
{
    struct disk_dir *at = root, *below;
    bool more = true;

    while (more) {
        struct slice component = path;
        char name[NAME_MAX_LEN + 1];
        int code = -EINVAL;
        more = slice_cut(path, '/', &component, &path);
        if (step_is_safe(component)) {
            (void)snprintf(name, sizeof(name), "%.*s", SLICE_PRINTF(component));
            code = open_or_make(at, name, &below);
        }
        if (at != root)
            disk_dir_close(at);
        if (code < 0)
            return code;
        at = below;
    }
    *out = at;
    return 0;
}

static int mailbox_open(struct mailbox *box, struct disk_dir *root)
{
    struct disk_dir *home;
    int code = path_open(root, box->path, &home);

    if (code < 0)
        return code;
    /* cur too: a reader takes a folder with all three for a mailbox. */
    code = open_or_make(home, "cur", &box->cur);
    if (code == 0)
        code = open_or_make(home, "new", &box->new);
    if (code == 0)
        code = open_or_make(home, "tmp", &box->tmp);
    disk_dir_close(home);
    return code;
}

static void mailbox_close(struct mailbox *box)
{
    disk_dir_close(box->tmp);
    disk_dir_close(box->new);
    disk_dir_close(box->cur);
}

/* The mailbox of a delivery, opened once per batch. Never NULL; see its error. */
static struct mailbox *mailbox_get(struct mailbox **boxes, struct arena *arena,
                                   struct disk_dir *root, struct slice path)
{
    for (struct mailbox *box = *boxes; box != NULL; box = box->next)
        if (slice_equal(box->path, path))
            return box;
    struct mailbox *box = ARENA_NEW(arena, struct mailbox);
    box->path = path;
    box->next = *boxes;
    *boxes = box;
    box->error = mailbox_open(box, root);
    if (box->error < 0)
        (void)fail_code(box->error, "open mailbox", path);
    return box;
}

/* Looking for deliveries that may have happened. A mailbox may hold a hundred thousand mails and
 * hundreds may wait for it after a crash, so it is read once for all of a batch. */

struct search {
    struct work **works; /* by base name */
    size_t count;
};

static int compare_bases(const void *a, const void *b)
{
    const struct work *const *x = a, *const *y = b;

    return slice_compare((*x)->d->name, (*y)->d->name);
}

/* Whose delivery has the name "base", "base,S=1", "base,S=1:2,S" or "base:2,"; or NULL. */
static struct work *search_match(const struct search *s, struct slice name)
{
    size_t low = 0, high = s->count;

    while (low < high) { /* to behind the last base that is not above the name */
        size_t middle = low + (high - low) / 2;

        if (slice_compare(s->works[middle]->d->name, name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || name.len > NAME_MAX_LEN)
        return NULL;
    struct work *w = s->works[low - 1];
    struct slice rest = slice_skip(name, w->d->name.len);
    bool ends = rest.len == 0 || rest.data[0] == ',' || rest.data[0] == ':';
    return ends && slice_starts(name, w->d->name) ? w : NULL;
}

static bool note_new(void *ctx, struct slice name)
{
    struct work *w = search_match(ctx, name);

    if (w != NULL)
        (void)snprintf(w->name, sizeof(w->name), "%.*s", SLICE_PRINTF(name));
    return true;
}

static bool note_cur(void *ctx, struct slice name)
{
    struct work *w = search_match(ctx, name);

    if (w != NULL)
        w->was_read = 1;
    return true;
}

/* Readers move files from new to cur, so looking in this order cannot miss one. */
static int search_mailbox(const struct mailbox *box, struct search *s)
{
    int code = disk_dir_list(box->new, note_new, s);

    if (code < 0)
        return code;
    for (size_t i = 0; i < s->count; i++) {
        struct work *w = s->works[i];

        code = w->name[0] == '\0' ? 0 : disk_unlink(box->new, w->name);
        if (code < 0 && code != -ENOENT) /* -ENOENT: a reader was faster */
            return code;
    }
    return disk_dir_list(box->cur, note_cur, s);
}

/* Sets was_read of those of the batch that are for this mailbox and may have been delivered. */
static void search_for(const struct mailbox *box, struct work *works, size_t count)
{
    struct work *wanted[BATCH];
    struct search search = {.works = wanted};

    for (size_t i = 0; i < count; i++)
        if (works[i].box == box && works[i].d->repeat)
            wanted[search.count++] = &works[i];
    if (search.count == 0 || box->error < 0)
        return;
    qsort(wanted, search.count, sizeof(*wanted), /* pointers: NOLINT(bugprone-sizeof-expression) */
          compare_bases);
    int code = search_mailbox(box, &search);
    for (size_t i = 0; code < 0 && i < search.count; i++)
        wanted[i]->was_read = code;
}

/* One delivery */

static int work_create(struct work *w)
{
    int code = disk_open(w->box->tmp, w->tmp_name, DISK_CREATE, FILE_MODE, &w->file);

    if (code != -EEXIST)
        return code;
    /* Left by a crash: the name belongs to this delivery alone. */
    code = disk_unlink(w->box->tmp, w->tmp_name);
    return code < 0 ? code : disk_open(w->box->tmp, w->tmp_name, DISK_CREATE, FILE_MODE, &w->file);
}

static int work_fail(struct work *w, int code, const char *operation)
{
    w->stage = STAGE_FAILED;
    w->d->result = code;
    if (w->file != NULL) {
        disk_close(w->file);
        w->file = NULL;
        (void)disk_unlink(w->box->tmp, w->tmp_name); /* else the next attempt does */
    }
    return fail_code(code, operation, w->d->path);
}

static int work_write(struct work *w, struct copy *copy)
{
    struct slice base = w->d->name;

    if (!base_name_is_safe(base) || base.len > NAME_MAX_LEN - SIZE_SUFFIX_MAX)
        return work_fail(w, -EINVAL, "name mail in");
    (void)snprintf(w->tmp_name, sizeof(w->tmp_name), "%.*s.tmp", SLICE_PRINTF(base));
    int code = work_create(w);
    if (code < 0)
        return work_fail(w, code, "create mail in");
    copy->out = w->file;
    copy->written = copy->len = copy->held = 0;
    copy->error = 0;
    copy->saw_cr = copy->dropping = copy->is_field = false;
    copy_message(copy, w->d);
    if (copy->error < 0)
        return work_fail(w, copy->error, "write mail in");
    (void)snprintf(w->name, sizeof(w->name), "%.*s,S=%llu", SLICE_PRINTF(base),
                   (unsigned long long)copy->written);
    code = disk_flush_start(w->file);
    if (code < 0)
        return work_fail(w, code, "push mail in");
    w->stage = STAGE_WRITTEN;
    return 0;
}

static void work_begin(struct work *w, struct copy *copy)
{
    w->stage = STAGE_FAILED;
    if (w->box->error < 0) { /* told already */
        w->d->result = w->box->error;
        return;
    }
    if (w->was_read < 0)
        (void)work_fail(w, w->was_read, "search mailbox");
    else if (w->was_read > 0)
        w->stage = STAGE_FOUND;
    else
        (void)work_write(w, copy);
}

static void work_push(struct work *w)
{
    if (w->stage != STAGE_WRITTEN)
        return;
    int code = disk_flush_wait(w->file);
    if (code < 0) {
        (void)work_fail(w, code, "push mail in");
        return;
    }
    disk_close(w->file);
    w->file = NULL;
}

static void work_publish(struct work *w)
{
    if (w->stage != STAGE_WRITTEN)
        return;
    int code = disk_rename(w->box->tmp, w->tmp_name, w->box->new, w->name);
    if (code < 0) {
        (void)disk_unlink(w->box->tmp, w->tmp_name);
        (void)work_fail(w, code, "publish mail in");
        return;
    }
    w->stage = STAGE_PUBLISHED;
}

/* The group */

struct group {
    struct disk_dir *root;
    struct arena arena;
    struct work *works;
    struct copy *copy;
};

/* Up to BATCH deliveries as far as new/, not synced yet. */
static void batch_deliver(struct group *g, struct work *works, size_t count)
{
    struct mailbox *boxes = NULL;

    for (size_t i = 0; i < count; i++)
        works[i].box = mailbox_get(&boxes, &g->arena, g->root, works[i].d->path);
    for (struct mailbox *box = boxes; box != NULL; box = box->next)
        search_for(box, works, count);
    for (size_t i = 0; i < count; i++)
        work_begin(&works[i], g->copy);
    for (size_t i = 0; i < count; i++)
        work_push(&works[i]);
    for (size_t i = 0; i < count; i++)
        work_publish(&works[i]);
    for (struct mailbox *box = boxes; box != NULL; box = box->next)
        mailbox_close(box);
}

/* The sync failed: what stays in new/ could not be trusted by the next attempt. */
static void work_take_back(struct work *w, struct disk_dir *root, int code)
{
    struct disk_dir *home, *new;

    if (w->stage == STAGE_FAILED)
        return;
    w->d->result = code;
    if (w->stage != STAGE_PUBLISHED || path_open(root, w->d->path, &home) < 0)
        return;
    if (disk_dir_open_at(home, "new", &new) == 0) {
        (void)disk_unlink(new, w->name);
        disk_dir_close(new);
    }
    disk_dir_close(home);
}

static void group_finish(struct group *g, size_t count)
{
    size_t done = 0;

    for (size_t i = 0; i < count; i++)
        done += g->works[i].stage != STAGE_FAILED;
    if (done == 0)
        return;
    int code = disk_syncfs(g->root);
    if (code == 0)
        return;
    (void)fail_code(code, "sync", SLICE("mailboxes"));
    for (size_t i = 0; i < count; i++)
        work_take_back(&g->works[i], g->root, code);
}

void maildir_deliver(struct disk_dir *root, struct maildir_delivery *items, size_t count)
{
    struct group g = {.root = root};

    if (count == 0)
        return;
    arena_init(&g.arena);
    g.works = ARENA_ARRAY(&g.arena, struct work, count);
    g.copy = ARENA_NEW(&g.arena, struct copy);
    for (size_t i = 0; i < count; i++) {
        items[i].result = 0;
        g.works[i].d = &items[i];
    }
    for (size_t i = 0; i < count; i += BATCH)
        batch_deliver(&g, g.works + i, count - i < BATCH ? count - i : BATCH);
    group_finish(&g, count);
    arena_done(&g.arena);
}
