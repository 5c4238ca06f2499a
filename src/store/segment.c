/*
 * segment.c - one append-only file of a journal.
 *
 * Creating: header, sync, sync of the directory, and only then records: a record must never be
 * on disk below a header that is not.
 *
 * Filling: a sync of bytes that were zeros before is a write to the device and nothing more; a
 * sync of a file that grew also commits the file system's journal. So a receiver's segment is
 * filled with zeros, ahead of its records, by a job on the worker, one piece at a time so that
 * neither the disk nor the thread is busy with it for long. The loop writes records below
 * `filled` only, the job zeros above it only.
 *
 * The job syncs its piece only while no record lies in the file: the kernel tells a failed
 * write-back once, and whoever asks first hears it. It must be the sync that a 250 waits for.
 */
#include "store/segment.h"

#include "base/codec.h"
#include "base/fail.h"
#include "base/memory.h"
#include "store/number_name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void segment_name(uint64_t number, char out[SEGMENT_NAME_SIZE])
{
    number_name_write("s-", number, out, SEGMENT_NAME_SIZE);
}

bool segment_number(struct slice name, uint64_t *number)
{
    return number_name_parse(name, SLICE("s-"), number);
}

void segment_free_name(uint64_t number, char out[SEGMENT_FREE_NAME_SIZE])
{
    number_name_write("free-", number, out, SEGMENT_FREE_NAME_SIZE);
}

