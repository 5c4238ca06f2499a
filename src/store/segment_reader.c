/*
 * segment_reader.c - reading one append-only file of a journal.
 *
 * The hard question is what bytes that are no record mean. At a power cut the unsynced end of a
 * file may keep any of its sectors: holes, with whole records behind them, are nothing unusual
 * there and were never acknowledged. A hole in what was durable is damage to mail. So every
 * record says how far the file was durable when it was written, and a record that was written
 * when the hole was durable proves damage. Either way the search goes on behind the hole.
 *
 * Beyond the durable mark of a living writer nothing may be believed, not even a record that
 * looks whole: when its write fails halfway, other records will take its place.
 */
#include "store/segment.h"

#include "base/codec.h"
#include "base/fail.h"
#include "base/memory.h"

#include <string.h>

enum { SCAN_AHEAD = 256 * 1024 };

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

enum segment_read segment_reader_one(struct segment_reader *r, struct disk_file *file,
                                     uint64_t generation, uint64_t offset, struct record *out)
{
    size_t ahead = r->ahead;

    segment_reader_aim(r, file, generation, offset, UINT64_MAX, SEGMENT_ENDED);
    r->ahead = ahead;
    if (record_at(r, offset, out))
        return SEGMENT_RECORD;
    return r->error < 0 ? SEGMENT_ERROR : SEGMENT_DAMAGE;
}

bool segment_reader_table(struct segment_reader *r, uint64_t size, struct cursor *out)
{
    struct record record;
    struct cursor locator;
    uint64_t seal;

    if (size % RECORD_ALIGN != 0 || size < SEGMENT_HEAD_SIZE + RECORD_LOCATOR_SIZE ||
        !record_at(r, size - RECORD_LOCATOR_SIZE, &record) || record.head.kind != RECORD_LOCATOR)
        return false;
    locator = (struct cursor){record.body};
    if (!get_u64(&locator, &seal) || seal < SEGMENT_HEAD_SIZE || seal > size ||
        seal % RECORD_ALIGN != 0 || !record_at(r, seal, &record) ||
        record.head.kind != RECORD_SEAL || record.body.len % SEAL_ENTRY_SIZE != 0)
        return false;
    r->offset = seal + record_size(record.head.body_len);
    r->sealed = true;
    *out = (struct cursor){record.body};
    return true;
}

/* The next place from here on that is not zero, or limit: segments end in many zeros. */
static uint64_t skip_zeros(struct segment_reader *r, uint64_t at)
{
    for (;;) {
        struct slice bytes = view(r, at, RECORD_ALIGN);
        uint64_t word;

        if (bytes.len < sizeof(word))
            return r->limit;
        bytes.len = r->window_len - (size_t)(at - r->window_start);
        for (; bytes.len >= sizeof(word); bytes = slice_skip(bytes, sizeof(word))) {
            memcpy(&word, bytes.data, sizeof(word));
            if (word != 0)
                return at;
            at += sizeof(word);
        }
    }
}

/* The next record behind the bad bytes at r->offset. */
static bool find_next(struct segment_reader *r, uint64_t *found)
{
    struct record ignored;

    for (uint64_t at = skip_zeros(r, r->offset + RECORD_ALIGN);
         at + RECORD_HEAD_SIZE <= r->limit && r->error == 0;
         at = skip_zeros(r, at + RECORD_ALIGN)) {
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
    if (out->head.kind != RECORD_SEAL && out->head.kind != RECORD_LOCATOR)
        return SEGMENT_RECORD;
    r->sealed = true;
    return SEGMENT_END;
}
