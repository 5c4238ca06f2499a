/*
 * segment_test.c - heads, and what bytes that are no record mean.
 */
#include "store/segment.h"

#include "base/codec.h"
#include "base/fail.h"
#include "check.h"
#include "fakes/disk.h"

enum { GENERATION = 12345, BODY = 40, SIZE = RECORD_HEAD_SIZE + BODY };

static void ignore(void *ctx, int code, const char *operation, struct slice name)
{
    (void)ctx, (void)code, (void)operation, (void)name;
}

static void test_every_changed_bit_of_a_head_counts(void **state)
{
    unsigned char bytes[SEGMENT_HEAD_SIZE], record[RECORD_HEAD_SIZE];
    struct segment_head head = {.generation = GENERATION, .number = 3, .run = 2}, got;
    struct record_head rh = {.kind = RECORD_MESSAGE, .id = 9, .body_len = 5}, got_rh;

    (void)state;
    segment_head_write(&head, bytes);
    struct slice all = guarded((struct slice){(const char *)bytes, sizeof(bytes)});
    check_int(segment_head_read(all, &got), HEAD_GOOD);
    check_int(got.number, 3);
    check_int(segment_head_read(slice_head(all, all.len - 1), &got), HEAD_BAD);
    guarded_free(all);
    for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
        check_int(segment_head_read((struct slice){(const char *)bytes, sizeof(bytes)}, &got),
                  HEAD_BAD);
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
    record_head_write(&rh, GENERATION, 64, record);
    struct slice r = {(const char *)record, sizeof(record)};
    check(record_head_read(r, GENERATION, 64, &got_rh));
    check(!record_head_read(r, GENERATION, 72, &got_rh));
    check(!record_head_read(r, GENERATION + 1, 64, &got_rh));
    for (size_t bit = 0; bit < sizeof(record) * 8; bit++) {
        record[bit / 8] ^= (unsigned char)(1U << bit % 8);
        check(!record_head_read(r, GENERATION, 64, &got_rh));
        record[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
}

static void test_newer_version_is_refused(void **state)
{
    unsigned char bytes[SEGMENT_HEAD_SIZE];
    struct segment_head head = {.generation = GENERATION}, got;

    (void)state;
    segment_head_write(&head, bytes);
    bytes[8] = SEGMENT_VERSION + 1;
    uint32_t crc = crc32c(0, (struct slice){(const char *)bytes, 60});
    for (unsigned i = 0; i < 4; i++)
        bytes[60 + i] = (unsigned char)(crc >> 8 * i);
    check_int(segment_head_read((struct slice){(const char *)bytes, sizeof(bytes)}, &got),
              HEAD_NEWER);
}

/* A file of four records of one size; the row says which are spoilt, how far the file was durable
 * when each was written (in records), and what a reader must see: R a record, D damage, E end. */
struct scan_row {
    const char *spoilt; /* h its head, b its body, . nothing */
    unsigned durable[4];
    enum segment_trust trust;
    const char *seen;
};

static const struct scan_row scans[] = {
    {"....", {0, 0, 0, 0}, SEGMENT_ENDED,   "RRRRE"}, /* whole */
    {"...h", {0, 1, 2, 3}, SEGMENT_ENDED,   "RRRE" }, /* a torn tail */
    {"...b", {0, 1, 2, 3}, SEGMENT_ENDED,   "RRRE" },
    {"h...", {0, 0, 0, 0}, SEGMENT_ENDED,   "RRRE" }, /* holes in an unsynced batch */
    {"hb.b", {0, 0, 0, 0}, SEGMENT_ENDED,   "RE"   },
    {"hhhh", {0, 0, 0, 0}, SEGMENT_ENDED,   "E"    },
    {".h..", {0, 1, 1, 1}, SEGMENT_ENDED,   "RRRE" }, /* it was not durable then */
    {".h..", {0, 1, 2, 2}, SEGMENT_ENDED,   "RDRRE"}, /* it was: damage */
    {".b..", {0, 1, 1, 3}, SEGMENT_ENDED,   "RRDRE"}, /* a later record proves it */
    {"...h", {0, 1, 2, 3}, SEGMENT_DURABLE, "RRRDE"}, /* below the mark: damage */
    {".b..", {0, 0, 0, 0}, SEGMENT_DURABLE, "RDRRE"},
    {"hhhh", {0, 0, 0, 0}, SEGMENT_DURABLE, "DE"   },
};

static void write_record(struct disk_file *file, unsigned i, const struct scan_row *row)
{
    char bytes[SIZE] = {0};
    uint64_t offset = SEGMENT_HEAD_SIZE + i * record_size(BODY);
    struct record_head head = {.kind = RECORD_MESSAGE, .id = i + 1, .body_len = BODY};

    memset(bytes + RECORD_HEAD_SIZE, 'a' + (int)i, BODY);
    head.unsynced = (uint32_t)((i - row->durable[i]) * record_size(BODY));
    head.body_crc =
        crc32c(record_seed(GENERATION, offset), (struct slice){bytes + RECORD_HEAD_SIZE, BODY});
    record_head_write(&head, GENERATION, offset, (unsigned char *)bytes);
    if (row->spoilt[i] == 'h')
        bytes[3] ^= 1;
    if (row->spoilt[i] == 'b')
        bytes[SIZE - 1] ^= 1;
    check_int(disk_write(file, (struct slice){bytes, SIZE}, offset), 0);
}

static void test_what_is_no_record(void **state)
{
    (void)state;
    fail_set_sink(ignore, NULL);
    CHECK_ROWS (i, scans) {
        static const char letters[] = "RED!"; /* of enum segment_read */
        struct fake_disk *disk = fake_disk_new(NULL);
        struct segment_reader reader = {0};
        struct record record;
        struct disk_dir *dir;
        struct disk_file *file;
        char seen[8] = {0};
        uint64_t limit = SEGMENT_HEAD_SIZE + 4 * record_size(BODY);

        check_int(disk_dir_open(fake_disk(disk), "", &dir), 0);
        check_int(disk_open(dir, "s", DISK_CREATE_READ, 0600, &file), 0);
        for (unsigned r = 0; r < 4; r++)
            write_record(file, r, &scans[i]);
        segment_reader_aim(&reader, file, GENERATION, SEGMENT_HEAD_SIZE, limit, scans[i].trust);
        for (size_t n = 0; n < sizeof(seen) - 1 && (n == 0 || seen[n - 1] != 'E'); n++)
            seen[n] = letters[segment_reader_next(&reader, &record)];
        check_slice(slice_of(seen), slice_of(scans[i].seen));
        segment_reader_done(&reader);
        disk_close(file);
        disk_dir_close(dir);
        fake_disk_free(disk);
    }
    fail_set_sink(NULL, NULL);
}

static void test_names(void **state)
{
    static const struct {
        struct slice name;
        bool good;
    } rows[] = {
        {SLICE_INIT("s-00000000000000ff"),  true },
        {SLICE_INIT("s-00000000000000fF"),  false},
        {SLICE_INIT("s-00000000000000f"),   false},
        {SLICE_INIT("s-00000000000000fff"), false},
        {SLICE_INIT("d-00000000000000ff"),  false},
        {SLICE_INIT(""),                    false},
    };

    uint64_t number = 0;

    (void)state;
    CHECK_ROWS (i, rows)
        check_int(segment_number(rows[i].name, &number), rows[i].good);
    check_int(number, 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_changed_bit_of_a_head_counts),
        cmocka_unit_test(test_newer_version_is_refused),
        cmocka_unit_test(test_what_is_no_record),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
