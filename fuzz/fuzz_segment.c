/*
 * fuzz_segment.c - what a reader finds in a segment that was damaged.
 *
 * First character: how far the bytes are to be trusted. Then operations, a letter and a byte each:
 * append a record, a stale one of a former use, garbage, zeros; damage a byte. The reader must
 * find all records that were left whole, in order and unchanged, and nothing else, and must say
 * damage where something whole lies behind something broken. The generation depends on the input,
 * so that no search can learn to forge a record.
 *
 * The rest of the input, behind a '!', is also read as a header.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "base/codec.h"
#include "fakes/disk.h"
#include "store/segment.h"

#include <string.h>

enum { FILE_MAX = 1 << 16, RECORDS_MAX = 512, DURABLE = 1, WHOLE = 2 };

struct placed {
    struct record_head head;
    uint64_t offset;
    bool broken;
};

struct writer {
    struct buf file;
    uint64_t generation;
    struct placed records[RECORDS_MAX];
    unsigned count;
    unsigned damages;
};

static void pad(struct writer *w)
{
    while (buf_len(&w->file) % RECORD_ALIGN != 0)
        must(buf_append_char(&w->file, '\0'));
}

/* The body tells the place apart from others, so that mixed up bodies show. */
static void append_record(struct writer *w, uint64_t generation, uint16_t kind, unsigned len)
{
    uint64_t offset = buf_len(&w->file);
    unsigned char bytes[RECORD_HEAD_SIZE];
    char body[4 * 256];

    for (unsigned i = 0; i < len; i++)
        body[i] = (char)(unsigned char)(offset + i);
    struct record_head head = {.kind = kind, .id = offset + len, .body_len = len};

    head.body_crc = crc32c(record_seed(generation, offset), (struct slice){body, len});
    record_head_write(&head, generation, offset, bytes);
    must(buf_append(&w->file, (struct slice){(const char *)bytes, sizeof(bytes)}) &&
         buf_append(&w->file, (struct slice){body, len}));
    pad(w);
    must(buf_len(&w->file) == offset + record_size(len));
    if (generation == w->generation && w->count < RECORDS_MAX)
        w->records[w->count++] = (struct placed){head, offset, false};
}

/* Padding belongs to no record. Damage never heals damage: no byte comes round again. */
static void damage(struct writer *w, size_t at)
{
    if (++w->damages > UINT8_MAX)
        return;
    w->file.data[w->file.start + at]++;
    for (unsigned i = 0; i < w->count; i++) {
        struct placed *p = &w->records[i];

        if (at >= p->offset && at < p->offset + RECORD_HEAD_SIZE + p->head.body_len)
            p->broken = true;
    }
}

static bool write_one(struct writer *w, struct cursor *c)
{
    char operation;

    if (w->count == RECORDS_MAX || buf_len(&w->file) > FILE_MAX / 4 || !take_any(c, &operation) ||
        operation == '!')
        return false;
    unsigned byte = fuzz_byte(c);

    switch (operation) {
    case 's': append_record(w, w->generation + 1 + byte % 3, RECORD_MESSAGE, byte); break;
    case 'z':
        for (unsigned i = 0; i < byte; i++)
            must(buf_append(&w->file, SLICE("\0\0\0\0\0\0\0\0")));
        break;
    case 'g':
        must(buf_append(&w->file, slice_head(c->rest, byte)));
        c->rest = slice_skip(c->rest, byte);
        pad(w);
        break;
    case 'd':
        if (buf_len(&w->file) > SEGMENT_HEAD_SIZE)
            damage(w, SEGMENT_HEAD_SIZE + byte * 13 % (buf_len(&w->file) - SEGMENT_HEAD_SIZE));
        break;
    case 'e': append_record(w, w->generation, RECORD_SEAL, 0); break;
    default:
        append_record(w, w->generation, (uint16_t)(operation == 'o' ? RECORD_OUTCOME : 77),
                      4 * byte);
        break;
    }
    return true;
}

