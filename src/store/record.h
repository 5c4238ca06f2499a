/*
 * record.h - the on-disk format of a journal segment: framing, checksums, kinds.
 *
 * The bytes are specified in docs/formats/queue.md. In short: a segment is a header of
 * SEGMENT_HEAD_SIZE bytes with a random generation, then records, each at a multiple of
 * RECORD_ALIGN: a head of RECORD_HEAD_SIZE bytes, the body, zeros up to the next multiple. Head
 * and body have CRC32Cs of their own, both seeded with generation and offset, so neither stale
 * bytes of a former use nor bytes that a sender put into his mail ever look like a record.
 *
 * Pure functions of bytes. Nothing here trusts what it reads.
 */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "base/buf.h"
#include "base/cursor.h"
#include "base/slice.h"

#include <stdint.h>

enum record_kind {
    RECORD_MESSAGE = 1,  /* in/N: a message that arrived */
    RECORD_OUTCOME = 2,  /* out: what became of one recipient */
    RECORD_SEAL = 3,     /* the last record of a segment that was ended in good order: its table */
    RECORD_LOCATOR = 4,  /* at the very end of a full-size segment: where the seal is */
    RECORD_CARRIED = 5,  /* out: a message that was carried here from an older segment */
    RECORD_DEFERRED = 6, /* out: an attempt at one recipient failed, the next one has a time */
    RECORD_BEGUN = 7,    /* once: a submitted message is about to be sent */
    RECORD_SETTLED = 8,  /* once: each of its recipients has an outcome */
};

enum {
    SEGMENT_VERSION = 1,
    SEGMENT_HEAD_SIZE = 64,
    RECORD_HEAD_SIZE = 32,
    RECORD_ALIGN = 8,
    RECORD_BODY_MAX = 8 * 1024 * 1024,
    RECORD_LOCATOR_BODY = 8,
    RECORD_LOCATOR_SIZE = RECORD_HEAD_SIZE + RECORD_LOCATOR_BODY,
    SEAL_ENTRY_SIZE = 20,
    SEAL_ENTRIES_MAX = RECORD_BODY_MAX / SEAL_ENTRY_SIZE,
};

#define SEGMENT_SIZE (UINT64_C(64) * 1024 * 1024)

struct segment_head {
    uint64_t generation; /* random, new at each use of the file */
    uint64_t number;     /* the file's name says the same */
    uint64_t run;        /* number of the first segment of the writer's present life */
};

enum head_verdict { HEAD_GOOD, HEAD_BAD, HEAD_NEWER };

void segment_head_write(const struct segment_head *h, unsigned char out[SEGMENT_HEAD_SIZE]);

/* HEAD_NEWER: written by a later version; leave the file alone. *out is set only when good. */
enum head_verdict segment_head_read(struct slice bytes, struct segment_head *out);

struct record_head {
    uint16_t kind; /* enum record_kind, or one of a later version: skipped */
    uint64_t id;   /* of the message it is about */
    uint32_t body_len;
    uint32_t body_crc;
    uint32_t unsynced; /* bytes in front of it that were not known durable when it was written */
};

/* Bytes that a record of this body takes on disk. */
uint64_t record_size(uint64_t body_len);

/* Seed for body CRCs: crc32c(record_seed(...), body). */
uint32_t record_seed(uint64_t generation, uint64_t offset);

void record_head_write(const struct record_head *h, uint64_t generation, uint64_t offset,
                       unsigned char out[RECORD_HEAD_SIZE]);

/* False when these bytes are no head at this place. */
bool record_head_read(struct slice bytes, uint64_t generation, uint64_t offset,
                      struct record_head *out);

/* One message in the table of a seal. */
struct seal_entry {
    uint32_t offset; /* of its record in the segment */
    uint32_t body_len;
    uint64_t id;
    uint32_t note; /* the owner's: what an index needs to know */
};

bool seal_entry_write(struct buf *out, const struct seal_entry *e);
bool seal_entry_read(struct cursor *c, struct seal_entry *out);

#endif
