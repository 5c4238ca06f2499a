/*
 * fuzz.h - what the targets share: a promise that may break, and how an input is read.
 *
 * A target is one file with one fuzz_input(). It checks what the module under test promises, not
 * only that nothing crashes. The same file becomes a libFuzzer program (clang) and a program that
 * replays files (replay.c, any compiler).
 *
 * Inputs are text where possible, so that a seed can be written by hand: often a first character
 * that chooses among settings ("0" is the usual choice), then bytes or lines.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "base/cursor.h"

#include <stdint.h>

/* Defined by the target. The bytes end where memory ends. */
void fuzz_input(struct slice input);

/* Aborts with the place and the promise when it does not hold. */
#define must(promise)                                                                              \
    do {                                                                                           \
        if (!(promise))                                                                            \
            fuzz_broken(__FILE__, __LINE__, #promise);                                             \
    } while (0)

_Noreturn void fuzz_broken(const char *file, int line, const char *promise);

/* The next byte, 0 when the input is used up. */
unsigned fuzz_byte(struct cursor *input);

/* The same as a choice: '0' is 0, '1' is 1, ... '?' is 15; other bytes lie beyond. */
unsigned fuzz_choice(struct cursor *input);

/* Up to the next LF, which is taken too, or the rest. */
struct slice fuzz_line(struct cursor *input);

/* Chance that depends on nothing but where it starts: the same input gives the same run. */
struct fuzz_chance {
    uint64_t state;
};

uint64_t fuzz_mix(uint64_t x); /* to any start; close starts give distant numbers */
uint64_t fuzz_draw(struct fuzz_chance *chance, uint64_t bound);

/* How many of `left` bytes (at least 1) come next: single bytes, a few, or many at once. */
size_t fuzz_chunk(struct fuzz_chance *chance, size_t left);

#endif
