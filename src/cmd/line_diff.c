/*
 * line_diff.c - the longest common subsequence, between a common beginning and a common end.
 *
 * Configurations are small and change in few places: what is left between the two ends is compared
 * by the plain table of lengths.
 */
#include "cmd/line_diff.h"

#include "base/arena.h"

enum { CELLS_MAX = 4 * 1024 * 1024 };

struct lines {
    struct slice *of;
    size_t count;
};

static struct lines split(struct slice text, struct arena *arena)
{
    struct lines lines = {0};
    struct slice rest = text, line;

    while (slice_cut(rest, '\n', &line, &rest))
        lines.count++;
    lines.count += rest.len > 0;
    lines.of = ARENA_ARRAY(arena, struct slice, lines.count + 1);
    rest = text;
    for (size_t i = 0; i < lines.count; i++) {
        if (!slice_cut(rest, '\n', &lines.of[i], &rest))
            lines.of[i] = rest;
    }
    return lines;
}

static unsigned tell(struct buf *out, char sign, struct slice line)
{
    (void)buf_printf(out, "%c %.*s\n", sign, SLICE_PRINTF(line));
    return 1;
}

static void skip_common(struct lines *a, struct lines *b)
{
    while (a->count > 0 && b->count > 0 && slice_equal(a->of[0], b->of[0])) {
        a->of++, b->of++;
        a->count--, b->count--;
    }
    while (a->count > 0 && b->count > 0 && slice_equal(a->of[a->count - 1], b->of[b->count - 1])) {
        a->count--;
        b->count--;
    }
}

/* How many lines of the rests from i and j on can stay: row i, column j. */
static uint32_t *lengths(const struct lines *a, const struct lines *b, struct arena *arena)
{
    size_t width = b->count + 1;
    uint32_t *of = ARENA_ARRAY(arena, uint32_t, (a->count + 1) * width);

    for (size_t i = a->count; i-- > 0;)
        for (size_t j = b->count; j-- > 0;) {
            uint32_t down = of[(i + 1) * width + j], right = of[i * width + j + 1];

            if (slice_equal(a->of[i], b->of[j]))
                of[i * width + j] = of[(i + 1) * width + j + 1] + 1;
            else
                of[i * width + j] = down >= right ? down : right;
        }
    return of;
}

static unsigned tell_all(const struct lines *a, const struct lines *b, struct buf *out)
{
    unsigned told = 0;

    for (size_t i = 0; i < a->count; i++)
        told += tell(out, '-', a->of[i]);
    for (size_t j = 0; j < b->count; j++)
        told += tell(out, '+', b->of[j]);
    return told;
}

static unsigned tell_differing(const struct lines *a, const struct lines *b, struct buf *out,
                               struct arena *arena)
{
    const uint32_t *of = lengths(a, b, arena);
    size_t i = 0, j = 0, width = b->count + 1;
    unsigned told = 0;

    while (i < a->count && j < b->count) {
        if (slice_equal(a->of[i], b->of[j])) {
            i++, j++;
        } else if (of[(i + 1) * width + j] >= of[i * width + j + 1]) {
            told += tell(out, '-', a->of[i++]);
        } else {
            told += tell(out, '+', b->of[j++]);
        }
    }
    return told + tell_all(&(struct lines){a->of + i, a->count - i},
                           &(struct lines){b->of + j, b->count - j}, out);
}

unsigned line_diff(struct slice from, struct slice to, struct buf *out)
{
    struct arena arena = {0};
    struct lines a = split(from, &arena), b = split(to, &arena);
    unsigned told;

    skip_common(&a, &b);
    told = (a.count + 1) * (b.count + 1) > CELLS_MAX ? tell_all(&a, &b, out)
                                                     : tell_differing(&a, &b, out, &arena);
    arena_done(&arena);
    return told;
}
