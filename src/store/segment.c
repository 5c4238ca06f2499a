/*
 * segment.c - one append-only file of a journal.
 *
 * Creating: header, sync, sync of the directory, and only then records: a record must never be
 * on disk below a header that is not.
 *
 * Reading: the hard question is what bytes that are no record mean. At a power cut the unsynced
 * end of a file may keep any of its sectors: holes, with whole records behind them, are nothing
 * unusual there and were never acknowledged. A hole in what was durable is damage to mail. So
 * every record says how far the file was durable when it was written, and a record that was
 * written when the hole was durable proves damage. Either way the search goes on behind the hole.
 *
 * Beyond the durable mark of a living writer nothing may be believed, not even a record that
 * looks whole: when its write fails halfway, other records will take its place.
 */
#include "store/segment.h"

#include "base/codec.h"
#include "base/fail.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCAN_AHEAD = 256 * 1024 };

void segment_name(uint64_t number, char out[SEGMENT_NAME_SIZE])
{
    (void)snprintf(out, SEGMENT_NAME_SIZE, "s-%016llx", (unsigned long long)number);
}

bool segment_number(struct slice name, uint64_t *number)
{
    uint64_t n = 0;

    if (name.len != SEGMENT_NAME_SIZE - 1 || !slice_starts(name, SLICE("s-")))
        return false;
    for (size_t i = 2; i < name.len; i++) {
        char c = name.data[i];

        if (c >= '0' && c <= '9')
            n = n << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            n = n << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *number = n;
    return true;
}

struct numbers {
    uint64_t *all;
    size_t count;
    size_t cap;
};

static bool note_number(void *ctx, struct slice name)
{
    struct numbers *n = ctx;
    uint64_t number;

    if (!segment_number(name, &number))
        return true;
    if (n->count == n->cap) {
        n->cap = n->cap == 0 ? 16 : n->cap * 2;
        n->all = memory_resize(n->all, n->cap * sizeof(*n->all));
    }
    n->all[n->count++] = number;
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

int segment_list(struct disk_dir *dir, uint64_t **numbers, size_t *count)
{
    struct numbers n = {0};
    int rc = disk_dir_list(dir, note_number, &n);

    if (rc < 0) {
        memory_free(n.all);
        return fail_code(rc, "list", SLICE("segments"));
    }
    if (n.count > 0)
        qsort(n.all, n.count, sizeof(*n.all), compare_numbers);
    *numbers = n.all;
    *count = n.count;
    return 0;
}

int segment_make_dir(struct disk_dir *at, const char *name, unsigned mode)
{
    int rc = disk_dir_make(at, name, mode);

    if (rc == 0)
        rc = disk_sync_dir(at);
    return rc < 0 ? fail_code(rc, "make directory", slice_of(name)) : 0;
}

int segment_sync_dir(struct disk_dir *dir)
{
    return disk_sync_dir(dir);
}

int segment_sync(struct disk_file *file)
{
    return disk_datasync(file);
}

int segment_create(struct disk_dir *dir, unsigned mode, const struct segment_head *head,
                   uint64_t size, struct segment **out)
{
    unsigned char bytes[SEGMENT_HEAD_SIZE];
    struct segment *s = MEMORY_NEW(struct segment);

    s->head = *head;
    s->end = SEGMENT_HEAD_SIZE;
    s->limit = size - RECORD_SEAL_SIZE;
    segment_name(head->number, s->name);
    segment_head_write(head, bytes);

    int rc = disk_open(dir, s->name, DISK_CREATE, mode, &s->file);
    if (rc < 0) {
        rc = fail_code(rc, "create", slice_of(s->name));
        memory_free(s);
        return rc;
    }
    rc = disk_write(s->file, (struct slice){(const char *)bytes, sizeof(bytes)}, 0);
    if (rc < 0) {
        rc = fail_code(rc, "write", slice_of(s->name));
        (void)disk_unlink(dir, s->name);
        segment_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

int segment_sync_new(struct segment *s, struct disk_dir *dir)
{
    int rc = disk_datasync(s->file);

    if (rc < 0)
        return fail_code(rc, "sync", slice_of(s->name));
    rc = disk_sync_dir(dir);
    if (rc < 0)
        return fail_code(rc, "sync directory of", slice_of(s->name));
    return 0;
}

void segment_free(struct segment *s)
{
    if (s == NULL)
        return;
    disk_close(s->file);
    memory_free(s);
}

int segment_read_head(struct disk_file *file, enum head_verdict *verdict, struct segment_head *out)
{
    char bytes[SEGMENT_HEAD_SIZE];
    int64_t n = disk_read(file, bytes, sizeof(bytes), 0);

    if (n < 0)
        return fail_code((int)n, "read", SLICE("segment header"));
    *verdict = segment_head_read((struct slice){bytes, (size_t)n}, out);
    return 0;
}

void segment_reader_aim(struct segment_reader *r, struct disk_file *file, uint64_t generation,
                        uint64_t offset, uint64_t limit, enum segment_trust trust)
{
    r->file = file;
    r->generation = generation;
    r->offset = offset;
    r->limit = limit;
    r->trust = trust;
    r->sealed = false;
    r->error = 0;
    r->hole = 0;
    r->ahead = SCAN_AHEAD;
    r->window_len = 0; /* the file may have changed since */
}

void segment_reader_done(struct segment_reader *r)
{
    memory_free(r->window);
    *r = (struct segment_reader){0};
}

/* The bytes [offset, offset + len), or fewer when limit or file end before. */
static struct slice view(struct segment_reader *r, uint64_t offset, size_t len)
{
    if (offset >= r->limit)
        return (struct slice){0};
    if (len > r->limit - offset)
        len = (size_t)(r->limit - offset);
    if (offset < r->window_start || offset + len > r->window_start + r->window_len) {
        size_t want = len > r->ahead ? len : r->ahead;

        if (want > r->window_cap) {
            r->window = memory_resize(r->window, want);
            r->window_cap = want;
        }
        if (want > r->limit - offset)
            want = (size_t)(r->limit - offset);
        int64_t n = disk_read(r->file, r->window, want, offset);
        if (n < 0)
            r->error = fail_code((int)n, "read", SLICE("segment"));
        r->window_start = offset;
        r->window_len = n < 0 ? 0 : (size_t)n;
        if (len > r->window_len)
            len = r->window_len;
    }
    return (struct slice){r->window + (offset - r->window_start), len};
}

/* Is there a whole, right record at this place? */
static bool record_at(struct segment_reader *r, uint64_t offset, struct record *out)
{
    struct slice bytes = view(r, offset, RECORD_HEAD_SIZE);
    struct record_head head;

    if (bytes.len < RECORD_HEAD_SIZE || !record_head_read(bytes, r->generation, offset, &head))
        return false;
    bytes = view(r, offset, RECORD_HEAD_SIZE + head.body_len);
    if (bytes.len < RECORD_HEAD_SIZE + head.body_len)
        return false;
    struct slice body = slice_skip(bytes, RECORD_HEAD_SIZE);
    if (crc32c(record_seed(r->generation, offset), body) != head.body_crc)
        return false;
    *out = (struct record){head, offset, body};
    return true;
}

/* The next record behind the bad bytes at r->offset. */
static bool find_next(struct segment_reader *r, uint64_t *found)
{
    struct record ignored;

    for (uint64_t at = r->offset + RECORD_ALIGN; at + RECORD_HEAD_SIZE <= r->limit;
         at += RECORD_ALIGN) {
        if (record_at(r, at, &ignored)) {
            *found = at;
            return true;
        }
        if (r->error < 0)
            return false;
    }
    return false;
}

static enum segment_read skip_hole(struct segment_reader *r)
{
    uint64_t next = r->limit, hole = r->offset;
    bool found = find_next(r, &next);

    if (r->error < 0)
        return SEGMENT_ERROR;
    switch (r->trust) {
    case SEGMENT_DURABLE: r->offset = next; return SEGMENT_DAMAGE;
    case SEGMENT_ENDED: break;
    }
    if (!found)
        return SEGMENT_END;
    r->offset = next;
    if (r->hole == 0)
        r->hole = hole;
    return SEGMENT_RECORD;
}

enum segment_read segment_reader_next(struct segment_reader *r, struct record *out)
{
    if (r->sealed || r->offset >= r->limit)
        return SEGMENT_END;
    if (!record_at(r, r->offset, out)) {
        enum segment_read skipped = r->error < 0 ? SEGMENT_ERROR : skip_hole(r);

        if (skipped != SEGMENT_RECORD)
            return skipped;
        (void)record_at(r, r->offset, out); /* skip_hole() saw it there */
    }
    if (r->hole != 0 && out->offset - out->head.unsynced > r->hole) {
        r->hole = 0;
        return SEGMENT_DAMAGE;
    }
    r->offset += record_size(out->head.body_len);
    if (out->head.kind != RECORD_SEAL)
        return SEGMENT_RECORD;
    r->sealed = true;
    return SEGMENT_END;
}
