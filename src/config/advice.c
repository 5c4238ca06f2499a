/*
 * advice.c - the nearest word, if one is near; else all of them.
 *
 * Near means that few letters differ, and less than half of the word: otherwise every short word
 * would resemble every other.
 */
#include "config/advice.h"

enum {
    WORD_COMPARED_MAX = 32, /* bytes; longer ones resemble no word of ours */
    TYPOS_MAX = 2,
};

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Letters to insert, remove or change to make a into b. */
static size_t edit_distance(struct slice a, struct slice b)
{
    size_t row[WORD_COMPARED_MAX + 1];

    if (a.len > WORD_COMPARED_MAX || b.len > WORD_COMPARED_MAX)
        return WORD_COMPARED_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (byte_lower(a.data[i - 1]) != b.data[j - 1]);
            diagonal = row[j];
            row[j] = least(row[j] + 1, row[j - 1] + 1, change);
        }
    }
    return row[b.len];
}

void guess_consider(struct guess *guess, struct slice candidate, struct arena *arena)
{
    size_t distance = edit_distance(guess->written, candidate);

    if (guess->nearest.len == 0 || distance < guess->distance) {
        guess->nearest = candidate;
        guess->distance = distance;
    }
    guess->known = guess->known.len == 0
                       ? candidate
                       : arena_printf(arena, "%.*s, %.*s", SLICE_PRINTF(guess->known),
                                      SLICE_PRINTF(candidate));
}

bool guess_is_typo(const struct guess *guess)
{
    return guess->distance <= TYPOS_MAX && guess->distance * 2 <= guess->nearest.len;
}

struct slice guess_advice(const struct guess *guess, struct arena *arena)
{
    if (guess_is_typo(guess))
        return arena_printf(arena, "did you mean '%.*s'?", SLICE_PRINTF(guess->nearest));
    return arena_printf(arena, "known here: %.*s", SLICE_PRINTF(guess->known));
}