bool segment_is_free_name(struct slice name)
{
    return slice_starts(name, SLICE("free-"));
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

/* --- zeros --- */

static int write_zeros(struct disk_file *file, uint64_t from, uint64_t to)
{
    static const char zeros[4096];
    struct iovec iov[SEGMENT_FILL_PIECE / sizeof(zeros)];

    while (from < to) {
        uint64_t at = from;
        int n = 0;

        for (; n < (int)(sizeof(iov) / sizeof(*iov)) && at < to; n++) {
            size_t len = to - at < sizeof(zeros) ? (size_t)(to - at) : sizeof(zeros);

            /* writev() does not write through it, but its type says so. */
            iov[n] = (struct iovec){(void *)(uintptr_t)zeros, len};
            at += len;
        }
        int rc = disk_writev(file, iov, n, from);
        if (rc < 0)
            return rc;
        from = at;
    }
    return 0;
}

int segment_erase(struct segment *s, uint64_t to)
{
    int rc =
        s->filled == UINT64_MAX ? disk_truncate(s->file, s->end) : write_zeros(s->file, s->end, to);

    return rc < 0 ? fail_code(rc, "erase end of", slice_of(s->name)) : 0;
}

static enum worker_next fill_piece(struct worker_job *job)
{
    struct segment *s = LIST_ENTRY(job, struct segment, fill_job);
    int rc = write_zeros(s->file, s->filled, s->piece_end);

    if (rc == 0)
        rc = s->used ? disk_flush_start(s->file) : disk_datasync(s->file);
    if (rc < 0)
        (void)fail_code(rc, "fill", slice_of(s->name));
    s->fill_result = rc;
    return WORKER_IDLE;
}

static void start_piece(struct segment *s)
{
    s->piece_end = s->filled - s->filled % s->piece + s->piece;
    if (s->piece_end > s->size)
        s->piece_end = s->size;
    s->filling = true;
    worker_submit(s->worker, &s->fill_job);
}

static void piece_filled(struct worker_job *job)
{
    struct segment *s = LIST_ENTRY(job, struct segment, fill_job);

    s->filling = false;
    if (s->fill_result < 0)
        return;
    s->filled = s->piece_end;
    if (s->filled < s->fill_to)
        start_piece(s);
}

void segment_fill_from(struct segment *s, uint64_t filled, struct worker *worker)
{
    s->worker = worker;
    s->filled = filled;
    s->piece = s->size / 16 < SEGMENT_FILL_PIECE ? s->size / 16 : SEGMENT_FILL_PIECE;
}

void segment_fill(struct segment *s, uint64_t to)
{
    if (to > s->fill_to)
        s->fill_to = to < s->size ? to : s->size;
    if (!s->filling && s->filled < s->fill_to) {
        s->fill_result = 0;
        start_piece(s);
    }
}

/* --- a new one, or an old one anew --- */

static struct segment *segment_new(const struct segment_head *head, uint64_t size)
{
    struct segment *s = MEMORY_NEW(struct segment);

    s->head = *head;
    s->end = SEGMENT_HEAD_SIZE;
    s->size = size;
    s->limit = size - RECORD_LOCATOR_SIZE;
    buf_init(&s->table, RECORD_BODY_MAX);
    s->filled = UINT64_MAX;
    worker_job_init(&s->fill_job, fill_piece, piece_filled);
    segment_name(head->number, s->name);
    return s;
}

static int give_up(struct segment *s, struct disk_dir *dir, int code, const char *operation)
{
    code = fail_code(code, operation, slice_of(s->name));
    if (s->file != NULL)
        (void)disk_unlink(dir, s->name);
    segment_free(s);
    return code;
}

static int write_head(struct segment *s)
{
    unsigned char bytes[SEGMENT_HEAD_SIZE];

    segment_head_write(&s->head, bytes);
    return disk_write(s->file, (struct slice){(const char *)bytes, sizeof(bytes)}, 0);
}

static int create(struct segment *s, struct disk_dir *dir, unsigned mode, struct segment **out)
{
    int rc = disk_open(dir, s->name, DISK_CREATE, mode, &s->file);

    if (rc < 0)
        return give_up(s, dir, rc, "create");
    rc = write_head(s);
    if (rc < 0)
        return give_up(s, dir, rc, "write");
    *out = s;
    return 0;
}

int segment_create(struct disk_dir *dir, unsigned mode, const struct segment_head *head,
                   uint64_t size, struct segment **out)
{
    return create(segment_new(head, size), dir, mode, out);
}

int segment_create_reserve(struct disk_dir *dir, unsigned mode, uint64_t generation, uint64_t size,
                           struct segment **out)
{
    struct segment_head head = {.generation = generation}; /* no segment has the number 0 */
    struct segment *s = segment_new(&head, size);

    memcpy(s->name, SEGMENT_RESERVE, sizeof(SEGMENT_RESERVE));
    return create(s, dir, mode, out);
}

int segment_reuse(struct disk_dir *dir, const char *name, const struct segment_head *head,
                  uint64_t size, struct segment **out)
{
    struct segment *s = segment_new(head, size);
    uint64_t filled = 0;
    int rc = disk_rename(dir, name, dir, s->name);

    if (rc < 0) {
        segment_free(s);
        return rc == -ENOENT ? rc : fail_code(rc, "rename", slice_of(name));
    }
    rc = disk_open(dir, s->name, DISK_WRITE, 0, &s->file);
    if (rc < 0)
        return give_up(s, dir, rc, "open");
    rc = disk_size(s->file, &filled);
    if (rc == 0)
        rc = write_head(s);
    if (rc < 0)
        return give_up(s, dir, rc, "write");
    s->filled = filled < size ? filled : size;
    if (s->filled < SEGMENT_HEAD_SIZE)
        s->filled = SEGMENT_HEAD_SIZE;
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
    if (s->filling)
        worker_forget(s->worker, &s->fill_job);
    disk_close(s->file);
    buf_done(&s->table);
    memory_free(s);
}

/* --- the seal --- */

bool segment_has_room(const struct segment *s, uint64_t end, size_t entries)
{
    size_t table = buf_len(&s->table) + entries * SEAL_ENTRY_SIZE;

    return table <= (size_t)SEAL_ENTRIES_MAX * SEAL_ENTRY_SIZE &&
           end + record_size(table) <= s->limit;
}

uint64_t segment_body_max(uint64_t size)
{
    uint64_t room = size - SEGMENT_HEAD_SIZE - RECORD_LOCATOR_SIZE - record_size(SEAL_ENTRY_SIZE);

    return room / RECORD_ALIGN * RECORD_ALIGN - RECORD_HEAD_SIZE;
}

/* What lies before s->end is durable. */
static int write_record(struct segment *s, enum record_kind kind, struct slice body, uint64_t at)
{
    struct record_head head = {.kind = (uint16_t)kind,
                               .body_len = (uint32_t)body.len,
                               .unsynced = (uint32_t)(at - s->end)};
    unsigned char bytes[RECORD_HEAD_SIZE];

    head.body_crc = crc32c(record_seed(s->head.generation, at), body);
    record_head_write(&head, s->head.generation, at, bytes);
    /* writev() does not write through it, but its type says so. */
    struct iovec iov[] = {
        {bytes,                        sizeof(bytes)},
        {(void *)(uintptr_t)body.data, body.len     }
    };
    return disk_writev(s->file, iov, body.len > 0 ? 2 : 1, at);
}

/* Only at a place that every reader can compute. */
static int write_locator(struct segment *s, uint64_t seal)
{
    struct buf body;

    if (s->filled != s->size)
        return 0;
    buf_init(&body, RECORD_LOCATOR_BODY);
    (void)put_u64(&body, seal);
    int rc = write_record(s, RECORD_LOCATOR, buf_slice(&body), s->size - RECORD_LOCATOR_SIZE);
    buf_done(&body);
    return rc;
}

int segment_seal(struct segment *s)
{
    struct slice table = buf_slice(&s->table);

    s->sealed = true;
    int rc = write_record(s, RECORD_SEAL, table, s->end);
    if (rc == 0)
        rc = write_locator(s, s->end);
    if (rc < 0)
        return fail_code(rc, "seal", slice_of(s->name));
    s->end += record_size(table.len);
    return 0;
}
