/*
 * fuzz.c - the entry that libFuzzer calls, and what targets share.
 *
 * AddressSanitizer fences the input when libFuzzer runs a target, a guard page when replay.c
 * does, so a target may hand it to the code under test without a copy.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input((struct slice){(const char *)data, size});
    return 0;
}

_Noreturn void fuzz_broken(const char *file, int line, const char *promise)
{
    (void)fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, promise);
    abort();
}

unsigned fuzz_byte(struct cursor *input)
{
    uint8_t byte = 0;

    (void)get_u8(input, &byte);
    return byte;
}

unsigned fuzz_choice(struct cursor *input)
{
    return cursor_at_end(input) ? 0 : fuzz_byte(input) ^ '0';
}

struct slice fuzz_line(struct cursor *input)
{
    struct slice line = input->rest;

    if (take_until(input, '\n', &line))
        (void)take_char(input, '\n');
    else
        input->rest = slice_skip(input->rest, input->rest.len);
    return line;
}

/* The finalizer of splitmix64. */
uint64_t fuzz_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

uint64_t fuzz_draw(struct fuzz_chance *chance, uint64_t bound)
{
    chance->state = fuzz_mix(chance->state);
    return chance->state % bound;
}

size_t fuzz_chunk(struct fuzz_chance *chance, size_t left)
{
    static const size_t max[] = {1, 1, 3, 20, 1000};
    size_t n = 1 + (size_t)fuzz_draw(chance, max[fuzz_draw(chance, sizeof(max) / sizeof(*max))]);

    return n < left ? n : left;
}
