/*
 * buf.c - owned bytes with a maximum.
 *
 * Consumed bytes at the front are reclaimed only when room is needed, so that a batch of
 * commands is eaten without moving memory. Growth doubles, up to the maximum. What a buffer grew
 * out of is wiped, since only its owner knows whether a password lay in it.
 */
#include "base/buf.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BUF_FIRST = 256 };

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
    memory_free(b->data);
    *b = (struct buf){.max = b->max};
}

void buf_wipe(struct buf *b)
{
    if (b->data != NULL)
        explicit_bzero(b->data, b->cap);
    buf_done(b);
}

struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->data == NULL ? NULL : b->data + b->start, b->end - b->start};
}

size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

size_t buf_room(const struct buf *b)
{
    return b->max - buf_len(b);
}

static void grow(struct buf *b, size_t need)
{
    size_t cap = b->cap < BUF_FIRST ? BUF_FIRST : b->cap;

    while (cap < need)
        cap *= 2;
    char *data = memory_new(cap);

    if (b->data != NULL) {
        memcpy(data, b->data, b->end);
        explicit_bzero(b->data, b->end);
        memory_free(b->data);
    }
    b->data = data;
    b->cap = cap;
}

char *buf_reserve(struct buf *b, size_t n)
{
    size_t len = buf_len(b);

    if (n > b->max - len)
        return NULL;
    if (b->cap - b->end < n && b->start > 0) {
        memmove(b->data, b->data + b->start, len);
        b->start = 0;
        b->end = len;
    }
    if (b->cap - b->end < n || b->data == NULL)
        grow(b, b->end + n);
    return b->data + b->end;
}

void buf_commit(struct buf *b, size_t n)
{
    b->end += n;
}

bool buf_append(struct buf *b, struct slice s)
{
    if (s.len == 0)
        return true;
    char *at = buf_reserve(b, s.len);
    if (at == NULL)
        return false;
    memcpy(at, s.data, s.len);
    b->end += s.len;
    return true;
}

bool buf_append_char(struct buf *b, char c)
{
    return buf_append(b, (struct slice){&c, 1});
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    /* One byte more for vsnprintf's NUL, which never becomes part of the buffer. */
    char *at = len < 0 || (size_t)len > buf_room(b) ? NULL : buf_reserve(b, (size_t)len);
    if (at != NULL && b->cap - b->end == (size_t)len) {
        grow(b, b->end + (size_t)len + 1);
        at = b->data + b->end;
    }
    if (at != NULL) {
        vsnprintf(at, (size_t)len + 1, format, again);
        b->end += (size_t)len;
    }
    va_end(again);
    return at != NULL;
}

void buf_consume(struct buf *b, size_t n)
{
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_truncate(struct buf *b, size_t n)
{
    if (n < buf_len(b))
        b->end = b->start + n;
}

void buf_clear(struct buf *b)
{
    b->start = b->end = 0;
}

void buf_release(struct buf *b)
{
    if (buf_len(b) == 0)
        buf_done(b);
}

static bool put_little(struct buf *b, uint64_t v, unsigned width)
{
    char bytes[8];

    for (unsigned i = 0; i < width; i++, v >>= 8)
        bytes[i] = (char)(unsigned char)(v & 0xff);
    return buf_append(b, (struct slice){bytes, width});
}

bool put_u8(struct buf *b, uint8_t v)
{
    return put_little(b, v, 1);
}

bool put_u16(struct buf *b, uint16_t v)
{
    return put_little(b, v, 2);
}

bool put_u32(struct buf *b, uint32_t v)
{
    return put_little(b, v, 4);
}

bool put_u64(struct buf *b, uint64_t v)
{
    return put_little(b, v, 8);
}

bool put_bytes(struct buf *b, struct slice s)
{
    if (s.len > UINT32_MAX || buf_room(b) < s.len + 4)
        return false;
    return put_u32(b, (uint32_t)s.len) && buf_append(b, s);
}