/* ---- reading ---- */

static struct placed *next_whole(struct writer *w, unsigned *at)
{
    while (*at < w->count && w->records[*at].broken)
        (*at)++;
    return *at < w->count ? &w->records[(*at)++] : NULL;
}

static void check_record(const struct writer *w, const struct placed *want,
                         const struct record *got)
{
    must(want != NULL && got->offset == want->offset && got->head.kind == want->head.kind);
    must(got->head.id == want->head.id);
    must(slice_equal(got->body,
                     slice_head(slice_skip(buf_slice(&w->file), want->offset + RECORD_HEAD_SIZE),
                                want->head.body_len)));
}

static void check_reading(struct writer *w, struct disk_file *file, unsigned choice)
{
    enum segment_trust trust = choice & DURABLE ? SEGMENT_DURABLE : SEGMENT_ENDED;
    struct segment_reader r = {0};
    struct record got;
    uint64_t end = SEGMENT_HEAD_SIZE; /* of what was read */
    bool damaged = false, more = true;
    unsigned at = 0;

    segment_reader_aim(&r, file, w->generation, SEGMENT_HEAD_SIZE, buf_len(&w->file), trust);
    r.ahead = choice & WHOLE ? r.ahead : 64;
    while (more) {
        switch (segment_reader_next(&r, &got)) {
        case SEGMENT_RECORD: {
            const struct placed *want = next_whole(w, &at);

            check_record(w, want, &got);
            must(got.offset == end || damaged);
            end = got.offset + record_size(got.head.body_len);
            damaged = false;
            break;
        }
        case SEGMENT_DAMAGE: damaged = true; break;
        case SEGMENT_END: more = false; break;
        case SEGMENT_ERROR: must(r.error == 0); return; /* the fake disk fails only on demand */
        }
    }
    const struct placed *left = next_whole(w, &at);

    must(r.sealed ? left != NULL && left->head.kind == RECORD_SEAL : left == NULL);
    if (left != NULL)
        end = left->offset + record_size(0);
    must(r.sealed || trust == SEGMENT_ENDED || damaged || end == buf_len(&w->file));
    segment_reader_done(&r);
}

static void check_head(struct slice bytes)
{
    struct segment_head head;
    unsigned char again[SEGMENT_HEAD_SIZE];

    if (segment_head_read(bytes, &head) != HEAD_GOOD)
        return;
    segment_head_write(&head, again);
    must(segment_head_read((struct slice){(const char *)again, sizeof(again)}, &head) == HEAD_GOOD);
}

static void check_file(struct writer *w, unsigned choice)
{
    struct fake_disk *disk = fake_disk_new(NULL);
    struct disk_dir *dir;
    struct disk_file *file;
    enum head_verdict verdict;
    struct segment_head head;
    char name[SEGMENT_NAME_SIZE];

    segment_name(7, name);
    must(disk_dir_open(fake_disk(disk), "/", &dir) == 0);
    must(disk_open(dir, name, DISK_CREATE_READ, 0600, &file) == 0);
    must(disk_write(file, buf_slice(&w->file), 0) == 0);
    must(segment_read_head(file, &verdict, &head) == 0 && verdict == HEAD_GOOD);
    must(head.generation == w->generation);
    check_reading(w, file, choice);
    disk_close(file);
    disk_dir_close(dir);
    fake_disk_free(disk);
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    unsigned choice = fuzz_choice(&c);
    struct writer w = {.generation = fuzz_mix(crc32c(1, input))};
    struct segment_head head = {.generation = w.generation, .number = 7, .run = 7};
    unsigned char bytes[SEGMENT_HEAD_SIZE];

    buf_init(&w.file, FILE_MAX);
    segment_head_write(&head, bytes);
    must(buf_append(&w.file, (struct slice){(const char *)bytes, sizeof(bytes)}));
    while (write_one(&w, &c))
        continue;
    check_file(&w, choice);
    check_head(c.rest);
    buf_done(&w.file);
}
