/*
 * record.c - heads of segments and records, to bytes and back.
 *
 * A CRC alone would take stale bytes of a file's former use, or a record that somebody mailed to
 * us as text, for a record. The generation is random and never leaves the machine, so seeding
 * every CRC with it (and with the place) makes both as unlikely as any other collision; and a
 * record that was copied to another place by a confused disk does not count either.
 */
#include "store/record.h"

#include "base/codec.h"

#include <string.h>

static const char magic[8] = {'p', 'o', 's', 't', 'r', 'o', 'a', 'd'};

static void store_u16(unsigned char *p, uint16_t v)
{
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
}

static void store_u32(unsigned char *p, uint32_t v)
{
    store_u16(p, (uint16_t)v);
    store_u16(p + 2, (uint16_t)(v >> 16));
}

static void store_u64(unsigned char *p, uint64_t v)
{
    store_u32(p, (uint32_t)v);
    store_u32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t crc_of(uint32_t seed, const unsigned char *p, size_t len)
{
    return crc32c(seed, (struct slice){(const char *)p, len});
}

void segment_head_write(const struct segment_head *h, unsigned char out[SEGMENT_HEAD_SIZE])
{
    memset(out, 0, SEGMENT_HEAD_SIZE);
    memcpy(out, magic, sizeof(magic));
    store_u16(out + 8, SEGMENT_VERSION);
    store_u64(out + 16, h->generation);
    store_u64(out + 24, h->number);
    store_u64(out + 32, h->run);
    store_u32(out + 60, crc_of(0, out, 60));
}

enum head_verdict segment_head_read(struct slice bytes, struct segment_head *out)
{
    struct cursor c = {bytes};
    struct segment_head got = {0};
    struct slice found, rest;
    uint16_t version, flags;
    uint32_t spare, crc;

    if (bytes.len != SEGMENT_HEAD_SIZE || !take_bytes(&c, sizeof(magic), &found) ||
        !slice_equal(found, (struct slice){magic, sizeof(magic)}))
        return HEAD_BAD;
    if (!get_u16(&c, &version) || !get_u16(&c, &flags) || !get_u32(&c, &spare) ||
        !get_u64(&c, &got.generation) || !get_u64(&c, &got.number) || !get_u64(&c, &got.run) ||
        !take_bytes(&c, 20, &rest) || !get_u32(&c, &crc))
        return HEAD_BAD;
    /* Every version keeps magic, version and this CRC where they are. */
    if (crc != crc32c(0, slice_head(bytes, 60)))
        return HEAD_BAD;
    if (version != SEGMENT_VERSION || flags != 0)
        return HEAD_NEWER;
    *out = got;
    return HEAD_GOOD;
}

uint64_t record_size(uint64_t body_len)
{
    return (RECORD_HEAD_SIZE + body_len + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

uint32_t record_seed(uint64_t generation, uint64_t offset)
{
    unsigned char place[16];

    store_u64(place, generation);
    store_u64(place + 8, offset);
    return crc_of(0, place, sizeof(place));
}

void record_head_write(const struct record_head *h, uint64_t generation, uint64_t offset,
                       unsigned char out[RECORD_HEAD_SIZE])
{
    store_u16(out, h->kind);
    store_u16(out + 2, 0);
    store_u32(out + 4, h->body_len);
    store_u64(out + 8, h->id);
    store_u32(out + 16, h->body_crc);
    store_u32(out + 20, h->unsynced);
    store_u32(out + 24, 0);
    store_u32(out + 28, crc_of(record_seed(generation, offset), out, 28));
}

bool record_head_read(struct slice bytes, uint64_t generation, uint64_t offset,
                      struct record_head *out)
{
    struct cursor c = {bytes};
    struct record_head got = {0};
    uint16_t flags;
    uint32_t spare, crc;

    if (!get_u16(&c, &got.kind) || !get_u16(&c, &flags) || !get_u32(&c, &got.body_len) ||
        !get_u64(&c, &got.id) || !get_u32(&c, &got.body_crc) || !get_u32(&c, &got.unsynced) ||
        !get_u32(&c, &spare) || !get_u32(&c, &crc))
        return false;
    /* Cheap checks first: a search for the next record comes here every eight bytes. */
    if (got.kind == 0 || flags != 0 || spare != 0 || got.body_len > RECORD_BODY_MAX ||
        got.unsynced > offset)
        return false;
    if (crc != crc32c(record_seed(generation, offset), slice_head(bytes, 28)))
        return false;
    *out = got;
    return true;
}

bool seal_entry_write(struct buf *out, const struct seal_entry *e)
{
    return put_u32(out, e->offset) && put_u32(out, e->body_len) && put_u64(out, e->id) &&
           put_u32(out, e->note);
}

bool seal_entry_read(struct cursor *c, struct seal_entry *out)
{
    struct seal_entry got;

    if (c->rest.len < SEAL_ENTRY_SIZE || !get_u32(c, &got.offset) || !get_u32(c, &got.body_len) ||
        !get_u64(c, &got.id) || !get_u32(c, &got.note))
        return false;
    *out = got;
    return true;
}
