/*
 * buf.h - owned bytes that grow up to a stated maximum.
 *
 * Born with a maximum, so that no peer can make it grow without end. Appending past the
 * maximum changes nothing and returns false. Consuming from the front is cheap. Memory runs
 * out: the program ends (ARCHITECTURE section 7), so allocation never fails for the caller.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

#include <stdint.h>

struct buf {
    char *data;   /* allocation, or NULL */
    size_t start; /* first unread byte */
    size_t end;   /* behind the last byte */
    size_t cap;   /* bytes allocated */
    size_t max;   /* end - start never exceeds it */
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);
void buf_wipe(struct buf *b); /* the same; nothing of it stays in memory. What grew left copies */

/* What is in it; valid until the next change. */
struct slice buf_slice(const struct buf *b);
size_t buf_len(const struct buf *b);
size_t buf_room(const struct buf *b); /* bytes that may still be appended */

bool buf_append(struct buf *b, struct slice s);
bool buf_append_char(struct buf *b, char c);

/* printf into the buffer; false and unchanged when it does not fit. */
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* At least n writable bytes at the returned place, to be made part of the buffer by
 * buf_commit(); NULL when n exceeds the room. */
char *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);

/* Drop n bytes from the front. */
void buf_consume(struct buf *b, size_t n);

/* Drop bytes from the end until n are left. */
void buf_truncate(struct buf *b, size_t n);

void buf_clear(struct buf *b);

/* Gives the memory back when empty; an idle connection keeps none. */
void buf_release(struct buf *b);

/* Fixed-width binary fields, little-endian; the writing side of cursor's get_*. */
bool put_u8(struct buf *b, uint8_t v);
bool put_u16(struct buf *b, uint16_t v);
bool put_u32(struct buf *b, uint32_t v);
bool put_u64(struct buf *b, uint64_t v);
bool put_bytes(struct buf *b, struct slice s); /* u32 length, then the bytes */

#endif
