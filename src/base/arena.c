/*
 * arena.c - memory freed all at once.
 *
 * Blocks in a list, newest first; small requests are cut from the newest. The first block is
 * small, because most sessions need little; later ones are larger. A request that does not fit
 * gets a block of its own. What is not handed out is poisoned under ASan.
 */
#include "base/arena.h"

#include "base/memory.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { ARENA_FIRST = 512, ARENA_NEXT = 4096, ARENA_KEEP = 4096 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* of bytes */
    size_t used;
    alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *a)
{
    a->blocks = NULL;
}

static void block_free(struct arena_block *b)
{
    ASAN_UNPOISON_MEMORY_REGION(b->bytes, b->size);
    memory_free(b);
}

static void blocks_free(struct arena_block *b)
{
    while (b != NULL) {
        struct arena_block *next = b->next;

        block_free(b);
        b = next;
    }
}

void arena_done(struct arena *a)
{
    blocks_free(a->blocks);
    a->blocks = NULL;
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = a->blocks;

    if (keep == NULL)
        return;
    blocks_free(keep->next);
    keep->next = NULL;
    if (keep->size > ARENA_KEEP) {
        block_free(keep);
        a->blocks = NULL;
        return;
    }
    ASAN_UNPOISON_MEMORY_REGION(keep->bytes, keep->size);
    memset(keep->bytes, 0, keep->used);
    keep->used = 0;
    ASAN_POISON_MEMORY_REGION(keep->bytes, keep->size);
}

static struct arena_block *block_new(struct arena *a, size_t need)
{
    size_t size = a->blocks == NULL ? ARENA_FIRST : ARENA_NEXT;

    if (size < need)
        size = need;
    struct arena_block *b = memory_new(sizeof(*b) + size);
    b->size = size;
    b->next = a->blocks;
    a->blocks = b;
    ASAN_POISON_MEMORY_REGION(b->bytes, b->size);
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t align = alignof(max_align_t);
    size_t need = (size + align - 1) / align * align;
    struct arena_block *b = a->blocks;

    if (need == 0)
        need = align;
    if (b == NULL || b->size - b->used < need)
        b = block_new(a, need);
    char *at = b->bytes + b->used;
    b->used += need;
    ASAN_UNPOISON_MEMORY_REGION(at, size);
    return at;
}

void *arena_alloc_array(struct arena *a, size_t size, size_t n)
{
    size_t total;

    if (__builtin_mul_overflow(size, n, &total))
        abort();
    return arena_alloc(a, total);
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    if (s.len == 0)
        return (struct slice){"", 0};
    char *at = arena_alloc(a, s.len);
    memcpy(at, s.data, s.len);
    return (struct slice){at, s.len};
}

struct slice arena_lower(struct arena *a, struct slice s)
{
    if (s.len == 0)
        return (struct slice){"", 0};
    char *at = arena_alloc(a, s.len);
    for (size_t i = 0; i < s.len; i++)
        at[i] = byte_lower(s.data[i]);
    return (struct slice){at, s.len};
}

const char *arena_string(struct arena *a, struct slice s)
{
    char *at = arena_alloc(a, s.len + 1);

    if (s.len > 0)
        memcpy(at, s.data, s.len);
    return at;
}

struct slice arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t size = len < 0 ? 0 : (size_t)len;
    char *at = arena_alloc(a, size + 1);
    vsnprintf(at, size + 1, format, again);
    va_end(again);
    return (struct slice){at, size};
}
